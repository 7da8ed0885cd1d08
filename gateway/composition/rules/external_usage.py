"""``@external``: not on interface fields, and only on fields that a key, requirement, provision or interface uses."""

from __future__ import annotations

from collections.abc import Iterator

from graphql import GraphQLInterfaceType

from gateway.composition.findings import in_subgraph
from gateway.composition.subgraph import Subgraph
from gateway.errors import CompositionError


def external_usage(subgraph: Subgraph) -> Iterator[CompositionError]:
    for type_name, field_name in sorted(subgraph.externals):
        coordinate = f"{type_name}.{field_name}"
        if isinstance(subgraph.types[type_name], GraphQLInterfaceType):
            yield in_subgraph(
                subgraph,
                "EXTERNAL_ON_INTERFACE",
                coordinate,
                "a field of an interface cannot be @external: mark the fields of its implementations",
            )
        if (type_name, field_name) not in subgraph.used:
            yield in_subgraph(
                subgraph,
                "EXTERNAL_UNUSED",
                coordinate,
                "marked @external, yet no @key, @requires or @provides uses it and no interface asks for it: remove the field",
            )
