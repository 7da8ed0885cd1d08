"""The connections to one host and port: kept for the next request, bounded in number, with a queue when all are in use.

What belongs here: which connection serves a request, who waits for one, how long an idle one is kept. What does not: bytes
(the connection) and what a broken request means (the asker).

Theory of operation. At most ``connections_max`` *slots* are taken, each by an open connection or by an attempt to connect. A
request takes the connection that was used last; if none is idle, a free slot; if none is free, a place in the queue, first
come first served. What becomes free goes straight to the head of the queue, so that whoever comes later cannot overtake:
a connection whose reply is complete, or, when one closes, its slot. While somebody waits, nothing is idle and no slot is
free. Waiting and connecting count into the request's own deadline.
"""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from typing import Final

from subgraphs.chassis.http_client.connection import Connection, ConnectionBroken, Reply, Wanted
from subgraphs.chassis.http_client.deadlines import TICK_S, Deadlines

CONNECT_S: Final = 2.0
"""A peer that does not take a connection in this time is not there."""
IDLE_CONNECTIONS_MAX: Final = 256
"""Kept open to each peer. Fewer than the requests in flight means connecting again and again."""
IDLE_S: Final = 4.0
"""An idle connection is dropped after this long: before the five seconds after which Node and uvicorn close theirs, since
a mutation sent into a closing connection cannot be sent again."""


