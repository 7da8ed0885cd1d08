"""The daily run that learns what is wanted, forecasts it and proposes what to move. What one may ask is elsewhere.

Theory of operation. A run is for a *day*, the first that is not over everywhere, and happens once for it. It has two
passes over the SKUs, a page at a time, so that memory stays bounded:

1. *Learn*: each level's demand record is rolled forward from the ledger. What is read is decided by versions, not by
   time, so a run that was cut short or missed loses nothing and counts nothing twice.
2. *Plan*: series are cut from the records, forecast in the child process, and stored with their reorder points; then
   each SKU's shelves are weighed against each other, and the moves worth making are stored as suggestions.

One process at a time plans, under a lease that it extends page by page. A run may be repeated without harm, so a lease
lost to a crash costs time only.

A suggestion that is still worth its while keeps its identity and is brought up to date; one that is not is withdrawn.
While a transfer of the same goods between the same places has not left, nothing is proposed there again, and everybody
else's shelves are judged as if it had.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from subgraphs.chassis.telemetry import logger
from subgraphs.inventory.model.demand import Calendar, DemandPattern, DemandRecord, calendar, rolled, series_of, total
from subgraphs.inventory.model.forecast import Forecast, Tally
from subgraphs.inventory.model.places import Location
from subgraphs.inventory.model.replenishment import (
    BENEFIT_HORIZON_DAYS,
    Move,
    MovePolicy,
    Shelf,
    Suggestion,
    SuggestionState,
    policy_of,
    reorder,
    told,
)
from subgraphs.inventory.model.stock import StockLevel, level_id
from subgraphs.inventory.service.forecaster import Forecaster
from subgraphs.inventory.service.prices import Prices
from subgraphs.inventory.store import Store
from subgraphs.inventory.store.demand import DemandStore, PatternQuality, Planned, StoredForecast, forecast_id
from subgraphs.inventory.store.suggestions import SuggestionStore
from subgraphs.kernel.clock import Clock
from subgraphs.kernel.ids import new_id

PAGE_SKUS = 20
LEASE = timedelta(minutes=5)
MOVE_POLICY = MovePolicy()

_log = logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run's facts: its day, who is where, what is learnt from, and what transfers will move that have not left."""

    day: date
    places: Mapping[str, Location]
    days: Calendar
    drafts: Mapping[str, Sequence[tuple[str, str, int]]]


class ReplenishmentRun:
    """The work of a run."""

    def __init__(self, stock: Store, demand: DemandStore, suggestions: SuggestionStore, clock: Clock) -> None:
        self._stock = stock
        self._demand = demand
        self._suggestions = suggestions
        self._clock = clock

    async def when_due(self, places: Mapping[str, Location], prices: Prices) -> Planned | None:
        """Runs unless this day's run is done, or another process is at it; what it came to."""
        now = self._clock.now()
        day = _day_everywhere(places, now)
        last = await self._demand.planned()
        if (last is not None and last.day >= day) or not await self._demand.lease(now, now + LEASE):
            return None
        try:
            return await self._run(day, places, prices)
        except BaseException:
            await self._demand.extend_lease(now)
            raise

    async def _run(self, day: date, places: Mapping[str, Location], prices: Prices) -> Planned:
        skus = await self._demand.skus()
        pages = [skus[begin : begin + PAGE_SKUS] for begin in range(0, len(skus), PAGE_SKUS)]
        sale_days: set[date] = set()
        for page in pages:
            sale_days |= await self._learn(page, places, day)
            await self._demand.extend_lease(self._clock.now() + LEASE)
        drafts: dict[str, list[tuple[str, str, int]]] = defaultdict(list)
        for sku, source, target, units in await self._suggestions.drafts():
            drafts[sku].append((source, target, units))
        run = Run(day=day, places=places, days=calendar(sale_days, day - timedelta(days=1)), drafts=drafts)
        tallies: dict[DemandPattern, list[Forecast]] = defaultdict(list)
        proposed = 0
        async with Forecaster() as forecaster:
            # Without a day to learn from nothing is forecast, and nobody started for it.
            for page in pages if run.days.days else ():
                made = await self._plan(page, run, forecaster)
                for one in made.values():
                    tallies[one.pattern].append(one)
                proposed += await self._propose(page, made, run, forecaster, prices)
                await self._demand.extend_lease(self._clock.now() + LEASE)
        planned = Planned(
            day=day,
            at=self._clock.now(),
            quality=tuple(
                PatternQuality(
                    pattern,
                    len(tallies[pattern]),
                    sum(one.fell_back for one in tallies[pattern]),
                    sum((one.tally for one in tallies[pattern]), Tally()),
                )
                for pattern in DemandPattern
            ),
        )
        await self._demand.finish(planned)
        _log.info(
            "replenishment planned",
            day=day.isoformat(),
            skus=len(skus),
            forecasts=sum(map(len, tallies.values())),
            suggestions=proposed,
        )
        return planned

    async def _learn(self, skus: Sequence[str], places: Mapping[str, Location], day: date) -> set[date]:
        """Rolls the records of SKUs up to a day; the days on which any of them sold."""
        records = await self._demand.records(skus)
        changed = []
        for levels in (await self._stock.levels_of(skus)).values():
            for level in levels:
                place = places.get(level.location_id)
                record = records.get(level.id)
                if place is None or (record is None and not level.version):
                    continue
                seen = record.version if record is not None else 0
                news = await self._demand.movements_after(level, seen) if level.version > seen else []
                fresh = rolled(record, news, safety=level.safety, zone=ZoneInfo(place.timezone), today=day)
                if fresh is not None and fresh != record:
                    records[level.id] = fresh
                    changed.append(fresh)
        await self._demand.save_records(changed)
        return {one for record in records.values() for one in record.sold}

    async def _plan(self, skus: Sequence[str], run: Run, forecaster: Forecaster) -> dict[str, Forecast]:
        """Forecasts the levels of SKUs, and each SKU as a whole, and stores them; by identity."""
        records = await self._demand.records(skus)
        levels = {level.id: level for row in (await self._stock.levels_of(skus)).values() for level in row}
        asked: dict[str, tuple[str, str | None]] = {}
        questions = []
        for sku, of_sku in _by_sku(record for record in records.values() if record.location_id in run.places):
            series = {record.location_id: series_of(record, run.days) for record in of_sku}
            for location_id, one in [*series.items(), (None, total(list(series.values())))]:
                asked[forecast_id(sku, location_id)] = sku, location_id
                kind = run.places[location_id].kind if location_id is not None else None
                questions.append((one, (*policy_of(kind).spans, BENEFIT_HORIZON_DAYS)))
        answers = await forecaster.forecasts(questions)
        made = {identity: one for identity, one in zip(asked, answers, strict=True) if one is not None}
        now = self._clock.now()
        kept = []
        for identity, forecast in made.items():
            sku, location_id = asked[identity]
            here = (
                [levels[level_id(sku, location_id)]]
                if location_id is not None
                else [level for level in levels.values() if level.sku == sku]
            )
            policy = policy_of(run.places[location_id].kind if location_id is not None else None)
            due = reorder(forecast, sum(map(_position, here)), policy)
            kept.append(StoredForecast.of(sku, location_id, forecast, due, run.day, now))
        await self._demand.save_forecasts(kept)
        return made

    async def _propose(
        self, skus: Sequence[str], made: Mapping[str, Forecast], run: Run, forecaster: Forecaster, prices: Prices
    ) -> int:
        """Brings the suggestions for SKUs up to date; how many are open now."""
        open_now = {each.key: each for each in await self._suggestions.open_of(skus)}
        shelves = {
            sku: found
            for sku, levels in (await self._stock.levels_of(skus)).items()
            if len(found := _shelves(sku, levels, made, run)) > 1
        }
        known = await prices(list(shelves)) if shelves else {}
        priced = [sku for sku in shelves if sku in known]
        answers = await forecaster.moves(
            [
                (
                    sku,
                    shelves[sku],
                    known[sku],
                    MOVE_POLICY,
                    [(source, target) for source, target, _ in run.drafts.get(sku, ())],
                )
                for sku in priced
            ]
        )
        now = self._clock.now()
        worth_it = {move.key: _suggestion(move, open_now.get(move.key), now) for row in answers for move in row}
        # What has no price is left as it is: nothing is known to be against it.
        withdrawn = [each.withdrawn() for key, each in open_now.items() if key not in worth_it and each.sku in priced]
        await self._suggestions.save([*worth_it.values(), *withdrawn])
        return len(worth_it)


