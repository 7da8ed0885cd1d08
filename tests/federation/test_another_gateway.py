"""The house's supergraph in somebody else's gateway: what we compose is the join spec, not a dialect of ours."""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from graphql import lexicographic_sort_schema, parse, print_schema

from gateway.composition import SubgraphSource, compose
from gateway.config import Settings
from gateway.execution.executor import Executor
from gateway.execution.transport import FetchContext, Transport
from gateway.operation import normalise
from gateway.planning.planner import Planner
from gateway.supergraph import Supergraph
from tests.federation import shop_world
from tests.kit.fake_subgraphs import served
from tests.kit.prerequisites import FOREIGN_GATEWAY, foreign_gateway, why_no_foreign_gateway

ROOT = Path(__file__).parents[2]
SUPERGRAPH = (ROOT / "schema" / "supergraph.graphql").read_text()
OPERATIONS = ROOT / "schema" / "operations"


@pytest.fixture(autouse=True)
def _foreign_gateway() -> None:
    if foreign_gateway() is None:
        pytest.skip(why_no_foreign_gateway())


async def told(**given: Any) -> dict[str, Any]:
    """What the other maker's program says; see ``tests/kit/foreign_gateway.cjs``."""
    process = await asyncio.create_subprocess_exec(
        *("node", str(ROOT / "tests" / "kit" / "foreign_gateway.cjs")),
        env={**os.environ, "NODE_PATH": str(FOREIGN_GATEWAY / "node_modules")},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(30):
        said, complaint = await process.communicate(json.dumps(given).encode())
    assert process.returncode == 0, complaint.decode()
    answer: dict[str, Any] = json.loads(said)
    return answer


async def product_page(supergraph: str) -> dict[str, Any]:
    """What @apollo/gateway plans for the product page."""
    return await told(
        do="plan",
        supergraph=supergraph,
        query=(OPERATIONS / "product_page.graphql").read_text(),
        variables=json.loads((OPERATIONS / "product_page.variables.json").read_text()),
    )


def fetches(node: dict[str, Any]) -> Iterator[str]:
    """The subgraphs of a plan's fetches."""
    if node["kind"] == "Fetch":
        yield node["serviceName"]
    for below in (
        *node.get("nodes", ()),
        *(node[name] for name in ("node", "ifClause", "elseClause") if node.get(name)),
    ):
        yield from fetches(below)


async def test_it_loads_and_plans_the_product_page() -> None:
    # @apollo/gateway enforces no scopes; the test takes the demand away, which no operator should.
    unprotected = re.sub(
        r"(specs\.apollo\.dev/(?:authenticated|requiresScopes)/[^)]*), for: SECURITY", r"\1", SUPERGRAPH
    )
    answer = await product_page(unprotected)
    assert "refused" not in answer, answer
    found = list(fetches(answer["plan"]["node"]))
    assert set(found) >= {"catalog", "inventory"}
    assert len(found) <= 6


async def test_a_gateway_that_enforces_no_scopes_is_told_to_refuse_it() -> None:
    refused = (await product_page(SUPERGRAPH))["refused"]
    assert sorted(re.findall(r"dev/(\w+)/\S+ is for: SECURITY but is unsupported", " ".join(refused))) == [
        "authenticated",
        "requiresScopes",
    ]


SHOPPING = """{
  top { sku name stock price { amount currency } rating reviews { text } shipping cover { __typename likes } }
  product(sku: "b") { name stock size { width } offer }
  again: top { brand { name score } related { safe } }
}"""


async def ours(supergraph: str, urls: dict[str, str], query: str) -> tuple[Any, bool]:
    settings = Settings(development=True, subgraph_urls=urls)
    parsed = Supergraph.parse(supergraph)
    transport = Transport(settings.limits)
    executor = Executor(parsed, transport, settings)
    operation = normalise(parse(query), None, parsed.api_schema)
    try:
        response = await executor.execute(
            executor.prepare(Planner(parsed).plan(operation), operation), {}, FetchContext()
        )
    finally:
        await transport.aclose()
    return response.data, bool(response.errors)


async def test_it_answers_over_our_supergraph_what_ours_does() -> None:
    fakes = shop_world.subgraphs(*shop_world.world())
    async with served(*fakes):
        sources = [SubgraphSource(each.name, each.url, each.sdl) for each in fakes]
        supergraph = compose(sources).supergraph
        assert supergraph is not None
        theirs = await told(do="run", supergraph=supergraph, query=SHOPPING, variables={})
        data, failed = await ours(supergraph, {each.name: each.url for each in fakes}, SHOPPING)
    assert "result" in theirs, theirs
    assert data["top"], "there is something to compare"
    assert (theirs["result"]["data"], bool(theirs["result"].get("errors"))) == (data, failed)


async def test_ours_answers_over_their_supergraph_the_same() -> None:
    fakes = shop_world.subgraphs(*shop_world.world())
    async with served(*fakes):
        sources = [SubgraphSource(each.name, each.url, each.sdl) for each in fakes]
        urls = {each.name: each.url for each in fakes}
        theirs = await told(do="compose", subgraphs=[{"name": s.name, "url": s.url, "sdl": s.sdl} for s in sources])
        assert "supergraph" in theirs, theirs
        mine = compose(sources).supergraph
        assert mine is not None
        assert await ours(theirs["supergraph"], urls, SHOPPING) == await ours(mine, urls, SHOPPING)
    one, other = (Supergraph.parse(text).api_schema for text in (theirs["supergraph"], mine))
    assert print_schema(lexicographic_sort_schema(one)) == print_schema(lexicographic_sort_schema(other))
