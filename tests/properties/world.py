"""A world: subgraph SDLs, and data that is a function of them. Nothing here knows composition, planning or execution.

Theory of operation
-------------------
The SDLs are all there is to a world. Every object is a *thing*: an entity out of a small pool of its type, or a value
that is named by its parent, the field and the arguments it was reached by. The value of a field is a function of thing,
field name and arguments alone, so whoever is asked, one server or any of the subgraphs, says the same.

What one server has to consider so that several can say the same:

- a list may be null, or an item of it, only where every subgraph that has the field allows it;
- the runtime type at an abstract position is one that every subgraph with that field knows;
- what leads to an object (fields of keys) leads to one object only, and is not null, but for these two of each pool:
- a *hollow* entity is all null but for its keys, or all null with them: the others do not know it;
- a *severed* entity has a null in one of its keys. Whoever is reached by that key alone cannot tell anything about it,
  and never speaks of it first.

Where a field of such an entity may not be null, it is an error.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import blake2b
from typing import Any

from graphql import (
    DirectiveNode,
    DocumentNode,
    EnumTypeDefinitionNode,
    FieldDefinitionNode,
    FieldNode,
    InlineFragmentNode,
    InterfaceTypeDefinitionNode,
    ListTypeNode,
    NonNullTypeNode,
    ObjectTypeDefinitionNode,
    OperationDefinitionNode,
    SelectionSetNode,
    TypeNode,
    UnionTypeDefinitionNode,
    parse,
    print_ast,
)
from graphql.language import (
    EnumTypeExtensionNode,
    InterfaceTypeExtensionNode,
    ObjectTypeExtensionNode,
    SchemaDefinitionNode,
    SchemaExtensionNode,
    UnionTypeExtensionNode,
)

POOL = 5
"""Entities of one type."""
SEVERED = POOL - 2
HOLLOW = POOL - 1
ROOTS = {"query": "Query", "mutation": "Mutation", "subscription": "Subscription"}
CLOCK = "seen"
"""The one field that is no function of its arguments: how many mutations have happened."""


class Broken(Exception):
    """The value of a field that cannot be had."""


class WorldInvalid(Exception):
    """These SDLs compose, but no data fits them all."""


@dataclass(frozen=True, slots=True)
class Thing:
    """An object: its runtime type, and which one."""

    type: str
    id: str

    @property
    def index(self) -> int:
        """The place in the pool of its type; -1 for what is in none."""
        return int(self.id[1:]) if self.id.startswith("#") else -1


@dataclass(frozen=True, slots=True)
class Key:
    """One ``@key``."""

    fields: SelectionSetNode
    resolvable: bool


@dataclass(slots=True)
class FieldRules:
    """A field as one subgraph declares it."""

    node: FieldDefinitionNode
    external: bool = False
    requires: SelectionSetNode | None = None
    provides: SelectionSetNode | None = None
    override: str | None = None
    label: str | None = None

    @property
    def result(self) -> str:
        return named(self.node.type)


@dataclass(slots=True)
class TypeRules:
    """An object type or an interface as one subgraph declares it."""

    name: str
    fields: dict[str, FieldRules] = field(default_factory=dict)
    keys: list[Key] = field(default_factory=list)
    interfaces: set[str] = field(default_factory=set)
    is_interface: bool = False
    is_interface_object: bool = False
    inaccessible: bool = False


class Declared:
    """What one subgraph's SDL declares."""

    def __init__(self, name: str, sdl: str) -> None:
        self.name = name
        self.sdl = sdl
        self.document = parse(sdl, no_location=True)
        self.roots = dict(_roots(self.document))
        self.types: dict[str, TypeRules] = {}
        self.unions: dict[str, set[str]] = {}
        self.enums: dict[str, list[str]] = {}
        self.hidden: set[str] = set()
        """Inaccessible types."""
        for node in self.document.definitions:
            match node:
                case (
                    ObjectTypeDefinitionNode()
                    | ObjectTypeExtensionNode()
                    | InterfaceTypeDefinitionNode()
                    | InterfaceTypeExtensionNode()
                ):
                    self._read(node)
                case UnionTypeDefinitionNode() | UnionTypeExtensionNode():
                    self.unions.setdefault(node.name.value, set()).update(each.name.value for each in node.types or ())
                case EnumTypeDefinitionNode() | EnumTypeExtensionNode():
                    self.enums.setdefault(node.name.value, []).extend(
                        each.name.value for each in node.values or () if not _has(each, "inaccessible")
                    )
            if _has(node, "inaccessible"):
                self.hidden.add(node.name.value)  # type: ignore[attr-defined]

    def _read(
        self,
        node: ObjectTypeDefinitionNode
        | ObjectTypeExtensionNode
        | InterfaceTypeDefinitionNode
        | InterfaceTypeExtensionNode,
    ) -> None:
        name = self.roots.get(node.name.value, node.name.value)
        known = self.types.setdefault(name, TypeRules(name))
        known.is_interface |= isinstance(node, InterfaceTypeDefinitionNode | InterfaceTypeExtensionNode)
        known.is_interface_object |= _has(node, "interfaceObject")
        known.interfaces |= {each.name.value for each in node.interfaces or ()}
        known.keys += [
            Key(field_set(str(given["fields"])), given.get("resolvable", True) is not False)
            for given in _uses(node, "key")
        ]
        everything_external = _has(node, "external")
        for each in node.fields or ():
            rules = FieldRules(each, external=everything_external or _has(each, "external"))
            for given in _uses(each, "requires"):
                rules.requires = field_set(str(given["fields"]))
            for given in _uses(each, "provides"):
                rules.provides = field_set(str(given["fields"]))
            for given in _uses(each, "override"):
                rules.override, label = str(given["from"]), given.get("label")
                rules.label = None if label is None else str(label)
            known.fields[each.name.value] = rules

    @cached_property
    def possible(self) -> dict[str, set[str]]:
        """Abstract type → its object types here."""
        found = {name: set(members) for name, members in self.unions.items()}
        for name, rules in self.types.items():
            if rules.is_interface:
                found[name] = {
                    each.name for each in self.types.values() if name in each.interfaces and not each.is_interface
                }
        return found


