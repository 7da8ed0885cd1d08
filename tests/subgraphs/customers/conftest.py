"""A running customers service with two people in it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from subgraphs.chassis.identity import Principal
from subgraphs.chassis.mongo import Database, DriverName, Mongo
from subgraphs.customers import store
from subgraphs.customers.app import SERVICE
from subgraphs.customers.model import Consent, ConsentPurpose, Customer
from tests.kit.running_service import RunningService, database_of, running_service

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
ADA = Customer(
    id="cus_ada",
    display_name="Ada",
    email="ada@example.com",
    phone="+49555000001",
    loyalty_number="L0000001",
    home_location_id="loc_1",
    consents=(Consent(ConsentPurpose.PERSONALISATION, True, NOON, "web-eu", "form 3"),),
    registered_at=NOON,
)
BOB = Customer(id="cus_bob", display_name="Bob", email="bob@example.com", registered_at=NOON)

AS_ADA = Principal("ada", "customer", frozenset(), customer_id=ADA.id)
AS_BOB = Principal("bob", "customer", frozenset(), customer_id=BOB.id)
STAFF = Principal("sue", "staff", frozenset({"customers:read"}))


@pytest.fixture
async def own_database(mongo: Mongo) -> AsyncIterator[Database]:
    async with database_of(mongo, SERVICE) as own:
        await own.collection(store.CUSTOMERS).insert_many([store.customer_to_doc(ADA), store.customer_to_doc(BOB)])
        await own.collection(store.PRODUCTS_OF).insert_many([{"_id": f"S{n}", "p": f"prd_{n}"} for n in range(6)])
        yield own


@pytest.fixture
async def house(own_database: Database, mongodb_uri: str, mongo_driver: DriverName) -> AsyncIterator[RunningService]:
    async with running_service(SERVICE, mongodb_uri, mongo_driver, own_database) as running:
        yield running
