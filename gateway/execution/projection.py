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

Null rules are those of the *client's* schema, section 6.4.4: a node answers None for null, and where its position is
non-null the parent answers None in turn. The error is made where the null first was, and only when no error known
already explains it: one at that place, above it or below it. A leaf of the wrong kind is null with an error.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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

from gateway.exchange import nests_too_deep
from gateway.execution.errors import Place, Report, ResponsePath
from gateway.operation import Field, Fragment, Operation, Selection
from gateway.plan import EACH

INT_MIN, INT_MAX = -(2**31), 2**31 - 1
SHAPES_MAX: Final = 32
"""Assignments of one operation's condition variables kept compiled; a client that tries them all gains nothing."""

Selections: TypeAlias = tuple[Selection, ...]
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


class ScalarNode:
    """A built-in scalar: of one of some JSON classes."""

    __slots__ = ("classes", "name")

    def __init__(self, name: str, classes: frozenset[type]) -> None:
        self.name = name
        self.classes = classes

    def complete(self, value: Any, place: Place, report: Report) -> Any:
        if value.__class__ in self.classes or value is None:
            return value
        # JSON has one kind of number, and subgraphs have several ways to write an id.
        if (
            self.name == "Int"
            and value.__class__ in (int, float)
            and INT_MIN <= value <= INT_MAX
            and value == int(value)
        ):
            return int(value)
        if self.name == "ID" and value.__class__ is int:
            return str(value)
        report.wrong(place, self.name)
        return None


