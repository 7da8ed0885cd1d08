"""The audit of a running house, as ``python -m subgraphs audit`` does it."""

from __future__ import annotations

from gateway.local.house import SUBGRAPHS, House
from subgraphs.audit import audit
from subgraphs.chassis.mongo import Mongo
from subgraphs.kernel.clock import SystemClock


async def problems_of(house: House) -> list[str]:
    """Everything wrong in its five databases, each with the number of the invariant."""
    async with await Mongo.connect(house.mongodb_uri) as mongo:
        databases = {name: mongo.database(f"{house.settings.database_prefix}{name}") for name in SUBGRAPHS}
        findings = await audit(databases, SystemClock().now)
    return [f"{each.number} {problem}" for each in findings for problem in each.problems]
