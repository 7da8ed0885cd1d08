"""Documents and the model, the queries, and the indexes they use. No decisions.

Money is ``{m: Int64, c: "EUR"}`` (below: *money*), instants are dates, identities are ``_id``. Absent values are null.

``carts``      {_id: crt_, v, channel, currency, country, owner, customer, lines: [line], messages: [message],
               created_at, expires_at}
``checkouts``  {_id: chk_, v, status, channel, currency, country, owner, customer, agent, hold_wanted, hold_s, email,
               address, method, pickup_location, pickup_country, option, points, points_worth: money,
               delivery: money, lines: [line], hold, messages: [message],
               continue_url, created_at, expires_at, order, saga}
``orders``     {_id: ord_, v, number, origin, status, channel, currency, placed_at, owner, customer, agent,
               mandate, points, email, address, sold_at, reservation, lines: [{id, sku, title, category, q, fulfilled, returned, unit: money,
               total: money}], totals: [{kind, amount: money, label}], total: money,
               tax: [{jurisdiction, rate_ppm, base: money, amount: money, included, line}],
               fulfilments: [{id, method, state, location, lines: [{line, sku, q}], promised_by,
               tracking: {carrier, number, url}, happenings: [happening], reservation, code, code_tries,
               rerouting, replaced}], timeline: [happening],
               receipt: {register, no, staff}, adjustments: [{id, kind, at, amount: money}]}
``payments``   {_id: pay_, order, checkout, provider, ref, state, authorized: money, captured: money, refunded: money,
               at, settled_in}
``sagas``      {_id: sag_, v, checkout, request, request_print, order, number, attempt, provider, token, mandate,
               amount: money,
               hold, provider_ref, progress: {…}, started_at, active, due_at}

line       {id, sku, title, product, category, tax_class, q, unit: money, list: money, price_version, quote,
           quote_until}
hold       {reservation, expires_at, lines: [{sku, q, location}]}
address    {name, line1, line2, city, region, postal_code, country}
message    {level, code, text, path, severity}
happening  {at, type, actor, detail}

``orders.origin`` is unique: ``checkout:<chk>`` or ``pos:<length of register>:<register>:<receipt>``; so is
``orders.number``. ``orders.lines.id`` is ``line:<sku>``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from subgraphs.chassis.mongo import Database, Document, Index, Session, Update, money_from_doc, money_to_doc
from subgraphs.kernel.money import Money
from subgraphs.orders.model.cart import Cart
from subgraphs.orders.model.checkout import CheckoutSession
from subgraphs.orders.model.delivery import (
    Address,
    Fulfilment,
    FulfilmentLine,
    Happening,
    HeldLine,
    Hold,
    Tracking,
)
from subgraphs.orders.model.lines import Line, Message
from subgraphs.orders.model.order import Adjustment, Order, OrderLine, Payment, Receipt
from subgraphs.orders.model.refusals import Failure
from subgraphs.orders.model.saga import Progress, Saga, SagaState, Step
from subgraphs.orders.model.tax import TaxLine
from subgraphs.orders.model.totals import TotalLine

CARTS = "carts"
CHECKOUTS = "checkouts"
ORDERS = "orders"
PAYMENTS = "payments"
SAGAS = "sagas"

INDEXES: dict[str, Sequence[Index]] = {
    # The embedded server reads a whole collection for {_id, v} unless one index holds both fields of the guard.
    CARTS: (Index(["expires_at"], expire_after_s=0), Index(["_id", "v"])),
    CHECKOUTS: (Index(["_id", "v"]),),
    ORDERS: (
        Index(["number"], unique=True),
        Index(["origin"], unique=True),
        Index([("placed_at", -1), ("_id", -1)]),
        Index(["customer", ("placed_at", -1), ("_id", -1)]),
        Index(["customer", "lines.sku"]),
        Index(["channel", ("placed_at", -1), ("_id", -1)]),
        Index(["status", ("placed_at", -1), ("_id", -1)]),
        Index(["sold_at", ("placed_at", -1), ("_id", -1)]),
        Index(["fulfilments.id"]),
        Index(["fulfilments.location", "status", "placed_at"]),
        Index(["fulfilments.state", "status"]),
        Index(["adjustments.at"]),
        Index(["_id", "v"]),
    ),
    PAYMENTS: (Index(["order"]), Index(["checkout"]), Index(["provider", "ref"]), Index(["provider", "at"])),
    SAGAS: (
        Index(["started_at"]),
        Index(["request"], unique=True),
        Index(["checkout"]),
        Index(["active", "due_at"]),
        Index(["_id", "v"]),
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderQuery:
    """Which orders to list; an empty tuple or nothing means any."""

    statuses: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    placed_from: datetime | None = None
    placed_to: datetime | None = None
    customer_id: str | None = None
    sold_at_location_id: str | None = None


class Store:
    """What orders keeps."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._carts = database.collection(CARTS)
        self._checkouts = database.collection(CHECKOUTS)
        self._orders = database.collection(ORDERS)
        self._payments = database.collection(PAYMENTS)
        self._sagas = database.collection(SAGAS)

    async def carts(self, ids: Sequence[str]) -> dict[str, Cart]:
        """Those that exist, by identity. One query."""
        return {found["_id"]: cart_from_doc(found) for found in await self._carts.find({"_id": {"$in": list(ids)}})}

    async def cart(self, cart_id: str, session: Session | None = None) -> Cart | None:
        found = await self._carts.find_one({"_id": cart_id}, session=session)
        return None if found is None else cart_from_doc(found)

    async def add_cart(self, cart: Cart, session: Session) -> None:
        await self._carts.insert_one(cart_to_doc(cart), session=session)

    async def save_cart(self, cart: Cart, before: int, session: Session) -> bool:
        """Whether the cart still had version ``before`` and is now this."""
        written = await self._carts.replace_one({"_id": cart.id, "v": before}, cart_to_doc(cart), session=session)
        return written.modified == 1

    async def checkouts(self, ids: Sequence[str]) -> dict[str, CheckoutSession]:
        """Those that exist, by identity. One query."""
        rows = await self._checkouts.find({"_id": {"$in": list(ids)}})
        return {row["_id"]: checkout_from_doc(row) for row in rows}

    async def checkout(self, checkout_id: str, session: Session | None = None) -> CheckoutSession | None:
        found = await self._checkouts.find_one({"_id": checkout_id}, session=session)
        return None if found is None else checkout_from_doc(found)

    async def add_checkout(self, checkout: CheckoutSession, session: Session) -> None:
        await self._checkouts.insert_one(checkout_to_doc(checkout), session=session)

    async def save_checkout(self, checkout: CheckoutSession, before: int, session: Session) -> bool:
        """Whether the session still had version ``before`` and is now this."""
        written = await self._checkouts.replace_one(
            {"_id": checkout.id, "v": before}, checkout_to_doc(checkout), session=session
        )
        return written.modified == 1

    async def orders(self, ids: Sequence[str]) -> dict[str, Order]:
        """Those that exist, by identity. One query."""
        return {found["_id"]: order_from_doc(found) for found in await self._orders.find({"_id": {"$in": list(ids)}})}

    async def order_numbered(self, number: str) -> Order | None:
        found = await self._orders.find_one({"number": number})
        return None if found is None else order_from_doc(found)

    async def order_of(self, origin: str, session: Session | None = None) -> Order | None:
        """The order made of that checkout or receipt."""
        found = await self._orders.find_one({"origin": origin}, session=session)
        return None if found is None else order_from_doc(found)

    async def orders_with_fulfilments(self, ids: Sequence[str]) -> list[Order]:
        """The orders these fulfilments are part of. One query."""
        rows = await self._orders.find({"fulfilments.id": {"$in": list(ids)}})
        return [order_from_doc(row) for row in rows]

    async def add_order(self, order: Order, session: Session) -> None:
        await self._orders.insert_one(order_to_doc(order), session=session)

    async def order(self, order_id: str, session: Session | None = None) -> Order | None:
        found = await self._orders.find_one({"_id": order_id}, session=session)
        return None if found is None else order_from_doc(found)

    async def save_order(self, order: Order, before: int, session: Session) -> bool:
        """Whether the order still had version ``before`` and is now this."""
        written = await self._orders.replace_one({"_id": order.id, "v": before}, order_to_doc(order), session=session)
        return written.modified == 1

    async def orders_at(self, location_id: str, statuses: Sequence[str], limit: int) -> list[Order]:
        """Orders in these states with a fulfilment at that location, oldest first."""
        rows = await self._orders.find(
            {"fulfilments.location": location_id, "status": {"$in": list(statuses)}},
            sort=[("placed_at", 1)],
            limit=limit,
        )
        return [order_from_doc(row) for row in rows]

    async def order_of_fulfilment(self, fulfilment_id: str, session: Session) -> Order | None:
        found = await self._orders.find_one({"fulfilments.id": fulfilment_id}, session=session)
        return None if found is None else order_from_doc(found)

    async def rejected_orders(self, statuses: Sequence[str], limit: int) -> list[Order]:
        """Orders in these states with a rejected fulfilment that nobody has seen to."""
        unseen = {"$elemMatch": {"state": "REJECTED", "replaced": False}}
        rows = await self._orders.find(
            {"fulfilments.state": "REJECTED", "status": {"$in": list(statuses)}, "fulfilments": unseen}, limit=limit
        )
        return [order_from_doc(row) for row in rows]

    async def count_code_try(self, fulfilment_id: str) -> None:
        """One wrong code more; outside the move that it refuses, and counted whatever else changes the order."""
        counted = False
        while not counted:
            found = await self._orders.find_one({"fulfilments.id": fulfilment_id})
            if found is None:
                return
            order = order_from_doc(found)
            parts = tuple(
                replace(part, code_tries=part.code_tries + 1) if part.id == fulfilment_id else part
                for part in order.fulfilments
            )
            changed = replace(order, version=order.version + 1, fulfilments=parts)
            written = await self._orders.replace_one({"_id": order.id, "v": order.version}, order_to_doc(changed))
            counted = written.modified == 1

    async def newest_orders(
        self, query: OrderQuery, limit: int, after: tuple[datetime, str] | None = None
    ) -> list[Order]:
        """Newest first, those after the (placed at, identity) given."""
        matching = _matching(query)
        if after is None:
            rows = await self._orders.find(matching, sort=_NEWEST, limit=limit)
            return [order_from_doc(row) for row in rows]
        placed_at, order_id = after
        # Two range reads of the index, since an $or over both would scan: those of the same instant, then those before.
        bounds = dict(matching.get("placed_at", {}))
        same = matching | {"placed_at": bounds | {"$eq": placed_at}, "_id": {"$lt": order_id}}
        rows = await self._orders.find(same, sort=_NEWEST, limit=limit)
        if len(rows) < limit:
            # The filter's own upper bound is never tighter than the place the page stands on.
            bounds.pop("$lte", None)
            rows += await self._orders.find(
                matching | {"placed_at": bounds | {"$lt": placed_at}}, sort=_NEWEST, limit=limit - len(rows)
            )
        return [order_from_doc(row) for row in rows]

    async def count_orders(self, query: OrderQuery) -> int:
        return await self._orders.count(_matching(query))

    async def spent(self, customer_ids: Sequence[str]) -> dict[str, list[tuple[Money, int]]]:
        """What each customer's orders come to, by currency, with how many they are. One query."""
        rows = await self._orders.aggregate(
            [
                {"$match": {"customer": {"$in": list(customer_ids)}, "status": {"$nin": ["PENDING", "CANCELED"]}}},
                {
                    "$group": {
                        "_id": {"customer": "$customer", "currency": "$currency"},
                        "total": {"$sum": "$total.m"},
                        "orders": {"$sum": 1},
                    }
                },
            ]
        )
        found: dict[str, list[tuple[Money, int]]] = {}
        for row in rows:
            money = Money(int(row["total"]), row["_id"]["currency"])
            found.setdefault(row["_id"]["customer"], []).append((money, int(row["orders"])))
        return found

    async def purchases(self, customer_id: str, skus: Sequence[str], limit: int) -> list[Order]:
        """The customer's newest orders with any of these SKUs. One query."""
        rows = await self._orders.find(
            {"customer": customer_id, "lines.sku": {"$in": list(skus)}}, sort=_NEWEST, limit=limit
        )
        return [order_from_doc(row) for row in rows]

    async def payments_of(self, order_ids: Sequence[str]) -> dict[str, list[Payment]]:
        """Payments by order, oldest first. One query."""
        rows = await self._payments.find({"order": {"$in": list(order_ids)}}, sort=[("at", 1), ("_id", 1)])
        found: dict[str, list[Payment]] = {}
        for row in rows:
            found.setdefault(row["order"], []).append(payment_from_doc(row))
        return found

    async def payment(self, payment_id: str, session: Session | None = None) -> Payment | None:
        found = await self._payments.find_one({"_id": payment_id}, session=session)
        return None if found is None else payment_from_doc(found)

    async def payments_in(self, order_id: str, session: Session) -> list[Payment]:
        return [payment_from_doc(row) for row in await self._payments.find({"order": order_id}, session=session)]

    async def payments_with_refs(self, provider: str, refs: Sequence[str], session: Session) -> list[Payment]:
        """Those the provider knows by these names. One query."""
        rows = await self._payments.find({"provider": provider, "ref": {"$in": list(refs)}}, session=session)
        return [payment_from_doc(row) for row in rows]

    async def unsettled(self, provider: str, currency: str, begin: datetime, end: datetime) -> list[Payment]:
        """Payments of that time with money taken that no file has told of, oldest first."""
        rows = await self._payments.find(
            {"provider": provider, "at": {"$gte": begin, "$lt": end}}, sort=[("at", 1), ("_id", 1)]
        )
        found = [payment_from_doc(row) for row in rows]
        return [
            each
            for each in found
            if each.captured.minor and each.captured.currency == currency and each.settled_in is None
        ]

    async def settle_payments(self, payment_ids: Sequence[str], file_id: str, session: Session) -> None:
        if payment_ids:
            await self._payments.bulk_write(
                [Update({"_id": each}, {"$set": {"settled_in": file_id}}) for each in payment_ids], session=session
            )

    async def orders_moved(self, begin: datetime, end: datetime) -> list[Order]:
        """Orders placed, or with money given back, in that time."""
        within = {"$gte": begin, "$lt": end}
        placed = await self._orders.find({"placed_at": within})
        moved = await self._orders.find({"adjustments.at": within})
        return [order_from_doc(row) for row in {row["_id"]: row for row in [*placed, *moved]}.values()]

    async def newest_sagas(self, active: bool | None, limit: int, before: tuple[datetime, str] | None) -> list[Saga]:
        """Newest first, those before the (started at, identity) given."""
        matching: Document = {} if active is None else {"active": active}
        if before is not None:
            matching["started_at"] = {"$lte": before[0]}
        rows = await self._sagas.find(matching, sort=[("started_at", -1), ("_id", -1)], limit=limit + 50)
        sagas = [saga_from_doc(row) for row in rows]
        if before is not None:
            sagas = [saga for saga in sagas if (saga.started_at, saga.id) < before]
        return sagas[:limit]

    async def note_payment(self, payment: Payment, session: Session) -> None:
        """Writes a payment down; of one that is known its order and its time stay as they are."""
        document = payment_to_doc(payment)
        first = {name: document.pop(name) for name in ("order", "at")}
        await self._payments.update_one(
            {"_id": document.pop("_id")}, {"$set": document, "$setOnInsert": first}, upsert=True, session=session
        )

    async def give_payment(self, payment_id: str, order_id: str, session: Session) -> bool:
        """Whether there is that payment, which is now the order's."""
        written = await self._payments.update_one({"_id": payment_id}, {"$set": {"order": order_id}}, session=session)
        return written.matched == 1

    async def put_payment(self, payment: Payment, session: Session) -> None:
        await self._payments.replace_one({"_id": payment.id}, payment_to_doc(payment), upsert=True, session=session)

    async def saga(self, saga_id: str) -> Saga | None:
        found = await self._sagas.find_one({"_id": saga_id})
        return None if found is None else saga_from_doc(found)

    async def saga_of_request(self, request_id: str) -> Saga | None:
        found = await self._sagas.find_one({"request": request_id})
        return None if found is None else saga_from_doc(found)

    async def add_saga(self, saga: Saga, due_at: datetime, session: Session) -> None:
        await self._sagas.insert_one(saga_to_doc(saga, due_at), session=session)

    async def save_saga(self, saga: Saga, due_at: datetime, session: Session | None = None) -> bool:
        """Whether nobody else moved the saga since it was read at ``saga.version``; it is now one version on."""
        document = saga_to_doc(saga, due_at)
        document["v"] = saga.version + 1
        written = await self._sagas.replace_one({"_id": saga.id, "v": saga.version}, document, session=session)
        return written.modified == 1

    async def due_sagas(self, now: datetime, limit: int) -> list[Saga]:
        """Sagas nobody is working on although there is something to do, longest waiting first."""
        rows = await self._sagas.find({"active": True, "due_at": {"$lte": now}}, sort=[("due_at", 1)], limit=limit)
        return [saga_from_doc(row) for row in rows]

    async def all_orders(self, session: Session) -> list[Order]:
        return [order_from_doc(row) for row in await self._orders.find({}, session=session)]

    async def all_payments(self, session: Session) -> list[Payment]:
        return [payment_from_doc(row) for row in await self._payments.find({}, session=session)]

    async def running_sagas(self, session: Session) -> list[Saga]:
        return [saga_from_doc(row) for row in await self._sagas.find({"active": True}, session=session)]


