"""An operation as bytes on the wire, and whether what came back is its answer. Costs little: client and subgraphs share a core."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

import httptools
import orjson

from tests.benchmarks.rivals.world import PLACEHOLDER, Operation

ANSWER_S_MAX = 30.0
SHOWN_CHARACTERS_MAX = 300
_NUMBERS = itertools.count(1)
"""No two requests of one bench have the same."""


class WrongAnswer(Exception):
    """A gateway said something else than one server with all the data."""


class Question:
    """One operation, put to one gateway again and again."""

    def __init__(self, operation: Operation, expected: dict[str, Any]) -> None:
        self._body = orjson.dumps({"query": operation.document, "variables": dict(operation.variables)})
        self._expected = orjson.dumps(expected["data"])
        self._numbered = PLACEHOLDER.encode() in self._body
        self._known: bytes | None = None
        """A reply of this gateway that was compared field by field, with the placeholder again where its number was."""

    def next(self) -> tuple[bytes, bytes]:
        """A body, and the number in it."""
        if not self._numbered:
            return self._body, b""
        number = b"%0*d" % (len(PLACEHOLDER), next(_NUMBERS))
        return self._body.replace(PLACEHOLDER.encode(), number), number

    def check(self, reply: bytes, number: bytes) -> None:
        """Raises WrongAnswer unless data, order of fields included, is what it should be, and there are no errors."""
        plain = reply.replace(number, PLACEHOLDER.encode()) if number else reply
        if plain == self._known:
            return
        try:
            answer = orjson.loads(plain)
        except orjson.JSONDecodeError:
            answer = None
        if not isinstance(answer, dict) or answer.get("errors") or orjson.dumps(answer.get("data")) != self._expected:
            raise WrongAnswer(reply[:SHOWN_CHARACTERS_MAX].decode(errors="replace"))
        self._known = plain


class Line(asyncio.Protocol):
    """A connection that stays open, one request after the other; opened anew when the other side closed it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._transport: asyncio.WriteTransport | None = None
        self._reply: asyncio.Future[bytes] | None = None

    async def post(self, body: bytes) -> bytes:
        return await self._exchange(
            b"POST /graphql HTTP/1.1\r\nhost: 127.0.0.1:%d\r\ncontent-type: application/json\r\n"
            b"accept: application/json\r\ncontent-length: %d\r\n\r\n%b" % (self._port, len(body), body)
        )

    async def get(self) -> bytes:
        return await self._exchange(b"GET / HTTP/1.1\r\nhost: 127.0.0.1:%d\r\n\r\n" % self._port)

    async def _exchange(self, request: bytes) -> bytes:
        loop = asyncio.get_running_loop()
        if self._transport is None:
            await loop.create_connection(lambda: self, "127.0.0.1", self._port)
        assert self._transport is not None
        self._reply = loop.create_future()
        self._transport.write(request)
        return await self._reply

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]
        self._parser = httptools.HttpResponseParser(self)
        self._parts: list[bytes] = []

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        self._parts.append(body)

    def on_message_complete(self) -> None:
        assert self._reply is not None
        reply, self._parts = b"".join(self._parts), []
        self._reply.set_result(reply)

    def connection_lost(self, wrong: Exception | None) -> None:
        self._transport = None
        if self._reply is not None and not self._reply.done():
            self._reply.set_exception(wrong or ConnectionResetError("closed without an answer"))
