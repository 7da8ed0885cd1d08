"""How one thing grows with another: a fixed cost and a power, fitted to a few points. Pure; what was measured is elsewhere.

The fit is ``fixed + each · n^exponent``, fixed and each not negative. For a given exponent that is a least squares problem
with two unknowns; the exponents are tried one after the other. Errors are relative: a point of 150 ms and one of 0.2 ms are
to be missed by the same part of each. Without the fixed cost, a curve that begins with it would look flatter than it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

Points: TypeAlias = Sequence[tuple[float, float]]
"""What grew and what that cost, both above 0."""

FLAT_MAX: Final = 1.3
"""The dearest point over the cheapest, where nothing is said to grow."""
LINEAR_MISS_MAX: Final = 0.25
"""A line that misses no point by more is taken for one: by so much does one point differ from itself on a shared machine, and
with a few points a bent curve can always be bent a little better."""
MISS_MAX: Final = 0.5
"""A point that is missed by more says that it is another law, or none."""
_EXPONENTS: Final = tuple(step / 100 for step in range(5, 301))


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    fixed: float
    each: float
    """What is to be multiplied with n to the power."""
    exponent: float
    """0 where nothing grows."""
    miss: float
    """The worst relative error of a point."""

    @property
    def lawful(self) -> bool:
        """Whether the points are on the curve at all."""
        return self.miss <= MISS_MAX


def growth(points: Points) -> Growth:
    """How the second of each pair grows with the first: not at all, by a line, or by the power that fits best."""
    costs = [cost for _, cost in points]
    if max(costs) <= FLAT_MAX * min(costs):
        fixed = sum(costs) / len(costs)
        return Growth(fixed=fixed, each=0.0, exponent=0.0, miss=max(abs(fixed / cost - 1) for cost in costs))
    line = _fit(points, 1.0)
    if line.miss > LINEAR_MISS_MAX:
        return power(points)
    return line if line.each else replace(line, exponent=0.0)


def power(points: Points) -> Growth:
    """The fit with the best exponent, whatever it is: what a line hides, if it hides anything."""
    return min((_fit(points, exponent) for exponent in _EXPONENTS), key=lambda found: _squares(points, found))


def slope(points: Points) -> float:
    """The rise of the straight line through the points, by least squares."""
    middle = sum(at for at, _ in points) / len(points)
    spread = sum((at - middle) ** 2 for at, _ in points)
    return sum((at - middle) * value for at, value in points) / spread


def _fit(points: Points, exponent: float) -> Growth:
    # Divided by what it cost, every point's equation reads: fixed · u + each · v = 1.
    pairs = [(1 / cost, at**exponent / cost) for at, cost in points]
    uu, uv, vv = (sum(pair[i] * pair[j] for pair in pairs) for i, j in ((0, 0), (0, 1), (1, 1)))
    u, v = (sum(pair[i] for pair in pairs) for i in (0, 1))
    determinant = uu * vv - uv * uv
    fixed, each = (u * vv - v * uv) / determinant, (v * uu - u * uv) / determinant
    if fixed < 0:
        fixed, each = 0.0, v / vv
    elif each < 0:
        fixed, each = u / uu, 0.0
    miss = max(abs(fixed * one + each * two - 1) for one, two in pairs)
    return Growth(fixed=fixed, each=each, exponent=exponent, miss=miss)


def _squares(points: Points, found: Growth) -> float:
    return sum(((found.fixed + found.each * at**found.exponent) / cost - 1) ** 2 for at, cost in points)
