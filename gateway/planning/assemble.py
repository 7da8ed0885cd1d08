"""Fetch graph → query plan: prints each request's document and says how its representations are built.

What belongs here: fragments or bare interface fields, ``@skip``/``@include`` in documents, aliases for fields whose types
conflict inside one document, variables. What does not: any choice of subgraph.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from gateway.operation import Operation
from gateway.plan import (
    EACH,
    Block,
    Condition,
    ContextSource,
    ContextVariable,
    EntityInput,
    Fetch,
    OperationKind,
    Path,
    QueryPlan,
    Rename,
    Representation,
    RequiredField,
)
from gateway.planning.fetch_graph import Group, Holder, Place, Selected, SelectionTree
from gateway.planning.guards import under
from gateway.planning.needs import TYPENAME
from gateway.planning.passes import Bundle
from gateway.query_graph import QueryGraph
from gateway.selection import FieldSet

NOTHING = "nothing__: __typename"
"""Asked where a selection would be empty but the subgraph's word for the type must not reach the merged tree."""


def assemble(graph: QueryGraph, operation: Operation, bundles: list[Bundle], *, truncated: bool) -> QueryPlan:
    """The plan for these bundles; ids follow their order."""
    subscription = operation.kind is OperationKind.SUBSCRIPTION
    ids = {id(bundle): number for number, bundle in enumerate(bundles)}
    fetches: list[Fetch] = []
    alike: dict[tuple[object, ...], list[tuple[int, int]]] = {}
    for bundle in bundles:
        number = ids[id(bundle)]
        after = sorted(ids[id(each)] for each in bundle.after if not (subscription and ids[id(each)] == 0))
        redundant = {earlier for other in after for earlier in _ancestors(fetches, other)}
        depends_on = tuple(each for each in after if each not in redundant)
        request = _Request(graph, operation, bundle)
        fetches.append(request.fetch(number, depends_on))
        for index, each in enumerate(request.selections):
            if each.leaves and operation.kind is OperationKind.QUERY:
                sent = tuple((of.typename, tuple(field.name for field in of.fields)) for of in each.representations)
                alike.setdefault((bundle.subgraph, each.body, sent), []).append((number, index))
    for recurs, places in enumerate(each for each in alike.values() if len(each) > 1):
        for number, index in places:
            entities = list(fetches[number].entities)
            entities[index] = replace(entities[index], recurs=recurs)
            fetches[number] = replace(fetches[number], entities=tuple(entities))
    used = {fetch.block for fetch in fetches}
    return QueryPlan(
        kind=operation.kind,
        fetches=tuple(fetches[1:] if subscription else fetches),
        subscription=fetches[0] if subscription else None,
        blocks=tuple(
            Block(id=each.id, parent=each.parent, label=each.label, variable=each.variable)
            for each in operation.deferrals
            if each.id in used
        ),
        truncated=truncated,
    )


def _ancestors(fetches: list[Fetch], number: int) -> set[int]:
    found: set[int] = set()
    queue = list(fetches[number].depends_on)
    while queue:
        each = queue.pop()
        if each not in found:
            found.add(each)
            queue += fetches[each].depends_on
    return found


@dataclass(slots=True, kw_only=True)
class _Asked:
    """One ``_entities`` selection of a request."""

    paths: list[Path]
    representations: tuple[Representation, ...]
    body: str
    leaves: bool


