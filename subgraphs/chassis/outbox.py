"""The transactional outbox: a change and the news of it are one commit; everyone hears the news in one order.

Theory of operation
-------------------
*Append.* A use case inserts its event as a row of ``outbox`` inside its own transaction. The row has no ``seq`` yet,
only ``pending`` (its own ULID, so that a sparse index holds just the rows still to be sequenced, oldest first).

*Relay.* One relay per service, the holder of a lease document, gives pending rows consecutive numbers. The counter
lives in the same lease document, and a batch is one transaction: move the counter from ``n`` to ``n + k`` *if it is
still n and still ours*, number k rows. So there are no gaps and no repeats, whoever is killed when: a transaction that
did not commit numbered nothing, and a relay that was deposed while it slept fails its guard. A relay that is killed
leaves a lease of ``LEASE_S`` at most.

*Order.* Pending rows are taken by ULID, which is birth order within a process and, between processes, as good as their
clocks. Where order matters, within one aggregate, it is made exact: commits of one aggregate follow each other (they
carry its version), so a later version can not be visible without the earlier one, and ``in_commit_order`` sorts what a
batch holds of one aggregate by version.

*Wake-up.* Each process has one change stream over the outbox. An inserted row wakes the relay, a numbered row wakes
the hub. **The stream only wakes; the outbox is the truth**: nothing is read from a change but that there was one, so
there is no resume token to lose. When the stream breaks it is opened anew, and opening it wakes both.

*Hub.* Every process has an ``EventHub``, which reads rows after its position, in order, and keeps the latest in a ring.
A subscriber is a cursor into that ring, not a queue: a thousand slow ones cost nothing, and one that falls out of the
ring is told so by ``Lagged``. ``event_frames`` is the same ring, continued backwards by the outbox itself, as an event
stream for other services (whose end is ``inbox.py``).
"""

from __future__ import annotations

import asyncio
import bisect
import contextlib
import secrets
from collections import deque
from collections.abc import AsyncIterator, Iterable, Sequence
from collections.abc import Collection as Items
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Self

import orjson

from subgraphs.chassis.mongo import (
    ASCENDING,
    Database,
    Document,
    DuplicateKey,
    Index,
    MongoError,
    Session,
    Update,
)
from subgraphs.chassis.telemetry import EVENTS_SEQUENCED, OUTBOX_POSITION, logger, request_id, traceparent
from subgraphs.kernel.clock import Clock, SystemClock, iso
from subgraphs.kernel.errors import RequestInFlight
from subgraphs.kernel.events import Envelope, Event
from subgraphs.kernel.ids import new_id

OUTBOX, RELAY = "outbox", "outbox_relay"
RETENTION_S = 14 * 24 * 3600
LEASE_S = 4.0
RENEW_S = 1.0
BATCH_MAX = 500
READ_MAX = 500
RING_EVENTS_MAX = 4096
HEARTBEAT_S = 15.0
# The change stream wakes the hub; this is how long a lost wake-up can go unnoticed.
HUB_POLL_S = 2.0

INDEXES: dict[str, Sequence[Index]] = {
    OUTBOX: (
        Index(["seq"], unique=True, sparse=True),
        Index(["pending"], sparse=True),
        # Carries the relay's guard {_id, pending}: the embedded server finds a document by _id only if the filter names
        # nothing else, or nothing but what one index holds; otherwise it reads the whole collection.
        Index(["_id", "pending"]),
        Index(["at"], expire_after_s=RETENTION_S),
    ),
    RELAY: (),
}

_LEASE_ID = "relay"
_log = logger(__name__)


@dataclass(frozen=True, slots=True)
class Lagged:
    """A subscriber was too slow: events up to ``position`` are gone from the ring. Read the state anew from there."""

    position: int


class HubClosed(Exception):
    """The process is stopping; there will be no more events."""


