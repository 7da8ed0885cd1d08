"""From the merged tree to the client's shape: aliases, conditions, runtime types, leaves, nulls. No I/O, no plan.

Theory of operation
-------------------
``Projection`` belongs to one operation and one API schema. The operation's conditions depend on a few Boolean variables,
so for each assignment of those that really occurs the operation is compiled once into a tree of *nodes* without any
conditions left (CollectFields of the specification, section 6.3.2, done ahead of the values). Abstract positions compile
an object node for a runtime type when that type is first seen. A request then walks nodes and tree side by side.

A plan asks for an object's type only where the answer depends on it, and a subgraph that has an interface as an
``@interfaceObject`` could not tell: an object without a type has a shape as long as all its possible types share it.

What is deferred (``@defer``) is in no field of its object's node: a ``DeferringNode`` puts it aside, to be completed at
its place when its fetches are done. Which deferrals count is part of the assignment a shape is compiled for.

What belongs here: from an operation to nodes. What does not: what a node does with a value, null rules among it (``nodes``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple, TypeAlias

from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLScalarType,
    GraphQLSchema,
    GraphQLUnionType,
)
from graphql.type import SchemaMetaFieldDef, TypeMetaFieldDef

from gateway.execution.errors import Report
from gateway.execution.nodes import (
    AbstractNode,
    DeferringNode,
    EnumNode,
    FieldShape,
    ListNode,
    Node,
    ObjectNode,
    OpaqueNode,
    ScalarNode,
    Selections,
    StreamNode,
)
from gateway.operation import Field, Fragment, Operation

SHAPES_MAX: Final = 32
"""Assignments of one operation's condition variables kept compiled; a client that tries them all gains nothing."""

_LEAF_CLASSES: Final[Mapping[str, frozenset[type]]] = {
    # Each is looked at: JSON's integers know no bounds, and GraphQL's have 32 bits.
    "Int": frozenset(),
    "Float": frozenset({int, float}),
    "String": frozenset({str}),
    "Boolean": frozenset({bool}),
    "ID": frozenset({str}),
}


class Later(NamedTuple):
    """What of an operation comes later."""

    deferrals: frozenset[int]
    streams: frozenset[tuple[int, int]]
    """Each stream's id with how many items come first."""


NOTHING_LATER: Final = Later(frozenset(), frozenset())


class Projection:
    """How one operation's answers look."""

    def __init__(self, operation: Operation, schema: GraphQLSchema) -> None:
        self._operation = operation
        self._schema = schema
        self.conditions = tuple(sorted(_condition_variables(operation.selections)))
        """The variables that decide what is selected."""
        self._shapes: dict[tuple[Later, tuple[bool, ...]], ObjectNode] = {}

    def values(self, variables: Mapping[str, Any]) -> tuple[bool, ...]:
        """Of the condition variables."""
        return tuple(variables.get(name) is True for name in self.conditions) if self.conditions else ()

    def shape(self, variables: Mapping[str, Any], later: Later = NOTHING_LATER) -> ObjectNode:
        """The root node under these variables, with this left for later."""
        values = self.values(variables)
        truths = (later, values)
        found = self._shapes.get(truths)
        if found is None:
            compiler = _Compiler(self._schema, dict(zip(self.conditions, values, strict=True)), later)
            found = compiler.object(self._operation.root_type, [self._operation.selections])
            if len(self._shapes) >= SHAPES_MAX:
                self._shapes.pop(next(iter(self._shapes)))
            self._shapes[truths] = found
        return found

    def project(self, tree: Mapping[str, Any], variables: Mapping[str, Any], report: Report) -> dict[str, Any] | None:
        """The response's ``data``; what the client may not be left without becomes an error in the report."""
        return self.shape(variables).complete(tree, None, report)


_Collected: TypeAlias = tuple[dict[str, list[Field]], dict[int, list[Selections]]]
"""By response key, and what is put aside by deferral."""

_NO_CLASSES: Final[frozenset[type]] = frozenset()


