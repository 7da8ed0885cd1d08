"""A subgraph that resolves an interface by ``@key`` must know every implementation, or it could not say which one it found."""

from __future__ import annotations

from collections.abc import Iterator

from graphql import GraphQLInterfaceType

from gateway.composition.findings import in_subgraph
from gateway.composition.merged import Kind, Merged
from gateway.errors import CompositionError


def interface_key_places(merged: Merged) -> Iterator[CompositionError]:
    for name, merged_type in merged.types.items():
        if merged_type.kind is not Kind.INTERFACE:
            continue
        implementations = [
            other.name for other in merged.types.values() if other.kind is Kind.OBJECT and name in other.interfaces
        ]
        for subgraph, found in merged_type.sources:
            keys = subgraph.keys.get(name, ())
            if not isinstance(found, GraphQLInterfaceType) or not any(key.resolvable for key in keys):
                continue
            missing = [implementation for implementation in implementations if implementation not in subgraph.types]
            if missing:
                yield in_subgraph(
                    subgraph,
                    "INTERFACE_KEY_MISSING_IMPLEMENTATION_TYPE",
                    name,
                    f"has a resolvable @key here, so every implementation must be defined here too: add {', '.join(missing)}",
                )
