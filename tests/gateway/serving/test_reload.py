"""The supergraph's file changes while the gateway serves: requests go on, what cannot be served is refused, nothing is kept."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.composition.compose import compose
from gateway.composition.result import SubgraphSource
from gateway.execution.transport import FetchContext, SubgraphAddress
from gateway.serving.files import StartRefused
from gateway.serving.reload import RELOADS, Reloader
from tests.kit.running_gateway import LINK, STOCK, THINGS, RunningGateway, running_gateway, supergraph_sdl

WITH_UNITS = "{ thing(id: 1) { name units } }"
DEADLINE_S = 20


def without_units() -> str:
    """The same graph; what was ``units`` has another name."""
    return composed(STOCK.replace("units:", "amount:"))


def composed(stock: str, **also: str) -> str:
    sdl = {"things": THINGS, "stock": stock, **also}
    found = compose([SubgraphSource(name, f"http://{name}.invalid/graphql", LINK + each) for name, each in sdl.items()])
    assert found.supergraph is not None
    return found.supergraph


def replace(file: Path, text: str) -> None:
    """As those do who know that somebody is reading."""
    fresh = file.with_suffix(".new")
    fresh.write_text(text)
    fresh.replace(file)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    found = tmp_path / "supergraph.graphql"
    found.write_text(supergraph_sdl())
    return found


@pytest.fixture
async def running(file: Path) -> AsyncIterator[RunningGateway]:
    """Its subgraphs' addresses are settings, which hold for every later supergraph."""
    async with running_gateway(file=file, reload_s=0.01, compile_after=1) as found:
        yield found


async def reloads(outcome: str, count: float) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while RELOADS.labels(outcome)._value.get() < count:
            await asyncio.sleep(0.005)


def told(outcome: str) -> float:
    return float(RELOADS.labels(outcome)._value.get())


