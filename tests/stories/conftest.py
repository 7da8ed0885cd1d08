"""One house for all stories: real processes, the tiny data set, free ports."""

from collections.abc import AsyncIterator, Iterator

import pytest

from gateway.local.client import HouseClient
from tests.kit.audit import problems_of
from tests.kit.running_house import STAFF_SCOPES, RunningHouse


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHouse]:
    running = RunningHouse(tmp_path_factory.mktemp("house"))
    running.start()
    try:
        yield running
    finally:
        running.stop()


@pytest.fixture(autouse=True)
def audited(house: RunningHouse) -> Iterator[None]:
    """After every story the whole house must hold together, whatever was killed in it."""
    yield
    assert house.call(problems_of(house.house)) == []


@pytest.fixture
async def client(house: RunningHouse) -> AsyncIterator[HouseClient]:
    async with house.client() as client:
        yield client


@pytest.fixture
async def staff(client: HouseClient) -> str:
    """A staff member's token."""
    return await client.token("test-staff", kind="staff", scopes=STAFF_SCOPES)
