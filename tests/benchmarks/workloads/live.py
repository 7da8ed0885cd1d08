"""How long after a register's sale whoever watches the shelf knows: sold over HTTP, seen over the WebSocket, through the gateway.

The watcher asks for at most ten events a second, which is the most there is. Sales are therefore further apart than
that: otherwise the figure would be that of the pause and not of the way.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator
from typing import Any

from gateway.local.client import first
from tests.benchmarks.meters import Latencies, cpu_by_name
from tests.benchmarks.results import Table
from tests.benchmarks.site import Site
from tests.kit import shop
from tests.kit.running_house import WHERE

SALES = 50
APART_S = (0.12, 0.22)
"""Drawn anew each time, so that no sale keeps step with anybody's clock."""
EVENT_S_MAX = 10.0
WATCH = (
    "subscription($skus: [String!]!, $where: AvailabilityInput!) { availabilityChanged(skus: $skus, input: $where,"
    " maxRateHz: 10) { kind availability { sku availableToSell variant { title product { title } } } } }"
)


async def measure(site: Site) -> tuple[Table, ...]:
    client, staff = site.client, site.staff
    sku = (await shop.some_variant(client, skip=1))["sku"]
    await shop.set_sellable(client, staff, sku, SALES)
    levels = await shop.levels(client, staff, sku)
    store = next(each["location"] for each in levels if each["location"]["kind"] == "STORE")
    await shop.adjust(client, staff, sku, store["id"], 2 * SALES)
    pauses = random.Random(1)
    sold: list[float] = []
    seen: list[float] = []
    async with client.subscribe(WATCH, {"skus": [sku], "where": WHERE}, token=staff) as events:
        units = _units(await first(events, within_s=EVENT_S_MAX), "SNAPSHOT")
        before = cpu_by_name(site.processes)
        for number in range(SALES):
            site.say(f"sale {number + 1} of {SALES}")
            await asyncio.sleep(pauses.uniform(*APART_S))
            began = time.perf_counter()
            async with asyncio.TaskGroup() as group:
                # The event may well be there before the register's own answer.
                watching = group.create_task(_until(events, units - 1))
                payload = await shop.sell_at_register(client, staff, sku, store)
                sold.append(time.perf_counter() - began)
            assert payload["errors"] == [], payload["errors"]
            seen.append(watching.result() - began)
            units -= 1
        cpu = {name: seconds - before[name] for name, seconds in cpu_by_name(site.processes).items()}
    event, answer = Latencies.of(seen), Latencies.of(sold)
    each = 1000 / SALES
    table = Table(
        name="live",
        title="Live stock",
        note=f"{SALES} sales of one unit, {APART_S[0] * 1000:.0f} to {APART_S[1] * 1000:.0f} ms apart, one watcher. Both"
        " times begin when the register sends its sale; the event carries the new number and the catalog's titles. The CPU"
        " includes what the services do of themselves in the pauses.",
        columns=("from the sale being sent until", "sales", "p50 ms", "p99 ms", "gateway CPU ms", "all CPU ms"),
        rows=(
            ("the watcher has the event", SALES, event.p50, event.p99, cpu["gateway"] * each, sum(cpu.values()) * each),
            ("the register has its answer", SALES, answer.p50, answer.p99, None, None),
        ),
    )
    return (table,)


async def _until(events: AsyncIterator[dict[str, Any]], units: int) -> float:
    """When the event with this number of units came."""
    while True:
        event = await first(events, within_s=EVENT_S_MAX)
        at = time.perf_counter()
        if _units(event, "DELTA") == units:
            return at


def _units(payload: dict[str, Any], kind: str) -> int:
    assert not payload.get("errors"), payload["errors"]
    change = payload["data"]["availabilityChanged"]
    assert change["kind"] == kind, f"{change['kind']} where {kind} was expected"
    (one,) = change["availability"]
    assert one["variant"]["title"], "the event carries no catalog fields"
    units: int = one["availableToSell"]
    return units
