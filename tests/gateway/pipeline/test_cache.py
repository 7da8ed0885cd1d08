"""The cache is bounded by weight, makes a value once for all who wait, and forgets failures."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from gateway.pipeline.cache import SingleFlightCache


async def test_equal_misses_wait_for_one_making() -> None:
    release = threading.Event()
    made: list[str] = []

    def make() -> str:
        release.wait(5)
        made.append("a")
        return "A"

    cache: SingleFlightCache[str, str] = SingleFlightCache("test", ThreadPoolExecutor(2), weight_max=10)
    waiting = [asyncio.ensure_future(cache.get("a", make)) for _ in range(5)]
    await asyncio.sleep(0)
    release.set()
    assert await asyncio.gather(*waiting) == ["A"] * 5
    assert made == ["a"]


async def test_a_waiter_that_goes_away_does_not_take_the_value_from_the_others() -> None:
    release = threading.Event()
    cache: SingleFlightCache[str, int] = SingleFlightCache("test", ThreadPoolExecutor(1), weight_max=10)
    first = asyncio.ensure_future(cache.get("a", lambda: int(release.wait(5))))
    second = asyncio.ensure_future(cache.get("a", lambda: 7))
    await asyncio.sleep(0)
    first.cancel()
    release.set()
    assert await second == 1


async def test_a_failure_reaches_the_waiter_and_is_not_kept() -> None:
    def fail() -> int:
        raise ValueError("no")

    cache: SingleFlightCache[str, int] = SingleFlightCache("test", ThreadPoolExecutor(1), weight_max=10)
    with pytest.raises(ValueError, match="no"):
        await cache.get("a", fail)
    assert await cache.get("a", lambda: 1) == 1


async def test_the_least_recently_used_leaves_and_what_is_too_heavy_is_not_kept() -> None:
    cache: SingleFlightCache[str, str] = SingleFlightCache("test", ThreadPoolExecutor(1), weight_max=4, weigh=len)
    for key in ("aa", "bb", "aa", "cc", "heavy"):
        await cache.get(key, key.upper)
    assert len(cache) == 2
    assert await cache.get("aa", lambda: "made again") == "AA"
    assert await cache.get("bb", lambda: "made again") == "made again"
