"""A resolvable ``@key`` of an interface must be a key of each implementation in the same subgraph."""

from __future__ import annotations

from collections.abc import Iterator

from graphql import GraphQLInterfaceType

from gateway.composition.field_sets import is_known, print_field_set
from gateway.composition.findings import in_subgraph
from gateway.composition.subgraph import Key, Subgraph
from gateway.errors import CompositionError


def interface_keys(subgraph: Subgraph) -> Iterator[CompositionError]:
    for name, keys in subgraph.keys.items():
        found = subgraph.types[name]
        if not isinstance(found, GraphQLInterfaceType):
            continue
        implementations = subgraph.schema.get_implementations(found).objects
        for key in keys:
            if not key.resolvable or key.selection is None or not is_known(subgraph.schema, found, key.selection):
                continue
            for implementation in implementations:
                own = [other for other in subgraph.keys.get(implementation.name, ()) if _normal(other) == _normal(key)]
                if not own and any(
                    other.selection is None or not is_known(subgraph.schema, implementation, other.selection)
                    for other in subgraph.keys.get(implementation.name, ())
                ):
                    continue  # One of its keys has a fault, which is reported; it may have been meant as this one.
                if not own:
                    fix = f'add @key(fields: "{key.fields}") to "{implementation.name}"'
                elif not any(other.resolvable for other in own):
                    fix = f'remove "resolvable: false" from that key of "{implementation.name}"'
                else:
                    continue
                yield in_subgraph(
                    subgraph,
                    "INTERFACE_KEY_NOT_ON_IMPLEMENTATION",
                    name,
                    f'its key "{key.fields}" must hold for each implementation: {fix}',
                )


def _normal(key: Key) -> str:
    """The key's fields in an order that does not depend on how they were written."""
    return " ".join(sorted(print_field_set(key.selection).split())) if key.selection is not None else key.fields
