"""Whether every path a client may take through the API schema can be answered by moving through the subgraphs.

Theory of operation
-------------------
A *place* is one type in one subgraph (``Places``), or a view of it: the same type reached through ``@provides``, where some
external fields can be read too. From a place one may read the fields its subgraph resolves, and hop to the same entity in
another subgraph when the fields of one of its keys can be gathered first. A field with ``@requires`` can be read once its
requirement can be gathered. Gathering is itself reading and hopping, so the conditions depend on each other; they are settled
as a least fixpoint: nothing is possible at first, each pass allows what has become possible, until a pass allows nothing new.
Because the fixpoint is the least one, a cycle of conditions that only justify each other stays impossible, as it must.

A client's path reaches, in the subgraphs, not one place but a set of them: all places where the data could have come from.
The search (``_Search``) walks the API schema with such sets, which are Python integers used as bitsets. Each place moves by
itself (what was read from one place cannot be joined with what was read from another), so the step of a set is the union of
the steps of its places, and those are computed once each. A set that contains an earlier set for the same type has more
options than one already proved sufficient and is skipped: this ends recursion and keeps the search small.

At an abstract type the search looks at each concrete type by itself. A place whose subgraph knows the abstract type but not
the concrete one can never return it, and since the planner may choose that place, there is nothing left to prove. A place that
knows an interface only as ``@interfaceObject`` must first hop to one that can tell which implementation it is.

An argument that ``@fromContext`` fills needs an enclosing object that sets the context and from which the value can be
gathered. The search carries the contexts that are so on its way, and a set of places proved sufficient with fewer of them is
proved with more.

A labelled ``@override`` splits requests between two subgraphs, so the proof is repeated for the values of the labels.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product

from graphql import (
    FieldNode,
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLScalarType,
    GraphQLSchema,
    GraphQLUnionType,
    InlineFragmentNode,
    OperationType,
    SelectionSetNode,
    build_schema,
    get_named_type,
    is_composite_type,
    is_required_argument,
    is_required_input_field,
)

from gateway.composition.field_sets import print_field_set, selection_or_none
from gateway.composition.merge import names_of
from gateway.composition.merged import Context, FieldSource, Merged
from gateway.composition.result import Hint
from gateway.composition.subgraph import ROOTS, Key, Subgraph, string_argument
from gateway.errors import CompositionError

LABELS_TRIED_EXHAUSTIVELY = 5
"""With more labels than this, all on, all off and each one alone the other way are tried instead of all combinations."""

Places = int
"""A set of places: bit *n* is place number *n*."""


@dataclass(slots=True)
class Place:
    """One type in one subgraph; ``view`` lists what a ``@provides`` on the way here made readable."""

    number: int
    subgraph: Subgraph
    type_name: str
    view: SelectionSetNode | None
    fields: dict[str, Reading] = field(default_factory=dict)
    hops: list[Hop] = field(default_factory=list)

    @property
    def is_interface_object(self) -> bool:
        return self.subgraph.is_interface_object(self.type_name)


@dataclass(slots=True)
class Reading:
    """A field that a place's subgraph resolves: where it leads (None: a leaf), and what must be gathered first."""

    target: int | None
    condition: SelectionSetNode | None
    allowed: bool


@dataclass(slots=True)
class Hop:
    """A move to the same entity elsewhere, once the key can be gathered."""

    target: int
    key: Key | None
    allowed: bool


def check_satisfiability(merged: Merged, api: str) -> tuple[list[CompositionError], list[Hint]]:
    """An error for each field some client path reaches and no subgraph can then answer, with an operation that shows it."""
    schema = build_schema(api, assume_valid=True, assume_valid_sdl=True)
    errors: dict[tuple[str, str, str], CompositionError] = {}
    hints: dict[str, Hint] = {}
    for labels in _label_values(merged):
        world = _World(merged, labels)
        world.settle()
        search = _Search(world, schema)
        search.run()
        for error in search.errors:
            errors.setdefault((error.published_code, error.coordinate or "", ""), error)
        hints |= search.hints
    return list(errors.values()), list(hints.values())


