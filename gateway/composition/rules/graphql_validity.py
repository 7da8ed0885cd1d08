"""The merged graph must itself be a valid GraphQL schema; what merging may break is how types implement their interfaces."""

from __future__ import annotations

from collections.abc import Iterator

from graphql import build_schema, validate_schema

from gateway.composition.merged import Merged
from gateway.composition.render import render
from gateway.errors import CompositionError


def graphql_validity(merged: Merged) -> Iterator[CompositionError]:
    schema = build_schema(render(merged), assume_valid_sdl=True)
    for error in validate_schema(schema):
        yield CompositionError("INVALID_GRAPHQL", f"the supergraph would not be valid: {error.message}")
