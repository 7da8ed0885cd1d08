"""The journal: what facts of orders are in double entry. Pure.

An entry balances: its debits are its credits. It is made of one fact and never changed; what was wrong is put right by
another entry. Accounts are a small chart, named by number.

* Money taken for an order: the provider owes it (or the till has it); goods, delivery and tax are earned or owed.
* Points that paid for a part are owed no longer; given back, they are owed again.
* Money given back: returns take the goods' side, tax its share (rounded down; what is left over is the goods').
* A settlement: the bank has what the provider paid out, the fee is a cost, and the provider owes that much less.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from subgraphs.kernel.clock import iso
from subgraphs.kernel.money import Money
from subgraphs.orders.model.order import Order

TILL: Final = "1000 Cash in tills"
BANK: Final = "1100 Bank"
RECEIVABLE: Final = "1200 Payment providers"
TAX: Final = "2200 Tax payable"
POINTS: Final = "2300 Points owed to members"
SALES: Final = "4000 Sales"
DELIVERY: Final = "4100 Delivery"
RETURNS: Final = "4900 Returns"
FEES: Final = "6800 Payment fees"

JournalFormat = Literal["CSV", "JSONL"]
_COLUMNS: Final = ("number", "at", "fact", "order", "account", "currency", "debit", "credit", "text")


@dataclass(frozen=True, slots=True)
class Posting:
    """One side of an entry, in minor units; one of the two is 0."""

    account: str
    debit: int
    credit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An entry; ``number`` counts from 1 without gaps, ``fact`` is the event it was made of, once."""

    number: int
    fact: str
    at: datetime
    order: str | None
    currency: str
    text: str
    postings: tuple[Posting, ...]

    @property
    def debits(self) -> int:
        return sum(posting.debit for posting in self.postings)

    @property
    def credits(self) -> int:
        return sum(posting.credit for posting in self.postings)


def sale(order: Order, tenders: Mapping[str, int]) -> tuple[Posting, ...]:
    """The order's whole value, taken into these accounts, and what points paid for."""
    tax = sum(line.amount.minor for line in order.tax_lines)
    on_delivery = sum(line.amount.minor for line in order.tax_lines if line.line_id is None and line.included)
    delivery = sum(row.amount.minor for row in order.totals if row.kind == "FULFILMENT") - on_delivery
    goods = order.value.minor - tax - delivery
    return _kept(
        [
            *(Posting(account, minor, 0) for account, minor in tenders.items()),
            Posting(POINTS, order.points_worth.minor, 0),
            Posting(SALES, 0, goods),
            Posting(DELIVERY, 0, delivery),
            Posting(TAX, 0, tax),
        ]
    )


def refund(order: Order, amount: int, points: int, account: str) -> tuple[Posting, ...]:
    """So much of the order's value given back: ``amount`` from this account, and points worth ``points``."""
    share = tax_share(order, amount + points)
    goods = amount + points - share
    return _kept(
        [Posting(RETURNS, goods, 0), Posting(TAX, share, 0), Posting(account, 0, amount), Posting(POINTS, 0, points)]
    )


def tax_share(order: Order, amount: int) -> int:
    """What of the order's tax is in so much of its value, rounded down."""
    tax = sum(line.amount.minor for line in order.tax_lines)
    return tax * amount // order.value.minor if order.value.minor else 0


def settlement(gross: int, fees: int) -> tuple[Posting, ...]:
    """A file of a provider: what it paid out, what it kept."""
    net = gross - fees
    return _kept(
        [
            Posting(BANK, max(net, 0), max(-net, 0)),
            Posting(FEES, fees, 0),
            Posting(RECEIVABLE, max(-gross, 0), max(gross, 0)),
        ]
    )


def _kept(postings: Iterable[Posting]) -> tuple[Posting, ...]:
    """Without those of nothing; a side below zero is the other side."""
    found = []
    for posting in postings:
        debit, credit = posting.debit - min(posting.credit, 0), posting.credit - min(posting.debit, 0)
        debit, credit = max(debit, 0), max(credit, 0)
        if debit or credit:
            found.append(Posting(posting.account, debit, credit))
    return tuple(found)


def written(entries: Sequence[Entry], form: JournalFormat) -> bytes:
    """The entries as a file, a line a posting: the same entries are the same bytes."""
    rows = [
        (
            *(str(entry.number), iso(entry.at), entry.fact, entry.order or "", posting.account, entry.currency),
            *(_amount(posting.debit, entry.currency), _amount(posting.credit, entry.currency), entry.text),
        )
        for entry in entries
        for posting in entry.postings
    ]
    if form == "JSONL":
        lines = (json.dumps(dict(zip(_COLUMNS, row, strict=True)), ensure_ascii=False) for row in rows)
        return "".join(f"{line}\n" for line in lines).encode()
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(_COLUMNS)
    writer.writerows(rows)
    return out.getvalue().encode()


def _amount(minor: int, currency: str) -> str:
    return str(Money(minor, currency).amount) if minor else ""