class _Request:
    """One fetch being written."""

    def __init__(self, graph: QueryGraph, operation: Operation, bundle: Bundle) -> None:
        self.graph = graph
        self.operation = operation
        self.bundle = bundle
        self.subgraph = bundle.subgraph
        self.variables: set[str] = set()
        self.aliases: dict[tuple[int, str, str], str] = {}
        """(selection tree, type, key) → the alias that avoids a conflict."""
        self.renames: list[Rename] = []
        self.holding: frozenset[Condition] = frozenset()
        self.selections: list[_Asked] = []
        """Of entities; as ``fetch`` wrote them."""

    def fetch(self, number: int, depends_on: tuple[int, ...]) -> Fetch:
        first = self.bundle.groups[0]
        # What the guard already says need not be said again in the document.
        self.holding = frozenset(self.bundle.guard[0] if len(self.bundle.guard) == 1 else ())
        kind = self.operation.kind if not first.entity and first.place.parent is None else OperationKind.QUERY
        entities: list[EntityInput] = []
        if first.entity:
            self.selections = self.asked()
            parts = []
            for index, each in enumerate(self.selections):
                several = f"_{index + 1}" if len(self.selections) > 1 else ""
                entity = EntityInput(
                    path=each.paths[0],
                    also=tuple(each.paths[1:]),
                    representations=each.representations,
                    variable=f"representations{several}",
                    alias=f"_entities{several}",
                )
                entities.append(entity)
                alias = f"{entity.alias}: " if several else ""
                parts.append(f"{alias}_entities(representations: ${entity.variable}) {{ {each.body} }}")
            body = " ".join(parts)
        else:
            static = first.place.static
            self.find_conflicts([(first.tree, (static,))], ())
            body = " ".join(self.body(first.tree, static, self.holding)) or NOTHING
        declared = [f"${entity.variable}: [_Any!]!" for entity in entities]
        used = [variable for variable in self.operation.variables if variable.name in self.variables]
        for variable in used:
            default = f" = {variable.default}" if variable.default is not None else ""
            declared.append(f"${variable.name}: {variable.type}{default}")
        declared += [f"${name}: {context.type}" for name, (context, _) in first.contexts.items()]
        head = kind.value + (f"({', '.join(declared)})" if declared else "")
        return Fetch(
            id=number,
            subgraph=self.subgraph,
            kind=kind,
            document=f"{head} {{ {body} }}" if declared or kind is not OperationKind.QUERY else f"{{ {body} }}",
            variables=tuple(variable.name for variable in used),
            path=() if first.entity else first.place.path(),
            entities=tuple(entities),
            contexts=tuple(
                ContextVariable(name=name, nullable=not context.type.endswith("!"), sources=self.sources(holders))
                for name, (context, holders) in first.contexts.items()
            ),
            depends_on=depends_on,
            guard=self.bundle.guard,
            renames=tuple(dict.fromkeys(self.renames)),
            block=self.bundle.block,
            reason="; ".join(dict.fromkeys(reason for group in self.bundle.groups for reason in group.reasons)),
        )

    def asked(self) -> list[_Asked]:
        """The ``_entities`` selections to be; places where leaves alone are asked of equal representations share one.

        Their objects then get the same values, each its own. What lies below a field would be one object for all.
        """
        found: list[_Asked] = []
        for groups in self.by_path():
            renamed = len(self.renames)
            self.find_conflicts([(group.tree, tuple(group.tree.fields)) for group in groups], ())
            body = " ".join(dict.fromkeys(part for group in groups for part in self.entity_body(group))) or TYPENAME
            representations = self.representations(groups)
            leaves = (
                len(self.renames) == renamed
                and not self.operation.incremental
                and not any(group.contexts for group in groups)
                and all(
                    selected.below is None
                    for group in groups
                    for fields in group.tree.fields.values()
                    for selected in fields.values()
                )
            )
            path = groups[0].place.path()
            for each in found if leaves else ():
                if each.leaves and each.body == body and each.representations == representations:
                    each.paths.append(path)
                    break
            else:
                found.append(_Asked(paths=[path], representations=representations, body=body, leaves=leaves))
        return found

    def by_path(self) -> list[list[Group]]:
        """The bundle's groups, those with one path and equal inputs together."""
        merged: list[list[Group]] = []
        for group in self.bundle.groups:
            for groups in merged:
                if groups[0].place.path() == group.place.path() and self.compatible(groups, group):
                    groups.append(group)
                    break
            else:
                merged.append([group])
        return merged

    def compatible(self, groups: list[Group], group: Group) -> bool:
        for other in groups:
            required = any(len(given.fields) > 1 for each in (other, group) for given in each.inputs.values())
            names = [{given.typename for given in each.inputs.values()} for each in (other, group)]
            stand_ins = [name for name in names[0] & names[1] if self.graph.is_stand_in(self.subgraph, name)]
            same = set(other.inputs) == set(group.inputs) or len(asked_as(other) | asked_as(group)) == 1
            if required and stand_ins and not same:
                return False  # what one asks of the stand-in, the other's objects would be asked, too
            for each, mine in group.inputs.items():
                theirs = other.inputs.get(each)
                if theirs is not None and (theirs.typename, theirs.fields) != (mine.typename, mine.fields):
                    return False
        return True

    def representations(self, groups: list[Group]) -> tuple[Representation, ...]:
        """Those for objects of known types first: one for any type would match them all."""
        found: dict[tuple[bool, str, tuple[RequiredField, ...]], list[str]] = {}
        for group in groups:
            for each, given in group.inputs.items():
                fields: tuple[RequiredField, ...] = ()
                for of, field_set in given.fields:
                    fields = _joined(fields, self.required(of, field_set))
                members = found.setdefault((given.any_type, given.typename, fields), [])
                if each not in members:
                    members.append(each)
        return tuple(
            Representation(typename=typename, runtime_types=() if any_type else tuple(members), fields=fields)
            for (any_type, typename, fields), members in sorted(found.items(), key=lambda item: item[0][0])
        )

    def sources(self, holders: Iterable[Holder]) -> tuple[ContextSource, ...]:
        found: dict[tuple[int, tuple[RequiredField, ...]], list[str]] = {}
        places: dict[int, Place] = {}
        for holder in holders:
            length = len(holder.place.path())
            places[length] = holder.place
            for each in holder.types:
                found.setdefault((length, self.required(each, holder.selection)), []).append(each)
        return tuple(
            ContextSource(
                path_length=length,
                runtime_types=tuple(types) if places[length].static in self.graph.supergraph.abstract else (),
                fields=fields,
            )
            for (length, fields), types in found.items()
        )

    def required(self, object_type: str, fields: FieldSet) -> tuple[RequiredField, ...]:
        found: tuple[RequiredField, ...] = ()
        known = self.graph.supergraph.fields[object_type]
        for item in fields:
            if item.name == TYPENAME or not self.graph.supergraph.matches(object_type, item.on):
                continue
            of = known[item.name]
            below: tuple[RequiredField, ...] = ()
            if item.fields:
                possible = self.graph.supergraph.possible[of.name]
                if of.name in self.graph.supergraph.abstract:
                    below = (RequiredField(name=TYPENAME, key=TYPENAME, nullable=False),)
                for inner in item.fields:
                    applies = tuple(each for each in possible if self.graph.supergraph.matches(each, inner.on))
                    for each in applies[:1]:
                        only = () if len(applies) == len(possible) else applies
                        for one in self.required(each, (inner,)):
                            below = _joined(below, (_narrowed(one, only),))
            found = _joined(
                found,
                (
                    RequiredField(
                        name=item.name,
                        key=self.operation.keys.required_key(item.name, item.arguments, item.fields),
                        nullable=of.nullable,
                        fields=below,
                    ),
                ),
            )
        return found

    def entity_body(self, group: Group) -> list[str]:
        parts: list[str] = []
        generic = {given.typename for given in group.inputs.values() if given.generic}
        names = dict.fromkeys(group.tree.fields)
        if group.tree.typename:
            parts.append(TYPENAME)
        for name in generic:
            # The subgraph finds the type, so the client's type conditions are inside the interface.
            inner = " ".join(self.body(group.tree, name, self.holding))
            parts.append(f"... on {name} {{ {inner or TYPENAME} }}")
            for each in self.graph.objects[self.subgraph].get(name, ()):
                names.pop(each, None)
        for name in names:
            inner = " ".join(self.fields(group.tree, name, self.holding, group.tree.fields[name].values()))
            parts.append(f"... on {name} {{ {inner or self.placeholder(name)} }}")
        return parts

    def placeholder(self, type_name: str) -> str:
        """What to ask of an object of which nothing is wanted but that it is there."""
        hidden = type_name in self.graph.roots or self.graph.is_stand_in(self.subgraph, type_name)
        return NOTHING if hidden else TYPENAME

    def body(self, tree: SelectionTree, static: str, holding: frozenset[Condition]) -> list[str]:
        """The selections of a tree under a type as the subgraph names it."""
        types = self.graph.objects[self.subgraph].get(static, ())
        if self.graph.is_stand_in(self.subgraph, static) or types == (static,):
            known = tree.fields.get(static, {})
            plain = self.fields(tree, static, holding, known.values())
            wanted = tree.typename and not self.graph.is_stand_in(self.subgraph, static)
            if static in self.graph.roots:
                wanted = False
            return [TYPENAME, *plain] if wanted else plain
        parts = [TYPENAME]
        shared = self.shared(tree, static, types)
        parts += self.fields(tree, static, holding, shared)
        for each in types:
            own = [field for field in tree.fields.get(each, {}).values() if field not in shared]
            if own:
                parts.append(f"... on {each} {{ {' '.join(self.fields(tree, each, holding, own))} }}")
        return parts

    def shared(self, tree: SelectionTree, static: str, types: tuple[str, ...]) -> list[Selected]:
        """Fields that all object types share, and the interface itself has: printed without fragments."""
        declared = self.graph.fields[self.subgraph].get(static, {})
        first = tree.fields.get(types[0], {}) if types else {}
        return [
            field
            for key, field in first.items()
            if field.name in declared
            and not declared[field.name].external
            and all(tree.fields.get(each, {}).get(key) is field for each in types)
            and not any((id(tree), each, key) in self.aliases for each in types)
        ]

    def fields(
        self, tree: SelectionTree, known_as: str, holding: frozenset[Condition], fields: Iterable[Selected]
    ) -> list[str]:
        parts: list[str] = []
        for selected in fields:
            guard = under(selected.guard, holding)
            if guard is None:
                continue
            for conjunction in guard or ((),):
                parts.append(self.conditional(tree, known_as, selected, holding, conjunction))
        return parts

    def conditional(
        self,
        tree: SelectionTree,
        known_as: str,
        selected: Selected,
        holding: frozenset[Condition],
        conjunction: tuple[Condition, ...],
    ) -> str:
        alias = self.aliases.get((id(tree), known_as, selected.key), selected.key)
        text = f"{alias}: {selected.name}" if alias != selected.name else selected.name
        if selected.arguments or selected.contexts:
            arguments = [selected.arguments] if selected.arguments else []
            arguments += [f"{name}: ${variable}" for name, variable in selected.contexts.items()]
            text += f"({', '.join(arguments)})"
            self.variables.update(selected.variables)
        outer: list[str] = []
        if conjunction:
            directives, outer = _directives(conjunction)
            self.variables.update(name for name, _ in conjunction)
            text += directives
            holding = holding.union(conjunction)
        if selected.below is not None:
            target = self.graph.fields[self.subgraph][known_as][selected.name].type.name
            inner = " ".join(self.body(selected.below, target, holding))
            text += f" {{ {inner or self.placeholder(target)} }}"
        for directive in outer:
            text = f"...{directive} {{ {text} }}"
        return text

    def find_conflicts(self, instances: list[tuple[SelectionTree, tuple[str, ...]]], path: Path) -> None:
        """Alias fields that share a key but not a shape among the types that can meet at one response position."""
        by_key: dict[str, list[tuple[SelectionTree, str, Selected]]] = {}
        single = len(instances) == 1 and len(instances[0][1]) == 1
        for tree, types in instances:
            for each in types:
                for key, selected in tree.fields.get(each, {}).items():
                    # Within one type a key is one field: nothing but what is below it can conflict.
                    if selected.below is not None or not single:
                        by_key.setdefault(key, []).append((tree, each, selected))
        for key, uses in by_key.items():
            shapes: dict[str, list[tuple[SelectionTree, str, Selected]]] = {}
            for use in uses:
                shapes.setdefault(self.shape(use[1], use[2]), []).append(use)
            for index, same in enumerate(shapes.values()):
                if index:
                    alias = f"{key}__of_{same[0][1]}"
                    for tree, each, _ in same:
                        self.aliases[id(tree), each, key] = alias
                    only = tuple(sorted({each for _, each, _ in same}))
                    self.renames.append(Rename(path=path, source=alias, target=key, only_types=only))
                below: dict[int, tuple[SelectionTree, dict[str, None]]] = {}
                depth = 0
                for _, each, selected in same:
                    if selected.below is None:
                        continue
                    move = self.graph.fields[self.subgraph][each][selected.name]
                    depth = move.type.list_depth
                    stand_in = self.graph.is_stand_in(self.subgraph, move.type.name)
                    types = (move.type.name,) if stand_in else self.graph.objects[self.subgraph][move.type.name]
                    below.setdefault(id(selected.below), (selected.below, {}))[1].update(dict.fromkeys(types))
                if below:
                    self.find_conflicts(
                        [(tree, tuple(types)) for tree, types in below.values()], (*path, key, *((EACH,) * depth))
                    )

    def shape(self, known_as: str, selected: Selected) -> str:
        """What must be equal for two fields of one response key: all of a leaf's type, the wrapping of a composite's."""
        of = self.graph.fields[self.subgraph][known_as][selected.name].type
        return of.text if selected.below is None else of.text.replace(of.name, "_")


