"""``@context`` and ``@fromContext``: a context must have a proper name, be set, and fit where it is used."""

from __future__ import annotations

import re
from collections.abc import Iterator

from graphql import GraphQLInterfaceType

from gateway.composition.field_sets import context_use, is_known, selection_or_none
from gateway.composition.findings import across, in_subgraph
from gateway.composition.merge import is_required
from gateway.composition.merged import Merged
from gateway.composition.subgraph import Subgraph, string_argument
from gateway.errors import CompositionError

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]*")


def context_names(subgraph: Subgraph) -> Iterator[CompositionError]:
    for name, found in subgraph.types.items():
        for directive in subgraph.applied(found.ast_node, "context"):
            context = string_argument(directive, "name") or ""
            if not _NAME.fullmatch(context):
                yield in_subgraph(
                    subgraph,
                    "CONTEXT_NAME_INVALID",
                    name,
                    f'the context name "{context}" must be letters and digits, a letter first',
                )


def context_uses(subgraph: Subgraph) -> Iterator[CompositionError]:
    for holder in subgraph.composites.values():
        for field_name, field in holder.fields.items():
            for argument_name, argument in field.args.items():
                for directive in subgraph.applied(argument.ast_node, "fromContext"):
                    coordinate = f"{holder.name}.{field_name}({argument_name}:)"
                    for code, text in _faults(subgraph, string_argument(directive, "field") or ""):
                        yield in_subgraph(subgraph, code, coordinate, text)
                    if isinstance(holder, GraphQLInterfaceType):
                        text = "@fromContext cannot be used on an interface: put it on the implementations"
                        yield in_subgraph(subgraph, "CONTEXT_NOT_SET", coordinate, text)
                    elif not any(key.resolvable for key in subgraph.keys.get(holder.name, ())):
                        text = f'"{holder.name}" needs a resolvable @key, so that it can be entered with the argument filled in'
                        yield in_subgraph(subgraph, "CONTEXT_NO_RESOLVABLE_KEY", coordinate, text)


def _faults(subgraph: Subgraph, text: str) -> Iterator[tuple[str, str]]:
    use = context_use(text)
    if use is None:
        yield "NO_CONTEXT_IN_SELECTION", f'"{text}" must name a context and a selection: "$context {{ field }}"'
        return
    name, selected = use
    setters = [
        found
        for found in subgraph.types.values()
        if any(string_argument(d, "name") == name for d in subgraph.applied(found.ast_node, "context"))
    ]
    if not setters:
        yield "CONTEXT_NOT_SET", f'no type sets the context "{name}": add @context(name: "{name}") to an enclosing type'
        return
    selection = selection_or_none(selected)
    if selection is None:
        yield "CONTEXT_INVALID_SELECTION", f'the selection "{selected}" cannot be read'
    elif not any(is_known(subgraph.schema, setter, selection) for setter in setters):
        yield "CONTEXT_INVALID_SELECTION", f'no type that sets "{name}" has the fields of "{selected}"'


def contextual_arguments(merged: Merged) -> Iterator[CompositionError]:
    """Where one subgraph fills an argument from a context, no other may demand it of clients."""
    for merged_type in merged.types.values():
        for field in merged_type.fields.values():
            contextual = {context.argument for source in field.owned for context in source.contexts}
            for name in sorted(contextual):
                demanding = [
                    source.subgraph
                    for source in field.owned
                    if name in source.field.args
                    and all(context.argument != name for context in source.contexts)
                    and is_required(source.field.args[name])
                ]
                if demanding:
                    yield across(
                        demanding,
                        "CONTEXTUAL_ARGUMENT_NOT_CONTEXTUAL_IN_ALL_SUBGRAPHS",
                        f"{field.coordinate}({name}:)",
                        "is filled from a context in one subgraph and required from clients in another: use @fromContext in both, or"
                        " make it optional",
                    )
