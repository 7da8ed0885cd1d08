"""The door to MongoDB behaves the same through both drivers, and transactions are all or nothing."""

from __future__ import annotations

import asyncio
import gc
from datetime import UTC, datetime

import pytest

from subgraphs.chassis.mongo import (
    Database,
    DatabaseUnreachable,
    Delete,
    Document,
    DuplicateKey,
    Index,
    Insert,
    Mongo,
    Replace,
    Session,
    Update,
    money_from_doc,
    money_to_doc,
    with_house_options,
)
from subgraphs.kernel.errors import RequestInFlight
from subgraphs.kernel.money import MINOR_MAX, Money


class Refused(Exception):
    """What a transaction's body raises in these tests."""


async def test_documents_come_back_as_they_were_written(database: Database) -> None:
    things = database.collection("things")
    document = {"_id": "a", "at": datetime(2026, 3, 1, 12, 0, 0, 123_000, UTC), "n": 2**53, "of": [1, None, {"x": "ü"}]}
    await things.insert_one(dict(document))
    assert await things.find_one({"_id": "a"}) == document
    assert await things.find_one({"_id": "b"}) is None


async def test_find_sorts_skips_limits_and_projects(database: Database) -> None:
    things = database.collection("things")
    await things.insert_many([{"_id": n, "n": n, "x": 1} for n in range(10)])
    found = await things.find({"n": {"$gte": 2}}, projection={"n": 1}, sort=[("n", -1)], skip=1, limit=3)
    assert found == [{"_id": n, "n": n} for n in (8, 7, 6)]
    assert await things.count({}) == 10
    assert await things.count({}, limit=4) == 4
    assert sorted(await things.distinct("n", {"n": {"$lt": 3}})) == [0, 1, 2]


async def test_a_guarded_update_says_whether_the_guard_held(database: Database) -> None:
    things = database.collection("things")
    await things.insert_one({"_id": "a", "free": 1})
    taken = await things.update_one({"_id": "a", "free": {"$gte": 1}}, {"$inc": {"free": -1}})
    missed = await things.update_one({"_id": "a", "free": {"$gte": 1}}, {"$inc": {"free": -1}})
    assert (taken.matched, taken.modified) == (1, 1)
    assert (missed.matched, missed.modified) == (0, 0)


async def test_the_other_writes_do_what_they_say(database: Database) -> None:
    things = database.collection("things")
    assert (await things.update_one({"_id": "a"}, {"$set": {"n": 1}}, upsert=True)).upserted == "a"
    assert await things.find_one_and_update({"_id": "a"}, {"$inc": {"n": 1}}) == {"_id": "a", "n": 2}
    assert await things.find_one_and_update({"_id": "a"}, {"$inc": {"n": 1}}, return_new=False) == {"_id": "a", "n": 2}
    assert (await things.replace_one({"_id": "a"}, {"_id": "a", "n": 9})).modified == 1
    assert (await things.update_many({}, {"$set": {"m": 1}})).modified == 1
    assert await things.aggregate([{"$match": {}}, {"$group": {"_id": None, "sum": {"$sum": "$n"}}}]) == [
        {"_id": None, "sum": 9}
    ]
    assert (await things.delete_one({"_id": "a"})).deleted == 1
    assert (await things.delete_many({})).deleted == 0
    await things.insert_many([])


async def test_a_bulk_write_does_all_its_writes_in_order(database: Database) -> None:
    things = database.collection("things")
    written = await things.bulk_write(
        [
            Insert({"_id": 1, "n": 1}),
            Insert({"_id": 2, "n": 1}),
            Update({"n": 1}, {"$inc": {"n": 1}}, many=True),
            Replace({"_id": 1}, {"_id": 1, "n": 7}),
            Delete({"_id": 2}),
        ]
    )
    assert (written.inserted, written.modified, written.deleted) == (2, 3, 1)
    assert await things.find({}) == [{"_id": 1, "n": 7}]
    assert (await things.bulk_write([])).inserted == 0


async def test_a_second_document_under_a_unique_key_is_a_duplicate(database: Database) -> None:
    await database.ensure_indexes({"things": [Index(["code"], unique=True, sparse=True)]})
    things = database.collection("things")
    await things.insert_many([{"_id": 1, "code": "A"}, {"_id": 2}, {"_id": 3}])
    with pytest.raises(DuplicateKey) as one:
        await things.insert_one({"_id": 4, "code": "A"})
    with pytest.raises(DuplicateKey):
        await things.insert_many([{"_id": 5, "code": "A"}])
    assert one.value.collection == "things"


async def test_of_documents_inserted_each_for_itself_the_refused_are_named(database: Database) -> None:
    await database.ensure_indexes({"things": [Index(["code"], unique=True, sparse=True)]})
    things = database.collection("things")
    await things.insert_one({"_id": 1, "code": "A"})
    documents = [{"_id": 1}, {"_id": 2}, {"_id": 3, "code": "A"}, {"_id": 2}, {"_id": 4}]
    assert await things.insert_each(documents) == {0, 2, 3}
    assert sorted(row["_id"] for row in await things.find({})) == [1, 2, 4]
    assert await things.insert_each([{"_id": 5}]) == frozenset()


async def test_making_indexes_again_changes_nothing(database: Database) -> None:
    indexes = {"things": [Index(["code"]), Index([("at", -1)], expire_after_s=60)], "bare": []}
    await database.ensure_indexes(indexes)
    await database.ensure_indexes(indexes)
    assert await database.collections() == ["bare", "things"]


