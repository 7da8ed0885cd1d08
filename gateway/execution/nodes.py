"""The nodes of a shape: what the client is to see of a value, completed from the merged tree. No operation, no plan.

What belongs here: leaves, lists, objects, and what is put aside for later. What does not: how an operation becomes nodes
(``projection``), and where an error is told (``client_paths``).

Null rules are those of the *client's* schema, section 6.4.4: a node answers None for null, and where its position is
non-null the parent answers None in turn. The error is made where the null first was, and only when no error known
already explains it: one at that place, above it or below it. A leaf of the wrong kind is null with an error.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, Protocol, TypeAlias

from gateway.exchange import nests_too_deep
from gateway.execution.errors import Place, Report, ResponsePath
from gateway.operation import Selection
from gateway.plan import EACH

INT_MIN, INT_MAX = -(2**31), 2**31 - 1

Selections: TypeAlias = tuple[Selection, ...]


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


class Compiler(Protocol):
    """Makes the nodes of an abstract position, when a type is first seen there."""

    def object(self, typename: str, selections: list[Selections]) -> ObjectNode:
        """The node of this object type."""

    def shared(self, typename: str, selections: list[Selections]) -> ObjectNode | None:
        """One node for all object types of an interface or a union, or None where their selected fields differ."""


class AbstractNode:
    """An interface or a union: one object node a runtime type, compiled when first met."""

    __slots__ = ("_by_type", "_compiler", "_possible", "_selections", "name")

    def __init__(self, name: str, possible: frozenset[str], selections: list[Selections], compiler: Compiler) -> None:
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
