"""The book of stock: everything that changes a level, a reservation or a receipt in this process goes through here.

Theory of operation. Buyers of one SKU all want to change one document, and transactions that do so at once destroy each
other's work. So changes are *commands*, queued in one line per process and decided together (``GroupCommit``): one
transaction reads everything its commands need, lets each decide in memory in arrival order, each seeing what those
before it did, and writes the sum: one guarded update per level however many commands touched it, one movement per
change, one idempotency record per command. A command that is refused changes nothing and fails nobody else.

Between processes nothing is shared but the database. An update is guarded by the version that was read and by the
stored ``free``; if either is not as it was, the whole group runs again on what is true then (``TransientConflict``),
and so it does if another process inserted the same receipt, level or idempotency record first (``DuplicateKey``).

A decision must refuse *before* it changes the desk: there is no undo, and an assertion says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from subgraphs.chassis.group_commit import GroupCommit
from subgraphs.chassis.idempotency import Claim, Idempotency, Payload
from subgraphs.chassis.mongo import DuplicateKey, Session
from subgraphs.chassis.outbox import Outbox
from subgraphs.inventory.model.reservations import Reservation, ReservationState
from subgraphs.inventory.model.stock import PHYSICAL, Cause, Delta, Movement, StockLevel, level_id
from subgraphs.inventory.store import Receipt, Register, Store
from subgraphs.kernel.clock import Clock
from subgraphs.kernel.errors import DomainError, IdempotencyConflict, NotFound
from subgraphs.kernel.events import (
    Event,
    ReservationCommitted,
    ReservationExpired,
    ReservationHeld,
    ReservationReleased,
    ReservedLine,
    StockChanged,
)
from subgraphs.kernel.ids import new_id

GROUP_COMMANDS_MAX = 64
REPEATS_MAX = 3
_LINE = "stock"
# Causes that may take more than is free: the goods have left the shop, or more is kept back than is there.
_UNGUARDED = frozenset({Cause.ADJUST, Cause.SAFETY}) | PHYSICAL

_NEWS: Mapping[
    ReservationState, type[ReservationHeld | ReservationCommitted | ReservationReleased | ReservationExpired]
]
_NEWS = {
    ReservationState.HELD: ReservationHeld,
    ReservationState.COMMITTED: ReservationCommitted,
    ReservationState.RELEASED: ReservationReleased,
    ReservationState.EXPIRED: ReservationExpired,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A change to be decided, and what must be on the desk for it. ``decide`` gives a payload or raises a refusal.

    ``level_ids`` are read in any case; a reservation brings the levels of its lines with it. ``agent`` names a principal
    whose live holds are to be counted.
    """

    decide: Callable[[Desk], Payload]
    claim: Claim | None = None
    level_ids: tuple[str, ...] = ()
    reservation_id: str | None = None
    receipt_ids: tuple[str, ...] = ()
    register_id: str | None = None
    agent: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command came to; ``replayed`` when it had been done before under the same key."""

    payload: Payload
    replayed: bool


@dataclass(slots=True)
class Desk:
    """What one transaction has read, and what its commands have made of it so far."""

    clock: Clock
    levels: dict[str, StockLevel]
    reservations: dict[str, Reservation]
    receipts_known: set[str]
    registers: dict[str, Register]
    holds: dict[str, int]
    movements: list[Movement] = field(default_factory=list)
    receipts: list[Receipt] = field(default_factory=list)
    reservations_changed: dict[str, Reservation] = field(default_factory=dict)
    registers_changed: dict[str, Register] = field(default_factory=dict)

    def level(self, sku: str, location_id: str) -> StockLevel:
        """The level as it stands; one that does not exist stands at nothing."""
        identity = level_id(sku, location_id)
        known = self.levels.get(identity)
        return known or StockLevel(sku=sku, location_id=location_id, updated_at=self.clock.now())

    def move(self, sku: str, location_id: str, delta: Delta, cause: Cause, ref: str | None) -> StockLevel:
        """Changes a level and writes its movement."""
        level = self.level(sku, location_id).moved(delta, self.clock.now(), physical=cause in PHYSICAL)
        return self._write(level, delta, cause, ref)

    def expect(self, sku: str, location_id: str, eta: datetime | None, units: int) -> StockLevel:
        """Units are on their way to a level, or, below zero, on it no more: a movement of no units, as a version needs one."""
        level = self.level(sku, location_id).expecting(eta, units, self.clock.now())
        return self._write(level, Delta(), Cause.EXPECT, None)

    def keep_back(self, sku: str, location_id: str, units: int, channel: str | None) -> StockLevel:
        """Sets a level's safety stock or what it keeps from a channel: a movement of no units, as a version needs one."""
        level = self.level(sku, location_id).keeping(units, channel, self.clock.now())
        return self._write(level, Delta(), Cause.SAFETY, channel)

    def _write(self, level: StockLevel, delta: Delta, cause: Cause, ref: str | None) -> StockLevel:
        self.levels[level.id] = level
        self.movements.append(
            Movement(
                id=new_id("mov"),
                sku=level.sku,
                location_id=level.location_id,
                delta=delta,
                cause=cause,
                ref=ref,
                version=level.version,
                at=level.updated_at,
            )
        )
        return level

    def reservation(self, identity: str) -> Reservation:
        """The reservation as it stands, or ``NotFound``."""
        known = self.reservations.get(identity)
        if known is None:
            raise NotFound(f"there is no reservation {identity}", path=("id",))
        return known

    def put(self, reservation: Reservation) -> None:
        """Adds or changes a reservation."""
        self.reservations[reservation.id] = reservation
        self.reservations_changed[reservation.id] = reservation

    def take_receipt(self, receipt: Receipt) -> bool:
        """Remembers a sale; False when it has had its effect already."""
        if receipt.id in self.receipts_known:
            return False
        self.receipts_known.add(receipt.id)
        self.receipts.append(receipt)
        return True

    def put_register(self, register: Register) -> None:
        """Remembers how far a register has come."""
        self.registers[register.id] = register
        self.registers_changed[register.id] = register

    @property
    def changes(self) -> int:
        """How much has been changed so far; a refusal must leave it as it was."""
        return len(self.movements) + len(self.receipts) + len(self.reservations_changed) + len(self.registers_changed)


