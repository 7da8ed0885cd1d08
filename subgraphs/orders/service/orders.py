"""Order use cases: look at orders, list them, what customers bought and spent, and record a register's sale."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from subgraphs.chassis.idempotency import Claim, Idempotency, Payload
from subgraphs.chassis.identity import Principal
from subgraphs.chassis.mongo import DuplicateKey, Session
from subgraphs.chassis.outbox import Outbox
from subgraphs.kernel.clock import Clock
from subgraphs.kernel.errors import InvalidInput
from subgraphs.kernel.ids import new_id
from subgraphs.kernel.money import Money
from subgraphs.kernel.pages import CursorCodec, Page, page_size
from subgraphs.orders.model.delivery import Fulfilment
from subgraphs.orders.model.lines import Line, LineRequest, merged
from subgraphs.orders.model.numbering import CHANCE_BITS, order_number, read_number
from subgraphs.orders.model.order import (
    Order,
    OrderLine,
    Payment,
    Receipt,
    pos_origin,
    receipt_totals,
    record,
    recorded_event,
)
from subgraphs.orders.model.tax import TABLE_2026
from subgraphs.orders.service.access import may_see_order, once
from subgraphs.orders.service.audit import Audit, audited
from subgraphs.orders.service.peers import Catalog, Inventory
from subgraphs.orders.store import OrderQuery, Store

CURRENCY_OF_NOBODY = "EUR"
POS_CHANNEL = "pos"
RECEIPT_CHARACTERS_MAX = 64
PURCHASES_READ_MAX = 500
CLOCK_SKEW_MAX = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class SoldLine:
    """A line of a register's receipt."""

    sku: str
    quantity: int
    unit: Money


@dataclass(frozen=True, slots=True)
class Tender:
    """One way a receipt was paid: ``kind`` such as CASH or CARD, ``ref`` the terminal's."""

    kind: str
    amount: Money
    ref: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sale:
    """A receipt as the register tells of it."""

    location_id: str
    register_id: str
    receipt_no: str
    occurred_at: datetime
    customer_id: str | None
    staff_id: str | None
    lines: tuple[SoldLine, ...]
    tenders: tuple[Tender, ...]


@dataclass(frozen=True, slots=True)
class Purchase:
    """One of a customer's purchases of a SKU."""

    order: Order
    line: OrderLine


