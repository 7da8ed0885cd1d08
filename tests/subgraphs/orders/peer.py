"""The neighbours of orders as one small real HTTP server: answers the few documents orders sends, over what a test says.

It keeps the promises orders relies on: a command under one key is done once, a hold lapses by the peer's own clock, a
commit of a lapsed hold is refused, an order's points and budget are held once and not after they were given back. A test may have the next answer to a command get lost after its effect.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import uvicorn

from subgraphs.kernel.clock import FixedClock, iso

_OPERATION = re.compile(r"(?:query|mutation)\s+(\w+)")


@dataclass
class Held:
    """A reservation of the peer."""

    id: str
    owner: str
    lines: list[dict[str, Any]]
    state: str
    expires_at: Any
    order_id: str | None = None


@dataclass
class Peer:
    """The state of all peers, and what they were asked. ``set_aside`` has what orders hold of points and of a mandate, by
    ``points`` or ``budget`` and order; None for what was given back."""

    clock: FixedClock
    prices: dict[str, int] = field(default_factory=lambda: {"TEE-RED-M": 2000, "TEE-RED-L": 2000, "MUG-WHITE": 999})
    stock: dict[str, int] = field(default_factory=lambda: {"TEE-RED-M": 5, "TEE-RED-L": 5, "MUG-WHITE": 5})
    quote_s: int = 900
    split: bool = False
    points: int = 1000
    budget: int = 100_000
    refusal: str | None = None
    set_aside: dict[tuple[str, str], int | None] = field(default_factory=dict)
    url: str = ""
    held: dict[str, Held] = field(default_factory=dict)
    answers: dict[str, dict[str, Any]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    _lose: list[str] = field(default_factory=list)

    def lose_next_answer(self, operation: str) -> None:
        """The next such command has its effect, but its answer never arrives."""
        self._lose.append(operation)

    def committed(self) -> list[Held]:
        return [held for held in self.held.values() if held.state == "COMMITTED"]

    def live(self) -> list[Held]:
        """Holds that keep stock from others."""
        return [held for held in self.held.values() if held.state == "HELD" and held.expires_at > self.clock.now()]

    def free(self, sku: str) -> int:
        return self.stock.get(sku, 0) - sum(
            line["quantity"] for held in [*self.live(), *self.committed()] for line in held.lines if line["sku"] == sku
        )

    def answer(self, query: str, variables: dict[str, Any]) -> dict[str, Any] | None:
        found = _OPERATION.search(query)
        assert found is not None
        name = found.group(1)
        self.asked.append(name)
        data: dict[str, Any] = getattr(self, f"_{name}")(variables)
        if name in self._lose:
            self._lose.remove(name)
            return None
        return data

    def _OrdersChannel(self, variables: dict[str, Any]) -> dict[str, Any]:
        known = {
            "web-eu": ("EUR", "DE"),
            "web-us": ("USD", "US"),
            "web-jp": ("JPY", "JP"),
            "marketplace": ("EUR", "DE"),
        }.get(variables["code"])
        if known is None:
            return {"channel": None}
        kind = "WEB" if variables["code"].startswith("web") else "MARKETPLACE"
        channel = {"code": variables["code"], "kind": kind, "currencies": [known[0]], "countries": [known[1]]}
        return {"channel": channel}

    def _OrdersOffers(self, variables: dict[str, Any]) -> dict[str, Any]:
        return {"variants": [self._variant(sku, variables["context"]["currency"]) for sku in variables["skus"]]}

    def _variant(self, sku: str, currency: str) -> dict[str, Any] | None:
        if sku not in self.prices:
            return None
        money = {"minor": self.prices[sku], "currency": currency}
        return {
            "sku": sku,
            "title": sku.title(),
            "taxClass": "standard",
            "product": {"id": f"prd-{sku[:3]}", "category": {"slug": "things"}},
            "price": {
                "current": money,
                "list": money,
                "version": "1",
                "validUntil": iso(self.clock.now() + timedelta(seconds=self.quote_s)),
                "quoteToken": "quote",
            },
            "purchasable": True,
        }

    def _OrdersSiblings(self, variables: dict[str, Any]) -> dict[str, Any]:
        family = variables["skus"][0][:3]
        nodes = [{"node": {"sku": sku, "purchasable": True}} for sku in self.prices if sku.startswith(family)]
        return {"variants": [{"product": {"variants": {"edges": nodes}}}]}

    def _OrdersAvailability(self, variables: dict[str, Any]) -> dict[str, Any]:
        def status(sku: str) -> str:
            return "IN_STOCK" if self.free(sku) > 0 else "OUT_OF_STOCK"

        return {"availability": [{"sku": sku, "status": status(sku)} for sku in variables["skus"]]}

    def _OrdersLocation(self, variables: dict[str, Any]) -> dict[str, Any]:
        known = {"loc_berlin": "DE", "loc_austin": "US"}.get(variables["id"])
        return {"location": {"id": variables["id"], "country": known, "capabilities": []} if known else None}

    def _OrdersCounters(self, variables: dict[str, Any]) -> dict[str, Any]:
        return {"locations": {"edges": [{"node": {"id": "loc_berlin"}}]}}

    def _OrdersReserve(self, variables: dict[str, Any]) -> dict[str, Any]:
        asked = variables["input"]

        def reserve() -> dict[str, Any]:
            for line in asked["lines"]:
                if self.free(line["sku"]) < line["quantity"]:
                    missing = {"sku": line["sku"], "requested": line["quantity"], "available": self.free(line["sku"])}
                    return _refused("InsufficientStock", shortfalls=[missing])
            held = Held(
                id=f"rsv_{len(self.held)}",
                owner=asked["ownerRef"],
                lines=[
                    {"sku": line["sku"], "quantity": quantity, "location": {"id": location}}
                    for line in asked["lines"]
                    for quantity, location in self._sourced(asked, line["quantity"])
                ],
                state="HELD",
                expires_at=self.clock.now() + timedelta(seconds=asked["ttlSeconds"]),
            )
            self.held[held.id] = held
            return _accepted(held)

        return self._once(f"reserve {variables['key']}", reserve)

    def _sourced(self, asked: dict[str, Any], quantity: int) -> list[tuple[int, str]]:
        if asked.get("pickupLocationId"):
            return [(quantity, asked["pickupLocationId"])]
        if "loc_warehouse" in (asked.get("withoutLocationIds") or ()):
            return [(quantity, "loc_other")]
        if self.split and quantity > 1:
            return [(quantity - 1, "loc_warehouse"), (1, "loc_store")]
        return [(quantity, "loc_warehouse")]

    def _OrdersExtend(self, variables: dict[str, Any]) -> dict[str, Any]:
        def extend() -> dict[str, Any]:
            held = self.held[variables["id"]]
            if held not in self.live():
                return _refused("ReservationExpired")
            held.expires_at = max(held.expires_at, self.clock.now() + timedelta(seconds=variables["seconds"]))
            return _accepted(held)

        return self._once(f"extend {variables['key']}", extend)

    def _OrdersRelease(self, variables: dict[str, Any]) -> dict[str, Any]:
        def release() -> dict[str, Any]:
            held = self.held[variables["id"]]
            if held.state == "COMMITTED":
                return _refused("InvalidInput")
            held.state = "RELEASED"
            return _accepted(held)

        return self._once(f"release {variables['key']}", release)

    def _OrdersCommit(self, variables: dict[str, Any]) -> dict[str, Any]:
        def commit() -> dict[str, Any]:
            held = self.held[variables["id"]]
            if held.state == "COMMITTED" and held.order_id == variables["orderId"]:
                return _accepted(held)
            if held not in self.live():
                return _refused("ReservationExpired")
            held.state, held.order_id = "COMMITTED", variables["orderId"]
            return _accepted(held)

        return self._once(f"commit {variables['key']}", commit)

    def left(self, what: str) -> int:
        """Points or budget that nobody holds."""
        taken = sum(held or 0 for (kind, _), held in self.set_aside.items() if kind == what)
        return (self.points if what == "points" else self.budget) - taken

    def _OrdersPointsWorth(self, variables: dict[str, Any]) -> dict[str, Any]:
        worth = {"minor": variables["points"], "currency": variables["currency"]}
        return {"pointsWorth": {"spendable": self.left("points"), "worth": worth}}

    def _OrdersPointsHold(self, variables: dict[str, Any]) -> dict[str, Any]:
        return self._set_aside("points", variables["order"], variables["points"])

    def _OrdersPointsRelease(self, variables: dict[str, Any]) -> dict[str, Any]:
        self.set_aside["points", variables["order"]] = None
        return {"outcome": {"errors": []}}

    def _OrdersMandateHold(self, variables: dict[str, Any]) -> dict[str, Any]:
        amount = variables["amount"]["minor"]
        known = ("budget", variables["order"]) in self.set_aside
        reason = self.refusal or (None if known or amount <= self.left("budget") else "PERIOD_LIMIT")
        if reason is not None:
            limit = {"minor": self.budget, "currency": variables["amount"]["currency"]}
            said = {"held": False, "reason": reason, "message": "no", "limit": limit, "remaining": limit, "errors": []}
            return {"outcome": said}
        done = self._set_aside("budget", variables["order"], amount)
        return {"outcome": {"held": not done["outcome"]["errors"], **done["outcome"]}}

    def _OrdersMandateRelease(self, variables: dict[str, Any]) -> dict[str, Any]:
        self.set_aside["budget", variables["order"]] = None
        return {"outcome": {"errors": []}}

    def _set_aside(self, what: str, order: str, amount: int) -> dict[str, Any]:
        errors: list[dict[str, Any]] = []
        if (what, order) not in self.set_aside:
            if amount > self.left(what):
                errors = [{"__typename": "InsufficientPoints", "message": "not so many"}]
            else:
                self.set_aside[what, order] = amount
        elif self.set_aside[what, order] is None:
            errors = [{"__typename": "VersionConflict", "message": "given back"}]
        return {"outcome": {"errors": errors}}

    def _once(self, key: str, work: Any) -> dict[str, Any]:
        known = self.answers.get(key)
        if known is None:
            known = work()
            if not known["errors"]:
                self.answers[key] = known
        return {"outcome": known}


def _accepted(held: Held) -> dict[str, Any]:
    reservation = {"id": held.id, "state": held.state, "expiresAt": iso(held.expires_at), "lines": held.lines}
    return {"replayed": False, "reservation": reservation, "errors": []}


def _refused(typename: str, **facts: Any) -> dict[str, Any]:
    return {"replayed": False, "reservation": None, "errors": [{"__typename": typename, "message": typename, **facts}]}


@asynccontextmanager
async def served(peer: Peer) -> AsyncIterator[Peer]:
    """The peer behind a port of its own."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        body = b""
        more = True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        request = json.loads(body)
        data = peer.answer(request["query"], request["variables"])
        status = 200 if data is not None else 502
        answer = json.dumps({"data": data}).encode() if data is not None else b"lost"
        await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", b"text/json")]})
        await send({"type": "http.response.body", "body": answer})

    server = uvicorn.Server(uvicorn.Config(app, port=0, lifespan="off", log_level="error", ws="none"))
    async with asyncio.TaskGroup() as group:
        group.create_task(server.serve())
        async with asyncio.timeout(10):
            while not server.started:
                await asyncio.sleep(0.01)
        peer.url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
        try:
            yield peer
        finally:
            server.should_exit = True
