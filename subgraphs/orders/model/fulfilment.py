"""How a fulfilment may go on: one table, asked by commands and told by refusals. Pure.

::

    PLANNED ─▶ ACCEPTED ─▶ PICKING ─▶ PACKED ─┬▶ SHIPPED ─▶ DELIVERED
       └─────────┴───────────┴▶ REJECTED      └▶ READY_FOR_PICKUP ─▶ [CUSTOMER_ARRIVED] ─▶ HANDED_OVER

and ``CANCELED`` from wherever the goods are still there. A parcel is shipped, what is collected is made ready. When goods
leave (``LEAVES``) they are the buyer's; when they are freed (``FREES``) they may be sold to somebody else.

A move gives the order as it then is, and the facts others must hear. The order's own status follows from its fulfilments.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from subgraphs.kernel.errors import InvalidInput
from subgraphs.kernel.events import Event, FulfilmentChanged, GoodsFreed, GoodsLeft, GoodsLine
from subgraphs.kernel.ids import deterministic_id
from subgraphs.orders.model.delivery import (
    COLLECTED,
    Fulfilment,
    FulfilmentLine,
    FulfilmentState,
    Happening,
    Tracking,
)
from subgraphs.orders.model.order import Order, OrderStatus
from subgraphs.orders.model.refusals import IllegalTransition

LEAVES: Final[frozenset[FulfilmentState]] = frozenset({"SHIPPED", "HANDED_OVER"})
FREES: Final[frozenset[FulfilmentState]] = frozenset({"REJECTED", "CANCELED"})
LEFT: Final[frozenset[FulfilmentState]] = frozenset({"SHIPPED", "DELIVERED", "HANDED_OVER"})
WAITING: Final[frozenset[FulfilmentState]] = frozenset({"READY_FOR_PICKUP", "CUSTOMER_ARRIVED"})

_NEXT: Final[Mapping[FulfilmentState, tuple[FulfilmentState, ...]]] = {
    "PLANNED": ("ACCEPTED", "REJECTED", "CANCELED"),
    "ACCEPTED": ("PICKING", "REJECTED", "CANCELED"),
    "PICKING": ("PACKED", "REJECTED", "CANCELED"),
    "PACKED": ("SHIPPED", "READY_FOR_PICKUP", "CANCELED"),
    "READY_FOR_PICKUP": ("CUSTOMER_ARRIVED", "HANDED_OVER", "CANCELED"),
    "CUSTOMER_ARRIVED": ("HANDED_OVER", "CANCELED"),
    "SHIPPED": ("DELIVERED",),
}


@dataclass(frozen=True, slots=True)
class Moved:
    """The order after a move, the fulfilment that moved, and what others must hear."""

    order: Order
    fulfilment: Fulfilment
    facts: tuple[Event, ...]


def allowed(fulfilment: Fulfilment) -> tuple[FulfilmentState, ...]:
    """Where it may go from where it is."""
    barred = "SHIPPED" if fulfilment.method in COLLECTED else "READY_FOR_PICKUP"
    return tuple(state for state in _NEXT.get(fulfilment.state, ()) if state != barred)


def move(
    order: Order,
    fulfilment_id: str,
    to: FulfilmentState,
    *,
    actor: str,
    at: datetime,
    lines: Mapping[str, int] | None = None,
    tracking: Tracking | None = None,
    detail: str | None = None,
) -> Moved:
    """The order with that fulfilment in another state, at the next version.

    ``lines`` (order line → units) moves a part of it: what is left stays behind as it was. Raises ``IllegalTransition``,
    ``InvalidInput`` for lines that are not in it, or for tracking of what is not shipped.
    """
    part = next(each for each in order.fulfilments if each.id == fulfilment_id)
    may = allowed(part)
    if to not in may:
        raise IllegalTransition(part.state, to, may)
    if tracking is not None and to != "SHIPPED":
        raise InvalidInput("only what is shipped can be tracked", path=("tracking",))
    moving, behind = _parted(order, part, lines, at)
    happening = Happening(at, to, actor, detail)
    moved = replace(moving, state=to, tracking=tracking or moving.tracking, happenings=(*moving.happenings, happening))
    parts = [*([behind] if behind is not None else []), moved]
    fulfilments = tuple(new for each in order.fulfilments for new in (parts if each.id == fulfilment_id else [each]))
    changed = replace(
        order,
        # A version for each change of a fulfilment that is told.
        version=order.version + len(parts),
        fulfilments=fulfilments,
        timeline=(*order.timeline, replace(happening, type=f"FULFILMENT_{to}")),
    )
    if to in LEAVES:
        changed = _fulfilled(changed, moved.lines)
    facts = _facts(order, part, moved)
    if behind is not None:
        facts = (_changed(order, behind, behind.state), *facts)
    return Moved(replace(changed, status=status_of(changed)), moved, facts)


def status_of(order: Order) -> OrderStatus:
    """What the fulfilments make of the order. What was freed counts only if nothing else is left."""
    if order.status in ("CLOSED", "PENDING"):
        return order.status
    live = [part for part in order.fulfilments if part.state not in FREES]
    if not live:
        return "CANCELED" if all(part.state == "CANCELED" for part in order.fulfilments) else "PROCESSING"
    left = [part for part in live if part.state in LEFT]
    units = sum(line.quantity for line in order.lines)
    if sum(line.quantity for part in left for line in part.lines) >= units:
        return "FULFILLED"
    if left:
        return "PARTIALLY_FULFILLED"
    return "CONFIRMED" if all(part.state == "PLANNED" for part in order.fulfilments) else "PROCESSING"


def reservation_of(order: Order, part: Fulfilment) -> str | None:
    """Whose units it is made of: its own after it was sent elsewhere, else the order's."""
    return part.reservation_id or order.reservation_id