_NEWEST = [("placed_at", -1), ("_id", -1)]


def _matching(query: OrderQuery) -> Document:
    matching: Document = {}
    if query.statuses:
        matching["status"] = {"$in": list(query.statuses)}
    if query.channels:
        matching["channel"] = {"$in": list(query.channels)}
    placed: Document = {}
    if query.placed_from is not None:
        placed["$gte"] = query.placed_from
    if query.placed_to is not None:
        placed["$lte"] = query.placed_to
    if placed:
        matching["placed_at"] = placed
    if query.customer_id is not None:
        matching["customer"] = query.customer_id
    if query.sold_at_location_id is not None:
        matching["sold_at"] = query.sold_at_location_id
    return matching


def _money(money: Money | None) -> Document | None:
    return None if money is None else money_to_doc(money)


def _money_from(document: Mapping[str, Any] | None) -> Money | None:
    return None if document is None else money_from_doc(document)


def line_to_doc(line: Line) -> Document:
    return {
        "id": line.id,
        "sku": line.sku,
        "title": line.title,
        "product": line.product_id,
        "category": line.category_slug,
        "tax_class": line.tax_class,
        "q": line.quantity,
        "unit": money_to_doc(line.unit),
        "list": _money(line.list_unit),
        "price_version": line.price_version,
        "quote": line.quote_token,
        "quote_until": line.quote_valid_until,
    }


