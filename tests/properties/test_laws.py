"""The laws in short: kept counterexamples, and a few fresh worlds. ``make fuzz`` is the long form."""

from __future__ import annotations

from collections.abc import AsyncIterator
from random import Random

import pytest
import pytest_asyncio

from gateway.composition.compose import compose
from gateway.composition.result import SubgraphSource
from tests.properties import counterexample
from tests.properties.generator import federation
from tests.properties.law import Bench, SubgraphTexts, bench
from tests.properties.operations import operation
from tests.properties.world import WorldInvalid

WORLDS = [f"short {number}" for number in range(16)]
OPERATIONS = 6
KEPT = sorted(counterexample.KEPT.glob("*.txt"))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def at() -> AsyncIterator[Bench]:
    async with bench() as made:
        yield made


@pytest.mark.parametrize("path", KEPT, ids=lambda path: path.stem)
@pytest.mark.asyncio(loop_scope="module")
async def test_what_once_went_wrong_goes_right(at: Bench, path: counterexample.Path) -> None:
    kept = counterexample.read(path.read_text())
    difference = await at.check(at.load(kept.subgraphs), kept.ask)
    assert difference is None, str(difference)


@pytest.mark.parametrize("seed", WORLDS)
@pytest.mark.asyncio(loop_scope="module")
async def test_the_graph_answers_as_one_server(at: Bench, seed: str) -> None:
    loaded = at.load(federation(seed))
    for turn in range(OPERATIONS):
        ask = operation(loaded.supergraph.api_schema, f"{seed}/{turn}")
        if ask is None:
            continue
        try:
            difference = await at.check(loaded, ask)
        except WorldInvalid:
            continue
        assert difference is None, f"{difference}\n{loaded.plan_text(ask)}"


def composed(subgraphs: SubgraphTexts) -> tuple[str | None, str | None, list[str]]:
    result = compose([SubgraphSource(name, f"http://{name}", sdl) for name, sdl in subgraphs])
    return result.supergraph, result.api, sorted(each.published_code for each in result.errors)


@pytest.mark.parametrize("seed", WORLDS)
def test_the_order_of_subgraphs_changes_nothing(seed: str) -> None:
    subgraphs = list(federation(seed))
    expected = composed(tuple(subgraphs))
    Random(seed).shuffle(subgraphs)
    assert composed(tuple(subgraphs)) == expected


@pytest.mark.parametrize("seed", WORLDS[:8])
def test_composing_the_composed_is_stable(seed: str) -> None:
    _, api, _ = composed(federation(seed))
    assert api is not None
    _, again, errors = composed((("whole", api),))
    assert (again, errors) == (api, [])
