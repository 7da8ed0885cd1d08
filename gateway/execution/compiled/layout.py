"""What a plan's answers are made of: the objects of the merged tree, which fetch brings what of them, what the client sees.

Theory of operation
-------------------
The plan's documents and the client's shape (``nodes.ObjectNode``) are read side by side into a tree of *places*. A
place is an object position for one object type; its fields are those of its *base*, the fetch whose document creates
the object, and those that other fetches add: an entity fetch to the objects it was sent for, any fetch to a value that
another one tells in part. All of it is known before any answer is: which fields there are, of which type, whether they may
be null, who reads them.

Whatever would need a decision while merging has no layout (``Unsuited``): the interpreter runs it. What is left of that is
an object whose type a later fetch tells (a stand-in of an interface), ``@fromContext``, introspection, which is kept whole
elsewhere, and a few things that planners seldom write.

What belongs here: reading. What does not: Python text (``source``), running (``program``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, TypeAlias

from graphql import FieldNode, InlineFragmentNode, OperationDefinitionNode, SelectionSetNode, VariableNode, parse
from graphql.language import BooleanValueNode, DirectiveNode

from gateway.execution.compiled.places import TYPENAME, Gathering, Layout, Place, Slot, attribute
from gateway.execution.nodes import (
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
from gateway.plan import EACH, EntityInput, Fetch, Path, QueryPlan, Representation, RequiredField, TypeFilter
from gateway.supergraph import Supergraph

PLACES_MAX: Final = 400
LOOPS_MAX: Final = 18
"""Nested loops on the way to one place; Python allows twenty."""

Truths: TypeAlias = Mapping[str, bool]

_SEVERAL: Final = -1
_NAMES: Final = {"ID": "str", "String": "str", "Int": "Int"}
"""The types that keys are mostly of."""


class Unsuited(Exception):
    """This plan is left to the interpreter; the text says what it has that a layout cannot hold."""


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
        self.roots: dict[int, Place] = {}
        self.before: dict[int, set[int]] = {}
        """Fetch id → those that are done when it is sent."""
        self.after: dict[int, set[int]] = {}
        self.fetch: Fetch
        """The one whose document is being read."""
        self.landing: Place
        """Where its answer goes."""

    def read(self, shape: ObjectNode) -> Layout:
        upstream = (self.plan.subscription,) if self.plan.subscription is not None else ()
        fetches = [each for each in (*upstream, *self.plan.fetches) if self._sent(each)]
        roots = [each.id for each in fetches if not each.entities and not each.path]
        root = self.place(shape, shape.typename, roots[0] if len(roots) == 1 else _SEVERAL, None, tagged=False)
        for fetch in fetches:
            if fetch.contexts:
                raise Unsuited(f"fetch {fetch.id} takes from contexts")
            self.fetch = fetch
            self.before[fetch.id] = {*fetch.depends_on}.union(
                *(self.before.get(each, ()) for each in fetch.depends_on), (each.id for each in upstream)
            )
            definition = parse(fetch.document, no_location=True).definitions[0]
            assert isinstance(definition, OperationDefinitionNode)
            if fetch.entities:
                self.entities(fetch, definition.selection_set, root)
            else:
                self.ask_root(fetch, definition.selection_set, root)
        kept = list(whole(root))
        for gathering in (each for several in self.gatherings.values() for each in several):
            gathering.stations = [each for each in gathering.stations if each[0] in kept]
        if not all(each in kept for each in self.roots.values()):
            raise Unsuited("a root type is asked of a type that is not whole")
        return Layout(
            fetches=fetches,
            root=root,
            places=kept,
            gatherings=self.gatherings,
            roots=self.roots,
            after=self.after,
        )

    def ask_root(self, fetch: Fetch, selections: SelectionSetNode, root: Place) -> None:
        places = self.at(root, fetch.path)
        if len(places) > 1:
            raise Unsuited(f"fetch {fetch.id} asks a root type of objects of several types")
        self.landing = self.roots[fetch.id] = places[0]
        self.take(fetch.id, places[0], selections)

    def _sent(self, fetch: Fetch) -> bool:
        return not fetch.guard or any(
            all(self.truths.get(name, False) is wanted for name, wanted in conjunction) for conjunction in fetch.guard
        )

    # --- places -----------------------------------------------------------------------------------------------------------

    def place(
        self, node: ObjectNode, type_name: str, base: int, parent: tuple[Place, Slot] | None, *, tagged: bool
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
            if asked.name.value == TYPENAME:
                place.told = True
                place.surplus = place.surplus or asked.alias is not None
                continue
            wire = asked.alias.value if asked.alias else asked.name.value
            key = self.canonical(wire, place)
            known = place.slots.get(key)
            if known is not None:
                self.again(fetch, known, wire, asked.selection_set)
                continue
            slot = Slot(key=key, attribute=attribute(key), names={fetch: wire})
            place.slots[key] = slot
            if key in shown:
                node, nullable = shown[key]
                slot.shown = True
                self.fill(slot, node, nullable, place, asked.selection_set)
            else:
                of = self.supergraph.fields.get(place.type_name, {}).get(asked.name.value)
                if of is not None and not of.list_depth:
                    slot.leaf = _NAMES.get(of.name, slot.leaf)

    def again(self, fetch: int, slot: Slot, wire: str, selections: SelectionSetNode | None) -> None:
        """What a document asks that an earlier one asks, too, or an earlier fragment of the same."""
        if fetch not in slot.names:
            # Of what is never null there is nothing more to know.
            if selections is None and slot.shown and not any(slot.levels):
                return
            if slot.source not in self.before[fetch]:
                self.after.setdefault(fetch, set()).add(slot.source)
            slot.names[fetch] = wire
        for place in slot.places:
            assert selections is not None
            if place.tagged and not self.tells_type(selections):
                raise Unsuited(f"more of {place.type_name} at {'.'.join(place.path)} comes without its type")
            self.take(fetch, place, selections)

    def canonical(self, wire: str, place: Place) -> str:
        """The canonical key of what the document calls so."""
        for each in self.fetch.renames:
            whose = not each.only_types or place.type_name in (*each.only_types, *self.supergraph.abstract)
            if each.source == wire and whose and self.leads(each.path, place):
                return each.target
        return wire

    def leads(self, path: Path, place: Place) -> bool:
        """Whether a path of the fetch's own answer leads to a place."""
        for segment in reversed(path):
            if isinstance(segment, TypeFilter):
                if place.type_name not in segment.types:
                    return False
            elif segment != EACH:
                if place.parent is None or place is self.landing or place.parent[1].key != segment:
                    return False
                place = place.parent[0]
        return place is self.landing

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
        for each in node.types() if self.tells_type(selections) else (None,):
            of = node.node({TYPENAME: each} if each is not None else {})
            if of is None:
                raise Unsuited(f"{node.name} at {'.'.join((*place.path, slot.key))} comes without its type")
            found = self.place(of, each or node.name, slot.source, parent, tagged=each is not None)
            self.take(slot.source, found, selections)
            yield found

    def tells_type(self, selections: SelectionSetNode) -> bool:
        return any(each.name.value == TYPENAME and not each.alias for each in self.asked(selections, None))

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
                    self.landing = place
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
    place.surplus = place.surplus or not all(slot.shown or slot.read for slot in place.slots.values())
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