def _label_values(merged: Merged) -> Iterator[Mapping[str, bool]]:
    labels = sorted(
        {
            source.override_label
            for merged_type in merged.types.values()
            for merged_field in merged_type.fields.values()
            for source in merged_field.sources
            if source.override_label is not None
        }
    )
    if len(labels) <= LABELS_TRIED_EXHAUSTIVELY:
        for values in product((True, False), repeat=len(labels)):
            yield dict(zip(labels, values, strict=True))
        return
    for base in (True, False):
        yield dict.fromkeys(labels, base)
        for label in labels:
            yield {**dict.fromkeys(labels, base), label: not base}


class _World:
    """All places and the moves between them, for one assignment of override labels."""

    def __init__(self, merged: Merged, labels: Mapping[str, bool]) -> None:
        self.merged = merged
        self.labels = labels
        self.places: list[Place] = []
        self.numbers: dict[tuple[str, str, SelectionSetNode | None], int] = {}
        self.sources: dict[tuple[str, str, str], FieldSource] = {
            (source.subgraph.name, merged_type.name, merged_field.name): source
            for merged_type in merged.types.values()
            for merged_field in merged_type.fields.values()
            for source in merged_field.sources
        }
        self._connecting = False
        self._closures: dict[int, Places] = {}
        self._steps: dict[tuple[int, str], tuple[bool, Places]] = {}
        for subgraph in merged.subgraphs:
            for name in (
                *subgraph.composites,
                *(n for n, t in subgraph.types.items() if isinstance(t, GraphQLUnionType)),
            ):
                self.place(subgraph, name, None)

    def place(self, subgraph: Subgraph, type_name: str, view: SelectionSetNode | None) -> int:
        found = self.numbers.get((subgraph.name, type_name, view))
        if found is not None:
            return found
        place = Place(len(self.places), subgraph, type_name, view)
        self.places.append(place)
        self.numbers[subgraph.name, type_name, view] = place.number
        if not self._connecting:
            # Its moves lead to more new places: they are a queue, for a recursion would be as deep as the graph.
            self._connecting = True
            number = place.number
            while number < len(self.places):
                self._add_fields(self.places[number])
                self._add_hops(self.places[number])
                self._add_narrowed(self.places[number])
                number += 1
            self._connecting = False
        return place.number

    def _add_fields(self, place: Place) -> None:
        holder = place.subgraph.types[place.type_name]
        if not isinstance(holder, GraphQLObjectType | GraphQLInterfaceType):
            return
        provided = dict(_provided_fields(place.view, place.type_name))
        for name, defined in holder.fields.items():
            source = self.sources.get((place.subgraph.name, place.type_name, name))
            if source is None or not (name in provided or self._resolves(place, name, source)):
                continue
            target_type = get_named_type(defined.type)
            target: int | None = None
            if is_composite_type(target_type):
                inner = provided.get(name)
                for directive in place.subgraph.applied(defined.ast_node, "provides"):
                    inner = inner or selection_or_none(string_argument(directive, "fields") or "")
                target = self.place(place.subgraph, target_type.name, inner)
            condition = None
            for directive in place.subgraph.applied(defined.ast_node, "requires"):
                condition = selection_or_none(string_argument(directive, "fields") or "")
            place.fields[name] = Reading(target, condition, condition is None)

    def _add_narrowed(self, place: Place) -> None:
        """What a field provides is seen from its runtime types too, whose hops are to be settled with all others."""
        holder = place.subgraph.types[place.type_name]
        if place.view is not None and isinstance(holder, GraphQLInterfaceType | GraphQLUnionType):
            for each in place.subgraph.schema.get_possible_types(holder):
                self.place(place.subgraph, each.name, place.view)

    def _resolves(self, place: Place, name: str, source: FieldSource) -> bool:
        if not self._source_resolves(source):
            return False
        holder = place.subgraph.types[place.type_name]
        if not isinstance(holder, GraphQLInterfaceType):
            return True
        # Asking the interface is enough only where each implementation answers without conditions.
        for implementation in place.subgraph.schema.get_implementations(holder).objects:
            own = self.sources.get((place.subgraph.name, implementation.name, name))
            if own is None or not self._source_resolves(own) or place.subgraph.has(own.node, "requires"):
                return False
        return True

    def _source_resolves(self, source: FieldSource) -> bool:
        if source.external:
            return False
        if source.override_label is not None:
            return self.labels[source.override_label] == (source.overridden_by is None)
        return source.overridden_by is None

    def _add_hops(self, place: Place) -> None:
        if place.type_name in ROOTS.values():
            for other in self.merged.subgraphs:
                if other is not place.subgraph and place.type_name in other.types:
                    place.hops.append(Hop(self.place(other, place.type_name, None), None, True))
            return
        merged_type = self.merged.types.get(place.type_name)
        names = [place.type_name, *(merged_type.interfaces if merged_type else ())]
        for other in self.merged.subgraphs:
            for name in names:
                if name != place.type_name and not other.is_interface_object(name):
                    continue
                if other is place.subgraph and name == place.type_name:
                    continue
                for key in other.keys.get(name, ()):
                    if key.resolvable and key.selection is not None:
                        place.hops.append(Hop(self.place(other, name, None), key, False))

    def settle(self) -> None:
        """Allow readings and hops until nothing more becomes possible."""
        changed = True
        while changed:
            changed = False
            self._closures.clear()
            self._steps.clear()
            number = 0
            while number < len(self.places):
                place = self.places[number]
                for reading in place.fields.values():
                    if not reading.allowed and reading.condition and self.gatherable(1 << number, reading.condition):
                        reading.allowed = changed = True
                for hop in place.hops:
                    if (
                        not hop.allowed
                        and hop.key
                        and hop.key.selection
                        and self.gatherable(1 << number, hop.key.selection)
                    ):
                        hop.allowed = changed = True
                number += 1
        self._closures.clear()
        self._steps.clear()

    def closure(self, number: int) -> Places:
        """The place itself and all that hops reach from it."""
        known = self._closures.get(number)
        if known is not None:
            return known
        reached = 1 << number
        waiting = [number]
        while waiting:
            for hop in self.places[waiting.pop()].hops:
                if hop.allowed and not reached >> hop.target & 1:
                    reached |= 1 << hop.target
                    waiting.append(hop.target)
        self._closures[number] = reached
        return reached

    def step(self, number: int, name: str) -> tuple[bool, Places]:
        """Whether the field can be read starting from this place, and where that may lead."""
        known = self._steps.get((number, name))
        if known is not None:
            return known
        possible = False
        targets = 0
        start = self.places[number]
        # Where the concrete type is known already, asking every implementation of an interface met on the way proves nothing.
        concrete = not start.is_interface_object and isinstance(
            start.subgraph.types[start.type_name], GraphQLObjectType
        )
        for reached in members(self.closure(number)):
            place = self.places[reached]
            reading = place.fields.get(name)
            if reading is not None:
                if reading.allowed:
                    possible = True
                    targets |= 0 if reading.target is None else 1 << reading.target
            elif not concrete:
                exploded, inner = self._exploded(place, name)
                possible = possible or exploded
                targets |= inner
        self._steps[number, name] = possible, targets
        return possible, targets

    def _exploded(self, place: Place, name: str) -> tuple[bool, Places]:
        """A field of an interface read through each implementation by itself."""
        holder = place.subgraph.types[place.type_name]
        if not isinstance(holder, GraphQLInterfaceType):
            return False, 0
        implementations = place.subgraph.schema.get_implementations(holder).objects
        targets = 0
        for implementation in implementations:
            possible, inner = self.step(self.place(place.subgraph, implementation.name, place.view), name)
            if not possible:
                return False, 0
            targets |= inner
        return bool(implementations), targets

    def step_all(self, places: Places, name: str) -> tuple[bool, Places]:
        possible = False
        targets = 0
        for number in members(places):
            one, inner = self.step(number, name)
            possible = possible or one
            targets |= inner
        return possible, targets

    def gatherable(self, places: Places, selection_set: SelectionSetNode) -> bool:
        """Whether all of a key or requirement can be read from these places."""
        return self.first_missing(places, selection_set) is None

    def first_missing(self, places: Places, selection_set: SelectionSetNode) -> str | None:
        for selection in selection_set.selections:
            if isinstance(selection, InlineFragmentNode):
                narrowed: Places | None = places
                if selection.type_condition is not None:
                    narrowed, _ = self.downcast(places, selection.type_condition.name.value)
                if narrowed:
                    missing = self.first_missing(narrowed, selection.selection_set)
                    if missing is not None:
                        return missing
            elif isinstance(selection, FieldNode) and selection.name.value != "__typename":
                possible, targets = self.step_all(places, selection.name.value)
                if not possible:
                    return selection.name.value
                if selection.selection_set is not None:
                    missing = self.first_missing(targets, selection.selection_set)
                    if missing is not None:
                        return f"{selection.name.value}.{missing}"
        return None

    def downcast(self, places: Places, concrete: str) -> tuple[Places, bool]:
        """The places narrowed to a concrete type; and whether some place proves the type cannot occur there."""
        narrowed = 0
        impossible = False
        for number in members(places):
            place = self.places[number]
            if place.type_name == concrete:
                narrowed |= 1 << number
                continue
            if place.is_interface_object:
                for reached in members(self.closure(number)):
                    other = self.places[reached]
                    if other.type_name == place.type_name and not other.is_interface_object:
                        inner = self._narrowed(other, concrete)
                        if inner is not None:
                            # Fields the interface object resolves itself stay readable: its key led here.
                            narrowed |= 1 << inner | 1 << number
                continue
            inner = self._narrowed(place, concrete)
            if inner is None:
                impossible = True
            else:
                narrowed |= 1 << inner
        return narrowed, impossible

    def _narrowed(self, place: Place, concrete: str) -> int | None:
        abstract = place.subgraph.types[place.type_name]
        if not isinstance(abstract, GraphQLInterfaceType | GraphQLUnionType):
            return None
        if all(possible.name != concrete for possible in place.subgraph.schema.get_possible_types(abstract)):
            return None
        return self.place(place.subgraph, concrete, place.view)


