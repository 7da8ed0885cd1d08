"""``python -m tests.benchmarks [--write-readme]``: a house of its own, each workload once, a table. About a minute."""

from __future__ import annotations

import asyncio
import datetime
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from gateway.local.client import HouseClient
from gateway.local.house import House, HouseSettings, ephemeral_ports
from tests.benchmarks.measure import machine
from tests.benchmarks.workloads import SCHEMA, WORKLOADS, Bench, Row
from tests.kit.running_house import STAFF_SCOPES

README = Path(__file__).with_name("README.md")


async def run(console: Console) -> list[Row]:
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="galleria-bench-") as data:
        began = time.monotonic()
        settings = HouseSettings(
            data_directory=Path(data),
            supergraph=SCHEMA / "supergraph.graphql",
            ports=ephemeral_ports(),
            scale="tiny",
            restart=False,
        )
        async with House(settings) as house:
            ready_s = time.monotonic() - began
            async with HouseClient(house.gateway_url, SCHEMA / "operations") as client:
                staff = await client.token("bench", kind="staff", scopes=STAFF_SCOPES)
                bench = Bench(house=house, client=client, staff=staff, ready_s=ready_s)
                for workload in WORKLOADS:
                    with console.status(f"{workload.__name__} …"):
                        async for row in workload(bench):
                            rows.append(row)
                            console.print(f"{row.workload}: {row.figures}")
    return rows


def readme(rows: list[Row]) -> str:
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    lines = [
        "# Measured",
        "",
        "`make bench` starts a house of its own (embedded database, five subgraphs, gateway, tiny seed), runs each workload",
        "once and prints this table; `python -m tests.benchmarks --write-readme` keeps it here. Client, gateway, subgraphs and",
        "database share the cores, so compare rows of one table with each other and with nothing else. Every answer was",
        "checked. Clients at once ask the same, so the gateway shares their fetches while these are under way.",
        "",
        f"{today}, {machine()}.",
        "",
        "| workload | figures |",
        "|---|---|",
        *(f"| {row.workload} | {row.figures} |" for row in rows),
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    console = Console(highlight=False)
    console.print(machine())
    rows = asyncio.run(run(console))
    table = Table("workload", "figures")
    for row in rows:
        table.add_row(row.workload, row.figures)
    console.print(table)
    if "--write-readme" in sys.argv[1:]:
        README.write_text(readme(rows))


if __name__ == "__main__":
    main()
