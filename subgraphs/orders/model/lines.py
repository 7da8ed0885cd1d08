"""Lines: what a buyer asks for, what catalog offers, and the priced line that comes of the two.

A *request* is a SKU and a quantity. An *offer* is catalog's answer for a SKU in one price context, with how long its
price is good for. A *line* keeps the offer it was priced by, so that a later change of price can be told from drift.
Totals of many lines, taxes and stock do not belong here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from subgraphs.kernel.errors import InvalidInput, Severity
from subgraphs.kernel.money import Money

LINES_MAX = 100
QUANTITY_MAX = 999
_SKU = re.compile(r"[A-Z0-9._-]{3,64}")

MessageLevel = Literal["INFO", "WARNING", "ERROR"]


@dataclass(frozen=True, slots=True)
class LineRequest:
    """``quantity`` units of ``sku``, as a buyer asks for them."""

    sku: str
    quantity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What catalog says of one SKU in one price context; ``unit`` is missing when it has no price there."""

    sku: str
    title: str
    product_id: str
    category_slug: str
    tax_class: str
    unit: Money | None
    list_unit: Money | None
    price_version: str | None
    quote_token: str | None
    quote_valid_until: datetime | None
    purchasable: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A priced line. ``unit`` is what one costs, tax included or not as the buyer's country has it."""

    id: str
    sku: str
    title: str
    product_id: str
    category_slug: str
    tax_class: str
    quantity: int
    unit: Money
    list_unit: Money | None
    price_version: str | None
    quote_token: str | None
    quote_valid_until: datetime | None

    @property
    def total(self) -> Money:
        return self.unit * self.quantity


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """Something the buyer should know; ``code`` is stable, ``path`` a JSON path into the cart or session."""

    level: MessageLevel
    code: str
    text: str
    path: str | None = None
    severity: Severity | None = None


def merged(requests: Iterable[LineRequest], *, removal: bool = False) -> tuple[LineRequest, ...]:
    """Requests with each SKU once, in order of first mention; ``InvalidInput`` for what can never be ordered.

    With ``removal`` a quantity of 0 is allowed and means: take the line out.
    """
    lowest = 0 if removal else 1
    totals: dict[str, int] = {}
    for request in requests:
        if not _SKU.fullmatch(request.sku):
            raise InvalidInput(f"not a SKU: {request.sku!r}", path=("lines", "sku"))
        if not lowest <= request.quantity <= QUANTITY_MAX:
            raise InvalidInput(f"a quantity is {lowest} to {QUANTITY_MAX}", path=("lines", "quantity"))
        totals[request.sku] = totals.get(request.sku, 0) + request.quantity
    if len(totals) > LINES_MAX:
        raise InvalidInput(f"at most {LINES_MAX} lines", path=("lines",))
    if any(quantity > QUANTITY_MAX for quantity in totals.values()):
        raise InvalidInput(f"at most {QUANTITY_MAX} units of one SKU", path=("lines", "quantity"))
    return tuple(LineRequest(sku, quantity) for sku, quantity in totals.items())


def changed(lines: Sequence[Line], changes: Sequence[LineRequest]) -> tuple[LineRequest, ...]:
    """What the buyer asks for after ``changes``: each names the new quantity of its SKU, 0 takes it out."""
    wanted = {line.sku: line.quantity for line in lines}
    wanted.update({change.sku: change.quantity for change in changes})
    return tuple(LineRequest(sku, quantity) for sku, quantity in wanted.items() if quantity)


def priced(requests: Sequence[LineRequest], offers: Mapping[str, Offer], currency: str) -> tuple[Line, ...]:
    """Lines at the offered prices; ``InvalidInput`` names the first SKU that cannot be bought here.

    A SKU has one line only, so a line's identity is its SKU's and survives changes of quantity and price.
    """
    return tuple(_line(request, offers.get(request.sku), currency) for request in requests)


def _line(request: LineRequest, offer: Offer | None, currency: str) -> Line:
    if offer is None:
        raise InvalidInput(f"no such SKU: {request.sku}", path=("lines", "sku"))
    if offer.unit is None or not offer.purchasable:
        raise InvalidInput(f"{request.sku} is not sold on this channel", path=("lines", "sku"))
    if offer.unit.currency != currency:
        raise InvalidInput(f"{request.sku} has no price in {currency}", path=("currency",))
    return Line(
        id=f"line:{request.sku}",
        sku=request.sku,
        title=offer.title,
        product_id=offer.product_id,
        category_slug=offer.category_slug,
        tax_class=offer.tax_class,
        quantity=request.quantity,
        unit=offer.unit,
        list_unit=offer.list_unit,
        price_version=offer.price_version,
        quote_token=offer.quote_token,
        quote_valid_until=offer.quote_valid_until,
    )


def requoted(lines: Sequence[Line], offers: Mapping[str, Offer], now: datetime) -> tuple[Line, ...]:
    """The lines at the prices they may be sold for now.

    A price that fell is always passed on. A price that rose is not, while the quote the line was priced by is still
    valid. A SKU that is no longer sold keeps its quoted price until that quote ends, then it is ``InvalidInput``.
    """
    return tuple(_requoted(line, offers.get(line.sku), now) for line in lines)


def _requoted(line: Line, offer: Offer | None, now: datetime) -> Line:
    quote_holds = line.quote_valid_until is not None and now < line.quote_valid_until
    current = None if offer is None or not offer.purchasable else offer.unit
    if current is None or offer is None or current.currency != line.unit.currency:
        if quote_holds:
            return line
        raise InvalidInput(f"{line.sku} is no longer sold on this channel", path=("lines", "sku"))
    if quote_holds and current.minor >= line.unit.minor:
        return line
    return replace(
        line,
        unit=current,
        list_unit=offer.list_unit,
        price_version=offer.price_version,
        quote_token=offer.quote_token,
        quote_valid_until=offer.quote_valid_until,
    )


def drift(before: Sequence[Line], after: Sequence[Line]) -> tuple[Message, ...]:
    """A warning for every SKU whose unit price differs between the two."""
    known = {line.sku: line.unit for line in before}
    return tuple(
        Message(
            level="WARNING",
            code="PRICE_CHANGED",
            text=f"{line.title}: {known[line.sku].amount} is now {line.unit.amount} {line.unit.currency}",
            path=f"$.lines[{index}].unitPrice",
            severity="REQUIRES_BUYER_REVIEW",
        )
        for index, line in enumerate(after)
        if line.sku in known and known[line.sku] != line.unit
    )
