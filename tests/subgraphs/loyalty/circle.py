"""A small circle of members to test with, and what orders says of their purchases."""

from __future__ import annotations

from datetime import UTC, datetime

from subgraphs.chassis import idempotency, inbox, outbox
from subgraphs.chassis.identity import Principal
from subgraphs.chassis.mongo import Database
from subgraphs.kernel.clock import iso
from subgraphs.kernel.events import Event, OrderConfirmed, OrderedLine, PosOrderRecorded
from subgraphs.kernel.ids import deterministic_id
from subgraphs.loyalty import store
from subgraphs.loyalty.app import SERVICE
from subgraphs.loyalty.model import Account
from subgraphs.loyalty.service import Loyalty
from tests.kit import hearing

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
    await hearing.hear(SERVICE, services, services.store.database, event)


async def enrol(database: Database, *accounts: Account) -> None:
    """Indexes, and accounts without entries."""
    await database.ensure_indexes({**outbox.INDEXES, **inbox.INDEXES, **idempotency.INDEXES, **store.INDEXES})
    await database.collection(store.ACCOUNTS).insert_many([store.account_to_doc(account) for account in accounts])
