"""People who buy, and what each of them was told. They use the gateway alone, and send again what was not answered.

A buyer believes an answer, and nothing else: a reply that does not come, or that says the house could not, is asked for
again under the same idempotency key until patience ends; then the outcome is *unknown* to them. What they were told is
compared with the books afterwards (``verdict``).
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import httpx

from gateway.local.client import HouseClient
from tests.kit.shop import ADDRESS

PATIENCE_S = 40.0
"""Longer than the lease of a request whose worker was killed: the same key is heard again when that has ended."""
ASKED_AGAIN_S = (0.05, 0.4)
UNKNOWN = "unknown"

CREATE = """mutation($i: CheckoutCreateInput!, $k: IdempotencyKey!) { outcome: checkoutCreate(input: $i, idempotencyKey: $k) {
  checkout { id version status totals { kind amount { minor currency } } } errors { __typename ... on UserError { message } } } }"""
UPDATE = """mutation($id: ID!, $v: Int!, $i: CheckoutUpdateInput!, $k: IdempotencyKey!) {
  outcome: checkoutUpdate(id: $id, expectedVersion: $v, input: $i, idempotencyKey: $k) {
  checkout { id version status totals { kind amount { minor currency } } } errors { __typename ... on UserError { message } } } }"""
COMPLETE = """mutation($id: ID!, $i: CheckoutCompleteInput!, $k: IdempotencyKey!) {
  outcome: checkoutComplete(id: $id, input: $i, idempotencyKey: $k) {
  checkout { id status } order { id number pointsEarned } errors { __typename ... on UserError { message } } } }"""
CANCEL = """mutation($id: ID!, $k: IdempotencyKey!) { outcome: checkoutCancel(id: $id, idempotencyKey: $k) {
  checkout { id status } errors { __typename ... on UserError { message } } } }"""
RESERVE = """mutation($i: ReserveInput!, $k: IdempotencyKey!) { outcome: reserve(input: $i, idempotencyKey: $k) {
  reservation { id state } errors { __typename ... on UserError { message } } } }"""
SALE = """mutation($i: PosOrderInput!, $k: IdempotencyKey!) { outcome: posOrderRecord(input: $i, idempotencyKey: $k) {
  order { id number } errors { __typename ... on UserError { message } } } }"""

TOKENS = (
    ("tok_ok", 80),
    ("tok_decline_funds", 8),
    ("tok_decline_stolen", 3),
    ("tok_timeout_after_auth", 7),
    ("tok_timeout_before_auth", 2),
)


@dataclass(slots=True)
class Trail:
    """One buyer: what they wanted, and what they were told. ``told`` is ``order``, a refusal's name, or ``unknown``."""

    kind: str
    told: str = UNKNOWN
    checkout_id: str | None = None
    order_id: str | None = None
    receipt: str | None = None
    decided_s: float | None = None
    """From asking to complete until the answer."""


@dataclass(slots=True, kw_only=True)
class Shop:
    """What traffic needs to know: tokens, what is for sale, and who runs the registers."""

    client: HouseClient
    customers: Sequence[str]
    staff: str
    skus: Sequence[str]
    store: dict[str, Any]
    slow_payments: bool
    """Whether buyers pay with the token whose first request is lost: that takes a minute to be sure of."""
    patience_s: float
    trails: list[Trail] = field(default_factory=list)
    undecided: Counter[str] = field(default_factory=Counter)
    """Answers after which a buyer had to ask again, by what was said."""


async def trade(shop: Shop, seed: int, per_second: float, seconds: float) -> None:
    """Buyers come at their moments whatever becomes of those before them; returns when the last one has left."""
    began = time.monotonic()
    async with asyncio.TaskGroup() as group:
        for number in itertools.count():
            moment = began + number / per_second
            if moment > began + seconds:
                return
            await asyncio.sleep(moment - time.monotonic())
            group.create_task(_visit(shop, Random(f"buyer {seed} {number}"), f"{seed}-{number:05d}-of-this-run"))


async def _visit(shop: Shop, chance: Random, name: str) -> None:
    draw = chance.random()
    if draw < 0.10:
        await _register(shop, chance, name)
    elif draw < 0.18:
        await _window_shopper(shop, chance, name)
    else:
        await _buyer(shop, chance, name)