async def test_a_transaction_commits_all_its_writes_and_gives_the_result(database: Database) -> None:
    await database.ensure_indexes({"a": [], "b": []})

    async def body(session: Session) -> str:
        await database.collection("a").insert_one({"_id": 1}, session=session)
        await database.collection("b").insert_one({"_id": 1}, session=session)
        assert await database.collection("a").count({}, session=session) == 1
        return "done"

    assert await database.transact(body) == "done"
    assert await database.collection("a").count({}) == await database.collection("b").count({}) == 1


async def test_what_the_body_raises_undoes_it_and_comes_out(database: Database) -> None:
    await database.ensure_indexes({"a": []})

    async def body(session: Session) -> None:
        await database.collection("a").insert_one({"_id": 1}, session=session)
        raise Refused

    with pytest.raises(Refused):
        await database.transact(body)
    assert await database.collection("a").count({}) == 0


async def test_a_cancelled_transaction_leaves_nothing(database: Database) -> None:
    await database.ensure_indexes({"a": []})
    written = asyncio.Event()

    async def body(session: Session) -> None:
        await database.collection("a").insert_one({"_id": 1}, session=session)
        written.set()
        await asyncio.Event().wait()

    async with asyncio.TaskGroup() as group:
        task = group.create_task(database.transact(body))
        await written.wait()
        task.cancel()
    assert await database.collection("a").count({}) == 0
    await database.collection("a").insert_one({"_id": 1})


async def test_colliding_transactions_all_have_their_effect_once(database: Database) -> None:
    await database.ensure_indexes({"a": []})
    counter = database.collection("a")
    await counter.insert_one({"_id": 1, "n": 0})

    async def body(session: Session) -> None:
        document = await counter.find_one({"_id": 1}, session=session)
        assert document is not None
        await counter.update_one({"_id": 1}, {"$set": {"n": document["n"] + 1}}, session=session)

    async def once() -> bool:
        try:
            await database.transact(body)
        except RequestInFlight:
            return False
        return True

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(once()) for _ in range(6)]
    done = sum(task.result() for task in tasks)
    assert await counter.find_one({"_id": 1}) == {"_id": 1, "n": done}
    assert done >= 1


async def test_a_conflict_that_does_not_end_is_request_in_flight(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("subgraphs.chassis.mongo.TRANSACTION_ATTEMPTS_MAX", 3)
    await database.ensure_indexes({"a": []})
    rows = database.collection("a")
    await rows.insert_one({"_id": 1, "n": 0})
    held, release = asyncio.Event(), asyncio.Event()

    async def holder(session: Session) -> None:
        await rows.update_one({"_id": 1}, {"$inc": {"n": 1}}, session=session)
        held.set()
        await release.wait()

    async def latecomer(session: Session) -> None:
        await rows.update_one({"_id": 1}, {"$inc": {"n": 1}}, session=session)

    async with asyncio.TaskGroup() as group:
        group.create_task(database.transact(holder))
        await held.wait()
        with pytest.raises(RequestInFlight) as refused:
            await database.transact(latecomer)
        release.set()
    assert refused.value.retry_after_ms > 0
    assert await rows.find_one({"_id": 1}) == {"_id": 1, "n": 1}


async def test_the_change_stream_opens_then_tells_what_was_committed_after(database: Database) -> None:
    await database.ensure_indexes({"a": [], "b": []})
    changes: list[Document] = []
    async with asyncio.timeout(20):
        stream = database.watch([{"$match": {"ns.coll": "a"}}])
        async for change in stream:
            changes.append(change)
            if len(changes) == 1:
                await database.collection("b").insert_one({"_id": 1})
                await database.collection("a").insert_one({"_id": 1})
            if len(changes) == 2:
                await database.collection("a").update_one({"_id": 1}, {"$set": {"n": 1}})
            if len(changes) == 3:
                break
        await stream.aclose()  # type: ignore[attr-defined]
    assert [change.get("operationType") for change in changes] == [None, "insert", "update"]


async def test_a_process_has_one_change_stream(database: Database) -> None:
    await database.ensure_indexes({"a": []})
    first = database.watch()
    assert await anext(first) == {}
    with pytest.raises(AssertionError, match="one change stream"):
        await anext(database.watch())
    await first.aclose()  # type: ignore[attr-defined]
    again = database.watch()
    assert await anext(again) == {}
    await again.aclose()  # type: ignore[attr-defined]


async def test_the_description_names_server_and_driver(mongo: Mongo, mongo_driver: str) -> None:
    assert f"through {mongo_driver} " in await mongo.describe()
    assert (await mongo.describe()).startswith("MongoDB ")


# The driver forgets to close the socket of a connection attempt that is cancelled when its client closes.
@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
async def test_a_server_that_is_not_there_is_unreachable(mongo_driver: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("subgraphs.chassis.mongo.SERVER_SELECTION_TIMEOUT_MS", 200)
    with pytest.raises(DatabaseUnreachable):
        await Mongo.connect("mongodb://127.0.0.1:1/", mongo_driver)  # type: ignore[arg-type]
    gc.collect()


@pytest.mark.parametrize("money", [Money(1234, "EUR"), Money(-1, "JPY"), Money(MINOR_MAX, "KWD")])
async def test_money_is_stored_exactly_and_sums_in_the_database(database: Database, money: Money) -> None:
    things = database.collection("things")
    await things.insert_one({"_id": 1, "price": money_to_doc(money)})
    found = await things.find_one({"_id": 1})
    assert found is not None
    assert money_from_doc(found["price"]) == money


def test_the_uri_gets_the_house_options_unless_it_has_its_own() -> None:
    assert with_house_options("mongodb://h:1/?replicaSet=rs&w=1").split("?")[1].split("&") == [
        "replicaSet=rs",
        "w=1",
        "journal=true",
        "retryWrites=true",
    ]
    assert with_house_options("mongodb://h:1").startswith("mongodb://h:1/?w=majority")
