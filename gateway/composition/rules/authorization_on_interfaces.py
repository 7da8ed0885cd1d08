"""Authorization directives protect objects; an interface's protection follows from its implementations."""

from __future__ import annotations

from collections.abc import Iterator

from graphql import GraphQLInterfaceType

from gateway.composition.findings import in_subgraph
from gateway.composition.subgraph import Subgraph
from gateway.composition.vocabulary import AUTHORIZATION
from gateway.errors import CompositionError


def authorization_on_interfaces(subgraph: Subgraph) -> Iterator[CompositionError]:
    for name, holder in subgraph.composites.items():
        interface = isinstance(holder, GraphQLInterfaceType)
        for word in AUTHORIZATION:
            marked = (
                [name]
                if subgraph.has(holder.ast_node, word) and (interface or subgraph.is_interface_object(name))
                else []
            )
            if interface:
                marked += [
                    f"{name}.{key}" for key, field in holder.fields.items() if subgraph.has(field.ast_node, word)
                ]
            for coordinate in marked:
                yield in_subgraph(
                    subgraph,
                    "AUTH_REQUIREMENTS_APPLIED_ON_INTERFACE",
                    coordinate,
                    f"@{word} cannot be applied to an interface: protect the implementations or their fields",
                )
