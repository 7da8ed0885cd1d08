"""A small circle of members to test with, and what orders says of their purchases."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx

from subgraphs.chassis import idempotency, inbox, outbox
from subgraphs.chassis.app import create_app
from subgraphs.chassis.config import ServiceSettings
from subgraphs.chassis.identity import IDENTITY_HEADER, IdentitySigner, Principal, RequestContext
from subgraphs.chassis.mongo import Database, DriverName, Session
from subgraphs.kernel.clock import Clock, iso
from subgraphs.kernel.events import Envelope, Event, OrderConfirmed, OrderedLine, PosOrderRecorded
from subgraphs.kernel.ids import deterministic_id, new_id
from subgraphs.loyalty import store
from subgraphs.loyalty.app import SERVICE
from subgraphs.loyalty.model import Account
from subgraphs.loyalty.service import Loyalty

SECRET = "a secret of at least thirty-two bytes"
NOON = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
CUSTOMER = deterministic_id("cus", "ada", at_ms=0)
ACCOUNT = Account(
    id=deterministic_id("loy", "ada", at_ms=0),
    number="L0000001",
    customer_id=CUSTOMER,
    tier="bronze",
    created_at=NOON,
)
ADA = Principal("ada", "customer", customer_id=CUSTOMER)
EVE = Principal("eve", "customer", customer_id=deterministic_id("cus", "eve", at_ms=0))
CLERK = Principal("bert", "staff", frozenset({"loyalty:read"}))
ADMIN = Principal("cleo", "staff", frozenset({"loyalty:read", "loyalty:admin"}))


def confirmed(order_id: str, *totals: int, customer_id: str | None = CUSTOMER, currency: str = "EUR") -> OrderConfirmed:
    """What orders says when an order is paid for."""
    return OrderConfirmed(
        order_id=order_id,
        number="G-1",
        customer_id=customer_id,
        channel="web-eu",
        currency=currency,
        placed_at=iso(NOON),
        lines=_lines(totals),
        total_minor=sum(totals),
        reservation_id=None,
    )


def recorded(order_id: str, *totals: int) -> PosOrderRecorded:
    """What orders says when a register sold something."""
    return PosOrderRecorded(
        order_id=order_id,
        number="G-1",
        customer_id=CUSTOMER,
        location_id="loc_1",
        register_id="R1",
        receipt_no="1",
        occurred_at=iso(NOON),
        currency="EUR",
        lines=_lines(totals),
        total_minor=sum(totals),
    )


def _lines(totals: tuple[int, ...]) -> tuple[OrderedLine, ...]:
    return tuple(
        OrderedLine(sku=f"S{n}", quantity=1, unit_minor=total, total_minor=total, category_slug=None, location_id=None)
        for n, total in enumerate(totals)
    )


async def hear(services: Loyalty, event: Event) -> None:
    """Lets the services hear an event of orders, in a transaction, as its consumer would."""
    envelope = Envelope(
        id=new_id("evt"),
        type=event.TYPE,
        version=1,
        seq=1,
        aggregate="order:x",
        aggregate_version=1,
        occurred_at=iso(NOON),
        causation=None,
        correlation=None,
        traceparent=None,
        data=event.to_data(),
    )

    async def body(session: Session) -> None:
        await SERVICE.hears["orders"][event.TYPE](services, session, envelope)

    await services.store.database.transact(body)


async def enrol(database: Database, *accounts: Account) -> None:
    """Indexes, and accounts without entries."""
    await database.ensure_indexes({**outbox.INDEXES, **inbox.INDEXES, **idempotency.INDEXES, **store.INDEXES})
    await database.collection(store.ACCOUNTS).insert_many([store.account_to_doc(account) for account in accounts])


@dataclass(frozen=True, slots=True)
class Running:
    """A whole service in this process, and a client of it."""

    client: httpx.AsyncClient
    services: Loyalty

    async def ask(
        self,
        query: str,
        variables: Mapping[str, Any] | None = None,
        *,
        principal: Principal = ADA,
        context: RequestContext | None = None,
    ) -> dict[str, Any]:
        """The whole answer to an operation."""
        token = IdentitySigner(SECRET, "gateway").sign(principal, context)
        response = await self.client.post(
            "/graphql", json={"query": query, "variables": dict(variables or {})}, headers={IDENTITY_HEADER: token}
        )
        assert response.status_code == 200, response.text
        answer: dict[str, Any] = response.json()
        return answer


@asynccontextmanager
async def running(
    mongodb_uri: str, driver: DriverName, database: Database, clock: Clock | None = None
) -> AsyncIterator[Running]:
    """The loyalty service over the database, with relay, hub and change stream. Its peers are away."""
    settings = ServiceSettings(
        name="loyalty",
        mongodb_uri=mongodb_uri,
        mongodb_driver=driver,
        database_prefix=database.name.removesuffix("loyalty"),
        identity_secret=SECRET,
        peers={"orders": "http://127.0.0.1:9"},
    )
    assert settings.database_name == database.name
    app = create_app(SERVICE, settings, clock)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://loyalty") as client,
    ):
        yield Running(client, app.state.services)
