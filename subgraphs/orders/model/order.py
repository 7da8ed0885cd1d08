"""Order: what was sold, for how much, from where, and how far its fulfilment is. Made by a checkout or a register.

Laws: the totals add up exactly (``model/totals.py``); ordered >= fulfilled; payments never capture more than they
authorized. An order is placed only after its stock is committed, once for each ``origin``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from subgraphs.kernel.clock import iso
from subgraphs.kernel.errors import InvalidInput
from subgraphs.kernel.events import OrderConfirmed, OrderedLine, PosOrderRecorded
from subgraphs.kernel.ids import deterministic_id
from subgraphs.kernel.money import Money
from subgraphs.orders.model.checkout import CheckoutSession
from subgraphs.orders.model.delivery import Address, Fulfilment, FulfilmentLine, Happening, Hold
from subgraphs.orders.model.lines import Line
from subgraphs.orders.model.tax import TaxLine, TaxRule
from subgraphs.orders.model.totals import TotalLine, Totals, add_up, paid_in_money

OrderStatus = Literal["PENDING", "CONFIRMED", "PROCESSING", "PARTIALLY_FULFILLED", "FULFILLED", "CANCELED", "CLOSED"]
PaymentState = Literal[
    "REQUIRES_ACTION", "AUTHORIZED", "CAPTURED", "PARTIALLY_REFUNDED", "REFUNDED", "VOIDED", "FAILED"
]
RETURN_POLICY_DAYS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderLine:
    """A line as it was sold. ``total`` is ``unit`` times ``quantity``; ``fulfilled`` units have left."""

    id: str
    sku: str
    title: str
    category_slug: str | None
    quantity: int
    fulfilled: int
    returned: int
    unit: Money
    total: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """One attempt to be paid; ``id`` is the attempt's, under which the provider knows it."""

    id: str
    order_id: str | None
    checkout_id: str | None
    provider: str
    provider_ref: str
    state: PaymentState
    authorized: Money
    captured: Money
    refunded: Money
    at: datetime
    settled_in: str | None = None
    """The provider's file that told of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Adjustment:
    """Money that moved after the sale: ``amount`` went back to the buyer."""

    id: str
    kind: str
    at: datetime
    amount: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """Where a register recorded the sale; unique by register and number for ever."""

    register_id: str
    receipt_no: str
    staff_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """An order at one version. ``origin`` names what it was made of, once: ``checkout:<id>`` or ``pos:<…>``."""

    id: str
    version: int
    number: str
    origin: str
    status: OrderStatus
    channel: str
    currency: str
    placed_at: datetime
    owner: str
    customer_id: str | None
    agent_id: str | None
    mandate_id: str | None = None
    points: int = 0
    """Points that paid for a part, worth the LOYALTY row of the totals."""
    email: str | None
    address: Address | None
    sold_at_location_id: str | None
    reservation_id: str | None
    lines: tuple[OrderLine, ...]
    totals: tuple[TotalLine, ...]
    tax_lines: tuple[TaxLine, ...]
    fulfilments: tuple[Fulfilment, ...]
    timeline: tuple[Happening, ...]
    receipt: Receipt | None
    adjustments: tuple[Adjustment, ...] = ()

    @property
    def points_worth(self) -> Money:
        """What of the order points paid for."""
        paid = sum(row.amount.minor for row in self.totals if row.kind == "LOYALTY")
        return Money(paid, self.currency)

    @property
    def value(self) -> Money:
        """What the order cost, whether paid with money or points."""
        return self.total + self.points_worth

    @property
    def total(self) -> Money:
        return next(row.amount for row in self.totals if row.kind == "TOTAL")


def place(
    session: CheckoutSession,
    hold: Hold,
    *,
    order_id: str,
    number: str,
    placed_at: datetime,
    mandate_id: str | None = None,
) -> Order:
    """The confirmed order of a session whose stock is committed at the locations ``hold`` names."""
    totals = session.totals
    at_ms = int(placed_at.timestamp() * 1000)
    by_sku = {line.sku: line for line in session.lines}
    option = next(option for group in session.groups for option in group.options if option.id == session.option_id)
    fulfilments = []
    for location_id in sorted({held.location_id for held in hold.lines}):
        lines = tuple(
            FulfilmentLine(by_sku[held.sku].id, held.sku, held.quantity)
            for held in hold.lines
            if held.location_id == location_id
        )
        fulfilments.append(
            Fulfilment(
                id=deterministic_id("ful", order_id, location_id, at_ms=at_ms),
                method=session.method,
                state="PLANNED",
                location_id=location_id,
                lines=lines,
                promised_by=placed_at + (option.latest - session.created_at),
                tracking=None,
                happenings=(Happening(placed_at, "PLANNED", "galleria"),),
            )
        )
    return Order(
        id=order_id,
        version=1,
        number=number,
        origin=f"checkout:{session.id}",
        status="CONFIRMED",
        channel=session.channel,
        currency=session.currency,
        placed_at=placed_at,
        owner=session.owner,
        customer_id=session.customer_id,
        agent_id=session.agent_id,
        mandate_id=mandate_id,
        points=session.points,
        email=session.email,
        address=session.address,
        sold_at_location_id=None,
        reservation_id=hold.reservation_id,
        lines=tuple(_sold(line, fulfilled=0) for line in session.lines),
        totals=totals.rows,
        tax_lines=totals.tax_lines,
        fulfilments=tuple(fulfilments),
        timeline=(Happening(placed_at, "CONFIRMED", session.owner),),
        receipt=None,
    )


def _sold(line: Line, fulfilled: int) -> OrderLine:
    return OrderLine(
        id=line.id,
        sku=line.sku,
        title=line.title,
        category_slug=line.category_slug,
        quantity=line.quantity,
        fulfilled=fulfilled,
        returned=0,
        unit=line.unit,
        total=line.total,
    )


def receipt_totals(lines: Sequence[Line], tendered: Money, rule: TaxRule, jurisdiction: str) -> Totals:
    """The totals of a receipt. The register has already charged, so the receipt is the truth.

    Where prices include tax the tenders must equal the lines, and the tax inside is the table's. Where tax is added,
    what was tendered beyond the lines is the tax the register charged. ``InvalidInput`` when the tenders fall short.
    """
    currency = tendered.currency
    inside = add_up(lines, None, rule if rule.included else None, currency)
    if rule.included or tendered.minor == inside.total.minor:
        if inside.total != tendered:
            raise InvalidInput(
                f"the tenders are {tendered.amount}, the lines {inside.total.amount}", path=("input", "tenders")
            )
        return inside
    tax = tendered - inside.total
    if tax.minor < 0:
        raise InvalidInput("the tenders are less than the lines", path=("input", "tenders"))
    rate_ppm = sum(authority.rate_ppm("standard") for authority in rule.jurisdictions)
    tax_line = TaxLine(
        jurisdiction=jurisdiction, rate_ppm=rate_ppm, base=inside.total, amount=tax, included=False, line_id=None
    )
    subtotal = next(row for row in inside.rows if row.kind == "SUBTOTAL")
    return Totals((subtotal, TotalLine("TAX", tax, "Tax"), TotalLine("TOTAL", tendered, "Total")), (tax_line,))


def record(
    *,
    order_id: str,
    number: str,
    channel: str,
    location_id: str,
    receipt: Receipt,
    occurred_at: datetime,
    owner: str,
    customer_id: str | None,
    lines: Sequence[Line],
    totals: Totals,
) -> Order:
    """The order of a sale that has already happened at a counter: paid and handed over."""
    at_ms = int(occurred_at.timestamp() * 1000)
    return Order(
        id=order_id,
        version=1,
        number=number,
        origin=pos_origin(receipt.register_id, receipt.receipt_no),
        status="FULFILLED",
        channel=channel,
        currency=totals.total.currency,
        placed_at=occurred_at,
        owner=owner,
        customer_id=customer_id,
        agent_id=None,
        email=None,
        address=None,
        sold_at_location_id=location_id,
        reservation_id=None,
        lines=tuple(_sold(line, fulfilled=line.quantity) for line in lines),
        totals=totals.rows,
        tax_lines=totals.tax_lines,
        fulfilments=(
            Fulfilment(
                id=deterministic_id("ful", order_id, location_id, at_ms=at_ms),
                method="PICKUP",
                state="HANDED_OVER",
                location_id=location_id,
                lines=tuple(FulfilmentLine(line.id, line.sku, line.quantity) for line in lines),
                promised_by=occurred_at,
                tracking=None,
                happenings=(Happening(occurred_at, "HANDED_OVER", owner),),
            ),
        ),
        timeline=(Happening(occurred_at, "RECORDED", owner),),
        receipt=receipt,
    )


def pos_origin(register_id: str, receipt_no: str) -> str:
    """What makes a receipt unique for ever. The register's length keeps two pairs from running together."""
    return f"pos:{len(register_id)}:{register_id}:{receipt_no}"


