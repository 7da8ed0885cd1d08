"""Carrying orders out: the store's queue and its moves, codes at the counter, cancelling, sending from elsewhere.

Every move is one transaction: the order at its next version, the facts in the outbox, and what money must do for it
(``errands``): the first goods that leave take what was promised.

A location that rejects is replaced. The worker reserves and commits the rejected units anew, without a location that has
rejected this order already, and plans a fulfilment for each that gives; the order, its buyer and its money know nothing of
it; until it is done the order cannot be cancelled. What is to be collected is not sent elsewhere behind the buyer's back, and after ``REJECTIONS_MAX`` rejections a person
must look: then the order says ``NEEDS_ATTENTION``.
"""

from __future__ import annotations

import asyncio
import hmac
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from subgraphs.chassis.idempotency import Claim, Idempotency, Payload
from subgraphs.chassis.identity import Principal
from subgraphs.chassis.mongo import Session
from subgraphs.chassis.outbox import Outbox
from subgraphs.chassis.peers import PeerFailed
from subgraphs.chassis.telemetry import logger
from subgraphs.kernel.clock import Clock
from subgraphs.kernel.errors import DomainError, Forbidden, InvalidInput, NotFound, RequestInFlight
from subgraphs.kernel.events import Event, FulfilmentChanged, GoodsFreed, GoodsLeft, OrderCancelled
from subgraphs.kernel.ids import deterministic_id
from subgraphs.kernel.pages import CursorCodec, Page, page_size
from subgraphs.orders.model import fulfilment as moves
from subgraphs.orders.model.delivery import (
    COLLECTED,
    Fulfilment,
    FulfilmentLine,
    FulfilmentState,
    Happening,
    Hold,
    Tracking,
)
from subgraphs.orders.model.fulfilment import FREES, LEAVES, LEFT, WAITING, Moved
from subgraphs.orders.model.lines import LineRequest
from subgraphs.orders.model.order import Order
from subgraphs.orders.model.refusals import IllegalTransition
from subgraphs.orders.service.access import may_see_order, once
from subgraphs.orders.service.errands import Errands
from subgraphs.orders.service.faults import FaultPoints
from subgraphs.orders.service.peers import HoldGone, Inventory, Short
from subgraphs.orders.store import Store

READ_TASKS: Final = "fulfilment:read"
WRITE_TASKS: Final = "fulfilment:write"
OPEN_STATUSES: Final = ("CONFIRMED", "PROCESSING", "PARTIALLY_FULFILLED")
ALL_STATUSES: Final = (*OPEN_STATUSES, "FULFILLED", "CANCELED")
QUEUE_MAX: Final = 2_000
REJECTIONS_MAX: Final = 3
REROUTE_POLL_S: Final = 0.5
REROUTE_BATCH: Final = 20
REROUTE_SECONDS: Final = 120
CODE_DIGITS: Final = 6
CODE_TRIES_MAX: Final = 5
TEXT_MAX: Final = 200

_log = logger(__name__)
Part = tuple[Order, Fulfilment]


