"""The books of orders: journal, invoices and settlement files. No decisions.

``journal``      {_id: number from 1, fact: "evt_…", at, order, currency, text, postings: [{a: account, d: debit, c: credit}]}
``documents``    {_id: "INV-0000001" | "CRN-0000001", kind, number, order, at, currency, total, tax, of: invoice | null}
``bookkeeping``  {_id: "books", seq: outbox position, v, journal, INVOICE, CREDIT_NOTE: last numbers given}
``settlements``  {_id: "stl_…", provider, sha256 (unique by provider), at, currency, rows: [{ref, kind, gross, fee, bucket,
                 payment}]}
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from subgraphs.chassis.mongo import Database, Document, DuplicateKey, Index, Session
from subgraphs.kernel.money import Money
from subgraphs.orders.model.journal import Entry, Posting
from subgraphs.orders.model.settlement import File, Judged, Row

JOURNAL, DOCUMENTS, STATE, SETTLEMENTS = "journal", "documents", "bookkeeping", "settlements"
INDEXES: dict[str, Sequence[Index]] = {
    JOURNAL: (Index(["at"]), Index(["fact"], unique=True)),
    DOCUMENTS: (Index(["order"]),),
    STATE: (Index(["_id", "v"]),),
    SETTLEMENTS: (Index(["provider", "sha256"], unique=True), Index(["provider", "at"])),
}
_STATE_ID = "books"

DocumentKind = Literal["INVOICE", "CREDIT_NOTE"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Paper:
    """An invoice, or the credit note ``of`` one; ``id`` is its number as printed. Never changed."""

    id: str
    kind: DocumentKind
    number: int
    order_id: str
    at: datetime
    total: Money
    tax: Money
    of: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """How far the bookkeeper has come, and the last numbers given."""

    version: int = 0
    position: int = 0
    journal: int = 0
    invoices: int = 0
    credit_notes: int = 0


class Books:
    """What the bookkeeper writes and finance reads."""

    def __init__(self, database: Database) -> None:
        self._journal = database.collection(JOURNAL)
        self._papers = database.collection(DOCUMENTS)
        self._state = database.collection(STATE)
        self._settlements = database.collection(SETTLEMENTS)

    async def state(self, session: Session | None = None) -> State:
        found = await self._state.find_one({"_id": _STATE_ID}, session=session)
        if found is None:
            return State()
        return State(
            version=int(found["v"]),
            position=int(found["seq"]),
            journal=int(found["journal"]),
            invoices=int(found["invoices"]),
            credit_notes=int(found["credit_notes"]),
        )

    async def save_state(self, state: State, session: Session) -> bool:
        """Whether nobody else has kept books since it was read."""
        document: Document = {
            "_id": _STATE_ID,
            "v": state.version + 1,
            "seq": state.position,
            "journal": state.journal,
            "invoices": state.invoices,
            "credit_notes": state.credit_notes,
        }
        if state.version == 0:
            try:
                await self._state.insert_one(document, session=session)
            except DuplicateKey:
                return False
            return True
        written = await self._state.replace_one({"_id": _STATE_ID, "v": state.version}, document, session=session)
        return written.modified == 1

    async def add(self, entries: Sequence[Entry], papers: Sequence[Paper], session: Session) -> None:
        if entries:
            await self._journal.insert_many([_entry_to_doc(entry) for entry in entries], session=session)
        if papers:
            await self._papers.insert_many([_paper_to_doc(paper) for paper in papers], session=session)

    async def entries(self, begin: datetime, end: datetime) -> list[Entry]:
        """Entries of that time, ``end`` not included, by number."""
        rows = await self._journal.find({"at": {"$gte": begin, "$lt": end}}, sort=[("_id", 1)])
        return [_entry_from_doc(row) for row in rows]

    async def papers_of(self, order_ids: Sequence[str], session: Session | None = None) -> dict[str, list[Paper]]:
        """Invoices and credit notes by order, oldest first. One query."""
        found: dict[str, list[Paper]] = {}
        for row in await self._papers.find({"order": {"$in": list(order_ids)}}, sort=[("_id", 1)], session=session):
            found.setdefault(row["order"], []).append(_paper_from_doc(row))
        for papers in found.values():
            papers.sort(key=lambda paper: (paper.at, paper.kind != "INVOICE", paper.number))
        return found

    async def file_of(self, provider: str, sha256: str, session: Session | None = None) -> File | None:
        found = await self._settlements.find_one({"provider": provider, "sha256": sha256}, session=session)
        return None if found is None else _file_from_doc(found)

    async def files(self, provider: str, begin: datetime, end: datetime) -> list[File]:
        """Files taken in in that time, ``end`` not included, oldest first."""
        rows = await self._settlements.find(
            {"provider": provider, "at": {"$gte": begin, "$lt": end}}, sort=[("at", 1), ("_id", 1)]
        )
        return [_file_from_doc(row) for row in rows]

    async def add_file(self, file: File, session: Session) -> None:
        await self._settlements.insert_one(_file_to_doc(file), session=session)


def _entry_to_doc(entry: Entry) -> Document:
    return {
        "_id": entry.number,
        "fact": entry.fact,
        "at": entry.at,
        "order": entry.order,
        "currency": entry.currency,
        "text": entry.text,
        "postings": [{"a": each.account, "d": each.debit, "c": each.credit} for each in entry.postings],
    }


def _entry_from_doc(document: Mapping[str, Any]) -> Entry:
    return Entry(
        number=int(document["_id"]),
        fact=document["fact"],
        at=document["at"],
        order=document["order"],
        currency=document["currency"],
        text=document["text"],
        postings=tuple(Posting(each["a"], int(each["d"]), int(each["c"])) for each in document["postings"]),
    )


def _paper_to_doc(paper: Paper) -> Document:
    return {
        "_id": paper.id,
        "kind": paper.kind,
        "number": paper.number,
        "order": paper.order_id,
        "at": paper.at,
        "currency": paper.total.currency,
        "total": paper.total.minor,
        "tax": paper.tax.minor,
        "of": paper.of,
    }


def _paper_from_doc(document: Mapping[str, Any]) -> Paper:
    return Paper(
        id=document["_id"],
        kind=document["kind"],
        number=int(document["number"]),
        order_id=document["order"],
        at=document["at"],
        total=Money(int(document["total"]), document["currency"]),
        tax=Money(int(document["tax"]), document["currency"]),
        of=document["of"],
    )


def _file_to_doc(file: File) -> Document:
    return {
        "_id": file.id,
        "provider": file.provider,
        "sha256": file.sha256,
        "at": file.at,
        "currency": file.currency,
        "rows": [
            {
                "ref": each.row.provider_ref,
                "kind": each.row.kind,
                "gross": each.row.gross.minor,
                "fee": each.row.fee.minor,
                "bucket": each.bucket,
                "payment": each.payment_id,
            }
            for each in file.rows
        ],
    }


def _file_from_doc(document: Mapping[str, Any]) -> File:
    currency = document["currency"]
    return File(
        id=document["_id"],
        provider=document["provider"],
        sha256=document["sha256"],
        at=document["at"],
        currency=currency,
        rows=tuple(
            Judged(
                Row(row["ref"], Money(int(row["gross"]), currency), Money(int(row["fee"]), currency), row["kind"]),
                row["bucket"],
                row["payment"],
            )
            for row in document["rows"]
        ),
    )
