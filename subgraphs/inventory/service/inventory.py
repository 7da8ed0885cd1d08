"""What one may do with stock: who may, what is needed, what it comes to. Decisions are the model's, writing is the book's."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from subgraphs.chassis.idempotency import Idempotency, Payload
from subgraphs.chassis.identity import Principal
from subgraphs.chassis.mongo import Session
from subgraphs.chassis.outbox import EventHub, Outbox
from subgraphs.inventory.model.allotment import sellable
from subgraphs.inventory.model.availability import Availability, AvailabilityQuestion, Survey
from subgraphs.inventory.model.places import Capability, Location, LocationKind, Point
from subgraphs.inventory.model.refusals import UNITS_SHOWN_MAX, InsufficientStock, Shortfall, shown
from subgraphs.inventory.model.reservations import (
    LINES_MAX,
    QUANTITY_MAX,
    TTL_SECONDS_DEFAULT,
    HeldLine,
    Reservation,
    ReservationState,
    check_agent_limits,
    check_ttl,
)
from subgraphs.inventory.model.sourcing import (
    AT_A_COUNTER,
    FulfilmentMethod,
    SourcingPlan,
    SourcingPolicy,
    combined,
    eligible,
    plan,
)
from subgraphs.inventory.model.stock import Cause, Delta, StockLevel, level_id
from subgraphs.inventory.service.audit import Audit, audited
from subgraphs.inventory.service.book import Command, Desk, StockBook
from subgraphs.inventory.service.dispatch import Dispatch
from subgraphs.inventory.service.goods import Goods
from subgraphs.inventory.service.live import AvailabilityFeed
from subgraphs.inventory.service.low_stock import LowStock
from subgraphs.inventory.service.places import Places
from subgraphs.inventory.service.quarantine import Quarantine
from subgraphs.inventory.service.replenishment import Replenishment
from subgraphs.inventory.service.rights import READ, SELL, WRITE, require
from subgraphs.inventory.service.safety import Safety
from subgraphs.inventory.service.transfers import Transfers
from subgraphs.inventory.store import (
    Receipt,
    Register,
    Store,
    level_from_doc,
    level_to_doc,
    receipt_id,
    reservation_from_doc,
    reservation_to_doc,
)
from subgraphs.inventory.store.returns import Returns
from subgraphs.kernel.clock import Clock
from subgraphs.kernel.errors import Forbidden, InvalidInput, NotFound, VersionConflict
from subgraphs.kernel.events import Envelope, PosOrderRecorded
from subgraphs.kernel.ids import has_prefix, new_id
from subgraphs.kernel.pages import CursorCodec, Page, page_size

SKUS_ASKED_MAX = 200
SALES_IN_BATCH_MAX = 500
SWEEP_MAX = 500
REASON_CHARACTERS_MAX = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """What a caller wants set aside."""

    owner: str
    lines: tuple[tuple[str, int], ...]
    method: FulfilmentMethod
    channel: str
    pickup_location_id: str | None = None
    destination: Point | None = None
    ttl_seconds: int = TTL_SECONDS_DEFAULT
    allow_partial: bool = False
    without: frozenset[str] = frozenset()
    """Locations that are not to give anything."""


@dataclass(frozen=True, slots=True)
class Held:
    """What came of a command on a reservation; ``shortfalls`` of a partial hold."""

    reservation: Reservation
    replayed: bool
    shortfalls: tuple[Shortfall, ...] = ()


@dataclass(frozen=True, slots=True)
class CounterSale:
    """One receipt of a register."""

    receipt_no: str
    occurred_at: datetime
    lines: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Ingested:
    """What came of a batch of a register: new receipts, known ones, levels that went below zero, the next sequence."""

    accepted: int
    duplicates: int
    negative: tuple[StockLevel, ...]
    next_sequence: int
    missing: tuple[int, ...] = ()
    """Batches that have not come although later ones have."""


class Inventory:
    """The services object of the inventory subgraph."""

    def __init__(
        self,
        store: Store,
        outbox: Outbox,
        hub: EventHub,
        idempotency: Idempotency,
        clock: Clock,
        cursors: CursorCodec,
    ) -> None:
        self.store = store
        self.clock = clock
        self.places = Places(store)
        self.book = StockBook(store, outbox, idempotency, clock)
        self.dispatch = Dispatch(store.database, self.places, clock)
        self.safety = Safety(self.book, self.places, idempotency)
        self.quarantine = Quarantine(self.book, idempotency)
        self.goods = Goods(self.book, Returns(store.database), self.places, clock)
        self.replenishment = Replenishment(store, self.places, idempotency, clock)
        self.transfers = Transfers(store, self.book, self.places, idempotency, clock)
        self.low_stock = LowStock(store, hub, cursors, clock)
        self.feed = AvailabilityFeed(hub, self.availability, cursors, clock)
        self._idempotency = idempotency
        self._cursors = cursors

    async def levels_of(self, skus: Sequence[str]) -> list[tuple[StockLevel, ...]]:
        """All levels of each SKU, in the order asked. One query."""
        found = await self.store.levels_of(skus)
        return [found[sku] for sku in skus]

    async def availability(self, skus: Sequence[str], question: AvailabilityQuestion) -> list[Availability]:
        """The answer for each SKU, in the order asked; a SKU nobody has is out of stock."""
        if len(skus) > SKUS_ASKED_MAX:
            raise InvalidInput(f"at most {SKUS_ASKED_MAX} SKUs at once, not {len(skus)}", path=("skus",))
        levels = await self.store.levels_of(skus)
        survey = Survey(await self.places.all(), question, self.clock.now())
        return [survey.answer(sku, levels[sku]) for sku in skus]

    async def location(self, identity: str) -> Location | None:
        return (await self.places.all()).get(identity)

    async def locations(
        self,
        *,
        near: Point | None,
        within_km: float | None,
        kinds: Sequence[LocationKind] | None,
        capability: Capability | None,
        first: int | None,
        after: str | None,
    ) -> Page[tuple[Location, float | None, str]]:
        """Locations by distance, or by code when nobody says from where: (location, kilometres, cursor)."""
        if within_km is not None and near is None:
            raise InvalidInput("withinKm needs near", path=("withinKm",))
        ranked: list[tuple[tuple[float, str], Location, float | None]] = []
        for place in (await self.places.all()).values():
            distance = place.point.distance_km(near) if near is not None else None
            if (
                (kinds is None or place.kind in kinds)
                and (capability is None or place.can(capability))
                and (distance is None or within_km is None or distance <= within_km)
            ):
                ranked.append(((distance or 0.0, place.code), place, distance))
        ranked.sort(key=lambda row: row[0])
        begin = 0
        if after is not None:
            values = self._cursors.decode(after)
            begin = sum(1 for key, _, _ in ranked if [*key] <= [*values])
        size = page_size(first)
        rows = ranked[begin : begin + size]
        items = tuple(
            (place, round(km, 1) if km is not None else None, self._cursors.encode(*key)) for key, place, km in rows
        )
        return _page(items, has_next=begin + size < len(ranked), has_previous=begin > 0, total=len(ranked))

    async def stock_levels(
        self,
        principal: Principal,
        *,
        location_id: str | None,
        skus: Sequence[str] | None,
        first: int | None,
        after: str | None,
    ) -> Page[tuple[StockLevel, None, str]]:
        """Exact levels, in the order of SKU."""
        require(principal, READ)
        begun = str(self._cursors.decode(after)[0]) if after is not None else None
        size = page_size(first)
        levels, total = await self.store.level_page(location_id, skus, begun, size + 1)
        items = tuple((level, None, self._cursors.encode(level.id)) for level in levels[:size])
        return _page(items, has_next=len(levels) > size, has_previous=after is not None, total=total)

    async def sourcing_locations(self, principal: Principal, channel: str) -> list[Location]:
        """The locations whose stock a channel sells."""
        require(principal, READ)
        return [place for place in (await self.places.all()).values() if place.serves(channel)]

    async def sourcing_plan(
        self,
        principal: Principal,
        lines: Iterable[tuple[str, int]],
        method: FulfilmentMethod,
        *,
        channel: str | None,
        destination: Point | None,
        pickup_location_id: str | None,
        policy: SourcingPolicy,
    ) -> SourcingPlan:
        """Which locations would give what, as things stand now. Holds nothing. What is kept back is told to those who
        may see units."""
        wanted = _wanted(lines)
        if not may_see_units(principal) and max(wanted.values(), default=0) > UNITS_SHOWN_MAX:
            raise InvalidInput(f"a plan for more than {UNITS_SHOWN_MAX} units of a SKU needs {READ}", path=("lines",))
        candidates = await self._candidates(method, channel, pickup_location_id, destination)
        serving = {place.id: place for place in candidates}
        levels = [level for row in (await self.store.levels_of(list(wanted))).values() for level in row]
        there = [level for level in levels if level.location_id in serving]
        atp = {
            (level.sku, level.location_id): sellable(level, serving[level.location_id], channel, method)
            for level in there
        }
        return plan(
            wanted,
            candidates,
            atp,
            policy=policy,
            destination=destination,
            restock_at=_restock(levels, self.clock.now()),
            delays=await self.dispatch.delays(),
            kept={
                (level.sku, level.location_id): held_back
                for level in there
                if (held_back := level.atp - atp[level.sku, level.location_id])
            }
            if may_see_units(principal)
            else {},
        )

    async def reservation(self, principal: Principal, identity: str) -> Reservation | None:
        """A reservation, to whoever made it, to services and to staff who may read stock."""
        found = (await self.store.reservations([identity])).get(identity)
        return found if found is not None and _may_touch(principal, found, READ) else None

    async def reservations(self, identities: Sequence[str]) -> list[Reservation | None]:
        """Reservations another subgraph has pointed at, and so has shown to be the reader's business. One query."""
        found = await self.store.reservations(identities)
        return [found.get(identity) for identity in identities]

    async def audit(self, principal: Principal) -> Audit:
        """The audit of all stock."""
        require(principal, READ)
        return await audited(self.store, self.clock.now())

    async def reserve(self, principal: Principal, hold: Hold, key: str, arguments: Mapping[str, Any]) -> Held:
        """Sets units aside: all lines or (unless a partial hold is asked for) none."""
        _require_known(principal)
        if not hold.owner or len(hold.owner) > 255:
            raise InvalidInput("ownerRef has 1 to 255 characters", path=("input", "ownerRef"))
        check_ttl(hold.ttl_seconds, ("input", "ttlSeconds"))
        wanted = _wanted(hold.lines)
        candidates = tuple(
            place
            for place in await self._candidates(hold.method, hold.channel, hold.pickup_location_id, hold.destination)
            if place.id not in hold.without
        )
        delays = await self.dispatch.delays()
        agent = principal.key if principal.kind == "agent" else None

        def decide(desk: Desk) -> Payload:
            if agent is not None:
                check_agent_limits(desk.holds[agent], wanted)
            there = [(place, desk.level(sku, place.id)) for sku in wanted for place in candidates]
            atp = {(level.sku, place.id): sellable(level, place, hold.channel, hold.method) for place, level in there}
            now = self.clock.now()
            restock = _restock((level for _, level in there), now)
            sourced = plan(wanted, candidates, atp, destination=hold.destination, restock_at=restock, delays=delays)
            missing = sourced.shortfalls if may_see_units(principal) else shown(sourced.shortfalls)
            if not sourced.feasible and not (hold.allow_partial and sourced.allocations):
                raise InsufficientStock(missing)
            reservation = Reservation(
                id=new_id("rsv"),
                state=ReservationState.HELD,
                owner=hold.owner,
                held_by=principal.key,
                method=hold.method,
                lines=tuple(HeldLine(item.sku, item.location_id, item.quantity) for item in sourced.allocations),
                expires_at=now + timedelta(seconds=hold.ttl_seconds),
                created_at=now,
            )
            for line in reservation.lines:
                change = Delta(reserved=line.quantity)
                desk.move(line.sku, line.location_id, change, Cause.HOLD, reservation.id)
            desk.put(reservation)
            if agent is not None:
                desk.holds[agent] += 1
            return _payload(reservation, missing)

        return await self._hold(
            Command(
                decide=decide,
                claim=self._idempotency.claim(principal.key, "reserve", key, arguments),
                level_ids=tuple(level_id(sku, place.id) for sku in wanted for place in candidates),
                agent=agent,
            )
        )

    async def release(self, principal: Principal, identity: str, key: str, arguments: Mapping[str, Any]) -> Held:
        """Gives units back before their time."""
        _require_known(principal)

        def decide(desk: Desk) -> Payload:
            reservation = _touched(principal, desk, identity)
            released = reservation.release()
            if released is not reservation:
                _give_back(desk, released, Cause.RELEASE)
            return _payload(released)

        return await self._hold(self._on(principal, "reservationRelease", identity, key, arguments, decide))

    async def extend(
        self, principal: Principal, identity: str, seconds: int, key: str, arguments: Mapping[str, Any]
    ) -> Held:
        """Holds units for ``seconds`` from now, if that is longer."""
        _require_known(principal)

        def decide(desk: Desk) -> Payload:
            extended = _touched(principal, desk, identity).extend(seconds, self.clock.now())
            desk.put(extended)
            return _payload(extended)

        return await self._hold(self._on(principal, "reservationExtend", identity, key, arguments, decide))

    async def commit(
        self, principal: Principal, identity: str, order_id: str, key: str, arguments: Mapping[str, Any]
    ) -> Held:
        """Makes held units an order's own. For services only; judged by this service's clock."""
        if principal.kind != "service":
            raise Forbidden("only services commit reservations")

        def decide(desk: Desk) -> Payload:
            reservation = desk.reservation(identity)
            committed = reservation.commit(order_id, self.clock.now())
            if committed is not reservation:
                for line in committed.lines:
                    change = Delta(reserved=-line.quantity, allocated=line.quantity)
                    desk.move(line.sku, line.location_id, change, Cause.COMMIT, committed.id)
                desk.put(committed)
            return _payload(committed)

        return await self._hold(self._on(principal, "reservationCommit", identity, key, arguments, decide))

    async def sweep(self) -> int:
        """Takes back the units of holds whose time has run out; how many holds that was."""
        ids = await self.store.run_out(self.clock.now(), SWEEP_MAX)
        # All at once, so that the book decides them in groups.
        async with asyncio.TaskGroup() as group:
            expiries = [group.create_task(self._expire(identity)) for identity in ids]
        return sum(expiry.result() for expiry in expiries)

    async def _expire(self, identity: str) -> int:
        def decide(desk: Desk) -> Payload:
            reservation = desk.reservation(identity)
            expired = reservation.expire(self.clock.now())
            if expired is not reservation:
                _give_back(desk, expired, Cause.EXPIRE)
            return {"expired": int(expired is not reservation)}

        outcome = await self.book.submit(Command(decide=decide, reservation_id=identity))
        return int(outcome.payload["expired"])

    # Counting and selling over a counter

    async def adjust(
        self,
        principal: Principal,
        *,
        location_id: str,
        sku: str,
        delta: int,
        reason: str,
        expected_version: int | None,
        key: str,
        arguments: Mapping[str, Any],
    ) -> tuple[StockLevel, bool]:
        """Corrects what is on hand. Never below what is promised already: that would be overselling."""
        require(principal, WRITE)
        await self._known_location(location_id, ("input", "locationId"))
        if delta == 0 or abs(delta) > 1_000_000:
            raise InvalidInput("delta is a change of at most a million units, and not 0", path=("input", "delta"))
        if not 1 <= len(reason) <= REASON_CHARACTERS_MAX:
            raise InvalidInput(f"reason has 1 to {REASON_CHARACTERS_MAX} characters", path=("input", "reason"))
        _check_sku(sku)

        def decide(desk: Desk) -> Payload:
            level = desk.level(sku, location_id)
            if expected_version is not None and expected_version != level.version:
                raise VersionConflict("the level has changed", expected_version, level.version)
            spare = level.on_hand - level.reserved - level.allocated
            if delta < 0 and spare + delta < 0:
                raise InsufficientStock([Shortfall(sku, -delta, max(0, spare))])
            adjusted = desk.move(sku, location_id, Delta(on_hand=delta), Cause.ADJUST, reason)
            return {"level": level_to_doc(adjusted)}

        outcome = await self.book.submit(
            Command(
                decide=decide,
                claim=self._idempotency.claim(principal.key, "stockAdjust", key, arguments),
                level_ids=(level_id(sku, location_id),),
            )
        )
        return level_from_doc(outcome.payload["level"]), outcome.replayed

    async def ingest(
        self,
        principal: Principal,
        *,
        location_id: str,
        register_id: str,
        sequence: int,
        sales: Sequence[CounterSale],
        key: str,
        arguments: Mapping[str, Any],
    ) -> Ingested:
        """Books what a register has sold. Each receipt's units of a SKU go once, in whatever order batches come."""
        require(principal, SELL)
        await self._known_location(location_id, ("batch", "locationId"))
        if sequence < 1:
            raise InvalidInput("sequences count from 1", path=("batch", "sequence"))
        if not register_id or "|" in register_id:
            raise InvalidInput("registerId is a text without '|'", path=("batch", "registerId"))
        if len(sales) > SALES_IN_BATCH_MAX:
            raise InvalidInput(f"at most {SALES_IN_BATCH_MAX} sales a batch", path=("batch", "sales"))
        taken = [
            Receipt(register_id, sale.receipt_no, sku, location_id, quantity, sale.occurred_at, f"batch:{sequence}")
            for sale in sales
            for sku, quantity in _wanted(sale.lines).items()
        ]

        def decide(desk: Desk) -> Payload:
            register = desk.registers.get(register_id) or Register(register_id, location_id)
            if register.location_id != location_id:
                raise InvalidInput("this register stands at another location", path=("batch", "registerId"))
            fresh, negative = _sell(desk, taken)
            reached = register.heard(sequence)
            if reached != register:
                desk.put_register(reached)
            return {
                "accepted": len(fresh),
                "duplicates": len(sales) - len(fresh),
                "negative": [level_to_doc(level) for level in negative],
                "next": reached.sequence + 1,
                "missing": list(reached.missing),
            }

        outcome = await self.book.submit(
            Command(
                decide=decide,
                claim=self._idempotency.claim(principal.key, "posSaleIngest", key, arguments),
                level_ids=tuple({level_id(receipt.sku, location_id) for receipt in taken}),
                receipt_ids=tuple(receipt.id for receipt in taken),
                register_id=register_id,
            )
        )
        payload = outcome.payload
        return Ingested(
            payload["accepted"],
            payload["duplicates"],
            tuple(level_from_doc(doc) for doc in payload["negative"]),
            payload["next"],
            tuple(payload.get("missing", ())),
        )

    async def hear_counter_sale(self, session: Session, envelope: Envelope) -> None:
        """Books a sale that orders was told of, in the transaction that remembers the event."""
        sale = PosOrderRecorded.from_data(envelope.data)
        await self._known_location(sale.location_id, ("locationId",))
        # A line sent from elsewhere has its own reservation; only what left over this counter is booked here.
        here = [line for line in sale.lines if line.location_id in (None, sale.location_id)]
        if not here:
            return
        taken = [
            Receipt(
                sale.register_id,
                sale.receipt_no,
                sku,
                sale.location_id,
                quantity,
                datetime.fromisoformat(sale.occurred_at),
                sale.order_id,
            )
            for sku, quantity in combined((line.sku, line.quantity) for line in here).items()
        ]

        def decide(desk: Desk) -> Payload:
            _sell(desk, taken)
            return {}

        await self.book.apply(
            session,
            [
                Command(
                    decide=decide,
                    level_ids=tuple(level_id(receipt.sku, receipt.location_id) for receipt in taken),
                    receipt_ids=tuple(
                        receipt_id(receipt.register_id, receipt.receipt_no, receipt.sku) for receipt in taken
                    ),
                )
            ],
        )

    def _on(
        self,
        principal: Principal,
        field: str,
        identity: str,
        key: str,
        arguments: Mapping[str, Any],
        decide: Any,
    ) -> Command:
        if not has_prefix(identity, "rsv"):
            raise InvalidInput("not the identity of a reservation", path=("id",))
        return Command(
            decide=decide,
            claim=self._idempotency.claim(principal.key, field, key, arguments),
            reservation_id=identity,
        )

    async def _hold(self, command: Command) -> Held:
        outcome = await self.book.submit(command)
        return Held(
            reservation_from_doc(outcome.payload["reservation"]),
            outcome.replayed,
            tuple(
                Shortfall(item["sku"], item["requested"], item["available"], item["restock"])
                for item in outcome.payload["shortfalls"]
            ),
        )

    async def _candidates(
        self,
        method: FulfilmentMethod,
        channel: str | None,
        pickup_location_id: str | None,
        destination: Point | None,
    ) -> tuple[Location, ...]:
        if method in AT_A_COUNTER:
            if pickup_location_id is None:
                raise InvalidInput("collecting needs a pickupLocationId", path=("input", "pickupLocationId"))
            await self._known_location(pickup_location_id, ("input", "pickupLocationId"))
        places = (await self.places.all()).values()
        candidates = eligible(
            places, method, channel=channel, pickup_location_id=pickup_location_id, destination=destination
        )
        if method in AT_A_COUNTER and not candidates:
            raise InvalidInput(f"{pickup_location_id} does not offer {method.value}", path=("input", "method"))
        return candidates

    async def _known_location(self, identity: str, path: tuple[str, ...]) -> Location:
        if not has_prefix(identity, "loc"):
            raise InvalidInput("not the identity of a location", path=path)
        found = await self.location(identity)
        if found is None:
            raise NotFound(f"there is no location {identity}", path=path)
        return found


