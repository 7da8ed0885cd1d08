"""Equal questions at one time are asked once; the next time they are asked again."""

from __future__ import annotations

import asyncio

import pytest

from subgraphs.chassis.in_flight import InFlight


class Oracle:
    def __init__(self) -> None:
        self.asked = 0
        self.withdrawn = 0
        self.answer = asyncio.Event()

    async def __call__(self) -> int:
        self.asked += 1
        number = self.asked
        try:
            await self.answer.wait()
        except asyncio.CancelledError:
            self.withdrawn += 1
            raise
        if number == 13:
            raise ValueError("unlucky")
        return number


async def started(*tasks: asyncio.Task[int]) -> None:
    for _ in range(3):
        await asyncio.sleep(0)


async def test_those_who_ask_at_once_share_an_answer_and_nobody_later_does() -> None:
    shared, oracle = InFlight(), Oracle()
    first = [asyncio.create_task(shared.share("k", oracle)) for _ in range(5)]
    other = asyncio.create_task(shared.share("l", oracle))
    await started(*first, other)
    oracle.answer.set()
    assert [await each for each in first] == [1] * 5
    assert await other == 2
    assert await shared.share("k", oracle) == 3


async def test_who_leaves_takes_nothing_from_the_others_and_the_last_withdraws_the_question() -> None:
    shared, oracle = InFlight(), Oracle()
    tasks = [asyncio.create_task(shared.share("k", oracle)) for _ in range(2)]
    await started(*tasks)
    tasks[0].cancel()
    await started()
    assert oracle.withdrawn == 0
    tasks[1].cancel()
    await started()
    await asyncio.wait(tasks)
    assert oracle.withdrawn == 1
    oracle.answer.set()
    assert await shared.share("k", oracle) == 2


async def test_a_failure_is_everybodys_and_is_not_remembered() -> None:
    shared, oracle = InFlight(), Oracle()
    oracle.asked = 12
    tasks = [asyncio.create_task(shared.share("k", oracle)) for _ in range(2)]
    await started(*tasks)
    oracle.answer.set()
    for each in tasks:
        with pytest.raises(ValueError, match="unlucky"):
            await each
    assert await shared.share("k", oracle) == 14
