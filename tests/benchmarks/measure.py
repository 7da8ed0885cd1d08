"""Reading the meters: CPU time and memory of processes, latencies of a bounded load. No workload in here."""

from __future__ import annotations

import asyncio
import os
import platform
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Latencies:
    """Milliseconds, sorted."""

    values: tuple[float, ...]

    @classmethod
    def of(cls, seconds: list[float]) -> Latencies:
        return cls(tuple(sorted(value * 1000 for value in seconds)))

    def at(self, fraction: float) -> float:
        return self.values[min(len(self.values) - 1, int(len(self.values) * fraction))]


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What a bounded load cost. CPU is in milliseconds a request, by process."""

    requests: int
    seconds: float
    latencies: Latencies
    cpu_ms: Mapping[str, float]

    @property
    def per_second(self) -> float:
        return self.requests / self.seconds


def cpu_seconds(pid: int) -> float:
    """User and system time a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_A_SECOND


def resident_mb(pid: int) -> float:
    """Memory a process holds now."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_BYTES / 1e6


async def load(
    ask: Callable[[], Awaitable[None]], *, connections: int, requests: int, processes: Mapping[str, int]
) -> Load:
    """``requests`` calls of ``ask``, ``connections`` at once, after a tenth as many to warm up."""

    async def drive(count: int) -> list[float]:
        left = iter(range(count))
        taken: list[float] = []

        async def one() -> None:
            for _ in left:
                began = time.perf_counter()
                await ask()
                taken.append(time.perf_counter() - began)

        async with asyncio.TaskGroup() as group:
            for _ in range(connections):
                group.create_task(one())
        return taken

    await drive(max(connections, requests // 10))
    before = {name: cpu_seconds(pid) for name, pid in processes.items()}
    began = time.perf_counter()
    taken = await drive(requests)
    seconds = time.perf_counter() - began
    return Load(
        requests=requests,
        seconds=seconds,
        latencies=Latencies.of(taken),
        cpu_ms={name: (cpu_seconds(pid) - before[name]) * 1000 / requests for name, pid in processes.items()},
    )


def machine() -> str:
    """This machine in one line."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.processor(),
    )
    return f"{os.cpu_count()} cores of {model or 'an unnamed processor'}, {platform.system()}, Python {platform.python_version()}"
