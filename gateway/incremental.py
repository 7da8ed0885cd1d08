"""Incremental delivery: an answer in several payloads (``@defer``, ``@stream``), and the two dialects clients speak.

What belongs here: the notes, their JSON, and the directives in the client's schema. What does not: when a payload is
ready (execution), and how payloads are framed (``gateway.event_stream``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeAlias

from graphql import GraphQLDeferDirective, GraphQLSchema, GraphQLStreamDirective

from gateway.exchange import GraphQLResponse, Pending, encode


class Dialect(Enum):
    """How payloads are written; the value is the media type's parameter that asks for it."""

    PENDING = "incrementalSpec=v0.2"
    """``pending``, ``incremental`` and ``completed`` with ids."""
    PATHS = "deferSpec=20220824"
    """``incremental`` with a path and a label each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What was pending. ``data`` is None where a null had to go beyond the fragment or the items; the errors say why."""

    pending: Pending
    data: Mapping[str, Any] | Sequence[Any] | None
    """Of a deferred fragment its fields, of a list the items from ``start`` on."""
    start: int | None = None
    errors: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Increment:
    """A payload after the first."""

    delivered: tuple[Delivery, ...]
    pending: tuple[Pending, ...] = ()
    """Announced by this payload; some may be delivered by it as well."""
    has_next: bool


Payload: TypeAlias = GraphQLResponse | Increment


def has_errors(payload: Payload) -> bool:
    if isinstance(payload, GraphQLResponse):
        return bool(payload.errors)
    return any(each.errors for each in payload.delivered)


def with_directives(schema: GraphQLSchema) -> GraphQLSchema:
    """The client's schema with ``@defer`` and ``@stream``."""
    added = (GraphQLDeferDirective, GraphQLStreamDirective)
    known = {each.name for each in schema.directives}
    missing = tuple(each for each in added if each.name not in known)
    kept: Any = schema.to_kwargs()
    return GraphQLSchema(**{**kept, "directives": (*schema.directives, *missing)})


def encode_payload(payload: Payload, dialect: Dialect) -> bytes:
    """A payload as JSON. A response with nothing pending is an ordinary one."""
    if isinstance(payload, GraphQLResponse):
        if not payload.pending:
            return payload.encode()
        body = payload.as_json()
        if dialect is Dialect.PENDING:
            body["pending"] = [_pending(each) for each in payload.pending]
        return encode({**body, "hasNext": True})
    body = _by_ids(payload) if dialect is Dialect.PENDING else _by_paths(payload)
    return encode({**body, "hasNext": payload.has_next})


def encode_only(response: GraphQLResponse) -> bytes:
    """The one payload of a stream of one."""
    return encode({**response.as_json(), "hasNext": False})


def _pending(pending: Pending) -> dict[str, Any]:
    told: dict[str, Any] = {"id": pending.id, "path": list(pending.path)}
    return told if pending.label is None else {**told, "label": pending.label}


def _by_ids(increment: Increment) -> dict[str, Any]:
    body: dict[str, Any] = {}
    if increment.pending:
        body["pending"] = [_pending(each) for each in increment.pending]
    incremental: list[dict[str, Any]] = []
    completed: list[dict[str, Any]] = []
    for each in increment.delivered:
        done: dict[str, Any] = {"id": each.pending.id}
        errors = {"errors": list(each.errors)} if each.errors else {}
        if each.data is None:
            completed.append(done | errors)
        else:
            incremental.append(done | {"data" if each.start is None else "items": each.data} | errors)
            completed.append(done)
    if incremental:
        body["incremental"] = incremental
    return {**body, "completed": completed}


def _by_paths(increment: Increment) -> dict[str, Any]:
    incremental: list[dict[str, Any]] = []
    for each in increment.delivered:
        path = list(each.pending.path)
        entry: dict[str, Any] = (
            {"data": each.data, "path": path}
            if each.start is None
            else {"items": each.data, "path": [*path, each.start]}
        )
        if each.pending.label is not None:
            entry["label"] = each.pending.label
        if each.errors:
            entry["errors"] = list(each.errors)
        incremental.append(entry)
    return {"incremental": incremental}
