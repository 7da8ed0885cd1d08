"""Concurrent items of one key are decided together; each caller gets its own answer."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from subgraphs.chassis.group_commit import GroupCommit


class Desk:
    """Decides by doubling; can be held closed to let items queue up."""

    def __init__(self) -> None:
        self.groups: list[list[int]] = []
        self.open = asyncio.Event()
        self.open.set()
        self.deciding = asyncio.Event()

    async def decide(self, items: Sequence[int]) -> Sequence[int | Exception]:
        self.groups.append(list(items))
        self.deciding.set()
        await self.open.wait()
        return [ValueError(f"no {item}") if item < 0 else item * 2 for item in items]


async def test_a_lone_item_is_decided_alone_at_once() -> None:
    desk = Desk()
    assert await GroupCommit(desk.decide).submit("a", 4) == 8
    assert desk.groups == [[4]]


async def test_what_queues_up_while_a_group_is_decided_becomes_the_next_group() -> None:
    desk = Desk()
    desk.open.clear()
    groups = GroupCommit(desk.decide, limit=3)
    async with asyncio.TaskGroup() as tasks:
        first = tasks.create_task(groups.submit("a", 0))
        await desk.deciding.wait()
        rest = [tasks.create_task(groups.submit("a", item)) for item in range(1, 6)]
        await asyncio.sleep(0)
        desk.open.set()
    assert desk.groups == [[0], [1, 2, 3], [4, 5]]
    assert [first.result(), *(task.result() for task in rest)] == [0, 2, 4, 6, 8, 10]


async def test_keys_do_not_wait_for_each_other() -> None:
    desk = Desk()
    desk.open.clear()
    groups = GroupCommit(desk.decide)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(groups.submit("a", 1))
        tasks.create_task(groups.submit("b", 2))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert desk.groups == [[1], [2]]
        desk.open.set()


async def test_one_refusal_is_for_its_own_caller() -> None:
    desk = Desk()
    groups = GroupCommit(desk.decide)
    results = await asyncio.gather(*(groups.submit("a", item) for item in (1, -2, 3)), return_exceptions=True)
    assert results[0] == 2
    assert isinstance(results[1], ValueError)
    assert results[2] == 6


async def test_a_decision_that_fails_fails_its_whole_group_and_no_other() -> None:
    calls = 0

    async def decide(items: Sequence[int]) -> Sequence[int | Exception]:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise RuntimeError("down")
        return list(items)

    groups = GroupCommit(decide)
    failed = await asyncio.gather(groups.submit("a", 1), groups.submit("a", 2), return_exceptions=True)
    assert [type(result) for result in failed] == [RuntimeError, RuntimeError]
    assert await groups.submit("a", 3) == 3


async def test_a_caller_that_left_the_queue_is_not_decided() -> None:
    desk = Desk()
    desk.open.clear()
    groups = GroupCommit(desk.decide)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(groups.submit("a", 1))
        await desk.deciding.wait()
        leaver = tasks.create_task(groups.submit("a", 2))
        stayer = tasks.create_task(groups.submit("a", 3))
        await asyncio.sleep(0)
        leaver.cancel()
        await asyncio.sleep(0)
        desk.open.set()
    assert desk.groups == [[1], [3]]
    assert stayer.result() == 6


async def test_closing_cancels_those_who_wait() -> None:
    desk = Desk()
    desk.open.clear()
    groups = GroupCommit(desk.decide)
    waiting = [asyncio.ensure_future(groups.submit("a", item)) for item in (1, 2)]
    await desk.deciding.wait()
    await groups.aclose()
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(result) for result in results] == [asyncio.CancelledError, asyncio.CancelledError]


async def test_too_few_answers_are_a_bug_everybody_hears_of() -> None:
    async def decide(items: Sequence[int]) -> Sequence[int | Exception]:
        return []

    with pytest.raises(AssertionError, match="decided 0 of 1"):
        await GroupCommit(decide).submit("a", 1)
