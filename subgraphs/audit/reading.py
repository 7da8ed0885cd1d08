"""One reading: the documents of the five databases that the invariants are about, as they lie there.

What does not belong here: what must be true of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeAlias

from subgraphs.chassis.mongo import Database, Document, Session

Rows: TypeAlias = list[Document]

COLLECTIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "catalog": ("outbox", "outbox_relay", "idem"),
    "inventory": (
        "stock",
        "movements",
        "reservations",
        "outbox",
        "outbox_relay",
        "idem",
        "inbox_cursors",
        "inbox_parked",
    ),
    "orders": (
        *("orders", "payments", "sagas", "checkouts", "sandbox_ledger"),
        *("outbox", "outbox_relay", "idem", "inbox_cursors", "inbox_parked"),
    ),
    "customers": ("outbox", "outbox_relay", "idem", "inbox_cursors", "inbox_parked"),
    "loyalty": ("accounts", "ledger", "outbox", "outbox_relay", "idem", "inbox_cursors", "inbox_parked"),
}


@dataclass(frozen=True, slots=True)
class Reading:
    """Rows by service and collection, and when they were read."""

    at: datetime
    rows: Mapping[str, Mapping[str, Rows]]

    def of(self, service: str, collection: str) -> Rows:
        return self.rows[service][collection]


async def read(databases: Mapping[str, Database], at: datetime) -> Reading:
    """Each database in one snapshot. ``at`` is the moment that counts as now."""
    found: dict[str, dict[str, Rows]] = {}
    for service, collections in COLLECTIONS.items():
        database = databases[service]

        async def body(session: Session, database: Database = database, names: Any = collections) -> dict[str, Rows]:
            return {name: await database.collection(name).find({}, session=session) for name in names}

        found[service] = await database.transact(body)
    return Reading(at, found)
