"""The walk: from needs to a fetch graph, deciding place by place which subgraph answers what.

Theory of operation. ``satisfy`` is handed what is wanted at one place and does four things:

1. What a visit already there can answer, it takes (``take``), and the same happens below, recursively.
2. What no visit can answer is *left*. For each left need the subgraphs that could answer it are found with ``reach``:
   which subgraphs can be entered here, and after how many hops, given the keys that can be gathered.
3. Subgraphs that are some need's only chance are entered anyway; the remaining needs are covered greedily.
4. Entering a subgraph makes a fetch group, whose key fields are themselves *needs at the same place* with the new group
   as their consumer: ``satisfy`` again. A field with ``@requires`` is the same thing with more needs. Chains of keys
   through a third subgraph, requirements of requirements and requirements through other entities need no code of
   their own.

What cannot be answered below a field comes back up as the *residue* of that field: another subgraph may be asked for
the field itself (a shareable value type split over subgraphs).

A deferred block of the operation is satisfied after the blocks that are delivered before it, in groups of its own: it may
only read what those groups ask anyway, and gather its keys from them. So nothing that comes first waits, or is asked
together, with what comes later. Only where an object cannot be entered again (it has no key) does a deferred field come
along with the group that is there.

Two rules keep it sound. A consumer's needs are never met by a visit that waits for the consumer (no cycles), and a key
is only gathered from subgraphs nearer than the one being entered (no endless chains). Where two ways are defensible the
walk asks its ``Choices``; the search around it tries the others.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from itertools import count
from typing import Final, TypeAlias

from gateway.operation import Operation
from gateway.plan import OperationKind
from gateway.planning.choices import Choices, DeadEnd
from gateway.planning.fetch_graph import FetchGraph, Group, Holder, Input, Place, SelectionTree, Visit, select
from gateway.planning.guards import ALWAYS
from gateway.planning.needs import TYPENAME, Need, Needs, Types, of_field_set
from gateway.planning.reach import Coverage, Mark, Start, Way
from gateway.query_graph import EntityMove, QueryGraph, View
from gateway.selection import FieldSet, print_field_set
from gateway.supergraph import FromContext

NEVER_NEAR = 1 << 30
AT_ONCE: Final = (0, 1, 0)
"""What entering a subgraph costs at least: it answers everything, one hop away, by a sure key and requiring nothing."""
CHOICES_MAX: Final = 4
"""Of how many subgraphs the search may try each as the widest cover."""
NESTING_MAX = 60
"""Deeper chains of requirements than this are a dead end, not a plan."""


@dataclass(frozen=True, slots=True)
class Want:
    """A need of the objects of some types, and the subgraphs that were tried in vain."""

    types: Types
    need: Need
    tried: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Purpose:
    """For whom something is wanted: the client (no consumer), or a group's representations."""

    consumer: Group | None = None
    requiring: frozenset[Mark] = frozenset()
    """(type, field, subgraph) whose requirements are being gathered: they may not require themselves."""
    nearer_than: int = NEVER_NEAR
    """Only subgraphs entered after fewer hops than this may help: the order that ends chains of keys."""
    nesting: int = 0
    block: int = 0
    """The block of the answer it is wanted in."""
    along: bool = False
    """A deferred field may be asked in a group of an earlier block: there is no other way."""

    def deeper(self) -> Purpose:
        # Positional: this is asked for every object field, and dataclasses.replace takes several times as long.
        return Purpose(self.consumer, self.requiring, self.nearer_than, self.nesting + 1, self.block, self.along)


CLIENT = Purpose()


