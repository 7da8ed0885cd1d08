"""One run: a house whose every connection between services goes through a proxy, traffic, kills, and then the audit.

Theory of operation. The schedule is drawn from the seed before anything starts: when to kill what, and for how long it
stays down. Kills take turns so that everything is killed about as often. When the last buyer has an answer the network is
calmed and everything is started again; then the house has ``SETTLE_S`` to end what is under way. Only what is wrong
after that counts.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from random import Random

from gateway.local.client import HouseClient
from gateway.local.house import SUBGRAPHS, House, HouseSettings, ephemeral_ports
from gateway.local.processes import free_port
from subgraphs.chassis.embedded_mongo import EmbeddedMongo
from tests.chaos.proxy import Faults, proxy
from tests.chaos.traffic import TOKENS, Told, Traffic
from tests.kit import shop
from tests.kit.audit import problems_of
from tests.kit.running_house import ROOT, STAFF_SCOPES

DATABASE = "database"
VICTIMS = (*SUBGRAPHS, DATABASE)
KILL_EVERY_S = 5.0
DOWN_S_MAX = 2.0
LOST, LATE, LATE_S_MAX = 0.02, 0.05, 0.5
SKEW_MS_MAX = 5_000
SETTLE_S = 90.0
UNITS = 60
"""Of each SKU: few enough that some sell out."""
SKUS = 4


@dataclass(frozen=True, slots=True)
class Kill:
    at_s: float
    victim: str
    down_s: float


@dataclass(frozen=True, slots=True)
class Report:
    seed: int
    told: Told
    kills: tuple[Kill, ...]
    happened: Counter[str]
    settled_s: float
    violations: tuple[str, ...]

    def lines(self) -> list[str]:
        """For people."""
        ordered = sorted(self.told.seconds)
        times = (
            f"an order took {ordered[len(ordered) // 2]:.2f} s (p50), {ordered[int(len(ordered) * 0.99)]:.2f} s (p99)"
            if ordered
            else "no order"
        )
        return [
            f"seed {self.seed}: " + ", ".join(f"{name} {count}" for name, count in sorted(self.told.outcomes.items())),
            times,
            f"{len(self.kills)} kills; "
            + ", ".join(f"{count} {name}" for name, count in sorted(self.happened.items())),
            *(f"{count} gave up at {reason}" for reason, count in self.told.reasons.most_common(5)),
            f"settled in {self.settled_s:.1f} s",
            *(self.violations or ("every invariant holds",)),
        ]


def schedule(seed: int, seconds: float, victims: Sequence[str] = VICTIMS) -> tuple[Kill, ...]:
    """The kills of a run. Victims take turns, in an order of their own each round."""
    random = Random(seed)
    kills: list[Kill] = []
    at = random.uniform(1.0, KILL_EVERY_S)
    while at < seconds:
        for victim in random.sample(victims, len(victims)):
            if at >= seconds:
                break
            kills.append(Kill(at, victim, random.uniform(0.0, DOWN_S_MAX)))
            at += random.uniform(0.5, 1.5) * KILL_EVERY_S
    return tuple(kills)


async def run(
    seed: int,
    seconds: float,
    per_second: float,
    directory: Path,
    say: Callable[[str], None],
    *,
    victims: Sequence[str] = VICTIMS,
    tokens: Sequence[str] = TOKENS,
) -> Report:
    """Chaos for so long, and what was left of the invariants."""
    random = Random(seed + 1)
    faults = Faults(Random(seed + 2))
    kills = schedule(seed, seconds, victims)
    ports = ephemeral_ports()
    reached_at = {name: free_port() for name in SUBGRAPHS}
    skew = {name: str(random.randint(-SKEW_MS_MAX, SKEW_MS_MAX)) for name in SUBGRAPHS}
    database = Database(directory / "mongodb")
    async with AsyncExitStack() as stack:
        stack.push_async_callback(database.stop)
        uri = await database.start()
        for name in SUBGRAPHS:
            await stack.enter_async_context(proxy(reached_at[name], ports[name], faults))
        house = await stack.enter_async_context(
            House(
                HouseSettings(
                    data_directory=directory,
                    supergraph=ROOT / "schema" / "supergraph.graphql",
                    ports=ports,
                    mongodb_uri=uri,
                    scale="tiny",
                    restart=False,
                    reached_at=reached_at,
                    environment_of={name: {"GALLERIA_CLOCK_AHEAD_MS": skew[name]} for name in SUBGRAPHS},
                ),
                say=say,
            )
        )
        client = await stack.enter_async_context(_client(house))
        traffic = await _shop(client, seed, tokens)
        say(f"{len(kills)} kills in {seconds:.0f} s; clocks are off by (ms) {skew}")
        faults.lost, faults.late, faults.late_s_max = LOST, LATE, LATE_S_MAX
        async with asyncio.TaskGroup() as group:
            group.create_task(traffic.run(seconds, per_second))
            group.create_task(_carry_out(kills, house, database, say))
        faults.calm()
        began = time.monotonic()
        violations = await _settled(house)
        return Report(seed, traffic.told, kills, faults.happened, time.monotonic() - began, tuple(violations))


class Database:
    """The embedded server, which can be killed and comes back with what it had."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._port = free_port()
        self._server: EmbeddedMongo | None = None

    async def start(self) -> str:
        self._server = EmbeddedMongo(self._directory, self._port)
        return await self._server.__aenter__()

    async def kill(self) -> None:
        assert self._server is not None
        await asyncio.to_thread(self._server.kill)

    async def stop(self) -> None:
        if self._server is not None:
            await self._server.__aexit__()


async def _carry_out(kills: tuple[Kill, ...], house: House, database: Database, say: Callable[[str], None]) -> None:
    began = time.monotonic()
    for kill in kills:
        await asyncio.sleep(max(0.0, kill.at_s - (time.monotonic() - began)))
        say(f"{kill.at_s:5.1f} s: kill -9 {kill.victim}, down for {kill.down_s:.1f} s")
        if kill.victim == DATABASE:
            await database.kill()
            await asyncio.sleep(kill.down_s)
            await database.start()
        else:
            await house.kill(kill.victim)
            await asyncio.sleep(kill.down_s)
            await house.revive(kill.victim)


async def _shop(client: HouseClient, seed: int, tokens: Sequence[str]) -> Traffic:
    staff = await client.token("chaos-staff", kind="staff", scopes=STAFF_SCOPES)
    skus = [(await shop.some_variant(client, skip=at))["sku"] for at in range(SKUS)]
    for sku in skus:
        await shop.set_sellable(client, staff, sku, UNITS)
    levels = await shop.levels(client, staff, skus[0])
    stores = [level["location"] for level in levels if level["location"]["kind"] == "STORE"]
    return Traffic(client, staff, skus, stores, tokens, seed)


async def _settled(house: House) -> list[str]:
    """What is wrong when nothing changes for the better any more, or ``SETTLE_S`` are over."""
    until = time.monotonic() + SETTLE_S
    while True:
        problems = await problems_of(house)
        if not problems or time.monotonic() > until:
            return problems


def _client(house: House) -> HouseClient:
    return HouseClient(house.gateway_url, ROOT / "schema" / "operations")
