"""What went wrong with a fetch, and where the client is told of it.

What belongs here: from an error to the client's paths. What does not: what an error may say and which nulls it explains
(``errors``), and what becomes of the request (``executor``).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from gateway.errors import SubgraphError
from gateway.execution.client_paths import client_paths
from gateway.execution.errors import Report, ResponsePath
from gateway.execution.executable import Step
from gateway.execution.nodes import ObjectNode
from gateway.execution.representations import Entities, Gathered, Object, places_at


@dataclass(slots=True)
class Trouble:
    """Something that went wrong with a fetch, kept until the tree is complete."""

    step: Step
    error: SubgraphError | Object
    """The failure of the whole, or an entry of the subgraph's own ``errors``."""
    sent: list[Gathered] = field(default_factory=list)
    """Of an entity fetch: what was sent, an item a selection."""
    whole: bool = False
    """The reply had errors alone: whatever the fetch was to bring is missing because of them."""


def place(trouble: Trouble, tree: Object, shape: ObjectNode, report: Report) -> None:
    """Puts one error on the client's paths and into the report."""
    error = trouble.error
    if isinstance(error, SubgraphError):
        report.failure(error, _missing(trouble, tree, shape))
        return
    inside = _path(error)
    paths = (
        _entity_paths(trouble, inside, tree, shape)
        if trouble.step.entities
        else _root_paths(trouble, inside, tree, shape)
    )
    if paths is None:
        # An error that says no place, or one we did not ask about, is about the whole request.
        paths = _missing(trouble, tree, shape)
    elif not paths:
        return
    report.answered(trouble.step.fetch.subgraph, error, paths)
    if trouble.whole:
        report.excuse(_missing(trouble, tree, shape))


def _root_paths(trouble: Trouble, inside: ResponsePath, tree: Object, shape: ObjectNode) -> list[ResponsePath] | None:
    """The client's paths of an error; empty where the client asked for nothing there, None where it has no place."""
    rest = _renamed(trouble.step, inside) if inside else ()
    places = [(*path, *rest) for path, _ in places_at(tree, trouble.step.fetch.path) if rest]
    return [path for place in places for path in client_paths(shape, tree, place)] if places else None


def _entity_paths(trouble: Trouble, inside: ResponsePath, tree: Object, shape: ObjectNode) -> list[ResponsePath] | None:
    """``_entities/3/price``: the client's ``price`` in every object that representation 3 stands for."""
    if len(inside) < 2 or not isinstance(inside[1], int):
        return None
    for entities, gathered in zip(trouble.step.entities, trouble.sent, strict=True):
        if entities.alias != inside[0] or not 0 <= inside[1] < len(gathered.slots):
            continue
        found = _waiting(tree, entities, gathered.slots[inside[1] : inside[1] + 1])
        rest = _renamed(trouble.step, inside[2:])
        if rest:
            places = [(*path, *rest) for path, _ in found]
            return [path for place in places for path in client_paths(shape, tree, place)]
        keys = trouble.step.filled(entities.alias)
        return [each for path, of in found for each in _missing_in(path, of, keys, tree, shape)] or None
    return None


def _missing(trouble: Trouble, tree: Object, shape: ObjectNode) -> list[ResponsePath]:
    """Where the client misses what this fetch was to bring and nobody else brought."""
    step = trouble.step
    if not step.entities:
        found = list(places_at(tree, step.fetch.path))
        return [each for path, of in found for each in _missing_in(path, of, step.filled(None), tree, shape)]
    return [
        each
        for entities, gathered in zip(step.entities, trouble.sent, strict=True)
        for path, of in _waiting(tree, entities, gathered.slots)
        for each in _missing_in(path, of, step.filled(entities.alias), tree, shape)
    ]


def _waiting(tree: Object, entities: Entities, slots: list[list[Object]]) -> list[tuple[ResponsePath, Object]]:
    """The objects of these slots with their places; one object may have several."""
    wanted = {id(each) for slot in slots for each in slot}
    return [(path, each) for at in entities.paths for path, each in places_at(tree, at) if id(each) in wanted]


def _missing_in(
    path: ResponsePath, of: Object, keys: tuple[str, ...], tree: Object, shape: ObjectNode
) -> list[ResponsePath]:
    """The client's paths of those keys the object is without; its own path if the client asked for none of them."""
    missing = [(*path, key) for key in keys if of.get(key) is None]
    if not missing:
        return []
    here = client_paths(shape, tree, path)
    below = [each for place in missing for each in client_paths(shape, tree, place)]
    return [each for each in below if each not in here] or [each for each in here if each]


def _path(error: Any) -> ResponsePath:
    path = error.get("path") if isinstance(error, dict) else None
    return tuple(path) if isinstance(path, list) and all(each.__class__ in (str, int) for each in path) else ()


def _renamed(step: Step, path: ResponsePath) -> ResponsePath:
    if not step.fetch.renames:
        return path
    canonical = {each.source: each.target for each in step.fetch.renames}
    return tuple(canonical.get(each, each) if isinstance(each, str) else each for each in path)