class Walk:
    """One walk. Make it, call ``run``, and read ``fetches``."""

    def __init__(
        self, graph: QueryGraph, coverage: Coverage, operation: Operation, needs: Sequence[Needs], choices: Choices
    ) -> None:
        self.graph = graph
        self.coverage = coverage
        self.reach = coverage.reach
        self.operation = operation
        self.needs = needs
        """By block."""
        self.visible = [operation.visible(block) for block in range(len(needs))]
        self.keys = operation.keys
        self.choices = choices
        self.fetches = FetchGraph()
        self.order = coverage.order
        self.root = Place(static=operation.root_type, types=(operation.root_type,))

    def run(self) -> FetchGraph:
        """Answer everything the operation wants, or raise ``DeadEnd``."""
        for block, needs in enumerate(self.needs):
            wants = [Want(types, need) for types, need in needs]
            if self.operation.kind is OperationKind.QUERY:
                failed = self.satisfy(self.root, wants, Purpose(block=block))
            elif not block:
                failed = self.in_series(needs)
            else:
                failed = self.after_series(wants, Purpose(block=block))
            if failed:
                raise DeadEnd(", ".join(first_leaf(want.need) for want in failed))
        self.tell_filtered()
        return self.fetches

    def tell_filtered(self) -> None:
        """A group whose path tells objects apart by their type waits until that is told, and not by a stand-in.

        Known only now: which places share a key is not settled before everything is wanted. Telling may take groups of
        its own, which the loop comes to as well.
        """
        for group in self.fetches.groups:
            place = group.place
            while place.parent is not None:
                if place.told_apart():
                    told = [Want(place.parent_types, Need(name=TYPENAME, key=TYPENAME))]
                    if self.satisfy(place.parent, told, Purpose(consumer=group, block=group.block)):
                        raise DeadEnd(f"nobody tells the type of {place.parent.static} above {place.key}")
                place = place.parent

    def after_series(self, wants: list[Want], purpose: Purpose) -> list[Want]:
        """A deferred block of a mutation: what is below root fields, which are all called already."""
        visits = {key: visit for visit in self.root.visits for key in visit.tree.fields.get(self.root.static, ())}
        return [each for want in wants for each in self.take(self.root, visits[want.need.key], want, purpose)]

    def in_series(self, needs: Needs) -> list[Want]:
        """Root fields of a mutation one after the other, each with everything it needs before the next begins."""
        previous: Visit | None = None
        settled = 0
        for types, need in needs:
            root = self.operation.root_type
            ways = [
                (need.leaves - self.coverage.local(need, subgraph, (), root), subgraph)
                for subgraph in self.graph.entered[self.operation.kind]
                if self.graph.follow(subgraph, (), root, need.name)
            ]
            if not ways:
                raise DeadEnd(need.name)
            ways.sort(key=lambda way: way[0])
            subgraph = ways[self.choices.pick(len(ways))][1]
            alone = previous is not None and len(self.fetches.groups) == previous.group.id + 1
            if previous is None or previous.group.subgraph != subgraph or not alone:
                before = self.fetches.groups[settled:]
                settled = len(self.fetches.groups)
                group = self.fetches.add(subgraph, self.root, entity=False)
                for earlier in before:
                    self.fetches.wait(group, earlier)
                group.reasons.append(f"{subgraph} resolves {root}.{need.name}")
                previous = Visit(group=group, tree=group.tree, view=(), types=(root,), stand_in=None, entered=True)
                self.root.visits.append(previous)
            if residue := self.take(self.root, previous, Want(types, need), CLIENT):
                return residue
        return []

    def satisfy(self, place: Place, wants: list[Want], purpose: Purpose) -> list[Want]:
        """Answer what can be answered from here on; give back what cannot."""
        if purpose.nesting > NESTING_MAX:
            raise DeadEnd("requirements nest too deeply")
        left: list[Want] = []
        self.take_directly(place, wants, purpose, left)
        failed: list[Want] = []
        while left:
            found = self.chances(place, left, purpose)
            if all(len(ways) == 1 and ways[0][:3] == AT_ONCE for _, ways in found):
                left = self.enter_each(place, [(want, ways[0][3]) for want, ways in found], purpose)
                continue
            chances: list[tuple[Want, str]] = []
            for want, name in self.assigned(found):
                if name is None:
                    failed.append(want)
                else:
                    chances.append((want, name))
            if not chances:
                break
            subgraph = self.next_subgraph(chances)
            mine: list[Want] = []
            rest: list[Want] = []
            for want, name in chances:
                (mine if name == subgraph else rest).append(want)
            before = place.changes
            left = self.enter(place, subgraph, mine, purpose)
            again: list[Want] = []
            self.take_directly(place, rest, purpose, again, since=before)
            self.take_directly(place, left, purpose, again)
            left = again
        if failed and purpose.block and purpose.consumer is None and not purpose.along:
            return self.satisfy(place, failed, replace(purpose, along=True))
        return failed

    def enter_each(self, place: Place, chances: list[tuple[Want, str]], purpose: Purpose) -> list[Want]:
        """Enter the subgraphs of wants that have one chance each, with nothing to choose: none of them can answer what
        another is entered for, or bring it any nearer, so they need not be looked at again after each."""
        by_subgraph: dict[str, list[Want]] = {}
        for want, name in chances:
            by_subgraph.setdefault(name, []).append(want)
        residue: list[Want] = []
        for name in sorted(by_subgraph, key=self.order.__getitem__):
            residue += self.enter(place, name, by_subgraph[name], purpose)
        left: list[Want] = []
        self.take_directly(place, residue, purpose, left)
        return left

    def take_directly(
        self, place: Place, wants: list[Want], purpose: Purpose, left: list[Want], since: int = 0
    ) -> None:
        """Let visits that are already here answer; what none can goes to ``left``.

        ``since``: what no visit could answer after so many changes of the place can only be answered by later ones.
        """
        queue = deque(wants)
        while queue:
            want = queue.popleft()
            self.choices.work += 1
            if want.need.below is None and len(want.types) == 1:
                visit = self.visit_for_leaf(place, want, purpose, since)
                if visit is None:
                    left.append(want)
                else:
                    self.take_leaf(place, visit, want, purpose)
                continue
            for types, visits in self.by_visits(place, want, purpose):
                part = want if types == want.types else replace(want, types=types)
                if not visits:
                    left.append(part)
                    continue
                visit = visits[self.choices.pick(len(visits))] if len(visits) > 1 else visits[0]
                if visit is None:
                    left.append(part)
                    continue
                queue.extend(self.take(place, visit, part, purpose))

    def visit_for_leaf(self, place: Place, want: Want, purpose: Purpose, since: int) -> Visit | None:
        """The earliest visit that answers a leaf of one type, if one does."""
        found: Visit | None = None
        (object_type,) = want.types
        for visit in place.visits:
            if (
                visit.changed > since
                and self.can_take(visit, object_type, want, purpose)
                and (found is None or self.fetches.round(visit.group) < self.fetches.round(found.group))
            ):
                found = visit
                if self.fetches.round(visit.group) == 1:
                    break
        return found

    def by_visits(self, place: Place, want: Want, purpose: Purpose) -> Iterator[tuple[Types, list[Visit | None]]]:
        """The want's types, grouped by which visits can answer, best first; None among them: rather enter another subgraph."""
        grouped: dict[tuple[int, ...], list[str]] = {}
        for each in want.types:
            able = tuple(index for index, visit in enumerate(place.visits) if self.can_take(visit, each, want, purpose))
            grouped.setdefault(able, []).append(each)
        need = want.need
        for able, types in grouped.items():
            ranked: list[tuple[int, int, int]] = []
            for index in able:
                visit = place.visits[index]
                missing = need.leaves - min(
                    [
                        self.coverage.local(need, visit.group.subgraph, visit.view, known_as)
                        for known_as in {visit.knows(each) for each in types}
                    ]
                )
                ranked.append((missing, self.fetches.round(visit.group), index))
            ranked.sort()
            best: list[Visit | None] = []
            if ranked:
                whole = ranked[0][0] == 0
                if whole:
                    best.append(place.visits[ranked[0][2]])
                else:
                    best.extend(place.visits[index] for _, _, index in ranked[:3])
                    if purpose.consumer is None and self.whole_elsewhere(place, want, types, purpose):
                        best.append(None)
            yield tuple(types), best

    def whole_elsewhere(self, place: Place, want: Want, types: list[str], purpose: Purpose) -> bool:
        """Whether some subgraph that is not here yet would answer the need without leaving it."""
        ways = self.ways(place, Want(tuple(types), want.need, want.tried), purpose)
        return any(missing == 0 for missing, *_ in ways)

    def can_take(self, visit: Visit, object_type: str, want: Want, purpose: Purpose) -> bool:
        if object_type not in visit.types or visit.group.subgraph in want.tried:
            return False
        if purpose.block and not self.may_read(visit, object_type, want.need, purpose):
            return False
        if purpose.consumer is not None and self.fetches.depends(visit.group, purpose.consumer):
            return False
        if want.need.name == TYPENAME:
            return visit.stand_in is None
        known_as = visit.stand_in or object_type
        move = self.graph.follow(visit.group.subgraph, visit.view, known_as, want.need.name)
        if move is None or not move[2]:
            return False
        return want.need.below is None or self.coverage.useful(want.need, visit.group.subgraph, visit.view, known_as)

    def may_read(self, visit: Visit, object_type: str, need: Need, purpose: Purpose) -> bool:
        """Whether a deferred block may get a need from this visit."""
        if visit.group.block == purpose.block:
            return True
        if visit.group.block not in self.visible[purpose.block]:
            return False
        if need.name == TYPENAME or purpose.along or purpose.consumer is not None:
            return True
        return need.key in visit.tree.fields.get(visit.knows(object_type), ())

    def take(self, place: Place, visit: Visit, want: Want, purpose: Purpose) -> list[Want]:
        """Put the need into the visit's document and answer what is below it; give back the residue."""
        need = want.need
        if need.below is None:
            self.take_leaf(place, visit, want, purpose)
            return []
        self.commit(visit, need, purpose)
        subgraph = visit.group.subgraph
        guard = need.guard if purpose.consumer is None else ALWAYS
        split = place is self.root and self.operation.kind is OperationKind.QUERY
        parts: dict[tuple[int, int, View, str], list[str]] = {}
        for each in want.types:
            known_as = visit.knows(each)
            move = self.graph.follow(subgraph, visit.view, known_as, need.name)
            assert move is not None
            existing = visit.tree.fields.get(known_as, {}).get(need.key)
            below = place.below.get((each, need.key))
            parts.setdefault((id(existing), id(below), move[1], move[0].type.name), []).append(each)
        residue: list[Want] = []
        for (_, _, view, target), types in parts.items():
            selected = select(visit.tree, tuple({visit.knows(each): None for each in types}), need, guard)
            assert selected.below is not None
            child = self.place_below(place, tuple(types), need, target)
            inner = self.visit_below(child, visit.group, selected.below, view, target)
            wants: list[Want] = []
            kept_back: list[tuple[Types, Need]] = []
            for inner_types, inner_need in need.below:
                present = tuple([each for each in inner_types if each in inner.types])
                if not present:
                    continue
                if split:
                    here, elsewhere = self.split(place, types, need, inner_need, present, inner, want)
                    if elsewhere is not None:
                        kept_back.append((inner_types, elsewhere))
                        if here is not None:
                            wants.append(Want(present, here))
                        continue
                wants.append(Want(present, inner_need))
            failed = self.satisfy(child, wants, purpose.deeper())
            kept_back += [(each.types, each.need) for each in failed]
            if kept_back:
                residue.append(Want(tuple(types), need.only(tuple(kept_back)), want.tried | {subgraph}))
        return residue

    def take_leaf(self, place: Place, visit: Visit, want: Want, purpose: Purpose) -> None:
        need = want.need
        self.commit(visit, need, purpose)
        if need.name == TYPENAME:
            visit.tree.typename = True
            return
        guard = need.guard if purpose.consumer is None else ALWAYS
        if len(want.types) == 1:
            select(visit.tree, (visit.knows(want.types[0]),), need, guard)
            return
        # Types that have the field already, each in its own right, keep their own.
        parts: dict[int, list[str]] = {}
        for each in want.types:
            known_as = visit.knows(each)
            parts.setdefault(id(visit.tree.fields.get(known_as, {}).get(need.key)), []).append(known_as)
        for types in parts.values():
            select(visit.tree, tuple(dict.fromkeys(types)), need, guard)

    def commit(self, visit: Visit, need: Need, purpose: Purpose) -> None:
        """The visit's group is wanted for this: by the client under its guard, or before the consumer."""
        if purpose.consumer is not None:
            self.fetches.wait(purpose.consumer, visit.group)
        else:
            visit.group.guards.append(need.guard)

    def split(
        self, place: Place, types: list[str], need: Need, inner: Need, present: Types, visit: Visit, want: Want
    ) -> tuple[Need | None, Need | None]:
        """At the root: what to ask here of a shared root field, and what another subgraph answers in the same round."""
        subgraph = visit.group.subgraph
        here, elsewhere = self.coverage.parted(inner, subgraph, visit.view, visit.knows(present[0]))
        if elsewhere is None:
            return inner, None
        part = need.only(((present, elsewhere),))
        for other in self.graph.entered[self.graph.roots[place.static]]:
            if other == subgraph or other in want.tried:
                continue
            move = self.graph.follow(other, (), place.static, need.name)
            if move is not None and move[2] and self.coverage.local(part, other, (), place.static) == part.leaves:
                return here, elsewhere
        return inner, None

    def place_below(self, place: Place, types: Types, need: Need, target: str) -> Place:
        child = place.below.get((types[0], need.key))
        if child is None:
            of = self.graph.supergraph.fields[types[0]][need.name]
            child = Place(
                static=of.name,
                types=self.graph.supergraph.possible[of.name],
                parent=place,
                parent_types=types,
                key=need.key,
                list_depth=of.list_depth,
            )
        for each in types:
            place.below.setdefault((each, need.key), child)
            if each not in child.parent_types:
                child.parent_types = (*child.parent_types, each)
        return child

    def visit_below(self, place: Place, group: Group, tree: SelectionTree, view: View, target: str) -> Visit:
        for visit in place.visits:
            if visit.tree is tree:
                return visit
        stand_in = target if self.graph.is_stand_in(group.subgraph, target) else None
        types = tuple(each for each in place.types if each in self.graph.objects[group.subgraph].get(target, ()))
        visit = Visit(group=group, tree=tree, view=view, types=types, stand_in=stand_in)
        place.change(visit)
        return visit

    def starts(self, place: Place, object_type: str, purpose: Purpose) -> tuple[Start, ...]:
        found: dict[Start, None] = {}
        for visit in place.visits:
            if purpose.block and visit.group.block not in self.visible[purpose.block]:
                continue
            if object_type in visit.types and not (
                purpose.consumer is not None and self.fetches.depends(visit.group, purpose.consumer)
            ):
                found[visit.group.subgraph, visit.view, visit.stand_in] = None
        return tuple(found)

    def ways(self, place: Place, want: Want, purpose: Purpose) -> list[FullWay]:
        """The subgraphs that could be entered for *all* types of the want, best first."""
        found = self.ways_of(place, want.types[0], want, purpose)
        for each in want.types[1:]:
            ways = self.ways_of(place, each, want, purpose)
            found = {
                name: (max(cost[0], ways[name][0]), max(cost[1], ways[name][1]), max(cost[2], ways[name][2]))
                for name, cost in found.items()
                if name in ways
            }
        if len(want.types) == 1:
            return [(*cost, name) for name, cost in found.items()]
        return [(*cost, name) for name, cost in self.coverage.best_first(found)]

    def ways_of(self, place: Place, object_type: str, want: Want, purpose: Purpose) -> Mapping[str, Way]:
        """The same for one of the types, best first."""
        need = want.need
        if place.static in self.graph.roots:
            found: dict[str, Way] = {}
            for subgraph in self.graph.entered[self.graph.roots[place.static]]:
                if subgraph in want.tried:
                    continue
                move = self.graph.follow(subgraph, (), object_type, need.name)
                if move is not None and self.coverage.useful(need, subgraph, (), object_type):
                    found[subgraph] = (need.leaves - self.coverage.local(need, subgraph, (), object_type), 1, 0)
            return dict(self.coverage.best_first(found))
        starts = self.starts(place, object_type, purpose)
        ways = self.coverage.ways(
            object_type, need, starts, want.tried, requiring=purpose.requiring, nearer_than=purpose.nearer_than
        )
        if not self.graph.supergraph.contexts:
            return ways
        return {name: way for name, way in ways.items() if self.enclosed(place, object_type, name, need.name)}

    def enclosed(self, place: Place, object_type: str, subgraph: str, name: str) -> bool:
        """Whether every context that the subgraph's field takes a value from surely encloses the objects here."""
        known_as = self.graph.stand_ins[subgraph].get(object_type, object_type)
        move = self.graph.fields[subgraph].get(known_as, {}).get(name)
        return move is None or all(self.holders(place, context) for context in move.contexts)

    def chances(self, place: Place, wants: list[Want], purpose: Purpose) -> list[tuple[Want, list[FullWay]]]:
        """Each want (split by type where its types have different chances) with the subgraphs to ask, best first."""
        found: list[tuple[Want, list[FullWay]]] = []
        for want in wants:
            ways = self.ways(place, want, purpose)
            if ways or len(want.types) == 1:
                found.append((want, ways))
                continue
            grouped: dict[tuple[str, ...], list[str]] = {}
            for each in want.types:
                names = tuple(way[3] for way in self.ways(place, replace(want, types=(each,)), purpose))
                grouped.setdefault(names, []).append(each)
            for types in grouped.values():
                part = replace(want, types=tuple(types))
                found.append((part, self.ways(place, part, purpose)))
        return found

    def assigned(self, chances: list[tuple[Want, list[FullWay]]]) -> list[tuple[Want, str | None]]:
        """Each want's subgraph: one that is needed anyway before others, then the widest cover. None: nobody."""
        chosen = {ways[0][3] for _, ways in chances if len(ways) == 1}
        uncovered = [(want, ways) for want, ways in chances if len(ways) > 1 and not covered(ways, chosen)]
        while uncovered:
            whole: dict[str, int] = {}
            leaves: dict[str, int] = {}
            unsure: dict[str, int] = {}
            for want, ways in uncovered:
                fewest, wanted = ways[0][0], want.need.leaves
                for missing, _, more, name in ways:
                    if missing == fewest:
                        whole[name] = whole.get(name, 0) + 1
                    leaves[name] = leaves.get(name, 0) + wanted - missing
                    unsure[name] = unsure.get(name, 0) + more % 2
            ranked = sorted(whole, key=lambda name: (-whole[name], -leaves[name], unsure[name], self.order[name]))[
                :CHOICES_MAX
            ]
            chosen.add(ranked[self.choices.pick(len(ranked))])
            uncovered = [(want, ways) for want, ways in uncovered if not covered(ways, chosen)]
        return [(want, best(ways, chosen) if ways else None) for want, ways in chances]

    def next_subgraph(self, chances: list[tuple[Want, str]]) -> str:
        """Which of the assigned subgraphs to enter first: the one whose wants require least."""
        ranks: dict[str, int] = {}
        for want, name in chances:
            if not ranks.get(name):
                ranks[name] = int(self.requires(name, want))
        return min(ranks, key=lambda name: (ranks[name], self.order[name]))

    def requires(self, subgraph: str, want: Want) -> bool:
        for each in want.types:
            known_as = self.graph.stand_ins[subgraph].get(each, each)
            move = self.graph.follow(subgraph, (), known_as, want.need.name)
            if move is not None and not move[2]:
                return True
        return False

    def enter(self, place: Place, subgraph: str, wants: list[Want], purpose: Purpose) -> list[Want]:
        """Make (or widen) fetch groups of the subgraph here for these wants; give back what it could not answer.

        A visit knows its objects by their own types or all by one stand-in, so each such part is entered for itself.
        """
        parts: dict[str | None, list[Want]] = {}
        stand_ins = self.graph.stand_ins[subgraph]
        for want in wants:
            members: dict[str | None, list[str]] = {}
            for each in want.types:
                members.setdefault(stand_ins.get(each), []).append(each)
            for stand_in, types in members.items():
                part = want if len(members) == 1 else replace(want, types=tuple(types))
                parts.setdefault(stand_in, []).append(part)
        return [
            each for stand_in, mine in parts.items() for each in self.enter_as(place, subgraph, stand_in, mine, purpose)
        ]

    def enter_as(
        self, place: Place, subgraph: str, stand_in: str | None, wants: list[Want], purpose: Purpose
    ) -> list[Want]:
        residue: list[Want] = []
        requiring = [want for want in wants if self.requires(subgraph, want)]
        plain = [want for want in wants if want not in requiring]
        joined = not requiring or not plain or self.choices.pick(2) == 0
        hosts: list[Visit] = []
        if requiring:
            together = tuple(dict.fromkeys(each for want in requiring for each in want.types))
            for want in requiring:
                # A stand-in is asked for the same fields whatever its types, so each of them brings what these require.
                types = want.types if stand_in else together
                host = self.host(place, subgraph, stand_in, want, purpose, hosts, types)
                if host not in hosts:
                    hosts.append(host)
                residue += self.take_requiring(place, host, want, purpose)
        if plain:
            types = tuple(dict.fromkeys(each for want in plain for each in want.types))
            visit = self.visit_for(place, subgraph, stand_in, types, purpose, avoid=() if joined else hosts)
            for want in plain:
                if not visit.group.entity:
                    visit.group.reasons.append(f"{subgraph} resolves {place.static}.{want.need.name}")
                residue += self.take(place, visit, want, purpose)
        return residue

    def visit_for(
        self,
        place: Place,
        subgraph: str,
        stand_in: str | None,
        types: Types,
        purpose: Purpose,
        avoid: Iterable[Visit] = (),
    ) -> Visit:
        """A visit of a group that begins here, for these types; an existing one if nothing speaks against it."""
        for visit in place.visits:
            if (
                visit.entered
                and visit.group.subgraph == subgraph
                and visit.stand_in == stand_in
                and visit.group.block == purpose.block
                and (visit.group.entity or visit.group.place is place)
                and visit not in avoid
                and not (visit.requiring and visit.stand_in and set(types) - set(visit.types))
                and not (purpose.consumer is not None and self.fetches.depends(visit.group, purpose.consumer))
            ):
                self.wait_for(purpose, visit.group)
                self.widen(place, visit, types, purpose)
                place.change(visit)
                return visit
        return self.new_visit(place, subgraph, stand_in, types, purpose)

    def wait_for(self, purpose: Purpose, group: Group) -> None:
        if purpose.consumer is not None:
            self.fetches.wait(purpose.consumer, group)

    def new_visit(self, place: Place, subgraph: str, stand_in: str | None, types: Types, purpose: Purpose) -> Visit:
        root = place.static in self.graph.roots
        group = self.fetches.add(subgraph, place, entity=not root, block=purpose.block)
        self.wait_for(purpose, group)
        visit = Visit(group=group, tree=group.tree, view=(), types=(), stand_in=stand_in, entered=True)
        if root:
            visit.types = (place.static,)
            for other in place.visits:
                if not other.entered:
                    self.fetches.wait(group, other.group)
                    break
            place.change(visit)
            return visit
        self.widen(place, visit, types, purpose)
        place.change(visit)
        return visit

    def widen(self, place: Place, visit: Visit, types: Types, purpose: Purpose) -> None:
        """Give the group representations for these types too, gathering a key for each."""
        group = visit.group
        missing = tuple(each for each in types if each not in visit.types)
        if not missing or not group.entity:
            return
        inner = self.inside(purpose, group, purpose.requiring)
        choices: dict[tuple[tuple[EntityMove, ...], int], list[str]] = {}
        for each in missing:
            choices.setdefault(self.ways_in(place, group.subgraph, each, inner), []).append(each)
        chosen: dict[tuple[str, FieldSet], tuple[EntityMove, int, list[str]]] = {}
        for (ways, hop), members in choices.items():
            picked = ways[self.choices.pick(len(ways))]
            chosen.setdefault((picked.typename, picked.key), (picked, hop, []))[2].extend(members)
        wants: dict[int, list[Want]] = {}
        concrete = place.static not in self.graph.supergraph.abstract
        for way, hop, members in chosen.values():
            stood_in = any(not other.entered and other.stand_in == way.typename for other in place.visits)
            for each in members:
                group.inputs[each] = Input(
                    typename=way.typename,
                    generic=way.generic,
                    any_type=concrete or stood_in,
                    fields=[(each, way.key)],
                )
                keys = of_field_set(way.key, each, self.graph.supergraph, self.keys)
                wants.setdefault(hop, []).extend(Want(*pair) for pair in keys)
            if concrete or not stood_in:
                wants[hop].append(Want(tuple(members), Need(name=TYPENAME, key=TYPENAME)))
            visit.types = (*visit.types, *members)
            reason = f"{group.subgraph} by {way.typename} {{ {print_field_set(way.key)} }}"
            if reason not in group.reasons:
                group.reasons.append(reason)
        for hop, wanted in wants.items():
            if self.satisfy(place, merged(wanted), replace(inner, nearer_than=hop)):
                raise DeadEnd(f"{group.subgraph} cannot be entered at {place.static}")

    def ways_in(
        self, place: Place, subgraph: str, object_type: str, purpose: Purpose
    ) -> tuple[tuple[EntityMove, ...], int]:
        """The keys that can be gathered in the fewest hops, and how many hops entering by them is."""
        starts = self.starts(place, object_type, purpose)
        known = list(starts)
        hops: Mapping[str, int] = {}
        for distance in count():
            able = tuple(
                way
                for way in self.graph.entries[object_type][subgraph]
                if self.reach.can_enter(object_type, way, known)
            )
            if able:
                # Of keys as near as each other, those that no object lacks.
                return tuple(way for way in able if not way.nullable) or able, distance + 1
            hops = hops or self.reach.hops(object_type, starts)
            if distance >= max(hops.values(), default=0):
                break
            nearer = [name for name, hop in hops.items() if 0 < hop <= distance + 1]
            known = [*starts, *((name, (), self.graph.stand_ins[name].get(object_type)) for name in nearer)]
        raise DeadEnd(f"{subgraph} has no key for {object_type} that can be gathered")

    def inside(self, purpose: Purpose, consumer: Group, requiring: frozenset[Mark]) -> Purpose:
        return Purpose(consumer=consumer, requiring=requiring, nesting=purpose.nesting + 1, block=purpose.block)

    def requirement(self, subgraph: str, object_type: str, name: str) -> FieldSet:
        known_as = self.graph.stand_ins[subgraph].get(object_type, object_type)
        return self.graph.fields[subgraph][known_as][name].requires

    def host(
        self,
        place: Place,
        subgraph: str,
        stand_in: str | None,
        want: Want,
        purpose: Purpose,
        hosts: list[Visit],
        types: Types,
    ) -> Visit:
        """A group for a field with requirements: an existing one, unless what is required waits for it."""
        for visit in (*hosts, *place.visits):
            if (
                visit.entered
                and visit.group.entity
                and visit.group.subgraph == subgraph
                and visit.stand_in == stand_in
                and not (stand_in and set(visit.types) != set(want.types))
                and visit.group.block == purpose.block
                and not (purpose.consumer is not None and self.fetches.depends(visit.group, purpose.consumer))
                and all(self.independent(place, visit, each, want) for each in want.types)
                and not any(self.clashes(visit, each, want) for each in want.types)
            ):
                self.wait_for(purpose, visit.group)
                self.widen(place, visit, want.types, purpose)
                place.change(visit)
                return visit
        return self.new_visit(place, subgraph, stand_in, types, purpose)

    def clashes(self, visit: Visit, object_type: str, want: Want) -> bool:
        """Whether the representation already carries a required field with other arguments under the one name."""
        given = visit.group.inputs.get(object_type)
        required = self.requirement(visit.group.subgraph, object_type, want.need.name)
        return given is not None and any(clash(fields, required) for _, fields in given.fields)

    def independent(self, place: Place, visit: Visit, object_type: str, want: Want) -> bool:
        """Whether what the field requires can be had without waiting for this visit's group."""
        for item in self.requirement(visit.group.subgraph, object_type, want.need.name):
            if not self.graph.supergraph.matches(object_type, item.on):
                continue
            able = [
                other
                for other in place.visits
                if object_type in other.types
                and (move := self.graph.follow(other.group.subgraph, other.view, other.knows(object_type), item.name))
                and (
                    move[2]
                    or self.keys.required_key(item.name, item.arguments, item.fields)
                    in other.tree.fields.get(other.knows(object_type), {})
                )
            ]
            if able and all(self.fetches.depends(other.group, visit.group) for other in able):
                return False
        return True

    def take_requiring(self, place: Place, visit: Visit, want: Want, purpose: Purpose) -> list[Want]:
        group = visit.group
        visit.requiring = True
        marks = frozenset((each, want.need.name, group.subgraph) for each in want.types)
        inner = self.inside(purpose, group, purpose.requiring | marks)
        wants: list[Want] = []
        for each in want.types:
            fields = self.requirement(group.subgraph, each, want.need.name)
            if not fields:
                continue
            if (each, fields) not in group.inputs[each].fields:
                group.inputs[each].fields.append((each, fields))
            wants += [Want(*pair) for pair in of_field_set(fields, each, self.graph.supergraph, self.keys)]
            reason = f"{want.need.name} requires {print_field_set(fields)}"
            if reason not in group.reasons:
                group.reasons.append(reason)
        wants += self.tell_apart(place, group)
        if self.satisfy(place, merged(wants), inner):
            raise DeadEnd(f"{group.subgraph} requires what cannot be gathered for {want.need.name}")
        residue = self.take(place, visit, want, purpose)
        for each in want.types:
            known_as = visit.knows(each)
            contexts = self.graph.fields[group.subgraph][known_as][want.need.name].contexts
            if contexts:
                filled = visit.tree.fields[known_as][want.need.key].contexts
                filled.update({context.argument: self.hold(place, group, context, inner) for context in contexts})
        return residue

    def tell_apart(self, place: Place, group: Group) -> list[Want]:
        """What is required of some types only is not asked of all: then the objects' types must be known before."""
        given = group.inputs.values()
        possible = self.graph.supergraph.possible[place.static]
        alike = len({tuple(fields for _, fields in each.fields) for each in given}) == 1
        if (alike and len(given) == len(possible)) or not any(each.any_type for each in given):
            return []
        for each in given:
            each.any_type = place.static not in self.graph.supergraph.abstract
        return (
            []
            if any(each.any_type for each in given)
            else [Want(tuple(group.inputs), Need(name=TYPENAME, key=TYPENAME))]
        )

    def holders(self, place: Place, context: FromContext) -> tuple[Holder, ...]:
        """Who may hold the context's value for objects here, nearest first; none unless some surely does."""
        found: list[Holder] = []
        setting = self.graph.supergraph.contexts.get(context.context, ())
        for above, types in place.enclosing():
            members = tuple(each for each in types if each in setting)
            if members:
                found.append(Holder(place=above, types=members, selection=context.selection))
            if len(members) == len(types):
                return tuple(found)
        return ()

    def hold(self, place: Place, group: Group, context: FromContext, purpose: Purpose) -> str:
        """The group's variable for a context, with everything its value is taken from gathered before."""
        for name, (known, _) in group.contexts.items():
            if (known.context, known.selection, known.type) == (context.context, context.selection, context.type):
                return name
        taken = {variable.name for variable in self.operation.variables}
        number = len(group.contexts) + 1
        while (name := f"context_{number}") in taken:
            number += 1
        holders = self.holders(place, context)
        group.contexts[name] = (context, holders)
        group.reasons.append(f"{context.argument} comes from the context {context.context}")
        for holder in holders:
            wants = [
                Want(*pair)
                for each in holder.types
                for pair in of_field_set(holder.selection, each, self.graph.supergraph, self.keys)
            ]
            if holder.place.static in self.graph.supergraph.abstract:
                wants.append(Want(holder.types, Need(name=TYPENAME, key=TYPENAME)))
            if self.satisfy(holder.place, merged(wants), purpose):
                raise DeadEnd(f"the context {context.context} cannot be gathered")
        return name


