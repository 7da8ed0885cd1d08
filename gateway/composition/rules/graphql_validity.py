"""The supergraph must itself be a valid GraphQL schema; what merging may break is how types implement their interfaces."""

from __future__ import annotations

from collections.abc import Iterator

from graphql import build_schema, validate_schema

from gateway.errors import CompositionError


def graphql_validity(supergraph: str) -> Iterator[CompositionError]:
    for error in validate_schema(build_schema(supergraph, assume_valid_sdl=True)):
        yield CompositionError("INVALID_GRAPHQL", f"the supergraph would not be valid: {error.message}")
