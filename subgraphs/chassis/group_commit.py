"""Group commit: concurrent requests for one hot document are decided together, in one transaction.

Theory of operation. A commit costs one flush however much it carries, and transactions that touch the same document
collide. So requests are queued per key; while one group of a key is being decided the next gathers behind it. Each
group is handed to ``decide`` in arrival order, at most ``limit`` at once, and every caller gets its own outcome. Under
no load a request is decided at once, alone: nothing ever waits for a timer.

Between processes transactions still collide and are retried by ``Database.transact``. What a group decides is the
domain's business.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")


class GroupCommit(Generic[T, R]):
    """Combines concurrent items of one key into calls of ``decide``.

    ``decide`` answers one result per item, in order; a result that is an exception is raised to that item's caller. If
    ``decide`` itself raises, every caller of the group gets that exception.
    """

    def __init__(self, decide: Callable[[Sequence[T]], Awaitable[Sequence[R | Exception]]], limit: int = 64) -> None:
        assert limit > 0
        self._decide = decide
        self._limit = limit
        self._queues: dict[Hashable, deque[tuple[T, asyncio.Future[R]]]] = {}
        # One worker per key with work; it ends with its queue, so an idle GroupCommit owns no task.
        self._workers: dict[Hashable, asyncio.Task[None]] = {}

    async def submit(self, key: Hashable, item: T) -> R:
        """The outcome of ``item``, decided with whatever else is waiting for ``key``.

        A caller cancelled while it waits in the queue is left out; one whose group is being decided leaves the decision
        standing, as with any commit whose answer was not waited for.
        """
        answer: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._queues.setdefault(key, deque()).append((item, answer))
        if key not in self._workers:
            self._workers[key] = asyncio.create_task(self._work(key), name=f"group-commit {key}")
        return await answer

    async def aclose(self) -> None:
        """Ends the workers; callers still waiting are cancelled."""
        workers = list(self._workers.values())
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)

    async def _work(self, key: Hashable) -> None:
        queue = self._queues[key]
        group: list[tuple[T, asyncio.Future[R]]] = []
        try:
            while queue:
                group = []
                while queue and len(group) < self._limit:
                    item, answer = queue.popleft()
                    if not answer.done():
                        group.append((item, answer))
                if group:
                    await self._answer(group)
        finally:
            # No await since the queue was last seen empty: nobody can have joined in between.
            del self._queues[key], self._workers[key]
            for _, answer in (*group, *queue):
                answer.cancel()

    async def _answer(self, group: list[tuple[T, asyncio.Future[R]]]) -> None:
        try:
            results = await self._decide([item for item, _ in group])
            assert len(results) == len(group), f"decided {len(results)} of {len(group)} items"
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the answer to everyone in the group
            for _, answer in group:
                if not answer.done():
                    answer.set_exception(error)
            return
        for (_, answer), result in zip(group, results, strict=True):
            if answer.done():
                continue
            if isinstance(result, Exception):
                answer.set_exception(result)
            else:
                answer.set_result(result)
