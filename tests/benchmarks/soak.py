"""Memory over very many requests: ``python -m tests.benchmarks.soak``, a million of them in about a quarter of an hour.

One gateway in front of the rivals' subgraphs, asked for all there is: tiny, medium and deep operations, variables nobody
used before, documents nobody has seen, lists of a thousand, and what goes wrong: documents that are refused, variables
that are, a subgraph that fails. Every answer is checked. Prints what the gateway holds after each twentieth of the requests,
and exits 1 unless it is flat: a straight line through the last half rises by less than a twentieth. The first half is for
the caches to fill.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson
import uvloop

from tests.benchmarks.growth import slope
from tests.benchmarks.load import Load, drive
from tests.benchmarks.pinning import Cores, cores
from tests.benchmarks.rivals.contenders import contenders
from tests.benchmarks.rivals.match import in_the_field
from tests.benchmarks.rivals.questions import SHOWN_CHARACTERS_MAX, Line, Question, WrongAnswer
from tests.benchmarks.rivals.world import OPERATIONS, PLACEHOLDER, products

CONNECTIONS: Final = 20
PARTS: Final = 20
RISE_MAX: Final = 0.05
HELD_MB_MAX: Final = 120
"""What a worker should not exceed; said, and no reason to fail: it depends on what is installed."""
PART_S_MIN, REQUEST_S_MAX = 60.0, 0.02
"""A gateway that takes longer than the one and, on the average, the other hangs."""

_LARGE: Final = products(1_000)
_ORDINARY: Final = ("tiny",) * 8 + ("medium", "unique variables") * 5 + ("deep", "cold plan")


class Mistake:
    """A request that goes wrong, each a little differently, and how it has to."""

    def __init__(self, document: str, variables: Mapping[str, Any], *, code: str, data: Any = None) -> None:
        self._body = orjson.dumps({"query": document, "variables": dict(variables)})
        self._expected = (code, data)
        self._numbers = itertools.count()

    def next(self) -> tuple[bytes, bytes]:
        number = b"%0*d" % (len(PLACEHOLDER), next(self._numbers))
        return self._body.replace(PLACEHOLDER.encode(), number), number

    def check(self, reply: bytes, number: bytes) -> None:
        """Raises WrongAnswer unless it has this one error."""
        answer = orjson.loads(reply)
        codes = [error["extensions"]["code"] for error in answer.get("errors", ())]
        code, data = self._expected
        if codes != [code] or answer.get("data") != data:
            raise WrongAnswer(reply[:SHOWN_CHARACTERS_MAX].decode(errors="replace"))


MISTAKES: Final = {
    "a field there is not": Mistake(
        f'{{ product(upc: "1") {{ n{PLACEHOLDER} }} }}', {}, code="GRAPHQL_VALIDATION_FAILED"
    ),
    "a variable that is missing": Mistake(
        "query($upc: ID!) { product(upc: $upc) { name } }", {"other": PLACEHOLDER}, code="BAD_USER_INPUT"
    ),
    "a subgraph that fails": Mistake(
        "query($upc: ID!) { product(upc: $upc) { name } }",
        {"upc": f"none {PLACEHOLDER}"},
        code="DOWNSTREAM_SERVICE_ERROR",
        data={"product": None},
    ),
}
MIXTURE: Final = _ORDINARY * 10 + (*MISTAKES, _LARGE.name)
"""In this order, again and again."""


@dataclass(frozen=True, slots=True)
class Verdict:
    flat: bool
    text: str


def verdict(held: Sequence[float], requests: int) -> Verdict:
    """What is to be said of a gateway that held so many megabytes after each part of so many requests."""
    last = held[len(held) // 2 :]
    a_part = slope(list(enumerate(last)))
    rise = a_part * (len(last) - 1) / last[0]
    a_million = a_part * len(held) / requests * 1_000_000
    flat = rise < RISE_MAX
    return Verdict(
        flat,
        f"{'Flat' if flat else 'Not flat'}: over the last half of {requests:,} requests it rose by {rise:+.1%}"
        f" ({a_million:+.1f} MB a million); {held[-1]:.1f} MB at the end, {max(held):.1f} at most"
        f" ({'within' if max(held) < HELD_MB_MAX else 'above'} {HELD_MB_MAX}).",
    )


async def soak(
    requests: int, *, parts: int = PARTS, division: Cores | None = None, say: Callable[[str], None]
) -> list[float]:
    """The resident megabytes after each part. Raises WrongAnswer, also for no answer at all."""
    operations = {each.name: each for each in (*OPERATIONS, _LARGE)}
    questions: dict[str, Question | Mistake] = dict(MISTAKES)
    for name in set(MIXTURE) - MISTAKES.keys():
        questions[name] = Question(operations[name], await operations[name].answer())
    names = itertools.cycle(MIXTURE)
    held: list[float] = []
    with tempfile.TemporaryDirectory() as directory:
        async with in_the_field(contenders()[:1], division or cores(), Path(directory), say=say) as field:
            for why in field.failed.values():
                raise WrongAnswer(why)
            (gateway,) = field.running
            lines = [Line(gateway.port) for _ in range(CONNECTIONS)]
            free = list(lines)

            async def ask(_: int) -> None:
                name, line = next(names), free.pop()
                body, number = questions[name].next()
                reply = await line.post(body)
                try:
                    questions[name].check(reply, number)
                except WrongAnswer as wrong:
                    raise WrongAnswer(f"{name}: {wrong}") from None
                free.append(line)

            count = requests // parts
            wrong: BaseException | None = None
            try:
                for part in range(1, parts + 1):
                    load = Load(CONNECTIONS)
                    async with asyncio.timeout(PART_S_MIN + count * REQUEST_S_MAX):
                        await drive(load, ask, count=count, seconds_max=sys.maxsize)
                    held.append(gateway.resident_mb)
                    say(f"{part * count:,} requests: {held[-1]:.1f} MB, {load.per_second:,.0f} requests/s")
            except* (WrongAnswer, OSError, TimeoutError) as several:
                wrong = several
            finally:
                for line in lines:
                    line.close()
            while isinstance(wrong, BaseExceptionGroup):
                wrong = wrong.exceptions[0]
            if wrong is not None:
                raise WrongAnswer(f"{type(wrong).__name__}: {wrong}\n{gateway.process.log_tail()}") from wrong
    return held


def _say(what: str) -> None:
    print(what, flush=True)


def main() -> int:
    arguments = argparse.ArgumentParser(prog="python -m tests.benchmarks.soak", description=__doc__.splitlines()[0])
    arguments.add_argument("--requests", type=int, default=1_000_000)
    requests = arguments.parse_args().requests
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            held = runner.run(soak(requests, say=_say))
    except WrongAnswer as wrong:
        _say(str(wrong))
        return 1
    found = verdict(held, requests)
    _say(found.text)
    return 0 if found.flat else 1


if __name__ == "__main__":
    sys.exit(main())
