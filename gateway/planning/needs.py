"""What is wanted: the operation (or a field set) merged into needs a place at a time. No subgraphs here.

The client's selections are merged the way the answers will be: by canonical key, per runtime type. Object types that
get the same selections stay together in one need, so an interface with forty types is not forty trees.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from gateway.operation import Field, Operation, ResponseKeys, Selection
from gateway.plan import Guard
from gateway.planning.guards import ALWAYS, both, either_of
from gateway.query_graph import QueryGraph, Strictness
from gateway.selection import FieldSet
from gateway.supergraph import Supergraph

Types: TypeAlias = tuple[str, ...]
Needs: TypeAlias = "tuple[tuple[Types, Need], ...]"

TYPENAME: Final = "__typename"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Need:
    """One field wanted of the objects of some types at one place. Compared by identity: that is what memos want."""

    name: str
    key: str
    arguments: str = ""
    variables: tuple[str, ...] = ()
    guard: Guard = ALWAYS
    below: Needs | None = None
    """None for leaves."""
    leaves: int = 1
    """How many leaves are wanted below; an object of which nothing but its presence is wanted counts as one."""

    def only(self, below: Needs) -> Need:
        """The same field for a part of what is below it."""
        guard = either_of(need.guard for _, need in below)
        return replace(self, below=below, leaves=sum(need.leaves for _, need in below), guard=guard)


def of_operation(operation: Operation, supergraph: Supergraph) -> Needs:
    """The operation's needs at the root; what execution answers by itself (introspection) is not in it."""
    return _Merger(supergraph).merge((operation.root_type,), [(operation.selections, ALWAYS)], operation.root_type)


def of_field_set(fields: FieldSet, object_type: str, supergraph: Supergraph, keys: ResponseKeys) -> Needs:
    """A key's or a requirement's needs at a place with objects of this type (or a stand-in of this name)."""
    found: list[tuple[Types, Need]] = []
    known = supergraph.fields[object_type]
    for field in fields:
        if not supergraph.matches(object_type, field.on):
            continue
        if field.name == TYPENAME:
            found.append(((object_type,), Need(name=TYPENAME, key=TYPENAME)))
            continue
        below: Needs | None = None
        leaves = 1
        if field.fields:
            below = tuple(
                pair
                for each in supergraph.possible[known[field.name].name]
                for pair in of_field_set(field.fields, each, supergraph, keys)
            )
            below = _grouped(below)
            if known[field.name].name in supergraph.abstract:
                told = (supergraph.possible[known[field.name].name], Need(name=TYPENAME, key=TYPENAME))
                below = (told, *(pair for pair in below if pair[1].name != TYPENAME))
            leaves = sum(need.leaves for _, need in below) or 1
        key = keys.required_key(field.name, field.arguments, field.fields)
        need = Need(name=field.name, key=key, arguments=field.arguments, below=below, leaves=leaves)
        found.append(((object_type,), need))
    return tuple(found)


def fragile(blocks: Iterable[Needs], graph: QueryGraph) -> dict[tuple[str, str], frozenset[str]]:
    """(field name, printed arguments) of an object → the fields wanted below it that null it in its subgraph when they fail.

    Keys are not among them: an object without its key is none.
    """
    found: dict[tuple[str, str], frozenset[str]] = {}

    def visit(needs: Needs) -> dict[str, frozenset[str]]:
        """Field → the subgraphs in which the object above is null without it."""
        names: dict[str, frozenset[str]] = {}
        for types, need in needs:
            if need.name == TYPENAME:
                continue
            of = _strictness(graph, types, need.name)
            below: dict[str, frozenset[str]] = {}
            if need.below is not None:
                below = {name: where & of.owners for name, where in visit(need.below).items() if where & of.owners}
                if below:
                    known = found.get((need.name, need.arguments), frozenset())
                    found[need.name, need.arguments] = known.union(below)
            if of.strict and need.name not in graph.key_names:
                names[need.name] = names.get(need.name, frozenset()) | of.strict
            for name, where in below.items():
                if where & of.strict_throughout:
                    names[name] = names.get(name, frozenset()) | where & of.strict_throughout
        return names

    for needs in blocks:
        visit(needs)
    return found


