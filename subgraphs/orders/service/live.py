"""Live streams of orders: one order, a customer's pickups, a location's queue; each from the events of this service.

These streams need every change, so a stream that is taken up again is fed from the outbox after the token's position.
A token is signed and names the stream, what it is about and the position; it is nobody's business what is in it. Who may
see is asked again for every event.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from subgraphs.chassis.identity import Principal
from subgraphs.chassis.outbox import EventHub, Lagged
from subgraphs.kernel.clock import Clock, from_iso
from subgraphs.kernel.errors import Forbidden, InvalidInput, NotFound
from subgraphs.kernel.events import (
    Envelope,
    FulfilmentChanged,
    OrderCancelled,
    OrderConfirmed,
    PaymentCaptured,
    PosOrderRecorded,
    RefundIssued,
    ReturnReceived,
)
from subgraphs.kernel.pages import CursorCodec
from subgraphs.orders.model.delivery import Fulfilment, Happening
from subgraphs.orders.model.fulfilment import WAITING
from subgraphs.orders.model.order import Order
from subgraphs.orders.service.access import READ
from subgraphs.orders.service.fulfilments import OPEN_STATUSES, Fulfilments
from subgraphs.orders.service.orders import Orders
from subgraphs.orders.store import OrderQuery

HEARTBEAT_S = 15.0
PICKUPS_MAX = 50
TASKS_MAX = 100
_ORDER = (
    OrderConfirmed.TYPE,
    PosOrderRecorded.TYPE,
    FulfilmentChanged.TYPE,
    OrderCancelled.TYPE,
    PaymentCaptured.TYPE,
    ReturnReceived.TYPE,
    RefundIssued.TYPE,
)

Kind = Literal["SNAPSHOT", "DELTA", "HEARTBEAT", "RESYNC"]


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderNews:
    """One event of an order's stream; ``change`` is what happened, in a DELTA."""

    kind: Kind
    order: Order
    change: Happening | None
    resume_token: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskNews:
    """One event of a queue's stream; no task in a HEARTBEAT and a RESYNC."""

    kind: Kind
    task: tuple[Order, Fulfilment] | None
    resume_token: str
    at: datetime


@dataclass(frozen=True, slots=True)
class _Stream:
    """A stream and what it is about, as its tokens have it."""

    name: str
    subject: str
    position: int
    resumed: bool


