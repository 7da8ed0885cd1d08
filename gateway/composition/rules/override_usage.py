"""``@override`` must take a plain object field from another subgraph that resolves it plainly."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.composition.findings import in_subgraph
from gateway.composition.merged import Merged
from gateway.composition.overrides import override_problem
from gateway.errors import CompositionError


def override_usage(merged: Merged) -> Iterator[CompositionError]:
    for merged_type in merged.types.values():
        for field in merged_type.fields.values():
            for source in field.sources:
                problem = override_problem(merged, source, field.sources)
                if problem is not None:
                    code, text = problem
                    yield in_subgraph(source.subgraph, code, field.coordinate, text)