def confirmed_event(order: Order) -> OrderConfirmed:
    """The fact that an order is confirmed: a line for each SKU and location it leaves from."""
    return OrderConfirmed(
        order_id=order.id,
        number=order.number,
        customer_id=order.customer_id,
        channel=order.channel,
        currency=order.currency,
        placed_at=iso(order.placed_at),
        lines=_event_lines(order),
        total_minor=order.total.minor,
        reservation_id=order.reservation_id,
    )


def recorded_event(order: Order) -> PosOrderRecorded:
    """The fact that a register has sold."""
    assert order.receipt is not None
    assert order.sold_at_location_id is not None
    return PosOrderRecorded(
        order_id=order.id,
        number=order.number,
        customer_id=order.customer_id,
        location_id=order.sold_at_location_id,
        register_id=order.receipt.register_id,
        receipt_no=order.receipt.receipt_no,
        occurred_at=iso(order.placed_at),
        currency=order.currency,
        lines=_event_lines(order),
        total_minor=order.total.minor,
    )


def _event_lines(order: Order) -> tuple[OrderedLine, ...]:
    """What was paid in money for each line's units, wherever they leave from; the parts of a line come to all of it."""
    lines: Mapping[str, OrderLine] = {line.id: line for line in order.lines}
    told = dict.fromkeys(lines, 0)
    paid = dict(zip(lines, paid_in_money([line.total for line in order.lines], order.points_worth), strict=True))
    found = []
    for fulfilment in order.fulfilments:
        for part in fulfilment.lines:
            line, before = lines[part.order_line_id], told[part.order_line_id]
            after = told[line.id] = before + part.quantity
            found.append(
                OrderedLine(
                    sku=part.sku,
                    quantity=part.quantity,
                    unit_minor=line.unit.minor,
                    total_minor=paid[line.id] * after // line.quantity - paid[line.id] * before // line.quantity,
                    category_slug=line.category_slug,
                    location_id=fulfilment.location_id,
                )
            )
    return tuple(found)