class Orders:
    """The order use cases."""

    def __init__(
        self,
        store: Store,
        outbox: Outbox,
        idempotency: Idempotency,
        clock: Clock,
        catalog: Catalog,
        inventory: Inventory,
        cursors: CursorCodec,
    ) -> None:
        self._store = store
        self._outbox = outbox
        self._idempotency = idempotency
        self._clock = clock
        self._catalog = catalog
        self._inventory = inventory
        self._cursors = cursors

    async def visible(self, principal: Principal, ids: Sequence[str]) -> list[Order | None]:
        """The orders this principal may see, in the order asked."""
        found = await self._store.orders(ids)
        return [_seen(principal, found.get(order_id)) for order_id in ids]

    async def all_visible(self, ids: Sequence[str]) -> list[Order]:
        """Those that exist, in the order asked, for who may see a location's work."""
        found = await self._store.orders(ids)
        return [found[order_id] for order_id in ids if order_id in found]

    async def numbered(self, principal: Principal, number: str) -> Order | None:
        """The order with that number, however a person typed it; numbers of another make are taken as they are."""
        return _seen(principal, await self._store.order_numbered(read_number(number) or number))

    async def fulfilments(self, principal: Principal, ids: Sequence[str]) -> list[tuple[Order, Fulfilment] | None]:
        """Fulfilments with their orders, where this principal may see the order."""
        found = {
            part.id: (order, part)
            for order in await self._store.orders_with_fulfilments(ids)
            if _seen(principal, order)
            for part in order.fulfilments
        }
        return [found.get(identity) for identity in ids]

    async def page(self, query: OrderQuery, first: int | None, after: str | None) -> Page[Order]:
        """Orders, newest first, with how many match in all."""
        size = page_size(first)
        position = self._position(after)
        rows = await self._store.newest_orders(query, size + 1, position)
        total = await self._store.count_orders(query)
        items = tuple(rows[:size])
        cursors = [self.cursor(order) for order in items]
        return Page(
            items=items,
            start_cursor=cursors[0] if cursors else None,
            end_cursor=cursors[-1] if cursors else None,
            has_next=len(rows) > size,
            has_previous=position is not None,
            total=total,
        )

    async def audit(self) -> Audit:
        """The audit of all orders."""
        return await audited(self._store)

    def cursor(self, order: Order) -> str:
        """The cursor that stands on this order."""
        return self._cursors.encode("orders", order.placed_at, order.id)

    def _position(self, after: str | None) -> tuple[datetime, str] | None:
        if after is None:
            return None
        match self._cursors.decode(after):
            case ("orders", datetime() as placed_at, str() as order_id):
                return placed_at, order_id
            case _:
                raise InvalidInput("not a cursor of this list", path=("after",))

    async def payments(self, order_ids: Sequence[str]) -> list[list[Payment]]:
        """The payments of each order, in the order asked."""
        found = await self._store.payments_of(order_ids)
        return [found.get(order_id, []) for order_id in order_ids]

    async def lifetime_values(self, customer_ids: Sequence[str]) -> list[Money]:
        """What each customer has spent, in the currency most of their orders are in (the first by name, if several)."""
        found = await self._store.spent(customer_ids)
        values = []
        for customer_id in customer_ids:
            sums = sorted(found.get(customer_id, ()), key=lambda entry: (-entry[1], entry[0].currency))
            values.append(sums[0][0] if sums else Money.zero(CURRENCY_OF_NOBODY))
        return values

    async def purchases(self, customer_id: str, skus: Sequence[str]) -> list[list[Purchase]]:
        """The customer's purchases of each SKU, newest first. One query."""
        orders = await self._store.purchases(customer_id, skus, PURCHASES_READ_MAX)
        found: dict[str, list[Purchase]] = {}
        for order in orders:
            for line in order.lines:
                found.setdefault(line.sku, []).append(Purchase(order, line))
        return [found.get(sku, []) for sku in skus]

    async def record(
        self, principal: Principal, sale: Sale, key: str, arguments: Mapping[str, Any]
    ) -> tuple[Order, bool]:
        """The order of a receipt, once however often and under however many keys the register sends it."""

        async def work(claim: Claim, _: Payload | None) -> Payload:
            known = await self._store.order_of(pos_origin(sale.register_id, sale.receipt_no))
            if known is None:
                order = await self._order_of_sale(principal, sale)
                try:
                    return await self._recorded(claim, order, sale)
                except DuplicateKey:
                    known = await self._store.order_of(order.origin)
                    assert known is not None, "its insertion was refused as a duplicate"
            _check_same(known, sale)
            payload: Payload = {"order": known.id, "replayed": True}
            await self._store.database.transact(lambda session: self._idempotency.finish(session, claim, payload))
            return payload

        payload, replayed = await once(self._idempotency, principal, "posOrderRecord", key, arguments, work)
        order = (await self._store.orders([payload["order"]]))[payload["order"]]
        return order, replayed or payload["replayed"]

    async def _order_of_sale(self, principal: Principal, sale: Sale) -> Order:
        now = self._clock.now()
        _check_sale(sale, now)
        currency = sale.lines[0].unit.currency
        country = await self._inventory.country_of(sale.location_id, ("input", "locationId"))
        offers = await self._catalog.offers([line.sku for line in sale.lines], POS_CHANNEL, currency, country)
        lines = []
        for sold in sale.lines:
            offer = offers.get(sold.sku)
            if offer is None:
                raise InvalidInput(f"no such SKU: {sold.sku}", path=("input", "lines", "sku"))
            lines.append(
                Line(
                    id=f"line:{sold.sku}",
                    sku=sold.sku,
                    title=offer.title,
                    product_id=offer.product_id,
                    category_slug=offer.category_slug,
                    tax_class=offer.tax_class,
                    quantity=sold.quantity,
                    unit=sold.unit,
                    list_unit=None,
                    price_version=None,
                    quote_token=None,
                    quote_valid_until=None,
                )
            )
        tendered = Money(sum(tender.amount.minor for tender in sale.tenders), currency)
        return record(
            order_id=new_id("ord"),
            number=order_number(sale.occurred_at, secrets.randbits(CHANCE_BITS)),
            channel=POS_CHANNEL,
            location_id=sale.location_id,
            receipt=Receipt(register_id=sale.register_id, receipt_no=sale.receipt_no, staff_id=sale.staff_id),
            occurred_at=sale.occurred_at,
            owner=principal.key,
            customer_id=sale.customer_id,
            lines=lines,
            totals=receipt_totals(lines, tendered, TABLE_2026.rule(country), country),
        )

    async def _recorded(self, claim: Claim, order: Order, sale: Sale) -> Payload:
        payload: Payload = {"order": order.id, "replayed": False}

        async def body(session: Session) -> Payload:
            await self._store.add_order(order, session)
            for tender in sale.tenders:
                await self._store.put_payment(_paid(order, tender), session)
            await self._outbox.append(
                session, recorded_event(order), aggregate=f"order:{order.id}", aggregate_version=order.version
            )
            await self._idempotency.finish(session, claim, payload)
            return payload

        try:
            return await self._store.database.transact(body)
        except DuplicateKey as taken:
            if "number" not in taken.key:
                raise
            # Another order of this minute drew the same number.
            number = order_number(sale.occurred_at, secrets.randbits(CHANCE_BITS))
            return await self._recorded(claim, replace(order, number=number), sale)


