"""A name must mean the same kind of type everywhere."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.composition.findings import across
from gateway.composition.merge import names_of
from gateway.composition.merged import Merged
from gateway.errors import CompositionError


def kinds(merged: Merged) -> Iterator[CompositionError]:
    for name, found in merged.kind_conflicts.items():
        parts = [f"{kind} in {names_of(holders)}" for kind, holders in found.items()]
        holders = [subgraph for group in found.values() for subgraph in group]
        yield across(holders, "TYPE_KIND_MISMATCH", name, f"is {', but '.join(parts)}: rename one of them")
