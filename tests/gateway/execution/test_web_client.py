"""What the client for https and event streams adds to its library; what both do together is in ``test_transport``."""

from __future__ import annotations

import asyncio
import contextlib

from gateway.execution.web_client import _not_lost


async def test_a_cancellation_that_the_library_forgets_is_not_lost() -> None:
    waiting = asyncio.Event()

    async def forgetful() -> str:
        waiting.set()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        return "what came at the same moment"

    task = asyncio.create_task(_not_lost(forgetful()))
    await waiting.wait()
    task.cancel()
    await asyncio.wait({task}, timeout=10)
    assert task.cancelled()


async def test_a_result_is_handed_on() -> None:
    async def found() -> str:
        return "found"

    assert await _not_lost(found()) == "found"
