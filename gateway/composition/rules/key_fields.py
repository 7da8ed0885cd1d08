"""``@key``: its field set must be readable, without arguments or abstract fields; on interfaces only since federation v2.3."""

from __future__ import annotations

from collections.abc import Iterator

from graphql import GraphQLInterfaceType

from gateway.composition.field_set_checks import KEY, check_field_set
from gateway.composition.findings import in_subgraph
from gateway.composition.subgraph import Subgraph
from gateway.errors import CompositionError


def key_fields(subgraph: Subgraph) -> Iterator[CompositionError]:
    for target, _, directive in subgraph.field_sets("key"):
        if isinstance(target, GraphQLInterfaceType) and subgraph.version < (2, 3):
            yield in_subgraph(
                subgraph,
                "KEY_UNSUPPORTED_ON_INTERFACE",
                target.name,
                "@key on an interface needs federation v2.3: link that version, or move the key to the implementations",
            )
        yield from check_field_set(subgraph, KEY, target, target.name, directive)
