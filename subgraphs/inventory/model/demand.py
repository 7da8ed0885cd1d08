"""What people wanted: the ledger's sales by day, made into series a forecast can learn from. No forecasts here.

Theory of operation. A *record* per level is a running summary of its ledger: units sold by day of the location's own
calendar, and the days that ended with nothing left to sell. It is rolled forward movement by movement, in the order of
versions, never beyond the last day that is over. A sale is what left over a counter, or was promised to an order
(``COMMIT``); the day is that of the movement, so receipts of a register that was offline at midnight count a day late.

The *calendar* is the house's: which days count, for all series alike. A week or longer in which the house sold nothing
at all is a time it was closed, not a time without demand. Whole weeks of it are cut out, so that Monday still
follows Sunday; what is left over is unknown.

A day that ended sold out shows what there was, not what was wanted: demand is *censored*. Such a day is unknown, never
a zero: it counts in no classification and no back-test, and what models learn from in its place is the mean of the same
weekday of up to eight weeks before, or what was sold, if that was more.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import Enum
from statistics import fmean, pstdev
from zoneinfo import ZoneInfo

from subgraphs.inventory.model.stock import Cause, Delta, Movement, level_id

DAYS_KEPT_MAX = 364
WINDOW_DAYS = 182
"""Half a year is learnt from: weeks repeat in it, years do not."""
CLOSED_AFTER_DAYS = 7
WEEK = 7
_WEEKS_BACK = 8
_DAY = timedelta(days=1)

# Syntetos, Boylan and Croston (2005): beyond these, forecasting sales one by one beats forecasting days.
ADI_MAX, CV2_MAX = 1.32, 0.49


class DemandPattern(Enum):
    """How demand comes: often or rarely, in even or uneven amounts."""

    SMOOTH = "SMOOTH"
    ERRATIC = "ERRATIC"
    INTERMITTENT = "INTERMITTENT"
    LUMPY = "LUMPY"
    DORMANT = "DORMANT"


@dataclass(frozen=True, slots=True, kw_only=True)
class DemandRecord:
    """What one level sold from ``first`` through ``through``, both included, and where its ledger stood then.

    ``sold`` has units by day, without the days that sold nothing; ``out`` the days that ended with nothing to sell.
    ``standing`` is the sum of the movements up to ``version``.
    """

    sku: str
    location_id: str
    first: date
    through: date
    sold: Mapping[date, int] = field(default_factory=dict)
    out: frozenset[date] = frozenset()
    version: int = 0
    standing: Delta = field(default_factory=Delta)

    @property
    def id(self) -> str:
        return level_id(self.sku, self.location_id)


@dataclass(frozen=True, slots=True)
class Calendar:
    """The house's days to learn from, oldest first, a weekday after the other; ``closed`` are those without news."""

    days: tuple[date, ...]
    closed: frozenset[date] = frozenset()


@dataclass(frozen=True, slots=True)
class Series:
    """Units a day, oldest first. Where ``known`` is false the value is what a day like it usually sells."""

    values: tuple[float, ...]
    known: tuple[bool, ...]

    def __len__(self) -> int:
        return len(self.values)


def demanded(movement: Movement) -> int:
    """Units that somebody wanted, by a movement."""
    if movement.cause is Cause.POS_SALE:
        return max(0, -movement.delta.on_hand)
    return max(0, movement.delta.allocated) if movement.cause is Cause.COMMIT else 0


def rolled(
    record: DemandRecord | None, movements: Sequence[Movement], *, safety: int, zone: ZoneInfo, today: date
) -> DemandRecord | None:
    """The record after what has happened since, up to the day before ``today``.

    ``movements`` are those after the record's version, in the order of versions. Without a record the first of them
    opens one. None as long as no day is over.
    """
    if record is None:
        if not movements:
            return None
        first = movements[0].at.astimezone(zone).date()
        opening = movements[0]
        record = DemandRecord(sku=opening.sku, location_id=opening.location_id, first=first, through=first - _DAY)
    end = today - _DAY
    if record.through >= end:
        return record if record.through >= record.first else None
    sold, out = dict(record.sold), set(record.out)
    version, standing, day = record.version, record.standing, record.through + _DAY

    def close_days_before(later: date) -> None:
        nonlocal day
        while day < later:
            if standing.free <= safety:
                out.add(day)
            day += _DAY

    for movement in movements:
        on = movement.at.astimezone(zone).date()
        if on > end:
            break
        close_days_before(on)
        units = demanded(movement)
        if units:
            sold[on] = sold.get(on, 0) + units
        version, standing = movement.version, standing + movement.delta
    close_days_before(today)
    oldest = max(record.first, today - timedelta(days=DAYS_KEPT_MAX))
    return DemandRecord(
        sku=record.sku,
        location_id=record.location_id,
        first=oldest,
        through=end,
        sold={one: units for one, units in sold.items() if one >= oldest},
        out=frozenset(one for one in out if one >= oldest),
        version=version,
        standing=standing,
    )


def calendar(sale_days: Iterable[date], through: date) -> Calendar:
    """The days to learn from, up to ``through``, given every day on which the house sold anything."""
    days: list[date] = []
    closed: set[date] = set()
    last: date | None = None
    for day in [*sorted(one for one in set(sale_days) if one <= through), through + _DAY]:
        if last is not None:
            silent = (day - last).days - 1
            days.append(last)
            kept = silent if silent < CLOSED_AFTER_DAYS else silent % WEEK
            between = [last + n * _DAY for n in range(1, kept + 1)]
            days.extend(between)
            if kept != silent:
                closed.update(between)
        last = day
    return Calendar(tuple(days[-WINDOW_DAYS:]), frozenset(closed & set(days[-WINDOW_DAYS:])))


def series_of(record: DemandRecord, over: Calendar) -> Series:
    """A level's demand over the house's days since it had any stock."""
    days = [day for day in over.days if day >= record.first]
    known = tuple(day not in record.out and day not in over.closed for day in days)
    sold = [float(record.sold.get(day, 0)) for day in days]
    seen = [units for units, sure in zip(sold, known, strict=True) if sure]
    usual = fmean(seen) if seen else 0.0
    values = []
    for index, units in enumerate(sold):
        if not known[index]:
            back = range(index - WEEK, max(-1, index - WEEK * _WEEKS_BACK - 1), -WEEK)
            alike = [sold[earlier] for earlier in back if known[earlier]]
            units = max(units, fmean(alike) if alike else usual)
        values.append(units)
    return Series(tuple(values), known)


def total(series: Sequence[Series]) -> Series:
    """The demand of all locations together: unknown only where it is unknown at every one that had begun."""
    length = max(map(len, series), default=0)
    values, known = [0.0] * length, [False] * length
    for one in series:
        shift = length - len(one)
        for index, (units, sure) in enumerate(zip(one.values, one.known, strict=True)):
            values[shift + index] += units
            known[shift + index] |= sure
    return Series(tuple(values), tuple(known))


def classify(series: Series) -> DemandPattern:
    """The pattern of a series by the mean days between sales (ADI) and the squared variation of their sizes (CV²)."""
    days = [units for units, sure in zip(series.values, series.known, strict=True) if sure]
    sizes = [units for units in days if units > 0]
    if not sizes:
        return DemandPattern.DORMANT
    rare = len(days) / len(sizes) >= ADI_MAX
    uneven = (pstdev(sizes) / fmean(sizes)) ** 2 >= CV2_MAX
    if rare:
        return DemandPattern.LUMPY if uneven else DemandPattern.INTERMITTENT
    return DemandPattern.ERRATIC if uneven else DemandPattern.SMOOTH
