"""The Stripe adapter, through Stripe's own library, against a local server with the shapes of its API."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from subgraphs.kernel.money import Money
from subgraphs.orders.payments.port import AnswerMissing
from subgraphs.orders.payments.stripe import StripeProvider, from_stripe, to_stripe
from tests.kit.fake_subgraphs import listening

# Stripe's library hands its forms to httpx in a way that httpx is about to give up.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")

EUR = Money(4490, "EUR")


def card_error(code: str, decline_code: str | None = None) -> dict[str, Any]:
    return {
        "error": {
            "type": "card_error",
            "code": code,
            "decline_code": decline_code,
            "message": "Your card was declined.",
            "payment_intent": {"id": "pi_declined", "object": "payment_intent", "status": "requires_payment_method"},
        }
    }


@dataclass
class Api:
    """As much of Stripe as the adapter asks: intents by attempt, answers by idempotency key."""

    intents: dict[str, dict[str, Any]] = field(default_factory=dict)
    answers: dict[str, tuple[int, dict[str, Any]]] = field(default_factory=dict)
    refunds: list[dict[str, str]] = field(default_factory=list)
    charges: int = 0
    down: int = 0
    """So many answers to come are a failure of theirs; their effect is there."""

    async def answer(self, request: Request) -> Response:
        assert request.headers["authorization"] == "Bearer sk_test_1"
        key = request.headers.get("idempotency-key")
        form = dict(parse_qsl((await request.body()).decode()))
        if key is None or key not in self.answers:
            found = self._do(request.url.path, form, dict(request.query_params))
            if key is not None:
                self.answers[key] = found
        else:
            found = self.answers[key]
        if self.down:
            self.down -= 1
            return JSONResponse({"error": {"type": "api_error", "message": "try later"}}, 500)
        return JSONResponse(found[1], found[0])

    def _do(self, path: str, form: dict[str, str], query: dict[str, str]) -> tuple[int, dict[str, Any]]:
        if path == "/v1/payment_intents/search":
            attempt = query["query"].rpartition(':"')[2].rstrip('"')
            found = [one for one in self.intents.values() if one["metadata"]["attempt"] == attempt]
            return 200, {"object": "search_result", "data": found, "has_more": False, "url": path}
        if path == "/v1/payment_intents":
            return self._create(form)
        if path == "/v1/refunds":
            self.refunds.append(form)
            return 200, {"id": "re_1", "object": "refund", "amount": int(form["amount"]), "status": "succeeded"}
        _, _, _, intent_id, act = path.split("/")
        intent = self.intents[intent_id]
        if act == "capture":
            intent |= {"status": "succeeded", "amount_received": intent["amount"]}
        elif act == "cancel":
            intent |= {"status": "canceled"}
        return 200, intent

    def _create(self, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        token = form["payment_method"]
        if token == "pm_declined":
            return 402, card_error("card_declined", "insufficient_funds")
        if token == "pm_stolen":
            return 402, card_error("card_declined", "stolen_card")
        self.charges += 1
        intent: dict[str, Any] = {
            "id": f"pi_{len(self.intents)}",
            "object": "payment_intent",
            "amount": int(form["amount"]),
            "amount_received": 0,
            "currency": form["currency"],
            "metadata": {"attempt": form["metadata[attempt]"]},
            "status": "requires_capture",
            "last_payment_error": None,
            "next_action": None,
        }
        assert (form["capture_method"], form["confirm"]) == ("manual", "true")
        if token == "pm_3ds":
            url = {"url": "https://hooks.stripe.test/3ds", "return_url": None}
            intent |= {"status": "requires_action", "next_action": {"type": "redirect_to_url", "redirect_to_url": url}}
        self.intents[intent["id"]] = intent
        return 200, intent


@pytest.fixture
def api() -> Api:
    return Api()


@pytest.fixture
async def provider(api: Api) -> AsyncIterator[StripeProvider]:
    app = Starlette(routes=[Route("/{rest:path}", api.answer, methods=["GET", "POST"])])
    async with listening(app) as base:
        found = StripeProvider("sk_test_1", base)
        yield found
        await found.aclose()


async def test_an_attempt_is_authorized_captured_and_refunded_once_each(provider: StripeProvider, api: Api) -> None:
    attempt = await provider.authorize("pay_1", EUR, "pm_card_visa")
    assert (attempt.id, attempt.state, attempt.amount, attempt.captured.minor) == ("pay_1", "AUTHORIZED", EUR, 0)
    assert (await provider.authorize("pay_1", EUR, "pm_card_visa")).ref == attempt.ref
    assert api.charges == 1
    for _ in range(2):
        taken = await provider.capture("pay_1")
        assert (taken.state, taken.captured) == ("CAPTURED", EUR)
    for _ in range(2):
        await provider.refund("rfd_1", "pay_1", Money(1000, "EUR"))
    assert [one["amount"] for one in api.refunds] == ["1000"]
    known = await provider.fetch("pay_1")
    assert known is not None
    assert known.state == "CAPTURED"


async def test_a_decline_says_why_and_whether_another_card_may_work(provider: StripeProvider) -> None:
    poor = await provider.authorize("pay_1", EUR, "pm_declined")
    assert (poor.state, poor.decline_code, poor.retryable) == ("DECLINED", "insufficient_funds", True)
    stolen = await provider.authorize("pay_2", EUR, "pm_stolen")
    assert (stolen.state, stolen.decline_code, stolen.retryable) == ("DECLINED", "stolen_card", False)


async def test_a_challenge_sends_the_buyer_to_stripe(provider: StripeProvider) -> None:
    attempt = await provider.authorize("pay_1", EUR, "pm_3ds")
    assert (attempt.state, attempt.action_url) == ("REQUIRES_ACTION", "https://hooks.stripe.test/3ds")


async def test_an_answer_that_is_lost_is_unknown_and_the_same_attempt_charges_once(
    provider: StripeProvider, api: Api
) -> None:
    api.down = 1
    with pytest.raises(AnswerMissing):
        await provider.authorize("pay_1", EUR, "pm_card_visa")
    known = await provider.fetch("pay_1")
    assert known is not None
    assert known.state == "AUTHORIZED"
    assert (await provider.authorize("pay_1", EUR, "pm_card_visa")).ref == known.ref
    assert api.charges == 1
    assert await provider.fetch("pay_unknown") is None
    api.down = 1
    with pytest.raises(AnswerMissing):
        await provider.fetch("pay_1")


async def test_a_void_gives_up_what_is_promised_and_nothing_else(provider: StripeProvider, api: Api) -> None:
    await provider.authorize("pay_1", EUR, "pm_card_visa")
    await provider.void("pay_1", EUR)
    await provider.void("pay_1", EUR)
    await provider.void("pay_never_seen", EUR)
    known = await provider.fetch("pay_1")
    assert known is not None
    assert known.state == "VOIDED"
    assert len(api.intents) == 1


@pytest.mark.parametrize(
    ("amount", "units"),
    [(Money(4490, "EUR"), 4490), (Money(500, "JPY"), 500), (Money(500, "ISK"), 50000), (Money(1500, "KWD"), 1500)],
)
def test_amounts_are_in_stripes_smallest_units(amount: Money, units: int) -> None:
    assert to_stripe(amount) == units
    assert from_stripe(units, amount.currency) == amount
