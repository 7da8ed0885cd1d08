"""Paying with points: orders holds them while it places an order; what became of it is heard from its events.

A hold is known by its order, so asking twice holds once. A release that comes before its hold (whose request was thought
lost) keeps that hold from ever counting.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from subgraphs.chassis.idempotency import Idempotency, Payload
from subgraphs.chassis.identity import Principal
from subgraphs.chassis.mongo import Session
from subgraphs.chassis.outbox import Outbox
from subgraphs.kernel.clock import Clock
from subgraphs.kernel.errors import Forbidden, InvalidInput, NotFound, VersionConflict
from subgraphs.kernel.events import PointsAdjusted
from subgraphs.kernel.ids import new_id
from subgraphs.kernel.money import Money
from subgraphs.loyalty.model import Account, LedgerEntry, Program
from subgraphs.loyalty.model.redemption import Redemption, RedemptionState, capture, give_back, hold, released_key
from subgraphs.loyalty.store import Store
from subgraphs.loyalty.store.redemptions import RedemptionStore

POINTS_REDEEMED_MAX = 10_000_000


@dataclass(frozen=True, slots=True)
class Purse:
    """What a customer's points would pay: how many could be spent, and what the ones asked about are worth."""

    spendable: int
    worth: Money | None


class Redemptions:
    """The use cases of paying with points."""

    def __init__(
        self, store: Store, redemptions: RedemptionStore, outbox: Outbox, idempotency: Idempotency, clock: Clock
    ) -> None:
        self._store = store
        self._redemptions = redemptions
        self._outbox = outbox
        self._idempotency = idempotency
        self._clock = clock

    async def purse(
        self, principal: Principal, program: Program, customer_id: str, points: int, currency: str
    ) -> Purse:
        """What a customer could spend, and what ``points`` are worth in a currency; nothing for no member."""
        _service(principal)
        account = (await self._store.accounts_of([customer_id])).get(customer_id)
        if account is None:
            return Purse(0, None)
        return Purse(account.spendable, program.worth(points, currency))

    async def hold(
        self, principal: Principal, customer_id: str, points: int, order_id: str, key: str, arguments: Mapping[str, Any]
    ) -> None:
        """Holds a customer's points for an order; ``InsufficientPoints`` when there are not so many."""
        _service(principal)
        if not 1 <= points <= POINTS_REDEEMED_MAX:
            raise InvalidInput(f"1 to {POINTS_REDEEMED_MAX} points", path=("points",))

        async def work(session: Session) -> Payload:
            known = await self._redemptions.find(order_id, session=session)
            if known is not None:
                if known.state is RedemptionState.RELEASED:
                    raise VersionConflict("this order's points were released", expected=0, actual=1)
                return {}
            account = (await self._store.accounts_of([customer_id], session=session)).get(customer_id)
            if account is None:
                raise NotFound("the customer is no member", path=("customerId",))
            now = self._clock.now()
            after, entry, held = hold(account, points, order_id=order_id, entry_id=new_id("ldg"), at=now)
            await self._redemptions.add(held, session=session)
            await self._move(account, after, entry, f"held for order {order_id}", session)
            return {}

        await self._idempotency.run(principal.key, "pointsHold", key, arguments, work)

    async def release(self, principal: Principal, order_id: str, key: str, arguments: Mapping[str, Any]) -> None:
        """Gives back what is held for an order that will not be, now and whenever the hold should still come."""
        _service(principal)

        async def work(session: Session) -> Payload:
            known = await self._redemptions.find(order_id, session=session)
            if known is None:
                never = Redemption(
                    order_id=order_id,
                    account_id=None,
                    points=0,
                    returned=0,
                    state=RedemptionState.RELEASED,
                    at=self._clock.now(),
                )
                await self._redemptions.add(never, session=session)
            elif known.state is RedemptionState.HELD:
                await self._give_back(known, known.points, order_id, RedemptionState.RELEASED, session)
            return {}

        await self._idempotency.run(principal.key, "pointsRelease", key, arguments, work)

    async def confirmed(self, session: Session, order_id: str) -> None:
        """The order was placed: what it holds is gone."""
        known = await self._redemptions.find(order_id, session=session)
        if known is None or known.state is not RedemptionState.HELD:
            return
        account = await self._account(known, session)
        after, entry, taken = capture(account, known, entry_id=new_id("ldg"), at=self._clock.now())
        await self._redemptions.change(taken, session=session)
        await self._move(account, after, entry, f"paid order {order_id}", session)

    async def came_back(self, session: Session, order_id: str, points: int | None, cause: str) -> None:
        """Points of a placed order come back: so many, or all that are left."""
        known = await self._redemptions.find(order_id, session=session)
        if known is None or known.state is not RedemptionState.CAPTURED:
            return
        left = known.points - known.returned
        given = left if points is None else min(left, points)
        if given and not await self._store.entry_done(released_key(cause), session=session):
            await self._give_back(known, given, cause, known.state, session)

    async def _give_back(
        self, known: Redemption, points: int, cause: str, state: RedemptionState, session: Session
    ) -> None:
        account = await self._account(known, session)
        after, entry, changed = give_back(
            account, known, points, cause=cause, entry_id=new_id("ldg"), at=self._clock.now()
        )
        await self._redemptions.change(replace(changed, state=state), session=session)
        await self._move(account, after, entry, f"given back for order {known.order_id}", session)

    async def _account(self, known: Redemption, session: Session) -> Account:
        assert known.account_id is not None, "only what was never held has no account"
        return (await self._store.accounts([known.account_id], session=session))[known.account_id]

    async def _move(self, before: Account, after: Account, entry: LedgerEntry, reason: str, session: Session) -> None:
        await self._store.move(before, after, entry, session=session)
        news = PointsAdjusted(
            account_id=after.id,
            customer_id=after.customer_id,
            points=entry.points,
            balance=after.balance,
            reason=reason,
        )
        await self._outbox.append(session, news, aggregate=f"account:{after.id}", aggregate_version=after.version)


def _service(principal: Principal) -> None:
    if principal.kind != "service":
        raise Forbidden("only for services", [])
