"""What inventory says no with, beside the kernel's own refusals. Each carries the facts needed to recover."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from subgraphs.kernel.errors import DomainError


@dataclass(frozen=True, slots=True)
class Shortfall:
    """``available`` of the ``requested`` units of a SKU could be had; more is expected at ``restock_at``, if known."""

    sku: str
    requested: int
    available: int
    restock_at: datetime | None = None


UNITS_SHOWN_MAX = 20
"""Above this what is left is told only to those who may see units: it would disclose a store's stock."""


def shown(shortfalls: Iterable[Shortfall]) -> tuple[Shortfall, ...]:
    """What anybody may be told is missing: that so many are there, or at least ``UNITS_SHOWN_MAX``."""
    return tuple(replace(item, available=min(item.available, UNITS_SHOWN_MAX)) for item in shortfalls)


class InsufficientStock(DomainError):
    """Not everything asked for is there; nothing was held."""

    severity = "REQUIRES_BUYER_REVIEW"

    def __init__(self, shortfalls: Sequence[Shortfall]) -> None:
        wanting = ", ".join(f"{item.sku} ({item.available} of {item.requested})" for item in shortfalls)
        super().__init__(f"not enough stock: {wanting}", path=("input", "lines"))
        self.shortfalls = tuple(shortfalls)


class ReservationExpired(DomainError):
    """The hold's time had run out; its units are for sale again."""

    severity = "RECOVERABLE"

    def __init__(self, reservation_id: str) -> None:
        super().__init__(f"reservation {reservation_id} has expired", path=("id",))
        self.reservation_id = reservation_id


class HoldLimitExceeded(DomainError):
    """This principal may not hold more at once than ``limit``."""

    severity = "RECOVERABLE"

    def __init__(self, message: str, limit: int) -> None:
        super().__init__(message, path=("input", "lines"))
        self.limit = limit
