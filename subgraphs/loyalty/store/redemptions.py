"""Redemptions' documents: their shape, their mapping to the model, their queries. No decisions.

``redemptions``
    ``{_id: "ord_…", acc: "loy_…" | null, pts, back: of them come back, state: "HELD" | "CAPTURED" | "RELEASED",
    at: date}``
"""

from __future__ import annotations

from collections.abc import Sequence

from subgraphs.chassis.mongo import Database, Index, Session
from subgraphs.loyalty.model.redemption import Redemption, RedemptionState

REDEMPTIONS = "redemptions"
INDEXES: dict[str, Sequence[Index]] = {REDEMPTIONS: ()}


class RedemptionStore:
    """The collection."""

    def __init__(self, database: Database) -> None:
        self._redemptions = database.collection(REDEMPTIONS)

    async def find(self, order_id: str, *, session: Session) -> Redemption | None:
        """An order's."""
        doc = await self._redemptions.find_one({"_id": order_id}, session=session)
        if doc is None:
            return None
        return Redemption(
            order_id=doc["_id"],
            account_id=doc["acc"],
            points=doc["pts"],
            returned=doc["back"],
            state=RedemptionState(doc["state"]),
            at=doc["at"],
        )

    async def add(self, redemption: Redemption, *, session: Session) -> None:
        """``DuplicateKey`` if the order has one."""
        await self._redemptions.insert_one(
            {
                "_id": redemption.order_id,
                "acc": redemption.account_id,
                "pts": redemption.points,
                "back": redemption.returned,
                "state": redemption.state.value,
                "at": redemption.at,
            },
            session=session,
        )

    async def change(self, redemption: Redemption, *, session: Session) -> None:
        """Writes what it is now; its account's guard keeps two from doing so at once."""
        await self._redemptions.update_one(
            {"_id": redemption.order_id},
            {"$set": {"back": redemption.returned, "state": redemption.state.value}},
            session=session,
        )
