"""``@shareable``: on fields of objects only, and once."""

from __future__ import annotations

from collections.abc import Iterator

from graphql import GraphQLInterfaceType

from gateway.composition.findings import in_subgraph
from gateway.composition.subgraph import Subgraph
from gateway.errors import CompositionError


def shareable_usage(subgraph: Subgraph) -> Iterator[CompositionError]:
    for holder in subgraph.composites.values():
        for name, field in holder.fields.items():
            applied = subgraph.applied(field.ast_node, "shareable")
            coordinate = f"{holder.name}.{name}"
            if applied and isinstance(holder, GraphQLInterfaceType):
                yield in_subgraph(
                    subgraph,
                    "INVALID_SHAREABLE_USAGE",
                    coordinate,
                    "interfaces resolve nothing, so @shareable belongs on the fields of the implementations",
                )
            elif len(applied) > 1:
                yield in_subgraph(
                    subgraph, "INVALID_SHAREABLE_USAGE", coordinate, "is marked @shareable twice: keep one"
                )