def planned_elsewhere(order: Order, rejected: Fulfilment, replacements: Sequence[Fulfilment], at: datetime) -> Moved:
    """The order with fulfilments that take a rejected one's place."""
    where = ", ".join(part.location_id for part in replacements)
    changed = replace(
        order,
        version=order.version + len(replacements),
        fulfilments=(*order.fulfilments, *replacements),
        timeline=(*order.timeline, Happening(at, "REROUTED", "galleria", f"from {rejected.location_id} to {where}")),
    )
    facts = tuple(_changed(order, part, None) for part in replacements)
    return Moved(replace(changed, status=status_of(changed)), replacements[0], facts)


def _parted(
    order: Order, part: Fulfilment, lines: Mapping[str, int] | None, at: datetime
) -> tuple[Fulfilment, Fulfilment | None]:
    """What moves, and what stays behind if not all of it does."""
    if lines is None:
        return part, None
    have = {line.order_line_id: line for line in part.lines}
    if not lines or any(
        line_id not in have or not 1 <= units <= have[line_id].quantity for line_id, units in lines.items()
    ):
        raise InvalidInput("lines are some of the fulfilment's, with at most its units", path=("lines",))
    rest = tuple(
        replace(line, quantity=line.quantity - lines.get(line.order_line_id, 0))
        for line in part.lines
        if line.quantity > lines.get(line.order_line_id, 0)
    )
    if not rest:
        return part, None
    number = len(order.fulfilments)
    moving = replace(
        part,
        id=deterministic_id("ful", part.id, str(number), at_ms=int(at.timestamp() * 1000)),
        lines=tuple(replace(have[line_id], quantity=units) for line_id, units in lines.items()),
    )
    return moving, replace(part, lines=rest)


def _fulfilled(order: Order, lines: Sequence[FulfilmentLine]) -> Order:
    units = {line.order_line_id: line.quantity for line in lines}
    return replace(
        order, lines=tuple(replace(line, fulfilled=line.fulfilled + units.get(line.id, 0)) for line in order.lines)
    )


def _facts(order: Order, before: Fulfilment, after: Fulfilment) -> tuple[Event, ...]:
    facts: list[Event] = [_changed(order, after, before.state)]
    reservation = reservation_of(order, after)
    fact = GoodsLeft if after.state in LEAVES else GoodsFreed if after.state in FREES else None
    if fact is not None and reservation is not None:
        facts.append(
            fact(
                order_id=order.id,
                fulfilment_id=after.id,
                reservation_id=reservation,
                location_id=after.location_id,
                lines=tuple(
                    GoodsLine(line_id=line.order_line_id, sku=line.sku, quantity=line.quantity) for line in after.lines
                ),
            )
        )
    return tuple(facts)


def _changed(order: Order, part: Fulfilment, before: FulfilmentState | None) -> FulfilmentChanged:
    return FulfilmentChanged(
        order_id=order.id,
        fulfilment_id=part.id,
        location_id=part.location_id,
        method=part.method,
        from_state=before,
        to_state=part.state,
    )
