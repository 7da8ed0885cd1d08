"""Live availability: a snapshot, then the newest truth of what changed, as fast as the watcher wants and no faster."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import pytest

from subgraphs.chassis.mongo import Database, DriverName
from subgraphs.chassis.outbox import EventHub
from subgraphs.inventory.app import SERVICE
from subgraphs.inventory.model.availability import Availability, AvailabilityQuestion, AvailabilityStatus, Survey
from subgraphs.inventory.model.stock import StockLevel
from subgraphs.inventory.service.inventory import Inventory
from subgraphs.inventory.service.live import AvailabilityFeed, AvailabilityNews, Selector
from subgraphs.kernel.clock import FixedClock
from subgraphs.kernel.errors import InvalidInput
from subgraphs.kernel.events import Envelope, StockChanged
from subgraphs.kernel.pages import CursorCodec
from tests.kit.running_service import running_service
from tests.subgraphs.inventory.stockroom import (
    BERLIN,
    BUYER,
    LOCATIONS,
    NOON,
    S1,
    SECRET,
    STAFF,
    W1,
    furnish,
    hold,
)

DEADLINE_S = 10.0


class News:
    """A hub's outbox in memory: what is published here reaches the hub as numbered rows."""

    service = "inventory"

    def __init__(self) -> None:
        self.rows: list[Envelope] = []

    async def head(self) -> int:
        return len(self.rows)

    async def read(self, after: int, limit: int = 500) -> list[Envelope]:
        return self.rows[after : after + limit]


class Shop:
    """A feed over levels that live in this object."""

    def __init__(self, clock: FixedClock, ring: int = 64, heartbeat_s: float = DEADLINE_S) -> None:
        self.news = News()
        self.hub = EventHub(self.news, ring)  # type: ignore[arg-type] # all a hub needs of an outbox
        self.levels: dict[str, StockLevel] = {}
        self.asked: list[tuple[str, ...]] = []
        self.feed = AvailabilityFeed(self.hub, self.answering, CursorCodec(SECRET), clock, heartbeat_s)
        self.clock = clock

    async def answering(self, skus: Sequence[str], question: AvailabilityQuestion) -> list[Availability]:
        self.asked.append(tuple(skus))
        places = {place.id: place for place in LOCATIONS}
        survey = Survey(places, question, self.clock.now())
        return [survey.answer(sku, [self.levels[sku]] if sku in self.levels else []) for sku in skus]

    def put(self, sku: str, units: int) -> None:
        """Changes a level without saying so."""
        version = self.levels[sku].version + 1 if sku in self.levels else 1
        self.levels[sku] = StockLevel(
            sku=sku, location_id=W1.id, on_hand=units, version=version, updated_at=self.clock.now()
        )

    def tell(self, sku: str) -> None:
        """Publishes that a level has changed."""
        seq = len(self.news.rows) + 1
        data = {"sku": sku, "location_id": W1.id}
        envelope = Envelope(
            id=f"evt_{seq}",
            type=StockChanged.TYPE,
            version=1,
            seq=seq,
            aggregate=f"stock:{sku}",
            aggregate_version=seq,
            occurred_at="",
            causation=None,
            correlation=None,
            traceparent=None,
            data=data,
        )
        self.news.rows.append(envelope)
        self.hub._publish([envelope])

    def change(self, sku: str, units: int) -> None:
        self.put(sku, units)
        self.tell(sku)


def watching(*skus: str, exact: bool = False) -> Selector:
    return Selector(tuple(sorted(skus)), AvailabilityQuestion(), exact)


async def following(stream: AsyncIterator[AvailabilityNews]) -> AvailabilityNews:
    """The next event, in time."""
    async with asyncio.timeout(DEADLINE_S):
        return await anext(stream)


