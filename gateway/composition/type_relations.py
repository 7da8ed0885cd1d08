"""How types of different subgraphs relate: equality and subtyping by name, over the merged interfaces and unions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from graphql import GraphQLList, GraphQLNamedType, GraphQLNonNull, GraphQLType

from gateway.composition.merged import MergedType


def is_strict_subtype(wide: GraphQLType, narrow: GraphQLType, types: Mapping[str, MergedType]) -> bool:
    """Whether every value of ``narrow`` is one of ``wide``, the two being different types."""
    if isinstance(narrow, GraphQLNonNull):
        if isinstance(wide, GraphQLNonNull):
            return is_strict_subtype(wide.of_type, narrow.of_type, types)
        return same_type(wide, narrow.of_type) or is_strict_subtype(wide, narrow.of_type, types)
    if isinstance(wide, GraphQLList) and isinstance(narrow, GraphQLList):
        return is_strict_subtype(wide.of_type, narrow.of_type, types)
    if isinstance(wide, GraphQLNamedType) and isinstance(narrow, GraphQLNamedType):
        outer, inner = types.get(wide.name), types.get(narrow.name)
        return (outer is not None and narrow.name in outer.members) or (
            inner is not None and wide.name in inner.interfaces
        )
    return False


def same_type(one: GraphQLType, other: GraphQLType) -> bool:
    """The types are of different schemas, so they are the same when they read the same."""
    return str(one) == str(other)


def common_type(
    found: Iterable[GraphQLType], types: Mapping[str, MergedType], *, narrowest: bool
) -> tuple[GraphQLType | None, bool]:
    """The widest (or narrowest) of the types, and whether they differ; None when one fits neither above nor below another."""
    best: GraphQLType | None = None
    differ = False
    for candidate in found:
        if best is None or same_type(best, candidate):
            best = best or candidate
        elif is_strict_subtype(best, candidate, types):
            differ = True
            best = candidate if narrowest else best
        elif is_strict_subtype(candidate, best, types):
            differ = True
            best = best if narrowest else candidate
        else:
            return None, True
    return best, differ
