"""An argument or input field that one subgraph requires must be known to all, and an input type must keep some field."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.composition.findings import across
from gateway.composition.merge import is_required, names_of
from gateway.composition.merged import Kind, Merged, MergedInput
from gateway.errors import CompositionError


def required_inputs(merged: Merged) -> Iterator[CompositionError]:
    for merged_type in merged.types.values():
        for field in merged_type.fields.values():
            for argument in field.arguments.values():
                yield from _missing(argument, "REQUIRED_ARGUMENT_MISSING_IN_SOME_SUBGRAPH", "argument")
        for value in merged_type.inputs.values():
            yield from _missing(value, "REQUIRED_INPUT_FIELD_MISSING_IN_SOME_SUBGRAPH", "input field")
        if merged_type.kind is Kind.INPUT and not any(value.kept for value in merged_type.inputs.values()):
            yield across(
                merged_type.subgraphs,
                "EMPTY_MERGED_INPUT_TYPE",
                merged_type.name,
                "no input field is known to every subgraph: they must share at least one",
            )


def _missing(value: MergedInput, code: str, what: str) -> Iterator[CompositionError]:
    if value.kept:
        return
    requiring = [source.subgraph for source in value.sources if is_required(source.value)]
    if requiring:
        yield across(
            [*requiring, *value.lacking],
            code,
            value.coordinate,
            f"the {what} is required in {names_of(requiring)} and unknown in {names_of(value.lacking)}: add it there, or make it optional",
        )