def may_see_units(principal: Principal) -> bool:
    """Whether exact numbers may be shown; everybody else sees bands."""
    return principal.kind == "service" or principal.has(READ)


def _require_known(principal: Principal) -> None:
    if not principal.authenticated:
        raise Forbidden("sign in first")


def _may_touch(principal: Principal, reservation: Reservation, scope: str) -> bool:
    return principal.kind == "service" or principal.key == reservation.held_by or principal.has(scope)


def _touched(principal: Principal, desk: Desk, identity: str) -> Reservation:
    reservation = desk.reservation(identity)
    if not _may_touch(principal, reservation, WRITE):
        raise NotFound(f"there is no reservation {identity}", path=("id",))
    return reservation


def _give_back(desk: Desk, reservation: Reservation, cause: Cause) -> None:
    for line in reservation.lines:
        desk.move(line.sku, line.location_id, Delta(reserved=-line.quantity), cause, reservation.id)
    desk.put(reservation)


def _sell(desk: Desk, taken: Sequence[Receipt]) -> tuple[set[str], list[StockLevel]]:
    """Takes goods that have left the shop off the books; new receipt numbers, and levels that are below zero now."""
    fresh: set[str] = set()
    negative: dict[str, StockLevel] = {}
    for receipt in taken:
        if desk.take_receipt(receipt):
            fresh.add(receipt.receipt_no)
            ref = f"{receipt.register_id}|{receipt.receipt_no}"
            level = desk.move(receipt.sku, receipt.location_id, Delta(on_hand=-receipt.quantity), Cause.POS_SALE, ref)
            if level.negative_flagged:
                negative[level.id] = level
    return fresh, list(negative.values())