class OpaqueNode:
    """A custom scalar: whatever JSON the subgraph sent, as long as it can be written again."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def complete(self, value: Any, place: Place, report: Report) -> Any:
        if nests_too_deep(value):
            report.wrong(place, self.name)
            return None
        return value


class EnumNode:
    """An enum: one of the values the API schema shows."""

    __slots__ = ("name", "values")

    def __init__(self, name: str, values: frozenset[str]) -> None:
        self.name = name
        self.values = values

    def complete(self, value: Any, place: Place, report: Report) -> Any:
        if value is None or (value.__class__ is str and value in self.values):
            return value
        report.wrong(place, self.name)
        return None


class ListNode:
    """A list of anything."""

    __slots__ = ("item", "item_nullable")

    def __init__(self, item: Node, item_nullable: bool) -> None:
        self.item = item
        self.item_nullable = item_nullable

    def complete(self, value: Any, place: Place, report: Report) -> Any:
        if value.__class__ is not list:
            if value is not None:
                report.wrong(place, "list")
            return None
        complete, nullable = self.item.complete, self.item_nullable
        found: list[Any] = []
        for index, each in enumerate(value):
            done = complete(each, (place, index), report)
            if done is None and not nullable:
                report.null((place, index))
                return None
            found.append(done)
        return found


class StreamNode(ListNode):
    """A list whose items from ``start`` on come later."""

    __slots__ = ("id", "start")

    def __init__(self, item: Node, item_nullable: bool, id: int, start: int) -> None:
        super().__init__(item, item_nullable)
        self.id = id
        self.start = start

    def complete(self, value: Any, place: Place, report: Report) -> Any:
        if value.__class__ is not list or len(value) <= self.start:
            return super().complete(value, place, report)
        found = super().complete(value[: self.start], place, report)
        if found is not None:
            report.deferred.append(Deferred(-self.id, self, value, place))
        return found

    def complete_rest(self, value: list[Any], place: Place, report: Report) -> list[Any] | None:
        """The items that were left, or None where one of them is null and may not be."""
        found: list[Any] = []
        for index in range(self.start, len(value)):
            done = self.item.complete(value[index], (place, index), report)
            if done is None and not self.item_nullable:
                report.null((place, index))
                return None
            found.append(done)
        return found


class ObjectNode:
    """An object type's selected fields, in the client's order.

    ``fields`` holds a plain tuple a field, since this loop is where a response's time goes: response key, canonical key,
    the node or None for ``__typename``, whether null is allowed, and the JSON classes of a plain leaf.
    """

    __slots__ = ("fields", "typename")

    def __init__(self, typename: str, fields: tuple[tuple[str, str, Node | None, bool, frozenset[type]], ...]) -> None:
        self.typename = typename
        self.fields = fields

    def selects(self, key: str | int) -> bool:
        return any(field[1] == key for field in self.fields)

    def complete(self, value: Any, place: Place, report: Report) -> dict[str, Any] | None:
        if value.__class__ is not dict:
            if value is not None:
                report.wrong(place, self.typename)
            return None
        found: dict[str, Any] = {}
        get = value.get
        for response_key, key, node, nullable, classes in self.fields:
            each = get(key)
            if each.__class__ in classes:
                found[response_key] = each
            elif node is None:
                found[response_key] = self.typename
            else:
                done = node.complete(each, (place, response_key), report) if each is not None else None
                if done is None and not nullable:
                    report.null((place, response_key), f"{self.typename}.{key.partition('__')[0] or key}")
                    return None
                found[response_key] = done
        return found


class DeferringNode(ObjectNode):
    """An object type of whose selected fields some are deferred: by deferral, the node that completes them later."""

    __slots__ = ("deferred",)

    def __init__(
        self,
        typename: str,
        fields: tuple[tuple[str, str, Node | None, bool, frozenset[type]], ...],
        deferred: tuple[tuple[int, ObjectNode], ...],
    ) -> None:
        super().__init__(typename, fields)
        self.deferred = deferred

    def complete(self, value: Any, place: Place, report: Report) -> dict[str, Any] | None:
        found = super().complete(value, place, report)
        if found is not None:
            report.deferred += [Deferred(id, node, value, place) for id, node in self.deferred]
        return found


class Deferred(NamedTuple):
    """What is deferred of one object, or left of one list."""

    id: int
    """The deferral's, or the negative of the stream's."""
    node: ObjectNode | StreamNode
    value: Any
    place: Place

    def complete(self, report: Report) -> Any:
        if isinstance(self.node, StreamNode):
            return self.node.complete_rest(self.value, self.place, report)
        return self.node.complete(self.value, self.place, report)

    def shows(self, path: ResponsePath) -> bool:
        """Whether a path from here lies in this part."""
        if isinstance(self.node, StreamNode):
            return bool(path) and (path[0] == EACH or (isinstance(path[0], int) and path[0] >= self.node.start))
        return shows(self.node, self.value, path)


class AbstractNode:
    """An interface or a union: one object node a runtime type, compiled when first met."""

    __slots__ = ("_by_type", "_compiler", "_possible", "_selections", "name")

    def __init__(self, name: str, possible: frozenset[str], selections: list[Selections], compiler: _Compiler) -> None:
        self.name = name
        self._possible = possible
        self._selections = selections
        self._compiler = compiler
        self._by_type: dict[str | None, ObjectNode | None] = {}

    def complete(self, value: Any, place: Place, report: Report) -> dict[str, Any] | None:
        if value.__class__ is not dict:
            if value is not None:
                report.wrong(place, self.name)
            return None
        node = self.node(value)
        if node is None:
            # Its type is not one the client may know, or the fetch that would have told it failed.
            report.wrong(place, self.name)
            return None
        return node.complete(value, place, report)

    def node(self, value: Mapping[str, Any]) -> ObjectNode | None:
        """The node for this object's runtime type, or None where it is unknown and would matter."""
        typename = value.get("__typename")
        if typename is None and len(self._possible) == 1:
            typename = next(iter(self._possible))
        if typename is not None and (typename.__class__ is not str or typename not in self._possible):
            return None
        return self._of(typename)

    def selecting(self, key: str | int) -> ObjectNode | None:
        """For an object that is not there: the node of the first type whose fields include this key."""
        return next((node for node in self.nodes() if node.selects(key)), None)

    def types(self) -> list[str]:
        """The object types the client may know here."""
        return sorted(self._possible)

    def nodes(self) -> Iterator[ObjectNode]:
        """The nodes of all types."""
        return (found for each in sorted(self._possible) if (found := self._of(each)) is not None)

    def _of(self, typename: str | None) -> ObjectNode | None:
        if typename not in self._by_type:
            compiler, selections = self._compiler, self._selections
            self._by_type[typename] = (
                compiler.shared(self.name, selections) if typename is None else compiler.object(typename, selections)
            )
        return self._by_type[typename]


