"""What locations have to pick: reservations that orders own, by when they were made. A query; no decisions."""

from __future__ import annotations

from datetime import datetime

from subgraphs.chassis.mongo import Database
from subgraphs.inventory.model.reservations import ReservationState
from subgraphs.inventory.store import RESERVATIONS


async def picks_since(database: Database, instant: datetime) -> list[tuple[datetime, frozenset[str]]]:
    """When each committed reservation since the instant was made, and the identities of the locations it takes from."""
    # No hold ends before it began, so the index of expiries finds them all.
    docs = await database.collection(RESERVATIONS).find(
        {"state": ReservationState.COMMITTED.value, "exp": {"$gte": instant}}, projection={"at": 1, "lines.loc": 1}
    )
    return [(doc["at"], frozenset(line["loc"] for line in doc["lines"])) for doc in docs if doc["at"] >= instant]
