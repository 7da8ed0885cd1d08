"""``@interfaceObject``: an entity here, an interface elsewhere, and none of its implementations in the same subgraph."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.composition.findings import across, in_subgraph
from gateway.composition.merged import Kind, Merged
from gateway.composition.subgraph import Subgraph
from gateway.composition.type_relations import is_strict_subtype, same_type
from gateway.errors import CompositionError

CODE = "INTERFACE_OBJECT_USAGE_ERROR"


def interface_object_keys(subgraph: Subgraph) -> Iterator[CompositionError]:
    for name in subgraph.types:
        if subgraph.is_interface_object(name) and name not in subgraph.keys:
            yield in_subgraph(
                subgraph, CODE, name, "an @interfaceObject needs a key: add @key, the one its interface has"
            )


def interface_object_implementations(merged: Merged) -> Iterator[CompositionError]:
    """Where an interface object is the only one to resolve a field, an ``@external`` declaration of it must implement it."""
    for merged_type in merged.types.values():
        for interface in merged_type.interfaces:
            for name, declared in merged.types[interface].fields.items():
                own = merged_type.fields.get(name)
                if own is None or own.owned or not own.sources or not own.from_interface_object:
                    continue
                subgraphs = [source.subgraph for source in own.sources]
                arguments = [argument.name for argument in declared.arguments.values() if argument.kept]
                if arguments:
                    yield across(
                        subgraphs,
                        "INVALID_GRAPHQL",
                        own.coordinate,
                        f'is only @external here and otherwise resolved for "{interface}" as a whole, so it has no arguments'
                        f' in the supergraph and would not implement "{declared.coordinate}({arguments[0]}:)": resolve it'
                        f" for this type in some subgraph, or require a field without arguments",
                    )
                elif (
                    declared.type is not None
                    and own.type is not None
                    and not same_type(own.type, declared.type)
                    and not is_strict_subtype(own.type, declared.type, merged.types)
                ):
                    yield across(
                        subgraphs,
                        "INVALID_GRAPHQL",
                        own.coordinate,
                        f'is @external with type "{own.type}", but "{declared.coordinate}", which resolves it, has type'
                        f' "{declared.type}": use that',
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
