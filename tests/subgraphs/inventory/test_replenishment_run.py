"""The daily run over a real database: it learns from the ledger, plans once a day, proposes once, and takes acceptances."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import pytest

from subgraphs.chassis.identity import Principal
from subgraphs.chassis.mongo import Database, DriverName
from subgraphs.inventory.app import SERVICE
from subgraphs.inventory.model.demand import DemandRecord, Series
from subgraphs.inventory.model.forecast import CROSTON, HORIZON_DAYS, TSB
from subgraphs.inventory.model.places import Location
from subgraphs.inventory.model.refusals import InsufficientStock
from subgraphs.inventory.model.stock import Delta
from subgraphs.inventory.service.audit import audit
from subgraphs.inventory.service.forecaster import Forecaster, work
from subgraphs.inventory.service.inventory import CounterSale, Inventory
from subgraphs.inventory.service.replenishment_run import LEASE
from subgraphs.inventory.store import demand, suggestions
from subgraphs.inventory.store.demand import DemandStore, Planned
from subgraphs.kernel.clock import FixedClock
from subgraphs.kernel.errors import Forbidden, InvalidInput, NotFound
from subgraphs.kernel.money import Money
from tests.kit.running_service import RunningService, running_service
from tests.subgraphs.inventory.stockroom import BUYER, NOON, PLANNER, S1, S2, S3, STAFF, W1, furnish, instance, planned

ONLOOKER = Principal("otto", "staff", frozenset({"inventory:plan"}))
TODAY = NOON.date()
DAYS = 140
BUSY, QUIET = (5, 4, 6, 7, 9, 11, 2), (0, 0, 1, 0, 0, 0, 0)


async def prices(skus: Sequence[str]) -> Mapping[str, Money]:
    return {sku: Money(4000, "EUR") for sku in skus}


async def no_prices(skus: Sequence[str]) -> Mapping[str, Money]:
    return {}


def past(sku: str, place: Location, week: Sequence[int], on_hand: int) -> DemandRecord:
    """A history that ends the day before the stockroom was furnished; the level's opening movement is read already."""
    first = TODAY - timedelta(days=DAYS)
    sold = {first + timedelta(days=day): week[day % 7] + (day * 7 % 3 - 1) for day in range(DAYS) if week[day % 7]}
    return DemandRecord(
        sku=sku,
        location_id=place.id,
        first=first,
        through=TODAY - timedelta(days=1),
        sold={day: units for day, units in sold.items() if units > 0},
        version=1,
        standing=Delta(on_hand=on_hand),
    )


async def furnish_with_history(database: Database) -> None:
    """S1 has too much of A, S2 sells it and has none; B sells rarely."""
    await furnish(database, {("A", S1): 90, ("A", S2): 0, ("A", S3): 30, ("B", S1): 5, ("B", W1): 40})
    await database.ensure_indexes({**demand.INDEXES, **suggestions.INDEXES})
    await DemandStore(database).save_records(
        [
            past("A", S1, QUIET, 90),
            past("A", S2, BUSY, 0),
            past("A", S3, QUIET, 30),
            past("B", S1, QUIET, 5),
            past("B", W1, QUIET, 40),
        ]
    )


