"""A house whose every connection goes through a proxy, whose clocks differ, and whose every process can be killed.

client ── gateway ──▶ subgraph          a proxy each
                      subgraph ──▶ peer a proxy for each peer
                      subgraph ──▶ database
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

from gateway.local.client import HouseClient
from gateway.local.house import SUBGRAPHS, House, HouseSettings, ephemeral_ports
from gateway.local.processes import StartFailed, free_port
from subgraphs.audit.books import Books, read
from subgraphs.chassis.embedded_mongo import ROOT, EmbeddedMongo, EmbeddedServerFailed
from subgraphs.chassis.mongo import Mongo, MongoError
from tests.chaos.faults import DATABASE, Schedule
from tests.chaos.proxy import Proxy

CHECKOUT = Path(__file__).parents[2]
PREFIX = "galleria_chaos_"
REVIVED_WITHIN_S = 60.0
LINKS = (*SUBGRAPHS, *(f"{name} (as a peer)" for name in SUBGRAPHS), DATABASE)


class Site:
    """The running house. Use ``async with site(…)``."""

    def __init__(self, house: House, database: Database, proxies: Mapping[str, Proxy], offset_s: float) -> None:
        self.house = house
        self.proxies = proxies
        self.died: list[str] = []
        """Processes that ended although nobody killed them."""
        self._database = database
        self._inventory_offset = timedelta(seconds=offset_s)

    def client(self) -> HouseClient:
        return HouseClient(self.house.gateway_url, CHECKOUT / "schema" / "operations")

    async def kill(self, victim: str) -> None:
        """``kill -9``."""
        if victim == DATABASE:
            await self._database.kill()
        else:
            await self.house.kill(victim)

    async def revive(self, victim: str) -> None:
        """Starts a process again and waits until it is ready. A service that starts while the database is being
        harmed ends at once, and is started again, as whoever runs it would."""
        if victim == DATABASE:
            await self._database.start()
            return
        deadline = time.monotonic() + REVIVED_WITHIN_S
        while True:
            try:
                await self.house.revive(victim)
                return
            except StartFailed:
                if time.monotonic() > deadline:
                    raise
                await self.house.kill(victim)

    async def all_up(self) -> None:
        """Starts what is not running, and remembers that it had ended by itself."""
        for name, process in self.house.processes.items():
            if not process.running:
                self.died.append(f"{name} with status {process.returncode}: {process.log_tail()[-1500:]}")
                await self.revive(name)

    async def books(self) -> Books:
        """What the databases hold now, read past the proxies."""
        async with await Mongo.connect(self._database.uri) as mongo:
            return await read(mongo, PREFIX, at=datetime.now(UTC) + self._inventory_offset)

    async def books_if_any(self) -> Books | None:
        """The same, or nothing while the database cannot be read."""
        with contextlib.suppress(MongoError):
            return await self.books()
        return None


class Database:
    """The embedded server on a fixed port, so that it is where it was when it is started again."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._folder = folder
        self._server: EmbeddedMongo | None = None

    @property
    def uri(self) -> str:
        return f"mongodb://127.0.0.1:{self.port}/?directConnection=true"

    async def start(self) -> None:
        deadline = time.monotonic() + REVIVED_WITHIN_S
        while True:
            self._server = EmbeddedMongo(self._folder, self.port, root=CHECKOUT / ROOT)
            try:
                await self._server.__aenter__()
                return
            except EmbeddedServerFailed:
                # The port of the one that was killed may be taken for a moment.
                if time.monotonic() > deadline:
                    raise
                await asyncio.sleep(0.1)

    async def kill(self) -> None:
        assert self._server is not None, "not started"
        os.kill(self._server.pid, signal.SIGKILL)
        await self._server.__aexit__()

    async def stop(self) -> None:
        if self._server is not None:
            await self._server.__aexit__()


@asynccontextmanager
async def site(folder: Path, schedule: Schedule, seed: int) -> AsyncIterator[Site]:
    """A fresh house over the tiny data set, with nothing wrong yet."""
    database = Database(folder / "mongodb")
    ports = ephemeral_ports()
    async with contextlib.AsyncExitStack() as stack:
        await database.start()
        stack.push_async_callback(database.stop)
        behind = {
            **{name: ports[name] for name in SUBGRAPHS},
            **{f"{name} (as a peer)": ports[name] for name in SUBGRAPHS},
            DATABASE: database.port,
        }
        proxies = {
            name: await stack.enter_async_context(Proxy(name, port, Random(f"{seed} {name}")).listening())
            for name, port in behind.items()
        }
        peers = {name: f"http://127.0.0.1:{proxies[f'{name} (as a peer)'].port}" for name in SUBGRAPHS}
        house = House(
            HouseSettings(
                data_directory=folder,
                supergraph=CHECKOUT / "schema" / "supergraph.graphql",
                ports=ports,
                # A driver that was told of the replica set would go to its members, past the proxy.
                mongodb_uri=f"mongodb://127.0.0.1:{proxies[DATABASE].port}/?directConnection=true",
                database_prefix=PREFIX,
                scale="tiny",
                restart=False,
                subgraph_urls={name: f"http://127.0.0.1:{proxies[name].port}" for name in SUBGRAPHS},
                extra_environment={"GALLERIA_PEERS": json.dumps(peers)},
                process_environment={
                    name: {"GALLERIA_CLOCK_OFFSET_S": str(offset)} for name, offset in schedule.offsets_s.items()
                },
            )
        )
        await stack.enter_async_context(house)
        yield Site(house, database, proxies, schedule.offsets_s["inventory"])
