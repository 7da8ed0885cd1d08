"""Inventory's documents: their shapes, their mapping to the model, their queries and indexes. No decisions.

``locations``
    ``{_id: "loc_…", code, name, kind: "STORE", geo: {lat, lng}, tz: "Europe/Berlin", addr, country: "DE",
    caps: ["PICKUP", …], hours: [["09:00", "20:00"] | null, …7, Monday first], lead: minutes | null,
    cap: picks a day | null, ch: [channel codes; empty = all], shares: [{pct, ch: [channel codes]}],
    floor: units a store keeps when goods are shipped}`` (``shares``, ``floor`` absent = none)
``stock``
    ``{_id: "SKU|loc_…", sku, loc, on, rsv, alc, saf, free, qua, keep: [{ch, q}], inb: [{q, eta: date, conf: 0..100}],
    neg: bool, v, at: date}`` with ``free == on - rsv - alc - saf`` always, ``qua`` (quarantined; absent = 0) beside ``on``, and ``v`` =
    number of its movements
``movements``
    ``{_id: "mov_…", sku, loc, on, rsv, alc, qua, cause: "OPENING" | "HOLD" | …, ref: text | null, v, at: date}``; ``on``,
    ``rsv``, ``alc`` and ``qua`` (absent = 0) are changes. Every version of a level has exactly one: a level that begins with stock has
    ``v: 1`` and an ``OPENING`` movement with ``on`` = its on hand and ``v: 1``
``reservations``
    ``{_id: "rsv_…", state, owner, by, method, lines: [{sku, loc, q, left, freed}], exp: date, at: date, order: "ord_…" | null,
    v}``; of a committed line's ``q``, ``left`` are gone and ``freed`` given up (absent = 0)
``registers``
    ``{_id: register id, loc, seq: highest sequence without a gap below it, ahead: [sequences beyond a gap]}``
``receipts``
    ``{_id: "REGISTER|RECEIPT|SKU", loc, q, at: date, ref}``: one effect per key, whichever way the sale was told
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from subgraphs.chassis.mongo import (
    ASCENDING,
    Database,
    Document,
    Index,
    Insert,
    Replace,
    Session,
    TransientConflict,
    Update,
    Write,
)
from subgraphs.inventory.model.places import Capability, Hours, Location, LocationKind, Point, Share, minutes
from subgraphs.inventory.model.reservations import HeldLine, Reservation, ReservationState
from subgraphs.inventory.model.sourcing import FulfilmentMethod
from subgraphs.inventory.model.stock import Inbound, Movement, StockLevel

MISSING_MAX = 100
LOCATIONS, STOCK, MOVEMENTS = "locations", "stock", "movements"
RESERVATIONS, REGISTERS, RECEIPTS = "reservations", "registers", "receipts"

# The indexes that begin with _id carry the guards: the embedded server finds a document by _id in an index only if the
# filter names nothing else, or nothing but what one index holds; otherwise it reads the whole collection.
INDEXES: dict[str, Sequence[Index]] = {
    LOCATIONS: (Index(["code"], unique=True),),
    STOCK: (Index(["sku"]), Index(["loc", "sku"]), Index(["neg", "loc"]), Index(["_id", "v", "free"])),
    MOVEMENTS: (Index(["sku", "loc", "v"], unique=True),),
    RESERVATIONS: (Index(["state", "exp"]), Index(["by", "state"]), Index(["_id", "state", "v"])),
    REGISTERS: (),
    RECEIPTS: (),
}


@dataclass(frozen=True, slots=True)
class Receipt:
    """A receipt's units of one SKU, sold over a counter."""

    register_id: str
    receipt_no: str
    sku: str
    location_id: str
    quantity: int
    sold_at: datetime
    ref: str

    @property
    def id(self) -> str:
        return receipt_id(self.register_id, self.receipt_no, self.sku)


