"""Golden plans are right, not only as expected: their operations are answered as one server with all the data would.

Each document's subgraphs are served with invented data, and the gateway in front of them is asked over HTTP. Whether the
subgraphs were asked for nothing they do not have, whether every mutation was called once and in order, and whether
``verify`` agrees, is looked at, too.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from graphql import parse

from tests.gateway.planning.golden import PLANS, read
from tests.gateway.planning.small_worlds import LINK
from tests.properties.law import Ask, Bench, bench

ASKED = [path for path in PLANS if not re.search(r"^subscription|@defer", read(path).operation, re.MULTILINE)]
"""Those whose answer is one response: events and deferred parts have laws of their own."""
VARIANTS = [f"data {number}" for number in range(12)]
"""In some data just what an operation is about is null, or a list is empty: the next is tried until enough was said."""
TOLD_ENOUGH = 3


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def at() -> AsyncIterator[Bench]:
    async with bench() as made:
        yield made


@pytest.mark.parametrize("path", ASKED, ids=lambda path: path.stem)
@pytest.mark.asyncio(loop_scope="module")
async def test_the_answer_is_that_of_one_server(at: Bench, path: Path) -> None:
    golden = read(path)
    subgraphs = tuple((name, LINK + sdl) for name, sdl in golden.subgraphs)
    told = 0
    for variant in VARIANTS:
        loaded = at.load(subgraphs, variant)
        for variables in golden.variables:
            difference = await at.check(loaded, Ask(golden.operation, variables))
            assert difference is None, str(difference)
            told += says_something(loaded.whole.answer(parse(golden.operation), variables, None)["data"])
        if told >= TOLD_ENOUGH:
            return
    pytest.fail("hardly anything but nulls and empty lists was compared")


def says_something(data: Any) -> bool:
    match data:
        case dict():
            return not data or any(map(says_something, data.values()))
        case list():
            return any(map(says_something, data))
        case _:
            return data is not None
