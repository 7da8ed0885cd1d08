"""A world whose every value is known: one imaginary server, its subgraphs, and an interpreter of plans.

An object is a token; the value of a field is a function of token, field and arguments, whoever is asked. So what one
server would answer and what the subgraphs answer together can be compared. A subgraph here is strict: it refuses a
representation that leads to no object, and a requirement whose value is not the right one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

from graphql import FieldNode, InlineFragmentNode, OperationDefinitionNode, SelectionSetNode, VariableNode, parse

from gateway.operation import Field, Operation, Selection
from gateway.plan import EACH, EntityInput, Fetch, QueryPlan, RequiredField, TypeFilter
from gateway.selection import FieldSet, print_arguments
from gateway.supergraph import Subgraph, Supergraph, TypeRef

JSON = dict[str, Any]


def number(*parts: object) -> int:
    return int.from_bytes(blake2b("|".join(map(str, parts)).encode(), digest_size=6).digest(), "big")


@dataclass(slots=True)
class World:
    """The imaginary server: objects by token."""

    supergraph: Supergraph
    types: dict[str, str] = field(default_factory=dict)
    """Token → object type."""
    parents: dict[str, str] = field(default_factory=dict)
    """Token of an object → token of the one it was first reached from."""
    owners: dict[Any, str] = field(default_factory=dict)
    """Leaf value → token of the object that has it: how a key leads back to its object."""

    keys: frozenset[str] = frozenset()
    """Names of fields that lead to objects: never null here."""

    def __post_init__(self) -> None:
        self.keys = frozenset(
            item.name
            for subgraph in self.supergraph.subgraphs.values()
            for known in subgraph.types.values()
            for key in known.keys
            for item in (*key.fields, *(inner for each in key.fields for inner in each.fields))
        )

    def value(self, token: str, name: str, arguments: str) -> Any:
        """A leaf, a token ``("object", token)``, None, or lists of these."""
        type_name = self.types[token]
        return self.complete(token, type_name, name, arguments, self.supergraph.fields[type_name][name], ())

    def complete(self, token: str, type_name: str, name: str, arguments: str, of: TypeRef, at: tuple[int, ...]) -> Any:
        seed = number(token, name, arguments, at)
        if of.nullable and seed % 7 == 0 and name not in self.keys:
            return None
        text = of.text.removesuffix("!")
        if text.startswith("["):
            inner = TypeRef(of.name, of.list_depth - 1, text[1:-1])
            return [self.complete(token, type_name, name, arguments, inner, (*at, index)) for index in range(seed % 3)]
        if of.name in self.supergraph.possible:
            if of.name in self.supergraph.roots.values():
                self.types[of.name] = of.name
                return ("object", of.name)
            child = f"{seed:x}"
            self.types[child] = self.object_type(type_name, name, of.name, seed)
            self.parents[child] = token
            return ("object", child)
        leaf: Any = f"{seed:x}" if of.name != "Int" else seed
        self.owners[leaf] = token
        return leaf

    def object_type(self, type_name: str, name: str, result: str, seed: int) -> str:
        """One that every subgraph which resolves the field can give."""
        common: set[str] | None = None
        for owner in self.supergraph.owners(type_name, name):
            subgraph = self.supergraph.subgraphs[owner]
            known = next(
                known
                for each in (type_name, *self.supergraph.implements.get(type_name, ()))
                if (known := subgraph.types.get(each)) and name in known.fields
            )
            common = (
                self.may_be(subgraph, known.fields[name].type.name)
                if common is None
                else common & self.may_be(subgraph, known.fields[name].type.name)
            )
        assert common, f"{type_name}.{name} has no common runtime type"
        return sorted(common)[seed % len(common)]

    def may_be(self, subgraph: Subgraph, name: str) -> set[str]:
        if subgraph.types[name].interface_object:
            return {each for other in self.supergraph.subgraphs.values() for each in other.possible.get(name, ())}
        return set(subgraph.possible.get(name, (name,)))


def holds(conditions: Iterable[tuple[str, bool]], variables: Mapping[str, bool]) -> bool:
    return all(variables[name] == wanted for name, wanted in conditions)


def answered_by_one_server(world: World, operation: Operation, variables: Mapping[str, bool]) -> JSON:
    world.types[operation.root_type] = operation.root_type

    def answer(selections: Iterable[Selection], token: str, into: JSON) -> JSON:
        for selection in selections:
            if not holds(selection.conditions, variables):
                continue
            if not isinstance(selection, Field):
                if selection.on is None or world.types[token] in world.supergraph.possible[selection.on]:
                    answer(selection.selections, token, into)
            elif selection.name == "__typename":
                into[selection.response_key] = world.types[token]
            elif not selection.name.startswith("__"):
                value = world.value(token, selection.name, selection.arguments)
                into[selection.response_key] = below(value, selection, into.get(selection.response_key))
        return into

    def below(value: Any, selection: Field, known: Any) -> Any:
        match value:
            case ("object", token):
                return answer(selection.selections, token, known or {})
            case list():
                return [below(item, selection, known[index] if known else None) for index, item in enumerate(value)]
            case _:
                return value

    return answer(operation.selections, operation.root_type, {})


@dataclass(slots=True)
class Service:
    """One subgraph, answering one document."""

    world: World
    subgraph: Subgraph
    variables: Mapping[str, bool]

    def root(self, body: SelectionSetNode, token: str) -> JSON:
        return self.answer(body, token, self.world.types[token], {}, {})

    def entity(self, body: SelectionSetNode, representation: JSON) -> JSON | None:
        token, known_as = self.find(representation)
        return self.answer(body, token, known_as, {}, representation)

    def find(self, representation: JSON) -> tuple[str, str]:
        typename = representation["__typename"]
        known = self.subgraph.types[typename]
        for key in known.keys:
            token = self.owner(representation, key.fields)
            if token is not None and key.resolvable:
                concrete = self.world.types[token]
                assert concrete == typename or concrete in self.world.supergraph.possible[typename]
                return token, typename if known.interface_object else concrete
        raise AssertionError(f"{self.subgraph.name} finds nothing for {representation}")

    def owner(self, given: Any, fields: FieldSet) -> str | None:
        """The one object all key fields lead to."""
        found: set[str | None] = set()
        for item in fields:
            if item.name == "__typename":
                continue
            value = given.get(item.name) if isinstance(given, dict) else None
            if item.fields:
                inner = self.owner(value, item.fields)
                found.add(self.world.parents.get(inner) if inner else None)
            else:
                found.add(self.world.owners.get(value))
        return found.pop() if len(found) == 1 else None

    def answer(self, body: SelectionSetNode, token: str, known_as: str, into: JSON, representation: JSON) -> JSON:
        for node in body.selections:
            assert isinstance(node, FieldNode | InlineFragmentNode)
            if not all(self.directive(each) for each in node.directives or ()):
                continue
            if isinstance(node, InlineFragmentNode):
                on = node.type_condition.name.value if node.type_condition else None
                if on is None or on == known_as or known_as in self.subgraph.possible.get(on, ()):
                    self.answer(node.selection_set, token, known_as, into, representation)
                continue
            name, key = node.name.value, node.alias.value if node.alias else node.name.value
            if name == "__typename":
                root = known_as in self.subgraph.roots.values()
                into[key] = f"{self.subgraph.name}'s root" if root else known_as
                continue
            of = self.subgraph.types[known_as].fields[name]
            if representation:
                self.check(token, of.requires, representation)
            value = self.world.value(token, name, print_arguments(node.arguments))
            into[key] = self.below(value, node, of.type.name, into.get(key))
        return into

    def directive(self, node: Any) -> bool:
        value = node.arguments[0].value
        assert isinstance(value, VariableNode)
        return self.variables[value.name.value] == (node.name.value == "include")

    def check(self, token: str, required: FieldSet, given: JSON) -> None:
        for item in required:
            if not self.world.supergraph.matches(self.world.types[token], item.on):
                continue
            self.same(self.world.value(token, item.name, item.arguments), item.fields, given[item.name])

    def same(self, value: Any, fields: FieldSet, given: Any) -> None:
        match value:
            case ("object", token):
                self.check(token, fields, given)
            case list():
                for item, other in zip(value, given, strict=True):
                    self.same(item, fields, other)
            case _:
                assert value == given, f"{self.subgraph.name} was sent {given} for {value}"

    def below(self, value: Any, node: FieldNode, static: str, known: Any) -> Any:
        match value:
            case ("object", token):
                assert node.selection_set is not None
                known_as = static if self.subgraph.types[static].interface_object else self.world.types[token]
                assert known_as in self.subgraph.types
                return self.answer(node.selection_set, token, known_as, known or {}, {})
            case list():
                return [
                    below
                    for index, item in enumerate(value)
                    for below in [self.below(item, node, static, known[index] if known else None)]
                ]
            case _:
                return value


class Missing(Exception):
    """A representation cannot be built: an earlier fetch was not sent."""


@dataclass(slots=True)
class Interpreter:
    """Follows a plan by the letter of the treaty, one fetch after the other."""

    world: World
    operation: Operation
    variables: Mapping[str, bool]
    tree: JSON = field(default_factory=dict)

    def run(self, plan: QueryPlan) -> JSON:
        for fetch in [*([plan.subscription] if plan.subscription else []), *plan.fetches]:
            if not fetch.guard or any(holds(conjunction, self.variables) for conjunction in fetch.guard):
                self.fetch(fetch)
        return self.project(self.operation.selections, self.tree, self.operation.root_type, {})

    def fetch(self, fetch: Fetch) -> None:
        document = parse(fetch.document).definitions[0]
        assert isinstance(document, OperationDefinitionNode)
        service = Service(self.world, self.world.supergraph.subgraphs[fetch.subgraph], self.variables)
        body = document.selection_set
        if not fetch.entities:
            for target, token in self.at(fetch.path):
                merge(target, renamed(fetch, service.root(body, token)))
            return
        for entity in fetch.entities:
            node = next(
                each
                for each in body.selections
                if isinstance(each, FieldNode) and (each.alias or each.name).value == entity.alias
            )
            assert node.selection_set is not None
            for target, _ in (each for path in entity.paths for each in self.at(path)):
                representation = self.representation(entity, target)
                if representation is not None:
                    merge(target, renamed(fetch, service.entity(node.selection_set, representation) or {}))

    def at(self, path: tuple[Any, ...]) -> Iterator[tuple[JSON, str]]:
        """The objects at a path, with their tokens for those that are the query root again."""

        def walk(value: Any, rest: tuple[Any, ...], token: str) -> Iterator[tuple[JSON, str]]:
            if value is None:
                return
            if not rest:
                assert isinstance(value, dict)
                yield value, token
            elif isinstance(rest[0], TypeFilter):
                if value.get("__typename") in rest[0].types:
                    yield from walk(value, rest[1:], token)
            elif rest[0] == EACH:
                for item in value:
                    yield from walk(item, rest[1:], token)
            else:
                yield from walk(value.get(rest[0]), rest[1:], token)

        return walk(self.tree, path, self.world.supergraph.roots[self.operation.kind] if not path else "Query")

    def representation(self, entity: EntityInput, target: JSON) -> JSON | None:
        for representation in entity.representations:
            if representation.runtime_types and target.get("__typename") not in representation.runtime_types:
                continue
            try:
                return {"__typename": representation.typename, **self.copied(representation.fields, target)}
            except Missing:
                return None
        return None

    def copied(self, fields: tuple[RequiredField, ...], source: JSON) -> JSON:
        found: JSON = {}
        for each in fields:
            if each.only_types and source.get("__typename") not in each.only_types:
                continue
            if each.key not in source:
                raise Missing
            value = source[each.key]
            assert value is not None or each.nullable
            found[each.name] = self.copied_below(each, value)
        return found

    def copied_below(self, required: RequiredField, value: Any) -> Any:
        match value:
            case list():
                return [self.copied_below(required, item) for item in value]
            case dict():
                return self.copied(required.fields, value)
            case _:
                return value

    def project(self, selections: Iterable[Selection], source: JSON, static: str, into: JSON) -> JSON:
        supergraph = self.world.supergraph
        concrete = source["__typename"] if static in supergraph.abstract and "__typename" in source else static
        for selection in selections:
            if not holds(selection.conditions, self.variables):
                continue
            if not isinstance(selection, Field):
                fits = selection.on is None or set(supergraph.possible[concrete]) <= set(
                    supergraph.possible[selection.on]
                )
                if fits:
                    self.project(selection.selections, source, static, into)
                else:
                    unknown = concrete in supergraph.abstract and any(self.active(selection.selections))
                    assert not unknown, f"nobody told the type of a {static}"
            elif selection.name == "__typename":
                assert concrete not in supergraph.abstract
                into[selection.response_key] = concrete
            elif not selection.name.startswith("__"):
                of = supergraph.fields[concrete][selection.name]
                into[selection.response_key] = self.projected(
                    selection, source[selection.key], of.name, into.get(selection.response_key)
                )
        return into

    def active(self, selections: Iterable[Selection]) -> Iterator[bool]:
        """True for each field below that the variables let through."""
        for selection in selections:
            if holds(selection.conditions, self.variables):
                if isinstance(selection, Field):
                    yield True
                else:
                    yield from self.active(selection.selections)

    def projected(self, selection: Field, value: Any, static: str, known: Any) -> Any:
        match value:
            case list():
                return [
                    self.projected(selection, item, static, known[index] if known else None)
                    for index, item in enumerate(value)
                ]
            case dict():
                return self.project(selection.selections, value, static, known or {})
            case _:
                return value


def renamed(fetch: Fetch, result: JSON) -> JSON:
    for rename in fetch.renames:
        values: list[Any] = [result]
        for segment in rename.path:
            if segment == EACH:
                values = [item for value in values if value is not None for item in value]
            else:
                values = [value.get(segment) for value in values if value is not None]
        for value in values:
            if isinstance(value, dict) and rename.source in value:
                assert not rename.only_types or value.get("__typename", rename.only_types[0]) in rename.only_types
                value[rename.target] = value.pop(rename.source)
    return result


def merge(target: JSON, source: JSON) -> None:
    for key, value in source.items():
        if key in target:
            merge_values(target, key, value)
        else:
            target[key] = value


def merge_values(target: Any, key: Any, value: Any) -> None:
    known = target[key]
    if isinstance(known, dict) and isinstance(value, dict):
        merge(known, value)
    elif isinstance(known, list) and isinstance(value, list):
        for index, item in enumerate(value):
            merge_values(known, index, item)
    else:
        assert known == value, f"two subgraphs disagree about {key}: {known} and {value}"