@dataclass(frozen=True, slots=True)
class Register:
    """How far a register's batches have come: all up to ``sequence``, and those of ``ahead``."""

    id: str
    location_id: str
    sequence: int = 0
    ahead: tuple[int, ...] = ()

    @property
    def missing(self) -> tuple[int, ...]:
        """Batches that have not come although later ones have; at most ``MISSING_MAX``."""
        if not self.ahead:
            return ()
        found = (n for n in range(self.sequence + 1, self.ahead[-1]) if n not in set(self.ahead))
        return tuple(itertools.islice(found, MISSING_MAX))

    def heard(self, sequence: int) -> Register:
        """The register after a batch, in whatever order batches arrive."""
        known = {*self.ahead, sequence}
        reached = self.sequence
        while reached + 1 in known:
            reached += 1
        return Register(self.id, self.location_id, reached, tuple(sorted(n for n in known if n > reached)))


def receipt_id(register_id: str, receipt_no: str, sku: str) -> str:
    """The identity of a sale's effect on one SKU."""
    return f"{register_id}|{receipt_no}|{sku}"


def location_to_doc(location: Location) -> Document:
    """The document of a location."""
    return {
        "_id": location.id,
        "code": location.code,
        "name": location.name,
        "kind": location.kind.value,
        "geo": {"lat": location.point.lat, "lng": location.point.lng},
        "tz": location.timezone,
        "addr": location.address,
        "country": location.country,
        "caps": [capability.value for capability in location.capabilities],
        "hours": [None if day is None else [_clock_text(day.opens), _clock_text(day.closes)] for day in location.week],
        "lead": location.pickup_lead_minutes,
        "cap": location.daily_pick_capacity,
        "ch": list(location.channels),
        "shares": [{"pct": share.percent, "ch": list(share.channels)} for share in location.shares],
        "floor": location.shipping_floor,
    }


def location_from_doc(doc: Mapping[str, Any]) -> Location:
    """The location of a document."""
    return Location(
        id=doc["_id"],
        code=doc["code"],
        name=doc["name"],
        kind=LocationKind(doc["kind"]),
        point=Point(float(doc["geo"]["lat"]), float(doc["geo"]["lng"])),
        timezone=doc["tz"],
        address=doc["addr"],
        country=doc["country"],
        capabilities=tuple(Capability(name) for name in doc["caps"]),
        week=tuple(None if day is None else Hours(minutes(day[0]), minutes(day[1])) for day in doc["hours"]),
        pickup_lead_minutes=doc.get("lead"),
        daily_pick_capacity=doc.get("cap"),
        channels=tuple(doc.get("ch", ())),
        shares=tuple(Share(share["pct"], tuple(share["ch"])) for share in doc.get("shares", ())),
        shipping_floor=doc.get("floor", 0),
    )


def _inbound_to_doc(level: StockLevel) -> list[Document]:
    return [{"q": item.quantity, "eta": item.eta, "conf": item.confidence} for item in level.inbound]


def level_to_doc(level: StockLevel) -> Document:
    """The document of a level."""
    return {
        "_id": level.id,
        "sku": level.sku,
        "loc": level.location_id,
        "on": level.on_hand,
        "rsv": level.reserved,
        "alc": level.allocated,
        "saf": level.safety,
        "free": level.free,
        "qua": level.quarantined,
        "keep": _kept_to_doc(level),
        "inb": _inbound_to_doc(level),
        "neg": level.negative_flagged,
        "v": level.version,
        "at": level.updated_at,
    }


def level_from_doc(doc: Mapping[str, Any]) -> StockLevel:
    """The level of a document."""
    return StockLevel(
        sku=doc["sku"],
        location_id=doc["loc"],
        on_hand=doc["on"],
        reserved=doc["rsv"],
        allocated=doc["alc"],
        safety=doc["saf"],
        quarantined=doc.get("qua", 0),
        kept_from={kept["ch"]: kept["q"] for kept in doc.get("keep", ())},
        inbound=tuple(Inbound(item["q"], item["eta"], item.get("conf", 100)) for item in doc.get("inb", ())),
        negative_flagged=doc.get("neg", False),
        version=doc["v"],
        updated_at=doc["at"],
    )


