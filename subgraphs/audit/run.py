"""Runs the invariants over two readings, so that what is only under way is not called wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from subgraphs.audit.invariants import INVARIANTS
from subgraphs.audit.reading import Reading, read
from subgraphs.chassis.mongo import Database

SETTLE_S: Final = 2.0
READINGS_MAX: Final = 5
"""As long as every reading finds other things wrong, things are on their way; after so many, the last counts."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one invariant has to say."""

    number: str
    what: str
    facts: int
    problems: tuple[str, ...]


async def audit(databases: Mapping[str, Database], now: Callable[[], datetime]) -> list[Finding]:
    """Every invariant with its facts and problems: those found in two readings in a row."""
    findings = _judge(await read(databases, now()))
    for _ in range(READINGS_MAX - 1):
        suspected = {problem for each in findings for problem in each.problems}
        if not suspected:
            break
        await asyncio.sleep(SETTLE_S)
        findings = _judge(await read(databases, now()))
        confirmed = {problem for each in findings for problem in each.problems} & suspected
        if confirmed:
            return [
                Finding(each.number, each.what, each.facts, tuple(one for one in each.problems if one in confirmed))
                for each in findings
            ]
    return findings


def _judge(reading: Reading) -> list[Finding]:
    return [
        Finding(
            each.number,
            each.what,
            sum(len(reading.of(service, collection)) for service, collection in each.facts),
            tuple(each.check(reading)),
        )
        for each in INVARIANTS
    ]
