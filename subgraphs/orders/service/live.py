"""The live stream of one order: where it stands, then every change of it, from the events of this service.

Order streams need every change, so a stream that is taken up again is fed from the outbox after the token's position.
A token is signed and names the stream, the order and the position; it is nobody's business what is in it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from subgraphs.chassis.identity import Principal
from subgraphs.chassis.outbox import EventHub, Lagged
from subgraphs.kernel.clock import Clock, from_iso
from subgraphs.kernel.errors import InvalidInput, NotFound
from subgraphs.kernel.events import Envelope, OrderConfirmed, PosOrderRecorded
from subgraphs.kernel.pages import CursorCodec
from subgraphs.orders.model.order import Order
from subgraphs.orders.service.orders import Orders

HEARTBEAT_S = 15.0
_STREAM = "orderUpdated"
_TYPES = (OrderConfirmed.TYPE, PosOrderRecorded.TYPE)


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderNews:
    """One event of the stream; ``change`` is the type of the fact behind a DELTA."""

    kind: Literal["SNAPSHOT", "DELTA", "HEARTBEAT", "RESYNC"]
    order: Order
    change: str | None
    resume_token: str
    at: datetime


class LiveOrders:
    """The streams of one process."""

    def __init__(self, orders: Orders, hub: EventHub, clock: Clock, tokens: CursorCodec) -> None:
        self._orders = orders
        self._hub = hub
        self._clock = clock
        self._tokens = tokens

    async def follow(
        self, principal: Principal, order_id: str, resume_token: str | None = None
    ) -> AsyncIterator[OrderNews]:
        """A SNAPSHOT (or, resumed, the DELTAs missed), then DELTAs, a HEARTBEAT whenever it is quiet for 15 s."""
        after = self._position(order_id, resume_token)
        position = self._hub.position if after is None else after
        async with self._hub.subscribe(_TYPES, after=position) as facts:
            order = await self._see(principal, order_id)
            if after is None:
                yield self._news("SNAPSHOT", order, None, position)
            while True:
                try:
                    fact = await asyncio.wait_for(anext(facts), HEARTBEAT_S)
                except TimeoutError:
                    yield self._news("HEARTBEAT", order, None, max(position, self._hub.position))
                    continue
                except StopAsyncIteration:
                    return
                if isinstance(fact, Lagged):
                    position = self._hub.position
                    order = await self._see(principal, order_id)
                    yield self._news("RESYNC", order, None, position)
                    yield self._news("SNAPSHOT", order, None, position)
                elif fact.aggregate == f"order:{order_id}":
                    position = fact.seq or position
                    order = await self._see(principal, order_id)
                    yield self._delta(order, fact, position)

    async def _see(self, principal: Principal, order_id: str) -> Order:
        found = (await self._orders.visible(principal, [order_id]))[0]
        if found is None:
            raise NotFound("no such order", path=("orderId",))
        return found

    def _delta(self, order: Order, fact: Envelope, position: int) -> OrderNews:
        token = self._tokens.encode(_STREAM, order.id, position)
        return OrderNews(kind="DELTA", order=order, change=fact.type, resume_token=token, at=from_iso(fact.occurred_at))

    def _news(
        self, kind: Literal["SNAPSHOT", "HEARTBEAT", "RESYNC"], order: Order, change: str | None, position: int
    ) -> OrderNews:
        token = self._tokens.encode(_STREAM, order.id, position)
        return OrderNews(kind=kind, order=order, change=change, resume_token=token, at=self._clock.now())

    def _position(self, order_id: str, token: str | None) -> int | None:
        if token is None:
            return None
        match self._tokens.decode(token):
            case (stream, order, int() as position) if stream == _STREAM and order == order_id:
                return position
            case _:
                raise InvalidInput("not a token of this stream", path=("resumeToken",))
