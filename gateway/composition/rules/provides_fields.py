"""``@provides``: its field set must be readable, of external fields of a composite type, and on an object's field."""

from __future__ import annotations

from collections.abc import Iterator

from graphql import GraphQLInterfaceType, get_named_type, is_composite_type

from gateway.composition.field_set_checks import PROVIDES, check_field_set
from gateway.composition.findings import in_subgraph
from gateway.composition.subgraph import Subgraph
from gateway.errors import CompositionError


def provides_fields(subgraph: Subgraph) -> Iterator[CompositionError]:
    for holder in subgraph.composites.values():
        for name, field in holder.fields.items():
            for directive in subgraph.applied(field.ast_node, "provides"):
                coordinate = f"{holder.name}.{name}"
                target = get_named_type(field.type)
                if not is_composite_type(target):
                    yield in_subgraph(
                        subgraph,
                        "PROVIDES_ON_NON_OBJECT_FIELD",
                        coordinate,
                        f'"{target.name}" has no fields to provide: remove @provides',
                    )
                    continue
                if isinstance(holder, GraphQLInterfaceType):
                    yield in_subgraph(
                        subgraph,
                        "PROVIDES_UNSUPPORTED_ON_INTERFACE",
                        coordinate,
                        "@provides cannot be used on a field of an interface: put it on the implementations",
                    )
                yield from check_field_set(subgraph, PROVIDES, target, coordinate, directive)
