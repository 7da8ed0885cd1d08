"""A type that is only extended must be defined in some subgraph.

A definition marked ``@extends`` is still a definition to others; federation 1 only denies it to the subgraph that wrote it.
"""

from __future__ import annotations

from collections.abc import Iterator

from gateway.composition.findings import across
from gateway.composition.merged import Merged
from gateway.composition.subgraph import ROOTS
from gateway.errors import CompositionError


def extension_bases(merged: Merged) -> Iterator[CompositionError]:
    for name, merged_type in merged.types.items():
        if name in ROOTS.values():
            continue
        bases = [subgraph for subgraph in merged_type.subgraphs if name not in subgraph.extension_types]
        alone = [
            subgraph
            for subgraph in merged_type.subgraphs
            if not subgraph.is_federation_2 and subgraph.is_extension(name) and all(base is subgraph for base in bases)
        ]
        if not bases or alone:
            yield across(
                alone or merged_type.subgraphs,
                "EXTENSION_WITH_NO_BASE",
                name,
                'is extended, but no subgraph defines it: write "type" instead of "extend type" in one of them',
            )