class Fulfilments:
    """The use cases around fulfilments."""

    def __init__(
        self,
        store: Store,
        outbox: Outbox,
        idempotency: Idempotency,
        clock: Clock,
        inventory: Inventory,
        errands: Errands,
        cursors: CursorCodec,
        faults: FaultPoints,
    ) -> None:
        self._faults = faults
        self._store = store
        self._outbox = outbox
        self._idempotency = idempotency
        self._clock = clock
        self._inventory = inventory
        self._errands = errands
        self._cursors = cursors

    async def tasks(
        self,
        location_id: str,
        states: Sequence[str] | None,
        first: int | None,
        after: str | None,
    ) -> Page[Part]:
        """What a location has to do, what is promised soonest first; without ``states`` what is not finished."""
        size = page_size(first)
        begun = self._cursors.decode(after) if after is not None else None
        finished = LEFT | FREES
        statuses = OPEN_STATUSES if states is None or finished.isdisjoint(states) else ALL_STATUSES
        parts = [
            (order, part)
            for order in await self._store.orders_at(location_id, statuses, QUEUE_MAX)
            for part in order.fulfilments
            if part.location_id == location_id
            and (part.state in states if states is not None else part.state not in finished)
        ]
        parts.sort(key=lambda found: (found[1].promised_by, found[1].id))
        begin = 0
        if begun is not None:
            match begun:
                case ("tasks", datetime() as promised, str() as identity):
                    begin = sum(1 for _, part in parts if (part.promised_by, part.id) <= (promised, identity))
                case _:
                    raise InvalidInput("not a cursor of this list", path=("after",))
        items = tuple(parts[begin : begin + size])
        return Page(
            items=items,
            start_cursor=self.cursor(items[0]) if items else None,
            end_cursor=self.cursor(items[-1]) if items else None,
            has_next=begin + size < len(parts),
            has_previous=begin > 0,
            total=len(parts),
        )

    def cursor(self, found: Part) -> str:
        """The cursor that stands on this task."""
        return self._cursors.encode("tasks", found[1].promised_by, found[1].id)

    async def transition(
        self,
        principal: Principal,
        fulfilment_id: str,
        to: FulfilmentState,
        *,
        lines: Mapping[str, int] | None,
        tracking: Tracking | None,
        pickup_code: str | None,
        key: str,
        arguments: Mapping[str, Any],
    ) -> tuple[Part, bool]:
        """Moves a fulfilment. A code that the buyer shows must be the right one; without one the clerk answers for it."""

        async def body(session: Session, claim: Claim) -> Payload:
            order, part = await self._found(fulfilment_id, session)
            if pickup_code is not None and to == "HANDED_OVER":
                await self._check_code(part, pickup_code)
            detail = "without a code" if to == "HANDED_OVER" and pickup_code is None else None
            moved = moves.move(
                order,
                part.id,
                to,
                actor=principal.key,
                at=self._clock.now(),
                lines=lines,
                tracking=tracking,
                detail=detail,
            )
            if to == "READY_FOR_PICKUP":
                moved = _with_code(moved)
            await self._save(order, moved.order, moved.facts, session)
            if to in LEAVES:
                await self._errands.capture(moved.order, session)
            return await self._finished(session, claim, moved)

        return await self._once(principal, "fulfilmentTransition", key, arguments, body)

    async def arrive(
        self,
        principal: Principal,
        order_id: str,
        bay: str | None,
        vehicle: str | None,
        key: str,
        arguments: Mapping[str, Any],
    ) -> tuple[Part, bool]:
        """The buyer is at the kerb: what waits for them says so."""
        where = ", ".join(text for text in (bay and f"bay {bay}", vehicle) if text) or None
        if where is not None and len(where) > TEXT_MAX:
            raise InvalidInput(f"bay and vehicle have at most {TEXT_MAX} characters", path=("bay",))

        async def body(session: Session, claim: Claim) -> Payload:
            order = await self._own(principal, order_id, session)
            collected = [part for part in order.fulfilments if part.method in COLLECTED]
            part = next((part for part in collected if part.state == "READY_FOR_PICKUP"), None)
            if part is None:
                now = collected[0].state if collected else order.status
                raise IllegalTransition(now, "CUSTOMER_ARRIVED", moves.allowed(collected[0]) if collected else ())
            moved = moves.move(
                order, part.id, "CUSTOMER_ARRIVED", actor=principal.key, at=self._clock.now(), detail=where
            )
            await self._save(order, moved.order, moved.facts, session)
            return await self._finished(session, claim, moved)

        return await self._once(principal, "curbsideArrive", key, arguments, body)

    async def cancel(
        self, principal: Principal, order_id: str, reason: str, key: str, arguments: Mapping[str, Any]
    ) -> tuple[Order, bool]:
        """Gives an order up while all of it is still there: its stock is freed, its money let go."""
        if not 1 <= len(reason) <= TEXT_MAX:
            raise InvalidInput(f"reason has 1 to {TEXT_MAX} characters", path=("reason",))

        async def body(session: Session, claim: Claim) -> Payload:
            before = await self._own(principal, order_id, session)
            if any(part.rerouting for part in before.fulfilments):
                raise RequestInFlight("a part of it is just being sent from elsewhere; try again", 500)
            if before.status == "CANCELED" or any(part.state in LEFT for part in before.fulfilments):
                raise IllegalTransition(before.status, "CANCELED", ())
            order, facts, now = before, list[Event](), self._clock.now()
            news: list[tuple[Event, str, int]] = []
            for part in before.fulfilments:
                if part.state not in FREES:
                    moved = moves.move(order, part.id, "CANCELED", actor=principal.key, at=now)
                    order, facts = moved.order, [*facts, *moved.facts]
                    news += _addressed(moved.order, moved.facts)
            order = replace(
                order,
                version=order.version + 1,
                status="CANCELED",
                timeline=(*order.timeline, Happening(now, "CANCELED", principal.key, reason)),
            )
            told = OrderCancelled(order_id=order.id, number=order.number, customer_id=order.customer_id, reason=reason)
            await self._write(before, order, [*news, (told, f"order:{order.id}", order.version)], session)
            await self._errands.let_go(order, session)
            payload: Payload = {"order": order.id}
            await self._idempotency.finish(session, claim, payload)
            return payload

        async def work(claim: Claim, _: Payload | None) -> Payload:
            return await self._store.database.transact(lambda session: body(session, claim))

        payload, replayed = await once(self._idempotency, principal, "orderCancel", key, arguments, work)
        order = await self._store.order(payload["order"])
        assert order is not None, "orders are not deleted"
        return order, replayed

    async def run(self) -> None:
        """The worker that sends rejected goods from elsewhere, for ever."""
        while True:
            await self.reroute()
            await asyncio.sleep(REROUTE_POLL_S)

    async def reroute(self) -> int:
        """Replaces what was rejected and not replaced yet; how many orders that was."""
        found = await self._store.rejected_orders(OPEN_STATUSES, REROUTE_BATCH)
        for order in found:
            try:
                await self._elsewhere(order)
            except (PeerFailed, RequestInFlight):
                continue  # The next look tries again, under the same keys.
            except DomainError as refusal:
                _log.error("cannot be sent from elsewhere", order=order.id, reason=refusal.message)
        return len(found)

    async def _elsewhere(self, order: Order) -> None:
        rejected = [part for part in order.fulfilments if part.state == "REJECTED"]
        part = next(part for part in rejected if not part.replaced)
        if part.method in COLLECTED or len(rejected) >= REJECTIONS_MAX:
            await self._attend(
                order, part, "the buyer chose the place" if part.method in COLLECTED else "rejected often"
            )
            return
        # From here on the order cannot be cancelled until the stock elsewhere is its own, or is not: what is committed for
        # an order that does not know of it would never be freed.
        if not part.rerouting:
            marked = _with(order, replace(part, rerouting=True))
            await self._store.database.transact(lambda session: self._save(order, marked, (), session))
            order = marked
        key = f"reroute:{part.id}"
        self._faults.fault("rerouting")
        try:
            hold = await self._inventory.reserve(
                order.id,
                [LineRequest(line.sku, line.quantity) for line in part.lines],
                method=part.method,
                pickup_location_id=None,
                channel=order.channel,
                seconds=REROUTE_SECONDS,
                key=key,
                without=sorted({each.location_id for each in rejected}),
            )
            hold = await self._inventory.commit(hold.reservation_id, order.id, f"{key}:commit")
        except Short:
            await self._attend(order, part, "nobody else has it")
            return
        except HoldGone:
            await self._attend(order, part, "the stock elsewhere was not kept")
            return
        self._faults.fault("after_reroute")
        now = self._clock.now()
        seen_to = _with(order, replace(part, rerouting=False, replaced=True))
        planned = moves.planned_elsewhere(
            replace(seen_to, version=order.version), part, _fulfilments(order, part, hold, now), now
        )
        await self._store.database.transact(lambda session: self._save(order, planned.order, planned.facts, session))

    async def _attend(self, order: Order, part: Fulfilment, why: str) -> None:
        """Nobody but a person can help: the order says so, once."""
        now = self._clock.now()
        noted = replace(
            _with(order, replace(part, rerouting=False, replaced=True)),
            timeline=(*order.timeline, Happening(now, "NEEDS_ATTENTION", "galleria", why)),
        )
        _log.error("an order needs attention", order=order.id, fulfilment=part.id, reason=why)
        await self._store.database.transact(lambda session: self._save(order, noted, (), session))

    async def _check_code(self, part: Fulfilment, code: str) -> None:
        if part.state not in WAITING or part.pickup_code is None:
            raise InvalidInput("nothing waits here under a code", path=("pickupCode",))
        if part.code_tries >= CODE_TRIES_MAX:
            raise Forbidden("too many wrong codes; ask for another proof of identity", path=("pickupCode",))
        if not hmac.compare_digest(part.pickup_code.encode(), code.encode()):
            # Counted although the move is refused, or guessing would be free.
            left = CODE_TRIES_MAX - part.code_tries - 1
            await self._store.count_code_try(part.id)
            raise InvalidInput(f"not the code; {left} tries left", path=("pickupCode",))

    async def _found(self, fulfilment_id: str, session: Session) -> Part:
        order = await self._store.order_of_fulfilment(fulfilment_id, session)
        if order is None:
            raise NotFound("no such fulfilment", path=("id",))
        return order, next(part for part in order.fulfilments if part.id == fulfilment_id)

    async def _own(self, principal: Principal, order_id: str, session: Session) -> Order:
        order = await self._store.order(order_id, session)
        if order is None or not may_see_order(principal, order.owner, order.customer_id):
            raise NotFound("no such order", path=("orderId",))
        return order

    async def _save(self, before: Order, after: Order, facts: Sequence[Event], session: Session) -> None:
        await self._write(before, after, _addressed(after, facts), session)

    async def _write(
        self, before: Order, after: Order, news: Sequence[tuple[Event, str, int]], session: Session
    ) -> None:
        if not await self._store.save_order(after, before.version, session):
            raise RequestInFlight("the order is being changed; try again", 200)
        if news:
            await self._outbox.append_many(session, news)

    async def _finished(self, session: Session, claim: Claim, moved: Moved) -> Payload:
        payload: Payload = {"fulfilment": moved.fulfilment.id}
        await self._idempotency.finish(session, claim, payload)
        return payload

    async def _once(
        self, principal: Principal, field: str, key: str, arguments: Mapping[str, Any], body: Any
    ) -> tuple[Part, bool]:
        async def work(claim: Claim, _: Payload | None) -> Payload:
            payload: Payload = await self._store.database.transact(lambda session: body(session, claim))
            return payload

        payload, replayed = await once(self._idempotency, principal, field, key, arguments, work)
        orders = await self._store.orders_with_fulfilments([payload["fulfilment"]])
        assert orders, "fulfilments are not deleted"
        part = next(part for part in orders[0].fulfilments if part.id == payload["fulfilment"])
        return (orders[0], part), replayed


