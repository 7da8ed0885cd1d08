"""What a consumer does with an event of orders, without a stream: the envelope, and the effect in a transaction."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from subgraphs.chassis.app import Service
from subgraphs.chassis.mongo import Database, Session
from subgraphs.kernel.clock import iso
from subgraphs.kernel.events import Envelope, Event
from subgraphs.kernel.ids import new_id

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)


def envelope_of(event: Event) -> Envelope:
    """The event as it comes over the wire, once."""
    return Envelope(
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


async def hear(service: Service, services: Any, database: Database, event: Event) -> None:
    """Lets a service's own handler hear the event, in a transaction, as its consumer would."""
    envelope = envelope_of(event)

    async def body(session: Session) -> None:
        await service.hears["orders"][event.TYPE](services, session, envelope)

    await database.transact(body)