class Outbox:
    """The events of one service, in its own database."""

    def __init__(self, database: Database, service: str, clock: Clock | None = None) -> None:
        self.service = service
        self._database = database
        self._rows = database.collection(OUTBOX)
        self._relay = database.collection(RELAY)
        self._clock = clock or SystemClock()

    @property
    def database(self) -> Database:
        return self._database

    async def append(
        self,
        session: Session,
        event: Event,
        *,
        aggregate: str,
        aggregate_version: int,
        causation: str | None = None,
    ) -> Envelope:
        """Adds the news of a change to the transaction that makes it.

        ``aggregate`` is ``"<kind>:<id>"``; ``aggregate_version`` must grow with every commit that touches it.
        """
        return (await self.append_many(session, [(event, aggregate, aggregate_version)], causation=causation))[0]

    async def append_many(
        self, session: Session, news: Sequence[tuple[Event, str, int]], *, causation: str | None = None
    ) -> list[Envelope]:
        """Adds several ``(event, aggregate, aggregate_version)`` in one round trip."""
        now = self._clock.now()
        correlation, trace = request_id(), traceparent()
        envelopes = [
            Envelope(
                id=new_id("evt"),
                type=event.TYPE,
                version=event.VERSION,
                seq=None,
                aggregate=aggregate,
                aggregate_version=aggregate_version,
                occurred_at=iso(now),
                causation=causation,
                correlation=correlation,
                traceparent=trace,
                data=event.to_data(),
            )
            for event, aggregate, aggregate_version in news
        ]
        rows: list[Document] = [_row(envelope) | {"at": now} for envelope in envelopes]
        await self._rows.insert_many(rows, session=session)
        return envelopes

    async def read(self, after: int, limit: int = READ_MAX) -> list[Envelope]:
        """Numbered events with ``seq > after``, in order, without gaps but for rows past their retention."""
        rows = await self._rows.find({"seq": {"$gt": after}}, sort=[("seq", ASCENDING)], limit=limit)
        return [_envelope(row) for row in rows]

    async def head(self) -> int:
        """The latest number given; 0 before the first."""
        lease = await self._relay.find_one({"_id": _LEASE_ID})
        return int(lease["seq"]) if lease else 0


class Relay:
    """Gives pending rows their numbers, while this process holds the service's lease."""

    def __init__(self, outbox: Outbox, hub: EventHub | None = None, clock: Clock | None = None) -> None:
        self._outbox = outbox
        self._hub = hub
        self._clock = clock or SystemClock()
        self._rows = outbox.database.collection(OUTBOX)
        self._lease = outbox.database.collection(RELAY)
        self._holder = secrets.token_hex(8)
        self._wake = asyncio.Event()
        self.leading = False

    def wake(self) -> None:
        """There may be pending rows."""
        self._wake.set()

    async def run(self) -> None:
        """Leads whenever it can, until cancelled; then gives the lease back so that another need not wait it out."""
        loop = asyncio.get_running_loop()
        renew_at = 0.0
        try:
            while True:
                if loop.time() >= renew_at:
                    renew_at = loop.time() + RENEW_S
                    self.leading = await self._hold()
                    # Rows may have been left by a relay that died, or their wake-up lost.
                    self._wake.set()
                if self.leading and self._wake.is_set():
                    self._wake.clear()
                    if await self._sequence() == BATCH_MAX:
                        self._wake.set()
                    continue
                if not self.leading:
                    await asyncio.sleep(renew_at - loop.time())
                    continue
                try:
                    async with asyncio.timeout_at(renew_at):
                        await self._wake.wait()
                except TimeoutError:
                    pass
        finally:
            if self.leading:
                self.leading = False
                # A database that can not be told will see the lease end by itself.
                with contextlib.suppress(MongoError):
                    await self._release()

    async def _hold(self) -> bool:
        now = self._clock.now()
        until = now + timedelta(seconds=LEASE_S)
        mine = {"$set": {"holder": self._holder, "until": until}}
        if (await self._lease.update_one({"_id": _LEASE_ID, "holder": self._holder}, mine)).matched:
            return True
        if (await self._lease.update_one({"_id": _LEASE_ID, "until": {"$lt": now}}, mine)).matched:
            _log.info("relay leads", relay=self._outbox.service)
            return True
        if await self._lease.find_one({"_id": _LEASE_ID}) is not None:
            return False
        try:
            await self._lease.insert_one({"_id": _LEASE_ID, "holder": self._holder, "until": until, "seq": 0})
        except DuplicateKey:
            return False
        return True

    async def _release(self) -> None:
        await self._lease.update_one(
            {"_id": _LEASE_ID, "holder": self._holder}, {"$set": {"holder": None, "until": self._clock.now()}}
        )

    async def _sequence(self) -> int:
        """Numbers one batch; how many rows it was."""
        rows = await self._rows.find(
            {"pending": {"$gt": ""}},
            projection={"aggregate": 1, "aggregate_version": 1},
            sort=[("pending", ASCENDING)],
            limit=BATCH_MAX,
        )
        if not rows:
            return 0
        ordered = in_commit_order(rows)

        async def number(session: Session) -> bool:
            lease = await self._lease.find_one({"_id": _LEASE_ID, "holder": self._holder}, session=session)
            if lease is None:
                return False
            first = int(lease["seq"]) + 1
            moved = await self._lease.update_one(
                {"_id": _LEASE_ID, "holder": self._holder, "seq": first - 1},
                {"$set": {"seq": first - 1 + len(ordered)}},
                session=session,
            )
            if not moved.modified:
                return False
            numbered = await self._rows.bulk_write(
                [
                    Update(
                        {"_id": row["_id"], "pending": row["_id"]}, {"$set": {"seq": seq}, "$unset": {"pending": ""}}
                    )
                    for seq, row in enumerate(ordered, first)
                ],
                session=session,
            )
            # Somebody else numbered one of these: our batch is stale, and leaving by an exception undoes it.
            if numbered.modified != len(ordered):
                raise _StaleBatch
            return True

        try:
            self.leading = await self._outbox.database.transact(number)
        except (RequestInFlight, _StaleBatch):
            self._wake.set()
            return 0
        if not self.leading:
            return 0
        EVENTS_SEQUENCED.labels(self._outbox.service).inc(len(ordered))
        if self._hub is not None:
            self._hub.wake()
        return len(ordered)


