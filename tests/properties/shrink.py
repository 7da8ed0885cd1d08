"""From a counterexample to a small one: leave out whatever the difference does not need.

Greedy: parts of the operation first (cheap to try, and what is not asked for need not be declared), then subgraphs,
types, fields and directives of the SDLs, again and again until nothing more can go. Whatever remains composes, is valid
and still shows a difference of the same kind.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from typing import Any, TypeVar

from graphql import GraphQLError, Node, parse, print_ast
from graphql.language import ast

from gateway.errors import GatewayError
from tests.properties.law import Ask, Bench, Difference, NotComposed, SubgraphTexts, is_valid
from tests.properties.world import WorldInvalid

TRIES_MAX = 4000
PARTS = ("selections", "definitions", "fields", "values", "types", "directives", "interfaces", "arguments")
UNFIT = (NotComposed, WorldInvalid, GraphQLError, GatewayError, LookupError, TypeError, ValueError, AssertionError)
"""What a candidate may raise that is no counterexample at all."""

T = TypeVar("T")


async def shrink(bench: Bench, subgraphs: SubgraphTexts, found: Difference) -> tuple[SubgraphTexts, Difference]:
    """The smallest found with about ``TRIES_MAX`` attempts."""
    tries = 0
    family = found.family
    loaded = bench.load(subgraphs)

    async def differs(ask: Ask) -> bool:
        nonlocal tries, found
        tries += 1
        try:
            if not is_valid(loaded, parse(ask.query)):
                return False
            difference = await bench.check(loaded, ask)
        except UNFIT:
            return False
        if difference is None or difference.family != family:
            return False
        found = difference
        return True

    async def world_differs(texts: SubgraphTexts) -> bool:
        nonlocal loaded, tries
        try:
            loaded = bench.load(texts)
        except UNFIT:
            tries += 1
            return False
        return await differs(found.ask)

    size = 0
    while size != len(str((subgraphs, found.ask))) and tries < TRIES_MAX:
        size = len(str((subgraphs, found.ask)))
        loaded = bench.load(subgraphs)
        await _reduce(found.ask, _smaller_asks, differs)
        subgraphs = await _reduce(subgraphs, _smaller_worlds, world_differs)
    return subgraphs, found


async def _reduce(value: T, candidates: Callable[[T], Iterator[T]], fits: Callable[[T], Awaitable[bool]]) -> T:
    """Go through the candidates once; after one that fits, on from its place among those of the new value."""
    at = 0
    while True:
        for place, candidate in enumerate(candidates(value)):
            if place >= at and await fits(candidate):
                value, at = candidate, place
                break
        else:
            return value


def _smaller_asks(ask: Ask) -> Iterator[Ask]:
    for document in _without_one_part(parse(ask.query, no_location=True)):
        yield replace(ask, query=print_ast(document))
    for name in ask.variables:
        yield replace(ask, variables={each: value for each, value in ask.variables.items() if each != name})


def _smaller_worlds(subgraphs: SubgraphTexts) -> Iterator[SubgraphTexts]:
    for left_out, _ in subgraphs:
        yield tuple(each for each in subgraphs if each[0] != left_out)
    for at, (name, sdl) in enumerate(subgraphs):
        for document in _without_one_part(parse(sdl, no_location=True)):
            yield (*subgraphs[:at], (name, print_ast(document)), *subgraphs[at + 1 :])


def _without_one_part(node: Any) -> Iterator[Any]:
    """Every node with one part less; large parts first. An inline fragment may also be replaced by its inside."""
    for part in PARTS:
        items = getattr(node, part, None)
        if not isinstance(items, tuple | list) or not items:
            continue
        for at, item in enumerate(items):
            if len(items) > 1 or part in ("directives", "interfaces", "arguments"):
                yield _with(node, part, (*items[:at], *items[at + 1 :]))
            if isinstance(item, ast.InlineFragmentNode):
                yield _with(node, part, (*items[:at], *item.selection_set.selections, *items[at + 1 :]))
        for at, item in enumerate(items):
            if part not in ("directives", "interfaces", "values"):
                for less in _without_one_part(item):
                    yield _with(node, part, (*items[:at], less, *items[at + 1 :]))
    inside = getattr(node, "selection_set", None)
    if inside is not None:
        for less in _without_one_part(inside):
            yield _with(node, "selection_set", less)
    if getattr(node, "alias", None) is not None:
        yield _with(node, "alias", None)
    declared = getattr(node, "variable_definitions", None)
    if declared:
        for at in range(len(declared)):
            yield _with(node, "variable_definitions", (*declared[:at], *declared[at + 1 :]))


def _with(node: Node, part: str, value: Any) -> Any:
    given = {key: getattr(node, key, None) for key in node.keys}
    given[part] = value
    return type(node)(**given)
