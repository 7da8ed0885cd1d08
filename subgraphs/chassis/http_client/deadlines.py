"""Deadlines of many futures with one timer, since a timer for each costs as much as the rest of a short wait.

Nearly every deadline is met, so none is worth more than an entry in a dictionary. The timer stands at the earliest deadline
that was there when it was set: what is done before that leaves, a later one finds it already standing, and when it rings,
whatever is late is told, and it is set for the earliest of the rest. What does not belong here: what being late means.
"""

from __future__ import annotations

import asyncio
from math import inf
from typing import Any, Final

TICK_S: Final = 0.001
"""The loop's own step; a timer may ring that much too early."""


class Deadlines:
    """Of one loop, that of the first future."""

    __slots__ = ("_due", "_rings_at", "_timer")

    def __init__(self) -> None:
        self._due: dict[asyncio.Future[Any], float] = {}
        self._rings_at = inf
        self._timer: asyncio.TimerHandle | None = None

    def add(self, future: asyncio.Future[Any], when: float) -> None:
        """From ``when`` on, by the loop's clock, the future raises TimeoutError, unless it is done or was removed."""
        self._due[future] = when
        if when < self._rings_at:
            self._set(when)

    def remove(self, future: asyncio.Future[Any]) -> None:
        """Nobody waits for it any more. Every future that was added is removed."""
        del self._due[future]

    def close(self) -> None:
        """Stops the timer. Nothing is told to whoever still waits."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._rings_at = None, inf

    def _set(self, when: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._rings_at = when
        self._timer = asyncio.get_running_loop().call_at(when, self._ring)

    def _ring(self) -> None:
        late = asyncio.get_running_loop().time() + TICK_S
        self._timer, self._rings_at = None, inf
        earliest = inf
        for future, when in self._due.items():
            if future.done():
                continue
            if when <= late:
                future.set_exception(TimeoutError())
            elif when < earliest:
                earliest = when
        if earliest < inf:
            self._set(earliest)
