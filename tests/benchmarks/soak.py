"""Memory over very many requests: ``python -m tests.benchmarks.soak``, a million of them in about a quarter of an hour.

One gateway in front of the rivals' subgraphs; tiny, medium and deep operations, every third request with variables nobody
used before, every twentieth with a document nobody has seen. Prints what the gateway holds after each twentieth of them, and
exits 1 when the last half grew by more than a tenth. Every answer is checked.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import sys
import tempfile
from pathlib import Path

import uvloop

from tests.benchmarks.load import Load, drive
from tests.benchmarks.pinning import cores
from tests.benchmarks.rivals.contenders import contenders
from tests.benchmarks.rivals.match import in_the_field
from tests.benchmarks.rivals.questions import Line, Question
from tests.benchmarks.rivals.world import OPERATIONS

CONNECTIONS = 20
PARTS = 20
GROWTH_MAX = 0.1
MIXTURE = ("tiny",) * 8 + ("medium", "unique variables") * 5 + ("deep", "cold plan")
"""In this order, again and again."""


async def soak(requests: int) -> list[float]:
    """The resident megabytes after each part."""
    operations = {each.name: each for each in OPERATIONS}
    questions = {name: Question(operations[name], await operations[name].answer()) for name in set(MIXTURE)}
    names = itertools.cycle(MIXTURE)
    held: list[float] = []
    with tempfile.TemporaryDirectory() as directory:
        async with in_the_field(contenders()[:1], cores(), Path(directory), say=_say) as field:
            if not field.running:
                sys.exit(next(iter(field.failed.values())))
            (gateway,) = field.running
            lines = [Line(gateway.port) for _ in range(CONNECTIONS)]
            free = list(lines)

            async def ask(_: int) -> None:
                line, question = free.pop(), questions[next(names)]
                body, number = question.next()
                question.check(await line.post(body), number)
                free.append(line)

            for part in range(1, PARTS + 1):
                load = Load(CONNECTIONS)
                await drive(load, ask, count=requests // PARTS, seconds_max=sys.maxsize)
                held.append(gateway.resident_mb)
                _say(f"{part * requests // PARTS:,} requests: {held[-1]:.1f} MB, {load.per_second:,.0f} requests/s")
            for line in lines:
                line.close()
    return held


def _say(what: str) -> None:
    print(what, flush=True)


def main() -> int:
    arguments = argparse.ArgumentParser(prog="python -m tests.benchmarks.soak", description=__doc__.splitlines()[0])
    arguments.add_argument("--requests", type=int, default=1_000_000)
    requests = arguments.parse_args().requests
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        held = runner.run(soak(requests))
    middle, last = held[len(held) // 2 - 1], held[-1]
    grew = last / middle - 1
    _say(f"From {middle:.1f} MB after half of the {requests:,} requests to {last:.1f} MB at the end: {grew:+.1%}.")
    return 1 if grew > GROWTH_MAX else 0


if __name__ == "__main__":
    sys.exit(main())
