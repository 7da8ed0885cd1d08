"""Returns: what may come back, how far it has come, and what is refunded for it. Pure.

::

    APPROVED ─▶ [IN_TRANSIT] ─▶ INSPECTED ─▶ REFUNDED

A request that the policy allows is approved at once; one it does not allow is refused with the rule. Receiving and
inspecting are one act at a counter: the clerk has the goods in hand and says what becomes of them.

What is refunded. A line's gross is what was paid for it with the tax that was added. Of ``n`` units the buyer gets
``floor(gross * n / units)``, less what earlier returns of the line were refunded; so the last unit takes what rounding
left, and the returns of a line add up to its gross exactly. Delivery is refunded with the last unit of the order.
Where points have paid for a part, what is given back is points first, then money.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Final, Literal

from subgraphs.kernel.money import Money
from subgraphs.orders.model.delivery import Happening
from subgraphs.orders.model.order import RETURN_POLICY_DAYS, Order, OrderLine
from subgraphs.orders.model.refusals import NotReturnable

ReturnState = Literal[
    "REQUESTED", "APPROVED", "IN_TRANSIT", "RECEIVED", "INSPECTED", "REFUNDED", "EXCHANGED", "REJECTED"
]
ReturnChannel = Literal["MAIL", "IN_STORE", "CURBSIDE"]
Disposition = Literal["RESTOCK", "REFURBISH", "DAMAGED", "VENDOR_RETURN"]
REASONS: Final = ("CHANGED_MIND", "DEFECTIVE", "WRONG_ITEM", "NOT_AS_DESCRIBED", "TOO_LATE")
OPEN: Final[frozenset[ReturnState]] = frozenset({"REQUESTED", "APPROVED", "IN_TRANSIT"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnLine:
    """Units of an order line; ``disposition`` once somebody has looked at them."""

    order_line_id: str
    sku: str
    quantity: int
    reason: str
    disposition: Disposition | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Return:
    """A return at one version; ``refund`` is what the buyer gets, once it was received."""

    id: str
    version: int
    order_id: str
    state: ReturnState
    via: ReturnChannel
    location_id: str | None
    lines: tuple[ReturnLine, ...]
    refund: Money | None
    requested_at: datetime
    happenings: tuple[Happening, ...]
    goods: tuple[int, int, int] | None = None
    """Once received: of the order's goods in minor units, how much had come back before, how much by then, and all."""


@dataclass(frozen=True, slots=True)
class Eligible:
    """How many units of a line may come back, what they would bring, and the rule if none may."""

    line: OrderLine
    units: int
    estimate: Money
    blocked_by: str | None


def deadline(order: Order) -> date | None:
    """The last day for returns; None while nothing has left."""
    left = [
        happening.at
        for part in order.fulfilments
        for happening in part.happenings
        if happening.type in ("SHIPPED", "DELIVERED", "HANDED_OVER")
    ]
    return (max(left) + timedelta(days=RETURN_POLICY_DAYS)).date() if left else None


def eligible(order: Order, asked_for: Mapping[str, int], today: date) -> tuple[Eligible, ...]:
    """For each line; ``asked_for`` has the units that open returns have already announced."""
    until = deadline(order)
    found = []
    for line in order.lines:
        units = line.fulfilled - line.returned - asked_for.get(line.id, 0)
        rule = None
        if until is None or line.fulfilled == 0:
            rule = "NOT_DELIVERED"
        elif today > until:
            rule = "DEADLINE_PASSED"
        elif units <= 0:
            rule = "ALREADY_RETURNED"
        may = 0 if rule is not None else units
        found.append(Eligible(line, may, refund_for(order, {line.id: may}).amount, rule))
    return tuple(found)


def check(order: Order, asked_for: Mapping[str, int], wanted: Mapping[str, int], today: date) -> None:
    """Refuses what the policy does not allow: ``NotReturnable`` with the line and the rule."""
    may = {each.line.id: each for each in eligible(order, asked_for, today)}
    for line_id, units in wanted.items():
        each = may.get(line_id)
        if each is None:
            raise NotReturnable(line_id, "NO_SUCH_LINE")
        if each.blocked_by is not None:
            raise NotReturnable(line_id, each.blocked_by)
        if not 1 <= units <= each.units:
            raise NotReturnable(line_id, "TOO_MANY")


