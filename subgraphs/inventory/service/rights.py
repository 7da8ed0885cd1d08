"""Who may: scopes of inventory, and the refusal of those without. What a right is good for is the use case's."""

from __future__ import annotations

from subgraphs.chassis.identity import Principal
from subgraphs.kernel.errors import Forbidden

READ, WRITE, SELL, PLAN = "inventory:read", "inventory:write", "pos:write", "inventory:plan"


def require(principal: Principal, scope: str) -> None:
    """Refuses a principal without the scope; services need none among themselves."""
    if principal.kind != "service" and not principal.has(scope):
        raise Forbidden(f"missing scopes: {scope}", [scope])
