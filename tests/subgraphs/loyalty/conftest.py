"""Fixtures of loyalty's tests."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from subgraphs.chassis.mongo import Database, DriverName, Mongo
from subgraphs.loyalty.app import SERVICE
from tests.kit.running_service import RunningService, database_of, running_service
from tests.subgraphs.loyalty.circle import ACCOUNT, ADA, enrol


@pytest.fixture
async def own_database(mongo: Mongo) -> AsyncIterator[Database]:
    """An empty database that a whole service can find by its name, dropped at the end of the test."""
    async with database_of(mongo, SERVICE) as own:
        yield own


@pytest.fixture
async def house(own_database: Database, mongodb_uri: str, mongo_driver: DriverName) -> AsyncIterator[RunningService]:
    """A running service with one member."""
    await enrol(own_database, ACCOUNT)
    async with running_service(SERVICE, mongodb_uri, mongo_driver, own_database, asker=ADA) as running_house:
        yield running_house
