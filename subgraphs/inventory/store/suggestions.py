"""Documents of suggested moves and of the transfers they become: shapes, mapping, queries and indexes. No decisions.

``suggestions``
    ``{_id: "sug_…", open: "SKU|from|to" while it is, state, sku, from, to, q, more, benefit: {m, c}, keeps,
    coverFrom: [before, after], coverTo: […], reason, at: date, transfer: "trf_…" | null}``
``transfers``
    ``{_id: "trf_…", from, to, state: "DRAFT", lines: [{sku, q, got}], suggestion: "sug_…", by, at: date}``
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from subgraphs.chassis.mongo import (
    ASCENDING,
    DESCENDING,
    Database,
    Document,
    Index,
    Insert,
    Replace,
    Session,
    Write,
    money_from_doc,
    money_to_doc,
)
from subgraphs.inventory.model.replenishment import Suggestion, SuggestionState

SUGGESTIONS, TRANSFERS = "suggestions", "transfers"

INDEXES: dict[str, Sequence[Index]] = {
    SUGGESTIONS: (
        Index(["open"], unique=True, sparse=True),
        Index(["state", "benefit.m"]),
        Index(["sku", "state"]),
        Index(["_id", "state"]),
    ),
    TRANSFERS: (Index(["state"]),),
}


def suggestion_to_doc(suggestion: Suggestion) -> Document:
    """The document of a suggestion."""
    doc: Document = {
        "_id": suggestion.id,
        "state": suggestion.state.value,
        "sku": suggestion.sku,
        "from": suggestion.source_id,
        "to": suggestion.target_id,
        "q": suggestion.quantity,
        "more": suggestion.sold_more,
        "benefit": money_to_doc(suggestion.benefit),
        "keeps": suggestion.source_keeps,
        "coverFrom": list(suggestion.cover_source),
        "coverTo": list(suggestion.cover_target),
        "reason": suggestion.reason,
        "at": suggestion.as_of,
        "transfer": suggestion.transfer_id,
    }
    if suggestion.state is SuggestionState.OPEN:
        doc["open"] = "|".join(suggestion.key)
    return doc


def suggestion_from_doc(doc: Mapping[str, Any]) -> Suggestion:
    """The suggestion of a document."""
    return Suggestion(
        id=doc["_id"],
        state=SuggestionState(doc["state"]),
        sku=doc["sku"],
        source_id=doc["from"],
        target_id=doc["to"],
        quantity=doc["q"],
        sold_more=doc["more"],
        benefit=money_from_doc(doc["benefit"]),
        source_keeps=doc["keeps"],
        cover_source=(doc["coverFrom"][0], doc["coverFrom"][1]),
        cover_target=(doc["coverTo"][0], doc["coverTo"][1]),
        reason=doc["reason"],
        as_of=doc["at"],
        transfer_id=doc["transfer"],
    )


class SuggestionStore:
    """The collections of suggestions and transfers."""

    def __init__(self, database: Database) -> None:
        self._suggestions = database.collection(SUGGESTIONS)
        self._transfers = database.collection(TRANSFERS)

    async def open(self, *, location_id: str | None, minor_min: int | None, limit: int) -> list[Suggestion]:
        """Open suggestions from or to a location (or any), the greatest benefit first."""
        chosen: Document = {"state": SuggestionState.OPEN.value}
        if minor_min is not None:
            chosen["benefit.m"] = {"$gte": minor_min}
        order = [("benefit.m", DESCENDING), ("_id", ASCENDING)]
        if location_id is None:
            docs = await self._suggestions.find(chosen, sort=order, limit=limit)
        else:
            # Two plain queries: a top-level $or reads the whole collection.
            docs = [
                doc
                for end in ("from", "to")
                for doc in await self._suggestions.find({**chosen, end: location_id}, sort=order, limit=limit)
            ]
            docs.sort(key=lambda doc: (-int(doc["benefit"]["m"]), doc["_id"]))
        return [suggestion_from_doc(doc) for doc in docs[:limit]]

    async def open_of(self, skus: Sequence[str]) -> list[Suggestion]:
        """The open suggestions of SKUs."""
        docs = await self._suggestions.find({"sku": {"$in": list(skus)}, "state": SuggestionState.OPEN.value})
        return [suggestion_from_doc(doc) for doc in docs]

    async def suggestion(self, identity: str, *, session: Session | None = None) -> Suggestion | None:
        """A suggestion, whatever has become of it."""
        doc = await self._suggestions.find_one({"_id": identity}, session=session)
        return suggestion_from_doc(doc) if doc is not None else None

    async def save(self, suggestions: Sequence[Suggestion]) -> None:
        """Adds suggestions or changes them, but for those that are no longer open: somebody was faster."""
        known = {
            doc["_id"]
            for doc in await self._suggestions.find(
                {"_id": {"$in": [each.id for each in suggestions]}}, projection={"_id": 1}
            )
        }
        writes: list[Write] = []
        for each in suggestions:
            doc = suggestion_to_doc(each)
            if each.id in known:
                writes.append(Replace({"_id": each.id, "state": SuggestionState.OPEN.value}, doc))
            else:
                writes.append(Insert(doc))
        await self._suggestions.bulk_write(writes)

    async def accept(self, suggestion: Suggestion, *, session: Session) -> bool:
        """Closes an open suggestion as accepted into its transfer; False if it is not open any more."""
        written = await self._suggestions.update_one(
            {"_id": suggestion.id, "state": SuggestionState.OPEN.value},
            {
                "$set": {"state": SuggestionState.ACCEPTED.value, "transfer": suggestion.transfer_id},
                "$unset": {"open": ""},
            },
            session=session,
        )
        return written.modified == 1

    async def add_draft(self, identity: str, suggestion: Suggestion, by: str, at: datetime, session: Session) -> None:
        """Adds a transfer that has not left yet."""
        await self._transfers.insert_one(
            {
                "_id": identity,
                "from": suggestion.source_id,
                "to": suggestion.target_id,
                "state": "DRAFT",
                "lines": [{"sku": suggestion.sku, "q": suggestion.quantity, "got": 0}],
                "suggestion": suggestion.id,
                "by": by,
                "at": at,
            },
            session=session,
        )

    async def drafts(self) -> list[tuple[str, str, str, int]]:
        """What transfers that have not left yet will move: (SKU, from, to, units)."""
        return [
            (line["sku"], doc["from"], doc["to"], line["q"])
            for doc in await self._transfers.find({"state": "DRAFT"})
            for line in doc["lines"]
        ]
