"""Points move once per cause, together with their entry, and whoever watches sees every entry. On both drivers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from subgraphs.chassis.mongo import Database
from subgraphs.kernel.errors import Forbidden, IdempotencyConflict, InvalidInput, NotFound
from subgraphs.kernel.ids import new_id
from subgraphs.loyalty import store
from subgraphs.loyalty.model import InsufficientPoints, LedgerKind
from subgraphs.loyalty.service import POINTS_AWAITED_S, PointsNews, earned
from tests.kit.running_service import RunningService
from tests.subgraphs.loyalty.circle import (
    ACCOUNT,
    ADA,
    ADMIN,
    CLERK,
    EVE,
    confirmed,
    hear,
    recorded,
)


async def following(stream: AsyncIterator[PointsNews]) -> PointsNews:
    """The next event, in time."""
    async with asyncio.timeout(10):
        return await anext(stream)


async def test_an_order_gives_its_points_once_however_often_it_is_heard(
    house: RunningService, own_database: Database
) -> None:
    order = new_id("ord")
    for _ in range(3):
        await hear(house.services, confirmed(order, 1050, 1050))
    account = await house.services.account(ADA, ACCOUNT.id)
    assert (account.balance, account.pending, account.lifetime, account.version) == (21, 21, 21, 1)
    [entries] = await house.services.entries_of_orders([order])
    assert [(entry.kind, entry.points, entry.seq) for entry in entries] == [(LedgerKind.EARN_PENDING, 21, 1)]
    assert (await house.services.audit(ADMIN, None)).ok


async def test_orders_heard_at_once_are_numbered_without_gaps(house: RunningService, own_database: Database) -> None:
    orders = [new_id("ord") for _ in range(12)]
    events = [confirmed(order, 1000) if n % 2 else recorded(order, 1000) for n, order in enumerate(orders)]
    await asyncio.gather(*(hear(house.services, event) for event in events))
    audit = await house.services.audit(ADMIN, ACCOUNT.id)
    assert (audit.ok, audit.entries, audit.sum_of_balances) == (True, 12, 120)


async def test_strangers_and_small_change_earn_nothing(house: RunningService, own_database: Database) -> None:
    await hear(house.services, confirmed(new_id("ord"), 5000, customer_id=None))
    await hear(house.services, confirmed(new_id("ord"), 5000, customer_id=EVE.customer_id))
    await hear(house.services, confirmed(new_id("ord"), 99))
    assert (await house.services.audit(ADMIN, None)).entries == 0


async def test_a_reader_of_a_fresh_order_waits_for_its_points(house: RunningService, own_database: Database) -> None:
    order = new_id("ord")
    reading = asyncio.create_task(house.services.entries_of_orders([order]))
    await asyncio.sleep(0)
    await hear(house.services, confirmed(order, 2500))
    [entries] = await reading
    assert earned(entries) == 25


async def test_a_reader_does_not_wait_for_an_order_that_earns_nothing_or_is_old(
    house: RunningService, own_database: Database
) -> None:
    guest = new_id("ord")
    reading = asyncio.create_task(house.services.entries_of_orders([guest]))
    await asyncio.sleep(0)
    began = time.monotonic()
    await hear(house.services, confirmed(guest, 2500, customer_id=None))
    assert await reading == [()]
    old = new_id("ord", at_ms=int(time.time() * 1000) - 60_000)
    assert await house.services.entries_of_orders([guest, old, "no order"]) == [(), (), ()]
    assert time.monotonic() - began < POINTS_AWAITED_S


async def test_a_reader_of_a_fresh_order_gives_up_after_a_moment(house: RunningService) -> None:
    began = time.monotonic()
    assert await house.services.entries_of_orders([new_id("ord")]) == [()]
    assert POINTS_AWAITED_S <= time.monotonic() - began < POINTS_AWAITED_S + 2


async def test_adjusting_is_for_administrators_and_has_one_effect_a_key(house: RunningService) -> None:
    services = house.services
    for replayed in (False, True):
        account, again = await services.adjust(ADMIN, ACCOUNT.id, 50, "sorry", "k", {"points": 50})
        assert (account.balance, again) == (50, replayed)
    with pytest.raises(IdempotencyConflict):
        await services.adjust(ADMIN, ACCOUNT.id, 60, "sorry", "k", {"points": 60})
    with pytest.raises(InsufficientPoints):
        await services.adjust(ADMIN, ACCOUNT.id, -51, "mistake", "k2", {})
    with pytest.raises(Forbidden):
        await services.adjust(CLERK, ACCOUNT.id, 1, "gift", "k3", {})
    with pytest.raises(InvalidInput):
        await services.adjust(ADMIN, ACCOUNT.id, 0, "nothing", "k4", {})
    with pytest.raises(NotFound):
        await services.adjust(ADMIN, "loy_none", 1, "gift", "k5", {})
    assert (await services.audit(ADMIN, None)).sum_of_entries == 50


async def test_enrolling_twice_gives_one_account(house: RunningService) -> None:
    assert EVE.customer_id is not None
    outcomes = await asyncio.gather(*(house.services.enrol(EVE, EVE.customer_id, f"k{n % 3}", {}) for n in range(6)))
    accounts = {account.id for account, _ in outcomes}
    assert len(accounts) == 1
    account, _ = await house.services.enrol(EVE, EVE.customer_id, "k9", {})
    assert account.id in accounts
    with pytest.raises(Forbidden):
        await house.services.enrol(EVE, ACCOUNT.customer_id, "k10", {})


async def test_the_audit_finds_what_was_tampered_with(house: RunningService, own_database: Database) -> None:
    await house.services.adjust(ADMIN, ACCOUNT.id, 50, "gift", "k", {})
    await own_database.collection(store.ACCOUNTS).update_one({"_id": ACCOUNT.id}, {"$inc": {"bal": 1}})
    audit = await house.services.audit(ADMIN, None)
    assert (audit.ok, audit.mismatches) == (False, (ACCOUNT.id,))


async def test_a_watcher_sees_the_account_and_then_every_entry(house: RunningService, own_database: Database) -> None:
    stream = house.services.watch(ADA, ACCOUNT.id)
    assert (await following(stream)).kind == "SNAPSHOT"
    await hear(house.services, confirmed(new_id("ord"), 1000))
    first = await following(stream)
    assert (first.kind, first.entry is not None and first.entry.points, first.account.balance) == ("DELTA", 10, 10)
    await stream.aclose()
    for n in range(3):
        await house.services.adjust(ADMIN, ACCOUNT.id, 1, "gift", f"k{n}", {})
    resumed = house.services.watch(ADA, ACCOUNT.id, first.resume_token)
    missed = [await following(resumed) for _ in range(3)]
    assert [news.entry.seq for news in missed if news.entry is not None] == [2, 3, 4]
    await resumed.aclose()


async def test_watching_is_for_the_member_and_for_staff(house: RunningService) -> None:
    with pytest.raises(NotFound):
        await following(house.services.watch(EVE, ACCOUNT.id))
    stream = house.services.watch(CLERK, ACCOUNT.id)
    token = (await following(stream)).resume_token
    await stream.aclose()
    with pytest.raises(InvalidInput):
        await following(house.services.watch(ADA, "loy_other", token))