def _day_everywhere(places: Mapping[str, Location], now: datetime) -> date:
    """The first day that is not over at every location."""
    zones = {place.timezone for place in places.values()}
    return min((now.astimezone(ZoneInfo(zone)).date() for zone in zones), default=now.date())


def _by_sku(records: Iterable[DemandRecord]) -> list[tuple[str, list[DemandRecord]]]:
    found: dict[str, list[DemandRecord]] = defaultdict(list)
    for record in sorted(records, key=lambda record: record.id):
        found[record.sku].append(record)
    return sorted(found.items())


def _position(level: StockLevel) -> int:
    return level.on_hand - level.reserved - level.allocated + level.inbound_units


def _shelves(sku: str, levels: Sequence[StockLevel], made: Mapping[str, Forecast], run: Run) -> list[Shelf]:
    """The shelves of a SKU whose demand is known, transfers that have not left taken as gone."""
    leaving: dict[str, int] = defaultdict(int)
    coming: dict[str, int] = defaultdict(int)
    for source, target, units in run.drafts.get(sku, ()):
        leaving[source] += units
        coming[target] += units
    found = []
    for level in levels:
        forecast, place = made.get(level.id), run.places.get(level.location_id)
        if forecast is None or place is None:
            continue
        computed = reorder(forecast, _position(level), policy_of(place.kind)).safety
        found.append(
            Shelf(
                location=place,
                spare=level.on_hand - level.reserved - level.allocated - leaving[place.id],
                inbound=level.inbound_units + coming[place.id],
                keeps=max(level.safety, computed),
                mean=forecast.over(BENEFIT_HORIZON_DAYS),
                spread=forecast.spreads[BENEFIT_HORIZON_DAYS],
            )
        )
    return found


def _suggestion(move: Move, known: Suggestion | None, now: datetime) -> Suggestion:
    source, target = move.source, move.target
    return Suggestion(
        id=known.id if known is not None else new_id("sug"),
        state=SuggestionState.OPEN,
        sku=move.sku,
        source_id=source.location.id,
        target_id=target.location.id,
        quantity=move.quantity,
        sold_more=move.sold_more,
        benefit=move.benefit,
        source_keeps=source.keeps,
        cover_source=(round(source.days_of_cover, 1), round(move.source_after.days_of_cover, 1)),
        cover_target=(round(target.days_of_cover, 1), round(move.target_after.days_of_cover, 1)),
        reason=told(move, MOVE_POLICY),
        as_of=now,
    )