def line_from_doc(document: Mapping[str, Any]) -> Line:
    return Line(
        id=document["id"],
        sku=document["sku"],
        title=document["title"],
        product_id=document["product"],
        category_slug=document["category"],
        tax_class=document["tax_class"],
        quantity=int(document["q"]),
        unit=money_from_doc(document["unit"]),
        list_unit=_money_from(document["list"]),
        price_version=document["price_version"],
        quote_token=document["quote"],
        quote_valid_until=document["quote_until"],
    )


def hold_to_doc(hold: Hold | None) -> Document | None:
    if hold is None:
        return None
    return {
        "reservation": hold.reservation_id,
        "expires_at": hold.expires_at,
        "lines": [{"sku": line.sku, "q": line.quantity, "location": line.location_id} for line in hold.lines],
    }


def hold_from_doc(document: Mapping[str, Any] | None) -> Hold | None:
    if document is None:
        return None
    return Hold(
        reservation_id=document["reservation"],
        expires_at=document["expires_at"],
        lines=tuple(HeldLine(line["sku"], int(line["q"]), line["location"]) for line in document["lines"]),
    )


def _address(document: Mapping[str, Any] | None) -> Address | None:
    return None if document is None else Address(**document)


def _messages(documents: Sequence[Mapping[str, Any]]) -> tuple[Message, ...]:
    return tuple(Message(**document) for document in documents)


