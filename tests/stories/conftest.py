"""One house for all stories: real processes, the tiny data set, free ports. After each story the whole house is audited."""

from collections.abc import AsyncIterator, Iterator

import pytest

from gateway.local.client import HouseClient
from subgraphs.audit.books import read
from subgraphs.audit.invariants import audit
from subgraphs.chassis.mongo import Mongo
from tests.kit.running_house import STAFF_SCOPES, RunningHouse


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHouse]:
    running = RunningHouse(tmp_path_factory.mktemp("house"))
    running.start()
    try:
        yield running
    finally:
        running.stop()


@pytest.fixture
async def client(house: RunningHouse) -> AsyncIterator[HouseClient]:
    async with house.client() as client:
        yield client


@pytest.fixture
async def staff(client: HouseClient) -> str:
    """A staff member's token."""
    return await client.token("test-staff", kind="staff", scopes=STAFF_SCOPES)


@pytest.fixture(autouse=True)
async def every_invariant_holds(house: RunningHouse) -> AsyncIterator[None]:
    """Whatever the story did, and whatever of it is still under way."""
    yield
    async with await Mongo.connect(house.house.mongodb_uri) as mongo:
        findings = audit(await read(mongo, house.house.settings.database_prefix))
    assert [f"{finding.number} {text}" for finding in findings for text in finding.violations] == []
