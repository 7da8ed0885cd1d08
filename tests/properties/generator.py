"""Random federations: seed → subgraph SDLs, always the same.

Theory of operation
-------------------
A federation is drawn the way teams make one: first entities with their keys and the subgraphs they are at home in, so
connected that each home can be reached from each other; then types without keys; then fields with their owners; then
what one subgraph needs or takes from another (``@requires``, ``@provides``, ``@override``); roots last. A type that a
subgraph comes to mention is declared there when it is mentioned first: a value type whole, an entity as a mere
reference. What is drawn composes almost always; where it does not, the composer says so and the seed is passed over.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from random import Random

LINK = (
    'extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key", "@shareable", "@external",'
    ' "@requires", "@provides", "@override", "@inaccessible", "@interfaceObject", "@tag"])'
)
SCALARS = ("String", "Int", "ID", "Float", "Boolean", "JSON0")


@dataclass(slots=True)
class FieldText:
    """A field of one type in one subgraph."""

    type: str
    arguments: str = ""
    directives: list[str] = field(default_factory=list)


@dataclass(slots=True)
class TypeText:
    """A type of one subgraph."""

    kind: str
    interfaces: list[str] = field(default_factory=list)
    directives: list[str] = field(default_factory=list)
    fields: dict[str, FieldText] = field(default_factory=dict)
    members: list[str] = field(default_factory=list)
    """Of a union or an enum."""


@dataclass(slots=True)
class Subgraph:
    name: str
    types: dict[str, TypeText] = field(default_factory=dict)
    query: str = "Query"
    mutation: str = "Mutation"


@dataclass(slots=True)
class KeyPlan:
    """One way to name an entity."""

    text: str
    fields: dict[str, str]
    """Field → type."""


@dataclass(slots=True)
class Attribute:
    """A field of an entity."""

    name: str
    type: str
    target: str
    """The named type."""
    owners: set[str]
    arguments: str = ""
    given: str = ""
    """Arguments a field set would write."""
    settled: bool = False
    """An interface or a split depends on it: no directive may move it."""


@dataclass(slots=True)
class Entity:
    name: str
    keys: list[KeyPlan]
    homes: list[str] = field(default_factory=list)
    attributes: dict[str, Attribute] = field(default_factory=dict)


def federation(seed: str) -> tuple[tuple[str, str], ...]:
    """The subgraphs' names and SDLs."""
    return _Drawing(Random(seed)).draw()


