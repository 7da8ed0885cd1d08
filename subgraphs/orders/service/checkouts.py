"""Checkout use cases: open, change, cancel and complete a session, with stock held aside for it.

Holds are inventory's; here is only when to ask for one. A change that needs other stock asks for the new hold first and
gives the old one back after; only when the stock does not suffice for both is the old one given back before, and taken
again if that was not enough either. A hold that nobody refers to any more (this process died) lapses by itself.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from subgraphs.chassis.idempotency import Claim, Idempotency, Payload
from subgraphs.chassis.identity import Principal, RequestContext
from subgraphs.chassis.mongo import DuplicateKey, Session
from subgraphs.kernel.clock import Clock
from subgraphs.kernel.errors import DomainError, Forbidden, IdempotencyConflict, InvalidInput, NotFound, RequestInFlight
from subgraphs.kernel.ids import new_id
from subgraphs.kernel.money import Money
from subgraphs.orders.model.budget import check_agent_budget
from subgraphs.orders.model.checkout import LIFE, CheckoutSession, hold_seconds
from subgraphs.orders.model.delivery import CHOSEN_METHODS, COLLECTED, Address, Hold, Method, default_option
from subgraphs.orders.model.lines import LineRequest, Message, drift, merged, priced, requoted
from subgraphs.orders.model.numbering import CHANCE_BITS, order_number
from subgraphs.orders.model.order import Order
from subgraphs.orders.model.refusals import PriceChanged
from subgraphs.orders.model.saga import Progress, Saga, Step
from subgraphs.orders.service.access import acting_for, may_touch, once
from subgraphs.orders.service.carts import pricing_place
from subgraphs.orders.service.completion import LEASE, Completion
from subgraphs.orders.service.faults import FaultPoints
from subgraphs.orders.service.peers import Catalog, Inventory, Loyalty, Short, out_of_stock
from subgraphs.orders.service.quotes import Quotes
from subgraphs.orders.store import Store

REDEEM = "loyalty:redeem"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What a buyer says about a checkout; nothing means: as it is."""

    lines: tuple[LineRequest, ...] | None = None
    email: str | None = None
    address: Address | None = None
    method: Method | None = None
    pickup_location_id: str | None = None
    option_id: str | None = None
    points: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed:
    """What came of a completion so far: the order, or why there is none, or neither yet."""

    checkout: CheckoutSession
    order: Order | None
    saga_id: str
    replayed: bool
    refusal: DomainError | None


