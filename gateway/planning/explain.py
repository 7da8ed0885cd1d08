"""Why a plan is as it is: for each fetch what it answers, what forced it, what else could, and what would remove it.

Theory of operation. Planning keeps no reasons, so that a request pays for none. Explaining plans once more, with a walk
that remembers who took what for whom (``watched.Recorded``); all else is derived from that and from the supergraph's tables:

- *Answers and gatherings* are what was taken for the client and for later fetches.
- *What forced a hop* is asked of the place where a fetch begins: which visits were there before, and why the fields that
  the fetch was entered for could not be taken by them.
- *Alternatives* are the other subgraphs that ``reach`` finds for those fields. Each is measured: the same search runs
  with walks that may take these fields, here, from that subgraph alone (``watched.Forced``).
- *Remedies* are small changes of the supergraph, made from the join directives at the place (``remedies``). Each is
  measured by planning against the changed supergraph, and only those that gave a smaller plan are told.

Measuring has a budget of its own; what it does not reach is said to be not computed. Same inputs, same explanation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cached_property, partial
from itertools import islice
from typing import Final

from graphql import FieldDefinitionNode, parse
from graphql.language.print_string import print_string

from gateway.errors import PlanningFailed
from gateway.operation import Field, Operation, Selection
from gateway.plan import OperationKind
from gateway.planning import remedies
from gateway.planning.assemble import assemble
from gateway.planning.explanation import (
    Alternative,
    Answer,
    Explanation,
    FetchExplanation,
    Gathering,
    Reason,
    Remedy,
    Size,
    listed,
)
from gateway.planning.fetch_graph import Group, Place, Visit
from gateway.planning.needs import TYPENAME
from gateway.planning.planner import WALKS_MAX, WORK_MAX, Found, MakeWalk, Planner
from gateway.planning.walk import CLIENT, Purpose, Walk, Want
from gateway.planning.watched import Forced, Keys, Recorded, Spot, Taken, keys_of
from gateway.selection import FieldSet, print_field_set
from gateway.supergraph import Supergraph

ALTERNATIVES_MAX: Final = 40
"""Alternatives that are measured for one plan."""
CHANGES_MAX: Final = 24
"""Changed supergraphs that are built for one plan; each is a new query graph."""
MEASURE_WALKS_MAX: Final = 40
MEASURE_WORK_MAX: Final = 40_000
"""Wants that all measuring may look at, as in ``planner.WORK_MAX``: some tenths of a second."""
REMEDIES_MAX: Final = 3
"""Remedies told of one fetch."""
FIELDS_MAX: Final = 4
"""A change of more fields than this is a move of a type's responsibility, not a remedy."""
PATHS_MAX: Final = 3
"""Client paths told of one field."""


class Meter:
    """Measures plans until the budget is spent."""

    def __init__(self, operation: Operation) -> None:
        self.operation = operation
        self.work = MEASURE_WORK_MAX
        self.alternatives = ALTERNATIVES_MAX
        self.changes = CHANGES_MAX
        self.unmeasured = 0
        self.known: dict[str, Size | None] = {}

    def alternative(self, planner: Callable[[], Planner], make: MakeWalk) -> tuple[bool, Size | None]:
        """Whether it was measured, and the size of the best plan found; None when there is no such plan."""
        if self.alternatives <= 0 or self.work <= 0:
            return False, None
        self.alternatives -= 1
        return True, self.measure(planner(), make)

    def changed(self, change: str, make: Callable[[], Supergraph | None]) -> Size | None:
        """The size of the plan over a changed supergraph."""
        if change not in self.known:
            supergraph = make()
            if supergraph is None:
                return None
            if self.changes <= 0 or self.work <= 0:
                self.unmeasured += 1
                return None
            self.changes -= 1
            self.known[change] = self.measure(Planner(supergraph))
        return self.known[change]

    def measure(self, planner: Planner, make: MakeWalk = Walk) -> Size | None:
        # Other plans ask for other keys; the operation's own must not learn of them.
        operation = replace(self.operation, keys=self.operation.keys.copy())
        work_max = min(self.work, WORK_MAX)
        try:
            found = planner.search(operation, make, walks_max=MEASURE_WALKS_MAX, work_max=work_max)
        except PlanningFailed:
            self.work -= work_max // 10  # A search that found nothing does not say what it cost.
            return None
        self.work -= found.work
        return size_of(found)


