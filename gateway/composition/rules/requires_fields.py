"""``@requires``: its field set must be readable, of external fields, and on an object's field."""

from __future__ import annotations

from collections.abc import Iterator

from graphql import GraphQLInterfaceType

from gateway.composition.field_set_checks import REQUIRES, check_field_set
from gateway.composition.findings import in_subgraph
from gateway.composition.subgraph import Subgraph
from gateway.errors import CompositionError


def requires_fields(subgraph: Subgraph) -> Iterator[CompositionError]:
    for target, field, directive in subgraph.field_sets("requires"):
        coordinate = f"{target.name}.{field}"
        if isinstance(target, GraphQLInterfaceType):
            yield in_subgraph(
                subgraph,
                "REQUIRES_UNSUPPORTED_ON_INTERFACE",
                coordinate,
                "@requires cannot be used on a field of an interface: put it on the implementations",
            )
        yield from check_field_set(subgraph, REQUIRES, target, coordinate, directive)