class World:
    """The subgraphs together, and the data."""

    def __init__(self, subgraphs: Sequence[tuple[str, str]], variant: str = "") -> None:
        """``variant``: other data over the same subgraphs."""
        self.sources = tuple(subgraphs)
        self._salt = (variant,) if variant else ()
        self.subgraphs = {name: Declared(name, sdl) for name, sdl in subgraphs}
        self._pools: dict[str, list[Thing]] = {}

    # --- what is declared ------------------------------------------------------------------------------------------

    @cached_property
    def objects(self) -> set[str]:
        """All object types, stand-ins for interfaces left out."""
        abstract = {name for each in self.subgraphs.values() for name in each.possible}
        return {
            name
            for each in self.subgraphs.values()
            for name, rules in each.types.items()
            if name not in abstract and not rules.is_interface_object
        }

    @cached_property
    def possible(self) -> dict[str, set[str]]:
        """Abstract type → object types, over all subgraphs."""
        found: dict[str, set[str]] = {}
        for each in self.subgraphs.values():
            for name, members in each.possible.items():
                found.setdefault(name, set()).update(members)
        return found

    @cached_property
    def interfaces(self) -> dict[str, set[str]]:
        """Object type → interfaces, over all subgraphs."""
        found: dict[str, set[str]] = {}
        for each in self.subgraphs.values():
            for name, rules in each.types.items():
                found.setdefault(name, set()).update(rules.interfaces)
        return found

    @cached_property
    def hidden(self) -> set[str]:
        return {name for each in self.subgraphs.values() for name in each.hidden}

    def declared(self, type_name: str, field_name: str) -> list[tuple[Declared, str, FieldRules]]:
        """Who declares the field, on which type (an interface object stands for its implementations), how."""
        found: list[tuple[Declared, str, FieldRules]] = []
        for each in self.subgraphs.values():
            for name in (type_name, *sorted(self.interfaces.get(type_name, ()))):
                rules = each.types.get(name)
                if (
                    rules is not None
                    and field_name in rules.fields
                    and (name == type_name or rules.is_interface_object)
                ):
                    found.append((each, name, rules.fields[field_name]))
        return found

    def resolvers(self, type_name: str, field_name: str) -> set[str]:
        """Names of the subgraphs that answer the field by themselves."""
        declared = self.declared(type_name, field_name)
        overridden = {rules.override for _, _, rules in declared if rules.override and not rules.label}
        return {
            each.name
            for each, name, rules in declared
            if each.name not in overridden
            and (not rules.external or field_name in top_fields(key.fields for key in each.types[name].keys))
        }

    @cached_property
    def arguments(self) -> dict[tuple[str, str], set[str]]:
        """(type, field) → the arguments every subgraph has."""
        found: dict[tuple[str, str], set[str]] = {}
        for each in self.subgraphs.values():
            for name, rules in each.types.items():
                for field_name, declared in rules.fields.items():
                    mine = {argument.name.value for argument in declared.node.arguments or ()}
                    for real in self.possible.get(name, ()) if rules.is_interface_object else (name,):
                        found[real, field_name] = found.get((real, field_name), mine) & mine
        return found

    @cached_property
    def entities(self) -> set[str]:
        """Object types with a key anywhere, also that of an interface object."""
        found = set()
        for each in self.subgraphs.values():
            for name, rules in each.types.items():
                if rules.keys:
                    found |= (
                        self.possible.get(name, set()) if rules.is_interface or rules.is_interface_object else {name}
                    )
        return found

    @cached_property
    def key_fields(self) -> set[tuple[str, str]]:
        """(object type, field) of all fields that occur in keys, at any depth."""
        found: set[tuple[str, str]] = set()
        for each in self.subgraphs.values():
            for name, rules in each.types.items():
                for real in self.possible.get(name, ()) if name in self.possible else (name,):
                    for key in rules.keys:
                        found |= self._fields_in(key.fields, real)
        return found

    @cached_property
    def needed_fields(self) -> set[tuple[str, str]]:
        """(object type, field) of all fields that occur in requirements or are provided, at any depth."""
        found: set[tuple[str, str]] = set()
        for each in self.subgraphs.values():
            for name, rules in each.types.items():
                for real in self.possible.get(name, ()) if name in self.possible else (name,):
                    for declared in rules.fields.values():
                        if declared.requires is not None:
                            found |= self._fields_in(declared.requires, real)
                        if declared.provides is not None:
                            for target in self.possible.get(declared.result, {declared.result}):
                                found |= self._fields_in(declared.provides, target)
        return found

    def _fields_in(self, fields: SelectionSetNode, type_name: str) -> set[tuple[str, str]]:
        found: set[tuple[str, str]] = set()
        for on, node in flat(fields):
            if on is not None and on != type_name and type_name not in self.possible.get(on, ()):
                continue
            found.add((type_name, node.name.value))
            if node.selection_set is not None:
                for result in self.results(type_name, node.name.value):
                    found |= self._fields_in(node.selection_set, result)
        return found

    def results(self, type_name: str, field_name: str) -> set[str]:
        """The object types a field may lead to: those that all who declare it know."""
        common: set[str] | None = None
        for each, _, rules in self.declared(type_name, field_name):
            stands_in = each.types.get(rules.result)
            if stands_in is not None and stands_in.is_interface_object:
                mine = self.possible.get(rules.result, set())
            else:
                mine = each.possible.get(rules.result, {rules.result})
            mine = {each.roots.get(name, name) for name in mine}
            common = mine if common is None else common & mine
        return (common or set()) - self.hidden

    def nullable(self, type_name: str, field_name: str, depth: int) -> list[bool]:
        """Whether null is allowed at a depth of lists, by each who declares the field."""
        found = []
        for _, _, rules in self.declared(type_name, field_name):
            of = rules.node.type
            for _ in range(depth):
                of = of.type if isinstance(of, NonNullTypeNode) else of
                assert isinstance(of, ListTypeNode)
                of = of.type
            found.append(not isinstance(of, NonNullTypeNode))
        return found

    # --- the odd ones of a pool ----------------------------------------------------------------------------------------

    @cached_property
    def hollow(self) -> dict[str, bool]:
        """Entity types with a hollow one → whether its keys are null, too."""
        found: dict[str, bool] = {}
        for name in sorted(self.entities - self._in_keys):
            own_keys = {field_name for of, field_name in self.key_fields if of == name}
            plain = [field_name for field_name in self.fields_of(name) if field_name not in own_keys]
            if not all(self._may_be_missing(name, each) for each in plain):
                continue
            if all(all(self.nullable(name, each, 0)) for each in own_keys):
                found[name] = True
            elif not any(any(self.nullable(name, each, 0)) for each in own_keys):
                found[name] = False
        return found

    def _may_be_missing(self, type_name: str, field_name: str) -> bool:
        """Null for all, or an error for all, and then nobody requires it."""
        nullable = self.nullable(type_name, field_name, 0)
        return all(nullable) or (
            # Whoever has an interface object answers for objects whose type it does not know, also such as are not meant.
            all(name == type_name for _, name, _ in self.declared(type_name, field_name))
            and not any(nullable)
            and not self._strictness_differs
            and (type_name, field_name) not in self.needed_fields
        )

    @cached_property
    def severed(self) -> dict[str, tuple[str, set[str]]]:
        """Entity type → the key field that is null in its severed one, and the subgraphs that still reach each other."""
        found: dict[str, tuple[str, set[str]]] = {}
        for name in sorted(self.entities - self._in_keys - self._interface_entities):
            for key_field in sorted({each for of, each in self.key_fields if of == name}):
                if not all(self.nullable(name, key_field, 0)) or (name, key_field) in self.needed_fields:
                    continue
                near = self._connected_without(name, key_field)
                outside = [each for each in self.fields_of(name) if not self._resolved_in(name, each, near)]
                if near and all(self._may_be_missing(name, each) for each in outside if each != key_field):
                    found[name] = (key_field, near)
                    break
        return found

    @cached_property
    def _interface_entities(self) -> set[str]:
        return {
            member
            for each in self.subgraphs.values()
            for name, rules in each.types.items()
            if rules.keys and (rules.is_interface or rules.is_interface_object)
            for member in self.possible.get(name, ())
        }

    @cached_property
    def _in_keys(self) -> set[str]:
        """Entity types that occur in keys of others: each of these leads to one of those, so none may be odd."""
        return {
            result
            for type_name, field_name in self.key_fields
            for result in self.results(type_name, field_name)
            if result in self.entities
        }

    @cached_property
    def _strictness_differs(self) -> bool:
        """Whether some object may be null for one subgraph and not for another: who is stricter loses more to an error."""
        for name in self.objects:
            for field_name in self.fields_of(name):
                result = self.declared(name, field_name)[0][2].node.type
                for depth in range(_list_depth(result) + 1):
                    nullable = self.nullable(name, field_name, depth)
                    if any(nullable) and not all(nullable) and self.results(name, field_name) & self.objects:
                        return True
        return False

    def _resolved_in(self, type_name: str, field_name: str, near: set[str]) -> bool:
        """Whether one of these surely resolves the field. Where an override has a label, all that may must be among them."""
        resolvers = self.resolvers(type_name, field_name)
        labelled = any(rules.label for _, _, rules in self.declared(type_name, field_name))
        return resolvers <= near if labelled else bool(resolvers & near)

    def _connected_without(self, type_name: str, key_field: str) -> set[str]:
        """The largest set of subgraphs that share a key which is never null, and has nothing to do with this field."""
        sharing: dict[str, set[str]] = {}
        for each in self.subgraphs.values():
            rules = each.types.get(type_name)
            for key in rules.keys if rules is not None else ():
                fields = top_fields([key.fields])
                never_null = not any(any(self.nullable(type_name, name, 0)) for name in fields)
                if key.resolvable and key_field not in fields and never_null:
                    sharing.setdefault(print_ast(key.fields), set()).add(each.name)
        return max((sharing[key] for key in sorted(sharing)), key=len, default=set())

    def fields_of(self, type_name: str) -> list[str]:
        """All fields of an object type, those of its interface objects, too."""
        return sorted(
            {
                field_name
                for each in self.subgraphs.values()
                for name in (type_name, *self.interfaces.get(type_name, ()))
                if (rules := each.types.get(name)) is not None and (name == type_name or rules.is_interface_object)
                for field_name in rules.fields
            }
        )

    # --- the data --------------------------------------------------------------------------------------------------------

    def root(self, kind: str) -> Thing:
        return Thing(ROOTS[kind], "")

    def pool(self, type_name: str) -> list[Thing]:
        """All entities of a type."""
        if type_name not in self._pools:
            self._pools[type_name] = [
                Thing(type_name, f"#{index}")
                for index in range(POOL)
                if type_name in self._in_keys
                or ((index != HOLLOW or type_name in self.hollow) and (index != SEVERED or type_name in self.severed))
            ]
        return self._pools[type_name]

    def value(self, thing: Thing, field_name: str, arguments: Mapping[str, Any], clock: int = 0) -> Any:
        """A leaf, a thing, None, or lists of these. Raises Broken."""
        is_key = (thing.type, field_name) in self.key_fields
        if self._is_missing(thing, field_name, is_key):
            if all(self.nullable(thing.type, field_name, 0)):
                return None
            raise Broken(f"{thing.type}.{field_name} of nobody")
        if field_name == CLOCK:
            return clock
        known = self.arguments.get((thing.type, field_name), set())
        given = json.dumps({name: arguments[name] for name in sorted(known & set(arguments))}, sort_keys=True)
        declared = self.declared(thing.type, field_name)
        return self._complete(thing, field_name, given, declared[0][2].node.type, (), is_key)

    def _is_missing(self, thing: Thing, field_name: str, is_key: bool) -> bool:
        if thing.index == HOLLOW and thing.type in self.hollow:
            return self.hollow[thing.type] or not is_key
        if thing.index == SEVERED and thing.type in self.severed:
            key_field, near = self.severed[thing.type]
            return field_name == key_field or not self.resolvers(thing.type, field_name) & near
        return False

    def _complete(
        self, thing: Thing, name: str, arguments: str, of: TypeNode, at: tuple[int, ...], is_key: bool
    ) -> Any:
        seed = number(*self._salt, thing.type, thing.id, name, arguments, at)
        may_be_null = not is_key and all(self.nullable(thing.type, name, len(at)))
        if may_be_null and seed % 6 == 0:
            stood_in = any(known_as != thing.type for _, known_as, _ in self.declared(thing.type, name))
            if seed % 5 == 0 and not stood_in and (thing.type, name) not in self.needed_fields:
                raise Broken(f"{thing.type}.{name} is out of order")
            return None
        of = of.type if isinstance(of, NonNullTypeNode) else of
        if isinstance(of, ListTypeNode):
            length = 2 if is_key else (seed // 7) % 4
            return [
                self._item(thing, name, arguments, of.type, (*at, index), is_key)
                for index in range(length)
                if is_key or self._has_value(thing.type, name)
            ]
        return self._single(thing, name, arguments, seed, is_key, may_be_null)

    def _item(self, thing: Thing, name: str, arguments: str, of: TypeNode, at: tuple[int, ...], is_key: bool) -> Any:
        try:
            return self._complete(thing, name, arguments, of, at, is_key)
        except Broken as broken:
            # graphql-core takes an exception in a list for that item's own.
            return broken

    def _has_value(self, type_name: str, name: str) -> bool:
        results = {rules.result for _, _, rules in self.declared(type_name, name)}
        composite = any(result in self.possible or result in self.objects for result in results)
        return not composite or bool(self.results(type_name, name))

    def _single(self, thing: Thing, name: str, arguments: str, seed: int, is_key: bool, may_be_null: bool) -> Any:
        declared = self.declared(thing.type, name)
        result = declared[0][2].result
        first = declared[0][0]
        if result in ("ID", "String"):
            return f"{thing.type}{thing.id}.{name}" if is_key else f"{name}-{seed:x}"[:20]
        if result == "Int":
            # Entities of one type differ, entities of several types mostly.
            return (
                number(thing.type, name) % 100_000 * 10 + thing.index if is_key and thing.index >= 0 else seed % 2**31
            )
        if result == "Float":
            return seed % 1000 + 0.5
        if result == "Boolean":
            return bool(seed & 1)
        values = [each.enums[result] for each in self.subgraphs.values() if result in each.enums]
        if values:
            mine = [each.enums.get(rules.result, []) for each, _, rules in declared]
            common = [value for value in mine[0] if all(value in others for others in mine)]
            if not common:
                if may_be_null:
                    return None
                raise WorldInvalid(f"no value of {result} that all know for {thing.type}.{name}")
            return common[seed % len(common)]
        if first.roots.get(result) in ROOTS.values():
            return Thing(first.roots[result], "")
        if (
            result not in self.objects
            and result not in self.possible
            and not any(result in each.types for each in self.subgraphs.values())
        ):
            return {"opaque": f"{seed:x}"[:4]}
        results = sorted(self.results(thing.type, name))
        if not results:
            if may_be_null:
                return None
            raise WorldInvalid(f"no runtime type that all know for {thing.type}.{name}")
        type_name = results[seed // 11 % len(results)]
        if type_name not in self.entities:
            return Thing(type_name, f"{thing.type}{thing.id}.{name}" if is_key else f"{seed:x}")
        if is_key and thing.index >= 0:
            return Thing(type_name, f"#{thing.index}")
        choice = self.pool(type_name)[seed // 13 % len(self.pool(type_name))]
        if (
            choice.index == SEVERED
            and type_name in self.severed
            # Also who only provides the field speaks of it.
            and not {each.name for each, _, _ in declared} <= self.severed[type_name][1]
        ):
            choice = self.pool(type_name)[0]
        return choice


def number(*parts: object) -> int:
    return int.from_bytes(blake2b("|".join(map(str, parts)).encode(), digest_size=6).digest(), "big")


def named(of: TypeNode) -> str:
    while isinstance(of, ListTypeNode | NonNullTypeNode):
        of = of.type
    return of.name.value  # type: ignore[attr-defined,no-any-return]


def _list_depth(of: TypeNode) -> int:
    of = of.type if isinstance(of, NonNullTypeNode) else of
    return 1 + _list_depth(of.type) if isinstance(of, ListTypeNode) else 0


def field_set(text: str) -> SelectionSetNode:
    definition = parse(f"{{ {text} }}", no_location=True).definitions[0]
    assert isinstance(definition, OperationDefinitionNode)
    return definition.selection_set


def flat(fields: SelectionSetNode, on: str | None = None) -> Iterator[tuple[str | None, FieldNode]]:
    """The fields of a set with the type condition each is under."""
    for each in fields.selections:
        if isinstance(each, FieldNode):
            yield on, each
        elif isinstance(each, InlineFragmentNode):
            yield from flat(each.selection_set, each.type_condition.name.value if each.type_condition else on)


def top_fields(sets: Iterable[SelectionSetNode]) -> set[str]:
    return {node.name.value for each in sets for _, node in flat(each)}


def _uses(node: Any, directive: str) -> Iterator[dict[str, Any]]:
    """The arguments of each use, written plainly or with the specification's name before it."""
    use: DirectiveNode
    for use in getattr(node, "directives", None) or ():
        if use.name.value.removeprefix("federation__") == directive:
            yield {each.name.value: each.value.value for each in use.arguments or ()}  # type: ignore[attr-defined]


def _has(node: Any, directive: str) -> bool:
    return any(True for _ in _uses(node, directive))


def _roots(document: DocumentNode) -> Iterator[tuple[str, str]]:
    """Own name of a root type → its usual name."""
    renamed = queries = False
    for node in document.definitions:
        if isinstance(node, SchemaDefinitionNode | SchemaExtensionNode):
            for each in node.operation_types or ():
                renamed = True
                queries |= each.operation.value == "query"
                yield each.type.name.value, ROOTS[each.operation.value]
    if not renamed:
        yield from ((name, name) for name in ROOTS.values())
    elif not queries:
        yield "Query", "Query"
