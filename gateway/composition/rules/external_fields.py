"""An ``@external`` declaration must match what the owners say, and there must be an owner."""

from __future__ import annotations

from collections.abc import Iterator

from graphql import print_ast

from gateway.composition.findings import across, in_subgraph
from gateway.composition.merge import names_of
from gateway.composition.merged import FieldSource, Merged, MergedField
from gateway.composition.type_relations import is_strict_subtype, same_type
from gateway.composition.vocabulary import DIRECTIVES
from gateway.errors import CompositionError


def external_fields(merged: Merged) -> Iterator[CompositionError]:
    for merged_type in merged.types.values():
        for field in merged_type.fields.values():
            external = [source for source in field.sources if source.external]
            if external and len(external) == len(field.sources) and not field.from_interface_object:
                subgraphs = [source.subgraph for source in external]
                yield across(
                    subgraphs,
                    "EXTERNAL_MISSING_ON_BASE",
                    field.coordinate,
                    f"is marked @external wherever it is declared ({names_of(subgraphs)}): some subgraph must resolve it",
                )
                continue
            for source in external:
                yield from _mismatches(merged, field, source)
                yield from _directives(field, source)


def _mismatches(merged: Merged, field: MergedField, source: FieldSource) -> Iterator[CompositionError]:
    declared = source.field.type
    if (
        field.type is not None
        and not same_type(field.type, declared)
        and not (field.types_differ and is_strict_subtype(field.type, declared, merged.types))
    ):
        yield in_subgraph(
            source.subgraph,
            "EXTERNAL_TYPE_MISMATCH",
            field.coordinate,
            f'is declared @external with type "{declared}", its owners say "{field.type}": use that',
        )
    for name, argument in field.arguments.items():
        if not argument.kept:
            continue
        own = source.field.args.get(name)
        if own is None:
            yield in_subgraph(
                source.subgraph,
                "EXTERNAL_ARGUMENT_MISSING",
                field.coordinate,
                f'is declared @external without argument "{name}": add it',
            )
            continue
        if (
            argument.type is not None
            and not same_type(argument.type, own.type)
            and not is_strict_subtype(own.type, argument.type, merged.types)
        ):
            yield in_subgraph(
                source.subgraph,
                "EXTERNAL_ARGUMENT_TYPE_MISMATCH",
                argument.coordinate,
                f'is declared @external with type "{own.type}", its owners say "{argument.type}": use that',
            )
        default = print_ast(own.ast_node.default_value) if own.ast_node and own.ast_node.default_value else None
        if default != argument.default:
            yield in_subgraph(
                source.subgraph,
                "EXTERNAL_ARGUMENT_DEFAULT_MISMATCH",
                argument.coordinate,
                f"is declared @external with default {default}, its owners say {argument.default}: use that",
            )


def _directives(field: MergedField, source: FieldSource) -> Iterator[CompositionError]:
    for word, definition in DIRECTIVES.items():
        if definition.carry is not None and source.subgraph.has(source.node, word):
            yield in_subgraph(
                source.subgraph,
                "MERGED_DIRECTIVE_APPLICATION_ON_EXTERNAL",
                field.coordinate,
                f"@{word} has no effect on an @external field: apply it where the field is resolved",
            )