class _Drawing:
    def __init__(self, random: Random) -> None:
        self.random = random
        count = random.choice((2, 2, 3, 3, 4, 5, 6))
        names = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta"][:count]
        random.shuffle(names)
        self.subgraphs = {name: Subgraph(name) for name in names}
        self.entities: dict[str, Entity] = {}
        self.values: dict[str, dict[str, tuple[str, str]]] = {}
        """Value type → field → (type, arguments); the same wherever it is declared."""
        self.enums: dict[str, list[str]] = {}
        self.interfaces: list[str] = []
        self.unions: list[str] = []
        self.value_union: tuple[str, list[str]] | None = None
        self.standing_in: dict[str, tuple[list[str], str, list[str]]] = {}
        """Entity interface → (implementations, the subgraph that has it as an interface, those that have a stand-in)."""
        self.flavour = {
            each: random.random() < chance
            for each, chance in {
                "nullable keys": 0.3,
                "mutations": 0.4,
                "renamed roots": 0.35,
                "re-entry": 0.25,
                "inaccessible": 0.3,
                "override": 0.5,
                "provides": 0.6,
                "requires": 0.8,
                "strict": 0.3,
                "extend": 0.1,
                "inputs": 0.4,
            }.items()
        }

    def draw(self) -> tuple[tuple[str, str], ...]:
        for sub in self.subgraphs.values():
            if self.flavour["renamed roots"] and self.chance(0.6):
                sub.query = self.random.choice(("RootQuery", "RootQ", "Queries"))
                sub.mutation = self.random.choice(("RootMutation", "Mutation"))
        self.enums["Color"] = ["RED", "GREEN", "BLUE"]
        self.draw_values()
        self.draw_entities()
        self.draw_standing_in()
        self.draw_attributes()
        self.draw_interfaces()
        self.draw_unions()
        self.draw_splits()
        self.draw_links()
        if self.flavour["override"]:
            self.draw_overrides()
        if self.flavour["requires"]:
            self.draw_requirements()
        self.draw_roots()
        if self.flavour["provides"]:
            self.draw_provisions()
        if self.flavour["mutations"]:
            self.draw_mutations()
        if self.flavour["inaccessible"]:
            self.draw_inaccessible()
        return tuple((sub.name, self.printed(sub)) for sub in self.subgraphs.values())

    # --- small draws ----------------------------------------------------------------------------------------------------

    def chance(self, probability: float) -> bool:
        return self.random.random() < probability

    def some(self, of: Iterable[str], least: int = 1) -> list[str]:
        choices = list(of)
        count = self.random.randint(min(least, len(choices)), len(choices))
        return self.random.sample(choices, count)

    def wrapped(self, name: str, lists: float = 0.3) -> str:
        """The type with nulls and lists around it."""
        strict = 0.75 if self.flavour["strict"] else 0.35
        bang = "!" if self.chance(strict) else ""
        if self.chance(lists):
            inner = f"[{name}{bang}]"
            if self.chance(0.2):
                inner = f"[{inner}{'!' if self.chance(strict) else ''}]"
            return inner + ("!" if self.chance(strict) else "")
        return name + bang

    def leaf(self) -> str:
        return self.random.choice((*SCALARS[:5], *SCALARS, "Color"))

    def arguments(self, probability: float = 0.25) -> tuple[str, str]:
        """Declared arguments and what a field set writes for them."""
        if not self.chance(probability):
            return "", ""
        choices = [
            ("x: Int", "x: 7"),
            ("x: Int = 3", "x: 5"),
            ("n: Int!", "n: 2"),
            ("c: Color = RED", "c: GREEN"),
            ("c: Color", "c: BLUE"),
            ("t: String", 't: "s"'),
            ("l: [Int!] = [1, 2]", "l: [4]"),
        ]
        if self.flavour["inputs"]:
            choices += [("i: In0", "i: { a: 3 }"), ('i: In0 = { b: ["q"] }', 'i: { b: ["r"], c: RED }')]
        picked = self.random.sample(choices, self.random.choice((1, 1, 2)))
        picked = list({each[0][0]: each for each in picked}.values())
        return f"({', '.join(each[0] for each in picked)})", f"({', '.join(each[1] for each in picked)})"

    # --- declaring --------------------------------------------------------------------------------------------------------

    def mention(self, sub: Subgraph, name: str) -> str:
        """Declare the type here, if it has to be; give the name it has here."""
        if name in self.values:
            self.declare_value(sub, name)
        elif name in self.entities:
            self.declare_reference(sub, self.entities[name])
        elif self.value_union is not None and name == self.value_union[0]:
            sub.types.setdefault(name, TypeText("union", members=list(self.value_union[1])))
            for member in self.value_union[1]:
                self.mention(sub, member)
        elif name == "Query":
            return sub.query
        return name

    def declare_value(self, sub: Subgraph, name: str) -> None:
        if name in sub.types:
            return
        declared = sub.types[name] = TypeText("type", directives=["@shareable"])
        for field_name, (of, arguments) in self.values[name].items():
            target = of.strip("[]!")
            self.mention(sub, target)
            declared.fields[field_name] = FieldText(of, arguments)

    def declare_reference(self, sub: Subgraph, entity: Entity) -> None:
        if entity.name in sub.types:
            return
        key = self.random.choice(self.keys_at_home(entity))
        self.declare_key(sub, entity, key, resolvable=not self.chance(0.5))

    def keys_at_home(self, entity: Entity) -> list[KeyPlan]:
        used = [
            key
            for key in entity.keys
            if any(
                f'@key(fields: "{key.text}")' in self.subgraphs[home].types[entity.name].directives
                for home in entity.homes
                if entity.name in self.subgraphs[home].types
            )
        ]
        return used or entity.keys[:1]

    def declare_key(self, sub: Subgraph, entity: Entity, key: KeyPlan, *, resolvable: bool = True) -> None:
        declared = sub.types.setdefault(entity.name, TypeText("type"))
        text = f'@key(fields: "{key.text}"' + (")" if resolvable else ", resolvable: false)")
        if not any(f'"{key.text}"' in each for each in declared.directives):
            declared.directives.append(text)
        for name, of in key.fields.items():
            if name not in declared.fields:
                declared.fields[name] = FieldText(of)
                target = of.strip("[]!")
                if target in self.entities:
                    inner = self.entities[target]
                    self.declare_key(sub, inner, inner.keys[0])
                else:
                    self.mention(sub, target)

    def declare_attribute(self, sub: Subgraph, type_name: str, attribute: Attribute, *directives: str) -> None:
        own = self.mention(sub, attribute.target)
        of = attribute.type.replace("Query", own) if attribute.target == "Query" else attribute.type
        declared = sub.types.setdefault(type_name, TypeText("type"))
        declared.fields[attribute.name] = FieldText(of, attribute.arguments, list(directives))

    def add_attribute(self, entity: Entity, attribute: Attribute) -> None:
        entity.attributes[attribute.name] = attribute
        shared = ["@shareable"] if len(attribute.owners) > 1 else []
        for owner in sorted(attribute.owners):
            self.declare_attribute(self.subgraphs[owner], entity.name, attribute, *shared)

    # --- the steps --------------------------------------------------------------------------------------------------------

    def draw_values(self) -> None:
        for index in range(self.random.choice((0, 1, 2, 3))):
            name = f"V{index}"
            fields: dict[str, tuple[str, str]] = {}
            for number in range(self.random.randint(1, 3)):
                fields[f"v{number}"] = (self.wrapped(self.leaf()), self.arguments(0.1)[0])
            if index and self.chance(0.5):
                fields["inner"] = (self.wrapped(f"V{index - 1}"), "")
            self.values[name] = fields
        names = list(self.values)
        if len(names) >= 2 and self.chance(0.5):
            self.value_union = ("UniV", self.random.sample(names, 2))

    def draw_entities(self) -> None:
        for index in range(self.random.randint(1, 4)):
            self.draw_entity(f"T{index}", list(self.subgraphs))

    def draw_entity(self, name: str, allowed: list[str], always: KeyPlan | None = None) -> Entity:
        null = "" if self.flavour["nullable keys"] and self.chance(0.5) else "!"
        choices = [
            KeyPlan("id", {"id": "ID!"}),
            KeyPlan("id", {"id": "ID!"}),
            KeyPlan("sku", {"sku": f"String{null}"}),
            KeyPlan("num", {"num": f"Int{null}"}),
            KeyPlan("ka kb", {"ka": "ID!", "kb": "Int!"}),
        ]
        self.values[f"Ref{name}"] = {"k": ("ID!", ""), "j": ("Int!", "")}
        choices.append(
            KeyPlan(
                self.random.choice(("ref { k }", "ref { k j }", "ref { j k } num")),
                {"ref": f"Ref{name}!", "num": "Int!"},
            )
        )
        if "num" not in choices[-1].text:
            del choices[-1].fields["num"]
        others = [each for each in self.entities.values() if each.keys[0].text == "id"]
        if others and always is None:
            org = self.random.choice(others)
            choices.append(KeyPlan("org { id }", {"org": f"{org.name}!"}))
            choices.append(KeyPlan("code org { id }", {"org": f"{org.name}!", "code": "String!"}))
        keys = self.random.sample(choices, self.random.choice((1, 1, 2, 2, 3)))
        if always is not None:
            keys.insert(0, always)
        keys = list({each.text: each for each in keys}.values())
        for each in keys:  # one field has one type, whichever key it is in
            each.fields = {
                field_name: ("Int!" if field_name == "num" else of)
                if any(field_name in other.fields and other is not each for other in keys)
                else of
                for field_name, of in each.fields.items()
            }
        entity = self.entities[name] = Entity(name, keys)
        homes = self.some(allowed, least=min(2, len(allowed)) if self.chance(0.85) else 1)
        has: dict[str, list[KeyPlan]] = {}
        for home in homes:
            if always is not None:
                mine = [always]
            elif has:
                mine = [self.random.choice(has[self.random.choice(list(has))])]
            else:
                mine = [self.random.choice(keys)]
            if self.chance(0.45):
                extra = self.random.choice(keys)
                mine += [extra] if extra not in mine else []
            has[home] = mine
            entity.homes.append(home)
            for key in mine:
                self.declare_key(self.subgraphs[home], entity, key)
        return entity

    def draw_standing_in(self) -> None:
        """Entity interfaces with stand-ins."""
        if len(self.subgraphs) < 2 or not self.chance(0.4):
            return
        names = list(self.subgraphs)
        self.random.shuffle(names)
        cut = self.random.randint(1, len(names) - 1)
        real, standing = names[:cut], names[cut:][: self.random.choice((1, 1, 2))]
        home = real[0]
        key = KeyPlan("id", {"id": "ID!"})
        members = []
        for index in range(self.random.choice((1, 2, 2, 3))):
            entity = self.draw_entity(f"M{index}", real, always=key)
            if home not in entity.homes:
                entity.homes.append(home)
                self.declare_key(self.subgraphs[home], entity, key)
            members.append(entity.name)
        title = Attribute("title", self.random.choice(("String", "String!")), "String", {home}, settled=True)
        interface = self.subgraphs[home].types["Media"] = TypeText("interface", directives=['@key(fields: "id")'])
        interface.fields = {"id": FieldText("ID!"), "title": FieldText(title.type)}
        for member in members:
            self.subgraphs[home].types[member].interfaces.append("Media")
            self.add_attribute(self.entities[member], Attribute("title", title.type, "String", {home}, settled=True))
        for index, name in enumerate(standing):
            sub = self.subgraphs[name]
            stand_in = sub.types["Media"] = TypeText("type", directives=['@key(fields: "id")', "@interfaceObject"])
            stand_in.fields["id"] = FieldText("ID!")
            for number in range(self.random.randint(1, 2)):
                target = self.random.choice(("String", "Int", *[each for each in self.values if each.startswith("V")]))
                arguments, _ = self.arguments()
                stand_in.fields[f"x{index}{number}"] = FieldText(self.wrapped(target), arguments)
                self.mention(sub, target)
            if self.chance(0.5):
                stand_in.fields["title"] = FieldText(title.type, "", ["@external"])
                stand_in.fields[f"xr{index}"] = FieldText(self.wrapped("String", 0), "", ['@requires(fields: "title")'])
        self.standing_in["Media"] = (members, home, standing)

    def draw_attributes(self) -> None:
        for entity in self.entities.values():
            for index in range(self.random.randint(1, 5)):
                targets = [self.leaf()] * 4 + [each for each in self.values if each.startswith("V")] * 2
                if self.value_union is not None:
                    targets.append(self.value_union[0])
                target = self.random.choice(targets)
                owners = {self.random.choice(entity.homes)}
                if len(entity.homes) > 1 and self.chance(0.25):
                    owners = set(self.some(entity.homes, 2))
                arguments, given = self.arguments()
                self.add_attribute(
                    entity, Attribute(f"f{index}", self.wrapped(target), target, owners, arguments, given)
                )
            if self.flavour["mutations"] and self.chance(0.6):
                attribute = Attribute("seen", "Int", "Int", {self.random.choice(entity.homes)}, settled=True)
                self.add_attribute(entity, attribute)

    def draw_interfaces(self) -> None:
        """Interfaces without keys; who implements them differs from subgraph to subgraph."""
        for index in range(self.random.choice((0, 1, 1, 2))):
            name = f"I{index}"
            members = self.some([each for each in self.entities if each.startswith("T")], 1)[:3]
            common = f"i{index}"
            of = self.random.choice(("String", "Int!", "Color", "[String!]"))
            arguments, given = self.arguments(0.15)
            where: dict[str, list[str]] = {}
            for sub in self.subgraphs.values():
                here = [each for each in members if sub.name in self.entities[each].homes]
                if here and self.chance(0.75):
                    where[sub.name] = self.some(here)
            for sub_name, here in where.items():
                interface = self.subgraphs[sub_name].types[name] = TypeText("interface")
                interface.fields[common] = FieldText(of, arguments)
                for member in here:
                    self.subgraphs[sub_name].types[member].interfaces.append(name)
            for member in members:
                owners = {sub_name for sub_name, here in where.items() if member in here}
                if owners:
                    own = of if of.endswith("!") or self.chance(0.6) else f"{of}!"
                    attribute = Attribute(common, own, of.strip("[]!"), owners, arguments, given, settled=True)
                    self.add_attribute(self.entities[member], attribute)
            if where:
                self.interfaces.append(name)
                self.share_key(name, where)

    def share_key(self, name: str, where: dict[str, list[str]]) -> None:
        """A key field that all implementations have everywhere may be the interface's, too."""
        everyone = {each for here in where.values() for each in here}
        common = [
            field_name
            for field_name in ("id", "sku", "num")
            if all(any(field_name in key.fields for key in self.keys_at_home(self.entities[each])) for each in everyone)
        ]
        for field_name in common:
            for sub_name, here in where.items():
                declared = [self.subgraphs[sub_name].types[each].fields.get(field_name) for each in here]
                if all(declared) and self.chance(0.8):
                    types = {each.type for each in declared if each is not None}
                    self.subgraphs[sub_name].types[name].fields[field_name] = FieldText(
                        types.pop() if len(types) == 1 else min(types).removesuffix("!")
                    )

    def draw_unions(self) -> None:
        if not self.chance(0.5):
            return
        members = self.some(self.entities, 1)
        values = [each for each in self.values if each.startswith("V")]
        for sub in self.subgraphs.values():
            here = [each for each in members if sub.name in self.entities[each].homes]
            if values and self.chance(0.3):
                here.append(self.random.choice(values))
            if here and self.chance(0.75):
                chosen = self.some(here)
                sub.types["Uni"] = TypeText("union", members=chosen)
                for each in chosen:
                    self.mention(sub, each)
                if "Uni" not in self.unions:
                    self.unions.append("Uni")

    def draw_splits(self) -> None:
        """A value type of which each subgraph has a part."""
        for entity in self.entities.values():
            if len(entity.homes) < 2 or not self.chance(0.25):
                continue
            owners = self.some(entity.homes, 2)
            name = f"Split{entity.name}"
            parts = {f"s{index}": self.some(owners) for index in range(self.random.randint(2, 4))}
            types = {each: self.wrapped(self.leaf()) for each in parts}
            of = self.wrapped(name, 0.25)
            attribute = Attribute("split", of, name, set(owners), settled=True)
            for owner in owners:
                declared = TypeText("type", directives=["@shareable"])
                declared.fields["s"] = FieldText("String")
                declared.fields |= {each: FieldText(types[each]) for each, holders in parts.items() if owner in holders}
                self.subgraphs[owner].types[name] = declared
            self.add_attribute(entity, attribute)

    def abstract_here(self, sub: Subgraph) -> list[str]:
        return [each for each in (*self.interfaces, *self.unions, *self.standing_in) if each in sub.types]

    def draw_links(self) -> None:
        """Fields from entity to entity, to what is abstract, and back to the root."""
        for entity in self.entities.values():
            for index in range(self.random.choice((0, 1, 1, 2))):
                owner = self.random.choice(entity.homes)
                sub = self.subgraphs[owner]
                targets = [each for each in self.entities if not self.stands_in_for(sub, each)] + self.abstract_here(
                    sub
                ) * 2
                target = self.random.choice(targets)
                arguments, given = self.arguments(0.1)
                owners = {owner}
                if target in self.entities and self.chance(0.2):
                    owners |= {each for each in entity.homes if not self.stands_in_for(self.subgraphs[each], target)}
                attribute = Attribute(f"r{index}", self.wrapped(target, 0.4), target, owners, arguments, given)
                self.add_attribute(entity, attribute)
            if self.flavour["re-entry"] and self.chance(0.4):
                owner = self.random.choice(entity.homes)
                self.add_attribute(
                    entity, Attribute("again", self.random.choice(("Query!", "Query")), "Query", {owner}, settled=True)
                )
                self.subgraphs[owner].types.setdefault(self.subgraphs[owner].query, TypeText("type"))

    def stands_in_for(self, sub: Subgraph, name: str) -> bool:
        """Whether the subgraph knows the type by its stand-in alone, and may not declare it."""
        return any(name in members and sub.name in standing for members, _, standing in self.standing_in.values())

    def draw_overrides(self) -> None:
        for entity in self.entities.values():
            for attribute in entity.attributes.values():
                if attribute.settled or len(attribute.owners) != 1 or not self.chance(0.2):
                    continue
                (owner,) = attribute.owners
                takers = [each for each in entity.homes if each != owner and self.can_mention(each, attribute.target)]
                if not takers:
                    continue
                taker = self.random.choice(takers)
                label = self.random.choice(("", "", "", ', label: "percent(0)"', ', label: "moving"'))
                self.declare_attribute(
                    self.subgraphs[taker], entity.name, attribute, f'@override(from: "{owner}"{label})'
                )
                attribute.settled = True
                if not label:
                    attribute.owners = {taker}

    def can_mention(self, sub_name: str, target: str) -> bool:
        sub = self.subgraphs[sub_name]
        if target in self.entities:
            return not self.stands_in_for(sub, target)
        if target in (*self.interfaces, *self.unions, *self.standing_in):
            return False
        return target != "Query" and not target.startswith("Split")

    # --- what one needs of another ----------------------------------------------------------------------------------------

    def draw_requirements(self) -> None:
        for entity in self.entities.values():
            for index in range(self.random.choice((0, 1, 1, 2, 3))):
                sub = self.subgraphs[self.random.choice(entity.homes)]
                parts = self.foreign_parts(sub, entity, self.random.choice((1, 1, 2, 3)))
                if not parts:
                    continue
                target = self.random.choice(
                    [self.leaf(), self.leaf(), *[each for each in self.values if each.startswith("V")]]
                )
                arguments, given = self.arguments()
                attribute = Attribute(
                    f"q{index}", self.wrapped(target), target, {sub.name}, arguments, given, settled=True
                )
                entity.attributes[attribute.name] = attribute
                text = " ".join(parts).replace('"', '\\"')
                self.declare_attribute(sub, entity.name, attribute, f'@requires(fields: "{text}")')

    def foreign_parts(self, sub: Subgraph, entity: Entity, most: int, *, plain: bool = False) -> list[str]:
        """Entries of a field set for what others know about the entity; ``plain``: only what needs neither arguments nor
        representations."""
        parts: list[str] = []
        for attribute in self.random.sample(list(entity.attributes.values()), len(entity.attributes)):
            if len(parts) == most:
                break
            if plain and (attribute.arguments or attribute.name.startswith("q")):
                continue
            text = self.foreign(sub, entity, attribute, plain=plain)
            parts += [text] if text is not None else []
        return parts

    def foreign(
        self, sub: Subgraph, entity: Entity, attribute: Attribute, depth: int = 0, *, plain: bool = False
    ) -> str | None:
        """A field-set entry for an attribute of others, which is declared as external here; None where it cannot be."""
        declared = sub.types[entity.name].fields.get(attribute.name)
        ours = declared is not None and "@external" not in declared.directives
        if (
            attribute.name in ("seen", "again")
            or (ours and depth == 0)
            or (sub.name in attribute.owners and depth == 0)
        ):
            return None
        if not self.can_mention(sub.name, attribute.target):
            return None
        below = self.below(sub, attribute.target, depth, plain=plain)
        if below is None:
            return None
        if plain:
            self.share(entity, attribute)
        if declared is None:
            self.declare_attribute(sub, entity.name, attribute, "@external")
        given = attribute.given if "!" in attribute.arguments or self.chance(0.7) else ""
        return f"{attribute.name}{given}{below}"

    def share(self, entity: Entity, attribute: Attribute) -> None:
        """Who provides a field resolves it, too; the others have to agree to that."""
        for sub in self.subgraphs.values():
            declared = sub.types.get(entity.name)
            known = declared.fields.get(attribute.name) if declared is not None else None
            if known is not None and "@external" not in known.directives and "@shareable" not in known.directives:
                known.directives.append("@shareable")

    def below(self, sub: Subgraph, target: str, depth: int, *, plain: bool = False) -> str | None:
        if target in self.entities:
            other = self.entities[target]
            self.mention(sub, target)
            choices = [
                name
                for name in sub.types[target].fields
                if any(name in key.fields for key in other.keys)
                and sub.types[target].fields[name].type.strip("[]!") in SCALARS
            ]
            if depth == 0 and self.chance(0.6):
                for attribute in self.random.sample(list(other.attributes.values()), len(other.attributes)):
                    simple = attribute.target in SCALARS or attribute.target == "Color"
                    if plain and (attribute.arguments or attribute.name.startswith("q")):
                        continue
                    if simple and (text := self.foreign(sub, other, attribute, 1, plain=plain)) is not None:
                        return f" {{ {text} }}"
            return f" {{ {self.random.choice(choices)} }}" if choices else None
        if self.value_union is not None and target == self.value_union[0]:
            texts = [(each, self.below(sub, each, 1)) for each in self.value_union[1]]
            parts = [f"... on {each}{text}" for each, text in texts if text is not None]
            return f" {{ {' '.join(parts)} }}" if parts else None
        if target in self.values:
            parts = []
            for name, (of, arguments) in self.values[target].items():
                if arguments:
                    continue
                inner = of.strip("[]!")
                if inner in self.values:
                    if (text := self.below(sub, inner, depth + 1)) is not None:
                        parts.append(f"{name}{text}")
                else:
                    parts.append(name)
            return f" {{ {' '.join(self.some(parts))} }}" if parts else None
        return ""

    def draw_provisions(self) -> None:
        for sub in self.subgraphs.values():
            for type_name in list(sub.types):
                declared = sub.types[type_name]
                if declared.kind != "type" or type_name in self.values or type_name.startswith("Split"):
                    continue
                for name, each in list(declared.fields.items()):
                    target = each.type.strip("[]!")
                    if target not in self.entities or each.directives or not self.chance(0.35):
                        continue
                    known = self.entities[type_name].attributes.get(name) if type_name in self.entities else None
                    if self.is_key_field(type_name, name) or (known is not None and known.settled):
                        continue
                    entity = self.entities[target]
                    parts = self.foreign_parts(sub, entity, self.random.choice((1, 1, 2)), plain=True)
                    if parts:
                        each.directives.append(f'@provides(fields: "{" ".join(parts)}")')

    def is_key_field(self, type_name: str, name: str) -> bool:
        entity = self.entities.get(type_name)
        return entity is not None and any(name in key.fields for key in entity.keys)

    # --- roots --------------------------------------------------------------------------------------------------------------

    def root(self, sub: Subgraph) -> TypeText:
        return sub.types.setdefault(sub.query, TypeText("type"))

    def draw_roots(self) -> None:
        for entity in self.entities.values():
            least = self.random.choice(entity.homes)
            for home in entity.homes:
                if home == least or self.chance(0.5):
                    kind = self.random.choice(("one", "many", "many"))
                    of = self.wrapped(entity.name, 0 if kind == "one" else 1)
                    arguments = "(k: ID!)" if kind == "one" and self.chance(0.5) else self.arguments(0.15)[0]
                    self.root(self.subgraphs[home]).fields[f"{entity.name.lower()}_{kind}_{home}"] = FieldText(
                        of, arguments
                    )
            if len(entity.homes) > 1 and self.chance(0.3):
                of = self.wrapped(entity.name, 0.5)
                for home in self.some(entity.homes, 2):
                    self.root(self.subgraphs[home]).fields[f"shared_{entity.name.lower()}"] = FieldText(
                        of, "", ["@shareable"]
                    )
        for sub in self.subgraphs.values():
            for name in self.abstract_here(sub):
                if self.chance(0.8):
                    self.root(sub).fields[f"any_{name.lower()}_{sub.name}"] = FieldText(self.wrapped(name, 0.6))
            if self.chance(0.5):
                of = self.leaf()
                self.root(sub).fields[f"ping_{sub.name}"] = FieldText(self.wrapped(of), self.arguments(0.7)[0])
            if self.flavour["re-entry"] and self.chance(0.3):
                self.root(sub).fields[f"again_{sub.name}"] = FieldText(sub.query + self.random.choice(("", "!")))
        self.draw_shared_roots()
        if not any(sub.query in sub.types and sub.types[sub.query].fields for sub in self.subgraphs.values()):
            self.root(next(iter(self.subgraphs.values()))).fields["ping"] = FieldText("Int")

    def draw_shared_roots(self) -> None:
        """A root field of several subgraphs, whose value type each has a part of."""
        if len(self.subgraphs) < 2 or not self.chance(0.3):
            return
        holders = self.some(self.subgraphs, 2)
        of = self.wrapped("Page", 0.3)
        parts = {f"p{index}": self.some(holders) for index in range(3)}
        types = {each: self.wrapped(self.random.choice((self.leaf(), *self.values)), 0.2) for each in parts}
        for holder in holders:
            sub = self.subgraphs[holder]
            sub.types["Page"] = TypeText("type", directives=["@shareable"])
            sub.types["Page"].fields["p"] = FieldText("Int")
            for each, those in parts.items():
                if holder in those:
                    self.mention(sub, types[each].strip("[]!"))
                    sub.types["Page"].fields[each] = FieldText(types[each])
            self.root(sub).fields["page"] = FieldText(of, "", ["@shareable"])

    def draw_mutations(self) -> None:
        for sub in self.subgraphs.values():
            if not self.chance(0.6):
                continue
            root = sub.types.setdefault(sub.mutation, TypeText("type"))
            root.fields[f"bump_{sub.name}"] = FieldText(
                "Int!", self.random.choice(("", "(by: Int! = 1)", "(by: Int!)"))
            )
            for entity in self.entities.values():
                if entity.name in sub.types and sub.name in entity.homes and self.chance(0.6):
                    of = self.wrapped(entity.name, 0.15)
                    root.fields[f"touch_{entity.name.lower()}_{sub.name}"] = FieldText(
                        of, self.random.choice(("", "(k: ID!)", "(k: ID)"))
                    )
            if self.flavour["re-entry"] and self.chance(0.4):
                root.fields[f"done_{sub.name}"] = FieldText(sub.query)
                self.root(sub)

    def draw_inaccessible(self) -> None:
        for entity in self.entities.values():
            for attribute in entity.attributes.values():
                hidden = not attribute.name.startswith(("i", "title")) and self.chance(0.12)
                for sub in self.subgraphs.values() if hidden else ():
                    declared = sub.types.get(entity.name)
                    known = declared.fields.get(attribute.name) if declared is not None else None
                    if declared is not None and known is not None and "@external" not in known.directives:
                        declared.fields[attribute.name].directives.append("@inaccessible")
            if not self.interfaces and not entity.name.startswith("M") and self.chance(0.15):
                name = self.random.choice(list(entity.keys[0].fields))
                for sub in self.subgraphs.values():
                    declared = sub.types.get(entity.name)
                    if declared is not None and name in declared.fields:
                        declared.fields[name].directives.append("@inaccessible")

    # --- text -----------------------------------------------------------------------------------------------------------------

    def printed(self, sub: Subgraph) -> str:
        blocks = [LINK]
        roots = [
            f"{kind}: {name}"
            for kind, name in (("query", sub.query), ("mutation", sub.mutation))
            if name in sub.types and sub.types[name].fields
        ]
        for name in (sub.query, sub.mutation):
            if name in sub.types and not sub.types[name].fields:
                sub.types[name].fields[f"nothing_{sub.name}"] = FieldText("Int")
                roots = [f"query: {name}", *roots] if name == sub.query else [*roots, f"mutation: {name}"]
        if (sub.query, sub.mutation) != ("Query", "Mutation") and roots:
            blocks.append(f"schema {{ {' '.join(roots)} }}")
        for name, each in sub.types.items():
            blocks.append(self.block(sub, name, each))
        text = "\n\n".join(blocks)
        extra = []
        if "In0" in text:
            extra.append("input In0 { a: Int b: [String!] c: Color = GREEN }")
        if "Color" in text or extra:
            extra.append("enum Color { RED GREEN BLUE }")
        if "JSON0" in text:
            extra.append("scalar JSON0")
        return "\n\n".join((text, *extra)) + "\n"

    def block(self, sub: Subgraph, name: str, of: TypeText) -> str:
        directives = "".join(f" {each}" for each in of.directives)
        if of.kind == "union":
            return f"union {name}{directives} = {' | '.join(of.members)}"
        interfaces = f" implements {' & '.join(dict.fromkeys(of.interfaces))}" if of.interfaces else ""
        entity = self.entities.get(name)
        extend = "extend " if entity is not None and self.flavour["extend"] and entity.homes[0] != sub.name else ""
        lines = [
            f"  {field_name}{each.arguments}: {each.type}{''.join(f' {use}' for use in dict.fromkeys(each.directives))}"
            for field_name, each in of.fields.items()
        ]
        return f"{extend}{of.kind} {name}{interfaces}{directives} {{\n" + "\n".join(lines) + "\n}"