def cart_to_doc(cart: Cart) -> Document:
    return {
        "_id": cart.id,
        "v": cart.version,
        "channel": cart.channel,
        "currency": cart.currency,
        "country": cart.country,
        "owner": cart.owner,
        "customer": cart.customer_id,
        "lines": [line_to_doc(line) for line in cart.lines],
        "messages": [asdict(message) for message in cart.messages],
        "created_at": cart.created_at,
        "expires_at": cart.expires_at,
    }


def cart_from_doc(document: Mapping[str, Any]) -> Cart:
    return Cart(
        id=document["_id"],
        version=int(document["v"]),
        channel=document["channel"],
        currency=document["currency"],
        country=document["country"],
        owner=document["owner"],
        customer_id=document["customer"],
        lines=tuple(line_from_doc(line) for line in document["lines"]),
        messages=_messages(document["messages"]),
        created_at=document["created_at"],
        expires_at=document["expires_at"],
    )


def checkout_to_doc(checkout: CheckoutSession) -> Document:
    return {
        "_id": checkout.id,
        "v": checkout.version,
        "status": checkout.status,
        "channel": checkout.channel,
        "currency": checkout.currency,
        "country": checkout.country,
        "owner": checkout.owner,
        "customer": checkout.customer_id,
        "agent": checkout.agent_id,
        "hold_wanted": checkout.hold_wanted,
        "hold_s": checkout.hold_s,
        "email": checkout.email,
        "address": None if checkout.address is None else asdict(checkout.address),
        "method": checkout.method,
        "pickup_location": checkout.pickup_location_id,
        "pickup_country": checkout.pickup_country,
        "option": checkout.option_id,
        "points": checkout.points,
        "points_worth": _money(checkout.points_worth),
        "delivery": _money(checkout.delivery_charged),
        "lines": [line_to_doc(line) for line in checkout.lines],
        "hold": hold_to_doc(checkout.hold),
        "messages": [asdict(message) for message in checkout.messages],
        "continue_url": checkout.continue_url,
        "created_at": checkout.created_at,
        "expires_at": checkout.expires_at,
        "order": checkout.order_id,
        "saga": checkout.saga_id,
    }


