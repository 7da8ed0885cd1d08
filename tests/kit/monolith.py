"""The oracle: one graph-core server over all the data, and subgraphs over the same data.

A *world* is plain objects: dicts with ``__typename`` and the value of every field. A value may be another object, a
function (of ``info`` and the arguments), or an exception, which is raised where the field is read. The monolith answers
from the whole world by the API schema; each fake subgraph answers from it by its own SDL, is strict about keys, and
resolves a field with ``@requires`` only where the representation brought exactly what the world has.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Any

from graphql import GraphQLSchema, execute, parse, subscribe
from graphql.language import DirectiveNode, FieldDefinitionNode, ObjectTypeDefinitionNode, StringValueNode

from gateway.selection import FieldSet, parse_field_set
from tests.kit.fake_subgraphs import FakeSubgraph

Object = dict[str, Any]


async def answer_whole(
    schema: GraphQLSchema, document: str, variables: Mapping[str, Any], roots: Mapping[str, Object]
) -> dict[str, Any]:
    """What one server that has everything answers: ``{"data", "errors"?}``."""
    tree = parse(document)
    operation = next(each for each in tree.definitions if each.kind == "operation_definition")
    result = execute(schema, tree, roots[operation.operation.value], variable_values=dict(variables))  # type: ignore[attr-defined]
    if inspect.isawaitable(result):
        result = await result
    return dict(result.formatted)  # type: ignore[union-attr]


async def events_whole(
    schema: GraphQLSchema, document: str, roots: Mapping[str, Object]
) -> AsyncIterator[dict[str, Any]]:
    """What one server sends to a subscriber, event by event."""
    source = subscribe(schema, parse(document), roots["subscription"])
    if inspect.isawaitable(source):
        source = await source
    assert hasattr(source, "__aiter__"), source
    async for result in source:
        yield dict(result.formatted)


def subgraph_over(name: str, sdl: str, objects: Sequence[Object], roots: Mapping[str, Object]) -> FakeSubgraph:
    """A fake that answers by this SDL from the world; interface objects know every object of their interface."""
    known: dict[str, _Type] = {}
    for node in parse(sdl, no_location=True).definitions:
        if isinstance(node, ObjectTypeDefinitionNode):
            known[node.name.value] = _Type(node)
    return FakeSubgraph(
        name,
        sdl,
        entities={
            type_name: lambda representation, of=of: of.find(representation, objects)
            for type_name, of in known.items()
            if of.keys
        },
        roots=roots,
    )


class _Type:
    def __init__(self, node: ObjectTypeDefinitionNode) -> None:
        self.name = node.name.value
        self.keys = [parse_field_set(_text(use, "fields")) for use in _uses(node, "key")]
        self.stands_in = any(True for _ in _uses(node, "interfaceObject"))
        self.requires = {
            each.name.value: parse_field_set(_text(use, "fields"))
            for each in node.fields or ()
            for use in _uses(each, "requires")
        }

    def find(self, representation: Object, objects: Sequence[Object]) -> Any:
        if not any(_brings(representation, key) for key in self.keys):
            return ValueError(f"no key of {self.name} in {sorted(representation)}")
        for each in objects:
            typed = each["__typename"] == self.name or (self.stands_in and self.name in each.get("__interfaces", ()))
            if typed and any(_brings(representation, key) and _agrees(representation, each, key) for key in self.keys):
                return self._as_asked(each, representation)
        return None

    def _as_asked(self, of: Object, representation: Object) -> Object:
        found = {**of, "__typename": self.name}
        for name, needed in self.requires.items():
            if not _agrees(representation, of, needed):
                found[name] = ValueError(f"{self.name}.{name} was not given what it requires: {representation}")
        return found


def _uses(node: ObjectTypeDefinitionNode | FieldDefinitionNode, name: str) -> Iterator[DirectiveNode]:
    return (each for each in node.directives or () if each.name.value == name)


def _text(use: DirectiveNode, argument: str) -> str:
    value = next(each.value for each in use.arguments or () if each.name.value == argument)
    assert isinstance(value, StringValueNode)
    return value.value


def _brings(representation: Any, fields: FieldSet) -> bool:
    return all(each.name in representation for each in fields)


def _agrees(given: Any, of: Any, fields: FieldSet) -> bool:
    if isinstance(of, list):
        return (
            isinstance(given, list)
            and len(given) == len(of)
            and all(_agrees(one, other, fields) for one, other in zip(given, of, strict=True))
        )
    if not isinstance(of, dict):
        return bool(given == of)
    if not isinstance(given, dict):
        return False
    return all(
        each.name in given and _agrees(given[each.name], of.get(each.name), each.fields)
        for each in fields
        if each.on is None or each.on == of["__typename"]
    )