def _seen(principal: Principal, order: Order | None) -> Order | None:
    return order if order and may_see_order(principal, order.owner, order.customer_id) else None


def _paid(order: Order, tender: Tender) -> Payment:
    return Payment(
        id=new_id("pay"),
        order_id=order.id,
        checkout_id=None,
        provider=f"pos:{tender.kind.lower()}",
        provider_ref=tender.ref or "",
        state="CAPTURED",
        authorized=tender.amount,
        captured=tender.amount,
        refunded=Money.zero(tender.amount.currency),
        at=order.placed_at,
    )


def _check_same(known: Order, sale: Sale) -> None:
    sold = {line.sku: line.quantity for line in known.lines}
    if known.sold_at_location_id != sale.location_id or sold != {line.sku: line.quantity for line in sale.lines}:
        raise InvalidInput("this register has recorded another sale under that receipt", path=("input", "receiptNo"))


def _check_sale(sale: Sale, now: datetime) -> None:
    for name, text in (("registerId", sale.register_id), ("receiptNo", sale.receipt_no)):
        if not 1 <= len(text) <= RECEIPT_CHARACTERS_MAX:
            raise InvalidInput(f"{name} has 1 to {RECEIPT_CHARACTERS_MAX} characters", path=("input", name))
    if not sale.lines:
        raise InvalidInput("a receipt has lines", path=("input", "lines"))
    merged([LineRequest(line.sku, line.quantity) for line in sale.lines])
    if len({line.sku for line in sale.lines}) != len(sale.lines):
        raise InvalidInput("each SKU is one line of a receipt", path=("input", "lines"))
    if sale.occurred_at > now + CLOCK_SKEW_MAX:
        raise InvalidInput("a sale cannot be in the future", path=("input", "occurredAt"))
    amounts = [line.unit for line in sale.lines] + [tender.amount for tender in sale.tenders]
    if len({amount.currency for amount in amounts}) != 1:
        raise InvalidInput("a receipt has one currency", path=("input", "tenders"))
    if any(amount.minor < 0 for amount in amounts):
        raise InvalidInput("amounts are not negative", path=("input", "tenders"))