class Pool:
    """Of one host and port, in the running loop."""

    def __init__(self, host: str, port: int, wanted: Wanted, deadlines: Deadlines, *, connections_max: int) -> None:
        self._host = host
        self._port = port
        self._wanted = wanted
        self._deadlines = deadlines
        self._connections_max = connections_max
        self._loop = asyncio.get_running_loop()
        self._open: set[Connection] = set()
        self._connecting = 0
        self._idle: list[Connection] = []
        """Used last comes last, so the first has been idle for longest."""
        self._waiting: deque[asyncio.Future[Connection | None]] = deque()
        """Each is given a connection, or None for a slot that was taken for it."""
        self._sweep: asyncio.TimerHandle | None = None
        self._failed_address = ""
        self._closed = False

    @property
    def taken(self) -> int:
        """Slots in use."""
        return len(self._open) + self._connecting

    @property
    def idle(self) -> int:
        return len(self._idle)

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    async def ask(self, request: bytes, seconds: float) -> Reply:
        """The reply to a whole request, within so many seconds. Raises ConnectionBroken, ReplyRefused, and TimeoutError;
        nothing of the request is left behind when it raises."""
        when = self._loop.time() + seconds
        connection = self._take() or await self._obtain(when)
        reply = connection.ask(request)
        self._deadlines.add(reply, when)
        try:
            return await reply
        except ConnectionBroken as broken:
            if broken.stale:
                # The others have most likely died with it, and who asks again should not meet the next of them.
                self._drop(len(self._idle))
            raise
        finally:
            self._deadlines.remove(reply)
            connection.abandon(reply)

    def close(self) -> None:
        """Ends everything, also what is under way; for good."""
        self._closed = True
        if self._sweep is not None:
            self._sweep.cancel()
        while self._waiting:
            waiting = self._waiting.popleft()
            if not waiting.done():
                waiting.set_exception(ConnectionBroken("the connections are given up"))
        for connection in list(self._open):
            connection.close()

    def _take(self) -> Connection | None:
        while self._idle:
            connection = self._idle.pop()
            # The sweep may be late, as timers of a busy loop are.
            if connection.usable and self._loop.time() - connection.idle_since < IDLE_S:
                return connection
            connection.close()
        return None

    async def _obtain(self, when: float) -> Connection:
        """A connection that is not idle yet: one that becomes free, or a new one."""
        while True:
            if self._closed:
                raise ConnectionBroken("the connections are given up")
            if self.taken < self._connections_max:
                self._connecting += 1
            elif (connection := await self._turn(when)) is not None:
                if connection.usable:
                    return connection
                # It closed between being given and being taken; its slot goes its own way.
                connection.close()
                continue
            return await self._connect(when)

    async def _turn(self, when: float) -> Connection | None:
        """Waits in the queue: for a connection, or None and a slot of one's own."""
        waiting: asyncio.Future[Connection | None] = self._loop.create_future()
        self._waiting.append(waiting)
        self._deadlines.add(waiting, when)
        try:
            return await waiting
        except BaseException:
            if waiting.done() and not waiting.cancelled() and waiting.exception() is None:
                # Given in the very moment in which the asker gave up.
                self._hand_on(waiting.result())
            elif waiting in self._waiting:
                self._waiting.remove(waiting)
            raise
        finally:
            self._deadlines.remove(waiting)

    async def _connect(self, when: float) -> Connection:
        """Opens a connection for a slot that is taken; frees it when there is none to open."""
        by = min(when, self._loop.time() + CONNECT_S)
        try:
            async with asyncio.timeout_at(by):
                connection = await self._first_that_opens(by)
            if self._closed or not connection.usable:
                connection.close()
                raise ConnectionBroken("the connection was closed before anything was asked")
        except BaseException as wrong:
            self._free_slot()
            if not isinstance(wrong, OSError) or isinstance(wrong, TimeoutError):
                raise
            raise ConnectionBroken(f"no connection to {self._host}:{self._port}: {wrong.strerror or wrong}") from wrong
        self._connecting -= 1
        self._open.add(connection)
        return connection

    async def _first_that_opens(self, by: float) -> Connection:
        """Tries one address of the host after the other, each for its share of the time; the one that failed last comes
        last, or a host of which one address is dead would cost every new connection that share."""
        found = await self._loop.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
        addresses = sorted((str(each[4][0]) for each in found), key=lambda address: address == self._failed_address)
        for at, address in enumerate(addresses):
            share = (by - self._loop.time()) / (len(addresses) - at)
            try:
                async with asyncio.timeout(share):
                    _, connection = await self._loop.create_connection(self._new, address, self._port)
                return connection
            except OSError:
                self._failed_address = address
                if at == len(addresses) - 1:
                    raise
        raise OSError("the host has no address")

    def _new(self) -> Connection:
        return Connection(self._wanted, on_idle=self._became_idle, on_closed=self._was_closed)

    def _became_idle(self, connection: Connection) -> None:
        if self._waiting:
            self._hand_on(connection)
        else:
            self._keep(connection)

    def _was_closed(self, connection: Connection) -> None:
        if connection not in self._open:
            # It never was ours: connecting had been given up before it opened.
            return
        self._open.remove(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        self._connecting += 1
        self._free_slot()

    def _hand_on(self, connection: Connection | None) -> None:
        """Gives what is free (None: a slot that is taken) to the first who still waits."""
        if connection is not None and connection.closed:
            return
        while self._waiting:
            waiting = self._waiting.popleft()
            if not waiting.done():
                waiting.set_result(connection)
                return
        if connection is None:
            self._connecting -= 1
        else:
            self._keep(connection)

    def _free_slot(self) -> None:
        self._hand_on(None)

    def _keep(self, connection: Connection) -> None:
        if len(self._idle) >= IDLE_CONNECTIONS_MAX:
            connection.close()
            return
        connection.idle_since = self._loop.time()
        self._idle.append(connection)
        if self._sweep is None:
            self._sweep = self._loop.call_later(IDLE_S, self._drop_old)

    def _drop_old(self) -> None:
        """One timer for all: it rings when the first of them is due, and is set for whoever is the next."""
        self._sweep = None
        old = self._loop.time() - IDLE_S + TICK_S
        self._drop(sum(each.idle_since <= old for each in self._idle))
        if self._idle and not self._closed:
            self._sweep = self._loop.call_at(self._idle[0].idle_since + IDLE_S, self._drop_old)

    def _drop(self, count: int) -> None:
        dropped, self._idle[:count] = self._idle[:count], []
        for connection in dropped:
            connection.close()
