"""Completion: runs the saga of ``model/saga.py``, in the request that asked for it and in the worker that recovers it.

Theory of operation. A saga is one document. Whoever works on it has first pushed ``due_at`` a lease into the future by
comparing and setting the version; every later write compares the version too, so a worker that slept through its lease
writes nothing. An effect happens, *then* its record is written. A process that dies in between leaves a document that
comes due when the lease ends; the next worker does the same effect under the same key, which changes nothing, and goes
on. The request that froze the checkout works on its saga itself for as long as a client may wait and then lets it go.

Fault points, for tests: ``after_freeze``, ``after_<step>`` (effect there, record not), ``recorded_<step>``, and
``after_<undo>`` for the compensations.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import assert_never

from subgraphs.chassis.mongo import DatabaseUnreachable, DuplicateKey, Session
from subgraphs.chassis.outbox import Outbox
from subgraphs.chassis.peers import PeerFailed
from subgraphs.chassis.telemetry import logger
from subgraphs.kernel.clock import Clock
from subgraphs.kernel.errors import DomainError, InvalidInput
from subgraphs.kernel.events import PaymentCaptured
from subgraphs.kernel.money import Money
from subgraphs.orders.model.checkout import CheckoutSession
from subgraphs.orders.model.lines import Message
from subgraphs.orders.model.numbering import CHANCE_BITS, order_number
from subgraphs.orders.model.order import Payment, PaymentState, confirmed_event, place
from subgraphs.orders.model.refusals import (
    BudgetExceeded,
    ConsentRequired,
    Failure,
    OutOfStock,
    PaymentActionRequired,
    PaymentDeclined,
)
from subgraphs.orders.model.saga import (
    RULES,
    UNKNOWN_WINDOW,
    AnswerLost,
    BuyerActs,
    Done,
    GiveBack,
    HoldLapsed,
    Nothing,
    Outcome,
    Perform,
    Refused,
    Saga,
    SagaState,
    Step,
    Undo,
    after,
    next_action,
)
from subgraphs.orders.payments.port import AnswerMissing, Attempt, PaymentProvider
from subgraphs.orders.service.faults import FaultPoints
from subgraphs.orders.service.peers import (
    Catalog,
    Customers,
    HoldGone,
    Inventory,
    Loyalty,
    Short,
    Spend,
    out_of_stock,
)
from subgraphs.orders.store import Store

LEASE = timedelta(seconds=20)
HOLD_MARGIN_S = 120
BUYER_ACTS_WITHIN = timedelta(minutes=10)
CLIENT_WAITS_S = 15.0
_ALONE = frozenset({Step.COMMIT, Step.BUDGET, Step.POINTS})
"""Steps of which nothing but the saga itself keeps a record."""
CLIENT_POLL_S = 0.1
WORKER_POLL_S = 0.5
WORKER_BATCH = 20

_log = logger(__name__)


class _Lost(Exception):
    """Another worker has the saga."""


class Completion:
    """The effects of the saga's steps, and the two ways to drive it."""

    def __init__(
        self,
        store: Store,
        outbox: Outbox,
        clock: Clock,
        catalog: Catalog,
        inventory: Inventory,
        loyalty: Loyalty,
        customers: Customers,
        providers: Mapping[str, PaymentProvider],
        faults: FaultPoints,
    ) -> None:
        self._loyalty = loyalty
        self._customers = customers
        self._store = store
        self._outbox = outbox
        self._clock = clock
        self._catalog = catalog
        self._inventory = inventory
        self._providers = providers
        self._faults = faults

    async def drive(self, saga: Saga, wait_s: float = CLIENT_WAITS_S) -> Saga:
        """Works on a freshly frozen saga until it ends, waits for the buyer, or ``wait_s`` have passed."""
        self._faults.fault("after_freeze")
        try:
            async with asyncio.timeout(wait_s):
                go_on = self._advance  # Its first lease came with the freeze.
                while not _rests(saga):
                    saga = await go_on(saga)
                    go_on = self._work
                    pause = (saga.progress.due_at - self._clock.now()) / timedelta(seconds=1)
                    if not _rests(saga):
                        await asyncio.sleep(max(0.0, pause))
        except TimeoutError:
            # What is half done stays leased, and the worker takes over when the lease ends.
            return await self._store.saga(saga.id) or saga
        except _Lost:
            return await self.wait(saga, wait_s)
        return saga

    async def wait(self, saga: Saga, wait_s: float = CLIENT_WAITS_S) -> Saga:
        """The saga once somebody else has brought it to its end or to the buyer, or as it is after ``wait_s``."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                while not _rests(saga):
                    await asyncio.sleep(CLIENT_POLL_S)
                    saga = await self._store.saga(saga.id) or saga
        return saga

    async def recover(self) -> int:
        """Takes over every saga that is due, once; how many there were."""
        due = await self._store.due_sagas(self._clock.now(), WORKER_BATCH)
        for saga in due:
            try:
                await self._work(saga)
            except _Lost:
                continue
            except DomainError as refusal:
                # An answer no participant should give. Its lease is taken, so the others go on and it is tried again.
                _log.error("saga stuck", saga=saga.id, refusal=type(refusal).__name__, message=refusal.message)
        return len(due)

    async def run(self) -> None:
        """The worker: recovers for ever."""
        while True:
            if not await self.recover():
                await asyncio.sleep(WORKER_POLL_S)

    async def _work(self, saga: Saga) -> Saga:
        """Takes the lease, then goes on with the saga."""
        return await self._advance(await self._save(saga, self._clock.now() + LEASE))

    async def _advance(self, saga: Saga) -> Saga:
        """Acts until the saga ends or must wait."""
        while not saga.progress.ended:
            saga = await self._act(saga)
            now = self._clock.now()
            if saga.progress.ended or saga.progress.due_at > now:
                break
        return saga

    async def _act(self, saga: Saga) -> Saga:
        match next_action(saga.progress):
            case Perform(Step.CONFIRM):
                return await self._confirm(saga)
            case Perform(step) as action:
                changed, outcome = await self._effect(saga, action)
                self._faults.fault(f"after_{step}")
                saga = await self._record(saga, changed, step, outcome)
                self._faults.fault(f"recorded_{step}")
                return saga
            case Undo(step) as action:
                outcome = await self._compensate(saga, action)
                self._faults.fault(f"after_{RULES[step].undo}")
                released = step is Step.RESERVE and isinstance(outcome, Done)
                return await self._record(saga, replace(saga, hold=None) if released else saga, step, outcome)
            case GiveBack():
                return await self._give_back(saga)
            case Nothing():
                return saga
            case unreachable:
                assert_never(unreachable)

    async def _save(self, saga: Saga, due_at: datetime, session: Session | None = None) -> Saga:
        if not await self._store.save_saga(saga, due_at, session):
            raise _Lost
        return replace(saga, version=saga.version + 1)

    async def _record(self, saga: Saga, changed: Saga, step: Step, outcome: Outcome) -> Saga:
        """Writes down what came of an effect, with the payment it concerns, in one transaction."""
        now = self._clock.now()
        progress = after(saga.progress, outcome, now)
        changed = replace(changed, progress=progress)
        stops = progress.ended or progress.due_at > now
        due_at = progress.due_at if stops else now + LEASE

        async def body(session: Session) -> Saga:
            saved = await self._save(changed, due_at, session)
            if step in (Step.AUTHORIZE, Step.CAPTURE):
                await self._note_payment(changed, step, outcome, session)
            if step is Step.CAPTURE and isinstance(outcome, Done):
                await self._tell_capture(changed, session)
            if isinstance(outcome, BuyerActs):
                await self._escalate(changed, outcome, session)
            return saved

        if step in _ALONE or (step is Step.RESERVE and isinstance(outcome, Done)):
            return await self._save(changed, due_at)
        return await self._store.database.transact(body)

    async def _effect(self, saga: Saga, action: Perform) -> tuple[Saga, Outcome]:
        """Does a step. The saga that comes back carries what the step found out."""
        rule = RULES[action.step]
        try:
            async with asyncio.timeout(rule.timeout_s):
                match action.step:
                    case Step.RESERVE:
                        return await self._reserve(saga, action)
                    case Step.BUDGET:
                        return saga, await self._budget(saga, action)
                    case Step.POINTS:
                        return saga, await self._points(saga, action)
                    case Step.AUTHORIZE:
                        return await self._authorize(saga)
                    case Step.COMMIT:
                        return await self._commit(saga, action)
                    case Step.CAPTURE:
                        await self._providers[saga.provider].capture(saga.attempt_id)
                        return saga, Done()
                    case Step.CONFIRM:
                        raise AssertionError("confirming is a transaction of its own")
        except (TimeoutError, PeerFailed, AnswerMissing, DatabaseUnreachable) as error:
            _log.warning("saga answer lost", saga=saga.id, step=action.step.value, error=type(error).__name__)
            return saga, AnswerLost()

    async def _reserve(self, saga: Saga, action: Perform) -> tuple[Saga, Outcome]:
        checkout = await self._checkout(saga)
        seconds = max(checkout.hold_s, HOLD_MARGIN_S)
        key = saga.key(action)
        if saga.hold is not None and not saga.progress.reserved_again:
            try:
                held = await self._inventory.extend(saga.hold.reservation_id, seconds, f"{key}:extend")
                return replace(saga, hold=held), Done()
            except (HoldGone, InvalidInput):
                # Lapsed, or given back by the buyer's own hand: there may still be stock for a new one.
                pass
        try:
            held = await self._inventory.reserve(
                checkout.id,
                checkout.lines,
                method=checkout.method,
                pickup_location_id=checkout.pickup_location_id,
                channel=checkout.channel,
                seconds=seconds,
                key=key,
            )
        except Short as short:
            return replace(saga, hold=None), Refused(await self._out_of_stock(checkout, short))
        except InvalidInput as error:
            return replace(saga, hold=None), Refused(Failure.of(error))
        return replace(saga, hold=held), Done()

    async def _budget(self, saga: Saga, action: Perform) -> Outcome:
        checkout = await self._checkout(saga)
        assert saga.mandate_id is not None, "a budget is a mandate's"
        assert checkout.agent_id is not None, "a mandate is an agent's"
        assert checkout.customer_id is not None, "a mandate is for a customer"
        spend = Spend(
            mandate_id=saga.mandate_id,
            agent_id=checkout.agent_id,
            customer_id=checkout.customer_id,
            order_id=saga.order_id,
            amount=saga.amount,
            categories=tuple(sorted({line.category_slug for line in checkout.lines})),
        )
        try:
            await self._customers.hold_budget(spend, f"/checkout/{checkout.id}", saga.key(action))
        except (BudgetExceeded, ConsentRequired, InvalidInput) as refusal:
            return Refused(Failure.of(refusal), keep_hold=True)
        return Done()

    async def _points(self, saga: Saga, action: Perform) -> Outcome:
        checkout = await self._checkout(saga)
        assert checkout.customer_id is not None, "points are a customer's"
        try:
            await self._loyalty.hold_points(checkout.customer_id, checkout.points, saga.order_id, saga.key(action))
        except InvalidInput as refusal:
            return Refused(Failure.of(refusal), keep_hold=True)
        return Done()

    async def _authorize(self, saga: Saga) -> tuple[Saga, Outcome]:
        """Asks for the money once. After a lost answer only asks what became of it, until the provider must have it.

        The same attempt is then sent again, never a new one: the provider charges an attempt at most once.
        """
        provider = self._providers[saga.provider]
        since = saga.progress.unknown_since
        waiting = saga.progress.waits_until
        if since is not None or waiting is not None:
            known = await provider.fetch(saga.attempt_id)
            if known is not None:
                return self._judged(saga, known)
            if since is not None and self._clock.now() - since < UNKNOWN_WINDOW:
                return saga, AnswerLost()
        return self._judged(saga, await provider.authorize(saga.attempt_id, saga.amount, saga.token))

    def _judged(self, saga: Saga, attempt: Attempt) -> tuple[Saga, Outcome]:
        saga = replace(saga, provider_ref=attempt.ref)
        match attempt.state:
            case "AUTHORIZED" | "CAPTURED":
                return saga, Done()
            case "REQUIRES_ACTION":
                until = saga.progress.waits_until or self._clock.now() + BUYER_ACTS_WITHIN
                return saga, BuyerActs(Failure.of(PaymentActionRequired(attempt.action_url or "")), until)
            case "DECLINED" | "VOIDED":
                declined = PaymentDeclined(attempt.decline_code or "voided", attempt.retryable)
                return saga, Refused(Failure.of(declined), keep_hold=True)
            case _:
                assert_never(attempt.state)

    async def _commit(self, saga: Saga, action: Perform) -> tuple[Saga, Outcome]:
        assert saga.hold is not None, "a commit follows a reservation"
        try:
            held = await self._inventory.commit(saga.hold.reservation_id, saga.order_id, saga.key(action))
        except HoldGone:
            first = saga.hold.lines[0].sku
            return saga, HoldLapsed(Failure.of(OutOfStock(first, None)))
        return replace(saga, hold=held), Done()

    async def _confirm(self, saga: Saga) -> Saga:
        """The order, the completed checkout, the payment's order and the event, in one transaction with the record."""
        while True:
            try:
                confirmed = await self._store.database.transact(partial(self._place, saga))
            except DuplicateKey as taken:
                if "number" not in taken.key:
                    raise
                # Another order of this minute drew the same number.
                chance = secrets.randbits(CHANCE_BITS)
                saga = replace(saga, number=order_number(self._clock.now(), chance))
                continue
            self._faults.fault("recorded_confirm")
            return confirmed

    async def _place(self, saga: Saga, session: Session) -> Saga:
        now = self._clock.now()
        assert saga.hold is not None, "what is committed was held"
        checkout = await self._checkout(saga, session)
        progress = after(saga.progress, Done(), now)
        changed = replace(saga, progress=progress, token="" if progress.ended else saga.token)
        saved = await self._save(changed, now + LEASE, session)
        order = place(
            checkout,
            saga.hold,
            order_id=saga.order_id,
            number=saga.number,
            placed_at=now,
            mandate_id=saga.mandate_id,
        )
        await self._store.add_order(order, session)
        completed = replace(
            checkout.next_version(),
            status="COMPLETED",
            order_id=order.id,
            hold=saga.hold,
            messages=(),
            continue_url=None,
        )
        assert await self._store.save_checkout(completed, checkout.version, session), "read in this transaction"
        if Step.AUTHORIZE in saga.progress.wants:
            paid = await self._store.give_payment(saga.attempt_id, order.id, session)
            assert paid, "an order follows its authorization"
        await self._outbox.append(
            session,
            confirmed_event(order),
            aggregate=f"order:{order.id}",
            aggregate_version=order.version,
            causation=saga.id,
        )
        self._faults.fault("after_confirm")
        return saved

    async def _compensate(self, saga: Saga, action: Undo) -> Outcome:
        try:
            async with asyncio.timeout(RULES[action.step].timeout_s):
                if action.step is Step.AUTHORIZE:
                    await self._providers[saga.provider].void(saga.attempt_id, saga.amount)
                elif action.step is Step.POINTS:
                    await self._loyalty.release_points(saga.order_id, saga.key(action))
                elif action.step is Step.BUDGET:
                    assert saga.mandate_id is not None, "a budget is a mandate's"
                    await self._customers.release_budget(saga.mandate_id, saga.order_id, saga.key(action))
                elif saga.hold is not None:
                    await self._inventory.release(saga.hold.reservation_id, "checkout not completed", saga.key(action))
        except (TimeoutError, PeerFailed, AnswerMissing, DatabaseUnreachable):
            return AnswerLost()
        return Done()

    async def _give_back(self, saga: Saga) -> Saga:
        """The checkout is the buyer's again, with a message that says why; the saga ends in the same transaction."""
        now = self._clock.now()
        failure = saga.progress.failure
        assert failure is not None, "a saga turns back for a reason"

        async def body(session: Session) -> Saga:
            saved = await self._save(replace(saga, progress=after(saga.progress, Done(), now), token=""), now, session)
            checkout = await self._checkout(saga, session)
            error = failure.error()
            message = Message(level="ERROR", code=_code(failure), text=error.message, severity=error.severity)
            back = replace(checkout.next_version(), hold=saga.hold, saga_id=None).settled((message,))
            if failure.code == "OutOfStock":
                back = replace(back, status="INCOMPLETE")
            assert await self._store.save_checkout(back, checkout.version, session), "read in this transaction"
            return saved

        return await self._store.database.transact(body)

    async def _escalate(self, saga: Saga, outcome: BuyerActs, session: Session) -> None:
        """The buyer is needed: the session says where."""
        checkout = await self._checkout(saga, session)
        if checkout.status == "REQUIRES_ESCALATION":
            return
        error = outcome.failure.error()
        assert isinstance(error, PaymentActionRequired)
        message = Message(
            level="ERROR", code="PAYMENT_ACTION_REQUIRED", text=error.message, severity="REQUIRES_BUYER_INPUT"
        )
        waiting = replace(
            checkout.next_version(),
            status="REQUIRES_ESCALATION",
            continue_url=error.action_url,
            messages=(message,),
        )
        assert await self._store.save_checkout(waiting, checkout.version, session), "read in this transaction"

    async def _note_payment(self, saga: Saga, step: Step, outcome: Outcome, session: Session) -> None:
        """Keeps our own record of the attempt in step with what the provider said."""
        nothing = Money.zero(saga.amount.currency)
        state: PaymentState | None = None
        if saga.progress.state is SagaState.COMPENSATING and isinstance(outcome, Done):
            state = "VOIDED"
        elif step is Step.CAPTURE and isinstance(outcome, Done):
            state = "CAPTURED"
        elif isinstance(outcome, Done):
            state = "AUTHORIZED"
        elif isinstance(outcome, Refused):
            state = "FAILED"
        elif isinstance(outcome, BuyerActs):
            state = "REQUIRES_ACTION"
        if state is None:
            return
        live = state in ("AUTHORIZED", "CAPTURED")
        await self._store.note_payment(
            Payment(
                id=saga.attempt_id,
                order_id=None,
                checkout_id=saga.checkout_id,
                provider=saga.provider,
                provider_ref=saga.provider_ref or "",
                state=state,
                authorized=saga.amount if live else nothing,
                captured=saga.amount if state == "CAPTURED" else nothing,
                refunded=nothing,
                at=self._clock.now(),
            ),
            session,
        )

    async def _tell_capture(self, saga: Saga, session: Session) -> None:
        fact = PaymentCaptured(
            payment_id=saga.attempt_id,
            order_id=saga.order_id,
            currency=saga.amount.currency,
            amount_minor=saga.amount.minor,
        )
        await self._outbox.append(
            session, fact, aggregate=f"payment:{saga.attempt_id}", aggregate_version=1, causation=saga.id
        )

    async def _checkout(self, saga: Saga, session: Session | None = None) -> CheckoutSession:
        checkout = await self._store.checkout(saga.checkout_id, session)
        assert checkout is not None, "a saga belongs to a checkout"
        return checkout

    async def _out_of_stock(self, checkout: CheckoutSession, short: Short) -> Failure:
        return Failure.of(
            await out_of_stock(
                short.shortage, self._catalog, self._inventory, checkout.channel, checkout.currency, checkout.country
            )
        )


def _code(failure: Failure) -> str:
    codes = {
        "OutOfStock": "OUT_OF_STOCK",
        "PaymentDeclined": "PAYMENT_DECLINED",
        "BudgetExceeded": "BUDGET_EXCEEDED",
        "ConsentRequired": "CONSENT_REQUIRED",
        "RequestInFlight": "TRY_AGAIN",
    }
    return codes.get(failure.code, "NOT_COMPLETED")


def _rests(saga: Saga) -> bool:
    """Whether there is an answer for the client: the end, or the buyer's turn."""
    return saga.progress.ended or saga.progress.waits_until is not None
