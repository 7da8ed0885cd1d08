"""One SKU at one location: its figures, and the ways they may change. Every change is a movement."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum


class Cause(Enum):
    """Why a level changed."""

    OPENING = "OPENING"
    HOLD = "HOLD"
    RELEASE = "RELEASE"
    EXPIRE = "EXPIRE"
    COMMIT = "COMMIT"
    ADJUST = "ADJUST"
    POS_SALE = "POS_SALE"
    SAFETY = "SAFETY"
    GOODS_LEFT = "GOODS_LEFT"
    GOODS_FREED = "GOODS_FREED"
    RETURN = "RETURN"
    QUARANTINE = "QUARANTINE"
    TRANSFER_OUT = "TRANSFER_OUT"
    TRANSFER_IN = "TRANSFER_IN"
    VARIANCE = "VARIANCE"
    EXPECT = "EXPECT"
    COUNT = "COUNT"


PHYSICAL = frozenset({Cause.POS_SALE, Cause.COUNT, Cause.VARIANCE})
"""What has happened to the goods themselves, whatever was promised of them."""


@dataclass(frozen=True, slots=True)
class Inbound:
    """``quantity`` units expected at ``eta``, with ``confidence`` percent (0 to 100) that they come."""

    quantity: int
    eta: datetime
    confidence: int = 100

    @property
    def counted(self) -> int:
        """Units that may be promised of it: rounded down."""
        return self.quantity * self.confidence // 100


@dataclass(frozen=True, slots=True)
class Delta:
    """A change of the four figures that movements record."""

    on_hand: int = 0
    reserved: int = 0
    allocated: int = 0
    quarantined: int = 0

    @property
    def free(self) -> int:
        return self.on_hand - self.reserved - self.allocated

    def __add__(self, other: Delta) -> Delta:
        return Delta(
            self.on_hand + other.on_hand,
            self.reserved + other.reserved,
            self.allocated + other.allocated,
            self.quarantined + other.quarantined,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """Row of the ledger: the change that made ``version`` of a level, why, and for what (``ref``)."""

    id: str
    sku: str
    location_id: str
    delta: Delta
    cause: Cause
    ref: str | None
    version: int
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class StockLevel:
    """The figures of one SKU at one location. ``version`` counts its movements from 1; ``kept_from`` are units that a
    channel, by its code, may not sell."""

    sku: str
    location_id: str
    on_hand: int = 0
    reserved: int = 0
    allocated: int = 0
    safety: int = 0
    quarantined: int = 0
    kept_from: Mapping[str, int] = field(default_factory=dict)
    inbound: tuple[Inbound, ...] = ()
    negative_flagged: bool = False
    version: int = 0
    updated_at: datetime

    @property
    def id(self) -> str:
        return level_id(self.sku, self.location_id)

    @property
    def free(self) -> int:
        return self.on_hand - self.reserved - self.allocated - self.safety

    @property
    def atp(self) -> int:
        return max(0, self.free)

    @property
    def inbound_units(self) -> int:
        """Units on their way, expected or not."""
        return sum(item.quantity for item in self.inbound)

    def moved(self, delta: Delta, at: datetime, *, physical: bool = False) -> StockLevel:
        """The level after one movement. Goods that are gone although they were promised, or were never booked, raise the
        flag (``physical``: a counter sold them, a count did not find them); a level that has what it promises loses it."""
        on_hand = self.on_hand + delta.on_hand
        return replace(
            self,
            on_hand=on_hand,
            reserved=self.reserved + delta.reserved,
            allocated=self.allocated + delta.allocated,
            quarantined=self.quarantined + delta.quarantined,
            negative_flagged=on_hand < 0 or ((self.negative_flagged or physical) and _overdrawn(self, delta)),
            version=self.version + 1,
            updated_at=at,
        )

    def expecting(self, eta: datetime | None, units: int, at: datetime) -> StockLevel:
        """The level with so many units more on their way, or, below zero, with the oldest expected ones come."""
        inbound = list(self.inbound)
        if units > 0 and eta is not None:
            inbound.append(Inbound(units, eta))
        left = -units
        while left > 0 and inbound:
            first = inbound.pop(0)
            if first.quantity > left:
                inbound.insert(0, replace(first, quantity=first.quantity - left))
            left -= first.quantity
        return replace(self.moved(Delta(), at), inbound=tuple(inbound))

    def keeping(self, units: int, channel: str | None, at: datetime) -> StockLevel:
        """The level with other safety stock, or with so many units kept from one channel."""
        if channel is None:
            return replace(self.moved(Delta(), at), safety=units)
        return replace(self.moved(Delta(), at), kept_from={**self.kept_from, channel: units})


def level_id(sku: str, location_id: str) -> str:
    """``"SKU|LOCATION"``, the identity of a level everywhere."""
    return f"{sku}|{location_id}"


def _overdrawn(level: StockLevel, delta: Delta) -> bool:
    return level.reserved + delta.reserved + level.allocated + delta.allocated > level.on_hand + delta.on_hand


def faults(levels: Iterable[StockLevel]) -> list[str]:
    """What is wrong with levels by themselves (invariant I1): signs, and more promised than is there."""
    found = []
    for level in levels:
        if min(level.reserved, level.allocated, level.safety, level.quarantined) < 0:
            found.append(f"{level.id}: a figure is below zero")
        if level.negative_flagged:
            continue
        if level.on_hand < 0:
            found.append(f"{level.id}: on hand {level.on_hand} is below zero and not flagged")
        elif level.reserved + level.allocated > level.on_hand:
            found.append(f"{level.id}: {level.reserved} reserved and {level.allocated} allocated of {level.on_hand}")
    return found
