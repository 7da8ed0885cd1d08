"""Taxes by a table: which rates a place has, and what they come to on one amount. Pure; no lookups.

Rates are whole parts per million, so that 8.875 % is 88,750 and no binary fraction ever touches an amount. A place
either *includes* tax in its prices (Europe, Japan) or *adds* it (United States, Canada).

Rounding: one rounding a line, half to even, of the whole tax of that line; where several jurisdictions share it, the
rounded sum is split between them by largest remainder, so the parts always make the whole. Never the other way round:
rounding each jurisdiction by itself gains or loses units.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from subgraphs.kernel.money import Money

PPM = 1_000_000
STANDARD = "standard"


@dataclass(frozen=True, slots=True)
class Jurisdiction:
    """One authority and its rates in parts per million by tax class; a class it does not name pays the standard."""

    name: str
    rates_ppm: Mapping[str, int]

    def rate_ppm(self, tax_class: str) -> int:
        return self.rates_ppm.get(tax_class, self.rates_ppm[STANDARD])


@dataclass(frozen=True, slots=True)
class TaxRule:
    """The authorities of one place and whether its prices include what they take."""

    included: bool
    jurisdictions: tuple[Jurisdiction, ...]
    shipping_taxed: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class TaxLine:
    """What one jurisdiction takes of one line (``line_id``) or of the delivery (no ``line_id``).

    ``base`` is the amount without any tax; ``rate_ppm`` parts per million; ``included`` says it is in the price.
    """

    jurisdiction: str
    rate_ppm: int
    base: Money
    amount: Money
    included: bool
    line_id: str | None

    @property
    def rate(self) -> str:
        """The rate as an exact decimal fraction: ``"0.19"``."""
        return rate_text(self.rate_ppm)


def rate_text(rate_ppm: int) -> str:
    """Parts per million as an exact decimal fraction without trailing zeros."""
    return format((Decimal(rate_ppm) / PPM).normalize(), "f")


def _value_added(name: str, standard: int, **reduced: int) -> TaxRule:
    return TaxRule(True, (Jurisdiction(name, {STANDARD: standard, "zero": 0, "exempt": 0, **reduced}),))


def _sales(*authorities: tuple[str, int], shipping_taxed: bool = False) -> TaxRule:
    return TaxRule(
        False,
        tuple(Jurisdiction(name, {STANDARD: rate, "zero": 0, "exempt": 0}) for name, rate in authorities),
        shipping_taxed,
    )


_NONE = TaxRule(False, ())


@dataclass(frozen=True, slots=True)
class TaxTable:
    """Rules by country, and by ``country-region`` where regions differ."""

    places: Mapping[str, TaxRule] = field(default_factory=dict)

    def rule(self, country: str, region: str | None = None) -> TaxRule:
        """The rule of the most exactly named place; a place that is not in the table takes nothing."""
        exact = self.places.get(f"{country}-{region}") if region else None
        return exact or self.places.get(country, _NONE)


TABLE_2026 = TaxTable(
    {
        "AT": _value_added("AT", 200_000, reduced=100_000, food=100_000, books=100_000),
        "BE": _value_added("BE", 210_000, reduced=60_000, food=60_000, books=60_000),
        "DE": _value_added("DE", 190_000, reduced=70_000, food=70_000, books=70_000),
        "DK": _value_added("DK", 250_000),
        "ES": _value_added("ES", 210_000, reduced=100_000, food=100_000, books=40_000),
        "FI": _value_added("FI", 255_000, reduced=135_000, food=135_000, books=135_000),
        "FR": _value_added("FR", 200_000, reduced=55_000, food=55_000, books=55_000),
        "GB": _value_added("GB", 200_000, reduced=50_000, food=0, books=0),
        "IE": _value_added("IE", 230_000, reduced=135_000, food=0, books=0),
        "IT": _value_added("IT", 220_000, reduced=100_000, food=100_000, books=40_000),
        "NL": _value_added("NL", 210_000, reduced=90_000, food=90_000, books=90_000),
        "PL": _value_added("PL", 230_000, reduced=80_000, food=50_000, books=50_000),
        "SE": _value_added("SE", 250_000, reduced=120_000, food=60_000, books=60_000),
        "CH": _value_added("CH", 81_000, reduced=26_000, food=26_000, books=26_000),
        "NO": _value_added("NO", 250_000, reduced=150_000, food=150_000, books=0),
        "JP": _value_added("JP", 100_000, reduced=80_000, food=80_000),
        "AU": _value_added("AU", 100_000, food=0),
        "AE": _value_added("AE", 50_000),
        "US-CA": _sales(("US-CA", 60_000), ("US-CA local", 12_500)),
        "US-NY": _sales(("US-NY", 40_000), ("US-NY local", 45_000), ("US-NY MCTD", 3_750), shipping_taxed=True),
        "US-TX": _sales(("US-TX", 62_500), ("US-TX local", 20_000), shipping_taxed=True),
        "US-WA": _sales(("US-WA", 65_000), ("US-WA local", 38_500), shipping_taxed=True),
        "CA": _sales(("CA GST", 50_000), shipping_taxed=True),
        "CA-ON": _sales(("CA-ON HST", 130_000), shipping_taxed=True),
        "CA-QC": _sales(("CA GST", 50_000), ("CA-QC QST", 99_750), shipping_taxed=True),
    }
)


def taxes(amount: Money, tax_class: str, rule: TaxRule, line_id: str | None) -> tuple[TaxLine, ...]:
    """What each jurisdiction takes of ``amount``: one rounding of the sum, split by largest remainder."""
    rates = [authority.rate_ppm(tax_class) for authority in rule.jurisdictions]
    together = sum(rates)
    if not rates:
        return ()
    whole = amount.share(together, PPM + together if rule.included else PPM)
    base = amount - whole if rule.included else amount
    return tuple(
        TaxLine(
            jurisdiction=authority.name,
            rate_ppm=rate,
            base=base,
            amount=part,
            included=rule.included,
            line_id=line_id,
        )
        for authority, rate, part in zip(rule.jurisdictions, rates, whole.allocate(rates), strict=True)
    )
