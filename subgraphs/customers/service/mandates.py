"""What customers let agents spend, and orders taking their part of it. Who may, load, decide, save.

Orders holds a part while it places an order, under the order's own identity, so asking twice holds once. A release that
comes before its hold (whose request was thought lost) keeps that hold from ever counting. That an order was placed or
cancelled is heard from its events.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from subgraphs.chassis.idempotency import Idempotency, Payload
from subgraphs.chassis.identity import Principal
from subgraphs.chassis.mongo import Session
from subgraphs.customers.model import ConsentPurpose
from subgraphs.customers.model.mandates import Mandate, Spending, SpendingState, grant, taken
from subgraphs.customers.store import Store
from subgraphs.customers.store.mandates import MandateStore
from subgraphs.kernel.clock import Clock
from subgraphs.kernel.errors import Forbidden, NotFound, VersionConflict
from subgraphs.kernel.events import Envelope, OrderCancelled, OrderConfirmed
from subgraphs.kernel.ids import new_id
from subgraphs.kernel.money import Money

READ = "customers:read"


class Mandates:
    """The use cases of mandates."""

    def __init__(self, store: MandateStore, customers: Store, idempotency: Idempotency, clock: Clock) -> None:
        self._store = store
        self._customers = customers
        self._idempotency = idempotency
        self._clock = clock

    async def visible(self, principal: Principal, ids: Sequence[str]) -> list[Mandate | None]:
        """Those this principal may see, in the order asked: the customer's own, the agent's own, or by scope."""
        found = await self._store.mandates(ids)
        return [
            mandate if mandate is not None and _may_see(principal, mandate) else None
            for mandate in (found.get(identity) for identity in ids)
        ]

    async def of_customers(self, customers: Sequence[str]) -> list[list[Mandate]]:
        """Every mandate of each customer, the oldest first. One query."""
        found = await self._store.mandates_of(customers)
        return [found[customer] for customer in customers]

    async def taken(self, mandates: Sequence[Mandate]) -> list[int]:
        """What is held or spent of each in its present period, in minor units. One query."""
        now = self._clock.now()
        periods = [(mandate.id, mandate.period(now)) for mandate in mandates]
        found = await self._store.spendings(periods)
        return [taken(found[mandate.id]) for mandate in mandates]

    async def grant(
        self, principal: Principal, given: Mapping[str, Any], key: str, arguments: Mapping[str, Any]
    ) -> Mandate:
        """A customer's word for an agent. No agent can give it, not even in the customer's name."""
        customer_id = _person(principal)

        async def work(session: Session) -> Payload:
            mandate = grant(mandate_id=new_id("man"), customer_id=customer_id, at=self._clock.now(), **given)
            await self._store.add(mandate, session=session)
            return {"id": mandate.id}

        payload, _ = await self._idempotency.run(principal.key, "mandateGrant", key, arguments, work)
        return (await self._store.mandates([payload["id"]]))[payload["id"]]

    async def revoke(self, principal: Principal, mandate_id: str, key: str, arguments: Mapping[str, Any]) -> Mandate:
        """Ends a mandate at once. What is being placed under it still is."""
        customer_id = _person(principal)

        async def work(session: Session) -> Payload:
            mandate = (await self._store.mandates([mandate_id], session=session)).get(mandate_id)
            if mandate is None or mandate.customer_id != customer_id:
                raise NotFound("there is no such mandate", path=("id",))
            revoked = mandate.revoked(self._clock.now())
            if revoked is not mandate:
                await self._store.move(mandate, revoked, session=session)
            return {"id": mandate.id}

        await self._idempotency.run(principal.key, "mandateRevoke", key, arguments, work)
        return (await self._store.mandates([mandate_id]))[mandate_id]

    async def hold(
        self,
        principal: Principal,
        *,
        mandate_id: str,
        agent_id: str,
        customer_id: str,
        order_id: str,
        amount: Money,
        categories: Sequence[str],
        key: str,
        arguments: Mapping[str, Any],
    ) -> Mandate:
        """Sets ``amount`` of a mandate aside for an order; ``NotCovered`` when the mandate does not stretch to it."""
        _service(principal)

        async def work(session: Session) -> Payload:
            mandate = (await self._store.mandates([mandate_id], session=session)).get(mandate_id)
            if mandate is None or (mandate.agent_id, mandate.customer_id) != (agent_id, customer_id):
                raise NotFound("there is no such mandate of this agent for this customer", path=("id",))
            known = await self._store.spending(order_id, session=session)
            if known is not None:
                if known.state is SpendingState.RELEASED:
                    raise VersionConflict("this order's spending was released", expected=0, actual=1)
                return {"id": mandate.id}
            now = self._clock.now()
            period = mandate.period(now)
            spendings = (await self._store.spendings([(mandate.id, period)], session=session))[mandate.id]
            customer = (await self._customers.customers([customer_id], session=session)).get(customer_id)
            consent = customer is not None and customer.allows(ConsentPurpose.AGENT_PURCHASE)
            mandate.cover(amount, categories, taken(spendings), consent=consent, at=now)
            held = Spending(
                order_id=order_id,
                mandate_id=mandate.id,
                period=period,
                amount=amount,
                state=SpendingState.HELD,
                at=now,
            )
            await self._store.add_spending(held, session=session)
            # Two orders of one mandate may not both find room: one of them finds the mandate moved on.
            await self._store.move(mandate, replace(mandate, version=mandate.version + 1), session=session)
            return {"id": mandate.id}

        await self._idempotency.run(principal.key, "mandateHold", key, arguments, work)
        return (await self._store.mandates([mandate_id]))[mandate_id]

    async def release(
        self, principal: Principal, mandate_id: str, order_id: str, key: str, arguments: Mapping[str, Any]
    ) -> Mandate:
        """Gives back what was set aside for an order that will not be, now and whenever the hold should still come."""
        _service(principal)

        async def work(session: Session) -> Payload:
            mandate = (await self._store.mandates([mandate_id], session=session)).get(mandate_id)
            if mandate is None:
                raise NotFound("there is no such mandate", path=("id",))
            known = await self._store.spending(order_id, session=session)
            if known is None:
                never = Spending(
                    order_id=order_id,
                    mandate_id=mandate_id,
                    period=0,
                    amount=Money.zero(mandate.period_limit.currency),
                    state=SpendingState.RELEASED,
                    at=self._clock.now(),
                )
                await self._store.add_spending(never, session=session)
            elif known.state is SpendingState.HELD:
                await self._store.change_spending(replace(known, state=SpendingState.RELEASED), session=session)
            return {"id": mandate.id}

        await self._idempotency.run(principal.key, "mandateRelease", key, arguments, work)
        return (await self._store.mandates([mandate_id]))[mandate_id]

    async def hear_confirmed(self, session: Session, envelope: Envelope) -> None:
        """An order was placed: what was held for it is spent."""
        order_id = OrderConfirmed.from_data(envelope.data).order_id
        await self._settle(session, order_id, SpendingState.HELD, SpendingState.SPENT)

    async def hear_cancelled(self, session: Session, envelope: Envelope) -> None:
        """An order will not be delivered: the agent may spend the sum again."""
        order_id = OrderCancelled.from_data(envelope.data).order_id
        await self._settle(session, order_id, SpendingState.SPENT, SpendingState.RELEASED)

    async def _settle(self, session: Session, order_id: str, before: SpendingState, after: SpendingState) -> None:
        known = await self._store.spending(order_id, session=session)
        if known is not None and known.state is before:
            await self._store.change_spending(replace(known, state=after), session=session)


def _may_see(principal: Principal, mandate: Mandate) -> bool:
    if principal.kind == "service" or principal.has(READ):
        return True
    if principal.customer_id != mandate.customer_id:
        return False
    return principal.kind != "agent" or principal.agent_id == mandate.agent_id


def _person(principal: Principal) -> str:
    if principal.kind != "customer" or principal.customer_id is None:
        raise Forbidden("only a customer can give or revoke a mandate", [])
    return principal.customer_id


def _service(principal: Principal) -> None:
    if principal.kind != "service":
        raise Forbidden("only for services", [])
