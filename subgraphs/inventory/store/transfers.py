"""Documents of transfers that move; a draft is first written by whoever accepts a suggestion (``suggestions``). No decisions.

``transfers``
    ``{_id: "trf_…", from, to, state, lines: [{sku, q, got}], suggestion: "sug_…" | null, by, at: date}``
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from subgraphs.chassis.mongo import Database, Document, Session
from subgraphs.inventory.model.transfers import Transfer, TransferLine, TransferState
from subgraphs.inventory.store.suggestions import TRANSFERS


class TransferStore:
    """The collection of transfers."""

    def __init__(self, database: Database) -> None:
        self._transfers = database.collection(TRANSFERS)

    async def transfer(self, identity: str, *, session: Session | None = None) -> Transfer | None:
        doc = await self._transfers.find_one({"_id": identity}, session=session)
        return None if doc is None else _from_doc(doc)

    async def listed(self, state: TransferState | None, location_id: str | None, limit: int) -> list[Transfer]:
        """Newest first, from or to a location if one is named."""
        chosen: Document = {} if state is None else {"state": state.value}
        docs = await self._transfers.find(chosen, sort=[("_id", -1)], limit=0 if location_id else limit)
        found = [_from_doc(doc) for doc in docs]
        if location_id is not None:
            found = [each for each in found if location_id in (each.source_id, each.target_id)]
        return found[:limit]

    async def add(self, transfer: Transfer, *, session: Session) -> None:
        await self._transfers.insert_one(_to_doc(transfer), session=session)

    async def save(self, transfer: Transfer, before: TransferState, *, session: Session) -> bool:
        """Whether the transfer still was in that state and is now this."""
        written = await self._transfers.replace_one(
            {"_id": transfer.id, "state": before.value}, _to_doc(transfer), session=session
        )
        return written.modified == 1


def _to_doc(transfer: Transfer) -> Document:
    return {
        "_id": transfer.id,
        "from": transfer.source_id,
        "to": transfer.target_id,
        "state": transfer.state.value,
        "lines": [{"sku": line.sku, "q": line.shipped, "got": line.received} for line in transfer.lines],
        "suggestion": transfer.suggestion_id,
        "by": transfer.by,
        "at": transfer.at,
    }


def _from_doc(doc: Mapping[str, Any]) -> Transfer:
    return Transfer(
        id=doc["_id"],
        source_id=doc["from"],
        target_id=doc["to"],
        state=TransferState(doc["state"]),
        lines=tuple(TransferLine(line["sku"], int(line["q"]), int(line["got"])) for line in doc["lines"]),
        suggestion_id=doc.get("suggestion"),
        by=doc["by"],
        at=doc["at"],
    )
