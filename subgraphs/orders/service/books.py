"""Keeping books, and what finance asks of them: the journal, invoices and credit notes, settlement, daily totals.

Theory of operation. The bookkeeper reads the service's own outbox, in its order, from where it stands. One transaction
writes the entries and papers of a batch of facts and moves its place and its counters, guarded by their version: so each
fact has one entry, and numbers have no gaps, whoever dies when. An entry depends on nothing but its fact and what never
changes of the order, so the same journal is written wherever it is written.

A settlement file is taken in once, by its digest: the rows with what we make of them, the mark on the payments they
settle, and the fact the journal hears, in one transaction.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

from subgraphs.chassis.idempotency import Claim, Idempotency, Payload
from subgraphs.chassis.identity import Principal
from subgraphs.chassis.mongo import Session
from subgraphs.chassis.outbox import Outbox
from subgraphs.kernel.clock import Clock, from_iso
from subgraphs.kernel.errors import InvalidInput, RequestInFlight
from subgraphs.kernel.events import (
    Envelope,
    OrderConfirmed,
    PaymentCaptured,
    PosOrderRecorded,
    RefundIssued,
    SettlementImported,
)
from subgraphs.kernel.ids import new_id
from subgraphs.kernel.money import Money
from subgraphs.orders.model import journal, settlement
from subgraphs.orders.model.journal import Entry, JournalFormat, Posting
from subgraphs.orders.model.order import Order, Payment
from subgraphs.orders.model.settlement import Expected, File, Judged, Row
from subgraphs.orders.payments.counter import PREFIX
from subgraphs.orders.service.access import once
from subgraphs.orders.store import Store
from subgraphs.orders.store.after_sales import AfterSales
from subgraphs.orders.store.books import Books, Paper, State

READ_BOOKS: Final = "finance:read"
WRITE_BOOKS: Final = "finance:write"
READ_RUNS: Final = "ops:read"
DAYS_MAX: Final = 366
EXPORT_BYTES_MAX: Final = 20_000_000
KEEP_POLL_S: Final = 0.5
_CASH: Final = "pos:cash"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Settlement held against our payments. ``gross`` and ``fees`` are the files' own sums."""

    provider: str
    matched: int
    theirs_alone: tuple[Row, ...]
    ours_alone: tuple[Payment, ...]
    mismatches: tuple[Row, ...]
    gross: Money
    fees: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """A batch of the journal as a file."""

    batch_id: str
    entries: int
    debits: Money
    credits: Money
    balanced: bool
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DayTotal:
    """What was sold and given back on a day (UTC), on a channel and at a counter if at one."""

    day: date
    channel: str
    location_id: str | None
    orders: int
    gross: Money
    refunded: Money


