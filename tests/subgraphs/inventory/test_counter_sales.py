"""Sales over a counter: the goods are gone, so the books follow, once per receipt, whichever way they are told."""

from __future__ import annotations

import asyncio

import pytest

from subgraphs.chassis.mongo import Database, Session
from subgraphs.inventory import store
from subgraphs.inventory.model.refusals import InsufficientStock
from subgraphs.inventory.service.audit import audit
from subgraphs.inventory.service.inventory import CounterSale, Ingested, Inventory
from subgraphs.kernel.clock import FixedClock, iso
from subgraphs.kernel.errors import Forbidden, InvalidInput, NotFound
from subgraphs.kernel.events import Envelope, OrderedLine, PosOrderRecorded
from tests.kit.hearing import envelope_of
from tests.subgraphs.inventory.stockroom import BUYER, NOON, S1, S2, STAFF, W1, furnish, hold, instance


def sale(receipt_no: str, *lines: tuple[str, int]) -> CounterSale:
    return CounterSale(receipt_no, NOON, lines)


async def ingest(services: Inventory, sequence: int, *sales: CounterSale, key: str | None = None) -> Ingested:
    return await services.ingest(
        STAFF,
        location_id=S1.id,
        register_id="R1",
        sequence=sequence,
        sales=sales,
        key=key or f"batch {sequence} {len(sales)} {sales[0].receipt_no}",
        arguments={},
    )


def told(receipt_no: str, quantity: int, *, location_id: str | None = None) -> Envelope:
    """What orders says of a sale at S1's register."""
    event = PosOrderRecorded(
        order_id="ord_1",
        number="G-1",
        customer_id=None,
        location_id=S1.id,
        register_id="R1",
        receipt_no=receipt_no,
        occurred_at=iso(NOON),
        currency="EUR",
        lines=(
            OrderedLine(
                sku="A",
                quantity=quantity,
                unit_minor=100,
                total_minor=100 * quantity,
                category_slug=None,
                location_id=location_id,
            ),
        ),
        total_minor=100 * quantity,
    )
    return envelope_of(event)


async def hear(database: Database, services: Inventory, envelope: Envelope) -> None:
    async def body(session: Session) -> None:
        await services.hear_counter_sale(session, envelope)

    await database.transact(body)


async def on_hand(database: Database, location_id: str = S1.id) -> int:
    doc = await database.collection(store.STOCK).find_one({"_id": f"A|{location_id}"})
    return doc["on"] if doc is not None else 0


async def test_a_receipt_counts_once_however_often_its_batch_is_sent(database: Database, clock: FixedClock) -> None:
    await furnish(database, {("A", S1): 10})
    async with instance(database, clock) as services:
        first = await ingest(services, 1, sale("1", ("A", 2)), key="k")
        replay = await ingest(services, 1, sale("1", ("A", 2)), key="k")
        again = await ingest(services, 1, sale("1", ("A", 2)), key="another")
    assert (first.accepted, first.duplicates, first.next_sequence) == (1, 0, 2)
    assert replay == first
    assert (again.accepted, again.duplicates, again.next_sequence) == (0, 1, 2)
    assert await on_hand(database) == 8
    assert await audit(database) == []


async def test_late_and_missing_batches_are_waited_for(database: Database, clock: FixedClock) -> None:
    await furnish(database, {("A", S1): 10})
    async with instance(database, clock) as services:
        answers = [await ingest(services, n, sale(str(n), ("A", 1))) for n in (1, 3, 4, 2)]
    assert [answer.next_sequence for answer in answers] == [2, 2, 2, 5]
    assert [answer.missing for answer in answers] == [(), (2,), (2,), ()]
    assert await on_hand(database) == 6


@pytest.mark.parametrize("batch_first", [True, False])
async def test_a_sale_told_both_ways_counts_once(database: Database, clock: FixedClock, batch_first: bool) -> None:
    await furnish(database, {("A", S1): 10})
    async with instance(database, clock) as services:
        if not batch_first:
            await hear(database, services, told("1", 2))
        answer = await ingest(services, 1, sale("1", ("A", 2)))
        if batch_first:
            await hear(database, services, told("1", 2))
    assert answer.accepted == int(batch_first)
    assert await on_hand(database) == 8
    assert await audit(database) == []


async def test_both_ways_at_once_still_count_once(database: Database, clock: FixedClock) -> None:
    await furnish(database, {("A", S1): 10})
    async with instance(database, clock) as left, instance(database, clock) as right:
        await asyncio.gather(
            *(ingest(left, n, sale(str(n), ("A", 1))) for n in range(1, 4)),
            *(ingest(right, n, sale(str(n), ("A", 1)), key=f"other {n}") for n in range(1, 4)),
        )
    assert await on_hand(database) == 7
    assert await audit(database) == []


async def test_a_counter_may_sell_what_the_books_do_not_know_and_somebody_is_told(
    database: Database, clock: FixedClock
) -> None:
    await furnish(database, {("A", S1): 1})
    async with instance(database, clock) as services:
        answer = await ingest(services, 1, sale("1", ("A", 3)))
        assert [level.on_hand for level in answer.negative] == [-2]
        with pytest.raises(InsufficientStock):
            await services.reserve(BUYER, hold("A"), "k", {})
    assert await audit(database) == []


async def test_a_line_that_is_sent_from_elsewhere_leaves_this_store_alone(
    database: Database, clock: FixedClock
) -> None:
    await furnish(database, {("A", S1): 5, ("A", W1): 5})
    async with instance(database, clock) as services:
        await hear(database, services, told("1", 2, location_id=W1.id))
    assert (await on_hand(database), await on_hand(database, W1.id)) == (5, 5)


async def test_a_batch_is_refused_from_strangers_and_from_the_wrong_place(
    database: Database, clock: FixedClock
) -> None:
    await furnish(database, {("A", S1): 5})
    given = {"register_id": "R1", "sequence": 1, "sales": [sale("1", ("A", 1))], "arguments": {}}
    async with instance(database, clock) as services:
        with pytest.raises(Forbidden):
            await services.ingest(BUYER, location_id=S1.id, key="k1", **given)
        with pytest.raises(NotFound):
            await services.ingest(STAFF, location_id="loc_" + "0" * 26, key="k2", **given)
        await services.ingest(STAFF, location_id=S1.id, key="k3", **given)
        with pytest.raises(InvalidInput):
            await services.ingest(STAFF, location_id=S2.id, key="k4", **given)
    assert await on_hand(database) == 4
