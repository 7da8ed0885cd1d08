"""The one price resolver: the tree of lists, conversion and rounding, time."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subgraphs.catalog.model.pricing import PriceContext, PriceEntry, PriceList, PriceSource, Rules, amount, resolve
from subgraphs.catalog.model.products import Channel
from subgraphs.kernel.errors import InvalidInput
from subgraphs.kernel.money import Money

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)


def channel(code: str, *currencies: str) -> Channel:
    return Channel(code=code, name=code, kind="WEB", currencies=currencies, countries=("DE",), price_list=code)


RULES = Rules(
    channels={
        "eu": channel("eu", "EUR"),
        "us": channel("us", "USD", "JPY", "KWD"),
    },
    lists={
        "base": PriceList(code="base", currency="EUR", parent=None, tax_included=True),
        "eu": PriceList(code="eu", currency="EUR", parent="base", tax_included=True),
        "us": PriceList(code="us", currency="USD", parent="base", tax_included=False),
    },
    rates={"USD": Decimal("1.10"), "JPY": Decimal("160.5"), "KWD": Decimal("0.3333")},
    base_currency="EUR",
    rates_version=7,
)


def entry(price_list: str, minor: int, **other: object) -> PriceEntry:
    given: dict[str, object] = {
        "sku": "S",
        "price_list": price_list,
        "minor": minor,
        "list_minor": minor,
        "valid_from": NOON - timedelta(days=100),
        "valid_to": None,
        "version": 1,
    } | other
    return PriceEntry(**given)  # type: ignore[arg-type]


def context(channel: str = "eu", currency: str = "EUR", at: datetime = NOON) -> PriceContext:
    return PriceContext(channel=channel, currency=currency, at=at)


def test_a_list_without_a_price_falls_back_to_its_parent() -> None:
    price = resolve([entry("base", 1000)], context(), RULES)
    assert price is not None
    assert (price.current, price.price_list, price.source) == (Money(1000, "EUR"), "base", PriceSource.PRICE_LIST)


def test_a_nearer_list_beats_its_parent_even_when_dearer() -> None:
    price = resolve([entry("base", 1000), entry("eu", 1500)], context(), RULES)
    assert price is not None
    assert price.current == Money(1500, "EUR")


def test_an_explicit_price_in_the_currency_beats_a_converted_one() -> None:
    price = resolve([entry("base", 1000), entry("us", 1234)], context("us", "USD"), RULES)
    assert price is not None
    assert (price.current, price.source) == (Money(1234, "USD"), PriceSource.PRICE_LIST)


def test_a_converted_price_says_so_in_its_source_and_version() -> None:
    price = resolve([entry("base", 1000)], context("us", "USD"), RULES)
    assert price is not None
    assert price.current == Money(1100, "USD")
    assert price.source is PriceSource.FX_CONVERTED
    assert price.version == "base.1+fx.7"


def test_the_market_decides_whether_tax_is_inside() -> None:
    price = resolve([entry("base", 1000)], context("us", "USD"), RULES)
    assert price is not None
    assert price.tax_included is False


@pytest.mark.parametrize(("currency", "minor"), [("JPY", 16050 // 10), ("KWD", 3333)])
def test_conversion_knows_currencies_without_and_with_three_decimals(currency: str, minor: int) -> None:
    price = resolve([entry("base", 1000)], context("us", currency), RULES)
    assert price is not None
    assert price.current == Money(minor, currency)


def test_without_any_entry_there_is_no_price() -> None:
    assert resolve([], context(), RULES) is None
    assert resolve([entry("us", 100)], context(), RULES) is None


def test_an_entry_counts_from_its_start_until_its_end() -> None:
    entries = [
        entry("base", 1000, valid_to=NOON),
        entry("base", 800, valid_from=NOON, valid_to=NOON + timedelta(hours=1), version=2),
    ]
    before = resolve(entries, context(at=NOON - timedelta(seconds=1)), RULES)
    at = resolve(entries, context(at=NOON), RULES)
    assert before is not None
    assert at is not None
    assert (before.current.minor, at.current.minor) == (1000, 800)
    assert resolve(entries, context(at=NOON + timedelta(hours=1)), RULES) is None


def test_a_price_is_promised_no_longer_than_it_is_valid() -> None:
    soon = NOON + timedelta(minutes=3)
    price = resolve([entry("base", 1000, valid_to=soon)], context(), RULES)
    assert price is not None
    assert price.valid_until == soon


def test_the_lowest_of_thirty_days_looks_back_and_not_further() -> None:
    entries = [
        entry("base", 500, valid_to=NOON - timedelta(days=31)),
        entry("base", 700, valid_from=NOON - timedelta(days=31), valid_to=NOON - timedelta(days=2), version=2),
        entry("base", 900, valid_from=NOON - timedelta(days=2), version=3),
    ]
    price = resolve(entries, context(), RULES)
    assert price is not None
    assert price.lowest_30d == Money(700, "EUR")


def test_of_overlapping_entries_the_last_to_begin_counts() -> None:
    friday = NOON + timedelta(days=2)
    entries = [
        entry("base", 600, valid_from=friday, valid_to=friday + timedelta(days=1), version=2),
        entry("base", 900, valid_from=NOON, version=3),
    ]
    found = [resolve(entries, context(at=at), RULES) for at in (NOON, friday, friday + timedelta(days=1))]
    assert [price.current.minor for price in found if price is not None] == [900, 600, 900]


def test_a_price_is_promised_until_the_next_change_that_is_known() -> None:
    begins = NOON + timedelta(minutes=3)
    price = resolve([entry("base", 1000), entry("eu", 800, valid_from=begins)], context(), RULES)
    assert price is not None
    assert price.valid_until == begins


def test_the_lowest_of_thirty_days_is_a_price_that_was_shown() -> None:
    """Another list's lower price does not count while a nearer list hid it, and counts when none did."""
    nearer = entry("eu", 1500, valid_from=NOON - timedelta(days=40))
    hidden = resolve([entry("base", 1000), nearer], context(), RULES)
    shown = resolve([entry("base", 1000), replace(nearer, valid_from=NOON - timedelta(days=5))], context(), RULES)
    assert hidden is not None
    assert shown is not None
    assert (hidden.lowest_30d.minor, shown.lowest_30d.minor) == (1500, 1000)


