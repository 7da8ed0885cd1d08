"""Walks for explaining: one that remembers what it took, one that is told who may take what. Requests use neither."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from gateway.operation import Operation
from gateway.planning.choices import Choices
from gateway.planning.fetch_graph import Group, Place, Visit
from gateway.planning.needs import Need, Needs, Types
from gateway.planning.reach import Coverage
from gateway.planning.walk import Purpose, Walk, Want
from gateway.query_graph import QueryGraph

Keys: TypeAlias = tuple[str, ...]
"""Canonical keys from the root down to a place."""
Spot: TypeAlias = tuple[Keys, str, str | None]
"""A field at a place, and the subgraph it is gathered for; None: for the client."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """One decision of a walk: this visit answers that need."""

    place: Place
    visit: Visit
    types: Types
    need: Need
    consumer: Group | None

    @property
    def group(self) -> Group:
        return self.visit.group

    @property
    def known_as(self) -> str:
        return self.visit.knows(self.types[0])

    @property
    def spot(self) -> Spot:
        return keys_of(self.place), self.need.key, self.consumer.subgraph if self.consumer else None


class Recorded(Walk):
    """A walk that remembers what it took."""

    def __init__(
        self, graph: QueryGraph, coverage: Coverage, operation: Operation, needs: Sequence[Needs], choices: Choices
    ) -> None:
        super().__init__(graph, coverage, operation, needs, choices)
        self.taken: list[Taken] = []

    def take(self, place: Place, visit: Visit, want: Want, purpose: Purpose) -> list[Want]:
        if want.need.below is not None:
            self.record(place, visit, want, purpose)
        return super().take(place, visit, want, purpose)

    def take_leaf(self, place: Place, visit: Visit, want: Want, purpose: Purpose) -> None:
        self.record(place, visit, want, purpose)
        super().take_leaf(place, visit, want, purpose)

    def record(self, place: Place, visit: Visit, want: Want, purpose: Purpose) -> None:
        taken = Taken(place=place, visit=visit, types=want.types, need=want.need, consumer=purpose.consumer)
        self.taken.append(taken)


class Forced(Walk):
    """A walk that takes some fields from one subgraph, as if all others had been tried in vain."""

    def __init__(
        self,
        graph: QueryGraph,
        coverage: Coverage,
        operation: Operation,
        needs: Sequence[Needs],
        choices: Choices,
        *,
        spots: frozenset[Spot],
        subgraph: str,
    ) -> None:
        super().__init__(graph, coverage, operation, needs, choices)
        self.spots = spots
        self.forced = subgraph
        self.others = frozenset(self.graph.subgraphs) - {subgraph}

    def satisfy(self, place: Place, wants: list[Want], purpose: Purpose) -> list[Want]:
        given = [
            replace(want, tried=want.tried | self.others) if self.at_spot(place, want, purpose) else want
            for want in wants
        ]
        return super().satisfy(place, given, purpose)

    def take(self, place: Place, visit: Visit, want: Want, purpose: Purpose) -> list[Want]:
        residue = super().take(place, visit, want, purpose)
        if self.forced in want.tried or not self.at_spot(place, want, purpose):
            return residue
        # What it could not answer below the field is free again.
        return [replace(each, tried=frozenset({self.forced})) for each in residue]

    def at_spot(self, place: Place, want: Want, purpose: Purpose) -> bool:
        consumer = purpose.consumer.subgraph if purpose.consumer else None
        return (keys_of(place), want.need.key, consumer) in self.spots


def keys_of(place: Place) -> Keys:
    """Canonical keys from the root; unlike a path the same at every moment of a walk."""
    return (*keys_of(place.parent), place.key) if place.parent is not None else ()
