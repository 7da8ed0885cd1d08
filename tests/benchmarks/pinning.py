"""Who runs on which core: the gateway alone on one, everything else on the others. Where that cannot be had, it is said."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Cores:
    """Two sets of cores that share none; equal when the machine gives us one core or no say."""

    gateway: frozenset[int]
    others: frozenset[int]

    @property
    def apart(self) -> bool:
        return self.gateway != self.others

    @property
    def text(self) -> str:
        if not self.apart:
            return "Nothing is pinned: this machine gives one core, or no say in it."
        one, rest = len(self.gateway) == 1, len(self.others)
        return (
            f"The gateway is pinned to {'one core' if one else f'{len(self.gateway)} cores'}; what asks it and what"
            f" answers it share {'the other' if rest == 1 else f'the other {rest}'}."
        )


def cores() -> Cores:
    """The division of what this process may use."""
    if not hasattr(os, "sched_getaffinity"):
        return Cores(frozenset(), frozenset())
    ours = sorted(os.sched_getaffinity(0))
    if len(ours) < 2:
        return Cores(frozenset(ours), frozenset(ours))
    return Cores(frozenset(ours[-1:]), frozenset(ours[:-1]))


@contextlib.contextmanager
def starting_on(some: frozenset[int]) -> Iterator[None]:
    """What this process starts meanwhile is there from its first moment, and counts its cores accordingly."""
    if not some:
        yield
        return
    ours = os.sched_getaffinity(0)
    os.sched_setaffinity(0, some)
    try:
        yield
    finally:
        os.sched_setaffinity(0, ours)


def pin(division: Cores, *, gateway: int, others: Iterable[int]) -> None:
    """Pins running processes. What they start later inherits it."""
    if not division.apart:
        return
    _pin(gateway, division.gateway)
    for pid in others:
        _pin(pid, division.others)


def _pin(pid: int, to: frozenset[int]) -> None:
    # The system knows threads, not processes: one pinned by its process's id would leave its sisters where they were.
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(ProcessLookupError):
            os.sched_setaffinity(int(task.name), to)
