"""Points as a means of payment: what an order holds, has taken and has given back. Pure.

    HELD ─▶ CAPTURED       the order was placed; points of it may come back with its goods
      └───▶ RELEASED       it was not: all come back

A redemption belongs to one order and is known by it. A released one of no points says that the order's hold, should it
still come, is too late.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum

from subgraphs.loyalty.model import Account, InsufficientPoints, LedgerEntry, LedgerKind


class RedemptionState(Enum):
    HELD = "HELD"
    CAPTURED = "CAPTURED"
    RELEASED = "RELEASED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Redemption:
    """``points`` were held; ``returned`` of them have come back."""

    order_id: str
    account_id: str | None
    points: int
    returned: int
    state: RedemptionState
    at: datetime

    def give_back(self, points: int) -> Redemption:
        """With so many more points come back, at most what is left."""
        return replace(self, returned=min(self.points, self.returned + points))


def hold(
    account: Account, points: int, *, order_id: str, entry_id: str, at: datetime
) -> tuple[Account, LedgerEntry, Redemption]:
    """Takes points that can be spent out of the balance, for an order to be."""
    if account.spendable < points:
        raise InsufficientPoints(account.spendable, points)
    after, entry = _moved(account, LedgerKind.REDEEM_HOLD, -points, order_id, f"hold:{order_id}", entry_id, at)
    held = Redemption(
        order_id=order_id, account_id=account.id, points=points, returned=0, state=RedemptionState.HELD, at=at
    )
    return after, entry, held


def capture(
    account: Account, redemption: Redemption, *, entry_id: str, at: datetime
) -> tuple[Account, LedgerEntry, Redemption]:
    """The order is placed: what it held is gone. An entry of no points says so."""
    order_id = redemption.order_id
    after, entry = _moved(account, LedgerKind.REDEEM_CAPTURE, 0, order_id, f"capture:{order_id}", entry_id, at)
    return after, entry, replace(redemption, state=RedemptionState.CAPTURED)


def give_back(
    account: Account, redemption: Redemption, points: int, *, cause: str, entry_id: str, at: datetime
) -> tuple[Account, LedgerEntry, Redemption]:
    """Puts points back into the balance, at most what has not come back yet."""
    changed = redemption.give_back(points)
    given = changed.returned - redemption.returned
    order_id, key = redemption.order_id, released_key(cause)
    after, entry = _moved(account, LedgerKind.REDEEM_RELEASE, given, order_id, key, entry_id, at)
    return after, entry, changed


def released_key(cause: str) -> str:
    """What makes points come back once for a cause, however often it is told."""
    return f"release:{cause}"


def _moved(
    account: Account, kind: LedgerKind, points: int, order_id: str, key: str, entry_id: str, at: datetime
) -> tuple[Account, LedgerEntry]:
    after = replace(account, balance=account.balance + points, version=account.version + 1)
    return after, LedgerEntry(
        id=entry_id,
        account_id=account.id,
        seq=after.version,
        kind=kind,
        points=points,
        pending=0,
        balance_after=after.balance,
        order_id=order_id,
        idempotency=key,
        at=at,
    )
