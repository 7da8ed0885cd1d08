"""``@composeDirective`` must name a directive of a linked specification, and the subgraphs must mean the same one by it."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.composition.directives import composed
from gateway.composition.merged import Merged
from gateway.errors import CompositionError


def composed_directives(merged: Merged) -> Iterator[CompositionError]:
    _, errors = composed(merged)
    yield from errors
