"""The audit of stock: levels against movements against reservations, all read in one snapshot.

I1  signs are right, and no more is promised than is there (flagged counter sales excepted); stored ``free`` is true
I2  what is held adds up to reserved, what is committed and not yet shipped to allocated
I3  movements add up to levels, one for each version
I15 no hold outlives its time by more than the sweeper's five seconds
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from subgraphs.chassis.mongo import Database, Session
from subgraphs.inventory.model.reservations import ReservationState
from subgraphs.inventory.model.stock import Delta, faults, level_id
from subgraphs.inventory.store import Store

SWEPT_WITHIN = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class Audit:
    """What was looked at, and everything found wrong."""

    levels: int
    movements: int
    problems: tuple[str, ...]

    @property
    def ok(self) -> bool:
        return not self.problems


async def audit(database: Database, now: datetime | None = None) -> list[str]:
    """Everything wrong with the stock of a database; nothing, if all is well. Without ``now`` no hold is overdue."""
    return list((await audited(Store(database), now)).problems)


async def audited(store: Store, now: datetime | None) -> Audit:
    """The audit with its figures; ``now`` by inventory's clock."""

    async def body(session: Session) -> Audit:
        return await _audit(store, now, session)

    return await store.database.transact(body)


async def _audit(store: Store, now: datetime | None, session: Session) -> Audit:
    levels = await store.all_levels(session)
    free = await store.stored_free(session)
    problems = faults(levels)
    for level in levels:
        if free[level.id] != level.free:
            problems.append(f"{level.id}: free is stored as {free[level.id]} and counts up to {level.free}")
    tied: dict[str, Delta] = {}
    for reservation in await store.standing_reservations(session):
        held = reservation.state is ReservationState.HELD
        if held and now is not None and now - reservation.expires_at > SWEPT_WITHIN:
            late = (now - reservation.expires_at).total_seconds()
            problems.append(f"{reservation.id}: held {late:.1f} s beyond its time")
        for line in reservation.lines:
            identity = level_id(line.sku, line.location_id)
            change = Delta(reserved=line.quantity) if held else Delta(allocated=line.open)
            tied[identity] = tied.get(identity, Delta()) + change
    ledger = {level_id(row["_id"]["sku"], row["_id"]["loc"]): row for row in await store.all_movements(session)}
    for level in levels:
        reserved, allocated = (tied.get(level.id, Delta())).reserved, tied.get(level.id, Delta()).allocated
        if reserved != level.reserved:
            problems.append(f"{level.id}: {level.reserved} reserved, but reservations hold {reserved}")
        if allocated != level.allocated:
            problems.append(f"{level.id}: {level.allocated} allocated, but orders own {allocated}")
        row = ledger.get(level.id)
        if row is None:
            if level.version:
                problems.append(f"{level.id}: no movements")
            continue
        told = (row["on"], row["rsv"], row["alc"], row["qua"])
        stands = (level.on_hand, level.reserved, level.allocated, level.quarantined)
        if told != stands:
            problems.append(f"{level.id}: movements add up to {_figures(told)}, the level says {_figures(stands)}")
        if row["n"] != level.version or row["v"] != level.version:
            problems.append(f"{level.id}: version {level.version} after {row['n']} movements")
    known = {level.id for level in levels}
    problems.extend(
        f"{identity}: movements or reservations, but no level" for identity in sorted((set(ledger) | set(tied)) - known)
    )
    return Audit(len(levels), sum(int(row["n"]) for row in ledger.values()), tuple(problems))


def _figures(figures: tuple[int, ...]) -> str:
    return "/".join(str(figure) for figure in figures)