def _provided_fields(view: SelectionSetNode | None, type_name: str) -> Iterator[tuple[str, SelectionSetNode | None]]:
    """What a view adds to a place of this type; fragments on other types wait for the narrowing."""
    for selection in view.selections if view else ():
        if isinstance(selection, FieldNode):
            yield selection.name.value, selection.selection_set
        elif isinstance(selection, InlineFragmentNode):
            condition = selection.type_condition
            if condition is None or condition.name.value == type_name:
                yield from _provided_fields(selection.selection_set, type_name)


def members(places: Places) -> Iterator[int]:
    """The numbers in a set, ascending."""
    while places:
        lowest = places & -places
        yield lowest.bit_length() - 1
        places ^= lowest


@dataclass(frozen=True, slots=True)
class _State:
    """Somewhere in the API schema, with the places the data may be in; ``path`` is how a client gets here."""

    type_name: str
    places: Places
    path: tuple[str, ...]
    """Steps of the witness: ``Type.field`` or ``... on Type``."""
    contexts: frozenset[str] = frozenset()
    """Contexts whose value can be gathered from the nearest enclosing object that sets them."""


class _Search:
    """The walk over the API schema for one world."""

    def __init__(self, world: _World, api: GraphQLSchema) -> None:
        self.world = world
        self.api = api
        self.errors: list[CompositionError] = []
        self.hints: dict[str, Hint] = {}
        self.failed: set[str] = set()
        self.visited: dict[str, list[tuple[Places, frozenset[str]]]] = {}
        self.context_selections: dict[str, list[SelectionSetNode]] = {}
        for source in world.sources.values():
            for context in source.contexts:
                selection = selection_or_none(context.selection)
                if selection is not None:
                    self.context_selections.setdefault(context.context, []).append(selection)
        self.context_setters = _context_setters(world.merged) if self.context_selections else {}

    def run(self) -> None:
        for operation in OperationType:
            root = self.api.get_root_type(operation)
            if root is None:
                continue
            places = 0
            for subgraph in self.world.merged.subgraphs:
                if root.name in subgraph.types:
                    places |= 1 << self.world.place(subgraph, root.name, None)
            if operation is OperationType.MUTATION:
                self.mutations(root, places)
            else:
                self.walk([_State(root.name, places, ())])

    def mutations(self, root: GraphQLObjectType, places: Places) -> None:
        """A mutation runs in one subgraph only, so one of its owners alone must lead to everything below."""
        for name in root.fields:
            attempts: list[tuple[list[CompositionError], dict[str, list[tuple[Places, frozenset[str]]]], set[str]]] = []
            for number in members(places):
                reading = self.world.places[number].fields.get(name)
                if reading is None:
                    continue
                attempt = _Search(self.world, self.api)
                attempt.visited = {key: list(sets) for key, sets in self.visited.items()}
                attempt.failed = set(self.failed)
                if reading.target is not None:
                    target = get_named_type(root.fields[name].type).name
                    attempt.walk([_State(target, 1 << reading.target, (f"{root.name}.{name}",))])
                self.hints |= attempt.hints
                attempts.append((attempt.errors, attempt.visited, attempt.failed))
                if not attempt.errors:
                    break
            if not attempts:
                self.fail(_State(root.name, places, ()), name)
                continue
            errors, visited, failed = min(attempts, key=lambda attempt: len(attempt[0]))
            self.errors += errors
            self.failed = failed
            if not errors:
                self.visited = visited

    def walk(self, states: Iterable[_State]) -> None:
        waiting = deque(states)
        while waiting:
            state = waiting.popleft()
            seen = self.visited.setdefault(state.type_name, [])
            if any(earlier & state.places == earlier and known <= state.contexts for earlier, known in seen):
                continue
            seen.append((state.places, state.contexts))
            here = self.api.type_map[state.type_name]
            if isinstance(here, GraphQLObjectType):
                waiting.extend(self.fields(state, here))
            elif isinstance(here, GraphQLInterfaceType | GraphQLUnionType):
                waiting.extend(self.narrowings(state, here))

    def fields(self, state: _State, here: GraphQLObjectType) -> Iterator[_State]:
        below = self.contexts_below(state)
        for name, defined in here.fields.items():
            possible, targets = self.world.step_all(state.places, name)
            if not possible:
                self.fail(state, name)
                continue
            if self.context_selections and (lacking := self.lacking_context(state, name)) is not None:
                self.fail_context(state, name, lacking)
                continue
            target = get_named_type(defined.type)
            if is_composite_type(target):
                if isinstance(target, GraphQLInterfaceType | GraphQLUnionType):
                    self.compare_runtime_types(state, name, targets)
                yield _State(target.name, targets, (*state.path, f"{here.name}.{name}"), below)

    def contexts_below(self, state: _State) -> frozenset[str]:
        """The contexts as they are for what this type encloses: those it sets itself are taken from it and nowhere else."""
        set_here = self.context_setters.get(state.type_name)
        if not set_here:
            return state.contexts
        gathered = {
            context
            for context in set_here
            if all(self.world.gatherable(state.places, each) for each in self.context_selections.get(context, ()))
        }
        return (state.contexts - set_here) | gathered

    def lacking_context(self, state: _State, name: str) -> Context | None:
        """A context that the field's argument is filled from and that cannot be had here, if that is so for each owner."""
        merged_type = self.world.merged.types.get(state.type_name)
        merged_field = merged_type.fields.get(name) if merged_type else None
        lacking: Context | None = None
        for source in merged_field.live if merged_field else ():
            unmet = [context for context in source.contexts if context.context not in state.contexts]
            if not unmet:
                return None
            lacking = lacking or unmet[0]
        return lacking

    def narrowings(self, state: _State, here: GraphQLInterfaceType | GraphQLUnionType) -> Iterator[_State]:
        for concrete in sorted(self.api.get_possible_types(here), key=lambda found: found.name):
            narrowed, impossible = self.world.downcast(state.places, concrete.name)
            if impossible:
                continue
            if not narrowed:
                self.fail_narrowing(state, concrete.name)
                return
            yield _State(concrete.name, narrowed, (*state.path, f"... on {concrete.name}"), state.contexts)

    def compare_runtime_types(self, state: _State, name: str, targets: Places) -> None:
        """Owners of a shared field that can never return the same type would make its value depend on who is asked."""
        merged_type = self.world.merged.types.get(state.type_name)
        merged_field = merged_type.fields.get(name) if merged_type else None
        if merged_field is None or len(merged_field.live) < 2:
            return
        possible: dict[str, frozenset[str]] = {}
        for number in members(targets):
            place = self.world.places[number]
            abstract = place.subgraph.types[place.type_name]
            if isinstance(abstract, GraphQLInterfaceType | GraphQLUnionType):
                runtime = place.subgraph.schema.get_possible_types(abstract)
                possible[place.subgraph.name] = frozenset(found.name for found in runtime)
        if len(set(possible.values())) < 2:
            return
        coordinate = merged_field.coordinate
        listed = "; ".join(
            f'"{subgraph}": {", ".join(sorted(types)) or "none"}' for subgraph, types in sorted(possible.items())
        )
        if frozenset.intersection(*possible.values()):
            text = f'"{coordinate}" may return other types depending on the subgraph that resolves it ({listed})'
            self.hints[coordinate] = Hint("INCONSISTENT_RUNTIME_TYPES_FOR_SHAREABLE_RETURN", text, coordinate)
        elif coordinate not in self.failed:
            self.failed.add(coordinate)
            self.errors.append(
                CompositionError(
                    "SHAREABLE_HAS_MISMATCHED_RUNTIME_TYPES",
                    f'"{coordinate}" is shared, but the subgraphs have no returned type in common ({listed}): let them share one,'
                    " or leave the field to one subgraph",
                    coordinate=coordinate,
                    subgraphs=tuple(sorted(possible)),
                )
            )

    def fail(self, state: _State, name: str) -> None:
        coordinate = f"{state.type_name}.{name}"
        if coordinate in self.failed:
            return
        self.failed.add(coordinate)
        merged_type = self.world.merged.types[state.type_name]
        merged_field = merged_type.fields[name]
        # A field that only an interface object contributes is missing in the type's own subgraphs; those say so.
        owners = [source.subgraph for source in merged_field.live] or merged_type.subgraphs
        reasons = [reason for owner in owners for reason in self.reasons(state, owner, name)]
        witness = self.witness((*state.path, coordinate))
        self.errors.append(
            CompositionError(
                "SATISFIABILITY_ERROR",
                f'"{coordinate}" cannot be answered for this operation:\n{witness}\n'
                + "\n".join(f"- {r}" for r in reasons),
                coordinate=coordinate,
                subgraphs=tuple(dict.fromkeys([*(s.name for s in self.here(state)), *(s.name for s in owners)])),
            )
        )

    def fail_context(self, state: _State, name: str, lacking: Context) -> None:
        coordinate = f"{state.type_name}.{name}"
        if coordinate in self.failed:
            return
        self.failed.add(coordinate)
        subgraph, _, context = lacking.context.partition("__")
        self.errors.append(
            CompositionError(
                "SATISFIABILITY_ERROR",
                f'"{coordinate}" cannot be answered for this operation:\n{self.witness((*state.path, coordinate))}\n'
                f'- its argument "{lacking.argument}" is filled from the context "{context}", but no object around it sets that'
                f' and has "{lacking.selection}" within reach: add @context(name: "{context}") to a type on the way, in'
                f' "{subgraph}"',
                coordinate=coordinate,
                subgraphs=(subgraph,),
            )
        )

    def fail_narrowing(self, state: _State, concrete: str) -> None:
        coordinate = state.type_name
        if coordinate in self.failed:
            return
        self.failed.add(coordinate)
        witness = self.witness((*state.path, f"... on {concrete}"))
        self.errors.append(
            CompositionError(
                "SATISFIABILITY_ERROR",
                f'no subgraph can tell which implementation of "{coordinate}" is returned for this operation:\n{witness}\n'
                f'- {names_of(self.here(state))} know "{coordinate}" only as @interfaceObject: some subgraph must define the'
                " interface with a resolvable @key that can be gathered there",
                coordinate=coordinate,
                subgraphs=tuple(subgraph.name for subgraph in self.here(state)),
            )
        )

    def here(self, state: _State) -> list[Subgraph]:
        found = {
            self.world.places[number].subgraph.name: self.world.places[number].subgraph
            for number in members(state.places)
        }
        return list(found.values())

    def reasons(self, state: _State, owner: Subgraph, name: str) -> Iterator[str]:
        """The missing link to one owner of the field, and what would close it."""
        type_name = state.type_name
        where = names_of(self.here(state))
        place = self.world.places[self.world.place(owner, type_name, None)]
        reading = place.fields.get(name)
        if reading is None:
            labels = [label for label, on in self.world.labels.items() if on]
            when = f" while the override labels {', '.join(labels)} are on" if labels else ""
            yield f'"{owner.name}" does not resolve it there{when}: it is @external, overridden, or only provided elsewhere'
            return
        if self.reachable(state) >> place.number & 1 and reading.condition is not None:
            missing = self.world.first_missing(1 << place.number, reading.condition)
            yield (
                f'"{owner.name}" resolves it, but its @requires(fields: "{print_field_set(reading.condition)}") cannot be'
                f' gathered: "{missing}" is out of reach. Make that field reachable by a @key both subgraphs know'
            )
            return
        keys = [key for key in owner.keys.get(type_name, ()) if key.resolvable and key.selection]
        if not keys:
            fix = f'add a resolvable @key to "{type_name}" there, with fields {where} can give'
            yield f'"{owner.name}" resolves it, but "{type_name}" has no resolvable @key there: {fix}'
            return
        for key in keys:
            assert key.selection is not None
            missing = self.world.first_missing(state.places, key.selection)
            yield (
                f'"{owner.name}" resolves it and can be entered by @key(fields: "{key.fields}"), but from {where} the key field'
                f' "{missing}" is out of reach: add "{missing}" to "{type_name}" in {where}, or share a key'
            )

    def reachable(self, state: _State) -> Places:
        """The places of a state and all that hops reach from them."""
        reached = 0
        for number in members(state.places):
            reached |= self.world.closure(number)
        return reached

    def witness(self, path: tuple[str, ...]) -> str:
        """An operation that walks the path, with made-up values for required arguments."""
        root = path[0].partition(".")[0]
        operation = next(operation for operation, name in ROOTS.items() if name == root)
        steps: list[str] = []
        last: GraphQLField | None = None
        for step in path:
            if step.startswith("..."):
                steps.append(step)
                last = None
                continue
            holder, _, name = step.partition(".")
            found = self.api.type_map[holder]
            assert isinstance(found, GraphQLObjectType | GraphQLInterfaceType)
            last = found.fields[name]
            required = [f"{key}: {example(a.type)}" for key, a in last.args.items() if is_required_argument(a)]
            steps.append(name + (f"({', '.join(required)})" if required else ""))
        if last is None or is_composite_type(get_named_type(last.type)):
            steps.append("__typename")
        lines = [f"{operation} {{"]
        lines += [
            "  " * (depth + 1) + step + (" {" if depth < len(steps) - 1 else "") for depth, step in enumerate(steps)
        ]
        lines += ["  " * depth + "}" for depth in reversed(range(len(steps)))]
        return "\n".join(lines)


