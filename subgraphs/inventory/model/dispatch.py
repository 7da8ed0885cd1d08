"""When a location can send: on days it works, before its cut-off, as long as somebody is free to pick."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from subgraphs.inventory.model.places import Location

CUTOFF_HOUR = 16
"""Who orders before this hour, by the clock on the location's wall, gets a parcel that leaves the same day."""
AHEAD_DAYS_MAX = 14


@dataclass(frozen=True, slots=True)
class Delay:
    """A location sends ``days`` later than it could if it never closed and had hands enough; and why."""

    days: int
    reason: str


def leaves_at(place: Location, now: datetime, hour: int, *, full: bool = False) -> datetime | None:
    """The next ``hour`` o'clock, local, at which goods ordered now are on their way; None if it does not work within a
    fortnight. ``full``: all that can be picked there today is spoken for."""
    local = now.astimezone(ZoneInfo(place.timezone))
    for day in range(_first_day(local) or int(full), AHEAD_DAYS_MAX + 1):
        if place.week[(local.weekday() + day) % 7] is not None:
            return local.replace(hour=hour, minute=0, second=0, microsecond=0) + timedelta(days=day)
    return None


def delays(places: Iterable[Location], now: datetime, full: Collection[str]) -> dict[str, Delay]:
    """The locations that send later than they might, by identity. One that does not work at all is not a place to buy
    from, which is the caller's to see: it waits ``AHEAD_DAYS_MAX`` days."""
    found: dict[str, Delay] = {}
    for place in places:
        local = now.astimezone(ZoneInfo(place.timezone))
        leaves = leaves_at(place, now, local.hour, full=place.id in full)
        first = _first_day(local)
        days = (leaves.date() - local.date()).days - first if leaves is not None else AHEAD_DAYS_MAX
        if days > 0:
            busy = place.id in full and first == 0
            found[place.id] = Delay(days, "has no more picks today" if busy else "is closed")
    return found


def _first_day(local: datetime) -> int:
    return int(local.hour >= CUTOFF_HOUR)
