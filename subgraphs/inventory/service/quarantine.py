"""What becomes of goods in quarantine, once somebody has looked at them or mended them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from subgraphs.chassis.idempotency import Idempotency, Payload
from subgraphs.chassis.identity import Principal
from subgraphs.inventory.model.refusals import InsufficientStock, Shortfall
from subgraphs.inventory.model.returns import QuarantineOutcome
from subgraphs.inventory.model.stock import Cause, StockLevel, level_id
from subgraphs.inventory.service.book import Command, Desk, StockBook
from subgraphs.inventory.service.rights import WRITE, require
from subgraphs.inventory.store import level_from_doc, level_to_doc
from subgraphs.kernel.errors import InvalidInput

REASON_CHARACTERS_MAX = 200


class Quarantine:
    """Takes goods out of quarantine."""

    def __init__(self, book: StockBook, idempotency: Idempotency) -> None:
        self._book = book
        self._idempotency = idempotency

    async def resolve(
        self,
        principal: Principal,
        *,
        location_id: str,
        sku: str,
        quantity: int,
        outcome: QuarantineOutcome,
        reason: str,
        key: str,
        arguments: Mapping[str, Any],
    ) -> tuple[StockLevel, bool]:
        """Puts quarantined units up for sale, or strikes them off; the level, and whether this is a replay. Refused with
        ``InsufficientStock`` where not so many are quarantined."""
        require(principal, WRITE)
        if quantity < 1:
            raise InvalidInput("quantity is at least 1", path=("input", "quantity"))
        if not 1 <= len(reason) <= REASON_CHARACTERS_MAX:
            raise InvalidInput(f"reason has 1 to {REASON_CHARACTERS_MAX} characters", path=("input", "reason"))

        def decide(desk: Desk) -> Payload:
            there = desk.level(sku, location_id).quarantined
            if there < quantity:
                raise InsufficientStock([Shortfall(sku, quantity, there)])
            change = outcome.of(quantity)
            return {"level": level_to_doc(desk.move(sku, location_id, change, Cause.QUARANTINE, reason))}

        done = await self._book.submit(
            Command(
                decide=decide,
                claim=self._idempotency.claim(principal.key, "quarantineResolve", key, arguments),
                level_ids=(level_id(sku, location_id),),
            )
        )
        return level_from_doc(done.payload["level"]), done.replayed