class LiveOrders:
    """The streams of one process."""

    def __init__(
        self, orders: Orders, fulfilments: Fulfilments, hub: EventHub, clock: Clock, tokens: CursorCodec
    ) -> None:
        self._orders = orders
        self._fulfilments = fulfilments
        self._hub = hub
        self._clock = clock
        self._tokens = tokens

    async def follow(
        self, principal: Principal, order_id: str, resume_token: str | None = None
    ) -> AsyncIterator[OrderNews]:
        """A SNAPSHOT (or, resumed, the DELTAs missed), then DELTAs, a HEARTBEAT whenever it is quiet for 15 s."""
        stream = self._begun("orderUpdated", order_id, resume_token)
        facts = self._facts(stream, _ORDER)
        order = await self._see(principal, order_id)
        if not stream.resumed:
            yield self._order_news("SNAPSHOT", order, stream, stream.position)
        async with aclosing(facts):
            async for position, fact in facts:
                if fact is None:
                    yield self._order_news("HEARTBEAT", order, stream, position)
                elif isinstance(fact, Lagged):
                    order = await self._see(principal, order_id)
                    yield self._order_news("RESYNC", order, stream, position)
                    yield self._order_news("SNAPSHOT", order, stream, position)
                elif fact.aggregate == f"order:{order_id}":
                    order = await self._see(principal, order_id)
                    yield self._order_news("DELTA", order, stream, position, fact)

    async def pickups(
        self, principal: Principal, customer_id: str | None, resume_token: str | None = None
    ) -> AsyncIterator[OrderNews]:
        """What waits for a customer already, as SNAPSHOTs, then each order that becomes ready."""
        whose = customer_id or principal.customer_id
        if whose is None:
            raise InvalidInput("say whose orders", path=("customerId",))
        if whose != principal.customer_id and not principal.has(READ):
            raise Forbidden("another customer's orders", [READ], path=("customerId",))
        stream = self._begun("pickupReady", whose, resume_token)
        facts = self._facts(stream, (FulfilmentChanged.TYPE,))
        last: Order | None = None
        if not stream.resumed:
            async for last in self._waiting(whose):
                yield self._order_news("SNAPSHOT", last, stream, stream.position)
        async with aclosing(facts):
            async for position, fact in facts:
                if isinstance(fact, Envelope):
                    if fact.data["to_state"] != "READY_FOR_PICKUP":
                        continue
                    order = (await self._orders.visible(principal, [str(fact.data["order_id"])]))[0]
                    if order is not None and order.customer_id == whose:
                        last = order
                        yield self._order_news("DELTA", order, stream, position, fact)
                elif last is not None:
                    yield self._order_news("HEARTBEAT" if fact is None else "RESYNC", last, stream, position)

    async def queue(
        self, principal: Principal, location_id: str, resume_token: str | None = None
    ) -> AsyncIterator[TaskNews]:
        """A location's open tasks, a SNAPSHOT each, then every change of one."""
        stream = self._begun("fulfilmentQueue", location_id, resume_token)
        facts = self._facts(stream, (FulfilmentChanged.TYPE, OrderConfirmed.TYPE))
        if not stream.resumed:
            for task in await self._tasks(location_id):
                yield self._task_news("SNAPSHOT", task, stream, stream.position)
        async with aclosing(facts):
            async for position, fact in facts:
                if fact is None:
                    yield self._task_news("HEARTBEAT", None, stream, position)
                elif isinstance(fact, Lagged):
                    yield self._task_news("RESYNC", None, stream, position)
                    for task in await self._tasks(location_id):
                        yield self._task_news("SNAPSHOT", task, stream, position)
                else:
                    for task in await self._changed(principal, fact, location_id):
                        yield self._task_news("DELTA", task, stream, position, fact)

    async def _waiting(self, customer_id: str) -> AsyncIterator[Order]:
        page = await self._orders.page(OrderQuery(statuses=OPEN_STATUSES, customer_id=customer_id), PICKUPS_MAX, None)
        for order in page.items:
            if any(part.state in WAITING for part in order.fulfilments):
                yield order

    async def _tasks(self, location_id: str) -> Sequence[tuple[Order, Fulfilment]]:
        return (await self._fulfilments.tasks(location_id, None, TASKS_MAX, None)).items

    async def _changed(self, principal: Principal, fact: Envelope, location_id: str) -> list[tuple[Order, Fulfilment]]:
        """The location's fulfilments that a fact is about."""
        if fact.type == FulfilmentChanged.TYPE and fact.data["location_id"] != location_id:
            return []
        if fact.type == OrderConfirmed.TYPE and all(line["location_id"] != location_id for line in fact.data["lines"]):
            return []
        order = (await self._orders.all_visible([str(fact.data["order_id"])]))[0]
        about = fact.data.get("fulfilment_id")
        return [
            (order, part) for part in order.fulfilments if part.location_id == location_id and about in (None, part.id)
        ]

    async def _facts(
        self, stream: _Stream, types: Sequence[str]
    ) -> AsyncGenerator[tuple[int, Envelope | Lagged | None], None]:
        """Facts after the stream's position, each with the position after it; None whenever it is quiet for 15 s."""
        position = stream.position
        async with self._hub.subscribe(types, after=position) as facts:
            while True:
                try:
                    fact = await asyncio.wait_for(anext(facts), HEARTBEAT_S)
                except TimeoutError:
                    position = max(position, self._hub.position)
                    yield position, None
                    continue
                except StopAsyncIteration:
                    return
                position = self._hub.position if isinstance(fact, Lagged) else fact.seq or position
                yield position, fact

    async def _see(self, principal: Principal, order_id: str) -> Order:
        found = (await self._orders.visible(principal, [order_id]))[0]
        if found is None:
            raise NotFound("no such order", path=("orderId",))
        return found

    def _order_news(
        self, kind: Kind, order: Order, stream: _Stream, position: int, fact: Envelope | None = None
    ) -> OrderNews:
        at, change = self._clock.now(), None
        if fact is not None:
            at = from_iso(fact.occurred_at)
            latest = order.timeline[-1]
            change = Happening(at, fact.type, latest.actor, latest.detail)
        token = self._tokens.encode(stream.name, stream.subject, position)
        return OrderNews(kind=kind, order=order, change=change, resume_token=token, at=at)

    def _task_news(
        self,
        kind: Kind,
        task: tuple[Order, Fulfilment] | None,
        stream: _Stream,
        position: int,
        fact: Envelope | None = None,
    ) -> TaskNews:
        at = self._clock.now() if fact is None else from_iso(fact.occurred_at)
        token = self._tokens.encode(stream.name, stream.subject, position)
        return TaskNews(kind=kind, task=task, resume_token=token, at=at)

    def _begun(self, name: str, subject: str, token: str | None) -> _Stream:
        """Registers where the stream begins, before anything is read."""
        if token is None:
            return _Stream(name, subject, self._hub.position, False)
        match self._tokens.decode(token):
            case (stream, about, int() as position) if stream == name and about == subject:
                return _Stream(name, subject, position, True)
            case _:
                raise InvalidInput("not a token of this stream", path=("resumeToken",))
