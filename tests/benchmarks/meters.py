"""Reading the meters: CPU time and memory of processes and of the machine, and percentiles. Asks nobody anything."""

from __future__ import annotations

import contextlib
import math
import os
import platform
import resource
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
_IDLE_COLUMNS = (3, 4)
"""Of the machine's line in /proc/stat: idle and waiting for input or output."""
_GUEST_COLUMN = 8
"""From here on the line repeats what it counted before."""


@dataclass(frozen=True, slots=True)
class Latencies:
    """Milliseconds, sorted."""

    values: tuple[float, ...]

    @classmethod
    def of(cls, seconds: list[float]) -> Latencies:
        assert seconds, "nothing was measured"
        return cls(tuple(sorted(value * 1000 for value in seconds)))

    def at(self, fraction: float) -> float:
        """The nearest-rank percentile: of a hundred values, 0.99 is the last but one."""
        return self.values[max(0, math.ceil(len(self.values) * fraction) - 1)]

    @property
    def p50(self) -> float:
        return self.at(0.5)

    @property
    def p99(self) -> float:
        return self.at(0.99)


def cpu_seconds(pid: int) -> float:
    """User and system time that a process has used, all its threads; in steps of a tick (10 ms as a rule)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_A_SECOND


def cpu_by_name(processes: Mapping[str, int]) -> dict[str, float]:
    return {name: cpu_seconds(pid) for name, pid in processes.items()}


def resident_mb(pid: int) -> float:
    """Memory that a process holds now."""
    return _status_mb(pid, "VmRSS")


def resident_peak_mb(pid: int) -> float:
    """The most that it ever held."""
    return _status_mb(pid, "VmHWM")


def _status_mb(pid: int, field: str) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise AssertionError(f"/proc says no {field} of process {pid}")


def family(pid: int) -> tuple[int, ...]:
    """A process, those it started, and those they started."""
    return (pid, *(each for child in children(pid) for each in family(child)))


def children(of: int | None = None) -> tuple[int, ...]:
    """The processes that this one, or another, started and that still run."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        # A process may end while we read, and one that has ended is not yet gone.
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            state, parent = stat.read_text().rpartition(")")[2].split()[:2]
            if int(parent) == (of or os.getpid()) and state != "Z":
                found.append(int(stat.parent.name))
    return tuple(found)


def machine_busy_seconds() -> float:
    """CPU time of all programs of this machine since it started, summed over its cores."""
    columns = Path("/proc/stat").read_text().splitlines()[0].split()[1:][:_GUEST_COLUMN]
    return sum(int(value) for at, value in enumerate(columns) if at not in _IDLE_COLUMNS) / TICKS_A_SECOND


def our_busy_seconds() -> float:
    """CPU time of this process, of those it started, and of those of them that have ended."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return cpu_seconds(os.getpid()) + ended.ru_utime + ended.ru_stime + sum(cpu_seconds(pid) for pid in children())


def load_average() -> float:
    return os.getloadavg()[0]


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
    memory_gb = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9
    virtual = " (virtual)" if " hypervisor" in Path("/proc/cpuinfo").read_text() else ""
    return (
        f"{os.cpu_count()} cores{virtual} of {model or 'an unnamed processor'}, {memory_gb:.0f} GB,"
        f" {platform.system()} {platform.release().partition('-')[0]}, Python {platform.python_version()}"
    )