def _directives(conjunction: tuple[Condition, ...]) -> tuple[str, list[str]]:
    """One ``@include`` and one ``@skip`` on the field itself, the rest on fragments around it."""
    texts = {True: " @include(if: ${})", False: " @skip(if: ${})"}
    own: dict[bool, str] = {}
    outer: list[str] = []
    for name, wanted in conjunction:
        text = texts[wanted].format(name)
        if wanted in own:
            outer.append(text)
        else:
            own[wanted] = text
    return "".join(own.values()), outer


def _joined(first: tuple[RequiredField, ...], second: tuple[RequiredField, ...]) -> tuple[RequiredField, ...]:
    """Both, with the fields of one (key, types) merged."""
    found = {(field.key, field.only_types): field for field in first}
    for field in second:
        known = found.get((field.key, field.only_types))
        if known is None:
            found[field.key, field.only_types] = field
        else:
            found[field.key, field.only_types] = RequiredField(
                name=known.name,
                key=known.key,
                nullable=known.nullable and field.nullable,
                only_types=known.only_types,
                fields=_joined(known.fields, field.fields),
            )
    return tuple(found.values())


def _narrowed(field: RequiredField, only_types: tuple[str, ...]) -> RequiredField:
    return RequiredField(
        name=field.name, key=field.key, nullable=field.nullable, only_types=only_types, fields=field.fields
    )


def asked_as(group: Group) -> set[tuple[str, tuple[FieldSet, ...]]]:
    """The distinct representations of a group, as far as they are equal for all types."""
    return {(given.typename, tuple(fields for _, fields in given.fields)) for given in group.inputs.values()}
