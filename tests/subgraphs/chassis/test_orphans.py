"""A process killed in the middle of a transaction holds nobody up for longer than its kin take to notice."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from subgraphs.chassis.mongo import Database, Mongo, Session
from subgraphs.chassis.orphans import INDEXES, LEASE_S, SESSIONS, Orphans
from subgraphs.kernel.clock import FixedClock, SystemClock
from subgraphs.kernel.errors import RequestInFlight
from tests.conftest import CHECKOUT

NOON = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
VICTIM = """
import asyncio, sys
from subgraphs.chassis.mongo import Mongo
from subgraphs.chassis.orphans import Orphans
from subgraphs.kernel.clock import SystemClock

async def main():
    uri, driver, name = sys.argv[1:]
    async with await Mongo.connect(uri, driver) as mongo:
        database = mongo.database(name)
        mongo.sessions = Orphans(database, SystemClock())

        async def body(session):
            await database.collection("stock").update_one({"_id": "LAMP"}, {"$inc": {"free": -1}}, session=session)
            print("in the middle", flush=True)
            await asyncio.Event().wait()

        await database.transact(body)

asyncio.run(main())
"""


async def _take(database: Database) -> None:
    async def body(session: Session) -> None:
        await database.collection("stock").update_one({"_id": "LAMP"}, {"$inc": {"free": -1}}, session=session)

    await database.transact(body)


@pytest.fixture
async def stocked(database: Database) -> Database:
    await database.ensure_indexes({"stock": (), **INDEXES})
    await database.collection("stock").insert_one({"_id": "LAMP", "free": 5})
    return database


@pytest.mark.timeout(60)
async def test_what_a_killed_process_held_is_free_again_when_its_time_has_passed(
    stocked: Database, mongodb_uri: str, mongo_driver: str
) -> None:
    victim = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", VICTIM, mongodb_uri, mongo_driver, stocked.name),
        cwd=CHECKOUT,
        stdout=subprocess.PIPE,
    )
    assert victim.stdout is not None
    assert await victim.stdout.readline() == b"in the middle\n"
    victim.kill()
    await victim.wait()
    with pytest.raises(RequestInFlight):
        await _take(stocked)
    kin = Orphans(stocked, SystemClock())
    async with asyncio.timeout(LEASE_S + 5):
        while not await kin.reap():
            await asyncio.sleep(0.1)
    await _take(stocked)
    assert await stocked.collection("stock").find_one({"_id": "LAMP"}) == {"_id": "LAMP", "free": 4}
    assert await stocked.collection(SESSIONS).count({}) == 0


async def test_a_living_process_keeps_its_transactions(stocked: Database, mongo: Mongo) -> None:
    clock = FixedClock(NOON)
    living, kin = Orphans(stocked, clock), Orphans(stocked, clock)
    mongo.sessions = living

    async def body(session: Session) -> None:
        await stocked.collection("stock").update_one({"_id": "LAMP"}, {"$inc": {"free": -1}}, session=session)
        clock.advance(LEASE_S - 1)
        assert await kin.reap() == 0

    await stocked.transact(body)
    assert await stocked.collection("stock").find_one({"_id": "LAMP"}) == {"_id": "LAMP", "free": 4}


async def test_a_process_that_was_only_slow_runs_its_transaction_again(stocked: Database, mongo: Mongo) -> None:
    clock = FixedClock(NOON)
    slow, kin = Orphans(stocked, clock), Orphans(stocked, clock)
    mongo.sessions = slow
    runs = 0

    async def body(session: Session) -> None:
        nonlocal runs
        runs += 1
        await stocked.collection("stock").update_one({"_id": "LAMP"}, {"$inc": {"free": -1}}, session=session)
        if runs == 1:
            clock.advance(LEASE_S + 1)
            assert await kin.reap() == 1

    await stocked.transact(body)
    assert runs == 2
    assert await stocked.collection("stock").find_one({"_id": "LAMP"}) == {"_id": "LAMP", "free": 4}


async def test_a_process_ends_its_own_session_after_a_cancelled_transaction(stocked: Database, mongo: Mongo) -> None:
    mongo.sessions = own = Orphans(stocked, SystemClock())

    async def body(session: Session) -> None:
        await stocked.collection("stock").update_one({"_id": "LAMP"}, {"$inc": {"free": -1}}, session=session)
        await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await stocked.transact(body)
    assert await own.reap() == 1
    assert await own.reap() == 0
    await _take(stocked)


async def test_a_process_that_stops_leaves_no_trace(stocked: Database) -> None:
    one = Orphans(stocked, SystemClock())
    running = asyncio.ensure_future(one.run())
    async with asyncio.timeout(5):
        while not await stocked.collection(SESSIONS).count({}):
            await asyncio.sleep(0.01)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert await stocked.collection(SESSIONS).count({}) == 0
