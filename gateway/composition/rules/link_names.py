"""A directive that reaches the supergraph must go by one name in all subgraphs that import it."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.composition.applications import imported_names
from gateway.composition.findings import across
from gateway.composition.merged import Merged
from gateway.composition.vocabulary import DIRECTIVES
from gateway.errors import CompositionError


def link_names(merged: Merged) -> Iterator[CompositionError]:
    for word, definition in DIRECTIVES.items():
        names = imported_names(merged, word)
        if definition.carry is not None and len(names) > 1:
            listed = ", ".join(f"@{name}" for name in sorted(names))
            importing = [s for s in merged.subgraphs if any(f"@{word}" in link.imports for link in s.links)]
            yield across(
                importing,
                "LINK_IMPORT_NAME_MISMATCH",
                f"@{word}",
                f"is imported as {listed}: use one name in every subgraph",
            )
