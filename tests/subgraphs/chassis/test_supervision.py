"""Jobs live as long as their supervisor, whatever they raise."""

from __future__ import annotations

import asyncio

import pytest
import structlog

from subgraphs.chassis.supervision import Supervisor


async def test_a_job_that_fails_is_logged_and_started_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("subgraphs.chassis.supervision.RESTART_BACKOFF_S", 0.001)
    runs, third = 0, asyncio.Event()

    async def job() -> None:
        nonlocal runs
        runs += 1
        if runs < 3:
            raise RuntimeError("again")
        third.set()
        await asyncio.Event().wait()

    with structlog.testing.capture_logs() as said:
        async with asyncio.timeout(5), Supervisor() as jobs:
            jobs.start("flaky", job)
            await third.wait()
    assert [line["job"] for line in said if line["log_level"] == "error"] == ["flaky", "flaky"]


async def test_the_end_cancels_all_jobs_and_waits_for_their_last_word() -> None:
    ended: list[str] = []
    running = asyncio.Event()

    async def job() -> None:
        try:
            running.set()
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            ended.append("job")

    async with Supervisor() as jobs:
        jobs.start("job", job)
        await running.wait()
    assert ended == ["job"]


async def test_an_error_in_the_block_comes_out_after_the_jobs_ended() -> None:
    running = asyncio.Event()

    async def job() -> None:
        running.set()
        await asyncio.Event().wait()

    async def fail() -> None:
        async with Supervisor() as jobs:
            jobs.start("job", job)
            await running.wait()
            raise LookupError

    with pytest.raises(LookupError):
        await fail()
