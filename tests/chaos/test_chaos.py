"""The short form of ``make chaos``: ten seconds of buyers, three kills, and books in which everything holds."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.local.house import SUBGRAPHS
from tests.chaos.faults import DATABASE
from tests.chaos.runner import Plan, run

pytestmark = [pytest.mark.story, pytest.mark.timeout(300)]


async def test_nothing_is_lost_or_sold_twice_while_processes_are_killed(tmp_path: Path) -> None:
    said: list[str] = []
    plan = Plan(
        seed=7,
        seconds=8,
        per_second=8,
        victims=("orders", "inventory", DATABASE),
        # The database is killed; a stalled one would let a payment be in doubt, and that takes a minute to end.
        links=SUBGRAPHS,
        # Long enough for a buyer to be served once the last harm is done, also on a slow machine.
        patience_s=30,
        slow_payments=False,
    )
    verdict = await run(plan, tmp_path, said.append)
    report = "\n".join([*said, *verdict.lines()])
    assert verdict.ok, report
    assert len(verdict.kills) == 3, report
    buyers = [trail for trail in verdict.trails if trail.kind == "buyer"]
    assert len(buyers) >= 5 * plan.seconds, report
    # On a slow machine the house is down most of the time; but something must have been at stake.
    assert any(trail.told == "order" for trail in buyers), report
