"""Reservations: units held for an owner until a time. ``COMMITTED``, ``RELEASED`` and ``EXPIRED`` are final.

A committed reservation stays, and its lines count what has become of their units: those that left with a parcel or over
a counter, and those that were freed because the order wants them no more. What is neither is still allocated.

::

    HELD ──commit──▶ COMMITTED     before its expiry only; the units become allocated
      ├──release──▶ RELEASED       at any time before the sweeper; the units are free again
      └──expire───▶ EXPIRED        at or after its expiry only; the units are free again
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum

from subgraphs.inventory.model.refusals import HoldLimitExceeded, ReservationExpired
from subgraphs.inventory.model.sourcing import FulfilmentMethod
from subgraphs.kernel.errors import InvalidInput, NotFound

TTL_SECONDS_MIN, TTL_SECONDS_DEFAULT, TTL_SECONDS_MAX = 1, 600, 3600
LINES_MAX = 100
QUANTITY_MAX = 10_000
AGENT_HOLDS_MAX = 3
AGENT_UNITS_PER_SKU_MAX = 5


class ReservationState(Enum):
    """Where a reservation stands."""

    HELD = "HELD"
    COMMITTED = "COMMITTED"
    RELEASED = "RELEASED"
    EXPIRED = "EXPIRED"


@dataclass(frozen=True, slots=True)
class HeldLine:
    """``quantity`` units of a SKU at one location; of those, once committed, how many have ``left`` and were ``freed``."""

    sku: str
    location_id: str
    quantity: int
    left: int = 0
    freed: int = 0

    @property
    def open(self) -> int:
        """Units that are still here for their owner."""
        return self.quantity - self.left - self.freed


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """A hold. ``owner`` is the caller's own reference (a checkout); ``held_by`` the principal that may change it."""

    id: str
    state: ReservationState
    owner: str
    held_by: str
    method: FulfilmentMethod
    lines: tuple[HeldLine, ...]
    expires_at: datetime
    created_at: datetime
    order_id: str | None = None
    version: int = 1

    def expired_at(self, now: datetime) -> bool:
        """Whether its time has run out, swept or not."""
        return self.state is ReservationState.EXPIRED or (
            self.state is ReservationState.HELD and self.expires_at <= now
        )

    def commit(self, order_id: str, now: datetime) -> Reservation:
        """Held for good by an order; doing it again for the same order changes nothing."""
        if self.state is ReservationState.COMMITTED:
            if self.order_id != order_id:
                raise InvalidInput("the reservation belongs to another order", path=("orderId",))
            return self
        if self.expired_at(now):
            raise ReservationExpired(self.id)
        if self.state is ReservationState.RELEASED:
            raise NotFound("the reservation was released", path=("id",))
        return replace(self, state=ReservationState.COMMITTED, order_id=order_id, version=self.version + 1)

    def release(self) -> Reservation:
        """Given back; what is already given back stays so, what an order owns is refused."""
        if self.state is ReservationState.COMMITTED:
            raise InvalidInput("the reservation belongs to an order; cancel the order instead", path=("id",))
        if self.state is not ReservationState.HELD:
            return self
        return replace(self, state=ReservationState.RELEASED, version=self.version + 1)

    def extend(self, seconds: int, now: datetime) -> Reservation:
        """Lasts ``seconds`` from now, or as long as it did anyway; never beyond ``TTL_SECONDS_MAX`` from now."""
        check_ttl(seconds, ("seconds",))
        if self.expired_at(now):
            raise ReservationExpired(self.id)
        if self.state is not ReservationState.HELD:
            raise InvalidInput(f"a reservation that is {self.state.value} has no time to extend", path=("id",))
        until = max(self.expires_at, now + timedelta(seconds=seconds))
        return replace(self, expires_at=until, version=self.version + 1)

    def leave(self, location_id: str, units: Mapping[str, int]) -> Reservation:
        """Units (SKU to how many) have left the location for the buyer; more than are open there is refused."""
        return self._settled(location_id, units, left=True)

    def free(self, location_id: str, units: Mapping[str, int]) -> Reservation:
        """Units (SKU to how many) are no longer wanted from the location; more than are open there is refused."""
        return self._settled(location_id, units, left=False)

    def _settled(self, location_id: str, units: Mapping[str, int], *, left: bool) -> Reservation:
        if self.state is not ReservationState.COMMITTED:
            raise InvalidInput(f"a reservation that is {self.state.value} owns no units", path=("reservationId",))
        rest, lines = dict(units), []
        for line in self.lines:
            take = min(line.open, rest.get(line.sku, 0)) if line.location_id == location_id else 0
            if take:
                rest[line.sku] -= take
                line = replace(line, left=line.left + take) if left else replace(line, freed=line.freed + take)
            lines.append(line)
        missing = {sku: quantity for sku, quantity in rest.items() if quantity}
        if missing:
            raise InvalidInput(f"{self.id} has not so many open units at {location_id}: {missing}", path=("lines",))
        return replace(self, lines=tuple(lines), version=self.version + 1)

    def expire(self, now: datetime) -> Reservation:
        """Taken back if its time has run out and it is still only held; otherwise unchanged."""
        if self.state is not ReservationState.HELD or self.expires_at > now:
            return self
        return replace(self, state=ReservationState.EXPIRED, version=self.version + 1)


def check_ttl(seconds: int, path: tuple[str, ...]) -> None:
    """Refuses a time to live outside the house's bounds."""
    if not TTL_SECONDS_MIN <= seconds <= TTL_SECONDS_MAX:
        raise InvalidInput(f"a hold lasts {TTL_SECONDS_MIN} to {TTL_SECONDS_MAX} seconds, not {seconds}", path=path)


def check_agent_limits(held_before: int, quantities: dict[str, int]) -> None:
    """Agents may hold little at a time: a hold costs them nothing and keeps goods from people."""
    if held_before >= AGENT_HOLDS_MAX:
        raise HoldLimitExceeded(f"an agent holds at most {AGENT_HOLDS_MAX} reservations at once", AGENT_HOLDS_MAX)
    if any(quantity > AGENT_UNITS_PER_SKU_MAX for quantity in quantities.values()):
        raise HoldLimitExceeded(
            f"an agent holds at most {AGENT_UNITS_PER_SKU_MAX} units of a SKU", AGENT_UNITS_PER_SKU_MAX
        )