async def settled() -> None:
    """Lets everything that can run, run."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_a_snapshot_comes_first_and_then_only_what_changed(clock: FixedClock) -> None:
    shop = Shop(clock)
    shop.put("A", 50)
    shop.put("B", 50)
    stream = shop.feed.watch(watching("A", "B"), max_rate_hz=10)
    first = await following(stream)
    assert (first.kind, [item.sku for item in first.items]) == ("SNAPSHOT", ["A", "B"])
    shop.change("B", 3)
    second = await following(stream)
    assert (second.kind, [item.sku for item in second.items]) == ("DELTA", ["B"])
    assert second.items[0].status is AvailabilityStatus.LOW_STOCK
    assert second.items[0].version > first.items[1].version
    assert second.position == 1
    await stream.aclose()


async def test_a_shopper_is_not_told_of_units_and_staff_is(clock: FixedClock) -> None:
    shop = Shop(clock, heartbeat_s=0.05)
    shop.put("A", 57)
    shopper, staff = shop.feed.watch(watching("A")), shop.feed.watch(watching("A", exact=True))
    await following(shopper)
    await following(staff)
    shop.change("A", 56)
    told = await following(staff)
    assert (told.kind, told.items[0].units) == ("DELTA", 56)
    assert (await following(shopper)).kind == "HEARTBEAT"
    await shopper.aclose()
    await staff.aclose()


async def test_a_slow_watcher_gets_the_newest_truth_and_the_count_of_what_it_missed(clock: FixedClock) -> None:
    shop = Shop(clock)
    shop.put("A", 50)
    stream = shop.feed.watch(watching("A", exact=True), max_rate_hz=10)
    await following(stream)
    for units in range(49, 39, -1):
        shop.change("A", units)
        await settled()
    delta = await following(stream)
    assert delta.items[0].units == 40
    assert delta.coalesced == 9
    await stream.aclose()


async def test_selling_out_does_not_wait_for_the_window(clock: FixedClock) -> None:
    shop = Shop(clock)
    shop.put("A", 50)
    # A window of more than the test's deadline.
    stream = shop.feed.watch(watching("A"), max_rate_hz=0.01)
    await following(stream)
    shop.change("A", 10)
    assert (await following(stream)).items[0].units == 10
    shop.change("A", 0)
    assert (await following(stream)).items[0].status is AvailabilityStatus.OUT_OF_STOCK
    await stream.aclose()


async def test_equal_selectors_share_one_computation_which_ends_with_its_last_watcher(clock: FixedClock) -> None:
    shop = Shop(clock)
    shop.put("A", 50)
    streams = [shop.feed.watch(watching("A")) for _ in range(20)]
    for stream in streams:
        await following(stream)
    assert shop.feed.groups == 1
    shop.change("A", 1)
    for stream in streams:
        assert (await following(stream)).kind == "DELTA"
    assert shop.asked == [("A",), ("A",)]
    for stream in streams:
        await stream.aclose()
    assert shop.feed.groups == 0


async def test_a_resumed_stream_gets_what_changed_meanwhile(clock: FixedClock) -> None:
    shop = Shop(clock)
    shop.put("A", 50)
    shop.put("B", 50)
    stream = shop.feed.watch(watching("A", "B"))
    token = (await following(stream)).resume_token
    await stream.aclose()
    shop.change("A", 2)
    resumed = shop.feed.watch(watching("A", "B"), token)
    news = await following(resumed)
    assert (news.kind, [item.sku for item in news.items]) == ("DELTA", ["A"])
    await resumed.aclose()


async def test_a_stream_that_was_away_too_long_is_told_so_and_begins_anew(clock: FixedClock) -> None:
    shop = Shop(clock, ring=4)
    shop.put("A", 50)
    stream = shop.feed.watch(watching("A"))
    token = (await following(stream)).resume_token
    await stream.aclose()
    for units in range(40, 50):
        shop.change("A", units)
    resumed = shop.feed.watch(watching("A"), token)
    assert [(await following(resumed)).kind for _ in range(2)] == ["RESYNC", "SNAPSHOT"]
    await resumed.aclose()


async def test_a_token_is_good_for_its_own_selection_only(clock: FixedClock) -> None:
    shop = Shop(clock)
    stream = shop.feed.watch(watching("A"))
    token = (await following(stream)).resume_token
    await stream.aclose()
    for other, given in ((watching("B"), token), (watching("A"), "made up"), (watching("A"), token[:-2])):
        with pytest.raises(InvalidInput):
            await following(shop.feed.watch(other, given))


async def test_a_fault_of_the_computation_reaches_every_watcher(clock: FixedClock) -> None:
    shop = Shop(clock)

    async def failing(skus: Sequence[str], question: AvailabilityQuestion) -> list[Availability]:
        raise RuntimeError("the database is away")

    shop.feed._answering = failing
    for _ in range(2):
        with pytest.raises(RuntimeError, match="away"):
            await following(shop.feed.watch(watching("A")))
    assert shop.feed.groups == 0


@pytest.mark.parametrize("rate", [0.0, -1.0, 10.5])
async def test_a_rate_outside_the_bounds_is_refused(clock: FixedClock, rate: float) -> None:
    with pytest.raises(InvalidInput):
        await following(Shop(clock).feed.watch(watching("A"), max_rate_hz=rate))


async def test_a_hold_reaches_a_watcher_through_outbox_and_change_stream(
    own_database: Database, mongodb_uri: str, mongo_driver: DriverName
) -> None:
    await furnish(own_database, {("A", W1): 6, ("A", S1): 1})
    async with running_service(SERVICE, mongodb_uri, mongo_driver, own_database, asker=BUYER) as house:
        services: Inventory = house.services
        question = AvailabilityQuestion(near=BERLIN)
        stream = services.feed.watch(Selector(("A",), question, exact=False), max_rate_hz=10)
        first = await following(stream)
        assert first.items[0].band.value == "SIX_TO_TWENTY"
        await services.reserve(BUYER, hold("A", 6), "k", {})
        delta = await following(stream)
        assert (delta.kind, delta.items[0].band.value) == ("DELTA", "ONE_TO_FIVE")
        await services.adjust(
            STAFF, location_id=S1.id, sku="A", delta=-1, reason="broken", expected_version=None, key="a", arguments={}
        )
        last = await following(stream)
        assert last.items[0].status is AvailabilityStatus.OUT_OF_STOCK
        assert [item.status for item in last.items[0].nearby if item.location_id == S1.id] == [
            AvailabilityStatus.OUT_OF_STOCK
        ]
        await stream.aclose()


async def test_an_expired_hold_is_swept_and_its_units_are_back_in_the_stream(
    own_database: Database, mongodb_uri: str, mongo_driver: DriverName
) -> None:
    await furnish(own_database, {("A", W1): 1})
    async with running_service(
        SERVICE, mongodb_uri, mongo_driver, own_database, clock := FixedClock(NOON), asker=BUYER
    ) as house:
        stream = house.services.feed.watch(Selector(("A",), AvailabilityQuestion(), exact=False), max_rate_hz=10)
        await following(stream)
        await house.services.reserve(BUYER, replace(hold("A"), ttl_seconds=30), "k", {})
        assert (await following(stream)).items[0].status is AvailabilityStatus.OUT_OF_STOCK
        clock.advance(30)
        assert (await following(stream)).items[0].status is AvailabilityStatus.LOW_STOCK
        await stream.aclose()
