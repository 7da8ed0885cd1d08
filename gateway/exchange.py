"""A GraphQL exchange: the request a client sent, the response it gets, and the one JSON codec of the gateway.

What belongs here: the notes and their JSON. What does not: HTTP, and what the request means.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from gateway.errors import RequestMalformed

NESTING_MAX: Final = 150
"""Levels of a value from elsewhere that are passed on. The codec reads 1,024 and writes 254, and what is around the value
needs some of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphQLRequest:
    """What a client asks, well-formed but not yet understood."""

    query: str
    operation_name: str | None = None
    variables: Mapping[str, Any] = field(default_factory=dict)
    extensions: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """A part of the answer that is still to come: what is deferred of the object, or left of the list, at this path."""

    id: str
    path: tuple[str | int, ...]
    label: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphQLResponse:
    """``has_data`` is False for a request that was not executed; then the response has no ``data`` entry at all.

    It is not changed once made: an event's response goes to many subscribers, and is written as JSON once for all.
    """

    data: Mapping[str, Any] | None = None
    errors: tuple[Mapping[str, Any], ...] = ()
    extensions: Mapping[str, Any] = field(default_factory=dict)
    has_data: bool = True
    pending: tuple[Pending, ...] = ()
    """What comes later (``gateway.incremental``); nothing, in an ordinary response."""
    _encoded: list[bytes] = field(default_factory=list, init=False, repr=False, compare=False)

    @classmethod
    def written(cls, encoded: bytes) -> GraphQLResponse:
        """A response without errors of which there is the JSON already; ``data`` is read from it if anyone asks."""
        response = cls(data=_Written(encoded))
        response._encoded.append(encoded)
        return response

    def as_json(self) -> dict[str, Any]:
        body: dict[str, Any] = {}
        if self.errors:
            body["errors"] = list(self.errors)
        if self.has_data:
            body["data"] = dict(self.data) if isinstance(self.data, _Written) else self.data
        if self.extensions:
            body["extensions"] = dict(self.extensions)
        return body

    def encode(self) -> bytes:
        if not self._encoded:
            self._encoded.append(encode(self.as_json()))
        return self._encoded[0]


class _Written(Mapping[str, Any]):
    """The ``data`` of a response in JSON."""

    def __init__(self, encoded: bytes) -> None:
        self._encoded = encoded
        self._read: Mapping[str, Any] | None = None

    def _data(self) -> Mapping[str, Any]:
        if self._read is None:
            self._read = orjson.loads(self._encoded)["data"]
        return self._read

    def __getitem__(self, key: str) -> Any:
        return self._data()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._data())

    def __len__(self) -> int:
        return len(self._data())


def encode(value: Any) -> bytes:
    """JSON, as short as it goes."""
    return orjson.dumps(value)


def decode(text: str | bytes) -> Any:
    """The value of a JSON text, or RequestMalformed."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as wrong:
        raise RequestMalformed(f"The request is not valid JSON: {wrong}.") from None


def nests_too_deep(value: Any) -> bool:
    """Whether a decoded value has more than ``NESTING_MAX`` levels of lists and objects, so that it may not be written."""
    level: list[Any] = [value] if value.__class__ in _CONTAINERS else []
    for _ in range(NESTING_MAX):
        if not level:
            return False
        level = [
            below
            for each in level
            for below in (each.values() if each.__class__ is dict else each)
            if below.__class__ in _CONTAINERS
        ]
    return bool(level)


_CONTAINERS: Final = frozenset({dict, list, tuple})


def read_request(body: Any) -> GraphQLRequest:
    """A decoded JSON body as a request, or RequestMalformed naming the member that is wrong."""
    if not isinstance(body, dict):
        raise RequestMalformed("The request must be a JSON object.")
    query = body.get("query")
    if not isinstance(query, str) or not query.strip():
        raise RequestMalformed("The request needs a query: a string with a GraphQL document.")
    operation_name = body.get("operationName")
    if not isinstance(operation_name, str | None):
        raise RequestMalformed("operationName must be a string.")
    variables, extensions = body.get("variables"), body.get("extensions")
    if not isinstance(variables, dict | None):
        raise RequestMalformed("variables must be an object.")
    if not isinstance(extensions, dict | None):
        raise RequestMalformed("extensions must be an object.")
    return GraphQLRequest(
        query=query, operation_name=operation_name or None, variables=variables or {}, extensions=extensions or {}
    )
