"""Documents of demand, forecasts and the runs that make them: shapes, mapping, queries and indexes. No decisions.

Days are texts, ``"2026-03-04"``, of the location's own calendar.

``demand``
    ``{_id: "SKU|loc_…", sku, loc, first: day, through: day, sold: {day: units}, out: [days], v, on, rsv, alc}``: sales up
    to ``through``, read off the movements up to version ``v``, which add up to the three figures
``forecasts``
    ``{_id: "SKU|loc_…" | "SKU|*", sku, loc: "loc_…" | null, pattern, model, means: [units a day], below, above,
    wape: number | null, naive: number | null, rop, saf, order, begins: day, at: date}``; ``*`` is the house as a whole
``planning``
    ``{_id: "current", leased: date, day: day | null, at: date | null, rows: [{pattern, series, fell, sold, chosen,
    naive, chosenDaily, naiveDaily}]}``: the last run, and until when somebody is at the next
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from subgraphs.chassis.mongo import ASCENDING, Database, Document, DuplicateKey, Index, Insert, Replace, Write
from subgraphs.inventory.model.demand import DemandPattern, DemandRecord
from subgraphs.inventory.model.forecast import Forecast, Tally
from subgraphs.inventory.model.replenishment import Reorder
from subgraphs.inventory.model.stock import Cause, Delta, Movement, StockLevel, level_id
from subgraphs.inventory.store import MOVEMENTS, STOCK

DEMAND, FORECASTS, PLANNING = "demand", "forecasts", "planning"
EVERYWHERE = "*"
_CURRENT = "current"

INDEXES: dict[str, Sequence[Index]] = {
    DEMAND: (Index(["sku"]),),
    FORECASTS: (Index(["sku"]), Index(["loc", "sku"])),
    PLANNING: (Index(["_id", "leased"]),),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredForecast:
    """A forecast as it is kept: for a level, or for the house (``location_id`` None). ``begins`` is its first day."""

    sku: str
    location_id: str | None
    pattern: DemandPattern
    model: str
    means: tuple[float, ...]
    below: float
    above: float
    wape: float | None
    naive_wape: float | None
    reorder: Reorder
    begins: date
    trained_at: datetime

    @property
    def id(self) -> str:
        return forecast_id(self.sku, self.location_id)

    @classmethod
    def of(
        cls, sku: str, location_id: str | None, made: Forecast, reorder: Reorder, begins: date, trained_at: datetime
    ) -> StoredForecast:
        return cls(
            sku=sku,
            location_id=location_id,
            pattern=made.pattern,
            model=made.model,
            means=made.means,
            below=made.below,
            above=made.above,
            wape=made.wape,
            naive_wape=made.naive_wape,
            reorder=reorder,
            begins=begins,
            trained_at=trained_at,
        )


@dataclass(frozen=True, slots=True)
class PatternQuality:
    """How the forecasts of one pattern did in the back-test: how many there are, how many fell back to naive, sums."""

    pattern: DemandPattern
    series: int
    fell_back: int
    tally: Tally


@dataclass(frozen=True, slots=True)
class Planned:
    """A finished run: the first day it forecast, when it ended, how good the forecasts were."""

    day: date
    at: datetime
    quality: tuple[PatternQuality, ...]


def forecast_id(sku: str, location_id: str | None) -> str:
    """``"SKU|LOCATION"``, or ``"SKU|*"`` for the house as a whole."""
    return level_id(sku, location_id or EVERYWHERE)


def record_to_doc(record: DemandRecord) -> Document:
    """The document of a demand record."""
    return {
        "_id": record.id,
        "sku": record.sku,
        "loc": record.location_id,
        "first": record.first.isoformat(),
        "through": record.through.isoformat(),
        "sold": {day.isoformat(): units for day, units in sorted(record.sold.items())},
        "out": [day.isoformat() for day in sorted(record.out)],
        "v": record.version,
        "on": record.standing.on_hand,
        "rsv": record.standing.reserved,
        "alc": record.standing.allocated,
    }


def record_from_doc(doc: Mapping[str, Any]) -> DemandRecord:
    """The demand record of a document."""
    return DemandRecord(
        sku=doc["sku"],
        location_id=doc["loc"],
        first=date.fromisoformat(doc["first"]),
        through=date.fromisoformat(doc["through"]),
        sold={date.fromisoformat(day): units for day, units in doc["sold"].items()},
        out=frozenset(map(date.fromisoformat, doc["out"])),
        version=doc["v"],
        standing=Delta(doc["on"], doc["rsv"], doc["alc"]),
    )


def movement_from_doc(doc: Mapping[str, Any]) -> Movement:
    """The movement of a row of the ledger."""
    return Movement(
        id=doc["_id"],
        sku=doc["sku"],
        location_id=doc["loc"],
        delta=Delta(doc["on"], doc["rsv"], doc["alc"]),
        cause=Cause(doc["cause"]),
        ref=doc["ref"],
        version=doc["v"],
        at=doc["at"],
    )


def forecast_to_doc(kept: StoredForecast) -> Document:
    """The document of a forecast."""
    return {
        "_id": kept.id,
        "sku": kept.sku,
        "loc": kept.location_id,
        "pattern": kept.pattern.value,
        "model": kept.model,
        "means": list(kept.means),
        "below": kept.below,
        "above": kept.above,
        "wape": kept.wape,
        "naive": kept.naive_wape,
        "rop": kept.reorder.point,
        "saf": kept.reorder.safety,
        "order": kept.reorder.order,
        "begins": kept.begins.isoformat(),
        "at": kept.trained_at,
    }


def forecast_from_doc(doc: Mapping[str, Any]) -> StoredForecast:
    """The forecast of a document."""
    return StoredForecast(
        sku=doc["sku"],
        location_id=doc["loc"],
        pattern=DemandPattern(doc["pattern"]),
        model=doc["model"],
        means=tuple(doc["means"]),
        below=doc["below"],
        above=doc["above"],
        wape=doc["wape"],
        naive_wape=doc["naive"],
        reorder=Reorder(doc["rop"], doc["saf"], doc["order"]),
        begins=date.fromisoformat(doc["begins"]),
        trained_at=doc["at"],
    )


class DemandStore:
    """The collections of demand, forecasts and runs."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._stock = database.collection(STOCK)
        self._movements = database.collection(MOVEMENTS)
        self._demand = database.collection(DEMAND)
        self._forecasts = database.collection(FORECASTS)
        self._planning = database.collection(PLANNING)

    async def skus(self) -> list[str]:
        """Every SKU that has a level, sorted."""
        return sorted(await self._stock.distinct("sku"))

    async def movements_after(self, level: StockLevel, version: int) -> list[Movement]:
        """The movements of a level beyond a version, in order."""
        docs = await self._movements.find(
            {"sku": level.sku, "loc": level.location_id, "v": {"$gt": version}}, sort=[("v", ASCENDING)]
        )
        return [movement_from_doc(doc) for doc in docs]

    async def records(self, skus: Sequence[str]) -> dict[str, DemandRecord]:
        """The demand records of SKUs everywhere, by level. One query."""
        docs = await self._demand.find({"sku": {"$in": list(skus)}})
        return {doc["_id"]: record_from_doc(doc) for doc in docs}

    async def save_records(self, records: Iterable[DemandRecord]) -> None:
        """Puts records in place of those before them."""
        await self._put(DEMAND, [record_to_doc(record) for record in records])

    async def forecasts(self, ids: Iterable[str]) -> dict[str, StoredForecast]:
        """Forecasts by identity; those that do not exist are left out. One query."""
        docs = await self._forecasts.find({"_id": {"$in": sorted(set(ids))}})
        return {doc["_id"]: forecast_from_doc(doc) for doc in docs}

    async def save_forecasts(self, kept: Iterable[StoredForecast]) -> None:
        """Puts forecasts in place of those before them."""
        await self._put(FORECASTS, [forecast_to_doc(each) for each in kept])

    async def planned(self) -> Planned | None:
        """The last finished run."""
        doc = await self._planning.find_one({"_id": _CURRENT})
        if doc is None or doc["day"] is None:
            return None
        return Planned(
            day=date.fromisoformat(doc["day"]),
            at=doc["at"],
            quality=tuple(
                PatternQuality(
                    DemandPattern(row["pattern"]),
                    row["series"],
                    row["fell"],
                    Tally(row["sold"], row["chosen"], row["naive"], row["chosenDaily"], row["naiveDaily"]),
                )
                for row in doc["rows"]
            ),
        )

    async def lease(self, now: datetime, until: datetime) -> bool:
        """Takes the work of planning until a moment; False while another process has it."""
        written = await self._planning.update_one(
            {"_id": _CURRENT, "leased": {"$lte": now}}, {"$set": {"leased": until}}
        )
        if written.modified:
            return True
        try:
            await self._planning.insert_one({"_id": _CURRENT, "leased": until, "day": None, "at": None, "rows": []})
        except DuplicateKey:
            return False
        return True

    async def extend_lease(self, until: datetime) -> None:
        """Keeps the work for longer, or (with a moment gone by) gives it back."""
        await self._planning.update_one({"_id": _CURRENT}, {"$set": {"leased": until}})

    async def finish(self, planned: Planned) -> None:
        """Remembers a run."""
        rows = [
            {
                "pattern": row.pattern.value,
                "series": row.series,
                "fell": row.fell_back,
                "sold": row.tally.sold,
                "chosen": row.tally.chosen,
                "naive": row.tally.naive,
                "chosenDaily": row.tally.chosen_daily,
                "naiveDaily": row.tally.naive_daily,
            }
            for row in planned.quality
        ]
        await self._planning.update_one(
            {"_id": _CURRENT},
            {"$set": {"day": planned.day.isoformat(), "at": planned.at, "leased": planned.at, "rows": rows}},
        )

    async def _put(self, collection: str, docs: Sequence[Document]) -> None:
        """Replaces documents by identity, and adds those that are new."""
        raw = self.database.collection(collection)
        known = {
            doc["_id"] for doc in await raw.find({"_id": {"$in": [doc["_id"] for doc in docs]}}, projection={"_id": 1})
        }
        writes: list[Write] = [
            Replace({"_id": doc["_id"]}, doc) if doc["_id"] in known else Insert(doc) for doc in docs
        ]
        await raw.bulk_write(writes)