async def _buyer(shop: Shop, chance: Random, name: str) -> None:
    trail = Trail("buyer")
    shop.trails.append(trail)
    asker = _Asker(shop, chance, chance.choice((None, *shop.customers)))
    lines = [{"sku": sku, "quantity": chance.randint(1, 2)} for sku in chance.sample(shop.skus, chance.randint(1, 2))]
    wanted: dict[str, Any] = {"channel": "web-eu", "currency": "EUR", "email": "a@example.com", "lines": lines}
    hurried = chance.random() < 0.5
    if hurried:
        wanted |= {"address": ADDRESS, "method": "SHIP"}
    opened = await asker.ask(CREATE, {"i": wanted, "k": f"open-{name}"})
    if opened is not None and not opened["errors"] and not hurried:
        trail.checkout_id = opened["checkout"]["id"]
        change = {"address": ADDRESS, "method": "SHIP"}
        at = {"id": trail.checkout_id, "v": opened["checkout"]["version"]}
        opened = await asker.ask(UPDATE, {**at, "i": change, "k": f"address-{name}"})
    if opened is None or opened["errors"]:
        trail.told = UNKNOWN if opened is None else opened["errors"][0]["__typename"]
        return
    session = opened["checkout"]
    trail.checkout_id = session["id"]
    began = time.monotonic()
    tokens = [entry for entry in TOKENS if shop.slow_payments or entry[0] != "tok_timeout_before_auth"]
    token = chance.choices([token for token, _ in tokens], [weight for _, weight in tokens])[0]
    total = next(row["amount"] for row in session["totals"] if row["kind"] == "TOTAL")
    payment = {"provider": "sandbox", "token": token, "captureMode": chance.choice(("IMMEDIATE", "ON_FULFILMENT"))}
    pay = {"id": session["id"], "i": {"payment": payment, "expectedTotal": total}}
    keys = [f"pay-{name}", f"again-{name}"] if chance.random() < 0.08 else [f"pay-{name}"]
    commands = [asker.ask(COMPLETE, {**pay, "k": key}) for key in keys]
    if chance.random() < 0.05:
        commands.append(asker.ask(CANCEL, {"id": session["id"], "k": f"cancel-{name}"}))
    answers = await asyncio.gather(*commands)
    _hear(trail, answers[: len(keys)])
    trail.decided_s = time.monotonic() - began if trail.told != UNKNOWN else None


def _hear(trail: Trail, answers: Sequence[dict[str, Any] | None]) -> None:
    """An order is an order, whichever key it came by; a refusal is one only if no other key may still bring an order."""
    for answer in answers:
        if answer is not None and answer["order"] is not None:
            trail.told, trail.order_id = "order", answer["order"]["id"]
            return
    if all(answer is not None and answer["errors"] for answer in answers):
        assert answers[0] is not None
        trail.told = answers[0]["errors"][0]["__typename"]


async def _window_shopper(shop: Shop, chance: Random, name: str) -> None:
    """Sets goods aside for a few seconds and goes away."""
    trail = Trail("window shopper")
    shop.trails.append(trail)
    asker = _Asker(shop, chance, chance.choice(shop.customers))
    wanted = {
        "channel": "web-eu",
        "method": "SHIP",
        "ownerRef": name,
        "lines": [{"sku": chance.choice(shop.skus), "quantity": chance.randint(1, 3)}],
        "ttlSeconds": chance.randint(1, 4),
    }
    answer = await asker.ask(RESERVE, {"i": wanted, "k": f"hold-{name}"})
    if answer is not None:
        trail.told = answer["errors"][0]["__typename"] if answer["errors"] else "hold"


async def _register(shop: Shop, chance: Random, name: str) -> None:
    """Sells over the counter, and sends its receipt until it is taken."""
    trail = Trail("register", receipt=f"R-{name}")
    shop.trails.append(trail)
    price = {"minor": 4990, "currency": "EUR"}
    sale = {
        "locationId": shop.store["id"],
        "registerId": f"{shop.store['code']}-chaos",
        "receiptNo": trail.receipt,
        # The register's clock is one more clock; a sale in the future would be refused.
        "occurredAt": (datetime.now(UTC) - timedelta(minutes=3)).isoformat(),
        "lines": [{"sku": chance.choice(shop.skus), "quantity": 1, "unitPrice": price}],
        "tenders": [{"kind": "CASH", "amount": price}],
    }
    answer = await _Asker(shop, chance, shop.staff).ask(SALE, {"i": sale, "k": f"sale-{name}"})
    if answer is not None and answer["order"] is not None:
        trail.told, trail.order_id = "order", answer["order"]["id"]
    elif answer is not None and answer["errors"]:
        trail.told = answer["errors"][0]["__typename"]


class _Asker:
    """Somebody who asks until there is an answer."""

    def __init__(self, shop: Shop, chance: Random, token: str | None) -> None:
        self._shop = shop
        self._chance = chance
        self._token = token
        self._until = time.monotonic() + shop.patience_s

    async def ask(self, document: str, variables: dict[str, Any]) -> dict[str, Any] | None:
        """The payload, once it decides the matter one way or the other; None when patience has ended."""
        while time.monotonic() < self._until:
            payload: dict[str, Any] | None = None
            try:
                async with asyncio.timeout_at(asyncio.get_running_loop().time() + self._until - time.monotonic()):
                    answer = await self._shop.client.ask(document, variables, token=self._token)
                payload = (answer.get("data") or {}).get("outcome")
                said = _said(answer, payload)
            except (httpx.HTTPError, ValueError, TimeoutError) as error:
                # Nothing was heard, or nothing that could be understood.
                said = type(error).__name__
            if payload is not None and _decides(payload):
                return payload
            self._shop.undecided[said] += 1
            await asyncio.sleep(self._chance.uniform(*ASKED_AGAIN_S))
        return None


def _said(answer: dict[str, Any], payload: dict[str, Any] | None) -> str:
    if payload is not None:
        return payload["errors"][0]["__typename"] if payload["errors"] else "no order yet"
    return str(answer["errors"][0]["extensions"]["code"])


def _decides(payload: dict[str, Any]) -> bool:
    if payload["errors"]:
        return payload["errors"][0]["__typename"] != "RequestInFlight"
    # Without an order it is being completed, or the part of the graph with the order was away.
    return "order" not in payload or payload["order"] is not None
