"""Money after the sale: captures, voids and refunds, each done once however often somebody dies over it.

Theory of operation. Whoever decides that money must move writes an *errand* in the transaction of the decision, and asks
no provider there. A worker takes errands that are due: it leases one by comparing and counting its tries, asks the
provider under the errand's own key, which does it at most once, and writes what came of it (the payment, the order's
timeline, the event) in one transaction with the errand's end. An answer that is lost leaves the errand; it comes due again
and is asked under the same key, so a refund whose answer was lost is never made twice.

A refund waits until its payment is captured: the goods that come back have left, so its capture is on its way. What is
given back is never more than what was taken: the amount is reserved against all errands of the order when it is decided.

Fault points, for tests: ``after_errand`` (the provider has done it, the record is not there).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from subgraphs.chassis.mongo import DatabaseUnreachable, Session
from subgraphs.chassis.outbox import Outbox
from subgraphs.chassis.telemetry import logger
from subgraphs.kernel.clock import Clock
from subgraphs.kernel.errors import InvalidInput, RequestInFlight
from subgraphs.kernel.events import Event, PaymentCaptured, RefundIssued
from subgraphs.kernel.ids import new_id
from subgraphs.kernel.money import Money
from subgraphs.orders.model.delivery import Happening
from subgraphs.orders.model.order import Adjustment, Order, Payment
from subgraphs.orders.model.returns import Refund, goods_total, refunded
from subgraphs.orders.payments.counter import PREFIX, CounterProvider
from subgraphs.orders.payments.port import AnswerMissing, PaymentProvider
from subgraphs.orders.service.faults import FaultPoints
from subgraphs.orders.store import Store
from subgraphs.orders.store.after_sales import AfterSales, Errand, RefundPart

LEASE = timedelta(seconds=20)
PROVIDER_S = 10.0
RETRY = timedelta(seconds=1)
RETRY_MAX = timedelta(minutes=5)
WORKER_POLL_S = 0.5
WORKER_BATCH = 20

_log = logger(__name__)


class Errands:
    """Deciding on errands, and the worker that runs them."""

    def __init__(
        self,
        store: Store,
        after_sales: AfterSales,
        outbox: Outbox,
        clock: Clock,
        providers: Mapping[str, PaymentProvider],
        faults: FaultPoints,
    ) -> None:
        self._store = store
        self._after = after_sales
        self._outbox = outbox
        self._clock = clock
        self._providers = providers
        self._faults = faults
        self._counter = CounterProvider()

    async def capture(self, order: Order, session: Session) -> None:
        """Wants the money that is promised for an order; nothing, if that is under way or done."""
        known = {errand.id for errand in await self._after.errands_of(order.id, session)}
        for payment in (await self._store.payments_of([order.id])).get(order.id, ()):
            if payment.state == "AUTHORIZED" and f"capture:{payment.id}" not in known:
                await self._after.add_errands([self._errand("CAPTURE", payment, payment.authorized)], session)

    async def let_go(self, order: Order, session: Session) -> None:
        """Gives up what is promised and gives back what is taken, all of it: the order is cancelled."""
        errands = await self._after.errands_of(order.id, session)
        captures = {errand.payment_id for errand in errands if errand.kind == "CAPTURE"}
        taken = False
        for payment in (await self._store.payments_of([order.id])).get(order.id, ()):
            if payment.state == "AUTHORIZED" and payment.id not in captures:
                await self._after.add_errands([self._errand("VOID", payment, payment.authorized)], session)
            elif payment.state in ("AUTHORIZED", "CAPTURED", "PARTIALLY_REFUNDED"):
                taken = True
        if taken:
            left = self._left(await self._payments(order.id), errands)
            if left.minor:
                await self.refund(order, Refund(left, goods_total(order)), None, "CANCELED", session)

    async def refund(self, order: Order, owed: Refund, return_id: str | None, reason: str, session: Session) -> str:
        """Wants so much given back, to the tenders it came from, the first first; the refund's identity. Raises
        ``InvalidInput`` when that is more than was taken. Where no money is owed it is a fact at once."""
        refund_id, amount = new_id("rfd"), owed.amount
        if not amount.minor:
            await self._without_money(order, owed, refund_id, return_id, session)
            return refund_id
        errands = await self._after.errands_of(order.id, session)
        payments = await self._payments(order.id)
        if amount.minor > self._left(payments, errands).minor:
            raise InvalidInput("more than was paid and not given back", path=("amount",))
        wanted, parts = amount.minor, list[Errand]()
        for payment in payments:
            part = min(wanted, _refundable(payment, errands))
            if part > 0:
                errand = self._errand("REFUND", payment, Money(part, amount.currency))
                about = RefundPart(
                    refund_id=refund_id,
                    return_id=return_id,
                    reason=reason,
                    goods_minor=owed.goods_minor,
                    points=0 if parts else owed.points,
                    points_minor=0 if parts else owed.points_minor,
                )
                parts.append(replace(errand, id=f"refund:{refund_id}:{len(parts)}", refund=about))
                wanted -= part
        await self._after.add_errands(parts, session)
        return refund_id

    async def _without_money(
        self, order: Order, owed: Refund, refund_id: str, return_id: str | None, session: Session
    ) -> None:
        issued = RefundIssued(
            refund_id=refund_id,
            order_id=order.id,
            return_id=return_id,
            customer_id=order.customer_id,
            currency=order.currency,
            amount_minor=0,
            goods_minor=owed.goods_minor,
            goods_total_minor=goods_total(order),
            points=owed.points,
            points_minor=owed.points_minor,
        )
        # Of the order's own facts this one comes last at its version; it is a thing of its own to those who count versions.
        await self._outbox.append(session, issued, aggregate=f"refund:{refund_id}", aggregate_version=1)

    async def settle(self, order_id: str) -> None:
        """Tries an order's errands now, for somebody who waits at a counter. What does not work out stays with the worker."""
        for errand in await self._after.errands_of(order_id):
            if not errand.done:
                await self._try(errand)

    async def run_due(self) -> int:
        """Tries every errand that is due, once; how many there were."""
        due = await self._after.due_errands(self._clock.now(), WORKER_BATCH)
        for errand in due:
            await self._try(errand)
        return len(due)

    async def run(self) -> None:
        """The worker: for ever."""
        while True:
            if not await self.run_due():
                await asyncio.sleep(WORKER_POLL_S)

    async def _payments(self, order_id: str) -> list[Payment]:
        return (await self._store.payments_of([order_id])).get(order_id, [])

    def _left(self, payments: Sequence[Payment], errands: Sequence[Errand]) -> Money:
        """What may still be given back."""
        return Money(
            sum(_refundable(payment, errands) for payment in payments),
            payments[0].authorized.currency if payments else "EUR",
        )

    def _errand(self, kind: str, payment: Payment, amount: Money) -> Errand:
        assert payment.order_id is not None, "errands are an order's"
        assert kind in ("CAPTURE", "VOID", "REFUND")
        return Errand(
            id=f"{kind.lower()}:{payment.id}",
            kind=kind,  # type: ignore[arg-type]  # checked above
            payment_id=payment.id,
            order_id=payment.order_id,
            amount=amount,
            refund=None,
            done=False,
            tries=0,
            due_at=self._clock.now(),
        )

    async def _try(self, errand: Errand) -> None:
        now = self._clock.now()
        if not await self._after.lease_errand(errand, now + LEASE):
            return
        payment = await self._store.payment(errand.payment_id)
        assert payment is not None, "an errand belongs to a payment"
        again = now + min(RETRY * 2 ** min(errand.tries, 10), RETRY_MAX)
        if errand.kind == "REFUND" and payment.state == "AUTHORIZED":
            await self._after.put_off(errand.id, now + RETRY)
            return
        try:
            async with asyncio.timeout(PROVIDER_S):
                await self._ask(errand, payment)
        except (TimeoutError, AnswerMissing, DatabaseUnreachable) as lost:
            _log.warning("errand's answer lost", errand=errand.id, tries=errand.tries + 1, error=type(lost).__name__)
            await self._after.put_off(errand.id, again)
            return
        except Exception:  # noqa: BLE001 - whatever it is, it belongs to this errand: the others go on
            _log.exception("errand failed", errand=errand.id, tries=errand.tries + 1)
            await self._after.put_off(errand.id, again)
            return
        self._faults.fault("after_errand")
        try:
            await self._store.database.transact(lambda session: self._record(errand, session))
        except RequestInFlight:
            await self._after.put_off(errand.id, now + RETRY)

    async def _ask(self, errand: Errand, payment: Payment) -> None:
        provider: PaymentProvider = (
            self._counter if payment.provider.startswith(PREFIX) else self._providers[payment.provider]
        )
        match errand.kind:
            case "CAPTURE":
                if (await provider.capture(payment.id)).state != "CAPTURED":
                    raise AnswerMissing
            case "VOID":
                await provider.void(payment.id, errand.amount)
            case "REFUND":
                await provider.refund(errand.id, payment.id, errand.amount)

    async def _record(self, errand: Errand, session: Session) -> None:
        known = await self._after.errand(errand.id, session)
        if known is None or known.done:
            return  # Somebody else was quicker: the provider did it once for both.
        payment = await self._store.payment(errand.payment_id, session)
        order = await self._store.order(errand.order_id, session)
        assert payment is not None, "payments are not deleted"
        assert order is not None, "orders are not deleted"
        now = self._clock.now()
        changed, told, fact = _after(errand, payment, order, now)
        await self._store.put_payment(changed, session)
        if not await self._store.save_order(told, order.version, session):
            raise RequestInFlight("the order is being changed", 200)
        if fact is not None:
            await self._outbox.append(
                session, fact, aggregate=f"order:{order.id}", aggregate_version=told.version, causation=errand.id
            )
        if errand.refund is not None and errand.refund.return_id is not None:
            given = await self._after.given_back(errand.refund.return_id, session)
            assert given is not None, "returns are not deleted"
            if given.state == "INSPECTED":
                ended = replace(refunded(given, now), version=given.version + 1)
                await self._after.save_return(ended, given.version, session)
        await self._after.errand_done(errand.id, session)


