"""There must be something to ask."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.composition.merged import Merged
from gateway.errors import CompositionError


def queries(merged: Merged) -> Iterator[CompositionError]:
    root = merged.types.get("Query")
    if root is None or not root.fields:
        yield CompositionError(
            "NO_QUERIES", "no subgraph has a query root type with a field: add one", coordinate="Query"
        )