def checkout_from_doc(document: Mapping[str, Any]) -> CheckoutSession:
    return CheckoutSession(
        id=document["_id"],
        version=int(document["v"]),
        status=document["status"],
        channel=document["channel"],
        currency=document["currency"],
        country=document["country"],
        owner=document["owner"],
        customer_id=document["customer"],
        agent_id=document["agent"],
        hold_wanted=document["hold_wanted"],
        hold_s=int(document["hold_s"]),
        email=document["email"],
        address=_address(document["address"]),
        method=document["method"],
        pickup_location_id=document["pickup_location"],
        pickup_country=document["pickup_country"],
        option_id=document["option"],
        points=int(document.get("points", 0)),
        points_worth=_money_from(document.get("points_worth")),
        delivery_charged=_money_from(document.get("delivery")),
        lines=tuple(line_from_doc(line) for line in document["lines"]),
        hold=hold_from_doc(document["hold"]),
        messages=_messages(document["messages"]),
        continue_url=document["continue_url"],
        created_at=document["created_at"],
        expires_at=document["expires_at"],
        order_id=document["order"],
        saga_id=document["saga"],
    )


def order_to_doc(order: Order) -> Document:
    return {
        "_id": order.id,
        "v": order.version,
        "number": order.number,
        "origin": order.origin,
        "status": order.status,
        "channel": order.channel,
        "currency": order.currency,
        "placed_at": order.placed_at,
        "owner": order.owner,
        "customer": order.customer_id,
        "agent": order.agent_id,
        "mandate": order.mandate_id,
        "points": order.points,
        "email": order.email,
        "address": None if order.address is None else asdict(order.address),
        "sold_at": order.sold_at_location_id,
        "reservation": order.reservation_id,
        "lines": [
            {
                "id": line.id,
                "sku": line.sku,
                "title": line.title,
                "category": line.category_slug,
                "q": line.quantity,
                "fulfilled": line.fulfilled,
                "returned": line.returned,
                "unit": money_to_doc(line.unit),
                "total": money_to_doc(line.total),
            }
            for line in order.lines
        ],
        "totals": [{"kind": row.kind, "amount": money_to_doc(row.amount), "label": row.label} for row in order.totals],
        "total": money_to_doc(order.total),
        "tax": [
            {
                "jurisdiction": tax.jurisdiction,
                "rate_ppm": tax.rate_ppm,
                "base": money_to_doc(tax.base),
                "amount": money_to_doc(tax.amount),
                "included": tax.included,
                "line": tax.line_id,
            }
            for tax in order.tax_lines
        ],
        "fulfilments": [
            {
                "id": part.id,
                "method": part.method,
                "state": part.state,
                "location": part.location_id,
                "lines": [{"line": line.order_line_id, "sku": line.sku, "q": line.quantity} for line in part.lines],
                "promised_by": part.promised_by,
                "tracking": None if part.tracking is None else asdict(part.tracking),
                "happenings": [asdict(happening) for happening in part.happenings],
                "reservation": part.reservation_id,
                "code": part.pickup_code,
                "code_tries": part.code_tries,
                "rerouting": part.rerouting,
                "replaced": part.replaced,
            }
            for part in order.fulfilments
        ],
        "timeline": [asdict(happening) for happening in order.timeline],
        "receipt": None
        if order.receipt is None
        else {
            "register": order.receipt.register_id,
            "no": order.receipt.receipt_no,
            "staff": order.receipt.staff_id,
        },
        "adjustments": [
            {"id": each.id, "kind": each.kind, "at": each.at, "amount": money_to_doc(each.amount)}
            for each in order.adjustments
        ],
    }


