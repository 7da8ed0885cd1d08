"""Settlement: a provider's file of what it took and gave back, held against our own payments. Pure.

A file is lines of (reference, gross, fee, kind): ``CAPTURE`` with the money taken, ``REFUND`` with the money given back,
below zero. Its totals are the sums of its lines, whatever we make of them. A line *matches* if we know its reference and
its amount; it is a *mismatch* if we know the reference with another amount; it is *theirs alone* if we do not know it.
What we have taken and no file tells of is *ours alone*.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Final, Literal

from subgraphs.kernel.errors import InvalidInput
from subgraphs.kernel.money import Money, exponent

Kind = Literal["CAPTURE", "REFUND"]
Bucket = Literal["MATCHED", "AMOUNT_MISMATCH", "UNMATCHED_PROVIDER"]
KINDS: Final = ("CAPTURE", "REFUND")
COLUMNS: Final = ("provider_ref", "kind", "gross", "fee", "currency")
ROWS_MAX: Final = 10_000


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a file."""

    provider_ref: str
    gross: Money
    fee: Money
    kind: str


@dataclass(frozen=True, slots=True)
class Judged:
    """A line with what we make of it; ``payment_id`` where we know whose it is."""

    row: Row
    bucket: Bucket
    payment_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file as it was taken in."""

    id: str
    provider: str
    sha256: str
    at: datetime
    currency: str
    rows: tuple[Judged, ...]

    @property
    def gross(self) -> Money:
        return Money(sum(each.row.gross.minor for each in self.rows), self.currency)

    @property
    def fees(self) -> Money:
        return Money(sum(each.row.fee.minor for each in self.rows), self.currency)


@dataclass(frozen=True, slots=True)
class Expected:
    """What we think a line of this reference should say."""

    payment_id: str
    amount: Money


def checked(rows: Sequence[Row]) -> str:
    """The one currency of a file's rows; ``InvalidInput`` names the row (from 1) that cannot be in a file."""
    if not 1 <= len(rows) <= ROWS_MAX:
        raise InvalidInput(f"a file has 1 to {ROWS_MAX} rows", path=("rows",))
    currency = rows[0].gross.currency
    for number, row in enumerate(rows, 1):
        wrong = None
        if row.kind not in KINDS:
            wrong = f"kind {row.kind!r} is none of {', '.join(KINDS)}"
        elif {row.gross.currency, row.fee.currency} != {currency}:
            wrong = f"another currency than {currency}; a file has one"
        elif not row.provider_ref:
            wrong = "no provider reference"
        elif (row.gross.minor < 0) != (row.kind == "REFUND"):
            wrong = "what is taken is above zero, what is given back below"
        if wrong is not None:
            raise InvalidInput(f"row {number}: {wrong}", path=("rows", str(number - 1)))
    return currency


def judged(rows: Iterable[Row], expected: Mapping[str, Expected]) -> tuple[Judged, ...]:
    """Each row against what we expect under its reference. A second row of a reference matches nothing any more."""
    left = dict(expected)
    found = []
    for row in rows:
        known = left.pop(row.provider_ref, None)
        if known is None:
            found.append(Judged(row, "UNMATCHED_PROVIDER", None))
        else:
            bucket: Bucket = "MATCHED" if known.amount == row.gross else "AMOUNT_MISMATCH"
            found.append(Judged(row, bucket, known.payment_id))
    return tuple(found)


def as_csv(rows: Iterable[Row]) -> bytes:
    """The file a provider would send."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows:
        writer.writerow((row.provider_ref, row.kind, row.gross.amount, row.fee.amount, row.gross.currency))
    return out.getvalue().encode()


def read_csv(text: bytes) -> list[Row]:
    """The rows of such a file; ``InvalidInput`` names the line that cannot be read, and why."""
    lines = csv.reader(io.StringIO(text.decode("utf-8-sig", errors="replace"), newline=""))
    if tuple(next(lines, ())) != COLUMNS:
        raise InvalidInput(f"line 1: the columns are {','.join(COLUMNS)}", path=("file",))
    rows = []
    for number, cells in enumerate(lines, 2):
        try:
            ref, kind, gross, fee, currency = cells
            rows.append(Row(ref, _money(gross, currency), _money(fee, currency), kind))
        except (ValueError, InvalidOperation, KeyError) as wrong:
            raise InvalidInput(f"line {number}: {wrong or 'not an amount'}", path=("file", str(number))) from None
    return rows


def digest(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()


def _money(text: str, currency: str) -> Money:
    minor = Decimal(text).scaleb(exponent(currency))
    if minor != minor.to_integral_value():
        raise ValueError(f"{text} has more decimals than {currency}")
    return Money(int(minor), currency)
