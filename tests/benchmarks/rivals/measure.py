"""Every operation with nothing shared, the deep one also with fetches shared; then the tables of it all."""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from tests.benchmarks.results import Table
from tests.benchmarks.rivals import tables
from tests.benchmarks.rivals.contenders import node_version
from tests.benchmarks.rivals.match import Field
from tests.benchmarks.rivals.world import OPERATIONS

SHARED = ("deep",)
"""What is also asked with identical fetches under way sent once."""


async def measure(field: Field, left_out: Sequence[str]) -> tuple[Table, ...]:
    alone = {operation.name: await field.compare(operation, shares=False) for operation in OPERATIONS}
    shared = {
        operation.name: await field.compare(operation, shares=True)
        for operation in OPERATIONS
        if operation.name in SHARED
    }
    not_started = [f"Did not start, and is not counted: {name}." for name in field.failed]
    each = []
    for shares, level in ((False, alone), (True, shared)):
        for operation in OPERATIONS:
            if operation.name in level:
                size = len(orjson.dumps(await operation.answer()))
                each.append(tables.workload(operation, level[operation.name], shares=shares, bytes_of_answer=size))
    return (
        tables.glance(alone, shared, [node_version(), *left_out, *not_started]),
        tables.ratios(alone, shared),
        *each,
        tables.memory(field.running),
    )
