"""The owner of a process's background jobs: nothing runs unowned, a job that fails is logged and started again.

What the jobs do belongs to them. A job is a coroutine function that runs until it is cancelled.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from typing import Self

from subgraphs.chassis.telemetry import logger

RESTART_BACKOFF_S = 0.1
RESTART_BACKOFF_S_MAX = 10.0
# A job that ran this long had recovered; its next failure starts from the short pause again.
HEALTHY_AFTER_S = 30.0
CANCEL_AGAIN_S = 0.25

_log = logger(__name__)


class Supervisor:
    """Runs jobs side by side from ``async with`` to its end, where all are cancelled and waited for."""

    def __init__(self) -> None:
        self._group = asyncio.TaskGroup()
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        return self

    async def __aexit__(self, *exc: object) -> None:
        # A driver may swallow a cancellation that reaches it while it recovers a connection: ask until all have ended.
        running = set(self._tasks)
        while running:
            for task in running:
                task.cancel()
            _, running = await asyncio.wait(running, timeout=CANCEL_AGAIN_S)
        await self._group.__aexit__(None, None, None)

    def start(self, name: str, job: Callable[[], Awaitable[None]]) -> None:
        """Runs ``job`` until the end; if it raises or returns it is started again after a growing pause."""
        self._tasks.append(self._group.create_task(self._keep(name, job), name=name))

    async def _keep(self, name: str, job: Callable[[], Awaitable[None]]) -> None:
        pause_s = RESTART_BACKOFF_S
        while True:
            started = time.monotonic()
            try:
                await job()
                _log.info("job ended", job=name)
            except Exception:  # noqa: BLE001 - the one place that keeps jobs alive whatever they raise
                _log.exception("job failed", job=name)
            if time.monotonic() - started > HEALTHY_AFTER_S:
                pause_s = RESTART_BACKOFF_S
            await asyncio.sleep(pause_s * random.uniform(0.5, 1.5))  # noqa: S311
            pause_s = min(pause_s * 2, RESTART_BACKOFF_S_MAX)
