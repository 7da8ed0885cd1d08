"""What becomes of goods that came back, when they come and after quarantine."""

from __future__ import annotations

from enum import Enum

from subgraphs.inventory.model.stock import Delta
from subgraphs.kernel.errors import InvalidInput


class Disposition(Enum):
    """What whoever received the goods decided about them. Only ``RESTOCK`` may be sold again as it is."""

    RESTOCK = "RESTOCK"
    REFURBISH = "REFURBISH"
    DAMAGED = "DAMAGED"
    VENDOR_RETURN = "VENDOR_RETURN"


class QuarantineOutcome(Enum):
    """What somebody who looked at quarantined goods decided about them."""

    RESTOCKED = "RESTOCKED"
    GONE = "GONE"

    def of(self, quantity: int) -> Delta:
        """The change of the level where they are."""
        return Delta(on_hand=quantity if self is QuarantineOutcome.RESTOCKED else 0, quarantined=-quantity)


def came_back(disposition: str, quantity: int) -> Delta:
    """The change of the level where they came: on hand, or quarantined."""
    if disposition not in Disposition.__members__:
        raise InvalidInput(f"{disposition!r} is not something that becomes of goods", path=("lines", "disposition"))
    if quantity < 1:
        raise InvalidInput(f"a quantity is at least 1, not {quantity}", path=("lines", "quantity"))
    if Disposition[disposition] is Disposition.RESTOCK:
        return Delta(on_hand=quantity)
    return Delta(quarantined=quantity)
