"""What a plan's answers are made of: the objects of the merged tree, which fetch brings what of them, what the client sees.

Theory of operation
-------------------
The plan's documents and the client's shape (``projection.ObjectNode``) are read side by side into a tree of *places*. A
place is an object position for one object type; its fields are those of its *base*, the fetch whose document creates
the object, and those that entity fetches add. All of it is known before any answer is: which fields there are, of which
type, whether they may be null, who reads them.

Whatever would need a decision while merging has no layout (``Unsuited``): the interpreter runs it.

What belongs here: reading. What does not: Python text (``source``), running (``program``).
"""

from __future__ import annotations

import keyword
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from graphql import FieldNode, InlineFragmentNode, OperationDefinitionNode, SelectionSetNode, VariableNode, parse
from graphql.language import BooleanValueNode, DirectiveNode

from gateway.execution.projection import (
    AbstractNode,
    DeferringNode,
    EnumNode,
    ListNode,
    Node,
    ObjectNode,
    OpaqueNode,
    ScalarNode,
    StreamNode,
)
from gateway.plan import (
    EACH,
    EntityInput,
    Fetch,
    OperationKind,
    Path,
    QueryPlan,
    Representation,
    RequiredField,
    TypeFilter,
)
from gateway.supergraph import Supergraph

TYPENAME: Final = "__typename"
PLACES_MAX: Final = 400
LOOPS_MAX: Final = 18
"""Nested loops on the way to one place; Python allows twenty."""

Truths: TypeAlias = Mapping[str, bool]


_NAMES: Final = {"ID": "str", "String": "str", "Int": "Int"}
"""The types that keys are mostly of."""


class Unsuited(Exception):
    """This plan is left to the interpreter; the text says what it has that a layout cannot hold."""


@dataclass(slots=True, kw_only=True, eq=False)
class Slot:
    """One field of a place."""

    key: str
    """Canonical: as the documents ask for it."""
    attribute: str
    source: int
    """The fetch that brings it."""
    leaf: str = "Any"
    """The type of a leaf's value as msgspec reads it, null aside."""
    levels: tuple[bool, ...] = (True,)
    """Whether null is allowed: of the value itself, then of the items at each depth of lists."""
    places: tuple[Place, ...] = ()
    """Of a composite: one place for each object type it may be."""
    shown: bool = False
    """The client sees it."""
    read: bool = False
    """A representation is made of it."""

    @property
    def nullable(self) -> bool:
        return self.levels[0]

    @property
    def annotation(self) -> str:
        """The type as msgspec reads it; a composite's names the classes of its places."""
        text = " | ".join(each.class_name for each in self.places) or self.leaf
        for at in range(len(self.levels) - 1, -1, -1):
            if self.levels[at] and text != "Any":
                text = f"{text} | None"
            if at:
                text = f"list[{text}]"
        return text


@dataclass(slots=True, kw_only=True, eq=False)
class Place:
    """The objects of one type at one position."""

    number: int
    path: tuple[str, ...]
    type_name: str
    node: ObjectNode
    base: int | None
    """The fetch that creates the objects. None: the root of an answer that several fetches fill."""
    parent: tuple[Place, Slot] | None = None
    tagged: bool = False
    """One of several types: which one, ``__typename`` tells."""
    slots: dict[str, Slot] = field(default_factory=dict)
    """By canonical key."""

    @property
    def class_name(self) -> str:
        return f"{self.type_name.strip('_') or 'Object'}{self.number}"

    @property
    def converted(self) -> bool:
        """Whether the client sees another object than the subgraph sent: other names, or ``__typename`` elsewhere."""
        keys = [key for _, key, node, _, _ in self.node.fields if node is not None]
        if len(set(keys)) != len(keys):
            return True
        if any(response_key != key for response_key, key, node, _, _ in self.node.fields if node is not None):
            return True
        if any(node is None and response_key != TYPENAME for response_key, _, node, _, _ in self.node.fields):
            return True
        return self.tagged and [at for at, each in enumerate(self.node.fields) if each[2] is None] != [0]

    @property
    def hidden(self) -> list[Slot]:
        """What is there for representations alone."""
        return [each for each in self.slots.values() if not each.shown]

    def loops(self) -> int:
        above = self.parent
        return 0 if above is None else len(above[1].levels) - 1 + above[0].loops()


@dataclass(slots=True, kw_only=True)
class Gathering:
    """One ``_entities`` selection of a fetch."""

    entity: EntityInput
    stations: list[tuple[Place, Representation]]
    """Where its objects are, one place a type, each with what is sent of them; in the order of the paths."""


@dataclass(slots=True, kw_only=True)
class Layout:
    """Everything known of a plan's answers before there are any."""

    plan: QueryPlan
    root: Place
    places: list[Place]
    gatherings: dict[int, list[Gathering]]
    """Fetch id → what it asks of entities; a fetch that asks a root type is not in it."""
    sent: frozenset[int]
    """The fetches that these conditions do not leave out."""


