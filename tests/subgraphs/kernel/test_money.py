"""Money: exact, one currency at a time, split without losing a unit."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subgraphs.kernel.money import CURRENCIES, MINOR_MAX, Money, exponent, is_currency

minors = st.integers(-(10**12), 10**12)
currencies = st.sampled_from(CURRENCIES)


@pytest.mark.parametrize(
    ("minor", "currency", "amount"),
    [
        (1234, "EUR", "12.34"),
        (5, "EUR", "0.05"),
        (-5, "EUR", "-0.05"),
        (0, "USD", "0.00"),
        (1200, "JPY", "1200"),
        (0, "JPY", "0"),
        (1234, "KWD", "1.234"),
        (-1234, "KWD", "-1.234"),
        (12345, "CLF", "1.2345"),
    ],
)
def test_the_amount_has_all_the_decimals_of_its_currency(minor: int, currency: str, amount: str) -> None:
    assert Money(minor, currency).amount == amount


@given(minors, currencies)
def test_the_amount_is_exact_in_every_currency(minor: int, currency: str) -> None:
    assert Fraction(Money(minor, currency).amount) * 10 ** exponent(currency) == minor


@given(minors, minors, currencies)
def test_adding_and_taking_away_again_changes_nothing(a: int, b: int, currency: str) -> None:
    assert Money(a, currency) + Money(b, currency) - Money(b, currency) == Money(a, currency)


def test_two_currencies_do_not_add() -> None:
    with pytest.raises(ValueError, match="EUR and USD"):
        Money(1, "EUR") + Money(1, "USD")


@pytest.mark.parametrize("minor", [1.5, True, "1"])
def test_minor_units_are_whole_numbers(minor: object) -> None:
    with pytest.raises(TypeError):
        Money(minor, "EUR")  # type: ignore[arg-type]


@pytest.mark.parametrize("minor", [MINOR_MAX + 1, -MINOR_MAX - 1])
def test_what_javascript_could_not_count_is_refused(minor: int) -> None:
    with pytest.raises(ValueError, match="2\\*\\*53"):
        Money(minor, "EUR")


@pytest.mark.parametrize("code", ["eur", "XAU", "XXX", "EURO", ""])
def test_only_active_codes_are_currencies(code: str) -> None:
    assert not is_currency(code)
    with pytest.raises(ValueError, match="ISO 4217"):
        Money(1, code)


def test_every_pinned_code_is_three_capitals_and_listed_once() -> None:
    assert len(CURRENCIES) == len(set(CURRENCIES)) > 150
    assert all(len(code) == 3 and code.isalpha() and code.isupper() for code in CURRENCIES)


def test_multiplying_takes_whole_numbers_only() -> None:
    assert 3 * Money(5, "EUR") == Money(5, "EUR") * 3 == Money(15, "EUR")
    with pytest.raises(TypeError):
        Money(5, "EUR") * 1.5  # type: ignore[operator]


@pytest.mark.parametrize(
    ("minor", "numerator", "denominator", "expected"),
    [(5, 1, 2, 2), (15, 1, 10, 2), (25, 1, 10, 2), (35, 1, 10, 4), (-5, 1, 2, -2), (-15, 1, 10, -2), (100, 1, 3, 33)],
)
def test_a_share_rounds_once_half_to_even(minor: int, numerator: int, denominator: int, expected: int) -> None:
    assert Money(minor, "EUR").share(numerator, denominator) == Money(expected, "EUR")


@given(minors, st.integers(0, 1000), st.integers(1, 1000))
def test_a_share_is_what_exact_rounding_says(minor: int, numerator: int, denominator: int) -> None:
    assert Money(minor, "EUR").share(numerator, denominator).minor == round(Fraction(minor * numerator, denominator))


@given(minors, st.lists(st.integers(0, 10**6), min_size=1, max_size=20))
def test_an_allocation_sums_exactly_and_is_never_a_unit_off(minor: int, parts: list[int]) -> None:
    pieces = Money(minor, "EUR").allocate(parts)
    assert sum(piece.minor for piece in pieces) == minor
    weights = parts if any(parts) else [1] * len(parts)
    for piece, weight in zip(pieces, weights, strict=True):
        assert abs(piece.minor - Fraction(minor * weight, sum(weights))) < 1


def test_units_left_over_go_to_the_largest_remainders_earlier_parts_first() -> None:
    assert [piece.minor for piece in Money(100, "EUR").allocate([1, 1, 1])] == [34, 33, 33]
    assert [piece.minor for piece in Money(10, "EUR").allocate([1, 5, 3])] == [1, 6, 3]
    assert [piece.minor for piece in Money(-100, "EUR").allocate([1, 1, 1])] == [-34, -33, -33]


@pytest.mark.parametrize("parts", [[], [1, -1]])
def test_an_allocation_needs_parts_that_are_not_negative(parts: list[int]) -> None:
    with pytest.raises(ValueError, match="parts"):
        Money(1, "EUR").allocate(parts)
