"""Locations: where they are, when they are open, what they can do, how far away they are."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from zoneinfo import ZoneInfo

EARTH_RADIUS_KM = 6371.0088
_DAY_MINUTES = 24 * 60


class LocationKind(Enum):
    """What a location is for."""

    WAREHOUSE = "WAREHOUSE"
    STORE = "STORE"
    DARK_STORE = "DARK_STORE"
    EVENT = "EVENT"
    VENDOR = "VENDOR"


class Capability(Enum):
    """What a location can do with stock."""

    SHIP = "SHIP"
    PICKUP = "PICKUP"
    CURBSIDE = "CURBSIDE"
    RETURNS = "RETURNS"


@dataclass(frozen=True, slots=True)
class Point:
    """Degrees north and east."""

    lat: float
    lng: float

    def distance_km(self, other: Point) -> float:
        """Along the great circle (haversine), in kilometres."""
        lat1, lat2 = math.radians(self.lat), math.radians(other.lat)
        half_lat, half_lng = (lat2 - lat1) / 2, math.radians(other.lng - self.lng) / 2
        chord = math.sin(half_lat) ** 2 + math.cos(lat1) * math.cos(lat2) * math.sin(half_lng) ** 2
        return 2 * EARTH_RADIUS_KM * math.asin(min(1.0, math.sqrt(chord)))


@dataclass(frozen=True, slots=True)
class Hours:
    """Opening minutes of one day, counted from local midnight; ``closes`` may be 1440 (midnight)."""

    opens: int
    closes: int


@dataclass(frozen=True, slots=True)
class Share:
    """``percent`` (0 to 100) of what is on hand that only these channels may sell."""

    percent: int
    channels: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """A place with stock. ``week`` is Monday to Sunday; a closed day is None. No channels named means all.

    A store ships nothing that would leave fewer than ``shipping_floor`` units of a SKU on its shelves.
    """

    id: str
    code: str
    name: str
    kind: LocationKind
    point: Point
    timezone: str
    address: str
    country: str
    capabilities: tuple[Capability, ...]
    week: tuple[Hours | None, ...]
    pickup_lead_minutes: int | None = None
    daily_pick_capacity: int | None = None
    channels: tuple[str, ...] = ()
    shares: tuple[Share, ...] = ()
    shipping_floor: int = 0

    def can(self, capability: Capability) -> bool:
        return capability in self.capabilities

    def serves(self, channel: str | None) -> bool:
        """Whether stock here may be sold through the channel."""
        return channel is None or not self.channels or channel in self.channels

    def open_at(self, instant: datetime) -> bool:
        """Whether the doors are open at that instant, by the clock on its wall."""
        local = instant.astimezone(ZoneInfo(self.timezone))
        hours = self.week[local.weekday()]
        return hours is not None and hours.opens <= local.hour * 60 + local.minute < hours.closes

    def ready_after(self, instant: datetime, work_minutes: int) -> datetime | None:
        """When ``work_minutes`` of work begun at ``instant`` are done, working in opening hours only.

        Nothing if it does not open for so long within a fortnight.
        """
        zone = ZoneInfo(self.timezone)
        local = instant.astimezone(zone)
        midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
        minute = local.hour * 60 + local.minute
        left = work_minutes
        for day in range(15):
            hours = self.week[(local.weekday() + day) % 7]
            if hours is not None:
                begin = max(hours.opens, minute) if day == 0 else hours.opens
                if begin < hours.closes:
                    if begin + left <= hours.closes:
                        # Wall-clock arithmetic in the zone, so that a change of summer time shifts nothing.
                        done = midnight + timedelta(days=day, minutes=begin + left)
                        return done.astimezone(instant.tzinfo)
                    left -= hours.closes - begin
        return None


def minutes(text: str) -> int:
    """Minutes from midnight of ``"09:30"``; ``"24:00"`` is the end of the day."""
    hour, _, minute = text.partition(":")
    total = int(hour) * 60 + int(minute)
    if not 0 <= total <= _DAY_MINUTES:
        raise ValueError(f"not a time of day: {text!r}")
    return total
