"""A key is done once: replayed, refused or taken over, but never done twice."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subgraphs.chassis.idempotency import INDEXES, Claim, Idempotency, Replay, Started, fingerprint
from subgraphs.chassis.identity import ANONYMOUS
from subgraphs.chassis.mongo import Database, DuplicateKey, Index, Session
from subgraphs.kernel.clock import FixedClock
from subgraphs.kernel.errors import DomainError, IdempotencyConflict, InvalidInput, NotFound, RequestInFlight

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


class Work:
    """Counts how often it took effect."""

    def __init__(self, database: Database) -> None:
        self.rows = database.collection("effects")

    async def __call__(self, session: Session) -> dict[str, Any]:
        done = await self.rows.count({}, session=session)
        await self.rows.insert_one({"_id": f"effect-{done}"}, session=session)
        return {"effect": done}


@pytest.fixture
async def work(database: Database) -> Work:
    await database.ensure_indexes({**INDEXES, "effects": []})
    return Work(database)


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(NOON)


@pytest.fixture
def idempotency(database: Database, clock: FixedClock) -> Idempotency:
    return Idempotency(database, clock)


async def test_the_same_request_is_done_once_and_answered_twice(idempotency: Idempotency, work: Work) -> None:
    first = await idempotency.run("customer:1", "cartCreate", "k", {"sku": "A", "n": 1}, work)
    second = await idempotency.run("customer:1", "cartCreate", "k", {"n": 1, "sku": "A"}, work)
    assert first == ({"effect": 0}, False)
    assert second == ({"effect": 0}, True)
    assert await work.rows.count({}) == 1


async def test_other_arguments_under_the_same_key_conflict(idempotency: Idempotency, work: Work) -> None:
    await idempotency.run("customer:1", "cartCreate", "k", {"sku": "A"}, work)
    with pytest.raises(IdempotencyConflict) as refused:
        await idempotency.run("customer:1", "cartCreate", "k", {"sku": "B"}, work)
    assert refused.value.original_request_hash == fingerprint({"sku": "A"})
    assert await work.rows.count({}) == 1


async def test_a_key_belongs_to_its_principal_and_field(idempotency: Idempotency, work: Work) -> None:
    for principal, field in (("customer:1", "a"), ("customer:2", "a"), ("customer:1", "b")):
        assert (await idempotency.run(principal, field, "k", {}, work))[1] is False
    assert await work.rows.count({}) == 3


async def test_a_guest_needs_a_key_that_another_guest_does_not_choose_by_chance(
    idempotency: Idempotency, work: Work
) -> None:
    with pytest.raises(InvalidInput) as refused:
        await idempotency.run(ANONYMOUS.key, "cartCreate", "cart-1", {}, work)
    assert refused.value.path == ("idempotencyKey",)
    with pytest.raises(InvalidInput):
        await idempotency.begin(ANONYMOUS.key, "checkoutCreate", "k" * 15, {})
    assert await work.rows.count({}) == 0
    key = "2b0c6f0e-9d0b-4c55-8a52-0d2f5f2f8a11"
    assert (await idempotency.run(ANONYMOUS.key, "cartCreate", key, {}, work))[1] is False
    assert (await idempotency.run(ANONYMOUS.key, "cartCreate", key, {}, work))[1] is True


async def test_a_refusal_that_is_raised_is_undone_and_not_kept(idempotency: Idempotency, work: Work) -> None:
    async def refuse(session: Session) -> dict[str, Any]:
        await work(session)
        raise NotFound("no such product")

    with pytest.raises(NotFound):
        await idempotency.run("c", "f", "k", {}, refuse)
    assert await work.rows.count({}) == 0
    assert (await idempotency.run("c", "f", "k", {}, work))[1] is False


async def test_equal_requests_at_the_same_instant_have_one_effect(idempotency: Idempotency, work: Work) -> None:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(idempotency.run("c", "f", "k", {"n": 1}, work)) for _ in range(5)]
    assert {task.result()[0]["effect"] for task in tasks} == {0}
    assert sorted(task.result()[1] for task in tasks) == [False, True, True, True, True]
    assert await work.rows.count({}) == 1


async def test_a_duplicate_of_the_work_itself_is_not_mistaken_for_a_replay(
    idempotency: Idempotency, database: Database, work: Work
) -> None:
    await database.ensure_indexes({"receipts": [Index(["no"], unique=True)]})
    receipts = database.collection("receipts")
    await receipts.insert_one({"_id": 1, "no": "R-1"})

    async def record(session: Session) -> dict[str, Any]:
        await receipts.insert_one({"_id": 2, "no": "R-1"}, session=session)
        return {}

    with pytest.raises(DuplicateKey) as refused:
        await idempotency.run("c", "f", "k", {}, record)
    assert refused.value.collection == "receipts"


@pytest.mark.parametrize("key", ["", "x" * 256])
async def test_a_key_has_a_length(idempotency: Idempotency, work: Work, key: str) -> None:
    with pytest.raises(InvalidInput):
        await idempotency.run("c", "f", key, {}, work)


async def test_one_query_tells_the_verdicts_of_many(idempotency: Idempotency, database: Database, work: Work) -> None:
    claims = [idempotency.claim("c", "f", f"k{n}", {"n": n}) for n in range(3)]

    async def keep(session: Session) -> None:
        await idempotency.remember(session, [(claims[0], {"n": 0}), (claims[1], {"n": 1})])

    await database.transact(keep)
    other = Claim(claims[1].id, "another print")

    async def look(session: Session) -> dict[str, Any]:
        return await idempotency.verdicts(session, [claims[0], other, claims[2]])

    verdicts = await database.transact(look)
    assert verdicts[claims[0].id] == {"n": 0}
    assert isinstance(verdicts[other.id], IdempotencyConflict)
    assert claims[2].id not in verdicts


async def test_an_open_request_is_in_flight_until_its_lease_ends_then_taken_over_where_it_stopped(
    idempotency: Idempotency, clock: FixedClock, work: Work
) -> None:
    started = await idempotency.begin("c", "complete", "k", {}, lease_s=30)
    assert started == Started(idempotency.claim("c", "complete", "k", {}), None)
    with pytest.raises(RequestInFlight) as refused:
        await idempotency.begin("c", "complete", "k", {})
    assert 0 < refused.value.retry_after_ms <= 30_000
    await idempotency.save(started.claim, {"step": "paid"}, lease_s=30)
    clock.advance(31)
    again = await idempotency.begin("c", "complete", "k", {})
    assert isinstance(again, Started)
    assert again.point == {"step": "paid"}


async def test_a_finished_request_is_replayed(idempotency: Idempotency, database: Database, work: Work) -> None:
    started = await idempotency.begin("c", "complete", "k", {})
    assert isinstance(started, Started)

    async def last_step(session: Session) -> None:
        await idempotency.finish(session, started.claim, {"order": "1"})

    await database.transact(last_step)
    assert await idempotency.begin("c", "complete", "k", {}) == Replay({"order": "1"})
    with pytest.raises(IdempotencyConflict):
        await idempotency.begin("c", "complete", "k", {"other": 1})


async def test_an_abandoned_request_may_be_tried_again(idempotency: Idempotency, work: Work) -> None:
    started = await idempotency.begin("c", "complete", "k", {})
    assert isinstance(started, Started)
    await idempotency.abandon(started.claim)
    assert isinstance(await idempotency.begin("c", "complete", "k", {"other": 1}), Started)


async def test_many_that_begin_at_the_same_instant_each_have_their_own_answer(
    idempotency: Idempotency, database: Database, work: Work
) -> None:
    async def begin(key: str) -> Started | Replay | type[Exception]:
        try:
            return await idempotency.begin("customer:1", "buy", key, {})
        except RequestInFlight as refused:
            return type(refused)

    keys = [f"k{number % 30}" for number in range(40)]
    begun = await asyncio.gather(*map(begin, keys))
    assert [type(each) for each in begun[:30]] == [Started] * 30
    assert begun[30:] == [RequestInFlight] * 10
    started = [each for each in begun if isinstance(each, Started)]
    await asyncio.gather(*(idempotency.abandon(each.claim) for each in started[1:]))
    assert [row["_id"] for row in await database.collection("idem").find({})] == [started[0].claim.id]


async def test_two_that_begin_at_the_same_instant_are_one_and_a_wait(idempotency: Idempotency, work: Work) -> None:
    async def begin() -> str:
        try:
            return type(await idempotency.begin("c", "f", "k", {})).__name__
        except DomainError as refused:
            return type(refused).__name__

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(begin()) for _ in range(4)]
    outcomes = sorted(task.result() for task in tasks)
    assert outcomes == ["RequestInFlight", "RequestInFlight", "RequestInFlight", "Started"]


async def test_records_carry_the_instant_they_end(idempotency: Idempotency, database: Database, work: Work) -> None:
    await idempotency.run("c", "f", "k", {}, work, ttl=timedelta(days=30))
    record = await database.collection("idem").find_one({})
    assert record is not None
    assert record["exp"] == NOON + timedelta(days=30)


def test_prints_ignore_key_order_and_tell_null_from_absent_and_lists_apart() -> None:
    assert fingerprint({"a": 1, "b": {"c": 2, "d": 3}}) == fingerprint({"b": {"d": 3, "c": 2}, "a": 1})
    assert fingerprint({"a": None}) != fingerprint({})
    assert fingerprint({"a": [1, 2]}) != fingerprint({"a": [2, 1]})
    assert fingerprint({"a": 1}) != fingerprint({"a": "1"})


def test_prints_take_every_value_an_argument_may_have() -> None:
    assert len(fingerprint({"at": NOON, "on": date(2026, 3, 1), "x": Decimal("1.50"), "t": (True, 1.5)})) == 64


@given(st.dictionaries(st.text(), st.integers()))
def test_prints_do_not_depend_on_the_order_arguments_came_in(arguments: dict[str, int]) -> None:
    assert fingerprint(arguments) == fingerprint(dict(reversed(arguments.items())))
