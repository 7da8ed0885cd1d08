"""The outbox numbers every committed event once, without gaps, whoever dies; hubs and streams repeat it in order."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from subgraphs.chassis.inbox import Frame, frames
from subgraphs.chassis.mongo import Database, Session
from subgraphs.chassis.outbox import (
    INDEXES,
    LEASE_S,
    EventHub,
    Lagged,
    Outbox,
    OutboxWatch,
    Relay,
    Subscription,
    event_frames,
    in_commit_order,
)
from subgraphs.chassis.supervision import Supervisor
from subgraphs.kernel.clock import FixedClock
from subgraphs.kernel.events import CustomerRegistered, Envelope, ProductChanged

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
async def outbox(database: Database) -> Outbox:
    await database.ensure_indexes({**INDEXES, "things": []})
    return Outbox(database, "catalog")


async def tell(outbox: Outbox, product_id: str, version: int = 1) -> Envelope:
    """Commits one event on its own."""

    async def body(session: Session) -> Envelope:
        event = ProductChanged(product_id=product_id)
        return await outbox.append(session, event, aggregate=f"product:{product_id}", aggregate_version=version)

    return await outbox.database.transact(body)


async def until_numbered(outbox: Outbox, count: int) -> list[Envelope]:
    """The numbered events once there are so many."""
    async with asyncio.timeout(20):
        while len(rows := await outbox.read(0)) < count:
            await asyncio.sleep(0.01)
    return rows


async def take(subscription: Subscription, count: int) -> list[Envelope]:
    taken: list[Envelope] = []
    async with asyncio.timeout(20):
        async for event in subscription:
            assert isinstance(event, Envelope)
            taken.append(event)
            if len(taken) == count:
                break
    return taken


async def test_an_event_is_numbered_only_if_its_transaction_commits(outbox: Outbox) -> None:
    async def undone(session: Session) -> None:
        await outbox.append(session, ProductChanged(product_id="x"), aggregate="product:x", aggregate_version=1)
        raise LookupError

    with pytest.raises(LookupError):
        await outbox.database.transact(undone)
    await tell(outbox, "a")
    async with Supervisor() as jobs:
        jobs.start("relay", Relay(outbox).run)
        rows = await until_numbered(outbox, 1)
    assert [row.data["product_id"] for row in rows] == ["a"]


async def test_concurrent_commits_get_consecutive_numbers(outbox: Outbox) -> None:
    relay = Relay(outbox)
    async with Supervisor() as jobs:
        jobs.start("relay", relay.run)
        async with asyncio.TaskGroup() as group:
            for number in range(40):
                group.create_task(tell(outbox, f"p{number}"))
        relay.wake()
        rows = await until_numbered(outbox, 40)
    assert [row.seq for row in rows] == list(range(1, 41))
    assert {row.data["product_id"] for row in rows} == {f"p{number}" for number in range(40)}
    assert await outbox.head() == 40


async def test_versions_of_one_aggregate_are_numbered_in_their_order(outbox: Outbox) -> None:
    for version in range(1, 8):
        await tell(outbox, "same", version)
    async with Supervisor() as jobs:
        jobs.start("relay", Relay(outbox).run)
        rows = await until_numbered(outbox, 7)
    assert [row.aggregate_version for row in rows] == list(range(1, 8))


async def test_two_relays_never_number_a_row_twice_even_if_both_think_they_lead(outbox: Outbox) -> None:
    first, second = Relay(outbox), Relay(outbox)
    async with Supervisor() as jobs:
        jobs.start("first", first.run)
        jobs.start("second", second.run)
        for number in range(30):
            await tell(outbox, f"p{number}")
            first.leading = second.leading = True
            first.wake()
            second.wake()
        rows = await until_numbered(outbox, 30)
    assert [row.seq for row in rows] == list(range(1, 31))


async def test_a_relay_that_was_killed_is_followed_when_its_lease_ends(outbox: Outbox) -> None:
    clock = FixedClock(NOON)
    dead, heir = Relay(outbox, clock=clock), Relay(outbox, clock=clock)
    # What a killed process leaves: a lease that nobody renews or gives back.
    assert await dead._hold()
    assert not await heir._hold()
    clock.advance(LEASE_S + 0.001)
    assert LEASE_S <= 5
    assert await heir._hold()
    await tell(outbox, "a")
    dead.leading = True
    assert await dead._sequence() == 0
    assert not dead.leading
    assert await heir._sequence() == 1


async def test_a_relay_that_stops_gives_its_lease_back_at_once(outbox: Outbox) -> None:
    first = Relay(outbox)
    async with Supervisor() as jobs:
        jobs.start("relay", first.run)
        async with asyncio.timeout(20):
            while not first.leading:
                await asyncio.sleep(0.01)
    await asyncio.sleep(0.002)
    assert await Relay(outbox)._hold()


async def test_the_change_stream_wakes_relay_and_hub_without_polling(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("subgraphs.chassis.outbox.HUB_POLL_S", 3600)
    monkeypatch.setattr("subgraphs.chassis.outbox.RENEW_S", 3600)
    monkeypatch.setattr("subgraphs.chassis.outbox.LEASE_S", 7200)
    # The hub is not the relay's own, as in every process but the leader's.
    relay, hub = Relay(outbox), EventHub(outbox)
    watch = OutboxWatch(outbox, relay, hub)
    await hub.start()
    async with Supervisor() as jobs:
        for name, job in (("relay", relay.run), ("hub", hub.run), ("watch", watch.run)):
            jobs.start(name, job)
        async with asyncio.timeout(20):
            while not watch.open:
                await asyncio.sleep(0.01)
        subscription = hub.subscribe()
        for number in range(5):
            await tell(outbox, f"p{number}")
        heard = await take(subscription, 5)
    assert [event.seq for event in heard] == [1, 2, 3, 4, 5]
    assert hub.position == 5


def published(hub: EventHub, *seqs: int, type_: str = ProductChanged.TYPE) -> None:
    """Lets the hub have these events, as if it had read them."""
    hub._publish(
        [
            Envelope(
                id=f"evt_{seq}",
                type=type_,
                version=1,
                seq=seq,
                aggregate="product:a",
                aggregate_version=seq,
                occurred_at="2026-03-01T12:00:00.000Z",
                causation=None,
                correlation=None,
                traceparent=None,
                data={"product_id": "a"},
            )
            for seq in seqs
        ]
    )


async def test_a_subscriber_hears_its_types_from_the_moment_it_subscribed(outbox: Outbox) -> None:
    hub = EventHub(outbox)
    published(hub, 1)
    subscription = hub.subscribe([ProductChanged.TYPE])
    published(hub, 2)
    published(hub, 3, type_=CustomerRegistered.TYPE)
    published(hub, 4)
    assert [event.seq for event in await take(subscription, 2)] == [2, 4]
    assert [event.seq for event in await take(hub.subscribe(after=0), 4)] == [1, 2, 3, 4]


async def test_a_slow_subscriber_is_told_what_it_lost_and_goes_on(outbox: Outbox) -> None:
    hub = EventHub(outbox, ring_events_max=3)
    subscription = hub.subscribe()
    published(hub, *range(1, 11))
    assert await anext(subscription) == Lagged(10)
    published(hub, 11)
    following = await anext(subscription)
    assert isinstance(following, Envelope)
    assert following.seq == 11


async def test_closing_the_hub_ends_its_subscriptions(outbox: Outbox) -> None:
    hub = EventHub(outbox)
    subscription = hub.subscribe()
    async with asyncio.TaskGroup() as group, asyncio.timeout(5):
        waiting = group.create_task(take(subscription, 1))
        await asyncio.sleep(0)
        hub.close()
    assert waiting.result() == []


async def collect(stream: AsyncIterator[bytes], count: int) -> list[Frame]:
    """The first events of a stream, comments left out."""

    async def lines() -> AsyncIterator[str]:
        async for chunk in stream:
            for line in chunk.decode().split("\n")[:-1]:
                yield line

    found: list[Frame] = []
    async with asyncio.timeout(20):
        async for frame in frames(lines()):
            found.append(frame)
            if len(found) == count:
                break
    return found


async def test_a_stream_begins_with_stored_rows_and_goes_on_live(outbox: Outbox) -> None:
    for number in range(3):
        await tell(outbox, f"p{number}")
    assert await Relay(outbox)._hold()
    hub = EventHub(outbox)
    relay = Relay(outbox, hub)
    await outbox.database.collection("outbox_relay").delete_many({})
    async with Supervisor() as jobs:
        jobs.start("relay", relay.run)
        await until_numbered(outbox, 3)
        await hub.start()
        jobs.start("hub", hub.run)
        stream = event_frames(outbox, hub, after=1, types=None)
        early = await collect(stream, 2)
        await tell(outbox, "live")
        relay.wake()
        late = await collect(event_frames(outbox, hub, after=3, types=None), 1)
    assert [(frame.event, frame.id) for frame in early] == [("event", 2), ("event", 3)]
    assert [orjson.loads(frame.data)["data"]["product_id"] for frame in late] == ["live"]


async def test_a_reader_may_move_past_events_it_did_not_ask_for(outbox: Outbox) -> None:
    hub = EventHub(outbox)
    published(hub, 1, 2)
    stream = event_frames(outbox, hub, after=0, types={CustomerRegistered.TYPE}, heartbeat_s=0.01)
    assert [(frame.event, frame.id) for frame in await collect(stream, 1)] == [("position", 2)]


async def test_a_quiet_stream_beats(outbox: Outbox) -> None:
    stream = event_frames(outbox, EventHub(outbox), after=0, types=None, heartbeat_s=0.01)
    assert [await anext(stream), await anext(stream), await anext(stream)] == [
        b": open\n\n",
        b": heartbeat\n\n",
        b": heartbeat\n\n",
    ]


async def test_a_cursor_from_another_past_is_reset(outbox: Outbox) -> None:
    hub = EventHub(outbox)
    published(hub, 1)
    reset, first = await collect(event_frames(outbox, hub, after=99, types=None), 2)
    assert (reset.event, reset.id) == ("reset", 0)
    assert (first.event, first.id) == ("event", 1)


async def test_rows_past_their_retention_are_reported_as_a_gap(outbox: Outbox) -> None:
    relay = Relay(outbox)
    async with Supervisor() as jobs:
        jobs.start("relay", relay.run)
        for number in range(4):
            await tell(outbox, f"p{number}")
        relay.wake()
        await until_numbered(outbox, 4)
    await outbox.database.collection("outbox").delete_many({"seq": {"$lte": 3}})
    hub = EventHub(outbox)
    await hub.start()
    found = await collect(event_frames(outbox, hub, after=1, types=None), 2)
    assert [(frame.event, frame.id) for frame in found] == [("gap", 3), ("event", 4)]


rows = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 5)), max_size=30)


@given(rows, st.randoms())
def test_commit_order_keeps_birth_order_between_aggregates_and_versions_within(
    drawn: list[tuple[str, int]], shuffle: random.Random
) -> None:
    given_rows = [
        {"_id": f"{number:03d}", "aggregate": aggregate, "aggregate_version": version}
        for number, (aggregate, version) in enumerate(drawn)
    ]
    shuffled = list(given_rows)
    shuffle.shuffle(shuffled)
    ordered = in_commit_order(shuffled)
    assert sorted(row["_id"] for row in ordered) == [row["_id"] for row in given_rows]
    assert [row["aggregate"] for row in ordered] == [row["aggregate"] for row in given_rows]
    for aggregate in "abc":
        versions = [row["aggregate_version"] for row in ordered if row["aggregate"] == aggregate]
        assert versions == sorted(versions)