class _StaleBatch(Exception):
    """A row of the batch has been numbered since it was read."""


def in_commit_order(rows: Iterable[Document]) -> list[Document]:
    """Rows by ``_id``, except that rows of one aggregate stand in the order of its versions.

    The places an aggregate holds in the whole stay its own; only which of its rows stands where may change.
    """
    ordered = sorted(rows, key=lambda row: str(row["_id"]))
    places: dict[str, list[int]] = {}
    for place, row in enumerate(ordered):
        places.setdefault(row["aggregate"], []).append(place)
    result = list(ordered)
    for held in places.values():
        if len(held) > 1:
            by_version = sorted((ordered[place] for place in held), key=lambda row: int(row["aggregate_version"]))
            for place, row in zip(held, by_version, strict=True):
                result[place] = row
    return result


class EventHub:
    """The numbered events of this service, in this process, as they come."""

    def __init__(self, outbox: Outbox, ring_events_max: int = RING_EVENTS_MAX) -> None:
        self._outbox = outbox
        self._ring: deque[Envelope] = deque(maxlen=ring_events_max)
        self._position = 0
        self._wake = asyncio.Event()
        self._advanced = asyncio.Event()
        self._closed = False

    @property
    def position(self) -> int:
        """The number of the latest event everyone in this process may have seen."""
        return self._position

    def wake(self) -> None:
        """There may be newly numbered rows."""
        self._wake.set()

    async def start(self) -> None:
        """Takes the current end of the outbox as the place to begin. Before ``run``, before serving."""
        self._position = await self._outbox.head()

    async def run(self) -> None:
        """Publishes numbered rows in order, until cancelled."""
        while True:
            try:
                async with asyncio.timeout(HUB_POLL_S):
                    await self._wake.wait()
            except TimeoutError:
                pass
            self._wake.clear()
            while rows := await self._outbox.read(self._position):
                self._publish(rows)

    def close(self) -> None:
        """Ends every subscription; the process is stopping."""
        self._closed = True
        self._advanced.set()

    def subscribe(self, types: Iterable[str] | None = None, *, after: int | None = None) -> Subscription:
        """Events of these types (all, if none are named) from this moment on, or after a number still in the ring.

        Interest is registered by this very call: what is committed after it returns will be heard, so a reader that
        subscribes first and reads the state second misses nothing.
        """
        return Subscription(
            self, frozenset(types) if types is not None else None, self._position if after is None else after
        )

    async def wait_beyond(self, position: int, timeout_s: float | None = None) -> bool:
        """Returns True when there is an event after ``position``, False when the time is up; raises ``HubClosed``."""
        try:
            async with asyncio.timeout(timeout_s):
                while self._position <= position:
                    if self._closed:
                        raise HubClosed
                    await self._advanced.wait()
        except TimeoutError:
            return False
        return True

    def recent(self, after: int, limit: int = READ_MAX) -> list[Envelope] | None:
        """Events after a number from memory, or nothing if the ring does not reach back that far."""
        if after >= self._position:
            return []
        if not self._ring or _seq(self._ring[0]) > after + 1:
            return None
        start = bisect.bisect_right(self._ring, after, key=_seq)
        return [self._ring[index] for index in range(start, min(len(self._ring), start + limit))]

    def _publish(self, envelopes: Sequence[Envelope]) -> None:
        self._ring.extend(envelopes)
        self._position = _seq(envelopes[-1])
        OUTBOX_POSITION.labels(self._outbox.service).set(self._position)
        # Wakes all who wait now, and leaves a fresh event for those who wait next.
        advanced, self._advanced = self._advanced, asyncio.Event()
        advanced.set()