@pytest.fixture
def forecast_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same work in this process: a child takes seconds to load its library. Two tests below start a real one."""

    async def ask(_: Forecaster, task: str, asked: Sequence[Any]) -> list[Any]:
        return work(task, asked)

    monkeypatch.setattr(Forecaster, "_ask", ask)


@pytest.fixture
async def services(database: Database, clock: FixedClock, forecast_here: None) -> AsyncIterator[Inventory]:
    await furnish_with_history(database)
    async with instance(database, clock) as made:
        yield made


async def plan(services: Inventory, prices: Any = prices) -> Planned:
    done = await services.replenishment.plan_when_due(prices)
    assert done is not None
    return done


async def suggested(services: Inventory, **wanted: Any) -> list[Any]:
    given = {"location_id": None, "minor_min": None, "first": 50} | wanted
    return await services.replenishment.suggestions(PLANNER, **given)


async def test_a_run_forecasts_every_level_and_every_sku_with_its_reorder_point(services: Inventory) -> None:
    done = await plan(services)
    assert done.day == TODAY
    assert sum(row.series for row in done.quality) == 5 + 2
    busy = await services.replenishment.forecast(PLANNER, "A", S2.id, HORIZON_DAYS)
    assert (busy.pattern.value, busy.begins, busy.trained_at) == ("SMOOTH", TODAY, NOON)
    assert sum(busy.means[:7]) == pytest.approx(sum(BUSY), rel=0.15)
    # Three days sell about 18; there are none: it is time to order what two weeks need.
    assert busy.reorder.point >= sum(sorted(BUSY)[:3])
    assert busy.reorder.order > 2 * sum(BUSY) * 0.8
    quiet = await services.replenishment.forecast(PLANNER, "B", W1.id, HORIZON_DAYS)
    assert quiet.pattern.value == "INTERMITTENT"
    assert quiet.model in (CROSTON, TSB, "Seasonal naive")
    assert quiet.reorder.order == 0
    whole = await services.replenishment.forecast(PLANNER, "A", None, HORIZON_DAYS)
    assert sum(whole.means[:7]) == pytest.approx(sum(BUSY) + 2 * sum(QUIET), rel=0.15)


async def test_a_run_happens_once_a_day_and_by_one_process(
    services: Inventory, database: Database, clock: FixedClock
) -> None:
    async with instance(database, clock) as other:
        runs = await asyncio.gather(*(each.replenishment.plan_when_due(prices) for each in (services, other)))
    assert [run is not None for run in runs].count(True) == 1
    assert await services.replenishment.plan_when_due(prices) is None
    clock.advance(24 * 3600)
    assert (await plan(services)).day == TODAY + timedelta(days=1)


async def test_a_run_that_was_killed_is_done_by_the_next_to_come(
    services: Inventory, database: Database, clock: FixedClock
) -> None:
    assert await DemandStore(database).lease(NOON, NOON + LEASE)
    assert await services.replenishment.plan_when_due(prices) is None
    clock.advance(LEASE.total_seconds())
    assert (await plan(services)).day == TODAY


async def test_a_run_that_fails_leaves_the_work_to_be_taken_at_once(services: Inventory) -> None:
    async def down(skus: Sequence[str]) -> Mapping[str, Money]:
        raise ConnectionError("no network")

    with pytest.raises(ConnectionError):
        await services.replenishment.plan_when_due(down)
    assert (await plan(services)).day == TODAY


async def test_the_ledger_is_learnt_from_once_however_often_it_is_read(
    services: Inventory, database: Database, clock: FixedClock
) -> None:
    sale = CounterSale("R1", NOON, (("A", 3),))
    await services.ingest(
        PLANNER, location_id=S1.id, register_id="T1", sequence=1, sales=[sale], key="k" * 16, arguments={}
    )
    store = DemandStore(database)

    async def sold() -> tuple[date, int]:
        record = (await store.records(["A"]))[f"A|{S1.id}"]
        return record.through, record.sold.get(TODAY, 0)

    await plan(services)
    assert await sold() == (TODAY - timedelta(days=1), 0), "the day is not over"
    for day in range(2):
        clock.advance(24 * 3600)
        await plan(services)
        assert await sold() == (TODAY + timedelta(days=day), 3)
    assert await audit(database) == []


async def test_a_move_is_proposed_where_goods_lie_idle_and_another_shelf_is_empty(services: Inventory) -> None:
    await plan(services)
    found = await suggested(services)
    assert [(each.sku, each.source_id, each.target_id) for each in found[:1]] == [("A", S1.id, S2.id)]
    best = found[0]
    assert best.quantity <= 90 - best.source_keeps
    assert best.benefit.minor > 0
    assert best.cover_source[0] > best.cover_source[1]
    assert best.cover_target == (0.0, pytest.approx(best.quantity / (sum(BUSY) / 7), rel=0.2))
    assert [each.benefit.minor for each in found] == sorted((each.benefit.minor for each in found), reverse=True)
    assert await suggested(services, location_id=W1.id) == []
    assert await suggested(services, location_id=S2.id) == [each for each in found if S2.id in each.key]
    assert await suggested(services, minor_min=best.benefit.minor + 1) == []


async def test_what_is_open_is_not_proposed_twice_and_what_is_over_is_withdrawn(
    services: Inventory, database: Database, clock: FixedClock
) -> None:
    await plan(services)
    first = {each.key: each.id for each in await suggested(services)}
    clock.advance(24 * 3600)
    await plan(services)
    assert {each.key: each.id for each in await suggested(services)} == first
    await services.adjust(
        PLANNER,
        location_id=S2.id,
        sku="A",
        delta=400,
        reason="found",
        expected_version=None,
        key="k" * 16,
        arguments={},
    )
    clock.advance(24 * 3600)
    await plan(services)
    assert not [each for each in await suggested(services) if each.target_id == S2.id]
    known = await database.collection(suggestions.SUGGESTIONS).find({"_id": {"$in": sorted(first.values())}})
    assert {doc["state"] for doc in known if doc["to"] == S2.id} == {"WITHDRAWN"}


async def test_without_prices_forecasts_are_made_and_suggestions_stay(services: Inventory, clock: FixedClock) -> None:
    await plan(services)
    before = await suggested(services)
    clock.advance(24 * 3600)
    await plan(services, no_prices)
    assert await suggested(services) == before
    assert (await services.replenishment.forecast(PLANNER, "A", S2.id, 7)).begins == TODAY + timedelta(days=1)


async def test_an_accepted_suggestion_is_a_draft_transfer_once(services: Inventory, database: Database) -> None:
    await plan(services)
    best = (await suggested(services))[0]
    results = await asyncio.gather(
        *(services.replenishment.accept(PLANNER, best.id, "the same key, twice", {"id": best.id}) for _ in range(2))
    )
    assert sorted(replayed for _, replayed in results) == [False, True]
    drafts = await database.collection(suggestions.TRANSFERS).find({})
    assert [(doc["from"], doc["to"], doc["state"], doc["lines"], doc["suggestion"]) for doc in drafts] == [
        (S1.id, S2.id, "DRAFT", [{"sku": "A", "q": best.quantity, "got": 0}], best.id)
    ]
    assert {accepted.transfer_id for accepted, _ in results} == {drafts[0]["_id"]}
    with pytest.raises(NotFound):
        await services.replenishment.accept(PLANNER, best.id, "another key for it", {"id": best.id})
    assert best.id not in {each.id for each in await suggested(services)}
    assert await audit(database) == [], "a draft moves nothing"


async def test_two_planners_who_accept_at_once_make_one_transfer(services: Inventory, database: Database) -> None:
    await plan(services)
    best = (await suggested(services))[0]
    results = await asyncio.gather(
        *(services.replenishment.accept(PLANNER, best.id, f"key number {n} of many", {"id": n}) for n in range(4)),
        return_exceptions=True,
    )
    assert sum(isinstance(result, tuple) for result in results) == 1, results
    assert await database.collection(suggestions.TRANSFERS).count({}) == 1


async def test_while_a_draft_stands_its_pair_is_left_alone_and_its_goods_are_counted_as_moved(
    services: Inventory, clock: FixedClock
) -> None:
    await plan(services)
    best = (await suggested(services))[0]
    await services.replenishment.accept(PLANNER, best.id, "a key of a planner", {"id": best.id})
    clock.advance(24 * 3600)
    await plan(services)
    again = await suggested(services)
    assert not [each for each in again if (each.source_id, each.target_id) == (S1.id, S2.id)]
    # What comes covers most of what S2 sells: other shelves have much less to bring.
    assert sum(each.benefit.minor for each in again) < best.benefit.minor / 2


async def test_goods_that_are_no_longer_to_spare_are_not_moved(services: Inventory, database: Database) -> None:
    await plan(services)
    best = (await suggested(services))[0]
    await services.adjust(
        PLANNER,
        location_id=S1.id,
        sku="A",
        delta=-(90 - best.quantity + 1),
        reason="broken",
        expected_version=None,
        key="k" * 16,
        arguments={},
    )
    with pytest.raises(InsufficientStock) as refused:
        await services.replenishment.accept(PLANNER, best.id, "a key of a planner", {"id": best.id})
    assert refused.value.shortfalls[0].requested == best.quantity
    assert await database.collection(suggestions.TRANSFERS).count({}) == 0


async def test_planning_is_for_planners(services: Inventory) -> None:
    await plan(services)
    best = (await suggested(services))[0]
    for principal in (BUYER, STAFF):
        with pytest.raises(Forbidden):
            await services.replenishment.forecast(principal, "A", None, 7)
        with pytest.raises(Forbidden):
            await services.replenishment.suggestions(principal, location_id=None, minor_min=None, first=5)
        with pytest.raises(Forbidden):
            await services.replenishment.quality(principal)
    with pytest.raises(Forbidden):
        await services.replenishment.accept(ONLOOKER, best.id, "a key of an onlooker", {})
    with pytest.raises(InvalidInput):
        await services.replenishment.forecast(PLANNER, "A", None, 29)
    with pytest.raises(NotFound):
        await services.replenishment.forecast(PLANNER, "nothing", None, 7)


async def test_a_house_without_a_day_behind_it_starts_no_forecaster(
    database: Database, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(*_: Any) -> Any:
        raise AssertionError("a child was started for nothing")

    monkeypatch.setattr(Forecaster, "_ask", never)
    await furnish(database, {("A", S1): 3})
    await database.ensure_indexes({**demand.INDEXES, **suggestions.INDEXES})
    async with instance(database, clock) as services:
        assert (await plan(services)).day == TODAY


async def test_the_forecaster_works_beside_the_loop_and_leaves_no_process() -> None:
    async with Forecaster() as forecaster:
        series = Series(tuple(float(day % 7) for day in range(120)), (True,) * 120)
        beats = 0
        asked = asyncio.ensure_future(forecaster.forecasts([(series, (3,))] * 40))
        while not asked.done():
            await asyncio.wait([asked], timeout=0.01)
            beats += 1
        assert len(await asked) == 40
        assert beats > 10, "the loop stood still"
        assert forecaster._child is not None
        pid = forecaster._child.pid
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


FORECAST = """
    query ($sku: String!, $place: ID!, $loose: [_Any!]!) {
      demandForecast(sku: $sku, locationId: $place, horizonDays: 14) {
        sku location { code } pattern model wape naiveWape reorderPoint safetyStock suggestedOrderQty asOf trainedAt
        points { date mean p10 p90 }
      }
      _entities(representations: $loose) { ... on ProductVariant { sku forecast { location { code } points { mean } } } }
      forecastQuality { asOf patterns { pattern series fellBack wape naiveWape dailyWape naiveDailyWape } }
      stockLevels(skus: ["A"]) { edges { node { location { code } reorderPoint } } }
      reallocationSuggestions(first: 1) {
        id sku quantity expectedBenefit { minor currency } expectedUnits reason asOf from { code } to { code }
        daysOfCoverFrom daysOfCoverTo daysOfCoverFromBefore daysOfCoverToBefore variant { sku }
      }
    }