def _context_setters(merged: Merged) -> dict[str, frozenset[str]]:
    """Object type → the contexts it sets, also through an interface or a union."""
    found: dict[str, set[str]] = {}
    for subgraph in merged.subgraphs:
        for name, of in subgraph.types.items():
            for directive in subgraph.applied(of.ast_node, "context"):
                context = f"{subgraph.name}__{string_argument(directive, 'name')}"
                abstract = isinstance(of, GraphQLInterfaceType | GraphQLUnionType)
                for each in (one.name for one in subgraph.schema.get_possible_types(of)) if abstract else (name,):  # type: ignore[arg-type]
                    found.setdefault(each, set()).add(context)
    return {name: frozenset(contexts) for name, contexts in found.items()}


def example(wanted: GraphQLInputType) -> str:
    """A literal of an input type, for the witness."""
    if isinstance(wanted, GraphQLNonNull):
        return example(wanted.of_type)
    if isinstance(wanted, GraphQLList):
        return f"[{example(wanted.of_type)}]"
    if isinstance(wanted, GraphQLEnumType):
        return str(next(iter(wanted.values)))
    if isinstance(wanted, GraphQLInputObjectType):
        required = [f"{key}: {example(f.type)}" for key, f in wanted.fields.items() if is_required_input_field(f)]
        return f"{{{', '.join(required)}}}"
    assert isinstance(wanted, GraphQLScalarType)
    return {"Int": "1", "Float": "1.0", "Boolean": "true"}.get(wanted.name, '"…"')