def _addressed(order: Order, facts: Sequence[Event]) -> list[tuple[Event, str, int]]:
    """Facts with the aggregate each is told of: the order's own at its latest versions, or the goods of a fulfilment."""
    version = order.version - sum(isinstance(fact, FulfilmentChanged) for fact in facts)
    news: list[tuple[Event, str, int]] = []
    for fact in facts:
        if isinstance(fact, GoodsLeft | GoodsFreed):
            news.append((fact, f"goods:{fact.fulfilment_id}", order.version))
        else:
            version += 1
            news.append((fact, f"order:{order.id}", version))
    return news


def _with_code(moved: Moved) -> Moved:
    code = f"{secrets.randbelow(10**CODE_DIGITS):0{CODE_DIGITS}}"
    part = replace(moved.fulfilment, pickup_code=code)
    parts = tuple(part if each.id == part.id else each for each in moved.order.fulfilments)
    return replace(moved, order=replace(moved.order, fulfilments=parts), fulfilment=part)


def _with(order: Order, part: Fulfilment) -> Order:
    """The order at its next version, with that fulfilment as it is now."""
    parts = tuple(part if each.id == part.id else each for each in order.fulfilments)
    return replace(order, version=order.version + 1, fulfilments=parts)


def _fulfilments(order: Order, part: Fulfilment, hold: Hold, now: datetime) -> list[Fulfilment]:
    """One for each location that gives something in the rejected one's place."""
    by_sku = {line.sku: line.order_line_id for line in part.lines}
    found = []
    for location_id in sorted({line.location_id for line in hold.lines}):
        found.append(
            Fulfilment(
                id=deterministic_id(
                    "ful", order.id, hold.reservation_id, location_id, at_ms=int(now.timestamp() * 1000)
                ),
                method=part.method,
                state="PLANNED",
                location_id=location_id,
                lines=tuple(
                    FulfilmentLine(by_sku[line.sku], line.sku, line.quantity)
                    for line in hold.lines
                    if line.location_id == location_id
                ),
                promised_by=part.promised_by,
                tracking=None,
                happenings=(Happening(now, "PLANNED", "galleria"),),
                reservation_id=hold.reservation_id,
            )
        )
    return found
