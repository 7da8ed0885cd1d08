"""Subgraph SDLs → supergraph SDL, or every error. The steps, each a line; the work is in the modules they name."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.composition.advice import advice
from gateway.composition.api import api_schema_sdl
from gateway.composition.merge import merge
from gateway.composition.reading import read_subgraph
from gateway.composition.render import render
from gateway.composition.result import CompositionResult, Hint, SubgraphSource
from gateway.composition.rules import API_RULES, MERGE_RULES, SUBGRAPH_RULES, SUPERGRAPH_RULES
from gateway.composition.rules.graphql_validity import graphql_validity
from gateway.composition.satisfiability import check_satisfiability
from gateway.composition.subgraph import Subgraph
from gateway.composition.upgrade import upgrade
from gateway.errors import CompositionError


def compose(subgraphs: Sequence[SubgraphSource]) -> CompositionResult:
    """Compose the subgraphs.

    Each stage reports all it finds and stops the next one: faults of a single subgraph would only echo as faults of the merged
    graph. The order of ``subgraphs`` does not matter, the result is the same to the byte.
    """
    errors: list[CompositionError] = []
    read: list[Subgraph] = []
    for source in sorted(subgraphs, key=lambda source: source.name):
        subgraph, unreadable = read_subgraph(source)
        errors += unreadable
        if subgraph is not None:
            read.append(subgraph)
    errors += _repeated_names(subgraphs)

    upgraded = upgrade(read)
    errors += [error for subgraph in upgraded for rule in SUBGRAPH_RULES for error in rule(subgraph)]
    if errors:
        return _failed(errors)

    merged = merge(upgraded)
    errors += [error for rule in MERGE_RULES for error in rule(merged)]
    if errors:
        return _failed(errors, merged.hints)

    errors += [error for rule in SUPERGRAPH_RULES for error in rule(merged)]
    if errors:
        return _failed(errors, merged.hints)

    supergraph = render(merged)
    errors += graphql_validity(supergraph)
    if errors:
        return _failed(errors, merged.hints)

    errors += [error for rule in API_RULES for error in rule(merged)]
    if errors:
        return _failed(errors, merged.hints)

    api = api_schema_sdl(supergraph)
    unsatisfied, satisfiability_hints = check_satisfiability(merged, api)
    hints = [*merged.hints, *advice(merged), *satisfiability_hints]
    if unsatisfied:
        return _failed(unsatisfied, hints)
    return CompositionResult(supergraph, api, (), tuple(hints))


def _repeated_names(subgraphs: Sequence[SubgraphSource]) -> list[CompositionError]:
    names = [source.name for source in subgraphs]
    return [
        CompositionError(
            "INVALID_SUBGRAPH_NAME", f'two subgraphs are named "{name}": give each its own name', subgraphs=(name,)
        )
        for name in sorted({name for name in names if names.count(name) > 1})
    ]


def _failed(errors: Sequence[CompositionError], hints: Sequence[Hint] = ()) -> CompositionResult:
    return CompositionResult(None, None, tuple(errors), tuple(hints))