async def test_a_changed_file_is_served_and_requests_go_on_meanwhile(running: RunningGateway, file: Path) -> None:
    wrong: list[object] = []
    over = asyncio.Event()

    async def ask() -> None:
        while not over.is_set():
            answer = (await running.post("{ thing(id: 1) { name } }")).json()
            if answer != {"data": {"thing": {"name": "lamp"}}}:
                wrong.append(answer)

    assert (await running.post(WITH_UNITS)).json()["data"]["thing"]["units"] == 10
    asking = [asyncio.ensure_future(ask()) for _ in range(4)]
    before = told("taken")
    replace(file, without_units())
    await reloads("taken", before + 1)
    gone = (await running.post(WITH_UNITS)).json()
    assert "Cannot query field 'units'" in gone["errors"][0]["message"]
    replace(file, supergraph_sdl())
    await reloads("taken", before + 2)
    assert (await running.post(WITH_UNITS)).json()["data"]["thing"]["units"] == 10
    over.set()
    await asyncio.gather(*asking)
    assert wrong == []


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("type Query {", "Syntax Error"),
        ("", "Syntax Error"),
        (
            composed(STOCK, more="type Query { more: Int }").replace("http://more", "more"),
            "'more' has no http(s) address",
        ),
    ],
    ids=["half written", "empty", "a subgraph nowhere"],
)
async def test_what_cannot_be_served_is_refused_and_the_next_change_is_tried(
    running: RunningGateway, file: Path, text: str, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    refused, taken = told("refused"), told("taken")
    replace(file, text)
    await reloads("refused", refused + 1)
    assert reason in capsys.readouterr().out
    assert (await running.post(WITH_UNITS)).json()["data"]["thing"]["units"] == 10
    replace(file, without_units())
    await reloads("taken", taken + 1)
    assert "errors" in (await running.post(WITH_UNITS)).json()


async def test_an_open_subscription_goes_on_and_only_one_that_is_valid_no_more_ends(
    running: RunningGateway, file: Path
) -> None:
    before = told("taken")
    things = running.things
    async with _watching(running, "changes(count: 0) { name }") as stays:
        assert "lamp" in await stays()
        streams = len(things.asked)
        async with _watching(running, "changes(count: 0) { name units }") as ends:
            assert '"units":10' in await ends()
            replace(file, without_units())
            await reloads("taken", before + 1)
            assert "Cannot query field 'units'" in await ends()
            assert await ends() == "event: complete"
        assert len(things.asked) == streams + 1
        # The one that stays has its stream of before, and hears nothing of it.
        replace(file, supergraph_sdl())
        await reloads("taken", before + 2)
        assert len(things.asked) == streams + 1
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await stays()


@asynccontextmanager
async def _watching(running: RunningGateway, field: str) -> AsyncIterator[Callable[[], Awaitable[str]]]:
    """Gives a function that waits for the data of the next event, or for the line that ends it all."""
    accept = {"accept": "text/event-stream"}
    body = {"query": f"subscription {{ {field} }}"}
    async with running.http.stream("POST", "/graphql", json=body, headers=accept) as events:
        lines = events.aiter_lines()

        async def following() -> str:
            async for line in lines:
                if line == "event: complete" or line.startswith("data:"):
                    return line
            return "cut"

        yield following


async def test_the_new_snapshot_has_the_plans_that_were_in_use_before_it_serves(
    running: RunningGateway, file: Path
) -> None:
    assert "data" in (await running.post("{ thing(id: 1) { name } }")).json()
    assert "data" in (await running.post(WITH_UNITS)).json()
    before = told("taken")
    replace(file, without_units())
    await reloads("taken", before + 1)
    snapshot = running.gateway.pipeline.snapshot
    assert snapshot is not None
    assert [prepared.key[1] for prepared, _ in snapshot.plans.recent(10)] == ["{ thing(id: 1) { name } }"]


async def test_a_snapshot_may_be_refused(running: RunningGateway) -> None:
    pipeline = running.gateway.pipeline
    before = pipeline.snapshot

    def refuse(snapshot: object) -> None:
        raise StartRefused("the tools do not fit")

    assert before is not None
    with pytest.raises(StartRefused):
        await pipeline.reload(before.supergraph, (), accept=refuse)
    assert pipeline.snapshot is before


async def test_a_file_that_is_being_written_is_left_alone(running: RunningGateway, file: Path) -> None:
    read: list[str] = []

    def fail() -> None:
        read.append(file.read_text())
        raise StartRefused("not today")

    reloader = Reloader(file, running.gateway.pipeline, read=fail, documents=list, accept=lambda snapshot: None)  # type: ignore[arg-type]
    for text in ("one", "one two", "one two three"):
        replace(file, text)
        await reloader.look()
    assert read == []
    await reloader.look()
    await reloader.look()
    assert read == ["one two three"]


async def test_what_was_served_before_is_forgotten(running: RunningGateway) -> None:
    """By the collector alone: no cache, metric, task or connection keeps an old snapshot."""
    pipeline = running.gateway.pipeline
    assert pipeline.snapshot is not None
    graph = pipeline.snapshot.supergraph
    old: list[weakref.ref[object]] = []
    for _ in range(5):
        for query in (WITH_UNITS, "{ things { id } }", "{ nonsense }"):
            await running.post(query)
        assert pipeline.snapshot is not None
        old += [weakref.ref(pipeline.snapshot.executor), weakref.ref(pipeline.snapshot.planner)]
        await pipeline.reload(graph, (), accept=lambda snapshot: None)
    gc.collect()
    assert [each() for each in old] == [None] * len(old)


async def test_ways_to_subgraphs_that_are_no_more_are_forgotten(running: RunningGateway) -> None:
    transport = running.gateway.pipeline._transport
    await transport.fetch(
        SubgraphAddress(name="things", url=running.things.url),
        b'{"query":"{__typename}"}',
        FetchContext(),
        repeatable=True,
    )
    await running.post(WITH_UNITS)
    assert set(transport.ways) == {running.things.url, running.stock.url}
    transport.keep_ways({running.things.url})
    assert set(transport.ways) == {running.things.url}
    assert len(transport._pools) == 1
    assert (await running.post(WITH_UNITS)).json()["data"]["thing"]["units"] == 10