def explain(
    planner: Planner, operation: Operation, *, walks_max: int = WALKS_MAX, work_max: int = WORK_MAX
) -> Explanation:
    """The operation's plan, the very one ``planner.plan`` gives, with its reasons; or ``PlanningFailed``."""
    found = planner.search(operation, Recorded, walks_max=walks_max, work_max=work_max)
    walk = found.walk
    assert isinstance(walk, Recorded)
    budget = ""
    if found.truncated:
        budget = f"{walks_max} plans" if found.walks >= walks_max else f"{work_max} looks at wanted fields"
    meter = Meter(operation)
    explained = _Explainer(planner, operation, found, walk, meter)
    fetches = tuple(explained.fetch(number) for number in range(len(found.bundles)))
    return Explanation(
        plan=assemble(planner.graph, operation, found.bundles, truncated=found.truncated),
        size=size_of(found),
        plans_considered=found.walks,
        budget=budget,
        unmeasured=meter.unmeasured,
        fetches=fetches,
    )


class _Explainer:
    """One plan being explained."""

    def __init__(self, planner: Planner, operation: Operation, found: Found, walk: Recorded, meter: Meter) -> None:
        self.planner = planner
        self.graph = planner.graph
        self.supergraph = planner.graph.supergraph
        self.operation = operation
        self.found = found
        self.size = size_of(found)
        self.walk = walk
        self.meter = meter
        self.number = {id(group): number for number, bundle in enumerate(found.bundles) for group in bundle.groups}
        self.paths = client_paths(operation)
        self.taken: dict[int, list[Taken]] = {}
        for taken in walk.taken:
            self.taken.setdefault(self.number[id(taken.group)], []).append(taken)

    def fetch(self, number: int) -> FetchExplanation:
        bundle = self.found.bundles[number]
        taken = self.taken.get(number, [])
        entry = [each for each in taken if each.visit.entered]
        gathers = tuple(dict.fromkeys(found for each in taken if (found := self.gathering(each)) is not None))
        return FetchExplanation(
            id=number,
            subgraph=bundle.subgraph,
            answers=tuple(self.answers(taken)),
            gathers=gathers,
            forced=tuple(dict.fromkeys(self.reasons(bundle.groups, entry))),
            alternatives=tuple(self.alternatives(entry)),
            remedies=tuple(islice(self.remedies(bundle.subgraph, bundle.groups, entry), REMEDIES_MAX)),
        )

    def answers(self, taken: list[Taken]) -> Iterator[Answer]:
        """Leaves, and the fields the fetch begins with; objects on the way to a leaf say nothing of their own."""
        told: set[tuple[str, tuple[str, ...]]] = set()
        for each in taken:
            paths = tuple(self.paths.get((*keys_of(each.place), each.need.key), ())[:PATHS_MAX])
            if each.consumer is not None or not paths or not (each.visit.entered or each.need.below is None):
                continue
            for coordinate, of in self.coordinates(each):
                if (coordinate, paths) not in told:
                    told.add((coordinate, paths))
                    resolvers = self.supergraph.owners(of, each.need.name) or (each.group.subgraph,)
                    yield Answer(coordinate=coordinate, paths=paths, resolvers=resolvers)

    def coordinates(self, taken: Taken) -> Iterator[tuple[str, str]]:
        """The field's coordinates, each with an object type that has it: the interface's own when all types are meant."""
        static, name = taken.place.static, taken.need.name
        shared = static in self.supergraph.abstract and name in self.supergraph.fields.get(static, {})
        if shared and set(taken.types) == set(taken.place.types):
            yield f"{static}.{name}", taken.types[0]
            return
        for each in taken.types:
            yield f"{each}.{name}", each

    def gathering(self, taken: Taken) -> Gathering | None:
        if taken.consumer is None or taken.need.name == TYPENAME:
            return None
        wanted = list(self.wanted_by(taken))
        if not wanted:
            return None
        purpose, fields, of = wanted[0]
        if purpose == "key":
            of = f"{of} {{ {print_field_set(fields)} }}"
        else:
            of = listed(dict.fromkeys(of for other, _, of in wanted if other == purpose))
        return Gathering(
            coordinate=next(self.coordinates(taken))[0],
            consumer=self.number[id(taken.consumer)],
            purpose=purpose,
            of=of,
        )

    def wanted_by(self, taken: Taken) -> Iterator[tuple[str, FieldSet, str]]:
        """What of the consumer wants this: a ``key`` and its type, or what a field ``requires`` or has from a ``context``."""
        consumer = taken.consumer
        assert consumer is not None
        here, there = keys_of(taken.place), keys_of(consumer.place)
        if here[: len(there)] == there:
            first = (*here, taken.need.key)[len(there)]
            for object_type, given in consumer.inputs.items():
                for index, (_, fields) in enumerate(given.fields):
                    if not any(
                        self.operation.keys.required_key(item.name, item.arguments, item.fields) == first
                        for item in fields
                    ):
                        continue
                    if index == 0:
                        yield "key", fields, given.typename
                        continue
                    for name in self.requiring(consumer, object_type, fields):
                        yield "requires", fields, f"{object_type}.{name}"
        for object_type, selections in consumer.tree.fields.items():
            for selected in selections.values():
                if selected.contexts:
                    yield "context", (), f"{object_type}.{selected.name}"

    def requiring(self, consumer: Group, object_type: str, fields: FieldSet) -> Iterator[str]:
        known_as = self.graph.stand_ins[consumer.subgraph].get(object_type, object_type)
        for selected in consumer.tree.fields.get(known_as, {}).values():
            if self.graph.fields[consumer.subgraph][known_as][selected.name].requires == fields:
                yield selected.name

    def before(self, place: Place, group: Group) -> list[Visit]:
        """The visits at the place for which the group waited."""
        waited = self.walk.fetches.ancestors(group)
        return [visit for visit in place.visits if visit.group.id in waited]

    def reasons(self, groups: list[Group], entry: list[Taken]) -> Iterator[Reason]:
        owned: dict[tuple[tuple[str, ...], str], list[str]] = {}
        special: list[Reason] = []
        for each in entry:
            special += self.for_later(each)
            for coordinate, of in self.coordinates(each):
                earlier = self.before(each.place, each.group)
                special += self.directives(each, of, coordinate, earlier)
                owners = self.supergraph.owners(of, each.need.name)
                present = dict.fromkeys(visit.group.subgraph for visit in earlier)
                without = [name for name in present if name not in owners]
                if without and owners:
                    names = owned.setdefault((owners, listed(without, "or")), [])
                    if coordinate not in names:
                        names.append(coordinate)
        for (owners, absent), names in owned.items():
            more = [f"{len(names) - FIELDS_MAX} more"] if len(names) > FIELDS_MAX else []
            verb = "is" if len(names) == 1 else "are"
            by = listed(owners) if len(owners) > 1 else f"{owners[0]} only"
            yield Reason(
                kind="owner", text=f"{listed([*names[:FIELDS_MAX], *more])} {verb} resolved by {by} (not by {absent})"
            )
        yield from special
        in_series = self.operation.kind is OperationKind.MUTATION and groups[0].place is self.walk.root
        if in_series and groups[0].after:
            yield Reason(kind="mutation", text="mutations run one after another, each with all it needs")

    def for_later(self, taken: Taken) -> Iterator[Reason]:
        """The later fetch for which this one was made."""
        if taken.consumer is None:
            return
        consumer = taken.consumer
        where = f"in {consumer.subgraph} ([{self.number[id(consumer)]}])"
        for purpose, fields, of in self.wanted_by(taken):
            match purpose:
                case "key":
                    yield Reason(kind="key", text=f"`@key(fields: {quoted(fields)})` is the way into {of} {where}")
                case "requires":
                    yield Reason(kind="requires", text=f"`@requires(fields: {quoted(fields)})` on {of} {where}")
                case _:
                    yield Reason(kind="fromContext", text=f"`@fromContext` in an argument of {of} {where}")
            return

    def directives(self, taken: Taken, of: str, coordinate: str, earlier: list[Visit]) -> Iterator[Reason]:
        """What the schema says about the field where the fetch is, and where it might have been taken before."""
        subgraph, name = taken.group.subgraph, taken.need.name
        known_as = taken.visit.knows(of)
        move = self.graph.fields[subgraph].get(known_as, {}).get(name)
        if move is not None and move.requires:
            text = f"`@requires(fields: {quoted(move.requires)})` on {known_as}.{name} in {subgraph}"
            yield Reason(kind="requires", text=text)
        for context in move.contexts if move is not None else ():
            text = f"`@fromContext` fills {known_as}.{name}({context.argument}:) from what encloses it"
            yield Reason(kind="fromContext", text=text)
        if taken.visit.stand_in is not None and name != TYPENAME:
            text = f"`@interfaceObject` {known_as} in {subgraph} resolves {known_as}.{name} for every object of it"
            yield Reason(kind="interfaceObject", text=text)
        for visit in earlier:
            other = visit.group.subgraph
            if visit.stand_in is not None and of in visit.types and taken.visit.stand_in is None:
                text = f"`@interfaceObject`: {other} knows a {of} only as {visit.stand_in}"
                yield Reason(kind="interfaceObject", text=text)
            label = self.overrides.get((coordinate, subgraph, other))
            mine = self.graph.fields[other].get(visit.knows(of), {}).get(name)
            if label is not None:
                text = f'`@override(from: "{other}"{label})` on {coordinate} in {subgraph}'
                yield Reason(kind="override", text=text)
            elif (label := self.overrides.get((coordinate, other, subgraph))) is not None:
                text = f'`@override(from: "{subgraph}"{label})` on {coordinate} in {other} is not active'
                yield Reason(kind="override", text=text)
            elif mine is not None and mine.external:
                ways = self.providing(other, visit.knows(of), name)
                why = f"known there only through `@provides` on {listed(ways)}" if ways else "not resolved there"
                yield Reason(kind="external", text=f"`@external` in {other}: {coordinate} is {why}")
        for other in self.supergraph.owners(of, name):
            if (closed := self.closed(other, of)) is not None:
                text = f'`@key(fields: "{closed}", resolvable: false)`: {other} resolves {coordinate} but cannot be entered'
                yield Reason(kind="resolvable", text=text)

    @cached_property
    def overrides(self) -> dict[tuple[str, str, str], str]:
        """(coordinate, subgraph, the one overridden) → its label as written, or nothing. Only the SDL remembers them."""
        names = {subgraph.graph: subgraph.name for subgraph in self.supergraph.subgraphs.values()}
        found: dict[tuple[str, str, str], str] = {}
        for definition in parse(self.supergraph.sdl, no_location=True).definitions:
            for field in getattr(definition, "fields", None) or ():
                if not isinstance(field, FieldDefinitionNode):
                    continue
                for use in field.directives or ():
                    given = {each.name.value: getattr(each.value, "value", "") for each in use.arguments or ()}
                    if use.name.value == "join__field" and given.get("override"):
                        label = f', label: "{given["overrideLabel"]}"' if given.get("overrideLabel") else ""
                        coordinate = f"{definition.name.value}.{field.name.value}"  # type: ignore[attr-defined]
                        found[coordinate, names.get(given["graph"], given["graph"]), given["override"]] = label
        return found

    def providing(self, subgraph: str, type_name: str, name: str) -> list[str]:
        """Coordinates whose ``@provides`` names the field."""
        return [
            f"{parent}.{move.name}"
            for parent, moves in self.graph.fields[subgraph].items()
            for move in moves.values()
            if move.type.name == type_name and any(item.name == name for item in move.provides)
        ]

    def closed(self, subgraph: str, object_type: str) -> str | None:
        """The key by which the subgraph knows the type but lets nobody in, when there is no other."""
        known = self.supergraph.subgraphs[subgraph].types.get(object_type)
        if known is None or not known.keys or any(key.resolvable for key in known.keys):
            return None
        return known.keys[0].text

    def alternatives(self, entry: list[Taken]) -> Iterator[Alternative]:
        """By subgraph, the fields the fetch was entered for that it could have answered too."""
        offers: dict[str, list[Taken]] = {}
        for taken in entry:
            if taken.need.name == TYPENAME:
                continue
            for name in self.able(taken):
                offers.setdefault(name, []).append(taken)
        for name, offered in sorted(offers.items(), key=lambda item: self.walk.order[item[0]]):
            coordinates = tuple(dict.fromkeys(each for taken in offered for each, _ in self.coordinates(taken)))
            series = offered[0].place is self.walk.root and self.operation.kind is not OperationKind.QUERY
            # Root fields in series are not wants that can be forced: nobody else resolves them then.
            planner = partial(self.left_to, name, offered) if series else lambda: self.planner
            spots = frozenset[Spot]() if series else frozenset(taken.spot for taken in offered)
            measured, size = self.meter.alternative(planner, partial(Forced, spots=spots, subgraph=name))
            if size is not None or not measured:
                yield Alternative(subgraph=name, coordinates=coordinates, size=size)

    def left_to(self, subgraph: str, offered: list[Taken]) -> Planner:
        changed = self.supergraph
        for taken in offered:
            (root,) = taken.types
            for other in self.supergraph.owners(root, taken.need.name):
                if other != subgraph:
                    changed = remedies.withdrawn(changed, other, root, taken.need.name)
        return Planner(changed)

    def able(self, taken: Taken) -> Iterable[str]:
        """The other subgraphs that are here with the field, or could be entered for it."""
        want = Want(taken.types, taken.need)
        purpose = Purpose(consumer=taken.consumer) if taken.consumer else CLIENT
        names = {
            visit.group.subgraph: None
            for visit in taken.place.visits
            if all(self.walk.can_take(visit, each, want, purpose) for each in taken.types)
        }
        names.update((way[3], None) for way in self.walk.ways(taken.place, want, purpose))
        names.pop(taken.group.subgraph, None)
        return names

    def remedies(self, subgraph: str, groups: list[Group], entry: list[Taken]) -> Iterator[Remedy]:
        """Those candidates that were measured to give a smaller plan."""
        if not all(group.entity for group in groups):
            return
        for change, make in self.candidates(subgraph, entry):
            size = self.meter.changed(change, make)
            if size is not None and smaller(size, self.size):
                yield Remedy(change=change, size=size)

    def candidates(self, subgraph: str, entry: list[Taken]) -> Iterator[tuple[str, Callable[[], Supergraph | None]]]:
        """The smallest changes first."""
        wanted = [each for each in entry if each.need.name != TYPENAME]
        if not wanted:
            return
        for each in dict.fromkeys(each for taken in wanted for each in taken.types):
            for other in self.graph.subgraphs:
                if (text := self.closed(other, each)) is not None:
                    yield (
                        f'make `@key(fields: "{text}")` of {each} in {other} resolvable',
                        partial(remedies.opened, self.supergraph, other, each),
                    )
        yield from self.as_keys(wanted)
        yield from self.as_own_values(wanted)
        fields = {(each.known_as, each.need.name) for each in wanted}
        here = [{visit.group.subgraph: visit for visit in self.before(each.place, each.group)} for each in wanted]
        for other in here[0]:
            if other == subgraph or len(fields) > FIELDS_MAX or not all(other in visits for visits in here):
                continue
            visits = [each[other] for each in here]
            yield from self.as_provided(subgraph, other, wanted, visits)
            yield from self.as_shareable(subgraph, other, wanted, visits)

    def as_provided(
        self, subgraph: str, other: str, wanted: list[Taken], visits: list[Visit]
    ) -> Iterator[tuple[str, Callable[[], Supergraph | None]]]:
        """``@provides`` on the field that leads here, when everything wanted is a plain leaf."""
        if any(each.need.below is not None or each.need.arguments or self.computed(each) for each in wanted):
            return
        if any((f"{each.known_as}.{each.need.name}", subgraph, other) in self.overrides for each in wanted):
            return
        places: dict[int, tuple[Place, Visit, dict[str, None]]] = {}
        for each, visit in zip(wanted, visits, strict=True):
            places.setdefault(id(each.place), (each.place, visit, {}))[2][each.need.name] = None
        steps: list[tuple[tuple[str, ...], str, str, tuple[str, ...]]] = []
        for place, visit, names in places.values():
            above = (
                next((one for one in place.parent.visits if one.group is visit.group), None) if place.parent else None
            )
            if visit.entered or above is None or any(visit.knows(each) != each for each in place.types):
                return
            parents = tuple(dict.fromkeys(above.knows(each) for each in place.parent_types if each in above.types))
            selected = next(
                (
                    above.tree.fields[each][place.key]
                    for each in parents
                    if place.key in above.tree.fields.get(each, {})
                ),
                None,
            )
            if selected is None or len(place.types) != 1:
                return
            step = (parents, selected.name, place.types[0], tuple(names))
            if step not in steps:
                steps.append(step)

        leaves = {(known_as, name) for _, _, known_as, names in steps for name in names}

        def make() -> Supergraph | None:
            changed: Supergraph | None = self.supergraph
            for parents, parent, known_as, names in steps:
                if changed is not None:
                    changed = remedies.provided(changed, other, parents, parent, known_as, names)
            return changed

        yield (
            " and ".join(
                f'`@provides(fields: "{" ".join(names)}")` on {", ".join(f"{each}.{parent}" for each in parents)} in {other}'
                for parents, parent, _, names in steps
            )
            + f", where {'it is' if len(leaves) == 1 else 'they are'} `@external`, `@shareable` in {subgraph}",
            make,
        )

    def as_shareable(
        self, subgraph: str, other: str, wanted: list[Taken], visits: list[Visit]
    ) -> Iterator[tuple[str, Callable[[], Supergraph | None]]]:
        """A subgraph that is here already resolves the fields too."""
        if any(self.computed(each) for each in wanted):
            return
        pairs = [
            (visit.knows(each), taken.need) for taken, visit in zip(wanted, visits, strict=True) for each in taken.types
        ]

        def make() -> Supergraph | None:
            changed: Supergraph | None = self.supergraph
            for known_as, need in pairs:
                if changed is not None:
                    changed = remedies.resolved(changed, other, known_as, need, subgraph)
            return changed

        names = list(dict.fromkeys(f"{known_as}.{need.name}" for known_as, need in pairs))
        if all((name, subgraph, other) in self.overrides for name in names):
            yield f'drop `@override(from: "{other}")` on {listed(names)} in {subgraph}', make
        else:
            them = "it" if len(names) == 1 else "them"
            yield f"make {listed(names)} `@shareable` and resolve {them} in {other} too", make

    def computed(self, taken: Taken) -> bool:
        """The subgraph resolves the field from what it is given: another would have to be given it too."""
        move = self.graph.fields[taken.group.subgraph].get(taken.known_as, {}).get(taken.need.name)
        return move is None or bool(move.requires or move.contexts)

    def as_keys(self, wanted: list[Taken]) -> Iterator[tuple[str, Callable[[], Supergraph | None]]]:
        """Where the fetch only finds another's key: let that one be entered by a key that was there before."""
        if any(each.consumer is None for each in wanted):
            return
        for each in wanted:
            assert each.consumer is not None
            if each.consumer.place is not each.place:
                continue
            target = each.consumer.subgraph
            for visit in self.before(each.place, each.group):
                known = self.supergraph.subgraphs[visit.group.subgraph].types.get(each.types[0])
                for key in known.keys if known is not None else ():
                    yield (
                        f'`@key(fields: "{key.text}")` on {each.types[0]} in {target}',
                        partial(remedies.keyed, self.supergraph, target, each.types[0], key.fields),
                    )

    def as_own_values(self, wanted: list[Taken]) -> Iterator[tuple[str, Callable[[], Supergraph | None]]]:
        """Where the fetch gathers leaves that another field requires: let that field's subgraph have them itself."""
        steps: dict[tuple[str, str, str, str], Taken] = {}
        for each in wanted:
            if each.consumer is None or each.consumer.place is not each.place or each.need.below is not None:
                return
            for purpose, _, of in self.wanted_by(each):
                if purpose == "requires":
                    type_name, field = of.split(".")
                    type_name = self.graph.stand_ins[each.consumer.subgraph].get(type_name, type_name)
                    steps[each.consumer.subgraph, type_name, field, each.need.name] = each
        if not steps:
            return

        def make() -> Supergraph | None:
            changed: Supergraph | None = self.supergraph
            for (target, type_name, field, leaf), each in steps.items():
                if changed is None:
                    return None
                changed = remedies.relieved(changed, target, type_name, field, leaf)
                changed = remedies.resolved(changed, target, type_name, each.need, each.group.subgraph)
            return changed

        texts = [
            f"resolve {type_name}.{leaf} in {target} itself, so that {type_name}.{field} does not require it"
            for target, type_name, field, leaf in steps
        ]
        yield " and ".join(texts), make


def quoted(fields: FieldSet) -> str:
    """A field set as a directive's argument is written."""
    return print_string(print_field_set(fields))


def size_of(found: Found) -> Size:
    _, rounds, fetches, _ = found.cost
    return Size(fetches=fetches, rounds=rounds)


def smaller(one: Size, other: Size) -> bool:
    """No larger in either way, and smaller in one."""
    return one != other and one.fetches <= other.fetches and one.rounds <= other.rounds


def client_paths(operation: Operation) -> Mapping[Keys, list[str]]:
    """Canonical keys → the first few response paths by which the client named them."""
    found: dict[Keys, list[str]] = {}

    def collect(selections: Iterable[Selection], keys: Keys, path: str) -> None:
        for selection in selections:
            if not isinstance(selection, Field):
                collect(selection.selections, keys, path)
                continue
            below = (*keys, selection.key)
            name = f"{path}.{selection.response_key}" if path else selection.response_key
            named = found.setdefault(below, [])
            if name not in named and len(named) < PATHS_MAX:
                named.append(name)
            collect(selection.selections, below, name)

    collect(operation.selections, (), "")
    return found