def layout(plan: QueryPlan, shape: ObjectNode, truths: Truths, supergraph: Supergraph) -> Layout:
    """The layout of a plan under these values of its condition variables. Raises Unsuited."""
    return _Reader(plan, truths, supergraph).read(shape)


class _Reader:
    def __init__(self, plan: QueryPlan, truths: Truths, supergraph: Supergraph) -> None:
        self.plan = plan
        self.truths = truths
        self.supergraph = supergraph
        self.places: list[Place] = []
        self.gatherings: dict[int, list[Gathering]] = {}

    def read(self, shape: ObjectNode) -> Layout:
        if self.plan.kind is not OperationKind.QUERY:
            raise Unsuited(f"it is a {self.plan.kind.value}")
        fetches = [each for each in self.plan.fetches if self._sent(each)]
        roots = [each for each in fetches if not each.entities]
        root = self.place(shape, shape.typename, roots[0].id if len(roots) == 1 else None, None, tagged=False)
        for fetch in fetches:
            if fetch.contexts or fetch.renames or fetch.block or (fetch.path and not fetch.entities):
                raise Unsuited(f"fetch {fetch.id} takes from contexts, renames, is deferred, or asks a root type again")
            definition = parse(fetch.document, no_location=True).definitions[0]
            assert isinstance(definition, OperationDefinitionNode)
            if fetch.entities:
                self.entities(fetch, definition.selection_set, root)
            else:
                self.take(fetch.id, root, definition.selection_set)
        kept = list(whole(root))
        for gathering in (each for several in self.gatherings.values() for each in several):
            gathering.stations = [each for each in gathering.stations if each[0] in kept]
        return Layout(
            plan=self.plan,
            root=root,
            places=kept,
            gatherings=self.gatherings,
            sent=frozenset(each.id for each in fetches),
        )

    def _sent(self, fetch: Fetch) -> bool:
        return not fetch.guard or any(
            all(self.truths.get(name, False) is wanted for name, wanted in conjunction) for conjunction in fetch.guard
        )

    # --- places -----------------------------------------------------------------------------------------------------------

    def place(
        self, node: ObjectNode, type_name: str, base: int | None, parent: tuple[Place, Slot] | None, *, tagged: bool
    ) -> Place:
        if isinstance(node, DeferringNode):
            raise Unsuited("a part of it is deferred")
        if len(self.places) >= PLACES_MAX:
            raise Unsuited(f"it has more than {PLACES_MAX} object positions")
        path = (*parent[0].path, parent[1].key, *((EACH,) * (len(parent[1].levels) - 1))) if parent else ()
        found = Place(
            number=len(self.places), path=path, type_name=type_name, node=node, base=base, parent=parent, tagged=tagged
        )
        self.places.append(found)
        return found

    def take(self, fetch: int, place: Place, selections: SelectionSetNode) -> None:
        """What a document asks of a place's objects."""
        shown = {key: (node, nullable) for _, key, node, nullable, _ in place.node.fields if node is not None}
        for asked in self.asked(selections, place.type_name):
            key = asked.alias.value if asked.alias else asked.name.value
            if asked.name.value == TYPENAME:
                continue
            known = place.slots.get(key)
            if known is not None:
                # Who comes first may say null where the other knows better.
                if asked.selection_set is not None or known.nullable:
                    raise Unsuited(f"{'.'.join((*place.path, key))} is brought by two fetches")
                continue
            slot = Slot(key=key, attribute=attribute(key), source=fetch)
            place.slots[key] = slot
            if key in shown:
                node, nullable = shown[key]
                slot.shown = True
                self.fill(slot, node, nullable, place, asked.selection_set)
            else:
                of = self.supergraph.fields.get(place.type_name, {}).get(asked.name.value)
                if of is not None and not of.list_depth:
                    slot.leaf = _NAMES.get(of.name, slot.leaf)

    def fill(self, slot: Slot, node: Node, nullable: bool, place: Place, selections: SelectionSetNode | None) -> None:
        levels = [nullable]
        while isinstance(node, ListNode):
            if isinstance(node, StreamNode):
                raise Unsuited("a list of it is streamed")
            levels.append(node.item_nullable)
            node = node.item
        slot.levels = tuple(levels)
        if isinstance(node, ObjectNode | AbstractNode):
            assert selections is not None
            slot.places = tuple(self.below(slot, node, place, selections))
        else:
            slot.leaf = leaf(node, nullable=levels[-1])

    def below(
        self, slot: Slot, node: ObjectNode | AbstractNode, place: Place, selections: SelectionSetNode
    ) -> Iterator[Place]:
        parent = (place, slot)
        if isinstance(node, ObjectNode):
            found = self.place(node, node.typename, slot.source, parent, tagged=False)
            self.take(slot.source, found, selections)
            yield found
            return
        told = any(each.name.value == TYPENAME and not each.alias for each in self.asked(selections, None))
        for each in node.types() if told else (None,):
            of = node.node({TYPENAME: each} if each is not None else {})
            if of is None:
                raise Unsuited(f"{node.name} at {'.'.join((*place.path, slot.key))} comes without its type")
            found = self.place(of, each or node.name, slot.source, parent, tagged=each is not None)
            self.take(slot.source, found, selections)
            yield found

    def asked(self, selections: SelectionSetNode, type_name: str | None) -> Iterator[FieldNode]:
        """The fields a document asks of objects of a type; of None: of any type at all."""
        for node in selections.selections:
            if not self._holds(node.directives):
                continue
            if isinstance(node, FieldNode):
                yield node
            elif isinstance(node, InlineFragmentNode):
                on = node.type_condition.name.value if node.type_condition else None
                if on is None or on == type_name or type_name in self.supergraph.possible.get(on, ()):
                    yield from self.asked(node.selection_set, type_name)

    def _holds(self, directives: tuple[DirectiveNode, ...] | None) -> bool:
        for directive in directives or ():
            if directive.name.value in ("skip", "include"):
                (given,) = directive.arguments or ()
                value = given.value
                truth = value.value if isinstance(value, BooleanValueNode) else False
                if isinstance(value, VariableNode):
                    truth = self.truths.get(value.name.value, False)
                if truth is (directive.name.value == "skip"):
                    return False
        return True

    # --- entities ---------------------------------------------------------------------------------------------------------

    def entities(self, fetch: Fetch, selections: SelectionSetNode, root: Place) -> None:
        by_alias = {
            (node.alias or node.name).value: node.selection_set
            for node in selections.selections
            if isinstance(node, FieldNode)
        }
        found: list[Gathering] = []
        for entity in fetch.entities:
            gathering = Gathering(entity=entity, stations=[])
            body = by_alias[entity.alias]
            assert body is not None
            for path in entity.paths:
                for place in self.at(root, path):
                    representation = _for(entity, place)
                    if representation is None:
                        continue
                    self.take(fetch.id, place, body)
                    self.reads(place, representation.fields)
                    gathering.stations.append((place, representation))
            found.append(gathering)
        self.gatherings[fetch.id] = found

    def at(self, root: Place, path: Path) -> list[Place]:
        current = [root]
        for segment in path:
            if segment == EACH:
                continue
            if isinstance(segment, TypeFilter):
                current = [each for each in current if each.type_name in segment.types]
                continue
            current = [below for each in current if segment in each.slots for below in each.slots[segment].places]
        if not current:
            raise Unsuited("a fetch goes where the client sees nothing")
        return current

    def reads(self, place: Place, fields: tuple[RequiredField, ...]) -> None:
        if len({each.name for each in fields}) < len(fields):
            raise Unsuited(f"a representation of {'.'.join(place.path)} is put together")
        for each in fields:
            slot = place.slots.get(each.key)
            if slot is None:
                raise Unsuited(f"nobody brings {each.key} of {'.'.join(place.path)}")
            if each.only_types:
                raise Unsuited(f"{each.key} of {'.'.join(place.path)} is required of some types only")
            slot.read = True
            for below in slot.places:
                if len(slot.places) > 1 or len(slot.levels) > 1:
                    raise Unsuited(f"{each.key} of {'.'.join(place.path)} is required with what is below it")
                self.reads(below, each.fields)


