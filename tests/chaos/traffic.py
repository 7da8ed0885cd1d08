"""Buyers and a register, as they behave when the shop keeps failing: they ask again, with the same key.

A buyer who never hears how a step ended gives up, not knowing; what became of it is for the audit to say.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

import httpx

from gateway.local.client import AnswerHasErrors, HouseClient
from tests.kit import shop

TOKENS = ("tok_ok",) * 12 + (
    "tok_decline_funds",
    "tok_decline_stolen",
    "tok_timeout_after_auth",
    "tok_timeout_before_auth",
)
PATIENCE_S = 45.0
"""How long a buyer keeps asking for one thing: longer than what a dead process had begun is left alone."""
PAUSE_S, PAUSE_S_MAX = 0.3, 2.0
ENDED_S = 90.0
"""How long one keeps asking how a completion has ended: longer than a lost payment is looked for."""
IN_PROGRESS = ("COMPLETE_IN_PROGRESS",)


class GaveUp(Exception):
    """The buyer does not know how it ended."""


@dataclass(slots=True)
class Told:
    """What buyers heard."""

    outcomes: Counter[str] = field(default_factory=Counter)
    """``order``, the name of a refusal, ``unknown``."""
    orders: list[str] = field(default_factory=list)
    reasons: Counter[str] = field(default_factory=Counter)
    """Why buyers gave up: what they were told last."""
    seconds: list[float] = field(default_factory=list)
    """From opening the checkout to hearing of the order."""


class Traffic:
    """Checkouts at a steady rate, whatever becomes of them; now and then a sale at a register."""

    def __init__(
        self,
        client: HouseClient,
        staff: str,
        skus: Sequence[str],
        stores: Sequence[Mapping[str, Any]],
        tokens: Sequence[str],
        seed: int,
    ) -> None:
        self._client = client
        self._staff = staff
        self._skus = skus
        self._stores = stores
        self._tokens = tokens
        self._random = Random(seed)
        self.told = Told()

    async def run(self, seconds: float, per_second: float) -> None:
        """Begins so many checkouts a second for so long, and waits until every buyer has an answer or has given up."""
        until = time.monotonic() + seconds
        async with asyncio.TaskGroup() as group:
            while time.monotonic() < until:
                sku, token = self._random.choice(self._skus), self._random.choice(self._tokens)
                if self._random.random() < 0.2:
                    group.create_task(self._sell(sku, self._random.choice(self._stores)))
                else:
                    group.create_task(self._buy(sku, token))
                await asyncio.sleep(self._random.expovariate(per_second))

    async def _buy(self, sku: str, token: str) -> None:
        began = time.monotonic()
        try:
            outcome = await self._checkout(sku, token)
        except GaveUp:
            outcome = "unknown"
        self.told.outcomes[outcome] += 1
        if outcome == "order":
            self.told.seconds.append(time.monotonic() - began)

    async def _checkout(self, sku: str, token: str) -> str:
        one = secrets.token_hex(12)
        opened = await self._until_told(
            "checkout_create",
            "checkoutCreate",
            {
                "key": f"open-{one}",
                "input": {
                    "channel": "web-eu",
                    "currency": "EUR",
                    "email": f"{one}@example.com",
                    "lines": [{"sku": sku, "quantity": 1}],
                },
            },
        )
        if opened["errors"]:
            return str(opened["errors"][0]["__typename"])
        session = opened["checkout"]
        addressed = await self._until_told(
            "checkout_update",
            "checkoutUpdate",
            {
                "id": session["id"],
                "version": session["version"],
                "key": f"address-{one}",
                "input": {"address": shop.ADDRESS, "method": "SHIP"},
            },
        )
        if addressed["errors"]:
            return str(addressed["errors"][0]["__typename"])
        total = next(line["amount"] for line in addressed["checkout"]["totals"] if line["kind"] == "TOTAL")
        done = await self._until_told(
            "checkout_complete",
            "checkoutComplete",
            {
                "id": session["id"],
                "key": f"complete-{one}",
                "input": {
                    "payment": {"provider": "sandbox", "token": token},
                    "expectedTotal": {"minor": total["minor"], "currency": total["currency"]},
                },
            },
        )
        if done["errors"]:
            return str(done["errors"][0]["__typename"])
        if done["order"] is not None:
            self.told.orders.append(done["order"]["id"])
            return "order"
        return await self._ended(session["id"])

    async def _ended(self, checkout: str) -> str:
        """How a completion that was still under way has ended."""
        until = time.monotonic() + ENDED_S
        while time.monotonic() < until:
            await asyncio.sleep(PAUSE_S_MAX)
            try:
                found = await self._client.data(
                    "query($id: ID!) { checkout(id: $id) { status order { id } messages { code } } }", {"id": checkout}
                )
            except (AnswerHasErrors, httpx.HTTPError, ValueError):
                continue
            session = found["checkout"]
            if session is None or session["status"] in IN_PROGRESS:
                continue
            if session["order"] is not None:
                self.told.orders.append(session["order"]["id"])
                return "order"
            return "refused later"
        raise GaveUp

    async def _sell(self, sku: str, store: Mapping[str, Any]) -> None:
        """A receipt of a register; the register says it again until it is heard."""
        receipt = secrets.token_hex(8)
        price = {"minor": 4990, "currency": "EUR"}
        try:
            payload = await self._until_told(
                "pos_sale",
                "posOrderRecord",
                {
                    "key": f"sale-{receipt}",
                    "input": {
                        "locationId": store["id"],
                        "registerId": f"{store['code']}-chaos",
                        "receiptNo": receipt,
                        "occurredAt": "2026-01-05T10:00:00Z",
                        "customerId": None,
                        "lines": [{"sku": sku, "quantity": 1, "unitPrice": price}],
                        "tenders": [{"kind": "CASH", "amount": price}],
                    },
                },
                token=self._staff,
            )
        except GaveUp:
            self.told.outcomes["register unheard"] += 1
            return
        self.told.outcomes["register " + (payload["errors"][0]["__typename"] if payload["errors"] else "sold")] += 1

    async def _until_told(
        self, operation: str, field_name: str, variables: Mapping[str, Any], token: str | None = None
    ) -> dict[str, Any]:
        """The payload of a mutation, asked for again under the same key while there is none."""
        last = "in flight"
        until, pause = time.monotonic() + PATIENCE_S, PAUSE_S
        while time.monotonic() < until:
            try:
                answer = await self._client.ask(self._client.document(operation), variables, token=token)
            except (httpx.HTTPError, ValueError) as error:
                last = f"{type(error).__name__} {error}"
                answer = {}
            # What only decorates the payload (a title of catalog's) may be missing; the payload counts.
            payload: dict[str, Any] | None = (answer.get("data") or {}).get(field_name)
            if payload is not None and not _again(payload):
                return payload
            last = str([error["message"] for error in answer.get("errors") or ()] or last)
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, PAUSE_S_MAX)
        self.told.reasons[f"{field_name}: {last[:300]}"] += 1
        raise GaveUp


def _again(payload: Mapping[str, Any]) -> bool:
    return any(error["__typename"] == "RequestInFlight" for error in payload["errors"])