def order_from_doc(document: Mapping[str, Any]) -> Order:
    receipt = document["receipt"]
    return Order(
        id=document["_id"],
        version=int(document["v"]),
        number=document["number"],
        origin=document["origin"],
        status=document["status"],
        channel=document["channel"],
        currency=document["currency"],
        placed_at=document["placed_at"],
        owner=document["owner"],
        customer_id=document["customer"],
        agent_id=document["agent"],
        mandate_id=document.get("mandate"),
        points=int(document.get("points", 0)),
        email=document["email"],
        address=_address(document["address"]),
        sold_at_location_id=document["sold_at"],
        reservation_id=document["reservation"],
        lines=tuple(
            OrderLine(
                id=line["id"],
                sku=line["sku"],
                title=line["title"],
                category_slug=line["category"],
                quantity=int(line["q"]),
                fulfilled=int(line["fulfilled"]),
                returned=int(line["returned"]),
                unit=money_from_doc(line["unit"]),
                total=money_from_doc(line["total"]),
            )
            for line in document["lines"]
        ),
        totals=tuple(TotalLine(row["kind"], money_from_doc(row["amount"]), row["label"]) for row in document["totals"]),
        tax_lines=tuple(
            TaxLine(
                jurisdiction=tax["jurisdiction"],
                rate_ppm=int(tax["rate_ppm"]),
                base=money_from_doc(tax["base"]),
                amount=money_from_doc(tax["amount"]),
                included=tax["included"],
                line_id=tax["line"],
            )
            for tax in document["tax"]
        ),
        fulfilments=tuple(
            Fulfilment(
                id=part["id"],
                method=part["method"],
                state=part["state"],
                location_id=part["location"],
                lines=tuple(FulfilmentLine(line["line"], line["sku"], int(line["q"])) for line in part["lines"]),
                promised_by=part["promised_by"],
                tracking=None if part["tracking"] is None else Tracking(**part["tracking"]),
                happenings=tuple(Happening(**happening) for happening in part["happenings"]),
                reservation_id=part.get("reservation"),
                pickup_code=part.get("code"),
                code_tries=int(part.get("code_tries", 0)),
                rerouting=part.get("rerouting", False),
                replaced=part.get("replaced", False),
            )
            for part in document["fulfilments"]
        ),
        timeline=tuple(Happening(**happening) for happening in document["timeline"]),
        receipt=None
        if receipt is None
        else Receipt(register_id=receipt["register"], receipt_no=receipt["no"], staff_id=receipt["staff"]),
        adjustments=tuple(
            Adjustment(id=each["id"], kind=each["kind"], at=each["at"], amount=money_from_doc(each["amount"]))
            for each in document.get("adjustments", ())
        ),
    )


