"""A bounded load: so many requests, so many at once, no longer than so long; what it took and what it cost whom."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from tests.benchmarks.meters import Latencies, cpu_by_name

Ask = Callable[[int], Awaitable[None]]
"""Sends the n-th request and checks its answer; raises when that is not what it should be."""

SLICES = 3
"""Compared loads take turns this often: what disturbs the machine for seconds then disturbs all of them."""
LOAD_S_MAX = 8.0
"""No load goes on for longer, all its slices together."""


@dataclass(slots=True)
class Load:
    """What one load took so far: the sum of its slices."""

    connections: int
    seconds: float = 0.0
    taken: list[float] = field(default_factory=list)
    """The wall time of each request, in seconds."""
    cpu: dict[str, float] = field(default_factory=dict)
    """CPU seconds by process."""

    @property
    def requests(self) -> int:
        return len(self.taken)

    @property
    def per_second(self) -> float:
        return self.requests / self.seconds

    @property
    def latencies(self) -> Latencies:
        return Latencies.of(self.taken)

    def cpu_ms(self, *names: str) -> float:
        """CPU milliseconds a request, of these processes together."""
        return sum(self.cpu[name] for name in names) * 1000 / self.requests


async def compare(
    asks: Mapping[str, Ask], *, connections: int, requests: int, processes: Mapping[str, int]
) -> dict[str, Load]:
    """Loads that take turns, each warmed up by a tenth of its requests before anything is counted."""
    loads = {name: Load(connections) for name in asks}
    for ask in asks.values():
        await drive(Load(connections), ask, count=max(connections, requests // 10), seconds_max=LOAD_S_MAX)
    for turn in range(SLICES):
        # Each turn begins with another one, so that nobody always runs on what the same neighbour left behind.
        names = list(asks)[turn % len(asks) :] + list(asks)[: turn % len(asks)]
        for name in names:
            load = loads[name]
            before = cpu_by_name(processes)
            await drive(load, asks[name], count=requests // SLICES, seconds_max=LOAD_S_MAX / SLICES)
            for process, seconds in cpu_by_name(processes).items():
                load.cpu[process] = load.cpu.get(process, 0.0) + seconds - before[process]
    return loads


async def drive(load: Load, ask: Ask, *, count: int, seconds_max: float) -> None:
    """As many requests as said, or as many as can begin in the time; each that began is waited for."""
    numbers = iter(range(load.requests, load.requests + count))
    began = time.perf_counter()

    async def one() -> None:
        for number in numbers:
            at = time.perf_counter()
            if at - began > seconds_max:
                return
            await ask(number)
            load.taken.append(time.perf_counter() - at)

    async with asyncio.TaskGroup() as group:
        for _ in range(load.connections):
            group.create_task(one())
    load.seconds += time.perf_counter() - began
