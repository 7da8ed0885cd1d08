"""Returns and money errands: their documents, queries and indexes. No decisions.

``returns``   {_id: ret_, v, order, state, via, location, lines: [{line, sku, q, reason, disposition}], refund: money,
              requested_at, goods: [before, after, whole], happenings: [happening]}
``errands``   {_id: "capture:pay_…" | "void:pay_…" | "refund:rfd_…:<n>", kind, payment, order, amount: money,
              refund: {id, return, reason, goods, points, points_minor}, done, tries, due_at}
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal

from subgraphs.chassis.mongo import Database, Document, Index, Session, money_from_doc, money_to_doc
from subgraphs.kernel.money import Money
from subgraphs.orders.model.delivery import Happening
from subgraphs.orders.model.returns import Return, ReturnLine

RETURNS = "returns"
ERRANDS = "errands"

INDEXES: dict[str, Sequence[Index]] = {
    RETURNS: (Index(["order"]), Index(["_id", "v"])),
    ERRANDS: (Index(["done", "due_at"]), Index(["order"]), Index(["_id", "tries"])),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundPart:
    """What a refund is for; ``goods_minor`` of the order's goods are refunded with it, all returns together."""

    refund_id: str
    return_id: str | None
    reason: str
    goods_minor: int
    points: int = 0
    points_minor: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """Something a payment provider must still do, once."""

    id: str
    kind: Literal["CAPTURE", "VOID", "REFUND"]
    payment_id: str
    order_id: str
    amount: Money
    refund: RefundPart | None
    done: bool
    tries: int
    due_at: datetime


class AfterSales:
    """What orders keeps of the time after the sale."""

    def __init__(self, database: Database) -> None:
        self._returns = database.collection(RETURNS)
        self._errands = database.collection(ERRANDS)

    async def given_back(self, return_id: str, session: Session | None = None) -> Return | None:
        found = await self._returns.find_one({"_id": return_id}, session=session)
        return None if found is None else return_from_doc(found)

    async def returns_of(self, order_ids: Sequence[str], session: Session | None = None) -> dict[str, list[Return]]:
        """By order, oldest first. One query."""
        rows = await self._returns.find({"order": {"$in": list(order_ids)}}, sort=[("_id", 1)], session=session)
        found: dict[str, list[Return]] = {}
        for row in rows:
            found.setdefault(row["order"], []).append(return_from_doc(row))
        return found

    async def add_return(self, given: Return, session: Session) -> None:
        await self._returns.insert_one(return_to_doc(given), session=session)

    async def save_return(self, given: Return, before: int, session: Session) -> bool:
        """Whether the return still had version ``before`` and is now this."""
        written = await self._returns.replace_one({"_id": given.id, "v": before}, return_to_doc(given), session=session)
        return written.modified == 1

    async def add_errands(self, errands: Sequence[Errand], session: Session) -> None:
        if errands:
            await self._errands.insert_many([_errand_to_doc(errand) for errand in errands], session=session)

    async def errand(self, errand_id: str, session: Session | None = None) -> Errand | None:
        found = await self._errands.find_one({"_id": errand_id}, session=session)
        return None if found is None else _errand_from_doc(found)

    async def errands_of(self, order_id: str, session: Session | None = None) -> list[Errand]:
        """All of an order, done or not."""
        return [_errand_from_doc(row) for row in await self._errands.find({"order": order_id}, session=session)]

    async def refunds_of(self, order_ids: Sequence[str], session: Session) -> list[Errand]:
        """The refunds of these orders, made or wanted. One query."""
        rows = await self._errands.find({"order": {"$in": list(order_ids)}}, session=session)
        return [errand for errand in map(_errand_from_doc, rows) if errand.kind == "REFUND"]

    async def due_errands(self, now: datetime, limit: int) -> list[Errand]:
        """Those nobody is on, longest waiting first."""
        rows = await self._errands.find({"done": False, "due_at": {"$lte": now}}, sort=[("due_at", 1)], limit=limit)
        return [_errand_from_doc(row) for row in rows]

    async def lease_errand(self, errand: Errand, until: datetime) -> bool:
        """Whether nobody else has tried since it was read; it is ours until then."""
        written = await self._errands.update_one(
            {"_id": errand.id, "tries": errand.tries}, {"$set": {"due_at": until}, "$inc": {"tries": 1}}
        )
        return written.modified == 1

    async def put_off(self, errand_id: str, until: datetime) -> None:
        await self._errands.update_one({"_id": errand_id}, {"$set": {"due_at": until}})

    async def errand_done(self, errand_id: str, session: Session) -> None:
        await self._errands.update_one({"_id": errand_id}, {"$set": {"done": True}}, session=session)


def return_to_doc(given: Return) -> Document:
    return {
        "_id": given.id,
        "v": given.version,
        "order": given.order_id,
        "state": given.state,
        "via": given.via,
        "location": given.location_id,
        "lines": [
            {
                "line": line.order_line_id,
                "sku": line.sku,
                "q": line.quantity,
                "reason": line.reason,
                "disposition": line.disposition,
            }
            for line in given.lines
        ],
        "refund": None if given.refund is None else money_to_doc(given.refund),
        "requested_at": given.requested_at,
        "goods": None if given.goods is None else list(given.goods),
        "happenings": [asdict(happening) for happening in given.happenings],
    }


def return_from_doc(document: Mapping[str, Any]) -> Return:
    return Return(
        id=document["_id"],
        version=int(document["v"]),
        order_id=document["order"],
        state=document["state"],
        via=document["via"],
        location_id=document["location"],
        lines=tuple(
            ReturnLine(
                order_line_id=line["line"],
                sku=line["sku"],
                quantity=int(line["q"]),
                reason=line["reason"],
                disposition=line["disposition"],
            )
            for line in document["lines"]
        ),
        refund=None if document["refund"] is None else money_from_doc(document["refund"]),
        requested_at=document["requested_at"],
        goods=None if not document.get("goods") else tuple(map(int, document["goods"])),  # type: ignore[arg-type]
        happenings=tuple(Happening(**happening) for happening in document["happenings"]),
    )


def _errand_to_doc(errand: Errand) -> Document:
    refund = errand.refund
    return {
        "_id": errand.id,
        "kind": errand.kind,
        "payment": errand.payment_id,
        "order": errand.order_id,
        "amount": money_to_doc(errand.amount),
        "refund": None
        if refund is None
        else {
            "id": refund.refund_id,
            "return": refund.return_id,
            "reason": refund.reason,
            "goods": refund.goods_minor,
            "points": refund.points,
            "points_minor": refund.points_minor,
        },
        "done": errand.done,
        "tries": errand.tries,
        "due_at": errand.due_at,
    }


def _errand_from_doc(document: Mapping[str, Any]) -> Errand:
    refund = document["refund"]
    return Errand(
        id=document["_id"],
        kind=document["kind"],
        payment_id=document["payment"],
        order_id=document["order"],
        amount=money_from_doc(document["amount"]),
        refund=None
        if refund is None
        else RefundPart(
            refund_id=refund["id"],
            return_id=refund["return"],
            reason=refund["reason"],
            goods_minor=int(refund["goods"]),
            points=int(refund.get("points", 0)),
            points_minor=int(refund.get("points_minor", 0)),
        ),
        done=document["done"],
        tries=int(document["tries"]),
        due_at=document["due_at"],
    )
