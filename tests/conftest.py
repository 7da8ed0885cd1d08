"""Fixtures every test may use: a MongoDB server for the session, a database of its own for each test.

``MONGODB_URI`` names the server to use; without it the embedded one is started once, over a throw-away folder
(``GALLERIA_EMBEDDED_MONGODB=python`` takes its Python variant).
"""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import cast

import pytest
import structlog

from subgraphs.chassis.embedded_mongo import ROOT, EmbeddedMongo, Variant
from subgraphs.chassis.mongo import Database, DriverName, Mongo

CHECKOUT = Path(__file__).parent.parent

# The library's own default draws every frame with its variables: seconds of work, in which a service does not answer.
structlog.configure(
    processors=[
        structlog.processors.add_log_level,
        structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
    ]
)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--known-cases", metavar="DIR", help="a folder of cases with known answers; see tests/known_cases")


@pytest.fixture(scope="session")
def mongodb_uri(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server that answers."""
    given = os.environ.get("MONGODB_URI")
    if given:
        yield given
        return
    variant = cast("Variant", os.environ.get("GALLERIA_EMBEDDED_MONGODB", "rust"))
    with EmbeddedMongo(tmp_path_factory.mktemp("mongodb"), variant=variant, root=CHECKOUT / ROOT) as uri:
        yield uri


@pytest.fixture(params=["motor", "pymongo"])
def mongo_driver(request: pytest.FixtureRequest) -> DriverName:
    """Each of the two drivers in turn: what goes through the door behaves the same on both."""
    driver: DriverName = request.param
    return driver


@pytest.fixture
async def mongo(mongodb_uri: str, mongo_driver: DriverName) -> AsyncIterator[Mongo]:
    """A connection through the driver under test."""
    async with await Mongo.connect(mongodb_uri, mongo_driver) as connection:
        yield connection


@pytest.fixture
async def database(mongo: Mongo) -> AsyncIterator[Database]:
    """An empty database, dropped at the end of the test."""
    own = mongo.database(f"test_{secrets.token_hex(6)}")
    yield own
    await own.drop()
