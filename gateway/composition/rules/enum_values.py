"""An enum used in both inputs and answers must have the same values everywhere; one used in inputs needs a common value."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.composition.findings import across
from gateway.composition.merge import enum_uses, names_of
from gateway.composition.merged import Kind, Merged
from gateway.errors import CompositionError


def enum_values(merged: Merged) -> Iterator[CompositionError]:
    inputs, outputs = enum_uses(merged)
    for merged_type in merged.types.values():
        if merged_type.kind is not Kind.ENUM:
            continue
        if not any(value.kept for value in merged_type.values.values()):
            yield across(
                merged_type.subgraphs,
                "EMPTY_MERGED_ENUM_TYPE",
                merged_type.name,
                "no value is known to every subgraph: share at least one",
            )
        if merged_type.name not in inputs or merged_type.name not in outputs:
            continue
        for value in merged_type.values.values():
            hidden = any(subgraph.has(node, "inaccessible") for subgraph, node in value.sources)
            if value.lacking and not hidden:
                yield across(
                    merged_type.subgraphs,
                    "ENUM_VALUE_MISMATCH",
                    merged_type.name,
                    f'is used in inputs and in answers, so its values must be the same everywhere: add "{value.name}" in'
                    f" {names_of(value.lacking)}",
                )