def _refundable(payment: Payment, errands: Sequence[Errand]) -> int:
    """What of a payment may still be given back, in minor units: taken or promised for goods that left, less refunds."""
    if payment.state not in ("AUTHORIZED", "CAPTURED", "PARTIALLY_REFUNDED"):
        return 0
    wanted = sum(
        errand.amount.minor for errand in errands if errand.kind == "REFUND" and errand.payment_id == payment.id
    )
    return payment.authorized.minor - wanted


def _after(errand: Errand, payment: Payment, order: Order, now: datetime) -> tuple[Payment, Order, Event | None]:
    """The payment and the order once the provider has done it, and what others must hear."""
    amount = errand.amount
    told = replace(order, version=order.version + 1)
    note = f"{amount.amount} {amount.currency}"

    def noted(what: str) -> Order:
        return replace(told, timeline=(*order.timeline, Happening(now, what, "galleria", note)))

    match errand.kind:
        case "CAPTURE":
            captured = PaymentCaptured(
                payment_id=payment.id, order_id=order.id, currency=amount.currency, amount_minor=amount.minor
            )
            return replace(payment, state="CAPTURED", captured=amount), noted("PAYMENT_CAPTURED"), captured
        case "VOID":
            nothing = Money.zero(amount.currency)
            return replace(payment, state="VOIDED", authorized=nothing), noted("PAYMENT_VOIDED"), None
        case "REFUND":
            assert errand.refund is not None, "a refund says what it is for"
            refunded = payment.refunded + amount
            changed = replace(
                payment,
                refunded=refunded,
                state="REFUNDED" if refunded == payment.captured else "PARTIALLY_REFUNDED",
            )
            entry = Adjustment(id=errand.id, kind=f"REFUND_{errand.refund.reason}", at=now, amount=amount)
            issued = RefundIssued(
                refund_id=errand.id,
                order_id=order.id,
                return_id=errand.refund.return_id,
                customer_id=order.customer_id,
                currency=amount.currency,
                amount_minor=amount.minor,
                goods_minor=errand.refund.goods_minor,
                goods_total_minor=goods_total(order),
                points=errand.refund.points,
                points_minor=errand.refund.points_minor,
            )
            return changed, replace(noted("REFUNDED"), adjustments=(*order.adjustments, entry)), issued