FullWay: TypeAlias = tuple[int, int, int, str]
"""A ``Way`` and the subgraph it leads to."""


def covered(ways: list[FullWay], chosen: Set[str]) -> bool:
    """Whether one of the best ways leads to a chosen subgraph."""
    return any(way[3] in chosen for way in ways if way[0] == ways[0][0])


def best(ways: list[FullWay], chosen: Set[str]) -> str:
    """Of the best ways the first to a chosen subgraph, or simply the first."""
    return next((way[3] for way in ways if way[0] == ways[0][0] and way[3] in chosen), ways[0][3])


def merged(wants: list[Want]) -> list[Want]:
    """Equal leaves of several types as one want of all of them."""
    leaves: dict[str, tuple[dict[str, None], Need]] = {}
    rest: list[Want] = []
    for want in wants:
        if want.need.below is None:
            leaves.setdefault(want.need.key, ({}, want.need))[0].update(dict.fromkeys(want.types))
        else:
            rest.append(want)
    return [*(Want(tuple(types), need) for types, need in leaves.values()), *rest]


def first_leaf(need: Need) -> str:
    """A need's name for people: the way to its first leaf."""
    return f"{need.name}.{first_leaf(need.below[0][1])}" if need.below else need.name


def clash(first: FieldSet, second: FieldSet) -> bool:
    """Whether two field sets want one name with different arguments; a representation has one value a name."""
    return any(
        one.name == other.name and (one.arguments != other.arguments or clash(one.fields, other.fields))
        for one in first
        for other in second
    )