class _Compiler:
    """The operation under one assignment of its condition variables."""

    def __init__(self, schema: GraphQLSchema, truths: Mapping[str, bool], later: Later) -> None:
        self._schema = schema
        self._truths = truths
        self._deferred = later.deferrals
        self._streams = dict(later.streams)

    def object(self, typename: str, selections: list[Selections]) -> ObjectNode:
        of = self._schema.type_map[typename]
        assert isinstance(of, GraphQLObjectType)
        collected, deferred = self._collected(of, selections)
        later = tuple((id, self.object(typename, each)) for id, each in deferred.items())
        return self._object(typename, of.fields, collected, later)

    def shared(self, typename: str, selections: list[Selections]) -> ObjectNode | None:
        """One node for all object types of an interface or a union, or None where their selected fields differ."""
        of = self._schema.type_map[typename]
        assert isinstance(of, GraphQLInterfaceType | GraphQLUnionType)
        types = self._schema.get_possible_types(of)
        if not types:
            return None
        collected, deferred = self._collected(types[0], selections)
        if any(same[0].name == "__typename" for same in collected.values()):
            return None
        if any(self._collected(each, selections) != (collected, deferred) for each in types[1:]):
            return None
        later: list[tuple[int, ObjectNode]] = []
        for id, each in deferred.items():
            node = self.shared(typename, each)
            if node is None:
                return None
            later.append((id, node))
        # A type may promise more of a field than its interface does; who does not know the type cannot count on that.
        own = of.fields if isinstance(of, GraphQLInterfaceType) else {}
        return self._object(typename, {**types[0].fields, **own}, collected, tuple(later))

    def _collected(self, of: GraphQLObjectType, selections: list[Selections]) -> _Collected:
        collected: _Collected = ({}, {})
        for each in selections:
            self._collect(each, of, collected)
        return collected

    def _object(
        self,
        typename: str,
        declared: Mapping[str, GraphQLField],
        collected: Mapping[str, list[Field]],
        deferred: tuple[tuple[int, ObjectNode], ...],
    ) -> ObjectNode:
        fields: list[FieldShape] = []
        for response_key, same in collected.items():
            field = same[0]
            if field.name == "__typename":
                fields.append((response_key, "", None, False, _NO_CLASSES))
                continue
            output, nullable = _unwrap(_field(declared, field.name).type)
            node = self._node(output, [one.selections for one in same])
            if field.stream is not None and field.stream.id in self._streams and isinstance(node, ListNode):
                node = StreamNode(node.item, node.item_nullable, field.stream.id, self._streams[field.stream.id])
            classes = node.classes if isinstance(node, ScalarNode) else _NO_CLASSES
            fields.append((response_key, field.key, node, nullable, classes))
        return DeferringNode(typename, tuple(fields), deferred) if deferred else ObjectNode(typename, tuple(fields))

    def _collect(self, selections: Selections, of: GraphQLObjectType, into: _Collected) -> None:
        for each in selections:
            if any(self._truths[name] is not wanted for name, wanted in each.conditions):
                continue
            if isinstance(each, Field):
                into[0].setdefault(each.response_key, []).append(each)
            elif each.on is None or self._applies(each, of):
                if each.deferral is not None and each.deferral.id in self._deferred:
                    into[1].setdefault(each.deferral.id, []).append(each.selections)
                else:
                    self._collect(each.selections, of, into)

    def _applies(self, fragment: Fragment, of: GraphQLObjectType) -> bool:
        if fragment.on == of.name:
            return True
        on = self._schema.type_map.get(fragment.on or "")
        return isinstance(on, GraphQLInterfaceType | GraphQLUnionType) and self._schema.is_sub_type(on, of)

    def _node(self, of: GraphQLOutputType, selections: list[Selections]) -> Node:
        match of:
            case GraphQLList():
                item, nullable = _unwrap(of.of_type)
                return ListNode(self._node(item, selections), nullable)
            case GraphQLObjectType():
                return self.object(of.name, selections)
            case GraphQLInterfaceType() | GraphQLUnionType():
                possible = frozenset(each.name for each in self._schema.get_possible_types(of))
                return AbstractNode(of.name, possible, selections, self)
            case GraphQLEnumType():
                return EnumNode(of.name, frozenset(of.values))
            case GraphQLScalarType():
                classes = _LEAF_CLASSES.get(of.name)
                return OpaqueNode(of.name) if classes is None else ScalarNode(of.name, classes)
            case _:
                raise AssertionError(f"{of} is no output type")


def _field(declared: Mapping[str, GraphQLField], name: str) -> GraphQLField:
    match name:
        case "__schema":
            return SchemaMetaFieldDef
        case "__type":
            return TypeMetaFieldDef
        case _:
            return declared[name]


def _unwrap(of: GraphQLOutputType) -> tuple[GraphQLOutputType, bool]:
    """The type without its ``!``, and whether null is allowed."""
    return (of.of_type, False) if isinstance(of, GraphQLNonNull) else (of, True)


def _condition_variables(selections: Selections) -> set[str]:
    names: set[str] = set()
    waiting = list(selections)
    for each in waiting:
        # The list grows while it is walked.
        waiting += each.selections
        if each.conditions:
            names.update([name for name, _ in each.conditions])
    return names
