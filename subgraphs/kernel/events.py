"""Every event of the house on one page: facts, in the past tense, as plain JSON-able fields.

An event is what one domain tells the others after the fact; it is never a command. Fields are added, never renamed or
repurposed: a change of meaning is a new ``VERSION``, and readers ignore fields they do not know. Instants are RFC 3339
text (``kernel.clock.iso``), money is integer minor units beside its currency. The classes stand by who tells them, as the
first word of their ``TYPE`` says.

How events are stored and delivered is ``chassis/outbox.py``; nothing here does I/O.
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

E = TypeVar("E", bound="Event")


class Event:
    """A fact. Subclasses are frozen dataclasses, registered by their ``TYPE``."""

    __slots__ = ()

    TYPE: ClassVar[str]
    VERSION: ClassVar[int] = 1

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        # dataclass(slots=True) builds the class a second time under the same name; the later one is the real one.
        known = EVENTS.get(cls.TYPE)
        assert known is None or known.__qualname__ == cls.__qualname__, f"two events of type {cls.TYPE}"
        EVENTS[cls.TYPE] = cls

    def to_data(self) -> dict[str, Any]:
        """The fields as JSON-able data; tuples become lists."""
        return {field.name: _plain(getattr(self, field.name)) for field in dataclasses.fields(typing.cast("Any", self))}

    @classmethod
    def from_data(cls: type[E], data: Mapping[str, Any]) -> E:
        """The event ``data`` describes. Unknown fields are ignored; a missing one without default is a ``TypeError``."""
        return typing.cast("E", _build(cls, data))


EVENTS: dict[str, type[Event]] = {}


def event_from(type_: str, data: Mapping[str, Any]) -> Event:
    """The event of that registered type; ``KeyError`` when the house does not know the type."""
    return EVENTS[type_].from_data(data)


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value


def _build(cls: type[Any], data: Mapping[str, Any]) -> Any:
    parts = _PARTS.get(cls)
    if parts is None:
        hints = typing.get_type_hints(cls)
        parts = _PARTS[cls] = {field.name: _part(hints[field.name]) for field in dataclasses.fields(cls)}
    return cls(**{name: _rich(part, data[name]) for name, part in parts.items() if name in data})


def _part(hint: Any) -> type[Any] | None:
    """The dataclass inside ``tuple[Line, ...]``, or nothing for plain fields."""
    arguments = typing.get_args(hint)
    if typing.get_origin(hint) is tuple and arguments and dataclasses.is_dataclass(arguments[0]):
        return typing.cast("type[Any]", arguments[0])
    return None


def _rich(part: type[Any] | None, value: Any) -> Any:
    if part is not None:
        return tuple(_build(part, item) for item in value)
    return tuple(value) if isinstance(value, list) else value


# Type hints are resolved once per class: events are read in loops.
_PARTS: dict[type[Any], dict[str, type[Any] | None]] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """An event on its way: who it is about, where it stands in its producer's order, and what caused it.

    ``seq`` counts the producer's events from 1 without gaps and is missing until the relay has given it.
    ``aggregate`` is ``"<kind>:<id>"``; ``aggregate_version`` grows by commit within one aggregate.
    """

    id: str
    type: str
    version: int
    seq: int | None
    aggregate: str
    aggregate_version: int
    occurred_at: str
    causation: str | None
    correlation: str | None
    traceparent: str | None
    data: Mapping[str, Any]

    def event(self) -> Event:
        """The typed event inside; ``KeyError`` when the house does not know its type."""
        return event_from(self.type, self.data)

    def to_data(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Envelope:
        fields: dict[str, Any] = {field.name: data.get(field.name) for field in dataclasses.fields(cls)}
        return cls(**fields)


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderedLine:
    """One line of an order. ``total_minor`` is what was charged for it, discounts included."""

    sku: str
    quantity: int
    unit_minor: int
    total_minor: int
    category_slug: str | None
    location_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReservedLine:
    """Units of one SKU held at one location."""

    sku: str
    location_id: str
    quantity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GoodsLine:
    """Units of one line of an order."""

    line_id: str
    sku: str
    quantity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnedLine:
    """Units of one line that came back, and what becomes of them; ``disposition`` is as in GraphQL."""

    line_id: str
    sku: str
    quantity: int
    disposition: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderConfirmed(Event):
    """An order is paid for and its stock is committed."""

    TYPE: ClassVar[str] = "order.confirmed"

    order_id: str
    number: str
    customer_id: str | None
    channel: str
    currency: str
    placed_at: str
    lines: tuple[OrderedLine, ...]
    total_minor: int
    reservation_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PosOrderRecorded(Event):
    """A register has told of a sale that already happened at its counter."""

    TYPE: ClassVar[str] = "order.pos_recorded"

    order_id: str
    number: str
    customer_id: str | None
    location_id: str
    register_id: str
    receipt_no: str
    occurred_at: str
    currency: str
    lines: tuple[OrderedLine, ...]
    total_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FulfilmentChanged(Event):
    """A parcel or a pickup is in another state. ``from_state`` is missing when it was planned anew."""

    TYPE: ClassVar[str] = "fulfilment.changed"

    order_id: str
    fulfilment_id: str
    location_id: str | None
    method: str
    from_state: str | None
    to_state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GoodsLeft(Event):
    """What was committed to an order has left the location: shipped, or handed over."""

    TYPE: ClassVar[str] = "fulfilment.goods_left"

    order_id: str
    fulfilment_id: str
    reservation_id: str
    location_id: str
    lines: tuple[GoodsLine, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class GoodsFreed(Event):
    """What was committed to an order stays after all: cancelled before it left, or sent from elsewhere."""

    TYPE: ClassVar[str] = "fulfilment.goods_freed"

    order_id: str
    fulfilment_id: str
    reservation_id: str
    location_id: str
    lines: tuple[GoodsLine, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderCancelled(Event):
    """An order, all of it, will not be delivered; its money is voided or refunded."""

    TYPE: ClassVar[str] = "order.cancelled"

    order_id: str
    number: str
    customer_id: str | None
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnReceived(Event):
    """Goods of an order came back to a location."""

    TYPE: ClassVar[str] = "return.received"

    return_id: str
    order_id: str
    customer_id: str | None
    location_id: str
    lines: tuple[ReturnedLine, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundIssued(Event):
    """Money went back, or ``points`` that had paid for the goods, worth ``points_minor`` then, or both. ``goods_minor`` of the order's
    ``goods_total_minor`` are refunded by now, this refund included."""

    TYPE: ClassVar[str] = "refund.issued"

    refund_id: str
    order_id: str
    return_id: str | None
    customer_id: str | None
    currency: str
    amount_minor: int
    goods_minor: int
    goods_total_minor: int
    points: int = 0
    points_minor: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentCaptured(Event):
    """Money that was authorized for an order is taken."""

    TYPE: ClassVar[str] = "payment.captured"

    payment_id: str
    order_id: str
    currency: str
    amount_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SettlementImported(Event):
    """A payment provider's settlement file was taken in; the sums are the file's own."""

    TYPE: ClassVar[str] = "settlement.imported"

    file_id: str
    provider: str
    currency: str
    gross_minor: int
    fee_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StockChanged(Event):
    """One stock level has new figures. ``free`` is what may still be sold, ``quarantined`` what came back and may not;
    ``ref`` names what caused the change."""

    TYPE: ClassVar[str] = "stock.changed"

    sku: str
    location_id: str
    on_hand: int
    reserved: int
    allocated: int
    safety: int
    free: int
    version: int
    cause: str
    ref: str | None
    quarantined: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ReservationHeld(Event):
    """Units were set aside for ``owner``."""

    TYPE: ClassVar[str] = "reservation.held"

    reservation_id: str
    owner: str
    lines: tuple[ReservedLine, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReservationCommitted(Event):
    """Units set aside now belong to an order."""

    TYPE: ClassVar[str] = "reservation.committed"

    reservation_id: str
    owner: str
    lines: tuple[ReservedLine, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReservationReleased(Event):
    """Units set aside were given back by their owner."""

    TYPE: ClassVar[str] = "reservation.released"

    reservation_id: str
    owner: str
    lines: tuple[ReservedLine, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReservationExpired(Event):
    """Units set aside were taken back because their time had run out."""

    TYPE: ClassVar[str] = "reservation.expired"

    reservation_id: str
    owner: str
    lines: tuple[ReservedLine, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceChanged(Event):
    """A SKU has a new price on a price list; ``before_minor`` is missing for its first one."""

    TYPE: ClassVar[str] = "price.changed"

    sku: str
    price_list: str
    currency: str
    before_minor: int | None
    after_minor: int
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductChanged(Event):
    """Something of a product other than its prices is new; read the product to see what."""

    TYPE: ClassVar[str] = "product.changed"

    product_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerRegistered(Event):
    """A customer has a profile."""

    TYPE: ClassVar[str] = "customer.registered"

    customer_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PointsAccrued(Event):
    """An order earned ``points``; ``balance`` is the account's after it."""

    TYPE: ClassVar[str] = "points.accrued"

    account_id: str
    customer_id: str
    order_id: str
    points: int
    balance: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PointsAdjusted(Event):
    """An account was given ``points`` other than by earning, or they were taken (below zero): by hand, because goods came
    back, or to pay for an order; ``balance`` is the account's after it."""

    TYPE: ClassVar[str] = "points.adjusted"

    account_id: str
    customer_id: str
    points: int
    balance: int
    reason: str
