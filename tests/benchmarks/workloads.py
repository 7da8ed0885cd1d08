"""What is measured: each workload takes the running house and gives rows of a table.

The client, the gateway, the subgraphs and the database share the machine's cores, so throughput is that of a small house,
not of a gateway alone; the CPU columns say what each part took.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

from graphql import parse

from gateway.composition import SubgraphSource, compose
from gateway.local.client import HouseClient, first
from gateway.local.house import SUBGRAPHS, House
from gateway.operation import normalise
from gateway.planning.planner import Planner
from gateway.supergraph import Supergraph
from tests.benchmarks.measure import Latencies, Load, load, resident_mb
from tests.kit import shop
from tests.kit.running_house import CONTEXT, ROOT, WHERE

SCHEMA = ROOT / "schema"


@dataclass(frozen=True, slots=True)
class Row:
    workload: str
    figures: str


@dataclass(slots=True)
class Bench:
    """The house under measurement and what its clients share."""

    house: House
    client: HouseClient
    staff: str
    ready_s: float

    @property
    def processes(self) -> dict[str, int]:
        return {name: self.house.processes[name].pid for name in ("gateway", *SUBGRAPHS)}


async def start(bench: Bench) -> AsyncIterator[Row]:
    """Until ready, and what everybody holds while nobody asks."""
    memory = {name: resident_mb(pid) for name, pid in bench.processes.items()}
    subgraphs = sum(memory[name] for name in SUBGRAPHS)
    yield Row("start, tiny seed included", f"{bench.ready_s:.1f} s until ready")
    yield Row("memory, idle", f"gateway {memory['gateway']:.0f} MB, five subgraphs {subgraphs:.0f} MB together")


async def reads(bench: Bench) -> AsyncIterator[Row]:
    """A tiny query and the product page, by one client and by sixteen."""
    variant = await shop.some_variant(bench.client)
    page = {"handle": variant["product"]["handle"], "price": CONTEXT, "where": WHERE, "signedIn": False}
    asked: tuple[tuple[str, str, dict[str, Any], int], ...] = (
        ("one field of one subgraph", "query($s: String!) { variant(sku: $s) { title } }", {"s": variant["sku"]}, 400),
        ("product page, five fetches", bench.client.document("product_page"), page, 120),
    )
    for name, document, variables, requests in asked:

        async def ask(document: str = document, variables: dict[str, Any] = variables) -> None:
            await bench.client.data(document, variables)

        for connections in (1, 16):
            took = await load(ask, connections=connections, requests=requests, processes=bench.processes)
            yield Row(f"{name}, {connections} at once", _read(took))


async def planning(bench: Bench) -> AsyncIterator[Row]:
    """Composing the five subgraphs, and planning each named operation with nothing cached."""
    sources = [
        SubgraphSource(file.stem, f"http://127.0.0.1/{file.stem}", file.read_text())
        for file in sorted((SCHEMA / "subgraphs").glob("*.graphql"))
    ]
    began = time.process_time()
    result = compose(sources)
    composing = time.process_time() - began
    assert result.supergraph is not None
    yield Row("compose the five subgraphs", f"{composing * 1000:.0f} ms of CPU")
    graph = Supergraph.parse(result.supergraph)
    documents = {file.stem: parse(file.read_text()) for file in sorted((SCHEMA / "operations").rglob("*.graphql"))}
    taken: list[float] = []
    for _ in range(5):
        planner = Planner(graph)
        for document in documents.values():
            began = time.process_time()
            planner.plan(normalise(document, None, graph.api_schema))
            taken.append(time.process_time() - began)
    cold = Latencies.of(taken)
    yield Row(
        f"plan an operation, {len(documents)} of them",
        f"p50 {cold.at(0.5):.1f} ms, p99 {cold.at(0.99):.1f} ms of CPU",
    )


async def live(bench: Bench) -> AsyncIterator[Row]:
    """From sending a register's sale to the watcher's event, enriched by catalog."""
    client, staff = bench.client, bench.staff
    sku = (await shop.some_variant(client, skip=1))["sku"]
    await shop.set_sellable(client, staff, sku, 100)
    store = next(each for each in await shop.levels(client, staff, sku) if each["location"]["kind"] == "STORE")
    await shop.adjust(client, staff, sku, store["location"]["id"], 200)
    watch = (
        "subscription($skus: [String!]!, $where: AvailabilityInput!) { availabilityChanged(skus: $skus, input: $where,"
        " maxRateHz: 10) { kind availability { availableToSell variant { title } } } }"
    )
    taken: list[float] = []
    async with client.subscribe(watch, {"skus": [sku], "where": WHERE}, token=staff) as events:
        await first(events, within_s=10)
        for _ in range(30):
            began = time.perf_counter()
            payload = await shop.sell_at_register(client, staff, sku, store["location"])
            assert payload["errors"] == []
            event = await first(events, within_s=10)
            assert event["data"]["availabilityChanged"]["kind"] == "DELTA"
            taken.append(time.perf_counter() - began)
    lag = Latencies.of(taken)
    yield Row(
        "sale at a register, until a watcher of at most 10 events/s has it",
        f"p50 {lag.at(0.5):.0f} ms, p99 {lag.at(0.99):.0f} ms",
    )


async def race(bench: Bench) -> AsyncIterator[Row]:
    """Two hundred buyers of fifty units, each through checkout, address and completion."""
    client = bench.client
    sku = (await shop.some_variant(client, skip=2))["sku"]
    await shop.set_sellable(client, bench.staff, sku, 50)
    began = time.perf_counter()
    outcomes = await asyncio.gather(*(shop.buy(client, sku) for _ in range(200)))
    seconds = time.perf_counter() - began
    sold = sum(outcome.order is not None for outcome in outcomes)
    assert sold == 50, f"{sold} orders of 50 units"
    yield Row("200 buyers of 50 units", f"50 orders and 150 refusals in {seconds:.1f} s")


WORKLOADS: tuple[Callable[[Bench], AsyncIterator[Row]], ...] = (start, reads, planning, live, race)


def _read(took: Load) -> str:
    subgraphs = sum(took.cpu_ms[name] for name in SUBGRAPHS)
    return (
        f"{took.per_second:.0f}/s, p50 {took.latencies.at(0.5):.1f} ms, p99 {took.latencies.at(0.99):.1f} ms;"
        f" CPU a request: gateway {took.cpu_ms['gateway']:.1f} ms, subgraphs {subgraphs:.1f} ms"
    )