FieldShape: TypeAlias = "tuple[str, str, Node | None, bool, frozenset[type]]"
Node: TypeAlias = "ScalarNode | OpaqueNode | EnumNode | ListNode | ObjectNode | AbstractNode"

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


def shows(node: Node, value: Any, path: ResponsePath) -> bool:
    """Whether a client's path lies in what this node makes of the value, or ends early there at a null."""
    if not path or value is None:
        return True
    step, rest = path[0], path[1:]
    if isinstance(node, AbstractNode):
        chosen = node.node(value) if value.__class__ is dict else None
        return chosen is None or shows(chosen, value, path)
    if isinstance(node, ListNode) and value.__class__ is list:
        if step == EACH:
            items = [each for each in value if each is not None]
        elif isinstance(step, int):
            if isinstance(node, StreamNode) and step >= node.start:
                return False
            items = value[step : step + 1]
        else:
            return True
        return not items or any(shows(node.item, each, rest) for each in items)
    if isinstance(node, ObjectNode) and value.__class__ is dict:
        for response_key, key, below, _, _ in node.fields:
            if response_key == step:
                return below is None or shows(below, value.get(key), rest)
        return False
    return True


def client_paths(node: Node, value: Any, path: ResponsePath) -> list[ResponsePath]:
    """Where the client sees a place of the merged tree: its canonical keys as response keys, once for every alias.

    Where the client selected it nowhere (a key or a required field that the planner added), what leads there: the
    longest path it did select. Nothing where the client selected it for objects of other types alone: the subgraph was
    asked for it because it does not know them apart.
    """
    return list(dict.fromkeys(_client_paths(node, value, path, ())))


def _selected(node: Node | None, path: ResponsePath) -> bool:
    """Whether a place of the merged tree is selected whole, for objects of some types at least."""
    if isinstance(node, ListNode):
        return _selected(node.item, path[1:] if path and isinstance(path[0], int) else path)
    if not path:
        return node is not None
    if isinstance(node, AbstractNode):
        return any(_selected(each, path) for each in node.nodes())
    if isinstance(node, ObjectNode):
        return any(key == path[0] and _selected(below, path[1:]) for _, key, below, _, _ in node.fields)
    return False


def _client_paths(node: Node, value: Any, path: ResponsePath, so_far: ResponsePath) -> Iterator[ResponsePath]:
    if not path:
        yield so_far
        return
    step, rest = path[0], path[1:]
    if isinstance(node, AbstractNode):
        # What is null has no type: the error that nulled it is told at the field that the client selected.
        chosen = node.node(value) if value.__class__ is dict else node.selecting(step)
        if chosen is None:
            yield so_far
            return
        if value.__class__ is dict and not _selected(chosen, path):
            if not chosen.selects(step) and node.selecting(step) is not None:
                return
            if any(_selected(each, path) for each in node.nodes()):
                return
        node = chosen
    if isinstance(node, ListNode) and isinstance(step, int):
        if value.__class__ is list and not 0 <= step < len(value):
            yield so_far
            return
        inside = value[step] if value.__class__ is list else None
        yield from _client_paths(node.item, inside, rest, (*so_far, step))
        return
    selected = False
    if isinstance(node, ObjectNode):
        inside = value.get(step) if value.__class__ is dict else None
        for response_key, key, below, _, _ in node.fields:
            if key == step and below is not None:
                selected = True
                yield from _client_paths(below, inside, rest, (*so_far, response_key))
    if not selected:
        yield so_far