"""
ACCEPT = """
    mutation ($id: ID!) {
      reallocationAccept(id: $id, idempotencyKey: "a planner's key") {
        replayed transferId suggestion { id quantity } errors { __typename }
      }
    }
"""


@pytest.fixture
async def house(own_database: Database, mongodb_uri: str, mongo_driver: DriverName) -> AsyncIterator[RunningService]:
    await furnish_with_history(own_database)
    async with running_service(
        SERVICE, mongodb_uri, mongo_driver, own_database, FixedClock(NOON), asker=PLANNER
    ) as running:
        yield running


async def test_the_background_job_plans_and_the_graph_answers_from_what_is_stored(house: RunningService) -> None:
    await planned(house.services)
    loose = [{"__typename": "ProductVariant", "sku": sku} for sku in ("A", "unheard of")]
    found = await house.data(FORECAST, {"sku": "A", "place": S2.id, "loose": loose})
    forecast = found["demandForecast"]
    assert (forecast["location"]["code"], forecast["pattern"]) == ("S2", "SMOOTH")
    assert forecast["model"]
    assert forecast["asOf"] == (TODAY - timedelta(days=1)).isoformat()
    assert [point["date"] for point in forecast["points"]] == [
        (TODAY + timedelta(days=day)).isoformat() for day in range(14)
    ]
    assert all(0 <= float(p["p10"]) <= float(p["mean"]) <= float(p["p90"]) for p in forecast["points"])
    assert float(forecast["wape"]) <= float(forecast["naiveWape"])
    assert found["_entities"][0]["forecast"]["location"] is None
    assert len(found["_entities"][0]["forecast"]["points"]) == HORIZON_DAYS
    assert found["_entities"][1]["forecast"] is None
    assert sum(row["series"] for row in found["forecastQuality"]["patterns"]) == 7
    points = {edge["node"]["location"]["code"]: edge["node"]["reorderPoint"] for edge in found["stockLevels"]["edges"]}
    assert points["S2"] == forecast["reorderPoint"]
    # Catalog is away in this test, so nothing has a price and nothing is proposed.
    assert found["reallocationSuggestions"] == []


async def test_a_suggestion_is_read_and_accepted_through_the_graph(forecast_here: None, house: RunningService) -> None:
    await planned(house.services)
    async with instance(house.services.store.database, FixedClock(NOON + timedelta(days=1))) as tomorrow:
        await plan(tomorrow)
    found = (await house.data(FORECAST, {"sku": "A", "place": S2.id, "loose": []}))["reallocationSuggestions"][0]
    assert (found["from"]["code"], found["to"]["code"], found["variant"]["sku"]) == ("S1", "S2", "A")
    assert found["expectedBenefit"]["currency"] == "EUR"
    assert "is earned" in found["reason"]
    accepted = (await house.data(ACCEPT, {"id": found["id"]}))["reallocationAccept"]
    assert accepted["errors"] == []
    assert accepted["transferId"].startswith("trf_")
    again = (await house.data(ACCEPT, {"id": found["id"]}))["reallocationAccept"]
    assert again == {**accepted, "replayed": True}
    refused = (await house.ask(ACCEPT, {"id": found["id"]}, principal=BUYER))["data"]["reallocationAccept"]
    assert [error["__typename"] for error in refused["errors"]] == ["Forbidden"]
