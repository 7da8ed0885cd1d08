"""``@interfaceObject``: an entity here, an interface elsewhere, and none of its implementations in the same subgraph."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.composition.findings import across, in_subgraph
from gateway.composition.merged import Kind, Merged
from gateway.composition.subgraph import Subgraph
from gateway.errors import CompositionError

CODE = "INTERFACE_OBJECT_USAGE_ERROR"


def interface_object_keys(subgraph: Subgraph) -> Iterator[CompositionError]:
    for name in subgraph.types:
        if subgraph.is_interface_object(name) and name not in subgraph.keys:
            yield in_subgraph(
                subgraph, CODE, name, "an @interfaceObject needs a key: add @key, the one its interface has"
            )


def interface_object_places(merged: Merged) -> Iterator[CompositionError]:
    for name, merged_type in merged.types.items():
        objects = [subgraph for subgraph in merged_type.subgraphs if subgraph.is_interface_object(name)]
        if objects and len(objects) == len(merged_type.subgraphs):
            yield across(
                objects,
                CODE,
                name,
                "is an @interfaceObject wherever it is defined: some subgraph must define the interface",
            )
        for subgraph in objects:
            defined = sorted(
                other.name
                for other in merged.types.values()
                if other.kind is Kind.OBJECT and name in other.interfaces and other.name in subgraph.types
            )
            if defined:
                yield in_subgraph(
                    subgraph,
                    CODE,
                    name,
                    f'stands for every implementation, so "{defined[0]}" cannot be defined here too: remove it, or'
                    " define the interface itself",
                )