def _strictness(graph: QueryGraph, types: Types, name: str) -> Strictness:
    """Of the field on any of these types."""
    first, *others = [graph.strictness[each, name] for each in types]
    if not others:
        return first
    return Strictness(
        owners=first.owners.union(*[each.owners for each in others]),
        strict=first.strict.union(*[each.strict for each in others]),
        strict_throughout=first.strict_throughout.union(*[each.strict_throughout for each in others]),
    )


def _grouped(needs: Needs) -> Needs:
    """Equal leaves of several types as one need of all of them."""
    leaves: dict[str, tuple[list[str], Need]] = {}
    rest: list[tuple[Types, Need]] = []
    for types, need in needs:
        if need.below is None:
            leaves.setdefault(need.key, ([], need))[0].extend(types)
        else:
            rest.append((types, need))
    return (*((tuple(types), need) for types, need in leaves.values()), *rest)


class _Merger:
    """One merge of one operation."""

    def __init__(self, supergraph: Supergraph) -> None:
        self.supergraph = supergraph

    def merge(self, types: Types, parts: list[tuple[tuple[Selection, ...], Guard]], static: str) -> Needs:
        entries: list[tuple[frozenset[str], Field, Guard]] = []
        for selections, guard in parts:
            self.collect(frozenset(types), selections, guard, entries)
        abstract = static in self.supergraph.abstract
        if len(types) == 1 and not abstract:
            # Most places: whatever is selected is of the one type.
            return self.fields(types, [(field, guard) for _, field, guard in entries])
        classes: dict[tuple[tuple[int, ...], tuple[str, ...]], list[str]] = {}
        for each in types:
            chosen = tuple(index for index, entry in enumerate(entries) if each in entry[0])
            known = self.supergraph.fields[each]
            results = tuple(
                known[entries[index][1].name].name for index in chosen if not entries[index][1].name.startswith("__")
            )
            classes.setdefault((chosen, results), []).append(each)
        needs: list[tuple[Types, Need]] = []
        if abstract:
            everything = frozenset(types)
            named = [(entry[0], entry[2]) for entry in entries if entry[1].name == TYPENAME]
            # Who projects a selection for some of the types has to be told the type, even if nobody asked for it.
            named += [(everything, entry[2]) for entry in entries if entry[0] != everything]
            if named:
                wanted = tuple(each for each in types if any(each in on for on, _ in named))
                guard = either_of(guard for _, guard in named)
                needs.append((wanted, Need(name=TYPENAME, key=TYPENAME, guard=guard)))
        for (chosen, _), members in classes.items():
            needs += self.fields(tuple(members), [entries[index][1:] for index in chosen])
        return tuple(needs)

    def fields(self, types: Types, uses: Iterable[tuple[Field, Guard]]) -> Needs:
        """What these types, alike in all of it, are asked; introspection is not in it."""
        fields: dict[str, list[tuple[Field, Guard]]] = {}
        for use in uses:
            if not use[0].name.startswith("__"):
                fields.setdefault(use[0].key, []).append(use)
        return tuple([(types, self.need(types[0], of)) for of in fields.values()])

    def need(self, object_type: str, uses: list[tuple[Field, Guard]]) -> Need:
        field = uses[0][0]
        result = self.supergraph.fields[object_type][field.name].name
        below: Needs | None = None
        leaves = 1
        guard = either_of([guard for _, guard in uses])
        if result in self.supergraph.possible:
            parts = [(use.selections, guard) for use, guard in uses]
            below = self.merge(self.supergraph.possible[result], parts, result)
            leaves = sum([need.leaves for _, need in below]) or 1
        return Need(
            name=field.name,
            key=field.key,
            arguments=field.arguments,
            variables=field.variables,
            guard=guard,
            below=below,
            leaves=leaves,
        )

    def collect(
        self,
        types: frozenset[str],
        selections: Iterable[Selection],
        guard: Guard,
        entries: list[tuple[frozenset[str], Field, Guard]],
    ) -> None:
        for selection in selections:
            narrowed = both(guard, selection.conditions)
            if narrowed is None:
                continue
            if isinstance(selection, Field):
                entries.append((types, selection, narrowed))
                continue
            inner = types if selection.on is None else types & frozenset(self.supergraph.possible[selection.on])
            if inner:
                self.collect(inner, selection.selections, narrowed, entries)
