"""Bounded caches: the least recently used entry leaves; of one whose values are made, equal misses wait for one making.

What belongs here: keeping and making, and counting how often it was worth it. What does not: what is kept.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Executor
from itertools import islice
from typing import Generic, TypeVar

from prometheus_client import Counter

from subgraphs.chassis.telemetry import one_more

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

CACHE_READS = Counter(
    "galleria_cache_reads", "What was looked for in the gateway's own caches, by whether it was there.", ("cache", "found")
)  # fmt: skip


class Cache(Generic[K, V]):
    """At most ``weight_max`` of whatever entries weigh; an entry heavier than all of it is not kept.

    Every request looks into several of these, so that they cost a look into a dict each.
    """

    __slots__ = ("_hit", "_kept", "_miss", "_weight", "_weight_max")

    def __init__(self, name: str, *, weight_max: int) -> None:
        self._weight_max = weight_max
        self._weight = 0
        self._kept: OrderedDict[K, tuple[int, V]] = OrderedDict()
        self._hit = one_more(CACHE_READS.labels(name, "yes"))
        self._miss = one_more(CACHE_READS.labels(name, "no"))

    def find(self, key: K) -> V | None:
        entry = self._kept.get(key)
        if entry is None:
            self._miss()
            return None
        self._hit()
        self._kept.move_to_end(key)
        return entry[1]

    def keep(self, key: K, value: V, weight: int = 1) -> None:
        if weight > self._weight_max:
            return
        before = self._kept.pop(key, None)
        self._weight += weight - (before[0] if before is not None else 0)
        self._kept[key] = (weight, value)
        while self._weight > self._weight_max:
            _, (left, _) = self._kept.popitem(last=False)
            self._weight -= left

    def recent(self, most: int) -> list[K]:
        """The keys that were looked for last, the last one first."""
        return list(islice(reversed(self._kept), most))

    def __len__(self) -> int:
        return len(self._kept)


class SingleFlightCache(Generic[K, V]):
    """Makes values on an executor, so that a slow one delays other new values but never the event loop.

    A maker's exception reaches everyone who waits for that key, and is not kept: what should be remembered as a
    refusal is a value. Keys heavier than the whole cache are made and not kept. For one event loop.
    """

    def __init__(
        self, name: str, executor: Executor, *, weight_max: int, weigh: Callable[[K], int] | None = None
    ) -> None:
        self._executor = executor
        self._weigh = weigh or (lambda _key: 1)
        self._kept: Cache[K, V] = Cache(name, weight_max=weight_max)
        self.find = self._kept.find
        self.recent = self._kept.recent
        self._flights: dict[K, asyncio.Future[V]] = {}

    async def get(self, key: K, make: Callable[[], V]) -> V:
        """The kept value, or the one ``make`` returns on the executor."""
        kept = self.find(key)
        return kept if kept is not None else await self.make(key, make)

    async def make(self, key: K, make: Callable[[], V]) -> V:
        """The value ``make`` returns on the executor, for whoever did not find one."""
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
        if not flight.cancelled() and flight.exception() is None:
            self._kept.keep(key, flight.result(), self._weigh(key))

    def __len__(self) -> int:
        return len(self._kept)
