"""The query plan: the treaty between planner and executor. Data, and its text and JSON forms; no search, no I/O.

A plan is a **graph of fetches**: each fetch names the fetches it waits for, and starts when those are done. Waves,
``Sequence`` and ``Parallel`` are only a way to print it.

All fetches write into **one merged tree**, whose object keys are *canonical keys*: the field's name, or ``name__2``,
``name__3`` … for the second, third … distinct argument list of that field name in the operation. An object that the
client asked for under two names has two keys, arguments equal or not: what is wanted below it may null it under one name
alone. The client's aliases appear in the projection alone, so a plan's fetches never collide over what a client called
things. Where a subgraph's document must alias nevertheless (two object types whose field of one name has different
types), the fetch carries renames that the executor applies before it merges.

``__typename`` in the merged tree is always the concrete object type's name: the planner never asks it of a subgraph
that knows the type only as an ``@interfaceObject``.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, TypeAlias

from graphql import parse, print_ast

Condition: TypeAlias = tuple[str, bool]
"""``(variable name, wanted value)``: ``@include(if: $a)`` is ``("a", True)``, ``@skip(if: $a)`` is ``("a", False)``."""

Guard: TypeAlias = tuple[tuple[Condition, ...], ...]
"""Any of these conjunctions must hold; the empty guard always holds."""

EACH: Final = "@"
"""The path segment that means *each item of this list* (one segment a list level)."""


class OperationKind(Enum):
    QUERY = "query"
    MUTATION = "mutation"
    SUBSCRIPTION = "subscription"


@dataclass(frozen=True, slots=True)
class TypeFilter:
    """A path segment that lets only objects through whose ``__typename`` is one of ``types``."""

    types: tuple[str, ...]


Segment: TypeAlias = "str | TypeFilter"
Path: TypeAlias = tuple[Segment, ...]
"""A place in the merged tree: canonical keys, ``EACH`` and type filters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequiredField:
    """One field to copy from the merged tree into a representation.

    A *missing* value means that an earlier fetch failed: the representation is not sent. A *null* value is sent when
    ``nullable``, otherwise the representation is not sent.
    """

    name: str
    """The name in the representation (the subgraph's own field name)."""
    key: str
    """The canonical key in the merged tree."""
    nullable: bool = True
    only_types: tuple[str, ...] = ()
    """Copy only from objects of these runtime types (a fragment in a field set); empty means from any."""
    fields: tuple[RequiredField, ...] = ()
    """What to copy of each object below; empty for leaves (lists are followed as they come)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Representation:
    """How to build ``{__typename, …}`` for objects of the given runtime types found at the path."""

    typename: str
    """Sent as ``__typename``: the entity's name as the subgraph knows it (an ``@interfaceObject``: the interface)."""
    runtime_types: tuple[str, ...] = ()
    """Object types it applies to; empty means any object at the path, even one whose ``__typename`` is unknown yet."""
    fields: tuple[RequiredField, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EntityInput:
    """One ``_entities`` selection of a fetch: where the objects are, what to send; the answers go to the same place."""

    path: Path
    also: tuple[Path, ...] = ()
    """More places of whose objects the same is asked; only where that is leaves alone."""
    representations: tuple[Representation, ...]
    """Tried in order; the first whose ``runtime_types`` match is used. An object that none matches is left alone."""
    variable: str = "representations"
    alias: str = "_entities"
    """The response key of this selection. Two selections in one request have different aliases *and* variables."""
    recurs: int | None = None
    """Selections of a query's plan with one number ask one subgraph for the same leaves of equal representations: what one
    of them was answered, the others need not ask."""

    @property
    def paths(self) -> tuple[Path, ...]:
        return (self.path, *self.also)


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextSource:
    """Enclosing objects that may hold a context's value."""

    path_length: int
    """They are at this many segments of the entities' path."""
    runtime_types: tuple[str, ...] = ()
    """Object types it applies to; empty means any."""
    fields: tuple[RequiredField, ...]
    """The way down to the one leaf."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextVariable:
    """A variable that each entity takes from an enclosing object (``@fromContext``).

    Entities with other values are asked in another request, with the same document. Where a value is *missing*, or null
    without being ``nullable``, the entity is not sent.
    """

    name: str
    nullable: bool
    sources: tuple[ContextSource, ...]
    """Nearest first; the first that applies counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rename:
    """Move ``source`` to ``target`` in every object at ``path`` (relative to the fetch's own result) of these types."""

    path: Path
    source: str
    target: str
    only_types: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetch:
    """One request to one subgraph.

    Without ``entities`` it is a root fetch: its ``data`` is merged at ``path`` (usually the root; deeper when a field
    returned ``Query`` again). With ``entities`` each answer is merged into the objects its representation came from.
    """

    id: int
    subgraph: str
    kind: OperationKind
    document: str
    """The GraphQL text to send, complete with variable definitions."""
    operation_name: str | None = None
    variables: tuple[str, ...] = ()
    """The client's variables to send along, by name. One the client left out is left out here too."""
    path: Path = ()
    entities: tuple[EntityInput, ...] = ()
    contexts: tuple[ContextVariable, ...] = ()
    """Only beside exactly one ``EntityInput``."""
    depends_on: tuple[int, ...] = ()
    """Ids of earlier fetches; the plan's tuple is sorted so that they precede this one."""
    guard: Guard = ()
    renames: tuple[Rename, ...] = ()
    block: int = 0
    """The deferred block that this fetch is for; 0 is what the client gets first. It waits for fetches of its own block
    and of those delivered before it, never the other way round."""
    reason: str = ""
    """Why this subgraph and why a hop, in one clause for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A part of the answer that the client may get later (``@defer``)."""

    id: int
    """From 1; the primary block, which comes first, is 0."""
    parent: int
    """The block it is delivered after."""
    label: str | None = None
    variable: str | None = None
    """It is deferred where this variable is true; otherwise it belongs to its parent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryPlan:
    """``fetches`` in an order where dependencies come first. For a subscription, ``subscription`` is the upstream
    operation (it is not in ``fetches``), and the fetches run once per event; those that need only the event have no
    dependencies."""

    kind: OperationKind
    fetches: tuple[Fetch, ...]
    subscription: Fetch | None = None
    blocks: tuple[Block, ...] = ()
    """The deferred ones that have fetches of their own; what the others hold comes with what they are in."""
    truncated: bool = False
    """The search stopped at its budget; the plan is sound but a better one may exist."""


def fetch_count(plan: QueryPlan) -> int:
    """How many requests the plan sends, the upstream subscription included."""
    return len(plan.fetches) + (plan.subscription is not None)


def depth(plan: QueryPlan) -> int:
    """How many rounds of requests follow each other, the upstream subscription included."""
    rounds: dict[int, int] = {}
    for fetch in plan.fetches:
        rounds[fetch.id] = 1 + max((rounds[earlier] for earlier in fetch.depends_on), default=0)
    return max(rounds.values(), default=0) + (plan.subscription is not None)


def render_text(plan: QueryPlan) -> str:
    """The plan for people: round by round, each fetch with where it goes, what it waits for and what it sends."""
    fetches = f"{fetch_count(plan)} fetch{'' if fetch_count(plan) == 1 else 'es'}"
    rounds = f"{depth(plan)} round{'' if depth(plan) == 1 else 's'}"
    lines = [f"{plan.kind.value}: {fetches}, {rounds}" + (", truncated" if plan.truncated else "")]
    if plan.subscription is not None:
        lines += ["", "upstream", *_fetch_lines(plan.subscription)]
    waves: dict[int, list[Fetch]] = {}
    number: dict[int, int] = {}
    for fetch in plan.fetches:
        number[fetch.id] = 1 + max((number[earlier] for earlier in fetch.depends_on), default=0)
        if fetch.block:
            continue
        waves.setdefault(number[fetch.id], []).append(fetch)
    for wave in sorted(waves):
        lines += ["", f"round {wave}" if plan.subscription is None else f"round {wave} of every event"]
        for fetch in waves[wave]:
            lines += _fetch_lines(fetch)
    for block in plan.blocks:
        lines += ["", *_block_lines(block, plan)]
    return "\n".join(lines) + "\n"


def _block_lines(block: Block, plan: QueryPlan) -> list[str]:
    head = f"deferred block {block.id}"
    if block.label is not None:
        head += f" {block.label!r}"
    if block.parent:
        head += f" after block {block.parent}"
    if block.variable is not None:
        head += f" if ${block.variable}"
    return [head, *(line for fetch in plan.fetches if fetch.block == block.id for line in _fetch_lines(fetch))]


def _fetch_lines(fetch: Fetch) -> list[str]:
    head = f"  [{fetch.id}] {fetch.subgraph}"
    if fetch.path:
        head += f" at {_path_text(fetch.path)}"
    if fetch.depends_on:
        head += " after " + ", ".join(f"[{earlier}]" for earlier in fetch.depends_on)
    if fetch.guard:
        head += " if " + " or ".join(_conjunction_text(conjunction) for conjunction in fetch.guard)
    lines = [head]
    if fetch.reason:
        lines.append(f"      why: {fetch.reason}")
    for entity in fetch.entities:
        for at, path in enumerate(entity.paths):
            lines.append(f"      {'and' if at else f'${entity.variable}'} at {_path_text(path)}")
        for representation in entity.representations:
            of = f" of {' | '.join(representation.runtime_types)}" if representation.runtime_types else ""
            lines.append(f"        {representation.typename}{of} {_required_text(representation.fields)}")
    for context in fetch.contexts:
        for source in context.sources:
            where = _path_text(fetch.entities[0].path[: source.path_length]) or "the root"
            of = f" of {' | '.join(source.runtime_types)}" if source.runtime_types else ""
            lines.append(f"      ${context.name} from {where}{of} {_required_text(source.fields)}")
    for rename in fetch.renames:
        where = _path_text(rename.path) or "its result"
        of = f" of {' | '.join(rename.only_types)}" if rename.only_types else ""
        lines.append(f"      {rename.source} becomes {rename.target} in {where}{of}")
    document = print_ast(parse(fetch.document, no_location=True))
    lines += [f"      {line}" for line in document.strip().splitlines()]
    return lines


def _path_text(path: Path) -> str:
    return ".".join("|".join(each.types) + ":" if isinstance(each, TypeFilter) else each for each in path)


def _conjunction_text(conjunction: tuple[Condition, ...]) -> str:
    return " and ".join(f"${name}" if wanted else f"not ${name}" for name, wanted in conjunction)


def _required_text(fields: tuple[RequiredField, ...]) -> str:
    parts = []
    for field in fields:
        text = field.name if field.name == field.key else f"{field.name} from {field.key}"
        text += "" if field.nullable else "!"
        if field.fields:
            text += f" {_required_text(field.fields)}"
        parts.append(f"{' | '.join(field.only_types)}: {text}" if field.only_types else text)
    return "{ " + ", ".join(parts) + " }"


def render_json(plan: QueryPlan) -> dict[str, Any]:
    """The plan for programs: ``fetches`` and ``depth`` are numbers, ``plan`` is the whole of it."""
    return {
        "fetches": fetch_count(plan),
        "depth": depth(plan),
        "plan": {
            "kind": plan.kind.value,
            "truncated": plan.truncated,
            "subscription": _fetch_json(plan.subscription) if plan.subscription is not None else None,
            "fetches": [_fetch_json(fetch) for fetch in plan.fetches],
            "blocks": [
                {"id": each.id, "parent": each.parent, "label": each.label, "variable": each.variable}
                for each in plan.blocks
            ],
        },
    }


def _fetch_json(fetch: Fetch) -> dict[str, Any]:
    return {
        "id": fetch.id,
        "subgraph": fetch.subgraph,
        "kind": fetch.kind.value,
        "document": fetch.document,
        "variables": list(fetch.variables),
        "path": _path_json(fetch.path),
        "entities": [
            {
                "path": _path_json(entity.path),
                "also": [_path_json(path) for path in entity.also],
                "variable": entity.variable,
                "alias": entity.alias,
                "representations": [
                    {
                        "typename": representation.typename,
                        "runtimeTypes": list(representation.runtime_types),
                        "fields": [_required_json(field) for field in representation.fields],
                    }
                    for representation in entity.representations
                ],
            }
            for entity in fetch.entities
        ],
        "contexts": [
            {
                "variable": context.name,
                "nullable": context.nullable,
                "sources": [
                    {
                        "pathLength": source.path_length,
                        "runtimeTypes": list(source.runtime_types),
                        "fields": [_required_json(field) for field in source.fields],
                    }
                    for source in context.sources
                ],
            }
            for context in fetch.contexts
        ],
        "dependsOn": list(fetch.depends_on),
        "guard": [[{"variable": name, "is": wanted} for name, wanted in conjunction] for conjunction in fetch.guard],
        "renames": [
            {
                "path": _path_json(rename.path),
                "from": rename.source,
                "to": rename.target,
                "onlyTypes": list(rename.only_types),
            }
            for rename in fetch.renames
        ],
        "block": fetch.block,
        "reason": fetch.reason,
    }


def _path_json(path: Path) -> list[Any]:
    return [{"types": list(each.types)} if isinstance(each, TypeFilter) else each for each in path]


def _required_json(field: RequiredField) -> dict[str, Any]:
    return {
        "name": field.name,
        "key": field.key,
        "nullable": field.nullable,
        "onlyTypes": list(field.only_types),
        "fields": [_required_json(each) for each in field.fields],
    }
