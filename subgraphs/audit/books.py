"""The books: every document an invariant speaks of, from all five databases, at one moment. And what an audit says of them.

No check belongs here. The shapes of the documents stand at the top of each service's ``store``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from subgraphs.chassis.mongo import Database, Document, Mongo, Session

COLLECTIONS: Mapping[str, tuple[str, ...]] = {
    "catalog": ("prices", "price_lists", "rates"),
    "inventory": ("stock", "movements", "reservations", "receipts", "returned", "transfers"),
    "orders": ("checkouts", "orders", "payments", "sagas", "sandbox_ledger", "journal", "documents"),
    "customers": ("mandates", "mandate_spendings"),
    "loyalty": ("accounts", "ledger", "redemptions"),
}
EVERYWHERE = ("outbox", "outbox_relay", "idem", "inbox", "inbox_cursors", "inbox_parked")
_NEEDED: Mapping[str, Mapping[str, int]] = {
    "outbox": {"seq": 1, "pending": 1, "type": 1, "aggregate": 1, "aggregate_version": 1},
    "idem": {"fp": 1, "state": 1, "payload.reservation._id": 1},
    "inbox": {"_id": 1},
}
"""Fields of what there is much of; of everything else the whole document is read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """Documents by (service, collection), read in one snapshot that was taken at ``at`` or a little later.

    ``at`` is the clock of inventory, which alone judges whether a hold has run out.
    """

    at: datetime
    documents: Mapping[tuple[str, str], Sequence[Document]]

    def rows(self, service: str, collection: str) -> Sequence[Document]:
        """The documents of a collection; none if there is no such collection."""
        return self.documents.get((service, collection), ())

    def by_id(self, service: str, collection: str) -> dict[str, Document]:
        """The documents of a collection by ``_id``."""
        return {row["_id"]: row for row in self.rows(service, collection)}


@dataclass(slots=True)
class Tally:
    """What a check writes down as it goes: facts looked at, and what was wrong."""

    facts: int = 0
    violations: list[str] = field(default_factory=list)

    def over(self, rows: Iterable[Document]) -> Iterable[Document]:
        """The rows, each counted as a fact."""
        for row in rows:
            self.facts += 1
            yield row

    def unless(self, holds: bool, violation: str) -> None:
        """Notes the violation if what must hold does not. Begin it with the identity of the document."""
        if not holds:
            self.violations.append(violation)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What came of one invariant. Without ``kept`` the house has no such documents yet, and nothing was looked at."""

    number: str
    says: str
    facts: int
    violations: tuple[str, ...]
    kept: bool = True

    @property
    def ok(self) -> bool:
        return not self.violations


async def read(mongo: Mongo, prefix: str, *, at: datetime | None = None) -> Books:
    """The books of the house whose databases begin with ``prefix``. Reads everything: for operations and for tests."""
    databases = {service: mongo.database(prefix + service) for service in COLLECTIONS}
    # A transaction on one database may read all the others: it is one snapshot of the server.
    first = databases["orders"]
    there = {service: set(await database.collections()) for service, database in databases.items()}

    async def body(session: Session) -> Books:
        moment = at or datetime.now(UTC)
        found = {
            (service, name): await _all(databases[service], name, session)
            for service, names in COLLECTIONS.items()
            for name in (*names, *EVERYWHERE)
            if name in there[service]
        }
        return Books(at=moment, documents=found)

    return await first.transact(body)


async def _all(database: Database, name: str, session: Session) -> list[Document]:
    return await database.collection(name).find({}, projection=_NEEDED.get(name), session=session)