def _wanted(lines: Iterable[tuple[str, int]]) -> dict[str, int]:
    wanted = combined(lines)
    if len(wanted) > LINES_MAX:
        raise InvalidInput(f"at most {LINES_MAX} SKUs at once", path=("lines",))
    for sku, quantity in wanted.items():
        _check_sku(sku)
        if quantity > QUANTITY_MAX:
            raise InvalidInput(f"at most {QUANTITY_MAX} units of a SKU at once", path=("lines", "quantity"))
    return wanted


def _check_sku(sku: str) -> None:
    if not 1 <= len(sku) <= 64 or "|" in sku:
        raise InvalidInput("a SKU has 1 to 64 characters, none of them '|'", path=("sku",))


def _restock(levels: Iterable[StockLevel], now: datetime) -> dict[str, datetime]:
    expected: dict[str, datetime] = {}
    for level in levels:
        for item in level.inbound:
            if (
                item.counted > 0
                and item.eta > now
                and item.eta < expected.get(level.sku, datetime.max.replace(tzinfo=now.tzinfo))
            ):
                expected[level.sku] = item.eta
    return expected


def _payload(reservation: Reservation, shortfalls: Sequence[Shortfall] = ()) -> Payload:
    return {
        "reservation": reservation_to_doc(reservation),
        "shortfalls": [
            {
                "sku": item.sku,
                "requested": item.requested,
                "available": item.available,
                "restock": item.restock_at,
            }
            for item in shortfalls
        ],
    }


def _page(
    items: tuple[tuple[Any, Any, str], ...], *, has_next: bool, has_previous: bool, total: int
) -> Page[tuple[Any, Any, str]]:
    return Page(
        items=items,
        start_cursor=items[0][2] if items else None,
        end_cursor=items[-1][2] if items else None,
        has_next=has_next,
        has_previous=has_previous,
        total=total,
    )