class Checkouts:
    """The checkout use cases."""

    def __init__(
        self,
        store: Store,
        idempotency: Idempotency,
        clock: Clock,
        catalog: Catalog,
        inventory: Inventory,
        loyalty: Loyalty,
        completion: Completion,
        providers: frozenset[str],
        faults: FaultPoints,
        quotes: Quotes,
    ) -> None:
        self._quotes = quotes
        self._store = store
        self._idempotency = idempotency
        self._clock = clock
        self._catalog = catalog
        self._inventory = inventory
        self._loyalty = loyalty
        self._completion = completion
        self._providers = providers
        self._faults = faults

    async def visible(self, principal: Principal, ids: Sequence[str]) -> list[CheckoutSession | None]:
        """The sessions this principal may see, in the order asked."""
        found = await self._store.checkouts(ids)
        return [
            session if session and may_touch(principal, session.owner, session.customer_id) else None
            for session in (found.get(checkout_id) for checkout_id in ids)
        ]

    async def create(
        self,
        principal: Principal,
        context: RequestContext,
        *,
        cart_id: str | None,
        channel: str,
        currency: str | None,
        hold_stock: bool,
        wishes: Wishes,
        quote: str | None,
        key: str,
        arguments: Mapping[str, Any],
    ) -> tuple[CheckoutSession, bool]:
        """A session over a cart or over lines, its stock held aside unless the buyer does not want that."""
        made: CheckoutSession | None = None

        async def work(claim: Claim, point: Payload | None) -> Payload:
            assert point is not None, "given below"
            checkout_id = point["checkout"]
            wanted, cart_currency, customer_id = await self._wanted(principal, cart_id, wishes.lines, channel)
            where = await pricing_place(self._catalog, channel, currency or cart_currency, context)
            offers = await self._catalog.offers([line.sku for line in wanted], channel, *where)
            lines = priced(wanted, offers, where[0])
            if quote is not None:
                lines = self._quotes.honour(quote, channel, lines)
            now = self._clock.now()
            session = CheckoutSession(
                id=checkout_id,
                version=1,
                status="INCOMPLETE",
                channel=channel,
                currency=where[0],
                country=where[1],
                owner=principal.key,
                customer_id=customer_id,
                agent_id=principal.agent_id,
                hold_wanted=hold_stock,
                hold_s=hold_seconds(principal.kind, channel),
                email=None,
                address=None,
                method="SHIP",
                pickup_location_id=None,
                pickup_country=None,
                option_id=default_option("SHIP", where[0]),
                lines=lines,
                hold=None,
                messages=(),
                continue_url=None,
                created_at=now,
                expires_at=now + LIFE,
                order_id=None,
                saga_id=None,
            )
            session = await self._paying(principal, await self._wished(session, wishes), wishes)
            if hold_stock and _can_hold(session):
                hold = await self._held(session, f"checkout:{checkout_id}:hold")
                session = replace(session, hold=hold)
            nonlocal made
            made = session = session.settled()

            async def body(transaction: Session) -> Payload:
                await self._store.add_checkout(session, transaction)
                return await self._finished(transaction, claim, session)

            return await self._store.database.transact(body)

        # Known before the hold is asked for, so that a successor asks for the very same one.
        point = {"checkout": new_id("chk")}
        payload, replayed = await once(self._idempotency, principal, "checkoutCreate", key, arguments, work, point)
        return made or await self._known(payload), replayed

    async def update(
        self,
        principal: Principal,
        checkout_id: str,
        wishes: Wishes,
        expected_version: int,
        key: str,
        arguments: Mapping[str, Any],
    ) -> tuple[CheckoutSession, bool]:
        """The session with the buyer's wishes, its hold following them."""

        async def work(claim: Claim, _: Payload | None) -> Payload:
            before = await self._mine(principal, checkout_id)
            before.check(expected_version, self._clock.now())
            changed, warnings = before, tuple[Message, ...]()
            if wishes.lines is not None:
                wanted = merged(wishes.lines)
                offers = await self._catalog.offers(
                    [line.sku for line in wanted], before.channel, before.currency, before.country
                )
                lines = priced(wanted, offers, before.currency)
                warnings = drift(before.lines, lines)
                changed = replace(changed, lines=lines)
            changed = await self._paying(principal, await self._wished(changed, wishes), wishes)
            changed, dropped = changed.with_points_that_fit()
            warnings = (*warnings, *dropped)
            changed = await self._moved_hold(before, changed, _digest(claim))
            changed = changed.next_version().settled(warnings)

            async def body(transaction: Session) -> Payload:
                if not await self._store.save_checkout(changed, before.version, transaction):
                    present = await self._store.checkout(checkout_id, transaction)
                    assert present is not None, "sessions are not deleted"
                    present.check(expected_version, self._clock.now())
                return await self._finished(transaction, claim, changed)

            try:
                payload = await self._store.database.transact(body)
            except DomainError:
                if changed.hold and changed.hold != before.hold:
                    await self._inventory.release(
                        changed.hold.reservation_id, "superseded", f"checkout:{_digest(claim)}:lost"
                    )
                raise
            if before.hold and changed.hold != before.hold:
                await self._inventory.release(
                    before.hold.reservation_id, "superseded", f"checkout:{_digest(claim)}:old"
                )
            return payload

        payload, replayed = await once(self._idempotency, principal, "checkoutUpdate", key, arguments, work)
        return await self._known(payload), replayed

    async def cancel(
        self, principal: Principal, checkout_id: str, reason: str | None, key: str, arguments: Mapping[str, Any]
    ) -> tuple[CheckoutSession, bool]:
        """The session canceled and its stock given back."""

        async def work(claim: Claim, _: Payload | None) -> Payload:
            before = await self._mine(principal, checkout_id)
            before.check(None, self._clock.now(), "CANCELED")
            messages = (Message(level="INFO", code="CANCELED", text=reason or "canceled"),)
            canceled = replace(before.next_version(), status="CANCELED", hold=None, messages=messages)

            async def body(transaction: Session) -> Payload:
                if not await self._store.save_checkout(canceled, before.version, transaction):
                    raise RequestInFlight("the checkout is being changed; try again", 200, path=("id",))
                return await self._finished(transaction, claim, canceled)

            payload = await self._store.database.transact(body)
            if before.hold is not None:
                await self._inventory.release(before.hold.reservation_id, "canceled", f"checkout:{checkout_id}:cancel")
            return payload

        payload, replayed = await once(self._idempotency, principal, "checkoutCancel", key, arguments, work)
        return await self._known(payload), replayed

    async def complete(
        self,
        principal: Principal,
        checkout_id: str,
        *,
        provider: str,
        token: str,
        captures: bool,
        expected_total: Money,
        mandate_id: str | None,
        key: str,
        arguments: Mapping[str, Any],
    ) -> Completed:
        """Freezes the session and drives its saga. The saga is the request's record: the same key finds it again."""
        claim = self._idempotency.claim(principal.key, "checkoutComplete", key, arguments)
        known = await self._store.saga_of_request(claim.id)
        if known is not None:
            return await self._replayed(known, claim)
        session = await self._ready(principal, checkout_id, provider, expected_total, mandate_id)
        saga = await self._frozen(session, claim, provider, token, captures, mandate_id)
        if saga is not None:
            return await self._outcome(await self._completion.drive(saga), replayed=False)
        known = await self._store.saga_of_request(claim.id)
        assert known is not None, "its insertion was refused as a duplicate"
        return await self._replayed(known, claim)

    async def settle(self, session: CheckoutSession, claim: Claim, provider: str, *, token: str) -> Completed:
        """Drives the saga of a session whose price is not ours to say: it was paid elsewhere."""
        known = await self._store.saga_of_request(claim.id)
        if known is None:
            session.check(None, self._clock.now(), "COMPLETE_IN_PROGRESS")
            saga = await self._frozen(session, claim, provider, token, True, None)
            if saga is not None:
                return await self._outcome(await self._completion.drive(saga), replayed=False)
            known = await self._store.saga_of_request(claim.id)
            assert known is not None, "its insertion was refused as a duplicate"
        return await self._replayed(known, claim)

    async def completed(self, session: CheckoutSession) -> Completed:
        """What came of a session that has its order."""
        assert session.saga_id is not None, "a saga completed it"
        saga = await self._store.saga(session.saga_id)
        assert saga is not None, "sagas are not deleted"
        return await self._outcome(saga, replayed=True)

    async def _replayed(self, saga: Saga, claim: Claim) -> Completed:
        if saga.request_print != claim.fingerprint:
            raise IdempotencyConflict("this idempotency key was used with other arguments", saga.request_print)
        return await self._outcome(await self._completion.wait(saga), replayed=True)

    async def _ready(
        self, principal: Principal, checkout_id: str, provider: str, expected_total: Money, mandate_id: str | None
    ) -> CheckoutSession:
        """The session, priced as of now and costing what the buyer agreed to; else the refusal it deserves."""
        session = await self._mine(principal, checkout_id)
        now = self._clock.now()
        session.check(None, now, "COMPLETE_IN_PROGRESS")
        if provider not in self._providers:
            raise InvalidInput(f"no such payment provider: {provider}", path=("input", "payment", "provider"))
        missing = session.missing()
        if missing:
            raise InvalidInput("; ".join(message.text for message in missing), path=("id",))
        offers = await self._catalog.offers(
            [line.sku for line in session.lines], session.channel, session.currency, session.country
        )
        repriced = replace(session, lines=requoted(session.lines, offers, now))
        current, dropped = repriced.with_points_that_fit()
        if current.total != expected_total:
            if current != session:
                shown = current.next_version().settled((*drift(session.lines, current.lines), *dropped))
                await self._store.database.transact(
                    lambda transaction: self._store.save_checkout(shown, session.version, transaction)
                )
            raise PriceChanged(expected_total, current.total)
        if mandate_id is None and principal.kind == "agent":
            check_agent_budget(current.total)
        if mandate_id is not None and (principal.agent_id is None or current.agent_id != principal.agent_id):
            raise InvalidInput("a mandate is for the agent that opened the checkout", path=("input", "mandate"))
        if mandate_id is not None and current.customer_id is None:
            raise InvalidInput("a mandate is a customer's, and this checkout is nobody's", path=("input", "mandate"))
        return current

    async def _frozen(
        self,
        session: CheckoutSession,
        claim: Claim,
        provider: str,
        token: str,
        captures: bool,
        mandate_id: str | None,
    ) -> Saga | None:
        """The saga, written together with the freeze; nothing if an equal request has written one already."""
        now = self._clock.now()
        to_pay = session.total.minor > 0
        wants = {
            Step.BUDGET: mandate_id is not None,
            Step.POINTS: session.points > 0,
            Step.AUTHORIZE: to_pay,
            Step.CAPTURE: to_pay and captures,
        }
        saga = Saga(
            id=new_id("sag"),
            version=1,
            checkout_id=session.id,
            request_id=claim.id,
            request_print=claim.fingerprint,
            order_id=new_id("ord"),
            number=order_number(now, secrets.randbits(CHANCE_BITS)),
            attempt_id=new_id("pay"),
            provider=provider,
            token=token,
            mandate_id=mandate_id,
            amount=session.total,
            hold=session.hold,
            provider_ref=None,
            progress=Progress(wants=frozenset(step for step, wanted in wants.items() if wanted), due_at=now),
            started_at=now,
        )
        frozen = replace(session.next_version(), status="COMPLETE_IN_PROGRESS", saga_id=saga.id, messages=())

        async def body(transaction: Session) -> None:
            if not await self._store.save_checkout(frozen, session.version, transaction):
                raise RequestInFlight("the checkout is being changed or completed; poll it", 1_000, path=("id",))
            await self._store.add_saga(saga, now + LEASE, transaction)
            self._faults.fault("in_freeze")

        try:
            await self._store.database.transact(body)
        except DuplicateKey:
            return None
        return saga

    async def _outcome(self, saga: Saga, *, replayed: bool) -> Completed:
        checkout = await self._store.checkout(saga.checkout_id)
        assert checkout is not None, "sessions are not deleted"
        order = None
        if Step.CONFIRM in saga.progress.done:
            order = (await self._store.orders([saga.order_id])).get(saga.order_id)
        failure = saga.progress.failure
        return Completed(
            checkout=checkout,
            order=order,
            saga_id=saga.id,
            replayed=replayed,
            refusal=failure.error() if failure is not None else None,
        )

    async def _wanted(
        self, principal: Principal, cart_id: str | None, lines: Sequence[LineRequest] | None, channel: str
    ) -> tuple[tuple[LineRequest, ...], str | None, str | None]:
        """The lines, the cart's currency if there is a cart, and whose purchase it is."""
        if (cart_id is None) == (lines is None):
            raise InvalidInput("give a cart or lines, and not both", path=("input", "cartId"))
        if cart_id is None:
            return merged(lines or ()), None, acting_for(principal, None)
        cart = await self._store.cart(cart_id)
        if cart is None or not may_touch(principal, cart.owner, cart.customer_id):
            raise NotFound("no such cart", path=("input", "cartId"))
        if cart.channel != channel:
            raise InvalidInput(f"the cart is of channel {cart.channel}", path=("input", "channel"))
        wanted = tuple(LineRequest(line.sku, line.quantity) for line in cart.lines)
        return wanted, cart.currency, cart.customer_id or acting_for(principal, None)

    async def _wished(self, session: CheckoutSession, wishes: Wishes) -> CheckoutSession:
        """The session with what the buyer says about delivery."""
        method = wishes.method or session.method
        if method not in CHOSEN_METHODS:
            raise InvalidInput(f"{method} is chosen by the merchant, not by the buyer", path=("input", "method"))
        if wishes.pickup_location_id is not None and method not in COLLECTED:
            raise InvalidInput("a pickup location needs PICKUP or CURBSIDE", path=("input", "pickupLocationId"))
        if wishes.email is not None and not _is_email(wishes.email):
            raise InvalidInput("not an e-mail address", path=("input", "email"))
        location_id = wishes.pickup_location_id or session.pickup_location_id if method in COLLECTED else None
        country = None
        if location_id is not None:
            country = await self._inventory.country_of(location_id, ("input", "pickupLocationId"))
        option_id = wishes.option_id
        if option_id is None:
            kept = session.option_id if method == session.method else None
            option_id = kept or default_option(method, session.currency)
        changed = replace(
            session,
            email=wishes.email or session.email,
            address=wishes.address or session.address,
            method=method,
            pickup_location_id=location_id,
            pickup_country=country,
            option_id=option_id,
        )
        offered = {option.id for group in changed.groups for option in group.options}
        if wishes.option_id is not None and wishes.option_id not in offered:
            raise InvalidInput(f"one of: {', '.join(sorted(offered))}", path=("input", "optionId"))
        return changed

    async def _paying(self, principal: Principal, session: CheckoutSession, wishes: Wishes) -> CheckoutSession:
        """The session with as many points to pay with as the buyer says; ``InvalidInput`` for more than may be used."""
        path = ("input", "redeemPoints")
        if wishes.points is None:
            return session
        if wishes.points == 0:
            return replace(session, points=0, points_worth=None)
        if session.customer_id is None:
            raise InvalidInput("only who has signed in can pay with points", path=path)
        if principal.kind == "agent" and not principal.has(REDEEM):
            raise Forbidden(f"missing scopes: {REDEEM}", [REDEEM])
        if wishes.points < 0:
            raise InvalidInput("points are not negative", path=path)
        spendable, worth = await self._loyalty.points_worth(session.customer_id, wishes.points, session.currency)
        if spendable < wishes.points:
            raise InvalidInput(f"{spendable} points can be spent", path=path)
        if worth is None or worth.minor == 0:
            raise InvalidInput(f"these points are worth nothing in {session.currency}", path=path)
        due = session.due.total
        if worth.minor > due.minor:
            most = wishes.points * due.minor // worth.minor
            raise InvalidInput(f"there is {due.amount} {due.currency} to pay: at most {most} points", path=path)
        return replace(session, points=wishes.points, points_worth=worth)

    async def _moved_hold(self, before: CheckoutSession, changed: CheckoutSession, digest: str) -> CheckoutSession:
        """The changed session with a hold for what it is now."""
        if not before.hold_wanted:
            return changed
        if not _can_hold(changed):
            return replace(changed, hold=None)
        now = self._clock.now()
        if changed.hold and changed.hold.expires_at > now and _same_stock(before, changed):
            return changed
        try:
            return replace(changed, hold=await self._reserved(changed, f"checkout:{digest}:hold"))
        except Short as short:
            if before.hold is None or before.hold.expires_at <= now:
                raise await self._shortage(changed, short) from short
        await self._inventory.release(before.hold.reservation_id, "superseded", f"checkout:{digest}:first")
        try:
            return replace(changed, hold=await self._reserved(changed, f"checkout:{digest}:again"))
        except Short as short:
            await self._restored(before, digest)
            raise await self._shortage(changed, short) from short

    async def _restored(self, before: CheckoutSession, digest: str) -> None:
        """Takes the old stock again; if someone was quicker the session goes on without a hold."""
        hold: Hold | None
        try:
            hold = await self._reserved(before, f"checkout:{digest}:back")
        except Short:
            hold = None
        kept = replace(before.next_version(), hold=hold)
        await self._store.database.transact(
            lambda transaction: self._store.save_checkout(kept, before.version, transaction)
        )

    async def _held(self, session: CheckoutSession, key: str) -> Hold:
        try:
            return await self._reserved(session, key)
        except Short as short:
            raise await self._shortage(session, short) from short

    async def _reserved(self, session: CheckoutSession, key: str) -> Hold:
        return await self._inventory.reserve(
            session.id,
            session.lines,
            method=session.method,
            pickup_location_id=session.pickup_location_id,
            channel=session.channel,
            seconds=session.hold_s,
            key=key,
        )

    async def _shortage(self, session: CheckoutSession, short: Short) -> DomainError:
        return await out_of_stock(
            short.shortage, self._catalog, self._inventory, session.channel, session.currency, session.country
        )

    async def _mine(self, principal: Principal, checkout_id: str) -> CheckoutSession:
        session = await self._store.checkout(checkout_id)
        if session is None or not may_touch(principal, session.owner, session.customer_id):
            raise NotFound("no such checkout", path=("id",))
        return session

    async def _finished(self, transaction: Session, claim: Claim, session: CheckoutSession) -> Payload:
        payload: Payload = {"checkout": session.id}
        await self._idempotency.finish(transaction, claim, payload)
        return payload

    async def _known(self, payload: Payload) -> CheckoutSession:
        session = await self._store.checkout(payload["checkout"])
        assert session is not None, "sessions are not deleted"
        return session


def _can_hold(session: CheckoutSession) -> bool:
    return bool(session.lines) and (session.method not in COLLECTED or session.pickup_location_id is not None)


def _same_stock(before: CheckoutSession, after: CheckoutSession) -> bool:
    def stock(session: CheckoutSession) -> tuple[object, ...]:
        wanted = tuple((line.sku, line.quantity) for line in session.lines)
        return wanted, session.method, session.pickup_location_id

    return stock(before) == stock(after)


def _is_email(text: str) -> bool:
    local, at, host = text.rpartition("@")
    return bool(at and local and host) and len(text) <= 254 and not any(letter.isspace() for letter in text)


def _digest(claim: Claim) -> str:
    return hashlib.sha256(claim.id.encode()).hexdigest()[:32]
