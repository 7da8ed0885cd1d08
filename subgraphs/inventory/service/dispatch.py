"""Which locations send late: closed, or with as many orders to pick today as they can. Known a little late, on purpose:
it ranks locations and refuses nothing, so every order asking anew would buy nothing."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

from subgraphs.chassis.mongo import Database
from subgraphs.inventory.model.dispatch import Delay, delays
from subgraphs.inventory.service.places import Places
from subgraphs.inventory.store.picks import picks_since
from subgraphs.kernel.clock import Clock

FRESH_S = 15.0


class Dispatch:
    """What keeps locations from sending at once, read anew every ``FRESH_S`` seconds at most."""

    def __init__(self, database: Database, places: Places, clock: Clock) -> None:
        self._database = database
        self._places = places
        self._clock = clock
        self._full: frozenset[str] = frozenset()
        self._delays: Mapping[str, Delay] = {}
        self._stale_at = 0.0
        self._reading = asyncio.Lock()

    async def full(self) -> frozenset[str]:
        """Identities of the locations that have as many orders of today to pick as they can."""
        await self._refresh()
        return self._full

    async def delays(self) -> Mapping[str, Delay]:
        """The locations that send later than they might, by identity."""
        await self._refresh()
        return self._delays

    async def _refresh(self) -> None:
        if time.monotonic() < self._stale_at:
            return
        async with self._reading:
            if time.monotonic() >= self._stale_at:
                await self._read()
                self._stale_at = time.monotonic() + FRESH_S

    async def _read(self) -> None:
        places, now = await self._places.all(), self._clock.now()
        midnights = {place.id: _midnight(now, place.timezone) for place in places.values()}
        picks: Counter[str] = Counter()
        for made_at, locations in await picks_since(self._database, min(midnights.values(), default=now)):
            picks.update(each for each in locations if each in midnights and made_at >= midnights[each])
        self._full = frozenset(
            place.id
            for place in places.values()
            if place.daily_pick_capacity is not None and picks[place.id] >= place.daily_pick_capacity
        )
        self._delays = delays(places.values(), now, self._full)


def _midnight(now: datetime, timezone: str) -> datetime:
    local = now.astimezone(ZoneInfo(timezone))
    return local.replace(hour=0, minute=0, second=0, microsecond=0).astimezone(now.tzinfo)
