"""A fit finds the fixed cost and the power it was given, and calls things by their names."""

from __future__ import annotations

from math import log

import pytest

from tests.benchmarks.growth import growth, power, slope

SIZES = (10, 100, 1_000, 10_000)


@pytest.mark.parametrize("exponent", [0.5, 1.0, 2.0])
def test_the_fixed_cost_is_told_from_what_grows(exponent: float) -> None:
    found = power([(size, 20 + 3 * size**exponent) for size in SIZES])
    assert (found.fixed, found.each, found.exponent) == pytest.approx((20, 3, exponent))


def test_a_line_that_is_measured_badly_is_a_line() -> None:
    found = growth([(size, (50 + 15 * size) * miss) for size, miss in zip(SIZES, (1, 0.9, 1.1, 1), strict=True)])
    assert found.exponent == 1.0
    assert found.each == pytest.approx(15, rel=0.15)


def test_what_is_about_the_same_everywhere_does_not_grow() -> None:
    assert growth([(1, 0.10), (10, 0.09), (100, 0.11), (1_000, 0.1)]).exponent == 0.0


def test_what_falls_a_little_does_not_grow_either() -> None:
    assert growth([(1, 1.35), (10, 1.2), (100, 1.1), (1_000, 1.0)]).exponent == 0.0


def test_a_logarithm_beside_a_line_shows_a_little() -> None:
    assert 1.0 < power([(size, size * log(size)) for size in (2, 4, 8, 16, 32, 64)]).exponent < 1.6


def test_a_line_hides_no_square() -> None:
    assert growth([(size, 300 + 30 * size + size**2) for size in (2, 4, 8, 16, 32, 64)]).exponent > 1.2


def test_what_falls_and_rises_follows_no_law() -> None:
    assert not growth([(1, 9.0), (10, 1.0), (100, 2.0), (1_000, 3.0)]).lawful


def test_a_slope_is_a_rise_by_a_step() -> None:
    assert slope([(0, 100.0), (1, 102.0), (2, 104.0)]) == pytest.approx(2.0)
