"""A field that ``@requires`` others must be protected at least as they are, or it would leak what they hide."""

from __future__ import annotations

from collections.abc import Iterator

from graphql import FieldNode, InlineFragmentNode, SelectionSetNode, get_named_type

from gateway.composition.applications import Alternatives, Applications, conjunction
from gateway.composition.field_sets import selection_or_none
from gateway.composition.findings import in_subgraph
from gateway.composition.merged import Merged
from gateway.composition.subgraph import string_argument
from gateway.composition.vocabulary import AUTHORIZATION
from gateway.errors import CompositionError


def transitive_authorization(merged: Merged) -> Iterator[CompositionError]:
    applications = Applications(merged)
    for subgraph in merged.subgraphs:
        for target, field_name, directive in subgraph.field_sets("requires"):
            holder = merged.types.get(target.name)
            field = holder.fields.get(field_name or "") if holder else None
            selection = selection_or_none(string_argument(directive, "fields") or "")
            if holder is None or field is None or selection is None:
                continue
            for word in AUTHORIZATION:
                own = [applications.type_condition(word, holder), applications.field_condition(word, holder, field)]
                have = conjunction(condition for condition in own if condition)
                for required, need in _needs(applications, merged, word, target.name, selection):
                    # The conjunction changes nothing exactly when having implies needing.
                    if conjunction([*([have] if have else []), need]) != have:
                        yield in_subgraph(
                            subgraph,
                            "MISSING_TRANSITIVE_AUTH_REQUIREMENTS",
                            field.coordinate,
                            f'@requires "{required}", which is protected by @{word}: protect this field by it too',
                        )


def _needs(
    applications: Applications, merged: Merged, word: str, parent: str, selection_set: SelectionSetNode
) -> Iterator[tuple[str, Alternatives]]:
    holder = merged.types.get(parent)
    for selection in selection_set.selections:
        if isinstance(selection, InlineFragmentNode):
            narrowed = selection.type_condition.name.value if selection.type_condition else parent
            found = merged.types.get(narrowed)
            if found is not None and narrowed != parent:
                condition = applications.type_condition(word, found)
                if condition:
                    yield narrowed, condition
            yield from _needs(applications, merged, word, narrowed, selection.selection_set)
        elif isinstance(selection, FieldNode) and holder is not None:
            field = holder.fields.get(selection.name.value)
            if field is None or field.type is None:
                continue
            condition = applications.field_condition(word, holder, field)
            if condition:
                yield field.coordinate, condition
            target = merged.types.get(get_named_type(field.type).name)
            if target is not None:
                condition = applications.type_condition(word, target)
                if condition:
                    yield target.name, condition
            if selection.selection_set is not None:
                yield from _needs(applications, merged, word, get_named_type(field.type).name, selection.selection_set)