def whole(place: Place) -> Iterator[Place]:
    """The place and those below it. Types of which not everything is asked cannot come from where it is asked: they go."""
    if place.loops() > LOOPS_MAX:
        raise Unsuited(f"{'.'.join(place.path)} is in too many lists")
    for _, key, node, _, _ in place.node.fields:
        if node is not None and key not in place.slots:
            raise Unsuited(f"nobody brings {key} of {'.'.join(place.path) or 'the root'}")
    yield place
    place.slots = {key: slot for key, slot in place.slots.items() if slot.shown or slot.read}
    for slot in place.slots.values():
        kept: list[Place] = []
        for each in slot.places:
            try:
                below = list(whole(each))
            except Unsuited:
                if not each.tagged:
                    raise
            else:
                kept.append(each)
                yield from below
        if slot.places and not kept:
            raise Unsuited(f"no type is whole at {'.'.join((*place.path, slot.key))}")
        slot.places = tuple(kept)


def _for(entity: EntityInput, place: Place) -> Representation | None:
    return next(
        (each for each in entity.representations if not each.runtime_types or place.type_name in each.runtime_types),
        None,
    )


def leaf(node: Node, *, nullable: bool) -> str:
    """The annotation of a leaf's value, null aside."""
    match node:
        case ScalarNode(name="Int"):
            return "Int"
        case ScalarNode():
            return " | ".join(sorted(each.__name__ for each in node.classes))
        case EnumNode():
            return f"Literal[{', '.join(repr(each) for each in sorted(node.values))}]"
        case OpaqueNode():
            return "Any" if nullable else "Anything"
        case _:
            raise Unsuited("it asks about the schema")


_TAKEN: Final = frozenset({"field", "bool", "dict", "float", "int", "list", "str"})
"""What a class's own text means by these."""


def attribute(key: str) -> str:
    """A canonical key or a response key as the name of an attribute."""
    taken = keyword.iskeyword(key) or key in _TAKEN or key.startswith(("_", "f_")) or key[0].isupper()
    return f"f_{key}" if taken else key
