"""A running catalog over the tiny data set's own documents."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from subgraphs.catalog.app import SERVICE
from subgraphs.chassis.mongo import Database, DriverName, Mongo
from subgraphs.kernel.clock import FixedClock
from subgraphs.seed.documents import documents
from subgraphs.seed.world import EPOCH, SCALES, World
from tests.kit.running_service import RunningService, database_of, running_service

WORLD = World(SCALES["tiny"])
BATCHES = [batch for batch in documents(WORLD) if batch.service == "catalog"]


@pytest.fixture
def clock() -> FixedClock:
    """Stands at the data set's moment until it is moved."""
    return FixedClock(EPOCH)


@pytest.fixture
async def own_database(mongo: Mongo) -> AsyncIterator[Database]:
    async with database_of(mongo, SERVICE) as own:
        for batch in BATCHES:
            await own.collection(batch.collection).insert_many([dict(document) for document in batch.documents])
        yield own


@pytest.fixture
async def house(
    own_database: Database, mongodb_uri: str, mongo_driver: DriverName, clock: FixedClock
) -> AsyncIterator[RunningService]:
    async with running_service(SERVICE, mongodb_uri, mongo_driver, own_database, clock) as running:
        # Stopping in the middle of the first filling would cancel connections that PyMongo then leaks.
        await running.services.shelf.contents()
        yield running
