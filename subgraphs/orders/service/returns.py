"""Returns: what may come back, announcing it, receiving it over any counter, and goodwill.

Receiving is one transaction: the return, the order's counts, the fact that inventory and loyalty hear, and the errand that
gives the money back. What was received already is answered as it stands, whatever the key: goods come back once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Final

from subgraphs.chassis.idempotency import Claim, Idempotency, Payload
from subgraphs.chassis.identity import Principal
from subgraphs.chassis.mongo import Session
from subgraphs.chassis.outbox import Outbox
from subgraphs.kernel.clock import Clock
from subgraphs.kernel.errors import InvalidInput, NotFound, RequestInFlight
from subgraphs.kernel.events import ReturnedLine, ReturnReceived
from subgraphs.kernel.ids import new_id
from subgraphs.kernel.money import Money
from subgraphs.orders.model import returns as policy
from subgraphs.orders.model.delivery import Happening
from subgraphs.orders.model.order import Order
from subgraphs.orders.model.refusals import IllegalTransition
from subgraphs.orders.model.returns import OPEN, Disposition, Eligible, Return, ReturnChannel, ReturnLine
from subgraphs.orders.service.access import may_see_order, once
from subgraphs.orders.service.errands import Errands
from subgraphs.orders.service.peers import Inventory
from subgraphs.orders.store import Store
from subgraphs.orders.store.after_sales import AfterSales

RECEIVE: Final = "returns:write"
REFUND: Final = "refunds:write"
REASON_MAX: Final = 200
ORIGINAL: Final = "ORIGINAL"


@dataclass(frozen=True, slots=True)
class Eligibility:
    """What of an order may come back, until when, and where to."""

    lines: tuple[Eligible, ...]
    deadline: date | None
    location_ids: tuple[str, ...]


class Returns:
    """The return use cases."""

    def __init__(
        self,
        store: Store,
        after_sales: AfterSales,
        outbox: Outbox,
        idempotency: Idempotency,
        clock: Clock,
        inventory: Inventory,
        errands: Errands,
    ) -> None:
        self._store = store
        self._after = after_sales
        self._outbox = outbox
        self._idempotency = idempotency
        self._clock = clock
        self._inventory = inventory
        self._errands = errands

    async def of_orders(self, order_ids: Sequence[str]) -> list[list[Return]]:
        """The returns of each order, in the order asked. One query."""
        found = await self._after.returns_of(order_ids)
        return [found.get(order_id, []) for order_id in order_ids]

    async def eligibility(self, principal: Principal, order_id: str) -> Eligibility:
        """``NotFound`` unless the order is there for this principal."""
        order = await self._own(principal, order_id, None)
        announced = _announced((await self._after.returns_of([order_id])).get(order_id, ()))
        lines = policy.eligible(order, announced, self._clock.now().date())
        places = await self._inventory.counters() if any(line.units for line in lines) else ()
        return Eligibility(lines, policy.deadline(order), tuple(places))

    async def request(
        self,
        principal: Principal,
        order_id: str,
        lines: Sequence[ReturnLine],
        *,
        via: ReturnChannel,
        location_id: str | None,
        key: str,
        arguments: Mapping[str, Any],
    ) -> tuple[Return, bool]:
        """Announces a return; the policy approves it at once or refuses it with its rule."""
        wanted = {line.order_line_id: line.quantity for line in lines}
        if not lines or len(wanted) != len(lines):
            raise InvalidInput("a return has lines, each order line once", path=("input", "lines"))
        if any(not 1 <= len(line.reason) <= REASON_MAX for line in lines):
            raise InvalidInput(f"a reason has 1 to {REASON_MAX} characters", path=("input", "lines", "reason"))
        if location_id is not None:
            await self._inventory.country_of(location_id, ("input", "locationId"))

        async def body(session: Session, claim: Claim) -> Payload:
            order = await self._own(principal, order_id, session)
            before = (await self._after.returns_of([order_id], session)).get(order_id, [])
            now = self._clock.now()
            policy.check(order, _announced(before), wanted, now.date())
            skus = {line.id: line.sku for line in order.lines}
            given = Return(
                id=new_id("ret"),
                version=1,
                order_id=order.id,
                state="APPROVED",
                via=via,
                location_id=location_id,
                lines=tuple(replace(line, sku=skus[line.order_line_id]) for line in lines),
                refund=None,
                requested_at=now,
                happenings=(Happening(now, "REQUESTED", principal.key), Happening(now, "APPROVED", "galleria")),
            )
            await self._after.add_return(given, session)
            # The order's version keeps two requests for its last unit apart.
            noted = replace(
                order,
                version=order.version + 1,
                timeline=(*order.timeline, Happening(now, "RETURN_REQUESTED", principal.key, given.id)),
            )
            await self._save(order, noted, session)
            return await self._finished(session, claim, given.id)

        return await self._once(principal, "returnRequest", key, arguments, body)

    async def receive(
        self,
        principal: Principal,
        return_id: str,
        *,
        location_id: str,
        lines: Mapping[str, tuple[int, Disposition]],
        refund_to: str,
        key: str,
        arguments: Mapping[str, Any],
    ) -> tuple[Return, bool]:
        """Takes goods back over a counter, and refunds them to the tender they were paid with."""
        if refund_to != ORIGINAL:
            raise InvalidInput("refunds go to the original tender: ORIGINAL", path=("input", "refundTo"))
        if not lines:
            raise InvalidInput("say which lines came", path=("input", "lines"))
        await self._inventory.country_of(location_id, ("input", "locationId"))

        async def body(session: Session, claim: Claim) -> Payload:
            given = await self._after.given_back(return_id, session)
            if given is None:
                raise NotFound("no such return", path=("returnId",))
            if given.state not in OPEN:
                if given.state == "REJECTED":
                    raise IllegalTransition(given.state, "RECEIVED", ())
                return await self._finished(session, claim, given.id, again=True)
            now = self._clock.now()
            taken = policy.received(given, lines, location_id=location_id, actor=principal.key, at=now)
            order = await self._store.order(given.order_id, session)
            assert order is not None, "orders are not deleted"
            units = {line.order_line_id: line.quantity for line in taken.lines}
            owed = policy.refund_for(order, units)
            goods = (policy.goods_returned(order), owed.goods_minor, policy.goods_total(order))
            taken = replace(taken, refund=owed.amount, goods=goods)
            if not owed.amount.minor:
                taken = policy.refunded(taken, now)
            changed = policy.came_back(order, units, actor=principal.key, at=now, detail=given.id)
            if not await self._after.save_return(taken, given.version, session):
                raise RequestInFlight("the return is being changed; try again", 200)
            await self._save(order, changed, session)
            await self._outbox.append(
                session,
                _received_fact(changed, taken),
                aggregate=f"order:{order.id}",
                aggregate_version=changed.version,
            )
            await self._errands.refund(changed, owed, given.id, "RETURN", session)
            return await self._finished(session, claim, given.id)

        given, replayed = await self._once(principal, "returnReceive", key, arguments, body)
        # The clerk and the buyer stand there: what can be given back now is.
        await self._errands.settle(given.order_id)
        found = await self._after.given_back(given.id)
        assert found is not None, "returns are not deleted"
        return found, replayed

    async def goodwill(
        self, principal: Principal, order_id: str, amount: Money, reason: str, key: str, arguments: Mapping[str, Any]
    ) -> tuple[Order, bool]:
        """Gives money back for no goods."""
        if not 1 <= len(reason) <= REASON_MAX:
            raise InvalidInput(f"reason has 1 to {REASON_MAX} characters", path=("reason",))

        async def body(session: Session, claim: Claim) -> Payload:
            order = await self._own(principal, order_id, session)
            if amount.currency != order.currency or amount.minor <= 0:
                raise InvalidInput(f"an amount above zero, in {order.currency}", path=("amount",))
            now = self._clock.now()
            noted = replace(
                order,
                version=order.version + 1,
                timeline=(*order.timeline, Happening(now, "REFUND_WANTED", principal.key, reason)),
            )
            await self._save(order, noted, session)
            owed = policy.Refund(amount, policy.goods_returned(order))
            await self._errands.refund(noted, owed, None, "GOODWILL", session)
            payload: Payload = {"order": order.id}
            await self._idempotency.finish(session, claim, payload)
            return payload

        async def work(claim: Claim, _: Payload | None) -> Payload:
            return await self._store.database.transact(lambda session: body(session, claim))

        payload, replayed = await once(self._idempotency, principal, "refundCreate", key, arguments, work)
        await self._errands.settle(payload["order"])
        order = await self._store.order(payload["order"])
        assert order is not None, "orders are not deleted"
        return order, replayed

    async def _own(self, principal: Principal, order_id: str, session: Session | None) -> Order:
        order = await self._store.order(order_id, session)
        if order is None or not may_see_order(principal, order.owner, order.customer_id):
            raise NotFound("no such order", path=("orderId",))
        return order

    async def _save(self, before: Order, after: Order, session: Session) -> None:
        if not await self._store.save_order(after, before.version, session):
            raise RequestInFlight("the order is being changed; try again", 200)

    async def _finished(self, session: Session, claim: Claim, return_id: str, *, again: bool = False) -> Payload:
        payload: Payload = {"return": return_id, "again": again}
        await self._idempotency.finish(session, claim, payload)
        return payload

    async def _once(
        self, principal: Principal, field: str, key: str, arguments: Mapping[str, Any], body: Any
    ) -> tuple[Return, bool]:
        async def work(claim: Claim, _: Payload | None) -> Payload:
            payload: Payload = await self._store.database.transact(lambda session: body(session, claim))
            return payload

        payload, replayed = await once(self._idempotency, principal, field, key, arguments, work)
        given = await self._after.given_back(payload["return"])
        assert given is not None, "returns are not deleted"
        return given, replayed or payload["again"]


def _announced(returns: Sequence[Return]) -> dict[str, int]:
    """Units of each line that open returns have announced."""
    found: dict[str, int] = {}
    for given in returns:
        if given.state in OPEN:
            for line in given.lines:
                found[line.order_line_id] = found.get(line.order_line_id, 0) + line.quantity
    return found


def _received_fact(order: Order, given: Return) -> ReturnReceived:
    assert given.location_id is not None, "received somewhere"
    return ReturnReceived(
        return_id=given.id,
        order_id=order.id,
        customer_id=order.customer_id,
        location_id=given.location_id,
        lines=tuple(
            ReturnedLine(
                line_id=line.order_line_id,
                sku=line.sku,
                quantity=line.quantity,
                disposition=line.disposition or "RESTOCK",
            )
            for line in given.lines
        ),
    )
