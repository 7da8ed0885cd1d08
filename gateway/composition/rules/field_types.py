"""A field's, argument's or input field's types must fit into one another, and default values must agree."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.composition.findings import across
from gateway.composition.merged import Merged, MergedInput
from gateway.errors import CompositionError


def field_types(merged: Merged) -> Iterator[CompositionError]:
    for merged_type in merged.types.values():
        for field in merged_type.fields.values():
            if field.type is None and field.owned:
                found = ", ".join(f'"{source.field.type}" in "{source.subgraph.name}"' for source in field.owned)
                yield across(
                    [source.subgraph for source in field.owned],
                    "FIELD_TYPE_MISMATCH",
                    field.coordinate,
                    f"has incompatible types: {found}. Make them the same, or one a subtype of the other",
                )
            for argument in field.arguments.values():
                yield from _input(argument, "FIELD_ARGUMENT_TYPE_MISMATCH", "FIELD_ARGUMENT_DEFAULT_MISMATCH")
        for value in merged_type.inputs.values():
            yield from _input(value, "FIELD_TYPE_MISMATCH", "INPUT_FIELD_DEFAULT_MISMATCH")


def _input(value: MergedInput, type_code: str, default_code: str) -> Iterator[CompositionError]:
    if not value.kept:
        return
    subgraphs = [source.subgraph for source in value.sources]
    if value.type is None:
        found = ", ".join(f'"{source.value.type}" in "{source.subgraph.name}"' for source in value.sources)
        yield across(subgraphs, type_code, value.coordinate, f"has incompatible types: {found}. Make them the same")
    if value.defaults_conflict:
        yield across(
            subgraphs, default_code, value.coordinate, "has different default values: use one in all subgraphs"
        )
