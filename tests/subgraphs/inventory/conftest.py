"""Fixtures of inventory's tests."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from subgraphs.chassis.mongo import Database, Mongo
from subgraphs.inventory.app import SERVICE
from subgraphs.kernel.clock import FixedClock
from tests.kit.running_service import database_of
from tests.subgraphs.inventory.stockroom import NOON


@pytest.fixture
def clock() -> FixedClock:
    """A clock that stands at noon until it is moved."""
    return FixedClock(NOON)


@pytest.fixture
async def own_database(mongo: Mongo) -> AsyncIterator[Database]:
    """An empty database that a whole service can find by its name, dropped at the end of the test."""
    async with database_of(mongo, SERVICE) as own:
        yield own
