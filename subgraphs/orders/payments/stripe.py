"""Stripe behind the port, by its official library: an attempt is a PaymentIntent, captured by hand.

Our attempt's identity is the idempotency key of its creation and its ``metadata.attempt``, by which ``fetch`` finds it
again; so an attempt whose answer was lost is never charged twice. Amounts are in Stripe's smallest units, which are our minor
units but for the few currencies that Stripe counts by its own rule (``_SPECIAL``).

What Stripe says of a card is a state (declined, wants the buyer); that it cannot be reached, or fails, is ``AnswerMissing``.
The library is imported when an adapter is made: a house without Stripe does not need it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from subgraphs.kernel.money import Money, exponent
from subgraphs.orders.payments.port import AnswerMissing, Attempt, AttemptState

if TYPE_CHECKING:
    import stripe

NAME: Final = "stripe"
TIMEOUT_S: Final = 10.0
# Currencies that Stripe counts with two decimals although ISO 4217 has none.
_SPECIAL: Final = frozenset({"ISK", "UGX"})
_RETRYABLE: Final = frozenset(
    {"insufficient_funds", "card_velocity_exceeded", "processing_error", "issuer_not_available", "try_again_later"}
)
_STATES: Final[dict[str, AttemptState]] = {
    "requires_capture": "AUTHORIZED",
    "succeeded": "CAPTURED",
    "canceled": "VOIDED",
    "requires_action": "REQUIRES_ACTION",
    "requires_payment_method": "DECLINED",
}


class StripeProvider:
    """Stripe at ``api_base`` (its own by default) for one account."""

    def __init__(self, api_key: str, api_base: str | None = None) -> None:
        import stripe

        self._stripe = stripe
        self._http = stripe.HTTPXClient(timeout=TIMEOUT_S)
        addresses: Any = {"api": api_base} if api_base is not None else {}
        self._client = stripe.StripeClient(
            api_key,
            base_addresses=addresses,
            max_network_retries=0,  # whoever asks us retries, and knows when to stop
            http_client=self._http,
        )

    async def aclose(self) -> None:
        """Closes its connections."""
        await self._http.close_async()  # type: ignore[no-untyped-call]  # the library leaves this one untyped

    async def authorize(self, attempt_id: str, amount: Money, token: str) -> Attempt:
        try:
            intent = await self._client.v1.payment_intents.create_async(
                {
                    "amount": to_stripe(amount),
                    "currency": amount.currency.lower(),
                    "payment_method": token,
                    "capture_method": "manual",
                    "confirm": True,
                    "metadata": {"attempt": attempt_id},
                },
                {"idempotency_key": attempt_id},
            )
        except self._stripe.CardError as declined:
            return self._declined(attempt_id, amount, declined)
        except self._stripe.StripeError as failed:
            raise AnswerMissing from failed
        return self._attempt(attempt_id, intent)

    async def capture(self, attempt_id: str) -> Attempt:
        intent = await self._found(attempt_id)
        if intent.status == "succeeded":
            return self._attempt(attempt_id, intent)
        try:
            taken = await self._client.v1.payment_intents.capture_async(
                intent.id, {}, {"idempotency_key": f"capture:{attempt_id}"}
            )
        except self._stripe.StripeError as failed:
            raise AnswerMissing from failed
        return self._attempt(attempt_id, taken)

    async def void(self, attempt_id: str, amount: Money) -> None:
        try:
            intent = await self._search(attempt_id)
            if intent is not None and intent.status not in ("canceled", "succeeded"):
                await self._client.v1.payment_intents.cancel_async(
                    intent.id, {}, {"idempotency_key": f"void:{attempt_id}"}
                )
        except self._stripe.StripeError as failed:
            raise AnswerMissing from failed

    async def refund(self, refund_id: str, attempt_id: str, amount: Money) -> None:
        intent = await self._found(attempt_id)
        try:
            await self._client.v1.refunds.create_async(
                {"payment_intent": intent.id, "amount": to_stripe(amount), "metadata": {"refund": refund_id}},
                {"idempotency_key": refund_id},
            )
        except self._stripe.StripeError as failed:
            raise AnswerMissing from failed

    async def fetch(self, attempt_id: str) -> Attempt | None:
        try:
            intent = await self._search(attempt_id)
        except self._stripe.StripeError as failed:
            raise AnswerMissing from failed
        return None if intent is None else self._attempt(attempt_id, intent)

    async def _found(self, attempt_id: str) -> stripe.PaymentIntent:
        try:
            intent = await self._search(attempt_id)
        except self._stripe.StripeError as failed:
            raise AnswerMissing from failed
        if intent is None:
            raise AnswerMissing
        return intent

    async def _search(self, attempt_id: str) -> stripe.PaymentIntent | None:
        found = await self._client.v1.payment_intents.search_async({"query": f'metadata["attempt"]:"{attempt_id}"'})
        return found.data[0] if found.data else None

    def _attempt(self, attempt_id: str, intent: stripe.PaymentIntent) -> Attempt:
        state = _STATES.get(intent.status)
        if state is None:
            raise AnswerMissing  # Stripe is still at it; what became of it can be asked later.
        error, action = intent.last_payment_error, intent.next_action
        code = (error.decline_code or error.code) if error is not None else None
        redirect = action.redirect_to_url if action is not None else None
        currency = intent.currency.upper()
        return Attempt(
            id=attempt_id,
            ref=intent.id,
            state=state,
            amount=from_stripe(intent.amount, currency),
            captured=from_stripe(intent.amount_received or 0, currency),
            decline_code=code if state == "DECLINED" else None,
            retryable=state == "DECLINED" and code in _RETRYABLE,
            action_url=redirect.url if redirect is not None else None,
        )

    def _declined(self, attempt_id: str, amount: Money, declined: stripe.CardError) -> Attempt:
        body: Any = declined.json_body or {}
        error = body.get("error", {})
        code = error.get("decline_code") or error.get("code") or "card_declined"
        return Attempt(
            id=attempt_id,
            ref=(error.get("payment_intent") or {}).get("id", ""),
            state="DECLINED",
            amount=amount,
            captured=Money.zero(amount.currency),
            decline_code=code,
            retryable=code in _RETRYABLE,
        )


def to_stripe(amount: Money) -> int:
    """The amount in what Stripe calls its smallest unit."""
    return amount.minor * 100 if _is_special(amount.currency) else amount.minor


def from_stripe(units: int, currency: str) -> Money:
    return Money(units // 100 if _is_special(currency) else units, currency)


def _is_special(currency: str) -> bool:
    return currency in _SPECIAL and exponent(currency) == 0
