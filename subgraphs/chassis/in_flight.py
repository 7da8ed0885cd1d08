"""One request for equal questions that are asked at the same time; nothing is remembered once it is answered.

What belongs here: waiting for one another. What does not: which questions are equal, and for whom.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, TypeVar

T = TypeVar("T")


class InFlight:
    """The questions under way, by what they ask."""

    def __init__(self) -> None:
        self._asked: dict[Hashable, asyncio.Task[Any]] = {}
        self._waiting: dict[Hashable, int] = {}

    async def share(self, key: Hashable, ask: Callable[[], Awaitable[T]]) -> T:
        """The answer to the question under this key, which is asked if it is not under way. Who leaves takes nothing from
        the others; when the last one has left the question is withdrawn."""
        task = self._asked.get(key)
        if task is None:
            task = self._asked[key] = asyncio.ensure_future(_asked(ask))
            self._waiting[key] = 0
            task.add_done_callback(lambda _: self._forget(key, task))
        self._waiting[key] += 1
        try:
            answer: T = await asyncio.shield(task)
            return answer
        finally:
            if self._asked.get(key) is task:
                self._waiting[key] -= 1
                if not self._waiting[key] and not task.done():
                    self._forget(key, task)
                    task.cancel()

    def _forget(self, key: Hashable, task: asyncio.Task[Any] | None) -> None:
        if self._asked.get(key) is task:
            del self._asked[key]
            del self._waiting[key]


async def _asked(ask: Callable[[], Awaitable[T]]) -> T:
    return await ask()
