"""The cache is bounded by weight, makes a value once for all who wait, and forgets failures."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from prometheus_client import REGISTRY

from gateway.pipeline.cache import Cache, SingleFlightCache


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


def test_what_weighs_too_much_together_leaves_oldest_first() -> None:
    cache: Cache[str, int] = Cache("test", weight_max=10)
    for key, weight in (("a", 4), ("b", 4), ("a", 2), ("c", 4)):
        cache.keep(key, weight, weight)
    assert [cache.find(key) for key in "abc"] == [2, 4, 4]
    cache.keep("d", 7, 7)
    assert [cache.find(key) for key in "abcd"] == [None, None, None, 7]
    cache.keep("d", 11, 11)
    assert cache.find("d") == 7


def test_a_look_that_was_worth_it_is_counted() -> None:
    def counted(found: str) -> float:
        labels = {"cache": "counted", "found": found}
        return REGISTRY.get_sample_value("galleria_cache_reads_total", labels) or 0.0

    cache: Cache[str, int] = Cache("counted", weight_max=1)
    cache.find("a")
    cache.keep("a", 1)
    cache.find("a")
    cache.find("a")
    assert (counted("yes"), counted("no")) == (2, 1)
