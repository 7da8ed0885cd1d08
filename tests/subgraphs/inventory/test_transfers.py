"""Goods on their way, and counts of a moment: nothing is lost, nothing is counted twice, and what is missing has a name."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subgraphs.chassis.mongo import Database, Mongo
from subgraphs.inventory import store
from subgraphs.inventory.model.refusals import InsufficientStock
from subgraphs.inventory.model.stock import StockLevel
from subgraphs.inventory.model.transfers import Transfer, TransferState
from subgraphs.inventory.service.audit import audit
from subgraphs.inventory.service.inventory import CounterSale, Inventory
from subgraphs.inventory.store.suggestions import INDEXES as SUGGESTION_INDEXES
from subgraphs.kernel.clock import FixedClock
from subgraphs.kernel.errors import Forbidden, InvalidInput, NotFound
from tests.subgraphs.inventory.stockroom import BUYER, NOON, ORDERS, S1, STAFF, W1, W2, furnish, hold, instance


async def level(database: Database, place: Any, sku: str = "A") -> dict[str, Any]:
    found = await database.collection(store.STOCK).find_one({"_id": f"{sku}|{place.id}"})
    return found or {"on": 0, "free": 0, "inb": []}


async def send(services: Inventory, units: int, key: str = "k", **given: Any) -> Transfer:
    lines = given.pop("lines", [("A", units)])
    transfer, _ = await services.transfers.create(STAFF, W1.id, S1.id, lines, None, key, {"n": units, **given})
    return transfer


async def receive(services: Inventory, transfer: Transfer, key: str = "r", **units: int) -> Transfer:
    found, _ = await services.transfers.receive(STAFF, transfer.id, list(units.items()), key, {})
    return found


@pytest.fixture
async def furnished(database: Database) -> Database:
    await database.ensure_indexes(SUGGESTION_INDEXES)
    await furnish(database, {("A", W1): 10, ("B", W1): 5}, safety=2)
    return database


@pytest.mark.parametrize("came", [4, 3, 0, 6])
async def test_what_left_is_inbound_until_it_is_received_and_what_is_missing_has_a_name(
    furnished: Database, clock: FixedClock, came: int
) -> None:
    async with instance(furnished, clock) as services:
        transfer = await send(services, 4)
        source, target = await level(furnished, W1), await level(furnished, S1)
        assert transfer.state is TransferState.IN_TRANSIT
        assert (source["on"], target["on"], [item["q"] for item in target["inb"]]) == (6, 0, [4])
        assert await audit(furnished) == []
        received = await receive(services, transfer, A=came)
        target = await level(furnished, S1)
        assert received.state is TransferState.RECEIVED
        assert (target["on"], target["inb"], received.lines[0].received) == (came, [], came)
    rows = await furnished.collection(store.MOVEMENTS).find({"ref": transfer.id})
    by_cause = {row["cause"]: row["on"] for row in rows}
    assert by_cause["TRANSFER_OUT"] + by_cause["TRANSFER_IN"] == 0
    assert by_cause.get("VARIANCE", 0) == came - 4
    assert await audit(furnished) == []


async def test_a_source_keeps_what_is_promised_and_its_safety_stock(furnished: Database, clock: FixedClock) -> None:
    async with instance(furnished, clock) as services:
        await services.reserve(ORDERS, hold("A", 3), "h", {})
        with pytest.raises(InsufficientStock):
            await send(services, 6)
        # All lines or none: B is there, A is not.
        with pytest.raises(InsufficientStock):
            await send(services, 0, key="both", lines=[("B", 1), ("A", 6)])
        assert (await level(furnished, W1, "B"))["on"] == 5
        assert (await send(services, 5, key="fits")).state is TransferState.IN_TRANSIT
    assert await furnished.collection("transfers").count({}) == 1


async def test_the_same_key_sends_once_and_a_transfer_is_received_once(furnished: Database, clock: FixedClock) -> None:
    async with instance(furnished, clock) as services:
        first, again = await send(services, 4), await send(services, 4)
        assert first.id == again.id
        assert (await level(furnished, W1))["on"] == 6
        await receive(services, first, A=4)
        await receive(services, first, A=4)
        with pytest.raises(InvalidInput, match="RECEIVED cannot receive"):
            await receive(services, first, key="other", A=4)
        assert (await level(furnished, S1))["on"] == 4
        with pytest.raises(InvalidInput, match="not in this transfer"):
            await receive(services, await send(services, 1, key="x"), key="y", C=1)
        with pytest.raises(NotFound):
            await services.transfers.ship(STAFF, "trf_01HXWRRY000000000000000000", "z", {})
        with pytest.raises(Forbidden):
            await services.transfers.create(BUYER, W1.id, W2.id, [("A", 1)], None, "b", {})


async def test_two_processes_send_the_same_goods_once(furnished: Database, clock: FixedClock, mongo: Mongo) -> None:
    async with instance(furnished, clock) as one, instance(furnished, clock) as other:
        sent = await asyncio.gather(
            *(send(services, 5, key=f"k{n}") for n, services in enumerate((one, other))), return_exceptions=True
        )
    assert sorted(type(each).__name__ for each in sent) == ["InsufficientStock", "Transfer"]
    assert (await level(furnished, W1))["on"] == 5
    assert await audit(furnished) == []


async def test_a_sale_made_during_a_count_is_not_lost(database: Database, clock: FixedClock) -> None:
    await furnish(database, {("A", S1): 10, ("B", S1): 4})
    async with instance(database, clock) as services:
        clock.advance(60)
        counted_at = clock.now()
        clock.advance(60)
        sale = CounterSale("1", clock.now(), (("A", 2),))
        await services.ingest(
            STAFF, location_id=S1.id, register_id="R1", sequence=1, sales=[sale], key="s", arguments={}
        )
        clock.advance(60)
        # At that moment there were 9 of A where the books had 10; two have been sold since.
        told = await services.transfers.count(STAFF, S1.id, counted_at, [("A", 9), ("B", 4)], "c", {})
        again = await services.transfers.count(STAFF, S1.id, counted_at, [("A", 9), ("B", 4)], "c", {})
        assert [each.on_hand for each in told.levels] == [7, 4]
        assert (again.levels, again.replayed) == (told.levels, True)
        with pytest.raises(InvalidInput, match="within two days"):
            await services.transfers.count(STAFF, S1.id, NOON - timedelta(days=3), [("A", 9)], "late", {})
        with pytest.raises(InvalidInput, match="each once"):
            await services.transfers.count(STAFF, S1.id, counted_at, [("A", 9), ("A", 8)], "twice", {})
    assert await audit(database) == []


async def test_a_count_may_find_less_than_is_promised_and_says_so_until_it_is_there(
    database: Database, clock: FixedClock
) -> None:
    await furnish(database, {("A", S1): 3, ("A", W1): 0})
    async with instance(database, clock) as services:
        await services.reserve(ORDERS, hold("A", 3), "h", {})
        told = await services.transfers.count(STAFF, S1.id, clock.now(), [("A", 1)], "c", {})
        assert (told.levels[0].on_hand, told.levels[0].negative_flagged, told.levels[0].atp) == (1, True, 0)
        assert [each.id for each in await services.transfers.to_count(STAFF, S1.id, 10)] == [f"A|{S1.id}"]
        assert await audit(database) == []
        told = await services.transfers.count(STAFF, S1.id, clock.now(), [("A", 3)], "again", {})
        assert not told.levels[0].negative_flagged
        assert await services.transfers.to_count(STAFF, None, 10) == []


async def test_a_register_that_sells_what_is_promised_is_flagged_and_the_books_stay_sound(
    database: Database, clock: FixedClock
) -> None:
    await furnish(database, {("A", S1): 1})
    async with instance(database, clock) as services:
        await services.reserve(ORDERS, hold("A", 1), "h", {})
        sale = CounterSale("1", NOON, (("A", 1),))
        done = await services.ingest(
            STAFF, location_id=S1.id, register_id="R1", sequence=1, sales=[sale], key="s", arguments={}
        )
    assert [each.negative_flagged for each in done.negative] == [True]
    assert await audit(database) == []


async def test_six_hours_offline_and_then_three_hundred_receipts(database: Database, clock: FixedClock) -> None:
    await furnish(database, {("A", S1): 100, ("B", S1): 1000})
    async with instance(database, clock) as services:
        clock.advance(6 * 3600)
        sales = [CounterSale(str(n), NOON + timedelta(minutes=n), (("A", 1), ("B", 2))) for n in range(300)]
        for sequence, batch in ((2, sales[100:]), (1, sales[:150])):
            done = await services.ingest(
                STAFF,
                location_id=S1.id,
                register_id="R1",
                sequence=sequence,
                sales=batch,
                key=str(sequence),
                arguments={},
            )
        # Fifty receipts were in both batches.
        assert (done.accepted, done.duplicates, done.next_sequence) == (100, 50, 3)
    assert (await level(database, S1))["on"] == -200
    assert (await level(database, S1, "B"))["on"] == 400
    assert await audit(database) == []


@given(st.lists(st.integers(1, 9), max_size=5), st.integers(0, 40))
def test_what_is_expected_comes_oldest_first(expected: list[int], come: int) -> None:
    found = StockLevel(sku="A", location_id="l", updated_at=NOON)
    for number, units in enumerate(expected):
        found = found.expecting(NOON + timedelta(days=number), units, NOON)
    found = found.expecting(None, -come, NOON)
    assert found.inbound_units == max(0, sum(expected) - come)
    assert [item.eta for item in found.inbound] == sorted(item.eta for item in found.inbound)
