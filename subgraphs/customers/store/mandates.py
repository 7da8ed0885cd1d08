"""Mandates' documents: their shapes, their mapping to the model, their queries and indexes. No decisions.

``mandates``
    ``{_id: "man_…", cus: "cus_…", agent, scopes: [scope], each: {m, c}, all: {m, c}, days, cats: [slug] | null,
    human: {m, c} | null, from: date, until: date, revoked: date | null, v}``; ``v`` also moves when spending is held, so
    that two orders of one mandate are never decided side by side
``mandate_spendings``
    ``{_id: "ord_…", man: "man_…", period: number, amount: {m, c}, state: "HELD" | "SPENT" | "RELEASED", at: date}``
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from subgraphs.chassis.mongo import (
    Database,
    Document,
    Index,
    Session,
    TransientConflict,
    money_from_doc,
    money_to_doc,
)
from subgraphs.customers.model.mandates import Mandate, Spending, SpendingState

MANDATES, SPENDINGS = "mandates", "mandate_spendings"

INDEXES: dict[str, Sequence[Index]] = {
    # The guard {_id, v} is a compound index for the sake of the embedded server, as everywhere.
    MANDATES: (Index(["cus"]), Index(["_id", "v"])),
    SPENDINGS: (Index(["man", "period"]),),
}


def mandate_to_doc(mandate: Mandate) -> Document:
    """The document of a mandate."""
    human = mandate.human_approval_above
    return {
        "_id": mandate.id,
        "cus": mandate.customer_id,
        "agent": mandate.agent_id,
        "scopes": list(mandate.scopes),
        "each": money_to_doc(mandate.per_order_limit),
        "all": money_to_doc(mandate.period_limit),
        "days": mandate.period_days,
        "cats": list(mandate.categories) if mandate.categories is not None else None,
        "human": money_to_doc(human) if human is not None else None,
        "from": mandate.granted_at,
        "until": mandate.expires_at,
        "revoked": mandate.revoked_at,
        "v": mandate.version,
    }


def mandate_from_doc(doc: Mapping[str, Any]) -> Mandate:
    """The mandate of a document."""
    return Mandate(
        id=doc["_id"],
        version=doc["v"],
        customer_id=doc["cus"],
        agent_id=doc["agent"],
        scopes=tuple(doc["scopes"]),
        per_order_limit=money_from_doc(doc["each"]),
        period_limit=money_from_doc(doc["all"]),
        period_days=doc["days"],
        categories=tuple(doc["cats"]) if doc["cats"] is not None else None,
        human_approval_above=money_from_doc(doc["human"]) if doc["human"] is not None else None,
        granted_at=doc["from"],
        expires_at=doc["until"],
        revoked_at=doc["revoked"],
    )


def _spending_to_doc(spending: Spending) -> Document:
    return {
        "_id": spending.order_id,
        "man": spending.mandate_id,
        "period": spending.period,
        "amount": money_to_doc(spending.amount),
        "state": spending.state.value,
        "at": spending.at,
    }


def _spending_from_doc(doc: Mapping[str, Any]) -> Spending:
    return Spending(
        order_id=doc["_id"],
        mandate_id=doc["man"],
        period=doc["period"],
        amount=money_from_doc(doc["amount"]),
        state=SpendingState(doc["state"]),
        at=doc["at"],
    )


class MandateStore:
    """The two collections."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._mandates = database.collection(MANDATES)
        self._spendings = database.collection(SPENDINGS)

    async def mandates(self, ids: Sequence[str], *, session: Session | None = None) -> dict[str, Mandate]:
        """Those that exist. One query."""
        docs = await self._mandates.find({"_id": {"$in": list(ids)}}, session=session)
        return {doc["_id"]: mandate_from_doc(doc) for doc in docs}

    async def mandates_of(self, customers: Sequence[str]) -> dict[str, list[Mandate]]:
        """By customer, the oldest first. One query."""
        found: dict[str, list[Mandate]] = {customer: [] for customer in customers}
        for doc in await self._mandates.find({"cus": {"$in": list(found)}}):
            found[doc["cus"]].append(mandate_from_doc(doc))
        return {customer: sorted(own, key=lambda one: one.id) for customer, own in found.items()}

    async def add(self, mandate: Mandate, *, session: Session) -> None:
        await self._mandates.insert_one(mandate_to_doc(mandate), session=session)

    async def move(self, before: Mandate, after: Mandate, *, session: Session) -> None:
        """Writes a mandate anew if it is still as it was read."""
        written = await self._mandates.replace_one(
            {"_id": before.id, "v": before.version}, mandate_to_doc(after), session=session
        )
        if not written.modified:
            raise TransientConflict("the mandate changed since it was read")

    async def spendings(
        self, periods: Sequence[tuple[str, int]], *, session: Session | None = None
    ) -> dict[str, list[Spending]]:
        """What orders take of each mandate in the period given with it. One query."""
        found: dict[str, list[Spending]] = {mandate: [] for mandate, _ in periods}
        wanted = dict(periods)
        chosen = {"man": {"$in": list(wanted)}, "period": {"$in": sorted(set(wanted.values()))}}
        for doc in await self._spendings.find(chosen, session=session):
            if doc["period"] == wanted[doc["man"]]:
                found[doc["man"]].append(_spending_from_doc(doc))
        return found

    async def spending(self, order_id: str, *, session: Session) -> Spending | None:
        """What an order takes."""
        doc = await self._spendings.find_one({"_id": order_id}, session=session)
        return _spending_from_doc(doc) if doc is not None else None

    async def add_spending(self, spending: Spending, *, session: Session) -> None:
        """``DuplicateKey`` if the order has one."""
        await self._spendings.insert_one(_spending_to_doc(spending), session=session)

    async def change_spending(self, spending: Spending, *, session: Session) -> None:
        """Writes the state it is in now."""
        await self._spendings.update_one(
            {"_id": spending.order_id}, {"$set": {"state": spending.state.value}}, session=session
        )