def movement_to_doc(movement: Movement) -> Document:
    """The document of a movement."""
    return {
        "_id": movement.id,
        "sku": movement.sku,
        "loc": movement.location_id,
        "on": movement.delta.on_hand,
        "rsv": movement.delta.reserved,
        "alc": movement.delta.allocated,
        "qua": movement.delta.quarantined,
        "cause": movement.cause.value,
        "ref": movement.ref,
        "v": movement.version,
        "at": movement.at,
    }


def reservation_to_doc(reservation: Reservation) -> Document:
    """The document of a reservation."""
    return {
        "_id": reservation.id,
        "state": reservation.state.value,
        "owner": reservation.owner,
        "by": reservation.held_by,
        "method": reservation.method.value,
        "lines": [
            {"sku": line.sku, "loc": line.location_id, "q": line.quantity, "left": line.left, "freed": line.freed}
            for line in reservation.lines
        ],
        "exp": reservation.expires_at,
        "at": reservation.created_at,
        "order": reservation.order_id,
        "v": reservation.version,
    }


def reservation_from_doc(doc: Mapping[str, Any]) -> Reservation:
    """The reservation of a document."""
    return Reservation(
        id=doc["_id"],
        state=ReservationState(doc["state"]),
        owner=doc["owner"],
        held_by=doc["by"],
        method=FulfilmentMethod(doc["method"]),
        lines=tuple(
            HeldLine(line["sku"], line["loc"], line["q"], line.get("left", 0), line.get("freed", 0))
            for line in doc["lines"]
        ),
        expires_at=doc["exp"],
        created_at=doc["at"],
        order_id=doc.get("order"),
        version=doc["v"],
    )


