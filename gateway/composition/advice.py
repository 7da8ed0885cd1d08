"""Hints that need the merged graph as a whole. Those about one merging decision are given where it is made."""

from __future__ import annotations

from collections.abc import Iterator

from graphql import print_ast

from gateway.composition.applications import Sources, field_sources, type_sources
from gateway.composition.merge import enum_uses
from gateway.composition.merged import Kind, Merged, MergedInput
from gateway.composition.result import Hint
from gateway.composition.vocabulary import DIRECTIVES, Carry

_COMBINED = {Carry.CONJUNCTION, Carry.MAXIMUM, Carry.WIDEST}


def advice(merged: Merged) -> Iterator[Hint]:
    """Descriptions and directive arguments that differ, enums nobody uses."""
    for coordinate, sources in _elements(merged):
        yield from _descriptions(coordinate, sources)
        yield from _arguments(coordinate, sources)
    inputs, outputs = enum_uses(merged)
    for merged_type in merged.types.values():
        if merged_type.kind is Kind.ENUM and merged_type.name not in inputs | outputs:
            yield Hint(
                "UNUSED_ENUM_TYPE", f'enum "{merged_type.name}" is used by no field or argument', merged_type.name
            )


def _elements(merged: Merged) -> Iterator[tuple[str, Sources]]:
    for merged_type in merged.types.values():
        yield merged_type.name, type_sources(merged_type)
        for field in merged_type.fields.values():
            yield field.coordinate, field_sources(field.sources)
            yield from (_input(argument) for argument in field.arguments.values() if argument.kept)
        yield from (_input(value) for value in merged_type.inputs.values() if value.kept)
        yield from ((value.coordinate, value.sources) for value in merged_type.values.values() if value.kept)


def _input(value: MergedInput) -> tuple[str, Sources]:
    return value.coordinate, [(source.subgraph, source.node) for source in value.sources]


def _descriptions(coordinate: str, sources: Sources) -> Iterator[Hint]:
    texts = {text.value for _, node in sources if (text := getattr(node, "description", None)) is not None}
    if len(texts) > 1:
        text = f'"{coordinate}" is described differently in different subgraphs; the most frequent description is used'
        yield Hint("INCONSISTENT_DESCRIPTION", text, coordinate)


def _arguments(coordinate: str, sources: Sources) -> Iterator[Hint]:
    for word, definition in DIRECTIVES.items():
        applied = {print_ast(d).partition("(")[2] for s, node in sources for d in s.applied(node, word)}
        if definition.carry in _COMBINED and len(applied) > 1:
            text = f'"{coordinate}" has @{word} with different arguments; the supergraph combines them'
            yield Hint("MERGED_NON_REPEATABLE_DIRECTIVE_ARGUMENTS", text, coordinate)
    deprecations = {
        print_ast(directive)
        for _, node in sources
        for directive in getattr(node, "directives", None) or ()
        if directive.name.value == "deprecated"
    }
    if len(deprecations) > 1:
        text = f'"{coordinate}" is @deprecated for different reasons; the most frequent one is used'
        yield Hint("INCONSISTENT_NON_REPEATABLE_DIRECTIVE_ARGUMENTS", text, coordinate)
