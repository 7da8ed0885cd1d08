"""Lookups of one kind in one request become one batch."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from subgraphs.chassis.loaders import Loaders


class Store:
    """Remembers the batches it was asked for."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []

    async def read(self, keys: Sequence[int]) -> list[str | None]:
        self.batches.append(list(keys))
        return [f"v{key}" if key >= 0 else None for key in keys]


async def test_a_hundred_lookups_are_one_batch_of_distinct_keys() -> None:
    store, loaders = Store(), Loaders()
    wanted = [number % 40 for number in range(100)]
    found = await asyncio.gather(*(loaders.get("things", store.read).load(key) for key in wanted))
    assert found == [f"v{key}" for key in wanted]
    assert store.batches == [list(range(40))]


async def test_a_batch_is_never_larger_than_its_bound() -> None:
    store, loaders = Store(), Loaders(batch_max=30)
    await loaders.get("things", store.read).load_many(range(70))
    assert [len(batch) for batch in store.batches] == [30, 30, 10]


async def test_a_request_remembers_and_a_stream_does_not() -> None:
    for remember, batches in ((True, 1), (False, 2)):
        store, loaders = Store(), Loaders(remember=remember)
        for _ in range(2):
            assert await loaders.get("things", store.read).load(1) == "v1"
        assert len(store.batches) == batches


async def test_a_missing_thing_is_none() -> None:
    assert await Loaders().get("things", Store().read).load(-1) is None


async def test_a_batch_that_answers_too_little_is_a_bug() -> None:
    async def read(keys: Sequence[int]) -> list[int]:
        return []

    with pytest.raises(AssertionError, match="answered 0 of 1"):
        await Loaders().get("things", read).load(1)
