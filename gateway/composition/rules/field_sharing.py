"""A field resolved by several subgraphs must be ``@shareable`` in each of them; a subscription field in none."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.composition.findings import across
from gateway.composition.merge import names_of
from gateway.composition.merged import Kind, Merged, MergedField, MergedType
from gateway.composition.subgraph import Subgraph
from gateway.errors import CompositionError

CODE = "INVALID_FIELD_SHARING"


def field_sharing(merged: Merged) -> Iterator[CompositionError]:
    for merged_type in merged.types.values():
        if merged_type.kind is not Kind.OBJECT:
            continue
        for field in merged_type.fields.values():
            resolving = list(_resolving(merged, merged_type, field))
            if len(resolving) < 2:
                continue
            private = [subgraph for subgraph, shareable in resolving if not shareable]
            if merged_type.name == "Subscription":
                yield across(
                    [subgraph for subgraph, _ in resolving],
                    CODE,
                    field.coordinate,
                    f"is a subscription field of {names_of(s for s, _ in resolving)}: one subgraph alone can resolve it",
                )
            elif private:
                yield across(
                    [subgraph for subgraph, _ in resolving],
                    CODE,
                    field.coordinate,
                    f"is resolved by {names_of(s for s, _ in resolving)}, but not marked @shareable in {names_of(private)}: mark it"
                    " in each of them, or leave it to one",
                )


def _resolving(merged: Merged, holder: MergedType, field: MergedField) -> Iterator[tuple[Subgraph, bool]]:
    """The subgraphs that resolve the field, themselves or through an interface object, and whether they share it.

    Overridden declarations no longer resolve; an external one does where a ``@provides`` says so, with the owner's consent.
    """
    for source in field.sources:
        if source.external:
            if (holder.name, field.name) in source.subgraph.provided:
                yield source.subgraph, True
        elif source.overridden_by is None:
            yield source.subgraph, source.subgraph.is_shareable(holder.name, field.name)
    for interface in holder.interfaces:
        contributed = merged.types[interface].fields.get(field.name) if interface in merged.types else None
        for source in contributed.sources if contributed else ():
            if source.subgraph.is_interface_object(interface) and not source.external and source.overridden_by is None:
                yield source.subgraph, source.subgraph.is_shareable(interface, field.name)