class Bookkeeping:
    """The bookkeeper and what finance asks of it."""

    def __init__(
        self,
        store: Store,
        after_sales: AfterSales,
        books: Books,
        outbox: Outbox,
        idempotency: Idempotency,
        clock: Clock,
    ) -> None:
        self._store = store
        self._after = after_sales
        self._books = books
        self._outbox = outbox
        self._idempotency = idempotency
        self._clock = clock

    async def run(self) -> None:
        """The bookkeeper: for ever."""
        while True:
            if not await self.keep():
                await asyncio.sleep(KEEP_POLL_S)

    async def keep(self) -> int:
        """Books the next facts; how many were looked at."""
        state = await self._books.state()
        facts = await self._outbox.read(state.position)
        if not facts:
            return 0

        async def body(session: Session) -> None:
            now = await self._books.state(session)
            if now.position != state.position:
                return  # Somebody else was quicker.
            entries, papers, changed = await self._booked(facts, now, session)
            last = facts[-1].seq
            assert last is not None, "what is read is numbered"
            await self._books.add(entries, papers, session)
            if not await self._books.save_state(replace(changed, position=last), session):
                raise RequestInFlight("somebody else keeps the books", 200)

        try:
            await self._store.database.transact(body)
        except RequestInFlight:
            return 0
        return len(facts)

    async def papers(self, order_ids: Sequence[str]) -> list[list[Paper]]:
        """Invoices and credit notes of each order, in the order asked. One query."""
        found = await self._books.papers_of(order_ids)
        return [found.get(order_id, []) for order_id in order_ids]

    async def export(self, begin: date, end: date, form: JournalFormat, currency: str) -> Export:
        """The entries of these days, the last included: the same days, once they are over, are the same bytes."""
        entries = await self._books.entries(*_days(begin, end))
        text = journal.written(entries, form)
        if len(text) > EXPORT_BYTES_MAX:
            raise InvalidInput("too much for one export; ask for fewer days", path=("to",))
        media = "text/csv" if form == "CSV" else "application/jsonl"
        return Export(
            batch_id=f"jrn_{hashlib.sha256(text).hexdigest()[:26]}",
            entries=len(entries),
            debits=Money(sum(entry.debits for entry in entries if entry.currency == currency), currency),
            credits=Money(sum(entry.credits for entry in entries if entry.currency == currency), currency),
            balanced=all(entry.debits == entry.credits for entry in entries),
            url=f"data:{media};base64,{base64.b64encode(text).decode()}",
        )

    async def report(self, provider: str, begin: date, end: date, currency: str) -> Report:
        """The files taken in on these days, in one currency, and what we took on them that no file tells of."""
        since, until = _days(begin, end)
        files = [file for file in await self._books.files(provider, since, until) if file.currency == currency]
        return self._report(provider, currency, files, await self._store.unsettled(provider, currency, since, until))

    async def take_in(
        self,
        principal: Principal,
        provider: str,
        sha256: str,
        rows: Sequence[Row],
        key: str,
        arguments: Mapping[str, Any],
    ) -> Report:
        """Takes a file in; the same file again changes nothing, under whatever key."""
        if len(sha256) != 64 or not set(sha256) <= set("0123456789abcdef"):
            raise InvalidInput("fileSha256 is 64 hexadecimal digits", path=("fileSha256",))
        currency = settlement.checked(rows)

        async def body(session: Session, claim: Claim) -> Payload:
            payload: Payload = {"sha256": sha256}
            if await self._books.file_of(provider, sha256, session) is None:
                await self._take_in(provider, sha256, currency, rows, session)
            await self._idempotency.finish(session, claim, payload)
            return payload

        async def work(claim: Claim, _: Payload | None) -> Payload:
            return await self._store.database.transact(lambda session: body(session, claim))

        await once(self._idempotency, principal, "settlementImport", key, arguments, work)
        file = await self._books.file_of(provider, sha256)
        assert file is not None, "it was just taken in, or before"
        ours = await self._store.unsettled(provider, currency, datetime.min.replace(tzinfo=UTC), file.at)
        return self._report(provider, currency, [file], ours)

    async def days(self, begin: date, end: date) -> list[DayTotal]:
        """Sums by day, channel and counter, days first; refunds count on the day they were made."""
        since, until = _days(begin, end)
        found: dict[tuple[date, str, str, str], list[int]] = {}

        def at(order: Order, moment: datetime) -> list[int]:
            where = order.sold_at_location_id or ""
            return found.setdefault((moment.astimezone(UTC).date(), order.channel, where, order.currency), [0, 0, 0])

        for order in await self._store.orders_moved(since, until):
            if order.status != "CANCELED" and since <= order.placed_at < until:
                row = at(order, order.placed_at)
                row[0] += 1
                row[1] += order.total.minor
            for each in order.adjustments:
                if since <= each.at < until and order.status != "CANCELED":
                    at(order, each.at)[2] += each.amount.minor
        return [
            DayTotal(
                day=day,
                channel=channel,
                location_id=location or None,
                orders=count,
                gross=Money(gross, currency),
                refunded=Money(refunded, currency),
            )
            for (day, channel, location, currency), (count, gross, refunded) in sorted(found.items())
        ]

    async def _take_in(self, provider: str, sha256: str, currency: str, rows: Sequence[Row], session: Session) -> None:
        expected = await self._expected(provider, [row.provider_ref for row in rows], session)
        file = File(
            id=new_id("stl"),
            provider=provider,
            sha256=sha256,
            at=self._clock.now(),
            currency=currency,
            rows=settlement.judged(rows, expected),
        )
        await self._books.add_file(file, session)
        settled = {each.payment_id for each in file.rows if each.payment_id is not None and each.row.kind == "CAPTURE"}
        await self._store.settle_payments(sorted(settled), file.id, session)
        fact = SettlementImported(
            file_id=file.id,
            provider=provider,
            currency=currency,
            gross_minor=file.gross.minor,
            fee_minor=file.fees.minor,
        )
        await self._outbox.append(session, fact, aggregate=f"settlement:{file.id}", aggregate_version=1)

    async def _expected(self, provider: str, refs: Sequence[str], session: Session) -> dict[str, Expected]:
        """What we think the provider says under each reference: a payment's own, or ``payment/refund``."""
        own = sorted({ref.partition("/")[0] for ref in refs})
        payments = {each.provider_ref: each for each in await self._store.payments_with_refs(provider, own, session)}
        found = {
            ref: Expected(payment.id, payment.captured) for ref, payment in payments.items() if payment.captured.minor
        }
        orders = sorted({payment.order_id for payment in payments.values() if payment.order_id is not None})
        by_id = {payment.id: payment for payment in payments.values()}
        for errand in await self._after.refunds_of(orders, session):
            payment = by_id.get(errand.payment_id)
            if payment is not None and errand.done:
                found[f"{payment.provider_ref}/{errand.id}"] = Expected(payment.id, -errand.amount)
        return found

    def _report(self, provider: str, currency: str, files: Sequence[File], ours: Sequence[Payment]) -> Report:
        rows: list[Judged] = [each for file in files for each in file.rows]
        return Report(
            provider=provider,
            matched=sum(each.bucket == "MATCHED" for each in rows),
            theirs_alone=tuple(each.row for each in rows if each.bucket == "UNMATCHED_PROVIDER"),
            ours_alone=tuple(ours),
            mismatches=tuple(each.row for each in rows if each.bucket == "AMOUNT_MISMATCH"),
            gross=Money(sum(file.gross.minor for file in files), currency),
            fees=Money(sum(file.fees.minor for file in files), currency),
        )

    async def _booked(
        self, facts: Sequence[Envelope], state: State, session: Session
    ) -> tuple[list[Entry], list[Paper], State]:
        entries, papers = list[Entry](), list[Paper]()
        for fact in facts:
            order: Order | None = None
            paper: Paper | None = None
            match fact.type:
                case PaymentCaptured.TYPE:
                    order = await self._order(fact, session)
                    captured = PaymentCaptured.from_data(fact.data)
                    postings = journal.sale(order, {journal.RECEIVABLE: captured.amount_minor})
                    paper, state = _invoice(order, fact, state)
                    text = f"Order {order.number}"
                case OrderConfirmed.TYPE:
                    order = await self._order(fact, session)
                    if order.total.minor:
                        continue  # It is booked when its money is taken.
                    postings = journal.sale(order, {})
                    paper, state = _invoice(order, fact, state)
                    text = f"Order {order.number}"
                case PosOrderRecorded.TYPE:
                    order = await self._order(fact, session)
                    postings = journal.sale(order, await self._tenders(order, session))
                    paper, state = _invoice(order, fact, state)
                    text = f"Receipt {order.number}"
                case RefundIssued.TYPE:
                    order = await self._order(fact, session)
                    refund = RefundIssued.from_data(fact.data)
                    account = await self._account(refund, session)
                    postings = journal.refund(order, refund.amount_minor, refund.points_minor, account)
                    before = [*(await self._books.papers_of([order.id], session)).get(order.id, []), *papers]
                    paper, state = _credit_note(order, fact, refund, before, state)
                    text = f"Refund of order {order.number}"
                case SettlementImported.TYPE:
                    told = SettlementImported.from_data(fact.data)
                    postings = journal.settlement(told.gross_minor, told.fee_minor)
                    text = f"Settlement {told.file_id} of {told.provider}"
                case _:
                    continue
            if paper is not None:
                papers.append(paper)
            if postings:
                entry, state = _entry(fact, order, postings, text, state)
                entries.append(entry)
        return entries, papers, state

    async def _order(self, fact: Envelope, session: Session) -> Order:
        order = await self._store.order(str(fact.data["order_id"]), session)
        assert order is not None, "orders are not deleted"
        return order

    async def _tenders(self, order: Order, session: Session) -> dict[str, int]:
        found: dict[str, int] = {}
        for payment in await self._store.payments_in(order.id, session):
            account = journal.TILL if payment.provider == _CASH else journal.RECEIVABLE
            found[account] = found.get(account, 0) + payment.captured.minor
        return found

    async def _account(self, refund: RefundIssued, session: Session) -> str:
        errand = await self._after.errand(refund.refund_id, session)
        payment = await self._store.payment(errand.payment_id, session) if errand is not None else None
        cash = payment is not None and payment.provider.startswith(PREFIX) and payment.provider == _CASH
        return journal.TILL if cash else journal.RECEIVABLE


