"""Loyalty's documents: their shapes, their mapping to the model, their queries and indexes. No decisions.

``programs``
    ``{_id: "main", name, point: {m, c}, units: {EUR: 100, …minor units that make one unit},
    tiers: [{code, name, qp, mul: "1.25", benefits: [text]}, …rising from qp 0],
    rules: [{code, desc, ppu: "1", cat: slug | null, ch: [codes] | null, from: date | null, to: date | null}]}``
``accounts``
    ``{_id: "loy_…", no: "L0000001", cus: "cus_…", tier: code, bal, pend, life, qual, v, at: date}``; ``bal`` and
    ``pend`` are the sums of the ledger's ``pts`` and ``pend``, ``life`` of what was ever earned, ``qual`` what counts
    for tiers, ``v`` the ``seq`` of the last entry (0 before the first)
``ledger``
    ``{_id: "ldg_…", acc: "loy_…", seq: from 1 without gaps, kind: "EARN_PENDING" | "EARN_CONFIRM" | "EARN_REVERSE" |
    "REDEEM_HOLD" | "REDEEM_CAPTURE" | "REDEEM_RELEASE" | "ADJUST", pts, pend, bal: balance after, order: "ord_…" (absent without one), idem, at: date, note: text | null}``;
    an order's accrual has ``pts = pend = points`` and ``idem: "earn:ord_…"``; its confirmation has ``pts: 0`` and
    ``pend: -points``
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from subgraphs.chassis.mongo import (
    ASCENDING,
    Database,
    Document,
    Index,
    Session,
    TransientConflict,
    money_from_doc,
    money_to_doc,
)
from subgraphs.kernel.money import Money
from subgraphs.loyalty.model import Account, EarnRule, LedgerEntry, LedgerKind, Program, Tier

PROGRAMS, ACCOUNTS, LEDGER = "programs", "accounts", "ledger"

INDEXES: dict[str, Sequence[Index]] = {
    PROGRAMS: (),
    # The guard {_id, v} is a compound index, since the embedded server reads a whole collection for any filter that
    # is neither a bare _id nor held by one index.
    ACCOUNTS: (Index(["cus"], unique=True), Index(["no"], unique=True), Index(["_id", "v"])),
    LEDGER: (
        Index(["acc", "seq"], unique=True),
        Index(["idem"], unique=True),
        Index(["order"], sparse=True),
    ),
}

MAIN_PROGRAM = Program(
    code="main",
    name="Galleria Circle",
    point_value=Money(1, "EUR"),
    units={"EUR": 100, "USD": 108, "GBP": 84},
    tiers=(
        Tier("bronze", "Bronze", 0, Decimal("1"), ("Points on everything you buy",)),
        Tier("silver", "Silver", 500, Decimal("1.25"), ("A quarter more points", "Free returns by mail")),
        Tier("gold", "Gold", 2000, Decimal("1.5"), ("Half as many points again", "First look at new arrivals")),
    ),
    rules=(EarnRule(code="base", description="One point for every euro spent", points_per_unit=Decimal("1")),),
)
"""The program a house begins with when its database has none."""


def program_to_doc(program: Program) -> Document:
    """The document of a program."""
    return {
        "_id": program.code,
        "name": program.name,
        "point": money_to_doc(program.point_value),
        "units": dict(program.units),
        "tiers": [
            {
                "code": tier.code,
                "name": tier.name,
                "qp": tier.qualifying_points,
                "mul": str(tier.multiplier),
                "benefits": list(tier.benefits),
            }
            for tier in program.tiers
        ],
        "rules": [
            {
                "code": rule.code,
                "desc": rule.description,
                "ppu": str(rule.points_per_unit),
                "cat": rule.category,
                "ch": list(rule.channels) if rule.channels is not None else None,
                "from": rule.starts_at,
                "to": rule.ends_at,
            }
            for rule in program.rules
        ],
    }


def program_from_doc(doc: Mapping[str, Any]) -> Program:
    """The program of a document."""
    return Program(
        code=doc["_id"],
        name=doc["name"],
        point_value=money_from_doc(doc["point"]),
        units=dict(doc["units"]),
        tiers=tuple(
            Tier(tier["code"], tier["name"], tier["qp"], Decimal(tier["mul"]), tuple(tier.get("benefits", ())))
            for tier in doc["tiers"]
        ),
        rules=tuple(
            EarnRule(
                code=rule["code"],
                description=rule["desc"],
                points_per_unit=Decimal(rule["ppu"]),
                category=rule.get("cat"),
                channels=tuple(rule["ch"]) if rule.get("ch") is not None else None,
                starts_at=rule.get("from"),
                ends_at=rule.get("to"),
            )
            for rule in doc["rules"]
        ),
    )


def account_to_doc(account: Account) -> Document:
    """The document of an account."""
    return {
        "_id": account.id,
        "no": account.number,
        "cus": account.customer_id,
        "tier": account.tier,
        "bal": account.balance,
        "pend": account.pending,
        "life": account.lifetime,
        "qual": account.qualifying,
        "v": account.version,
        "at": account.created_at,
    }


def account_from_doc(doc: Mapping[str, Any]) -> Account:
    """The account of a document."""
    return Account(
        id=doc["_id"],
        number=doc["no"],
        customer_id=doc["cus"],
        tier=doc["tier"],
        balance=doc["bal"],
        pending=doc["pend"],
        lifetime=doc["life"],
        qualifying=doc["qual"],
        version=doc["v"],
        created_at=doc["at"],
    )


def entry_to_doc(entry: LedgerEntry) -> Document:
    """The document of a ledger entry."""
    doc: Document = {
        "_id": entry.id,
        "acc": entry.account_id,
        "seq": entry.seq,
        "kind": entry.kind.value,
        "pts": entry.points,
        "pend": entry.pending,
        "bal": entry.balance_after,
        "idem": entry.idempotency,
        "at": entry.at,
        "note": entry.note,
    }
    # Absent rather than null, so that the sparse index holds entries of orders alone.
    return doc | {"order": entry.order_id} if entry.order_id is not None else doc


def entry_from_doc(doc: Mapping[str, Any]) -> LedgerEntry:
    """The ledger entry of a document."""
    return LedgerEntry(
        id=doc["_id"],
        account_id=doc["acc"],
        seq=doc["seq"],
        kind=LedgerKind(doc["kind"]),
        points=doc["pts"],
        pending=doc["pend"],
        balance_after=doc["bal"],
        order_id=doc.get("order"),
        idempotency=doc["idem"],
        at=doc["at"],
        note=doc.get("note"),
    )


class Store:
    """Loyalty's collections."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._programs = database.collection(PROGRAMS)
        self._accounts = database.collection(ACCOUNTS)
        self._ledger = database.collection(LEDGER)

    async def program(self, code: str) -> Program | None:
        """A program by code."""
        doc = await self._programs.find_one({"_id": code})
        return program_from_doc(doc) if doc is not None else None

    async def accounts(self, ids: Sequence[str], *, session: Session | None = None) -> dict[str, Account]:
        """Accounts by identity. One query."""
        docs = await self._accounts.find({"_id": {"$in": list(ids)}}, session=session)
        return {doc["_id"]: account_from_doc(doc) for doc in docs}

    async def accounts_of(self, customers: Sequence[str], *, session: Session | None = None) -> dict[str, Account]:
        """Accounts by customer. One query."""
        docs = await self._accounts.find({"cus": {"$in": list(customers)}}, session=session)
        return {doc["cus"]: account_from_doc(doc) for doc in docs}

    async def add_account(self, account: Account, *, session: Session) -> None:
        """Opens an account; ``DuplicateKey`` if the customer has one."""
        await self._accounts.insert_one(account_to_doc(account), session=session)

    async def entries_of_orders(
        self, orders: Sequence[str], *, session: Session | None = None
    ) -> dict[str, tuple[LedgerEntry, ...]]:
        """Entries by order, oldest first. One query."""
        found: dict[str, list[LedgerEntry]] = {order: [] for order in orders}
        for doc in await self._ledger.find({"order": {"$in": list(found)}}, session=session):
            found[doc["order"]].append(entry_from_doc(doc))
        return {order: tuple(sorted(entries, key=lambda entry: entry.seq)) for order, entries in found.items()}

    async def entry_done(self, idempotency: str, *, session: Session) -> bool:
        """Whether an entry with that key exists."""
        return await self._ledger.find_one({"idem": idempotency}, projection={"_id": 1}, session=session) is not None

    async def entries_before(self, account_id: str, before: int | None, limit: int) -> list[LedgerEntry]:
        """Entries of an account, newest first, below a ``seq``."""
        chosen: Document = {"acc": account_id}
        if before is not None:
            chosen["seq"] = {"$lt": before}
        docs = await self._ledger.find(chosen, sort=[("seq", -1)], limit=limit)
        return [entry_from_doc(doc) for doc in docs]

    async def entries_after(self, account_id: str, after: int, limit: int) -> list[LedgerEntry]:
        """Entries of an account, oldest first, above a ``seq``."""
        docs = await self._ledger.find(
            {"acc": account_id, "seq": {"$gt": after}}, sort=[("seq", ASCENDING)], limit=limit
        )
        return [entry_from_doc(doc) for doc in docs]

    async def move(self, before: Account, after: Account, entry: LedgerEntry, *, session: Session) -> None:
        """Appends an entry and moves its account on, if it is still as it was read."""
        changed = {"bal": after.balance, "pend": after.pending, "life": after.lifetime}
        written = await self._accounts.update_one(
            {"_id": before.id, "v": before.version},
            {"$set": {**changed, "qual": after.qualifying, "tier": after.tier, "v": after.version}},
            session=session,
        )
        if not written.modified:
            raise TransientConflict("the account changed since it was read")
        await self._ledger.insert_one(entry_to_doc(entry), session=session)

    async def audit_accounts(self, account_id: str | None, *, session: Session) -> list[Account]:
        """One account, or all: for the audit."""
        chosen = {"_id": account_id} if account_id is not None else {}
        return [account_from_doc(doc) for doc in await self._accounts.find(chosen, session=session)]

    async def audit_entries(self, account_id: str | None, *, session: Session) -> Iterable[LedgerEntry]:
        """Entries of one account, or all, by account and number: for the audit."""
        chosen = {"acc": account_id} if account_id is not None else {}
        docs = await self._ledger.find(chosen, session=session)
        return sorted((entry_from_doc(doc) for doc in docs), key=lambda entry: (entry.account_id, entry.seq))
