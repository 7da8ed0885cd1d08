"""Until the house is ready, and what everybody holds while nobody asks."""

from __future__ import annotations

from gateway.local.house import SUBGRAPHS
from tests.benchmarks.meters import resident_mb
from tests.benchmarks.results import Table
from tests.benchmarks.site import Site


async def measure(site: Site) -> tuple[Table, ...]:
    memory = {name: resident_mb(pid) for name, pid in site.processes.items()}
    table = Table(
        name="start",
        title="Start",
        note="Database, tiny seed, five subgraphs and gateway, one after the other; not pinned yet. Services and"
        " gateway have answered nothing but whether they are ready; the database has taken the seed.",
        columns=("what", "s", "idle RSS MB"),
        rows=(
            ("the whole house, until ready", site.ready_s, sum(memory.values())),
            ("the gateway, until ready", site.gateway_ready_s, memory["gateway"]),
            *((name, None, memory[name]) for name in (*SUBGRAPHS, *(memory.keys() - {"gateway", *SUBGRAPHS}))),
        ),
    )
    return (table,)