def _entry(
    fact: Envelope, order: Order | None, postings: tuple[Posting, ...], text: str, state: State
) -> tuple[Entry, State]:
    number = state.journal + 1
    entry = Entry(
        number=number,
        fact=fact.id,
        at=from_iso(fact.occurred_at),
        order=None if order is None else order.id,
        currency=str(fact.data["currency"]),
        text=text,
        postings=postings,
    )
    return entry, replace(state, journal=number)


def _invoice(order: Order, fact: Envelope, state: State) -> tuple[Paper, State]:
    number = state.invoices + 1
    tax = Money(sum(line.amount.minor for line in order.tax_lines), order.currency)
    paper = Paper(
        id=f"INV-{number:07}",
        kind="INVOICE",
        number=number,
        order_id=order.id,
        at=from_iso(fact.occurred_at),
        total=order.value,
        tax=tax,
        of=None,
    )
    return paper, replace(state, invoices=number)


def _credit_note(
    order: Order, fact: Envelope, refund: RefundIssued, before: Sequence[Paper], state: State
) -> tuple[Paper, State]:
    number = state.credit_notes + 1
    worth = refund.amount_minor + refund.points_minor
    invoice = next((each for each in before if each.order_id == order.id and each.kind == "INVOICE"), None)
    paper = Paper(
        id=f"CRN-{number:07}",
        kind="CREDIT_NOTE",
        number=number,
        order_id=order.id,
        at=from_iso(fact.occurred_at),
        total=Money(worth, refund.currency),
        tax=Money(journal.tax_share(order, worth), refund.currency),
        of=invoice.id if invoice is not None else None,
    )
    return paper, replace(state, credit_notes=number)


def _days(begin: date, end: date) -> tuple[datetime, datetime]:
    if not begin <= end or (end - begin).days >= DAYS_MAX:
        raise InvalidInput(f"from is not after to, and they are less than {DAYS_MAX} days apart", path=("to",))
    return datetime.combine(begin, time(), UTC), datetime.combine(end + timedelta(days=1), time(), UTC)
