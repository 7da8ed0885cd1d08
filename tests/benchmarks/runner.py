"""One bench from an empty directory to a ``Run``: start the house, give everybody a core, each workload once, take it down.

The other benches have no house: ``run_rivals`` puts our gateway beside others, ``run_curves`` lets things grow around it.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import os
import secrets
import tempfile
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from gateway.local.house import SUBGRAPHS, House, HouseSettings, ephemeral_ports
from gateway.supergraph import Supergraph
from tests.benchmarks import meters
from tests.benchmarks.client import LeanClient
from tests.benchmarks.curves.measure import measure as measure_curves
from tests.benchmarks.direct import Direct
from tests.benchmarks.pinning import cores, pin
from tests.benchmarks.results import Run, Table
from tests.benchmarks.rivals.contenders import contenders, left_out
from tests.benchmarks.rivals.match import in_the_field
from tests.benchmarks.rivals.measure import measure as measure_rivals
from tests.benchmarks.site import SCHEMA, Site
from tests.benchmarks.workloads import WORKLOADS
from tests.kit.running_house import STAFF_SCOPES

WORKLOAD_S_MAX = 90.0
"""A workload that takes longer is stuck; its loads are bounded far below."""
RUN_S_MAX = 180.0
RIVALS_S_MAX = 540.0
"""Nine processes to start, and six times five contenders in turns of two seconds."""
CURVES_S_MAX = 540.0
"""Twelve gateways to start, one after the other, eighteen points of four slices, a minute of composition."""


@dataclass(frozen=True, slots=True)
class Beginning:
    """What the meters said when we began to measure."""

    at: float
    machine: float
    ours: float

    @classmethod
    def now(cls) -> Beginning:
        return cls(time.monotonic(), meters.machine_busy_seconds(), meters.our_busy_seconds())

    @property
    def others_percent(self) -> float:
        """Of the machine's CPU time since, what went to programs that are not ours."""
        machine, ours = meters.machine_busy_seconds() - self.machine, meters.our_busy_seconds() - self.ours
        wall = time.monotonic() - self.at
        return max(0.0, (machine - ours) / (wall * (os.cpu_count() or 1)) * 100)


async def run(only: Collection[str], *, say: Callable[[str], None], done: Callable[[Table], None]) -> Run:
    """``only`` names workloads; empty means all. ``say`` hears what is being done, ``done`` each table as it is ready."""
    load_before = meters.load_average()
    began = time.monotonic()
    tables: list[Table] = []
    async with asyncio.timeout(RUN_S_MAX):
        with tempfile.TemporaryDirectory(prefix="galleria-bench-") as data:
            settings = HouseSettings(
                data_directory=Path(data),
                supergraph=SCHEMA / "supergraph.graphql",
                ports=ephemeral_ports(),
                mongodb_uri=os.environ.get("MONGODB_URI"),
                database_prefix=f"galleria_bench_{secrets.token_hex(4)}_",
                scale="tiny",
                restart=False,
                drop_at_end="MONGODB_URI" in os.environ,
            )
            say("starting the house")
            async with House(settings) as house:
                ready_s = time.monotonic() - began
                say("starting the gateway once more, to time it alone")
                await house.kill("gateway")
                again = time.monotonic()
                await house.revive("gateway")
                gateway_ready_s = time.monotonic() - again
                async with LeanClient(house.gateway_url, SCHEMA / "operations") as client, _direct(house) as direct:
                    site = await _site(house, client, direct, ready_s=ready_s, gateway_ready_s=gateway_ready_s, say=say)
                    division = cores()
                    pin(
                        division,
                        gateway=site.processes["gateway"],
                        others=[os.getpid(), *(pid for name, pid in site.processes.items() if name != "gateway")],
                    )
                    beginning = Beginning.now()
                    for name, measure in WORKLOADS:
                        if only and name not in only:
                            continue
                        say(name)
                        async with asyncio.timeout(WORKLOAD_S_MAX):
                            with _witnessed(house):
                                found = await measure(site)
                        tables += found
                        for table in found:
                            done(table)
                    others_percent = beginning.others_percent
    return _run(tables, division.text, began=began, load_before=load_before, others_percent=others_percent)


async def run_rivals(*, say: Callable[[str], None], done: Callable[[Table], None]) -> Run:
    """Our gateway, and those of others that are installed; ``contenders`` says how they come to be."""
    load_before = meters.load_average()
    began = time.monotonic()
    division = cores()
    tables: list[Table] = []
    async with asyncio.timeout(RIVALS_S_MAX):
        with tempfile.TemporaryDirectory(prefix="galleria-bench-") as data:
            async with in_the_field(contenders(), division, Path(data), say=say) as field:
                beginning = Beginning.now()
                for table in await measure_rivals(field, left_out()):
                    tables.append(table)
                    done(table)
                others_percent = beginning.others_percent
    return _run(tables, division.text, began=began, load_before=load_before, others_percent=others_percent)


async def run_curves(*, say: Callable[[str], None], done: Callable[[Table], None]) -> Run:
    """Our gateway alone."""
    load_before = meters.load_average()
    began = time.monotonic()
    division = cores()
    beginning = Beginning.now()
    async with asyncio.timeout(CURVES_S_MAX):
        with tempfile.TemporaryDirectory(prefix="galleria-bench-") as data:
            tables = await measure_curves(division, Path(data), say=say, done=done)
    return _run(
        list(tables), division.text, began=began, load_before=load_before, others_percent=beginning.others_percent
    )


def _run(tables: list[Table], cores: str, *, began: float, load_before: float, others_percent: float) -> Run:
    return Run(
        date=datetime.datetime.now(datetime.UTC).date().isoformat(),
        machine=meters.machine(),
        cores=cores,
        seconds=time.monotonic() - began,
        load_before=load_before,
        others_percent=others_percent,
        tables=tuple(tables),
    )


@contextlib.contextmanager
def _witnessed(house: House) -> Iterator[None]:
    """What fails here may be the doing of a process that ended; its last words then stand under the error."""
    try:
        yield
    except Exception as error:
        for name, process in house.processes.items():
            if not process.running:
                error.add_note(f"{name} had ended with status {process.returncode}.\n{process.log_tail()}")
        raise


def _direct(house: House) -> Direct:
    supergraph = Supergraph.parse((SCHEMA / "supergraph.graphql").read_text())
    urls = {name: f"{house.subgraph_url(name)}/graphql" for name in SUBGRAPHS}
    return Direct(supergraph, urls, house.environment()["GALLERIA_IDENTITY_SECRET"])


async def _site(
    house: House,
    client: LeanClient,
    direct: Direct,
    *,
    ready_s: float,
    gateway_ready_s: float,
    say: Callable[[str], None],
) -> Site:
    named = {process.pid for process in house.processes.values()}
    return Site(
        house=house,
        client=client,
        direct=direct,
        staff=await client.token("bench", kind="staff", scopes=STAFF_SCOPES),
        ready_s=ready_s,
        gateway_ready_s=gateway_ready_s,
        # The embedded server is the one child of ours that the house does not list; a given database is nobody's child.
        database_pid=next((pid for pid in meters.children() if pid not in named), None),
        say=say,
    )
