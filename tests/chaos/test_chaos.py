"""The short form of ``make chaos``, and that its parts do what they say."""

from __future__ import annotations

import asyncio
from pathlib import Path
from random import Random

import pytest

from gateway.local.processes import free_port
from tests.chaos.proxy import Faults, proxy
from tests.chaos.run import VICTIMS, run, schedule


@pytest.mark.story
@pytest.mark.timeout(240)
async def test_every_invariant_holds_after_everything_was_killed_while_people_bought(tmp_path: Path) -> None:
    # No payment that is looked for during a minute, and those killed who are the worst to lose.
    victims, tokens = ("orders", "inventory", "database"), ("tok_ok", "tok_ok", "tok_ok", "tok_decline_funds")
    report = await run(7, 14.0, 5.0, tmp_path, print, victims=victims, tokens=tokens)
    assert report.violations == (), "\n".join(report.lines())
    assert report.told.outcomes["order"] > 5, report.lines()
    assert {kill.victim for kill in report.kills} == set(victims)


def test_the_same_seed_is_the_same_schedule_and_everything_has_its_turn() -> None:
    assert schedule(3, 90) == schedule(3, 90) != schedule(4, 90)
    assert {kill.victim for kill in schedule(3, 90)} == set(VICTIMS)


async def test_a_lost_reply_has_had_its_effect_and_ends_the_connection() -> None:
    heard: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.readexactly(4))
        writer.write(b"done")
        await writer.drain()
        await reader.read()
        writer.close()

    here, there, faults = free_port(), free_port(), Faults(Random(1))
    async with asyncio.timeout(10), await asyncio.start_server(serve, "127.0.0.1", there), proxy(here, there, faults):
        for lost, answer in ((0.0, b"done"), (1.0, b"")):
            faults.lost = lost
            reader, writer = await asyncio.open_connection("127.0.0.1", here)
            writer.write(b"work")
            assert await reader.read(4) == answer
            writer.close()
    assert heard == [b"work", b"work"]
    assert faults.happened == {"replies lost": 1}
