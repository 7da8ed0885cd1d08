"""Who may see and change what, and doing a client's request once. Shared by every use case of orders."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from subgraphs.chassis.idempotency import Claim, Idempotency, Payload, Replay
from subgraphs.chassis.identity import Principal
from subgraphs.kernel.errors import Forbidden

READ = "orders:read"
POS_WRITE = "pos:write"
# Staff who look after customers see what those have bought.
_CUSTOMER_CARE = ("orders:read", "customers:read")
_GUEST = "anonymous:"


def may_touch(principal: Principal, owner: str, customer_id: str | None) -> bool:
    """Whether a cart or session is this principal's. A guest's belongs to whoever knows its identity."""
    if principal.kind in ("service", "staff") or owner == principal.key or owner.startswith(_GUEST):
        return True
    return customer_id is not None and customer_id == principal.customer_id


def may_see_order(principal: Principal, owner: str, customer_id: str | None) -> bool:
    """Whether an order is this principal's to see."""
    if principal.kind == "service" or principal.has(READ) or owner == principal.key:
        return True
    return customer_id is not None and customer_id == principal.customer_id


def owns(principal: Principal, owner: str, customer_id: str | None) -> bool:
    """Whether an order is this principal's own, not merely theirs to see."""
    return owner == principal.key or (customer_id is not None and customer_id == principal.customer_id)


def require_customer(principal: Principal, customer_id: str) -> None:
    """``Forbidden`` unless the principal is that customer or looks after customers."""
    if principal.customer_id == customer_id or principal.kind == "service":
        return
    if not any(principal.has(scope) for scope in _CUSTOMER_CARE):
        raise Forbidden("another customer's purchases", [READ])


def acting_for(principal: Principal, customer_id: str | None) -> str | None:
    """Whose purchase it is: the customer named, if the principal may act for them, else the principal's own."""
    if customer_id is None or customer_id == principal.customer_id:
        return customer_id or principal.customer_id
    if principal.kind not in ("staff", "service"):
        raise Forbidden("acting for another customer", ["orders:write"], path=("input", "customerId"))
    return customer_id


async def once(
    idempotency: Idempotency,
    principal: Principal,
    field: str,
    key: str,
    arguments: Mapping[str, Any],
    work: Callable[[Claim, Payload | None], Awaitable[Payload]],
    point: Payload | None = None,
) -> tuple[Payload, bool]:
    """The payload of a request that also asks other services, and whether it is a replay.

    ``work`` ends with a transaction that calls ``finish``; what it raises leaves no record, so that the same key may
    be tried again. It is handed what a predecessor that died had saved, or ``point``.
    """
    begun = await idempotency.begin(principal.key, field, key, arguments, point=point)
    if isinstance(begun, Replay):
        return begun.payload, True
    try:
        return await work(begun.claim, begun.point), False
    except Exception:
        await idempotency.abandon(begun.claim)
        raise
