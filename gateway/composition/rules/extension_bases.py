"""A type that is only extended must be defined in some subgraph."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.composition.findings import across
from gateway.composition.merged import Merged
from gateway.composition.subgraph import ROOTS
from gateway.errors import CompositionError


def extension_bases(merged: Merged) -> Iterator[CompositionError]:
    for name, merged_type in merged.types.items():
        if name not in ROOTS.values() and all(name in subgraph.extension_types for subgraph in merged_type.subgraphs):
            yield across(
                merged_type.subgraphs,
                "EXTENSION_WITH_NO_BASE",
                name,
                'is extended, but no subgraph defines it: write "type" instead of "extend type" in one of them',
            )
