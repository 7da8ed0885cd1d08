"""What can be reached, and what can be answered without leaving: pure questions to the query graph, with their memos.

Theory of operation. ``Reach`` answers "in which subgraphs can this object be entered, and after how many hops" by growing
a set: begin with the subgraphs that are there, add every subgraph one of whose keys can be gathered from the set, repeat.
A key's field may itself lie below other entities or have requirements; then the question is asked again for those.
``Coverage`` counts which part of a need a subgraph answers by itself; most needs are wholly covered somewhere, and then
nothing has to be searched. No choice is made here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TypeAlias

from gateway.planning.needs import TYPENAME, Need, Types
from gateway.query_graph import EntityMove, QueryGraph, View
from gateway.selection import FieldSet

Start: TypeAlias = tuple[str, View, str | None]
"""Where a gathering starts: subgraph, view, stand-in."""

Way: TypeAlias = tuple[int, int, int]
"""What entering a subgraph for a need costs: leaves it does not answer, hops, and what else: 2 if something is required
first, 1 if only keys lead there that some objects may lack."""

Mark: TypeAlias = tuple[str, str, str]
"""(type, field, subgraph): a field whose requirements are being gathered."""

_WaysAsked: TypeAlias = tuple[str, Need, tuple[Start, ...], frozenset[str], frozenset[Mark], int]


class Reach:
    """Which subgraphs can be entered from where; remembered for as long as the query graph lives."""

    def __init__(self, graph: QueryGraph) -> None:
        self.graph = graph
        self._hops: dict[tuple[str, tuple[Start, ...]], dict[str, int]] = {}
        self._resolvers: dict[tuple[str, str], tuple[tuple[str, str, bool], ...]] = {}
        self._busy: set[tuple[str, tuple[Start, ...]]] = set()
        self._cuts: set[tuple[str, tuple[Start, ...]]] = set()

    def hops(self, object_type: str, starts: tuple[Start, ...]) -> dict[str, int]:
        """Subgraph → after how many hops it can be entered for such an object; those at the start have 0."""
        memo = (object_type, starts)
        found = self._hops.get(memo)
        if found is not None:
            return found
        hops = {subgraph: 0 for subgraph, _, _ in starts}
        if memo in self._busy:
            # A key that leads back to the question being answered adds nothing to it.
            self._cuts.add(memo)
            return hops
        self._busy.add(memo)
        known = list(starts)
        distance = 0
        while True:
            distance += 1
            new = []
            for subgraph, ways in self.graph.entries.get(object_type, {}).items():
                if subgraph in hops:
                    continue
                if any(self.can_enter(object_type, way, known) for way in ways):
                    new.append((subgraph, (), self.graph.stand_ins[subgraph].get(object_type)))
            if not new:
                break
            for start in new:
                hops[start[0]] = distance
            known += new
        self._busy.discard(memo)
        self._cuts.discard(memo)
        if not self._cuts:
            self._hops[memo] = hops
        return hops

    def resolvers(self, object_type: str, name: str) -> tuple[tuple[str, str, bool], ...]:
        """(subgraph, the object's name there, nothing required first) of those that can be entered and have the field."""
        found = self._resolvers.get((object_type, name))
        if found is None:
            found = self._resolvers[object_type, name] = tuple(self._find_resolvers(object_type, name))
        return found

    def _find_resolvers(self, object_type: str, name: str) -> Iterator[tuple[str, str, bool]]:
        for subgraph, ways in self.graph.entries.get(object_type, {}).items():
            stand_in = self.graph.stand_ins[subgraph].get(object_type)
            if name == TYPENAME:
                # Only a subgraph entered by the interface finds the type; by a concrete name it had to be told.
                if stand_in is None and any(way.generic for way in ways):
                    yield subgraph, object_type, True
                continue
            move = self.graph.follow(subgraph, (), stand_in or object_type, name)
            if move is not None:
                yield subgraph, stand_in or object_type, move[2]

    def can_enter(self, object_type: str, way: EntityMove, known: list[Start]) -> bool:
        if not self.typename_known(way, known, object_type):
            return False
        return self.can_gather(object_type, way.key, known, frozenset())

    def typename_known(self, way: EntityMove, known: list[Start], object_type: str) -> bool:
        """A representation with a concrete type's name needs somebody who knows it; an interface's needs none."""
        if way.typename != object_type and any(stand_in == way.typename for _, _, stand_in in known):
            return True
        return any(stand_in is None for _, _, stand_in in known)

    def can_gather(
        self, object_type: str, fields: FieldSet, known: list[Start], requiring: frozenset[tuple[str, str, str]]
    ) -> bool:
        return all(
            self.can_get(object_type, item.name, item.fields, known, requiring)
            for item in fields
            if self.graph.supergraph.matches(object_type, item.on)
        )

    def can_get(
        self,
        object_type: str,
        name: str,
        below: FieldSet,
        known: list[Start],
        requiring: frozenset[tuple[str, str, str]],
    ) -> bool:
        if name == TYPENAME:
            return any(stand_in is None for _, _, stand_in in known)
        inner: list[Start] = []
        inner_types: dict[str, None] = {}
        for subgraph, view, stand_in in known:
            move = self.graph.follow(subgraph, view, stand_in or object_type, name)
            if move is None:
                continue
            if move[0].contexts:
                continue  # What encloses the object is not known here.
            if not move[2]:
                mark = (object_type, name, subgraph)
                if mark in requiring or not self.can_gather(object_type, move[0].requires, known, requiring | {mark}):
                    continue
            if not below:
                return True
            target = move[0].type.name
            inner.append((subgraph, move[1], target if self.graph.is_stand_in(subgraph, target) else None))
            inner_types.update(dict.fromkeys(self.graph.objects[subgraph].get(target, ())))
        if not inner:
            return False
        for each in inner_types:
            reachable = self.hops(each, tuple(inner))
            everybody = inner + [
                (subgraph, (), self.graph.stand_ins[subgraph].get(each)) for subgraph, hop in reachable.items() if hop
            ]
            if not self.can_gather(each, below, everybody, requiring):
                return False
        return True


class Coverage:
    """What of one operation's needs a subgraph answers; remembered for the walks of that operation."""

    def __init__(self, graph: QueryGraph, reach: Reach) -> None:
        self.graph = graph
        self.reach = reach
        self.order = {name: index for index, name in enumerate(graph.subgraphs)}
        self._local: dict[tuple[Need, str, View, str], int] = {}
        self._useful: dict[tuple[Need, str, View, str], bool] = {}
        self._ways: dict[_WaysAsked, Mapping[str, Way]] = {}

    def local(self, need: Need, subgraph: str, view: View, known_as: str) -> int:
        """How many of the need's leaves the subgraph answers without leaving it; the field itself must be there."""
        memo = (need, subgraph, view, known_as)
        found = self._local.get(memo)
        if found is None:
            found = self._local[memo] = self._count_local(need, subgraph, view, known_as)
        return found

    def _count_local(self, need: Need, subgraph: str, view: View, known_as: str) -> int:
        if need.name == TYPENAME:
            return 0 if self.graph.is_stand_in(subgraph, known_as) else 1
        move = self.graph.follow(subgraph, view, known_as, need.name)
        if move is None:
            return 0
        if not need.below:
            return 1
        target = move[0].type.name
        objects = self.graph.objects[subgraph].get(target, ())
        stand_in = target if self.graph.is_stand_in(subgraph, target) else None
        count = 0
        for types, inner in need.below:
            present = [each for each in types if each in objects]
            if not present:
                # Such objects cannot be here, so nothing of this is missing.
                count += inner.leaves
                continue
            names = {stand_in} if stand_in else set(present)
            count += min(
                self.local(inner, subgraph, move[1], name)
                if ((step := self.graph.follow(subgraph, move[1], name, inner.name)) and step[2])
                or inner.name == TYPENAME
                else 0
                for name in names
            )
        return count

    def ways(
        self,
        object_type: str,
        need: Need,
        starts: tuple[Start, ...],
        tried: frozenset[str],
        *,
        requiring: frozenset[Mark],
        nearer_than: int,
    ) -> Mapping[str, Way]:
        """The subgraphs that could be entered for a need of an object that is at the starts, best first, with the cost."""
        asked = (object_type, need, starts, tried, requiring, nearer_than)
        found = self._ways.get(asked)
        if found is None:
            found = self._ways[asked] = dict(self.best_first(dict(self._find_ways(*asked))))
        return found

    def best_first(self, ways: Mapping[str, Way]) -> list[tuple[str, Way]]:
        """Fewest leaves missing, then nothing required, then sure keys, then few hops; the supergraph's order where all that is
        equal."""
        order = self.order
        return sorted(ways.items(), key=lambda way: (way[1][0], way[1][2], way[1][1], order[way[0]]))

    def _find_ways(
        self,
        object_type: str,
        need: Need,
        starts: tuple[Start, ...],
        tried: frozenset[str],
        requiring: frozenset[Mark],
        nearer_than: int,
    ) -> Iterator[tuple[str, Way]]:
        hops = self.reach.hops(object_type, starts)
        # Seldom asked for, and as long as there are subgraphs.
        everybody: list[Start] = []
        for subgraph, known_as, direct in self.reach.resolvers(object_type, need.name):
            hop = hops.get(subgraph)
            if hop is None or subgraph in tried or hop >= nearer_than:
                continue
            if need.name == TYPENAME:
                yield subgraph, (0, hop, 0)
                continue
            if not self.useful(need, subgraph, (), known_as):
                continue
            if not everybody and (hop == 0 or not direct):
                entered = [name for name, distance in hops.items() if distance]
                everybody = [*starts, *((name, (), self.graph.stand_ins[name].get(object_type)) for name in entered)]
            if not direct:
                mark = (object_type, need.name, subgraph)
                required = self.graph.fields[subgraph][known_as][need.name].requires
                if mark in requiring or not self.reach.can_gather(object_type, required, everybody, requiring | {mark}):
                    continue
            ways = self.graph.entries[object_type][subgraph]
            if hop == 0 and not any(self.reach.can_enter(object_type, way, everybody) for way in ways):
                continue
            missing = need.leaves - self.local(need, subgraph, (), known_as)
            unsure = hop > 0 and all(way.nullable for way in ways)
            yield subgraph, (missing, hop, (0 if direct else 2) + unsure)

    def parted(self, need: Need, subgraph: str, view: View, known_as: str) -> tuple[Need | None, Need | None]:
        """The need cut in two: what the subgraph answers without leaving it, and the rest."""
        if self.local(need, subgraph, view, known_as) == need.leaves:
            return need, None
        move = self.graph.follow(subgraph, view, known_as, need.name)
        if move is None or not move[2] or not need.below:
            return None, need
        target = move[0].type.name
        objects = self.graph.objects[subgraph].get(target, ())
        stand_in = target if self.graph.is_stand_in(subgraph, target) else None
        here: list[tuple[Types, Need]] = []
        rest: list[tuple[Types, Need]] = []
        for types, inner in need.below:
            present = tuple(each for each in types if each in objects)
            if not present:
                continue
            mine, other = self.parted(inner, subgraph, move[1], stand_in or present[0])
            if mine is not None:
                here.append((types, mine))
            if other is not None:
                rest.append((types, other))
        # One part tells that the object is there, whenever that is wanted; the other may wait for what is in it.
        if not here:
            return None, need
        return replace(need.only(tuple(here)), guard=need.guard), need.only(tuple(rest)) if rest else None

    def useful(self, need: Need, subgraph: str, view: View, known_as: str) -> bool:
        """Whether asking this field there brings anything: a leaf of it, or an entity to go on from."""
        if not need.below:
            return True
        asked = (need, subgraph, view, known_as)
        found = self._useful.get(asked)
        if found is None:
            found = self._useful[asked] = self._is_useful(need, subgraph, view, known_as)
        return found

    def _is_useful(self, need: Need, subgraph: str, view: View, known_as: str) -> bool:
        if self.local(need, subgraph, view, known_as):
            return True
        move = self.graph.follow(subgraph, view, known_as, need.name)
        assert move is not None
        target = move[0].type.name
        if target in self.graph.roots:
            return True
        stand_in = target if self.graph.is_stand_in(subgraph, target) else None
        starts: tuple[Start, ...] = ((subgraph, move[1], stand_in),)
        for types, inner in need.below or ():
            for each in types:
                if each not in self.graph.objects[subgraph].get(target, ()):
                    continue
                step = self.graph.follow(subgraph, move[1], stand_in or each, inner.name)
                if step is not None and (not step[2] or self.useful(inner, subgraph, move[1], stand_in or each)):
                    return True
                if len(self.reach.hops(each, starts)) > 1:
                    return True
        return False
