"""Two hundred buyers of fifty units, all at once, each through checkout, address and completion; then the books are checked."""

from __future__ import annotations

import asyncio
import time
from collections import Counter

from tests.benchmarks.client import UNDER_WAY_MAX
from tests.benchmarks.meters import Latencies, cpu_by_name
from tests.benchmarks.results import Table
from tests.benchmarks.site import DATABASE, Site
from tests.kit import shop

BUYERS = 200
UNITS = 50
REFUSALS = {"OutOfStock", "InsufficientStock"}


async def measure(site: Site) -> tuple[Table, ...]:
    sku = (await shop.some_variant(site.client, skip=2))["sku"]
    await shop.set_sellable(site.client, site.staff, sku, UNITS)
    taken: list[float] = []

    async def buy() -> str:
        began = time.perf_counter()
        outcome = await shop.buy(site.client, sku)
        taken.append(time.perf_counter() - began)
        return "order" if outcome.order is not None else str(outcome.refusal)

    site.say(f"{BUYERS} buyers of {UNITS} units")
    before = cpu_by_name(site.processes)
    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        buyers = [group.create_task(buy()) for _ in range(BUYERS)]
    seconds = time.perf_counter() - began
    cpu = {name: now - before[name] for name, now in cpu_by_name(site.processes).items()}
    outcomes = Counter(each.result() for each in buyers)
    assert outcomes.pop("order", 0) == UNITS, f"not {UNITS} orders: {outcomes}"
    assert outcomes.keys() <= REFUSALS, f"refused for other reasons: {outcomes}"
    audit = await site.client.data("{ inventoryAudit { ok problems } }", token=site.staff)
    assert audit["inventoryAudit"]["ok"], audit["inventoryAudit"]["problems"]
    buyer = Latencies.of(taken)
    each = 1000 / BUYERS
    table = Table(
        name="race",
        title="The last units",
        note=f"{BUYERS} buyers start together, at most {UNDER_WAY_MAX} requests under way: {UNITS} orders, {BUYERS - UNITS} typed refusals, ledger balanced afterwards."
        " A buyer is three mutations, or fewer when refused; CPU is per buyer.",
        columns=(
            *("buyers", "orders", "s", "buyers decided/s", "orders/s", "buyer p50 ms", "buyer p99 ms"),
            *("gateway CPU ms", "subgraphs CPU ms", "database CPU ms"),
        ),
        rows=(
            (
                *(BUYERS, UNITS, seconds, BUYERS / seconds, UNITS / seconds, buyer.p50, buyer.p99),
                cpu["gateway"] * each,
                sum(cpu[name] for name in cpu.keys() - {"gateway", DATABASE}) * each,
                cpu[DATABASE] * each if DATABASE in cpu else None,
            ),
        ),
    )
    return (table,)
