"""``@override``: which subgraph takes a field over from which, and why some overrides cannot be.

Shared by merging, which acts on the sound ones, and by the rules, which report the others.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from graphql import GraphQLInterfaceType

from gateway.composition.merged import FieldSource, Merged
from gateway.composition.result import Hint
from gateway.composition.subgraph import string_argument

_NAMED_LABEL = re.compile(r"[a-zA-Z][a-zA-Z0-9_\-:./]*")
_PERCENT_LABEL = re.compile(r"percent\((\d{1,2}(?:\.\d{1,8})?|100)\)")


def label_is_valid(label: str) -> bool:
    """A name (a letter, then word characters and ``-:./``) or ``percent(0-100)`` with at most eight decimals."""
    return bool(_NAMED_LABEL.fullmatch(label) or _PERCENT_LABEL.fullmatch(label))


def override_problem(merged: Merged, source: FieldSource, sources: Sequence[FieldSource]) -> tuple[str, str] | None:
    """The code and the reason why ``source``'s override cannot be honoured, or None."""
    name, origin = source.subgraph.name, source.override_from
    if origin is None:
        return None
    if isinstance(source.holder, GraphQLInterfaceType):
        return (
            "OVERRIDE_ON_INTERFACE",
            "@override cannot be used on a field of an interface: put it on the implementations",
        )
    if origin == name:
        return (
            "OVERRIDE_FROM_SELF_ERROR",
            f'subgraph "{name}" cannot override its own field: name the subgraph it is taken from',
        )
    if merged.subgraph(origin) is None:
        return None
    other = next((other for other in sources if other.subgraph.name == origin), None)
    if other is None:
        return None
    if other.override_from is not None:
        return (
            "OVERRIDE_SOURCE_HAS_OVERRIDE",
            f'"{name}" overrides it from "{origin}", which overrides it itself: keep one @override',
        )
    if source.external:
        return (
            "OVERRIDE_COLLISION_WITH_ANOTHER_DIRECTIVE",
            f'@override in "{name}" cannot be combined with @external on the same field: remove one',
        )
    for word in ("requires", "provides"):
        if other.subgraph.has(other.node, word):
            return (
                "OVERRIDE_COLLISION_WITH_ANOTHER_DIRECTIVE",
                f'"{name}" overrides it from "{origin}", where it has @{word}: remove @{word} there first',
            )
    if source.override_label is not None and not label_is_valid(source.override_label):
        return (
            "OVERRIDE_LABEL_INVALID",
            f'the label "{source.override_label}" must be a name (letter, then letters, digits or _-:./) or percent(0-100)',
        )
    return None


def settle_overrides(merged: Merged, coordinate: str, sources: Sequence[FieldSource]) -> None:
    """Mark each source that another one overrides, and hint at what can now be removed."""
    for source in sources:
        for directive in source.subgraph.applied(source.node, "override"):
            source.override_from = string_argument(directive, "from")
            source.override_label = string_argument(directive, "label")
    for source in sources:
        problem = override_problem(merged, source, sources)
        # A label that cannot be read is reported; the override itself is still what its author meant.
        if source.override_from is None or (problem is not None and problem[0] != "OVERRIDE_LABEL_INVALID"):
            continue
        origin = source.override_from
        if merged.subgraph(origin) is None:
            merged.hints.append(
                Hint(
                    "FROM_SUBGRAPH_DOES_NOT_EXIST",
                    f'"{coordinate}" in "{source.subgraph.name}" overrides from "{origin}", which is no subgraph here',
                    coordinate,
                )
            )
            continue
        other = next((other for other in sources if other.subgraph.name == origin), None)
        if other is None or other.external:
            merged.hints.append(
                Hint(
                    "OVERRIDE_DIRECTIVE_CAN_BE_REMOVED",
                    f'"{origin}" no longer resolves "{coordinate}": the @override in "{source.subgraph.name}" can go',
                    coordinate,
                )
            )
            continue
        other.overridden_by = source.subgraph.name
        other.still_used = (other.holder.name, coordinate.partition(".")[2]) in other.subgraph.used
        if source.override_label is not None:
            other.override_label = source.override_label
            merged.hints.append(
                Hint(
                    "OVERRIDE_MIGRATION_IN_PROGRESS",
                    f'"{coordinate}" is moving from "{origin}" to "{source.subgraph.name}"',
                    coordinate,
                )
            )
        else:
            what = "be marked @external" if other.still_used else "be removed"
            merged.hints.append(
                Hint(
                    "OVERRIDDEN_FIELD_CAN_BE_REMOVED",
                    f'"{coordinate}" in "{origin}" is overridden and can {what}',
                    coordinate,
                )
            )
