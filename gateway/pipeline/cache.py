"""A bounded cache whose misses are computed once: the least recently used entry leaves, equal misses wait for one.

What belongs here: keeping and making. What does not: what is kept (documents, plans).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from concurrent.futures import Executor
from typing import Generic, TypeVar

from cachetools import LRUCache

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class SingleFlightCache(Generic[K, V]):
    """Makes values on an executor, so that a slow one delays other new values but never the event loop.

    A maker's exception reaches everyone who waits for that key, and is not kept: what should be remembered as a
    refusal is a value. Keys heavier than the whole cache are made and not kept. For one event loop.
    """

    def __init__(self, executor: Executor, *, weight_max: int, weigh: Callable[[K], int] | None = None) -> None:
        self._executor = executor
        self._weigh = weigh or (lambda _key: 1)
        self._weight_max = weight_max
        # cachetools weighs values; the key's weight travels with the value.
        self._kept: LRUCache[K, tuple[int, V]] = LRUCache(weight_max, getsizeof=lambda entry: entry[0])
        self._flights: dict[K, asyncio.Future[V]] = {}

    async def get(self, key: K, make: Callable[[], V]) -> V:
        """The kept value, or the one ``make`` returns on the executor."""
        entry = self._kept.get(key)
        if entry is not None:
            return entry[1]
        flight = self._flights.get(key)
        if flight is None:
            flight = asyncio.get_running_loop().run_in_executor(self._executor, make)
            self._flights[key] = flight
            flight.add_done_callback(lambda done: self._land(key, done))
        # Shielded: a client that goes away must not take the value from the others that wait.
        return await asyncio.shield(flight)

    def _land(self, key: K, flight: asyncio.Future[V]) -> None:
        del self._flights[key]
        # Looking at the exception keeps the loop from reporting it as unseen when every waiter has gone.
        if flight.cancelled() or flight.exception() is not None:
            return
        weight = self._weigh(key)
        if weight <= self._weight_max:
            self._kept[key] = (weight, flight.result())

    def __len__(self) -> int:
        return len(self._kept)
