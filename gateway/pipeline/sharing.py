"""One execution for equal requests that are under way at the same time.

What belongs here: waiting for one another. What does not: which requests are equal, and which may share at all (``pipeline``).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from functools import partial
from typing import Any, Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class _Work(Generic[V]):
    """What several wait for."""

    __slots__ = ("task", "waiting")

    def __init__(self, task: asyncio.Task[V]) -> None:
        self.task = task
        self.waiting = 0


class UnderWay(Generic[K, V]):
    """What is being done now, by what it is."""

    def __init__(self) -> None:
        self._works: dict[K, _Work[V]] = {}

    async def share(self, key: K, start: Callable[[], Coroutine[Any, Any, V]]) -> V:
        """What the work under this key gives, which is started if it is not under way. It belongs to nobody: whoever
        leaves takes nothing from the others, and when the last one has left it is cancelled."""
        work = self._works.get(key)
        if work is None:
            work = self._works[key] = _Work(asyncio.ensure_future(start()))
            work.task.add_done_callback(partial(self._forget, key, work))
        work.waiting += 1
        try:
            return await asyncio.shield(work.task)
        finally:
            work.waiting -= 1
            if not work.waiting and not work.task.done():
                work.task.cancel()
                self._forget(key, work)  # who comes now must not wait for what is being cancelled

    def _forget(self, key: K, work: _Work[V], _: object = None) -> None:
        if self._works.get(key) is work:
            del self._works[key]

    def __len__(self) -> int:
        return len(self._works)
