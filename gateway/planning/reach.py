"""What can be reached, and what can be answered without leaving: pure questions to the query graph, with their memos.

Theory of operation. ``Reach`` answers "in which subgraphs can this object be entered, and after how many hops" by growing
a set: begin with the subgraphs that are there, add every subgraph one of whose keys can be gathered from the set, repeat.
A key's field may itself lie below other entities or have requirements; then the question is asked again for those.
``Coverage`` counts which part of a need a subgraph answers by itself; most needs are wholly covered somewhere, and then
nothing has to be searched. No choice is made here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TypeAlias

from gateway.planning.needs import TYPENAME, Need, Types
from gateway.query_graph import EntityMove, QueryGraph, View
from gateway.selection import FieldSet

Start: TypeAlias = tuple[str, View, str | None]
"""Where a gathering starts: subgraph, view, stand-in."""


class Reach:
    """Which subgraphs can be entered from where; remembered for as long as the query graph lives."""

    def __init__(self, graph: QueryGraph) -> None:
        self.graph = graph
        self._hops: dict[tuple[str, tuple[Start, ...]], dict[str, int]] = {}
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

    def can_enter(self, object_type: str, way: EntityMove, known: Iterable[Start]) -> bool:
        known = list(known)
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
        self._local: dict[tuple[Need, str, View, str], int] = {}

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
        if self.local(need, subgraph, view, known_as):
            return True
        move = self.graph.follow(subgraph, view, known_as, need.name)
        assert move is not None
        target = move[0].type.name
        if target in self.graph.roots:
            return True
        stand_in = target if self.graph.is_stand_in(subgraph, target) else None
        starts: tuple[Start, ...] = ((subgraph, move[1], stand_in),)
        for types, inner in need.below:
            for each in types:
                if each not in self.graph.objects[subgraph].get(target, ()):
                    continue
                step = self.graph.follow(subgraph, move[1], stand_in or each, inner.name)
                if step is not None and (not step[2] or self.useful(inner, subgraph, move[1], stand_in or each)):
                    return True
                if len(self.reach.hops(each, starts)) > 1:
                    return True
        return False
