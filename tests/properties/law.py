"""The law *federated = monolith* for one world and one operation, through a real gateway over real sockets.

A ``Bench`` is one gateway process's worth of things in one event loop: the gateway's own application under its own
server, the subgraphs behind another server, and a client. A new world is loaded into both; nothing is started again.
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import uvicorn
from graphql import DocumentNode, parse, validate

from gateway.composition.compose import compose
from gateway.composition.result import SubgraphSource
from gateway.config import Settings
from gateway.execution.compiled.program import BROKEN
from gateway.operation import normalise
from gateway.plan import render_text
from gateway.planning.passes.batch import depth
from gateway.planning.planner import Planner
from gateway.planning.verify import verify
from gateway.serving.server import Gateway
from gateway.supergraph import Supergraph
from tests.properties.services import Host, Whole
from tests.properties.world import World

JSON = dict[str, Any]
SubgraphTexts = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Ask:
    """What a client sends."""

    query: str
    variables: JSON = field(default_factory=dict)
    operation_name: str | None = None


@dataclass(frozen=True, slots=True)
class Difference:
    """Where the two do not agree."""

    kind: str
    ask: Ask
    expected: JSON
    answered: JSON
    violations: tuple[str, ...] = ()

    @property
    def family(self) -> str:
        """The kind without the particulars."""
        return "errors" if self.kind.startswith(("an error", "no error")) else self.kind.split()[0]

    def __str__(self) -> str:
        return "\n".join(
            [
                f"difference: {self.kind}",
                f"operation:  {self.ask.query}",
                f"variables:  {json.dumps(self.ask.variables)}",
                f"one server: {json.dumps(self.expected)}",
                f"federation: {json.dumps(self.answered)}",
                *(f"violation:  {each}" for each in self.violations),
            ]
        )


class NotComposed(Exception):
    """The subgraphs do not compose; ``codes`` say why."""

    def __init__(self, codes: Sequence[str], text: str) -> None:
        super().__init__(text)
        self.codes = tuple(codes)


class Loaded:
    """A world that was composed and is being served."""

    def __init__(self, world: World, supergraph: Supergraph, whole: Whole) -> None:
        self.world = world
        self.supergraph = supergraph
        self.whole = whole
        self.planner = Planner(supergraph)

    def plan_text(self, ask: Ask) -> str:
        """The plan, for people."""
        schema = self.supergraph.api_schema
        operation = normalise(parse(ask.query), ask.operation_name, schema)
        try:
            return render_text(self.planner.plan(operation))
        except Exception as failure:  # noqa: BLE001  shown to whoever reads the report
            return f"no plan: {failure!r}"

    def unsound(self, ask: Ask) -> list[str]:
        """What ``verify`` says against the plan, and whether merging requests made it longer."""
        operation = normalise(parse(ask.query), ask.operation_name, self.supergraph.api_schema)
        problems = [str(each) for each in verify(self.planner.plan(operation), operation, self.supergraph)]
        found = self.planner.search(operation)
        fetches = found.walk.fetches
        apart = max((fetches.round(group) for group in fetches.groups), default=0)
        if depth(found.bundles) > apart:
            problems.append(f"merged into {depth(found.bundles)} rounds; apart there are {apart}")
        return problems


class Bench:
    """Made by ``bench``."""

    def __init__(self, interpreting: Served, compiling: Served, host: Host, subgraphs: str) -> None:
        self._interpreting = interpreting
        self._compiling = compiling
        self._host = host
        self._subgraphs = subgraphs

    def load(self, subgraphs: SubgraphTexts, variant: str = "") -> Loaded:
        """Compose the subgraphs and serve them from now on, with data of this variant. Raises NotComposed."""
        sources = [SubgraphSource(name, f"{self._subgraphs}/{name}", sdl) for name, sdl in subgraphs]
        result = compose(sources)
        if result.supergraph is None or result.api is None:
            raise NotComposed(
                [each.published_code for each in result.errors], "\n".join(str(each) for each in result.errors)
            )
        world = World(subgraphs, variant)
        supergraph = Supergraph.parse(result.supergraph)
        self._host.load(world)
        for each in (self._interpreting, self._compiling):
            each.gateway.pipeline.load(supergraph)
        return Loaded(world, supergraph, Whole(world, result.api))

    async def check(self, loaded: Loaded, ask: Ask) -> Difference | None:
        """Ask one server and the gateway, which interprets its plans; and, where they agree, one that compiles all it can.

        Raises WorldInvalid where the world has no data for this.
        """
        tree = parse(ask.query, no_location=True)
        expected = loaded.whole.answer(tree, ask.variables, ask.operation_name)
        self._host.forget()
        body: JSON = {"query": ask.query, "variables": ask.variables}
        if ask.operation_name is not None:
            body["operationName"] = ask.operation_name
        answered = await self._interpreting.answer(body)
        kind = difference(expected, answered)
        history = self._host.history
        mutations = list(history.mutations)
        if kind is None and history.violations:
            kind = "violation"
        wanted = loaded.whole.history.mutations
        # One server may leave out what comes after a null that takes all data with it.
        done = mutations if expected["data"] is not None else mutations[: len(wanted)]
        if kind is None and done != wanted:
            kind = f"mutations {mutations} instead of {wanted}"
        violations = history.violations or loaded.unsound(ask)
        if kind is None and violations:
            kind = "unsound plan"
        if kind is None:
            broken = BROKEN._value.get()
            self._host.forget()
            expected, answered = answered, await self._compiling.answer(body)
            if _unordered(expected) != _unordered(answered) or history.mutations != mutations:
                kind = "compiled"
            if BROKEN._value.get() != broken:
                kind = "a bug in the compiled plan"
            if kind is None and history.violations:
                kind, violations = "violation by the compiled plan", history.violations
        if kind is None:
            return None
        return Difference(kind, ask, expected, answered, tuple(violations))


def _unordered(response: JSON) -> tuple[str, list[str]]:
    """Errors of requests that were under way together come in any order."""
    errors = sorted(json.dumps(each, sort_keys=True) for each in response.get("errors", ()))
    return json.dumps(response.get("data")), errors


def difference(expected: JSON, answered: JSON) -> str | None:
    """How the answers differ: in data (the order of fields counts), or in which nulls have an error."""
    if "data" not in answered:
        return "no data at all"
    if json.dumps(expected.get("data")) != json.dumps(answered["data"]):
        if json.dumps(expected.get("data"), sort_keys=True) == json.dumps(answered["data"], sort_keys=True):
            return "order of fields"
        return "data"
    theirs, ours = _nulls(expected), _nulls(answered)
    # An error with very many places is told at some of them, and how many there are.
    told_in_short = any("places" in each["extensions"] for each in answered.get("errors", ()))
    if theirs - ours and not told_in_short:
        return f"no error for {sorted(theirs - ours)[0]}"
    if ours - theirs:
        return f"an error for {sorted(ours - theirs)[0]}"
    return None


def _nulls(response: JSON) -> set[str]:
    """The nulls that errors explain: a server may stop at the first of several errors below one null."""
    found = set()
    for each in response.get("errors") or ():
        path = each.get("path") or []
        at = response.get("data")
        for reached, step in enumerate(path):
            if at is None:
                path = path[:reached]
                break
            at = at[step] if isinstance(step, int) or step in at else None
        found.add(json.dumps(path))
    return found


@asynccontextmanager
async def bench() -> AsyncIterator[Bench]:
    """A gateway, subgraphs and a client, for as many worlds as one likes."""
    host = Host()
    async with AsyncExitStack() as stack:
        subgraphs = await stack.enter_async_context(_served(host))
        interpreting = await stack.enter_async_context(_gateway(subgraphs, compile_after=0))
        compiling = await stack.enter_async_context(_gateway(subgraphs, compile_after=1))
        yield Bench(interpreting, compiling, host, subgraphs)


@dataclass(frozen=True, slots=True)
class Served:
    """A gateway, and a client of it."""

    gateway: Gateway
    client: httpx.AsyncClient

    async def answer(self, body: JSON) -> JSON:
        response = await self.client.post("/graphql", json=body)
        found: JSON = response.json()
        return found


@asynccontextmanager
async def _gateway(subgraphs: str, *, compile_after: int) -> AsyncIterator[Served]:
    async with AsyncExitStack() as stack:
        settings = Settings(development=True, host="127.0.0.1", port=0, compile_after=compile_after)
        gateway = Gateway(settings, Supergraph.parse(_smallest(subgraphs)))
        listening = _listening()
        started = asyncio.Event()
        serving = asyncio.create_task(gateway.serve(listening, on_start=started.set))
        stack.push_async_callback(_stopped, gateway, serving)
        async with asyncio.timeout(20):
            await started.wait()
        client = await stack.enter_async_context(
            httpx.AsyncClient(base_url=f"http://127.0.0.1:{listening.getsockname()[1]}", timeout=60, trust_env=False)
        )
        yield Served(gateway, client)


def _smallest(subgraphs: str) -> str:
    result = compose([SubgraphSource("a", f"{subgraphs}/a", "type Query { nothing: Int }")])
    assert result.supergraph is not None
    return result.supergraph


async def _stopped(gateway: Gateway, serving: asyncio.Task[None]) -> None:
    gateway.stop()
    await serving


@asynccontextmanager
async def _served(host: Host) -> AsyncIterator[str]:
    listening = _listening()
    server = uvicorn.Server(uvicorn.Config(host, lifespan="off", log_config=None, access_log=False, ws="none"))
    started = asyncio.create_task(server.serve([listening]))
    try:
        async with asyncio.timeout(20):
            while not server.started:
                await asyncio.sleep(0.01)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        await started


def _listening() -> socket.socket:
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.set_inheritable(True)
    return listening


def is_valid(loaded: Loaded, tree: DocumentNode) -> bool:
    return not validate(loaded.supergraph.api_schema, tree)