@given(
    st.lists(st.tuples(st.sampled_from(["base", "eu", "us"]), st.integers(1, 9999), st.integers(-40, 5)), max_size=6)
)
def test_the_amount_alone_is_the_amount_of_the_price(rows: list[tuple[str, int, int]]) -> None:
    entries = [
        entry(of, minor, valid_from=NOON + timedelta(days=day), version=version)
        for version, (of, minor, day) in enumerate(rows)
    ]
    price = resolve(entries, context(), RULES)
    assert amount(entries, context(), RULES) == (price.current if price is not None else None)
    assert price is None or price.lowest_30d.minor <= price.current.minor


def test_a_context_takes_the_countrys_currency_when_none_is_named() -> None:
    assert RULES.context("us", None, "US", NOON, default_channel="eu").currency == "USD"
    assert RULES.context("eu", None, "US", NOON, default_channel="eu").currency == "EUR"
    assert RULES.context(None, None, None, NOON, default_channel="eu").channel == "eu"


def test_an_unknown_channel_or_currency_is_refused_by_name() -> None:
    with pytest.raises(InvalidInput, match="moon"):
        RULES.context("moon", None, None, NOON, default_channel="eu")
    with pytest.raises(InvalidInput, match="USD"):
        RULES.context("eu", "USD", None, NOON, default_channel="eu")


@given(st.integers(0, 10**9), st.sampled_from(["USD", "JPY", "KWD"]))
def test_conversion_is_off_by_half_a_unit_at_most(minor: int, currency: str) -> None:
    decimals = {"USD": 2, "JPY": 0, "KWD": 3}[currency]
    exact = Decimal(minor) * RULES.rates[currency] * Decimal(10) ** (decimals - 2)
    assert abs(RULES.convert(minor, "EUR", currency) - exact) <= Decimal("0.5")


@given(st.integers(1, 10**6), st.integers(1, 10**6))
def test_conversion_keeps_the_order_of_prices(one: int, other: int) -> None:
    low, high = sorted((one, other))
    assert RULES.convert(low, "EUR", "USD") <= RULES.convert(high, "EUR", "USD")
