"""Every implementation must have all fields of the merged interface."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.composition.findings import across
from gateway.composition.merge import names_of
from gateway.composition.merged import Merged
from gateway.errors import CompositionError


def interface_fields(merged: Merged) -> Iterator[CompositionError]:
    for merged_type in merged.types.values():
        for interface in merged_type.interfaces:
            found = merged.types.get(interface)
            for field in found.fields.values() if found else ():
                if field.name in merged_type.fields:
                    continue
                declaring = [source.subgraph for source in field.sources]
                yield across(
                    [*declaring, *merged_type.subgraphs],
                    "INTERFACE_FIELD_NO_IMPLEM",
                    f"{merged_type.name}.{field.name}",
                    f'interface field "{field.coordinate}" is declared in {names_of(declaring)}, but no subgraph that defines'
                    f' "{merged_type.name}" resolves it: add the field to the type, or drop it from the interface',
                )
