"""A consumer gives every event of its producer exactly one effect, in order, however often it is delivered."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import httpx
import orjson
import pytest
import structlog

from subgraphs.chassis.identity import IDENTITY_HEADER, IdentitySigner, IdentityVerifier
from subgraphs.chassis.inbox import INDEXES, EventConsumer, EventHandler, Frame, frames
from subgraphs.chassis.mongo import Database, Session
from subgraphs.chassis.supervision import Supervisor
from subgraphs.kernel.events import Envelope, ProductChanged

SECRET = "a secret of at least thirty-two bytes"


def frame(seq: int, event: str = "event") -> bytes:
    """The wire form of one event."""
    envelope = Envelope(
        id=f"evt_{seq}",
        type=ProductChanged.TYPE,
        version=1,
        seq=seq,
        aggregate="product:a",
        aggregate_version=seq,
        occurred_at="2026-03-01T12:00:00.000Z",
        causation=None,
        correlation="request-1",
        traceparent=None,
        data={"product_id": f"p{seq}"},
    )
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (seq, event.encode(), orjson.dumps(envelope.to_data()))


class Producer(httpx.AsyncBaseTransport):
    """Answers each connection with the next script; the last one is held open."""

    def __init__(self, *scripts: list[bytes]) -> None:
        self._scripts = list(scripts)
        self.asked: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        script = self._scripts.pop(0) if self._scripts else []
        hold = not self._scripts

        async def body() -> AsyncIterator[bytes]:
            for part in script:
                yield part
            if hold:
                await asyncio.Event().wait()

        return httpx.Response(200, content=body())


Consume = Callable[[Producer, EventHandler], EventConsumer]


@pytest.fixture
async def consume(database: Database) -> AsyncIterator[Consume]:
    """Starts a consumer of ``catalog`` over a scripted producer."""
    await database.ensure_indexes({**INDEXES, "effects": []})
    async with Supervisor() as jobs:

        def start(producer: Producer, handler: EventHandler) -> EventConsumer:
            consumer = EventConsumer(
                "http://catalog",
                "catalog",
                {ProductChanged.TYPE: handler},
                database,
                client=httpx.AsyncClient(transport=producer),
                signer=IdentitySigner(SECRET, "loyalty"),
                service="loyalty",
            )
            jobs.start("hear", consumer.run)
            return consumer

        yield start


def effect(database: Database) -> EventHandler:
    """A handler that counts, per product, how often it took effect."""

    async def handler(session: Session, envelope: Envelope) -> None:
        await database.collection("effects").update_one(
            {"_id": envelope.data["product_id"]}, {"$inc": {"n": 1}}, upsert=True, session=session
        )

    return handler


async def until_at(consumer: EventConsumer, seq: int) -> None:
    async with asyncio.timeout(20):
        while await consumer.position() != seq:
            await asyncio.sleep(0.01)


async def test_an_event_delivered_twice_has_one_effect(database: Database, consume: Consume) -> None:
    consumer = consume(Producer([frame(1), frame(1), frame(2)], [frame(1), frame(2), frame(3)]), effect(database))
    await until_at(consumer, 3)
    assert await database.collection("effects").find({}, sort=[("_id", 1)]) == [
        {"_id": f"p{n}", "n": 1} for n in (1, 2, 3)
    ]


async def test_a_broken_connection_goes_on_where_it_was(database: Database, consume: Consume) -> None:
    producer = Producer([frame(1), frame(2)], [frame(3)])
    await until_at(consume(producer, effect(database)), 3)
    assert [request.url.params["after"] for request in producer.asked] == ["0", "2"]


async def test_it_asks_for_its_types_as_the_service_it_is(database: Database, consume: Consume) -> None:
    producer = Producer([frame(1)])
    await until_at(consume(producer, effect(database)), 1)
    assert producer.asked[0].url.params["types"] == ProductChanged.TYPE
    identity = IdentityVerifier(SECRET).verify(producer.asked[0].headers[IDENTITY_HEADER])
    assert (identity.principal.kind, identity.principal.subject) == ("service", "loyalty")


async def test_a_failing_handler_leaves_nothing_and_is_tried_again(database: Database, consume: Consume) -> None:
    calls = 0
    count = effect(database)

    async def handler(session: Session, envelope: Envelope) -> None:
        nonlocal calls
        calls += 1
        await count(session, envelope)
        if calls == 1:
            raise RuntimeError("not yet")

    with structlog.testing.capture_logs() as said:
        await until_at(consume(Producer([frame(1)]), handler), 1)
    assert await database.collection("effects").find({}) == [{"_id": "p1", "n": 1}]
    assert any(line["event"] == "event handler failed" for line in said)


async def test_an_event_that_can_not_be_handled_is_parked_and_silences_nobody(
    database: Database, consume: Consume, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("subgraphs.chassis.inbox.BACKOFF_S", 0.001)
    count = effect(database)

    async def handler(session: Session, envelope: Envelope) -> None:
        if envelope.seq == 1:
            raise RuntimeError("never")
        await count(session, envelope)

    with structlog.testing.capture_logs():
        await until_at(consume(Producer([frame(1), frame(2)]), handler), 2)
    parked = await database.collection("inbox_parked").find({})
    assert [row["envelope"]["seq"] for row in parked] == [1]
    assert await database.collection("effects").find({}) == [{"_id": "p2", "n": 1}]


async def test_the_cursor_moves_past_what_was_not_asked_for_and_back_when_the_past_is_another(
    database: Database, consume: Consume
) -> None:
    consumer = consume(Producer([frame(5, "position")], [frame(0, "reset"), frame(1)]), effect(database))
    await until_at(consumer, 1)
    assert await database.collection("effects").count({}) == 1


async def test_frames_are_read_whatever_the_comments_between_them() -> None:
    async def lines() -> AsyncIterator[str]:
        for line in (": open", "", "id: 3", "event: event", "data: {}", "", ": heartbeat", "", "data:x", ""):
            yield line

    assert [found async for found in frames(lines())] == [Frame("event", 3, "{}"), Frame("message", 0, "x")]
