"""What ``@requires`` asks for must be there in the supergraph too: an argument that some owner lacks has been merged away."""

from __future__ import annotations

from collections.abc import Iterator

from graphql import FieldNode, InlineFragmentNode, SelectionSetNode, get_named_type

from gateway.composition.field_sets import selection_or_none
from gateway.composition.findings import in_subgraph
from gateway.composition.merged import Merged
from gateway.composition.subgraph import string_argument
from gateway.errors import CompositionError


def requires_in_supergraph(merged: Merged) -> Iterator[CompositionError]:
    for subgraph in merged.subgraphs:
        for target, field, directive in subgraph.field_sets("requires"):
            selection = selection_or_none(string_argument(directive, "fields") or "")
            for text in _faults(merged, target.name, selection) if selection else ():
                yield in_subgraph(subgraph, "REQUIRES_INVALID_FIELDS", f"{target.name}.{field}", text)


def _faults(merged: Merged, parent: str, selection_set: SelectionSetNode) -> Iterator[str]:
    for selection in selection_set.selections:
        if isinstance(selection, InlineFragmentNode):
            narrowed = selection.type_condition.name.value if selection.type_condition else parent
            yield from _faults(merged, narrowed, selection.selection_set)
        elif isinstance(selection, FieldNode):
            holder = merged.types.get(parent)
            field = holder.fields.get(selection.name.value) if holder else None
            if field is None or field.type is None:
                continue
            for argument in selection.arguments or ():
                known = field.arguments.get(argument.name.value)
                if known is None or not known.kept:
                    yield (
                        f'@requires gives argument "{argument.name.value}" of "{field.coordinate}", which not every owner has:'
                        " add it there, or do not give it"
                    )
            if selection.selection_set is not None:
                yield from _faults(merged, get_named_type(field.type).name, selection.selection_set)
