"""An executable directive that all subgraphs define must take compatible arguments in each."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.composition.findings import across
from gateway.composition.merged import Merged
from gateway.composition.type_relations import common_type
from gateway.errors import CompositionError


def directive_arguments(merged: Merged) -> Iterator[CompositionError]:
    for directive in merged.directives.values():
        if directive.composed_from:
            continue
        found = [d for s in merged.subgraphs if (d := s.schema.get_directive(directive.name)) is not None]
        for name in sorted(set.intersection(*(set(d.args) for d in found))):
            typed, _ = common_type((d.args[name].type for d in found), merged.types, narrowest=True)
            if typed is None:
                listed = ", ".join(
                    f'"{d.args[name].type}" in "{s.name}"' for s, d in zip(merged.subgraphs, found, strict=True)
                )
                yield across(
                    merged.subgraphs,
                    "FIELD_ARGUMENT_TYPE_MISMATCH",
                    f"@{directive.name}({name}:)",
                    f"has incompatible types: {listed}. Make them the same",
                )
