"""Hearing another service's events: pulled, in the producer's order, each with exactly one effect.

Theory of operation. A consumer keeps, in its *own* database, a cursor per producer and an ``inbox`` row per event. One
transaction holds the handler's writes, the inbox row and the moved cursor. Delivery is at least once (connections break,
producers repeat), the effect is exactly once, because an event with an inbox row is passed over. A consumer that was
away asks for what came after its cursor and gets it from the producer's outbox, which keeps events for two weeks.

Only one process of a service pulls from a producer at a time (a lease on the cursor), but correctness does not rest on
that: two pullers would collide on the inbox row. A handler that keeps failing must not silence its producer for ever:
after ``ATTEMPTS_MAX`` tries its event is parked, loudly, in ``inbox_parked`` for a person to look at.
"""

from __future__ import annotations

import asyncio
import random
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx
import orjson

from subgraphs.chassis.identity import IDENTITY_HEADER, IdentitySigner, Principal
from subgraphs.chassis.mongo import Database, DuplicateKey, Index, MongoError, Session
from subgraphs.chassis.telemetry import (
    EVENTS_HEARD,
    REQUEST_ID_HEADER,
    logger,
    outgoing_headers,
    request_scope,
)
from subgraphs.chassis.trace_context import TRACEPARENT_HEADER
from subgraphs.kernel.clock import Clock, SystemClock
from subgraphs.kernel.errors import RequestInFlight
from subgraphs.kernel.events import Envelope

INBOX, CURSORS, PARKED = "inbox", "inbox_cursors", "inbox_parked"
RETENTION_S = 15 * 24 * 3600
LEASE_S = 4.0
RENEW_S = 1.0
ATTEMPTS_MAX = 8
BACKOFF_S = 0.1
BACKOFF_S_MAX = 5.0
# Three heartbeats of the producer: a silent connection is a dead one.
SILENCE_S_MAX = 45.0

INDEXES: dict[str, Sequence[Index]] = {
    INBOX: (Index(["at"], expire_after_s=RETENTION_S),),
    CURSORS: (),
    PARKED: (),
}

EventHandler = Callable[[Session, Envelope], Awaitable[None]]
_log = logger(__name__)


@dataclass(frozen=True, slots=True)
class Frame:
    """One server-sent event."""

    event: str
    id: int
    data: str


