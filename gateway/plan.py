"""The query plan: the treaty between planner and executor. Data, and its text and JSON forms; no search, no I/O.

A plan is a **graph of fetches**: each fetch names the fetches it waits for, and starts when those are done. Waves,
``Sequence`` and ``Parallel`` are only a way to print it.

All fetches write into **one merged tree**, whose object keys are *canonical keys*: the field's name, or ``name__2``,
``name__3`` … for the second, third … distinct argument list of that field name in the operation. The client's aliases
appear in the projection alone, so a plan's fetches never collide over what a client called things. Where a subgraph's
document must alias nevertheless (two object types whose field of one name has different types), the fetch carries
renames that the executor applies before it merges.

``__typename`` in the merged tree is always the concrete object type's name: the planner never asks it of a subgraph
that knows the type only as an ``@interfaceObject``.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final, TypeAlias

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
    representations: tuple[Representation, ...]
    """Tried in order; the first whose ``runtime_types`` match is used. An object that none matches is left alone."""
    variable: str = "representations"
    alias: str = "_entities"
    """The response key of this selection. Two selections in one request have different aliases *and* variables."""


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
    depends_on: tuple[int, ...] = ()
    """Ids of earlier fetches; the plan's tuple is sorted so that they precede this one."""
    guard: Guard = ()
    renames: tuple[Rename, ...] = ()
    reason: str = ""
    """Why this subgraph and why a hop, in one clause for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryPlan:
    """``fetches`` in an order where dependencies come first. For a subscription, ``subscription`` is the upstream
    operation (it is not in ``fetches``), and the fetches run once per event; those that need only the event have no
    dependencies."""

    kind: OperationKind
    fetches: tuple[Fetch, ...]
    subscription: Fetch | None = None
    truncated: bool = False
    """The search stopped at its budget; the plan is sound but a better one may exist."""
