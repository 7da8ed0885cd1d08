"""``@cost`` and ``@listSize``: where they make sense, and arguments that name what exists."""

from __future__ import annotations

from collections.abc import Iterator

from graphql import (
    DirectiveNode,
    GraphQLField,
    GraphQLInt,
    GraphQLInterfaceType,
    GraphQLObjectType,
    get_named_type,
    get_nullable_type,
    is_list_type,
)

from gateway.composition.findings import in_subgraph
from gateway.composition.subgraph import Subgraph, integer_argument, string_list_argument
from gateway.errors import CompositionError


def demand(subgraph: Subgraph) -> Iterator[CompositionError]:
    for holder in subgraph.composites.values():
        for name, field in holder.fields.items():
            coordinate = f"{holder.name}.{name}"
            if isinstance(holder, GraphQLInterfaceType) and subgraph.has(field.ast_node, "cost"):
                yield in_subgraph(
                    subgraph,
                    "COST_APPLIED_TO_INTERFACE_FIELD",
                    coordinate,
                    "@cost cannot be used on a field of an interface: put it on the implementations",
                )
            for directive in subgraph.applied(field.ast_node, "listSize"):
                yield from _list_size(subgraph, coordinate, field, directive)


def _list_size(
    subgraph: Subgraph, coordinate: str, field: GraphQLField, directive: DirectiveNode
) -> Iterator[CompositionError]:
    sized = string_list_argument(directive, "sizedFields")
    if not is_list_type(get_nullable_type(field.type)) and not sized:
        yield in_subgraph(
            subgraph,
            "LIST_SIZE_APPLIED_TO_NON_LIST",
            coordinate,
            "@listSize needs a list, or sizedFields that name one",
        )
    size = integer_argument(directive, "assumedSize")
    if size is not None and size < 0:
        yield in_subgraph(
            subgraph, "LIST_SIZE_INVALID_ASSUMED_SIZE", coordinate, "@listSize(assumedSize:) cannot be negative"
        )
    for name in string_list_argument(directive, "slicingArguments") or ():
        argument = field.args.get(name)
        if argument is None or get_nullable_type(argument.type) is not GraphQLInt:
            yield in_subgraph(
                subgraph,
                "LIST_SIZE_INVALID_SLICING_ARGUMENT",
                coordinate,
                f'slicing argument "{name}" must be an argument of type Int',
            )
    target = get_named_type(field.type)
    for name in sized or ():
        inner = target.fields.get(name) if isinstance(target, GraphQLObjectType | GraphQLInterfaceType) else None
        if inner is None:
            code, text = (
                "LIST_SIZE_INVALID_SIZED_FIELD",
                f'"{target.name}" has no field "{name}": name one of its lists',
            )
        elif not is_list_type(get_nullable_type(inner.type)):
            code, text = (
                "LIST_SIZE_APPLIED_TO_NON_LIST",
                f'sized field "{target.name}.{name}" is no list: name one that is',
            )
        else:
            continue
        yield in_subgraph(subgraph, code, coordinate, text)
