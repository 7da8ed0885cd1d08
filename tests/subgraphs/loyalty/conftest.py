"""Fixtures of loyalty's tests."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator

import pytest

from subgraphs.chassis.mongo import Database, DriverName, Mongo
from tests.subgraphs.loyalty.circle import ACCOUNT, Running, enrol, running


@pytest.fixture
async def own_database(mongo: Mongo) -> AsyncIterator[Database]:
    """An empty database that a whole service can find by its name, dropped at the end of the test."""
    own = mongo.database(f"test_{secrets.token_hex(6)}_loyalty")
    yield own
    await own.drop()


@pytest.fixture
async def house(own_database: Database, mongodb_uri: str, mongo_driver: DriverName) -> AsyncIterator[Running]:
    """A running service with one member."""
    await enrol(own_database, ACCOUNT)
    async with running(mongodb_uri, mongo_driver, own_database) as running_house:
        yield running_house
