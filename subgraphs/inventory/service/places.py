"""The locations, kept in memory: there are hundreds at most, everything asks for them, and they hardly ever change."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping

from subgraphs.inventory.model.places import Location
from subgraphs.inventory.store import Store

# A new location is data, not a deployment: it is seen this soon.
FRESH_S = 5.0


class Places:
    """All locations by identity, read anew every ``FRESH_S`` seconds at most."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: Mapping[str, Location] = {}
        self._stale_at = 0.0
        self._reading = asyncio.Lock()

    async def all(self) -> Mapping[str, Location]:
        """The locations, in identity order."""
        if time.monotonic() >= self._stale_at:
            async with self._reading:
                if time.monotonic() >= self._stale_at:
                    self._known = {place.id: place for place in await self._store.locations()}
                    self._stale_at = time.monotonic() + FRESH_S
        return self._known