class StockBook:
    """The one writer of stock in a process."""

    def __init__(self, store: Store, outbox: Outbox, idempotency: Idempotency, clock: Clock) -> None:
        self._store = store
        self._outbox = outbox
        self._idempotency = idempotency
        self._clock = clock
        self._group: GroupCommit[Command, Outcome] = GroupCommit(self._decide, GROUP_COMMANDS_MAX)

    async def submit(self, command: Command) -> Outcome:
        """Decides a command together with whatever else is waiting, and returns once it is committed."""
        return await self._group.submit(_LINE, command)

    async def aclose(self) -> None:
        """Stops; whoever still waits is cancelled."""
        await self._group.aclose()

    async def _decide(self, commands: Sequence[Command]) -> Sequence[Outcome | Exception]:
        async def body(session: Session) -> list[Outcome | Exception]:
            return await self.apply(session, commands)

        for _ in range(REPEATS_MAX):
            try:
                return await self._store.database.transact(body)
            except DuplicateKey:
                # Another process committed one of our inserts first; the next run reads it and decides otherwise.
                continue
        return await self._store.database.transact(body)

    async def apply(self, session: Session, commands: Sequence[Command]) -> list[Outcome | Exception]:
        """Decides commands inside a transaction that somebody else commits."""
        claims = [command.claim for command in commands if command.claim is not None]
        verdicts = await self._idempotency.verdicts(session, claims) if claims else {}
        open_commands = [command for command in commands if command.claim is None or command.claim.id not in verdicts]
        desk = await self._desk(session, open_commands)
        before = dict(desk.levels), dict(desk.reservations)
        kept: dict[str, tuple[Claim, Payload]] = {}
        outcomes: list[Outcome | Exception] = []
        for command in commands:
            claim = command.claim
            if claim is not None and claim.id in verdicts:
                verdict = verdicts[claim.id]
                outcomes.append(verdict if isinstance(verdict, Exception) else Outcome(verdict, True))
                continue
            if claim is not None and claim.id in kept:
                # The same request twice in one group.
                first, payload = kept[claim.id]
                outcomes.append(
                    Outcome(payload, True)
                    if first.fingerprint == claim.fingerprint
                    else IdempotencyConflict("this idempotency key was used with other arguments", first.fingerprint)
                )
                continue
            changes = desk.changes
            try:
                payload = command.decide(desk)
            except DomainError as refusal:
                assert desk.changes == changes, "a decision refuses before it changes anything"
                outcomes.append(refusal)
                continue
            if claim is not None:
                kept[claim.id] = (claim, payload)
            outcomes.append(Outcome(payload, False))
        await self._save(session, desk, *before)
        if kept:
            await self._idempotency.remember(session, list(kept.values()))
        return outcomes

    async def _desk(self, session: Session, commands: Sequence[Command]) -> Desk:
        reservations = await self._store.reservations(
            (command.reservation_id for command in commands if command.reservation_id is not None), session=session
        )
        level_ids = {identity for command in commands for identity in command.level_ids}
        level_ids |= {
            level_id(line.sku, line.location_id) for reservation in reservations.values() for line in reservation.lines
        }
        agents = {command.agent for command in commands if command.agent is not None}
        return Desk(
            clock=self._clock,
            levels=await self._store.levels(level_ids, session=session),
            reservations=reservations,
            receipts_known=await self._store.known_receipts(
                (identity for command in commands for identity in command.receipt_ids), session=session
            ),
            registers=await self._store.registers(
                (command.register_id for command in commands if command.register_id is not None), session=session
            ),
            holds={agent: await self._store.holds_of(agent, session=session) for agent in sorted(agents)},
        )

    async def _save(
        self,
        session: Session,
        desk: Desk,
        levels_before: Mapping[str, StockLevel],
        reservations_before: Mapping[str, Reservation],
    ) -> None:
        last: dict[str, Movement] = {level_id(move.sku, move.location_id): move for move in desk.movements}
        unguarded = {level_id(move.sku, move.location_id) for move in desk.movements if move.cause in _UNGUARDED}
        changes = []
        # Sorted, so that two processes lock the same levels in the same order.
        for identity in sorted(last):
            before, after = levels_before.get(identity), desk.levels[identity]
            taken = None if identity in unguarded or before is None else before.free - after.free
            changes.append((before, after, taken))
        await self._store.save_levels(changes, session=session)
        await self._store.add_movements(desk.movements, session=session)
        await self._store.save_reservations(
            [
                (reservations_before.get(identity), reservation)
                for identity, reservation in sorted(desk.reservations_changed.items())
            ],
            session=session,
        )
        await self._store.add_receipts(desk.receipts, session=session)
        await self._store.save_registers(list(desk.registers_changed.values()), session=session)
        news: list[tuple[Event, str, int]] = [
            (_stock_changed(desk.levels[identity], movement), f"stock:{identity}", movement.version)
            for identity, movement in sorted(last.items())
        ]
        for identity, reservation in sorted(desk.reservations_changed.items()):
            known = reservations_before.get(identity)
            if known is None or known.state is not reservation.state:
                news.append((_reservation_news(reservation), f"reservation:{identity}", reservation.version))
        if news:
            await self._outbox.append_many(session, news)


def _stock_changed(level: StockLevel, movement: Movement) -> StockChanged:
    """News of a level as it now is; cause and ref are those of its latest movement."""
    return StockChanged(
        sku=level.sku,
        location_id=level.location_id,
        on_hand=level.on_hand,
        reserved=level.reserved,
        allocated=level.allocated,
        safety=level.safety,
        quarantined=level.quarantined,
        free=level.free,
        version=level.version,
        cause=movement.cause.value,
        ref=movement.ref,
    )


def _reservation_news(reservation: Reservation) -> Event:
    return _NEWS[reservation.state](
        reservation_id=reservation.id,
        owner=reservation.owner,
        lines=tuple(
            ReservedLine(sku=line.sku, location_id=line.location_id, quantity=line.quantity)
            for line in reservation.lines
        ),
    )