@dataclass(frozen=True, slots=True)
class Refund:
    """What is given back: money, and points that were worth ``points_minor``. ``goods_minor`` of the order's goods are
    refunded by then, all returns together."""

    amount: Money
    goods_minor: int
    points: int = 0
    points_minor: int = 0


def gross(order: Order, line: OrderLine) -> int:
    """What was paid for a line, in minor units, with the tax that was added to it."""
    added = sum(tax.amount.minor for tax in order.tax_lines if tax.line_id == line.id and not tax.included)
    return line.total.minor + added


def refund_for(order: Order, units: Mapping[str, int]) -> Refund:
    """What the return of these units brings, after what has come back before."""
    before, after = _worth(order, {}), _worth(order, units)
    goods = sum(line.total.minor * (line.returned + units.get(line.id, 0)) // line.quantity for line in order.lines)
    by_points = order.points_worth.minor
    in_points = min(after, by_points) - min(before, by_points)
    points = 0
    if by_points:
        points = order.points * min(after, by_points) // by_points - order.points * min(before, by_points) // by_points
    return Refund(Money(after - before - in_points, order.currency), goods, points, in_points)


def _worth(order: Order, units: Mapping[str, int]) -> int:
    """What all that has come back was paid with, these units with it, in money and points together, in minor units."""
    worth, whole = 0, True
    for line in order.lines:
        back = line.returned + units.get(line.id, 0)
        worth += gross(order, line) * back // line.quantity
        whole = whole and back == line.quantity
    if whole:
        worth += order.value.minor - sum(gross(order, line) for line in order.lines)
    return worth


def goods_returned(order: Order) -> int:
    """What of the order's goods has come back, in minor units."""
    return sum(line.total.minor * line.returned // line.quantity for line in order.lines)


def points_of(given: Return, earned: int) -> int | None:
    """What of the points that the order earned go with this return; None before it is received.

    Loyalty takes back the share of all goods that came back, rounded down, less what it took before; so does this.
    """
    if given.goods is None:
        return None
    before, after, whole = given.goods
    if whole <= 0:
        return 0
    return earned * min(after, whole) // whole - earned * min(before, whole) // whole


def goods_total(order: Order) -> int:
    """What the order's goods came to, in minor units."""
    return sum(line.total.minor for line in order.lines)


def received(
    given: Return, dispositions: Mapping[str, tuple[int, Disposition]], *, location_id: str, actor: str, at: datetime
) -> Return:
    """The return once its goods are in hand: the lines that came, with what becomes of them. Raises ``NotReturnable``
    for a line or units it does not have."""
    announced = {line.order_line_id: line for line in given.lines}
    for line_id, (units, _) in dispositions.items():
        if line_id not in announced or not 1 <= units <= announced[line_id].quantity:
            raise NotReturnable(line_id, "NOT_ANNOUNCED")
    lines = tuple(
        replace(announced[line_id], quantity=units, disposition=disposition)
        for line_id, (units, disposition) in dispositions.items()
    )
    return replace(
        given,
        version=given.version + 1,
        state="INSPECTED",
        location_id=location_id,
        lines=lines,
        happenings=(*given.happenings, Happening(at, "RECEIVED", actor), Happening(at, "INSPECTED", actor)),
    )


def refunded(given: Return, at: datetime) -> Return:
    """The return once everything was given back; the same version, for who writes it with another change."""
    return replace(given, state="REFUNDED", happenings=(*given.happenings, Happening(at, "REFUNDED", "galleria")))


def came_back(order: Order, units: Mapping[str, int], *, actor: str, at: datetime, detail: str) -> Order:
    """The order with these units returned, at the next version."""
    return replace(
        order,
        version=order.version + 1,
        lines=tuple(replace(line, returned=line.returned + units.get(line.id, 0)) for line in order.lines),
        timeline=(*order.timeline, Happening(at, "RETURN_RECEIVED", actor, detail)),
    )
