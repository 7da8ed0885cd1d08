"""Goods that came back: one effect per line of a return, however often it is told. No decisions.

``returned``
    ``{_id: "RETURN|LINE|DISPOSITION", sku, loc, q, order: "ord_…", at: date}``; kept for good, as the inbox is not
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from subgraphs.chassis.mongo import Database, Index, Session

RETURNED = "returned"
INDEXES: dict[str, Sequence[Index]] = {RETURNED: ()}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnedGoods:
    """Units of one line of a return that came to a location, and what becomes of them."""

    return_id: str
    line_id: str
    disposition: str
    sku: str
    location_id: str
    quantity: int
    order_id: str

    @property
    def id(self) -> str:
        return f"{self.return_id}|{self.line_id}|{self.disposition}"


class Returns:
    """The collection of returned goods."""

    def __init__(self, database: Database) -> None:
        self._returned = database.collection(RETURNED)

    async def known(self, ids: Iterable[str], *, session: Session) -> set[str]:
        """Which of these have had their effect."""
        docs = await self._returned.find({"_id": {"$in": sorted(set(ids))}}, projection={"_id": 1}, session=session)
        return {doc["_id"] for doc in docs}

    async def add(self, goods: Sequence[ReturnedGoods], at: datetime, *, session: Session) -> None:
        """Remembers goods for good; ``DuplicateKey`` when another process was faster."""
        await self._returned.insert_many(
            [
                {
                    "_id": each.id,
                    "sku": each.sku,
                    "loc": each.location_id,
                    "q": each.quantity,
                    "order": each.order_id,
                    "at": at,
                }
                for each in goods
            ],
            session=session,
        )