class Subscription:
    """A cursor into the hub: an async iterator of ``Envelope`` that ends when the hub closes.

    It holds nothing, so it needs no closing; ``async with`` is allowed for those who like to see the end.
    """

    def __init__(self, hub: EventHub, types: frozenset[str] | None, after: int) -> None:
        self._hub = hub
        self._types = types
        self.position = after

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Envelope | Lagged:
        while True:
            try:
                await self._hub.wait_beyond(self.position)
            except HubClosed:
                raise StopAsyncIteration from None
            recent = self._hub.recent(self.position)
            if recent is None:
                self.position = self._hub.position
                return Lagged(self.position)
            for envelope in recent:
                self.position = _seq(envelope)
                if self._types is None or envelope.type in self._types:
                    return envelope

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        return None


class OutboxWatch:
    """The process's one change stream: wakes the relay and the hub, and carries nothing."""

    def __init__(self, outbox: Outbox, relay: Relay, hub: EventHub) -> None:
        self._outbox = outbox
        self._relay = relay
        self._hub = hub
        self.open = False

    async def run(self) -> None:
        """Watches until cancelled or until the stream breaks; whoever runs it, runs it again."""
        pipeline = [{"$match": {"ns.coll": OUTBOX, "operationType": {"$in": ["insert", "update"]}}}]
        try:
            async for change in self._outbox.database.watch(pipeline):
                self.open = True
                kind = change.get("operationType")
                if kind != "update":
                    self._relay.wake()
                if kind != "insert":
                    self._hub.wake()
        finally:
            self.open = False


async def event_frames(
    outbox: Outbox, hub: EventHub, *, after: int, types: Items[str] | None, heartbeat_s: float = HEARTBEAT_S
) -> AsyncIterator[bytes]:
    """The events after a number as server-sent event frames, for ever; ends when the hub closes.

    A frame's ``id`` is its ``seq``. Frames without an event: ``: heartbeat`` in quiet times; ``event: position`` when
    the reader may move its cursor past events it did not ask for; ``event: gap`` when rows it has not had are past
    their retention; ``event: reset`` when its cursor is beyond our end, so that it must have come from another past.
    Nothing is buffered here: a reader that does not read stops this generator where it stands.
    """
    head = max(hub.position, await outbox.head())
    if after > head:
        yield _frame("reset", 0, b"{}")
        after = 0
    # An intermediary or client library may wait for the first bytes before it believes in the stream.
    yield b": open\n\n"
    told = after
    while True:
        batch = hub.recent(after)
        if batch is None:
            batch = await outbox.read(after)
            if batch and _seq(batch[0]) > after + 1 and after > 0:
                yield _frame("gap", _seq(batch[0]) - 1, b"{}")
        for envelope in batch:
            after = _seq(envelope)
            if types is None or envelope.type in types:
                told = after
                yield _frame("event", after, orjson.dumps(envelope.to_data()))
        if batch:
            continue
        try:
            if not await hub.wait_beyond(after, heartbeat_s):
                yield b": heartbeat\n\n" if told == after else _frame("position", after, b"{}")
                told = after
        except HubClosed:
            return


def _frame(event: str, seq: int, data: bytes) -> bytes:
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (seq, event.encode(), data)


def _seq(envelope: Envelope) -> int:
    assert envelope.seq is not None
    return envelope.seq


def _row(envelope: Envelope) -> Document:
    row: dict[str, Any] = envelope.to_data()
    del row["seq"]
    row["_id"] = row.pop("id")
    return row | {"pending": row["_id"]}


def _envelope(row: Document) -> Envelope:
    return replace(Envelope.from_data(row), id=str(row["_id"]), seq=int(row["seq"]))