def payment_to_doc(payment: Payment) -> Document:
    return {
        "_id": payment.id,
        "order": payment.order_id,
        "checkout": payment.checkout_id,
        "provider": payment.provider,
        "ref": payment.provider_ref,
        "state": payment.state,
        "authorized": money_to_doc(payment.authorized),
        "captured": money_to_doc(payment.captured),
        "refunded": money_to_doc(payment.refunded),
        "at": payment.at,
        "settled_in": payment.settled_in,
    }


def payment_from_doc(document: Mapping[str, Any]) -> Payment:
    return Payment(
        id=document["_id"],
        order_id=document["order"],
        checkout_id=document["checkout"],
        provider=document["provider"],
        provider_ref=document["ref"],
        state=document["state"],
        authorized=money_from_doc(document["authorized"]),
        captured=money_from_doc(document["captured"]),
        refunded=money_from_doc(document["refunded"]),
        at=document["at"],
        settled_in=document.get("settled_in"),
    )


def saga_to_doc(saga: Saga, due_at: datetime) -> Document:
    """``due_at`` is when the saga is anybody's: while a process works on it, the end of that process's lease."""
    progress = saga.progress
    return {
        "_id": saga.id,
        "v": saga.version,
        "checkout": saga.checkout_id,
        "request": saga.request_id,
        "request_print": saga.request_print,
        "order": saga.order_id,
        "number": saga.number,
        "attempt": saga.attempt_id,
        "provider": saga.provider,
        "token": saga.token,
        "mandate": saga.mandate_id,
        "amount": money_to_doc(saga.amount),
        "hold": hold_to_doc(saga.hold),
        "provider_ref": saga.provider_ref,
        "progress": {
            "state": progress.state.value,
            "wants": sorted(progress.wants),
            "done": [step.value for step in progress.done],
            "undoing": [step.value for step in progress.undoing],
            "reserved_again": progress.reserved_again,
            "lost": progress.lost,
            "unknown_since": progress.unknown_since,
            "waits_until": progress.waits_until,
            "failure": None
            if progress.failure is None
            else {"code": progress.failure.code, "facts": dict(progress.failure.facts)},
            "due_at": progress.due_at,
        },
        "started_at": saga.started_at,
        "active": not progress.ended,
        "due_at": due_at,
    }


def saga_from_doc(document: Mapping[str, Any]) -> Saga:
    progress = document["progress"]
    failure = progress["failure"]
    return Saga(
        id=document["_id"],
        version=int(document["v"]),
        checkout_id=document["checkout"],
        request_id=document["request"],
        request_print=document["request_print"],
        order_id=document["order"],
        number=document["number"],
        attempt_id=document["attempt"],
        provider=document["provider"],
        token=document["token"],
        mandate_id=document.get("mandate"),
        amount=money_from_doc(document["amount"]),
        hold=hold_from_doc(document["hold"]),
        provider_ref=document["provider_ref"],
        progress=Progress(
            state=SagaState(progress["state"]),
            wants=frozenset(Step(step) for step in progress["wants"]),
            done=tuple(Step(step) for step in progress["done"]),
            undoing=tuple(Step(step) for step in progress["undoing"]),
            reserved_again=progress["reserved_again"],
            lost=int(progress["lost"]),
            unknown_since=progress["unknown_since"],
            waits_until=progress["waits_until"],
            failure=None if failure is None else Failure(failure["code"], failure["facts"]),
            due_at=progress["due_at"],
        ),
        started_at=document["started_at"],
    )
