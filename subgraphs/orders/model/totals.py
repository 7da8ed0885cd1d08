"""Totals: subtotal, fulfilment, tax and total of a set of lines, and the law that binds them.

The law (an audit and a property test hold it): TOTAL = SUBTOTAL + FULFILMENT + tax that prices do not include - LOYALTY.
Tax that prices include is shown, and is part of the subtotal and fulfilment already. Points are a means of payment: they
pay for goods, delivery and tax alike, and change none of these.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from subgraphs.kernel.money import Money
from subgraphs.orders.model.lines import Line
from subgraphs.orders.model.tax import TaxLine, TaxRule, taxes

TotalKind = Literal["SUBTOTAL", "FULFILMENT", "TAX", "LOYALTY", "TOTAL"]


@dataclass(frozen=True, slots=True)
class TotalLine:
    """One row of the sum, for display in this order. What is taken off is positive as well: the kind says so."""

    kind: TotalKind
    amount: Money
    label: str


@dataclass(frozen=True, slots=True)
class Totals:
    """The rows and the taxes of one cart, session or order."""

    rows: tuple[TotalLine, ...]
    tax_lines: tuple[TaxLine, ...]

    @property
    def total(self) -> Money:
        return next(row.amount for row in self.rows if row.kind == "TOTAL")

    def paid_with(self, points: Money) -> Totals:
        """The same with a part of the total paid by points that are worth so much, at most all of it."""
        assert 0 <= points.minor <= self.total.minor, "points pay for no more than there is to pay"
        others = tuple(row for row in self.rows if row.kind != "TOTAL")
        left = TotalLine("TOTAL", self.total - points, "Total")
        return Totals((*others, TotalLine("LOYALTY", points, "Points"), left), self.tax_lines)


def add_up(lines: Sequence[Line], delivery: Money | None, rule: TaxRule | None, currency: str) -> Totals:
    """The totals of ``lines`` delivered for ``delivery``, taxed by ``rule``.

    Without a rule (nobody knows yet where the goods go) there are no tax rows. The delivery is taxed as the goods it
    carries: its cost is shared out over the lines by value, to the last unit, and each share taxed in that line's class.
    """
    subtotal = _sum((line.total for line in lines), currency)
    tax_lines: list[TaxLine] = []
    if rule is not None:
        for line in lines:
            tax_lines += taxes(line.total, line.tax_class, rule, line.id)
        if delivery is not None and delivery.minor and rule.shipping_taxed:
            tax_lines += _delivery_taxes(lines, delivery, rule)
    rows = [TotalLine("SUBTOTAL", subtotal, "Subtotal")]
    if delivery is not None:
        rows.append(TotalLine("FULFILMENT", delivery, "Delivery"))
    total = subtotal + delivery if delivery is not None else subtotal
    if rule is not None and rule.jurisdictions:
        tax = _sum((line.amount for line in tax_lines), currency)
        rows.append(TotalLine("TAX", tax, "Tax, included" if rule.included else "Tax"))
        total = total if rule.included else total + tax
    return Totals((*rows, TotalLine("TOTAL", total, "Total")), tuple(tax_lines))


def paid_in_money(lines: Sequence[Money], points: Money) -> list[int]:
    """What of each line's total money pays for, in minor units. Points worth so much pay for goods first, for each line by
    its share."""
    goods = sum(line.minor for line in lines)
    by_points = min(points.minor, goods)
    if not by_points:
        return [line.minor for line in lines]
    shares = Money(by_points, points.currency).allocate([line.minor for line in lines])
    return [line.minor - share.minor for line, share in zip(lines, shares, strict=True)]


def _delivery_taxes(lines: Sequence[Line], delivery: Money, rule: TaxRule) -> list[TaxLine]:
    """One tax line a jurisdiction and class, over the delivery's share of the lines of that class."""
    weights: dict[str, int] = {}
    for line in lines:
        weights[line.tax_class] = weights.get(line.tax_class, 0) + line.total.minor
    shares = delivery.allocate(list(weights.values()))
    return [
        tax_line
        for tax_class, share in zip(weights, shares, strict=True)
        for tax_line in taxes(share, tax_class, rule, None)
    ]


def _sum(amounts: Iterable[Money], currency: str) -> Money:
    total = Money.zero(currency)
    for amount in amounts:
        total = total + amount
    return total
