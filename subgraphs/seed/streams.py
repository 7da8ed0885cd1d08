"""Random streams that are the same everywhere: one a (seed, kind, id), drawn with arithmetic only."""

from __future__ import annotations

import bisect
import hashlib
import math
import random
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Stream:
    """Draws for one entity. Built on ``Random.random`` alone, the one method whose sequence Python promises to keep."""

    __slots__ = ("_random",)

    def __init__(self, seed: int, kind: str, identity: str) -> None:
        digest = hashlib.sha256(f"{seed}:{kind}:{identity}".encode()).digest()
        self._random = random.Random(int.from_bytes(digest[:8], "big")).random  # noqa: S311 -- data, not secrets

    def unit(self) -> float:
        """In [0, 1)."""
        return self._random()

    def integer(self, low: int, high: int) -> int:
        """In [low, high], both ends included."""
        return low + int(self._random() * (high - low + 1))

    def chance(self, probability: float) -> bool:
        return self._random() < probability

    def pick(self, items: Sequence[T]) -> T:
        return items[int(self._random() * len(items))]

    def sample(self, items: Sequence[T], count: int) -> list[T]:
        """``count`` different items, in drawn order (all of them when there are fewer)."""
        pool = list(items)
        return [pool.pop(int(self._random() * len(pool))) for _ in range(min(count, len(pool)))]

    def weighted(self, items: Sequence[T], cumulative: Sequence[float]) -> T:
        """One item, by cumulative weights (the last is their sum)."""
        point = self._random() * cumulative[-1]
        return items[bisect.bisect_right(cumulative, point, hi=len(cumulative) - 1)]

    def gauss(self) -> float:
        """Standard normal, by Box and Muller; one draw pair a value, so no hidden state."""
        first, second = 1.0 - self._random(), self._random()
        return math.sqrt(-2.0 * math.log(first)) * math.cos(2.0 * math.pi * second)