class Store:
    """Inventory's collections."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._locations = database.collection(LOCATIONS)
        self._stock = database.collection(STOCK)
        self._movements = database.collection(MOVEMENTS)
        self._reservations = database.collection(RESERVATIONS)
        self._registers = database.collection(REGISTERS)
        self._receipts = database.collection(RECEIPTS)

    async def locations(self) -> tuple[Location, ...]:
        """All locations, in identity order: there are hundreds of them at most."""
        return tuple(location_from_doc(doc) for doc in await self._locations.find({}, sort=[("_id", ASCENDING)]))

    async def levels_of(self, skus: Sequence[str]) -> dict[str, tuple[StockLevel, ...]]:
        """Every level of the SKUs everywhere, by SKU. One query."""
        found: dict[str, list[StockLevel]] = {sku: [] for sku in skus}
        for doc in await self._stock.find({"sku": {"$in": list(found)}}):
            found[doc["sku"]].append(level_from_doc(doc))
        return {sku: tuple(sorted(levels, key=lambda level: level.location_id)) for sku, levels in found.items()}

    async def levels(self, ids: Iterable[str], *, session: Session | None = None) -> dict[str, StockLevel]:
        """Levels by identity; those that do not exist are left out. One query."""
        wanted = sorted(set(ids))
        if not wanted:
            return {}
        docs = await self._stock.find({"_id": {"$in": wanted}}, session=session)
        return {doc["_id"]: level_from_doc(doc) for doc in docs}

    async def level_page(
        self, location_id: str | None, skus: Sequence[str] | None, after: str | None, limit: int
    ) -> tuple[list[StockLevel], int]:
        """Levels after an identity, in the order of SKU (at one location) or of identity (everywhere), and how many
        there are in all."""
        chosen: Document = {}
        if skus is not None:
            chosen["sku"] = {"$in": list(skus)}
        if location_id is not None:
            chosen["loc"] = location_id
        begun = dict(chosen)
        if after is not None and location_id is not None:
            begun["sku"] = {**begun.get("sku", {}), "$gt": after.partition("|")[0]}
        elif after is not None:
            begun["_id"] = {"$gt": after}
        order = "sku" if location_id is not None else "_id"
        docs = await self._stock.find(begun, sort=[(order, ASCENDING)], limit=limit)
        return [level_from_doc(doc) for doc in docs], await self._stock.count(chosen)

    async def reservations(self, ids: Iterable[str], *, session: Session | None = None) -> dict[str, Reservation]:
        """Reservations by identity; those that do not exist are left out. One query."""
        wanted = sorted(set(ids))
        if not wanted:
            return {}
        docs = await self._reservations.find({"_id": {"$in": wanted}}, session=session)
        return {doc["_id"]: reservation_from_doc(doc) for doc in docs}

    async def run_out(self, now: datetime, limit: int) -> list[str]:
        """Identities of held reservations whose time has run out, the longest over first."""
        docs = await self._reservations.find(
            {"state": ReservationState.HELD.value, "exp": {"$lte": now}},
            projection={"_id": 1},
            sort=[("exp", ASCENDING)],
            limit=limit,
        )
        return [doc["_id"] for doc in docs]

    async def holds_of(self, holder: str, *, session: Session) -> int:
        """How many reservations a principal holds now."""
        return await self._reservations.count({"by": holder, "state": ReservationState.HELD.value}, session=session)

    async def known_receipts(self, ids: Iterable[str], *, session: Session) -> set[str]:
        """Which of these receipt lines have had their effect."""
        wanted = sorted(set(ids))
        if not wanted:
            return set()
        docs = await self._receipts.find({"_id": {"$in": wanted}}, projection={"_id": 1}, session=session)
        return {doc["_id"] for doc in docs}

    async def registers(self, ids: Iterable[str], *, session: Session) -> dict[str, Register]:
        """Registers by identity; those never heard of are left out."""
        wanted = sorted(set(ids))
        if not wanted:
            return {}
        docs = await self._registers.find({"_id": {"$in": wanted}}, session=session)
        return {doc["_id"]: Register(doc["_id"], doc["loc"], doc["seq"], tuple(doc.get("ahead", ()))) for doc in docs}

    async def save_levels(
        self, changes: Sequence[tuple[StockLevel | None, StockLevel, int | None]], *, session: Session
    ) -> None:
        """Moves levels from what was read to what they are now, if they still are what was read.

        A change is (before, after, units); before is None for a level that did not exist. ``units`` are those taken
        for holds, guarded once more by the stored ``free``; None where a counter may take what the books do not know of.
        """
        writes: list[Write] = []
        for before, after, taken in changes:
            if before is None:
                writes.append(Insert(level_to_doc(after)))
                continue
            guard: Document = {"_id": after.id, "v": before.version}
            if taken is not None and taken > 0:
                guard["free"] = {"$gte": taken}
            writes.append(
                Update(
                    guard,
                    {
                        "$inc": {
                            "on": after.on_hand - before.on_hand,
                            "rsv": after.reserved - before.reserved,
                            "alc": after.allocated - before.allocated,
                            "free": after.free - before.free,
                            "qua": after.quarantined - before.quarantined,
                            "v": after.version - before.version,
                        },
                        "$set": {
                            "neg": after.negative_flagged,
                            "at": after.updated_at,
                            "saf": after.safety,
                            "keep": _kept_to_doc(after),
                            "inb": _inbound_to_doc(after),
                        },
                    },
                )
            )
        await self._all_or_again(self._stock.name, writes, session)

    async def save_reservations(
        self, changes: Sequence[tuple[Reservation | None, Reservation]], *, session: Session
    ) -> None:
        """Adds new reservations, and moves others on from the state that was read, if they are still in it."""
        await self._all_or_again(
            self._reservations.name,
            [
                Insert(reservation_to_doc(after))
                if before is None
                else Replace(
                    {"_id": after.id, "state": before.state.value, "v": before.version}, reservation_to_doc(after)
                )
                for before, after in changes
            ],
            session,
        )

    async def add_movements(self, movements: Sequence[Movement], *, session: Session) -> None:
        """Appends to the ledger."""
        await self._movements.insert_many([movement_to_doc(movement) for movement in movements], session=session)

    async def add_receipts(self, receipts: Sequence[Receipt], *, session: Session) -> None:
        """Remembers sales for good; ``DuplicateKey`` when another process was faster."""
        await self._receipts.insert_many(
            [
                {
                    "_id": receipt.id,
                    "loc": receipt.location_id,
                    "q": receipt.quantity,
                    "at": receipt.sold_at,
                    "ref": receipt.ref,
                }
                for receipt in receipts
            ],
            session=session,
        )

    async def save_registers(self, registers: Sequence[Register], *, session: Session) -> None:
        """Remembers how far registers have come."""
        for register in registers:
            await self._registers.replace_one(
                {"_id": register.id},
                {
                    "_id": register.id,
                    "loc": register.location_id,
                    "seq": register.sequence,
                    "ahead": list(register.ahead),
                },
                upsert=True,
                session=session,
            )

    async def all_levels(self, session: Session) -> list[StockLevel]:
        """Every level there is: for the audit."""
        return [level_from_doc(doc) for doc in await self._stock.find({}, session=session)]

    async def stored_free(self, session: Session) -> dict[str, int]:
        """The stored ``free`` of every level, by identity: for the audit."""
        docs = await self._stock.find({}, projection={"free": 1}, session=session)
        return {doc["_id"]: doc["free"] for doc in docs}

    async def on_hand_since(
        self, skus: Sequence[str], location_id: str, since: datetime, *, session: Session
    ) -> dict[str, int]:
        """How much of each SKU has come to or gone from a location after that moment. One query."""
        rows = await self._movements.find(
            {"sku": {"$in": list(skus)}, "loc": location_id, "at": {"$gt": since}},
            projection={"sku": 1, "on": 1},
            session=session,
        )
        found: dict[str, int] = {}
        for row in rows:
            found[row["sku"]] = found.get(row["sku"], 0) + int(row["on"])
        return found

    async def all_registers(self, location_id: str | None) -> list[Register]:
        """Registers that were ever heard of, by identity."""
        chosen: Document = {} if location_id is None else {"loc": location_id}
        rows = await self._registers.find(chosen, sort=[("_id", ASCENDING)])
        return [Register(row["_id"], row["loc"], int(row["seq"]), tuple(row["ahead"])) for row in rows]

    async def low(self, location_ids: Sequence[str], threshold: int, limit: int) -> list[StockLevel]:
        """Levels of which at most so many may still be sold, by identity; at these locations, if any are named."""
        chosen: Document = {"free": {"$lte": threshold}}
        if location_ids:
            chosen["loc"] = {"$in": list(location_ids)}
        return [level_from_doc(doc) for doc in await self._stock.find(chosen, sort=[("_id", ASCENDING)], limit=limit)]

    async def flagged(self, location_id: str | None, limit: int) -> list[StockLevel]:
        """Levels that are overdrawn, by identity."""
        chosen: Document = {"neg": True} if location_id is None else {"neg": True, "loc": location_id}
        return [level_from_doc(doc) for doc in await self._stock.find(chosen, sort=[("_id", ASCENDING)], limit=limit)]

    async def all_movements(self, session: Session) -> list[Document]:
        """Sums and count of the movements of every level, as ``{_id: {sku, loc}, on, rsv, alc, qua, n, v}``."""
        sums = {name: {"$sum": f"${name}"} for name in ("on", "rsv", "alc", "qua")}
        return await self._movements.aggregate(
            [{"$group": {"_id": {"sku": "$sku", "loc": "$loc"}, "n": {"$sum": 1}, "v": {"$max": "$v"}} | sums}],
            session=session,
        )

    async def standing_reservations(self, session: Session) -> list[Reservation]:
        """Every reservation that still ties units: held or committed."""
        docs = await self._reservations.find(
            {"state": {"$in": [ReservationState.HELD.value, ReservationState.COMMITTED.value]}}, session=session
        )
        return [reservation_from_doc(doc) for doc in docs]

    async def _all_or_again(self, name: str, writes: Sequence[Write], session: Session) -> None:
        written = await self.database.collection(name).bulk_write(writes, session=session)
        if written.modified + written.inserted != len(writes):
            raise TransientConflict(f"{name} changed since it was read")


def _kept_to_doc(level: StockLevel) -> list[Document]:
    # A list, because a channel's code might not do as the name of a field.
    return [{"ch": channel, "q": units} for channel, units in sorted(level.kept_from.items())]


def _clock_text(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"