class EventConsumer:
    """Pulls one producer's events into this service."""

    def __init__(
        self,
        peer_url: str,
        producer: str,
        handlers: Mapping[str, EventHandler],
        database: Database,
        *,
        client: httpx.AsyncClient,
        signer: IdentitySigner,
        service: str,
        clock: Clock | None = None,
    ) -> None:
        self._url = f"{peer_url}/events"
        self._producer = producer
        self._handlers = dict(handlers)
        self._database = database
        self._client = client
        self._signer = signer
        self._service = service
        self._clock = clock or SystemClock()
        self._inbox = database.collection(INBOX)
        self._cursors = database.collection(CURSORS)
        self._parked = database.collection(PARKED)
        self._holder = secrets.token_hex(8)

    async def run(self) -> None:
        """Listens until cancelled, whatever the producer or the network does meanwhile."""
        pause_s = BACKOFF_S
        while True:
            if not await self._hold():
                await asyncio.sleep(RENEW_S)
                continue
            try:
                async with asyncio.TaskGroup() as group:
                    lease = group.create_task(self._keep_lease(), name=f"{self._producer} lease")
                    heard = await self._listen()
                    lease.cancel()
                if heard:
                    pause_s = BACKOFF_S
            except* (httpx.HTTPError, MongoError, _LeaseLost) as broken:
                _log.info("event stream broken", producer=self._producer, reason=repr(broken.exceptions[0]))
            await asyncio.sleep(pause_s * random.uniform(0.5, 1.5))  # noqa: S311
            pause_s = min(pause_s * 2, BACKOFF_S_MAX)

    async def position(self) -> int:
        """The producer's number up to which everything has had its effect here."""
        cursor = await self._cursors.find_one({"_id": self._producer})
        return int(cursor.get("seq", 0)) if cursor else 0

    async def _listen(self) -> bool:
        """Hears one connection to its end; whether anything came."""
        heard = False
        principal = Principal(self._service, "service")
        headers = outgoing_headers() | {IDENTITY_HEADER: self._signer.sign(principal), "accept": "text/event-stream"}
        query: dict[str, str | int] = {"after": await self.position(), "types": ",".join(sorted(self._handlers))}
        timeout = httpx.Timeout(5.0, read=SILENCE_S_MAX)
        async with self._client.stream("GET", self._url, params=query, headers=headers, timeout=timeout) as response:
            response.raise_for_status()
            async for frame in frames(response.aiter_lines()):
                heard = True
                match frame.event:
                    case "event":
                        await self._take(Envelope.from_data(orjson.loads(frame.data)))
                    case "position":
                        await self._move(frame.id)
                    case "gap":
                        _log.error("events lost to retention", producer=self._producer, up_to=frame.id)
                        await self._move(frame.id)
                    case "reset":
                        _log.warning("producer began anew", producer=self._producer)
                        await self._move(frame.id)
        return heard

    async def _take(self, envelope: Envelope) -> None:
        """Gives an event its effect, trying for as long as the fault is the database's and a few times if it is ours."""
        handler = self._handlers.get(envelope.type)
        if handler is None:
            return
        trace = {REQUEST_ID_HEADER: envelope.correlation or "", TRACEPARENT_HEADER: envelope.traceparent or ""}
        with request_scope(trace):
            attempt = 0
            while True:
                try:
                    outcome = await self._effect(handler, envelope)
                    break
                except RequestInFlight:
                    # Contention passes; it is nobody's fault and does not count.
                    await asyncio.sleep(BACKOFF_S)
                    continue
                except Exception as error:
                    if isinstance(error, MongoError) and not isinstance(error, DuplicateKey):
                        raise
                    attempt += 1
                    _log.exception("event handler failed", type=envelope.type, event_id=envelope.id, attempt=attempt)
                    if attempt == ATTEMPTS_MAX:
                        await self._park(envelope, error)
                        outcome = "parked"
                        break
                await asyncio.sleep(min(BACKOFF_S * 2**attempt, BACKOFF_S_MAX))
        EVENTS_HEARD.labels(self._service, self._producer, outcome).inc()

    async def _effect(self, handler: EventHandler, envelope: Envelope) -> str:
        identity = f"{self._producer}:{envelope.id}"

        async def body(session: Session) -> str:
            if await self._inbox.find_one({"_id": identity}, session=session) is not None:
                return "repeated"
            await self._inbox.insert_one({"_id": identity, "at": self._clock.now()}, session=session)
            await handler(session, envelope)
            await self._cursors.update_one(
                {"_id": self._producer}, {"$set": {"seq": envelope.seq}}, upsert=True, session=session
            )
            return "done"

        return await self._database.transact(body)

    async def _park(self, envelope: Envelope, error: Exception) -> None:
        await self._parked.replace_one(
            {"_id": f"{self._producer}:{envelope.id}"},
            {
                "_id": f"{self._producer}:{envelope.id}",
                "envelope": envelope.to_data(),
                "error": repr(error),
                "at": self._clock.now(),
            },
            upsert=True,
        )
        assert envelope.seq is not None
        await self._move(envelope.seq)

    async def _move(self, seq: int) -> None:
        await self._cursors.update_one({"_id": self._producer}, {"$set": {"seq": seq}}, upsert=True)

    async def _keep_lease(self) -> None:
        while True:
            await asyncio.sleep(RENEW_S)
            if not await self._hold():
                raise _LeaseLost

    async def _hold(self) -> bool:
        # A document of its own: renewing it must not collide with the transactions that move the cursor.
        lease = f"{self._producer}:lease"
        now = self._clock.now()
        mine = {"$set": {"holder": self._holder, "until": now + timedelta(seconds=LEASE_S)}}
        if (await self._cursors.update_one({"_id": lease, "holder": self._holder}, mine)).matched:
            return True
        if (await self._cursors.update_one({"_id": lease, "until": {"$lt": now}}, mine)).matched:
            return True
        if await self._cursors.find_one({"_id": lease}) is not None:
            return False
        try:
            await self._cursors.insert_one({"_id": lease} | mine["$set"])
        except DuplicateKey:
            return False
        return True


class _LeaseLost(Exception):
    """Another process of this service listens to the producer now."""


async def frames(lines: AsyncIterator[str]) -> AsyncIterator[Frame]:
    """The server-sent events in a stream of lines; comments are passed over."""
    fields: dict[str, Any] = {}
    async for line in lines:
        if line:
            name, _, value = line.partition(":")
            if name:
                fields[name] = value.removeprefix(" ")
        elif fields:
            yield Frame(fields.get("event", "message"), int(fields.get("id", 0)), fields.get("data", ""))
            fields = {}
