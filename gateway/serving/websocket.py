"""Drives the ``graphql-transport-ws`` machine over one Starlette WebSocket: moves bytes, timers and results, decides nothing.

One task reads the socket; each open operation is a task of its own; the proof of the credentials, the init timer and
the credentials' expiry are tasks too. All of them only report to the machine (``websocket_protocol``) and carry out the
effects it returns. Sending is serialised, and waits while the client reads slowly, which in turn slows the operation.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from contextlib import aclosing, suppress
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from gateway.config import Limits
from gateway.errors import GatewayError, NotAuthenticated
from gateway.exchange import GraphQLResponse, encode
from gateway.incremental import Dialect, encode_payload
from gateway.pipeline.pipeline import CONTRACT_HEADER, Caller, Pipeline
from gateway.serving.websocket_protocol import (
    SUBPROTOCOL,
    Close,
    CloseCode,
    Effects,
    Input,
    Machine,
    News,
    Prove,
    Send,
    Start,
    Stop,
)
from subgraphs.chassis.telemetry import logger

_log = logger("websocket")

_HEADER_NAMES = frozenset(
    {"authorization", "x-uc-channel", "x-uc-currency", "x-uc-country", "x-uc-location", "x-uc-locale", CONTRACT_HEADER}
)


async def serve(socket: WebSocket, pipeline: Pipeline, limits: Limits, stopping: asyncio.Event) -> None:
    """The socket's whole life. Returns when it is closed, from whichever side."""
    if SUBPROTOCOL not in socket.scope.get("subprotocols", ()):
        await socket.accept()
        await socket.close(CloseCode.SUBPROTOCOL_NOT_ACCEPTABLE, "Subprotocol not acceptable")
        return
    await socket.accept(subprotocol=SUBPROTOCOL)
    await _Driver(socket, pipeline, limits, stopping).run()


class _Driver:
    def __init__(self, socket: WebSocket, pipeline: Pipeline, limits: Limits, stopping: asyncio.Event) -> None:
        self._socket = socket
        self._pipeline = pipeline
        self._limits = limits
        self._stopping = stopping
        self._machine = Machine(operations_max=limits.socket_operations_max)
        self._caller: Caller | None = None
        self._operations: dict[int, asyncio.Task[None]] = {}
        self._sending = asyncio.Lock()
        self._tasks: asyncio.TaskGroup
        self._closed = asyncio.Event()
        self._served = 0

    async def run(self) -> None:
        try:
            async with asyncio.TaskGroup() as self._tasks:
                self._tasks.create_task(self._time_out_init())
                self._tasks.create_task(self._drain())
                reading = self._tasks.create_task(self._read())
                await self._closed.wait()
                reading.cancel()
                raise _Closed
        except* _Closed:
            pass
        self._socket.scope.setdefault("galleria.facts", {})["operations"] = self._served

    async def _read(self) -> None:
        try:
            while True:
                message = await self._socket.receive()
                if message["type"] == "websocket.disconnect":
                    break
                frame = message.get("text")
                if frame is None:
                    frame = message.get("bytes") or b""
                if len(frame) > self._limits.socket_message_bytes_max:
                    await self._happen(Input.INVALID, News(text="Invalid message: too large"))
                else:
                    await self._carry_out(self._machine.receive(frame))
        except WebSocketDisconnect:
            pass
        await self._happen(Input.GONE)
        self._closed.set()

    async def _happen(self, kind: Input, news: News | None = None) -> None:
        await self._carry_out(self._machine.happen(kind, news))

    async def _carry_out(self, effects: Effects) -> None:
        for effect in effects:
            match effect:
                case Send(text):
                    await self._send(text)
                case Prove(payload):
                    self._tasks.create_task(self._prove(payload))
                case Start(id, number, _):
                    self._served += 1
                    self._operations[number] = self._tasks.create_task(self._operate(id, number, effect))
                case Stop(number):
                    task = self._operations.pop(number, None)
                    if task is not None:
                        task.cancel()
                case Close(code, reason):
                    await self._close(code, reason)

    async def _send(self, text: str) -> None:
        async with self._sending:
            if self._socket.application_state is WebSocketState.CONNECTED:
                # The client may leave between two frames; the reader hears of it and ends everything.
                with suppress(WebSocketDisconnect, RuntimeError):
                    await self._socket.send_text(text)

    async def _close(self, code: CloseCode, reason: str) -> None:
        async with self._sending:
            if self._socket.application_state is WebSocketState.CONNECTED:
                with suppress(WebSocketDisconnect, RuntimeError):
                    await self._socket.close(code, reason)
        self._closed.set()

    async def _prove(self, payload: Mapping[str, Any]) -> None:
        try:
            caller = await self._pipeline.caller(self._headers(payload))
        except NotAuthenticated as refusal:
            await self._happen(Input.REFUSED, News(text=f"Forbidden: {refusal.message}"))
            return
        except GatewayError as failure:
            await self._happen(Input.REFUSED, News(text=failure.message))
            return
        self._caller = caller
        await self._happen(Input.PROVED)
        if caller.expires_at is not None:
            self._tasks.create_task(self._expire(caller.expires_at))

    def _headers(self, payload: Mapping[str, Any]) -> dict[str, str]:
        """The handshake's headers, and over them those given in the payload of ``connection_init``, for browsers
        cannot set headers on a WebSocket. Both ``{"authorization": …}`` and ``{"headers": {…}}`` are common."""
        headers = dict(self._socket.headers)
        nested = payload.get("headers")
        for source in (nested if isinstance(nested, dict) else {}, payload):
            for name, value in source.items():
                if name.lower() in _HEADER_NAMES and isinstance(value, str):
                    headers[name.lower()] = value
        return headers

    async def _operate(self, id: str, number: int, start: Start) -> None:
        assert self._caller is not None
        try:
            async with aclosing(await self._pipeline.stream(start.request, self._caller, incremental=True)) as results:
                async for result in results:
                    if isinstance(result, GraphQLResponse) and not result.has_data:
                        await self._happen(Input.FAILED, News(id=id, number=number, body=encode(list(result.errors))))
                        return
                    await self._happen(
                        Input.RESULT, News(id=id, number=number, body=encode_payload(result, Dialect.PENDING))
                    )
            await self._happen(Input.ENDED, News(id=id, number=number))
        except GatewayError as error:
            await self._fail(id, number, error)
        except Exception as bug:  # noqa: BLE001  one operation's bug must not take the socket's other operations with it
            _log.exception("operation failed", operation_id=id)
            await self._fail(id, number, bug)
        finally:
            self._operations.pop(number, None)

    async def _fail(self, id: str, number: int, error: Exception) -> None:
        refusal = self._pipeline.refusal(error)
        await self._happen(Input.FAILED, News(id=id, number=number, body=encode(list(refusal.errors))))

    async def _time_out_init(self) -> None:
        await asyncio.sleep(self._limits.socket_init_ms_max / 1000)
        await self._happen(Input.INIT_TIMED_OUT)

    async def _expire(self, at: float) -> None:
        await asyncio.sleep(max(0.0, at - time.time()))
        await self._happen(Input.EXPIRED)

    async def _drain(self) -> None:
        await self._stopping.wait()
        await self._happen(Input.DRAINED)


class _Closed(Exception):
    """Ends the task group, and with it whatever still runs for this socket."""
