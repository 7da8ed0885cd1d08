"""Views of one supergraph over real HTTP: who gets which, what it shows, and what it keeps to itself."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from graphql import get_introspection_query

from gateway.__main__ import _agents
from gateway.composition.compose import compose
from gateway.composition.result import SubgraphSource
from gateway.config import Settings
from gateway.exchange import GraphQLRequest
from gateway.pipeline.authentication import authenticator
from gateway.pipeline.pipeline import Pipeline
from gateway.serving.files import StartRefused
from gateway.supergraph import Supergraph
from tests.gateway.serving.test_identity import token
from tests.gateway.serving.test_websocket import hear, ready, say, subscribe
from tests.kit.fake_subgraphs import FakeSubgraph, served
from tests.kit.running_gateway import RunningGateway, running_gateway

CONTRACTS = {
    "agent": {"exclude": ["staff", "keys"]},
    "partner": {"include": ["partner"], "exclude": ["staff"]},
}
FIELDS = '{ __type(name: "Thing") { fields { name } } }'


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[RunningGateway]:
    async with running_gateway(contracts=CONTRACTS, development=True, dev_issuer_key_file=tmp_path / "key.jwk") as one:
        yield one


async def fields(shop: RunningGateway, **headers: str) -> list[str]:
    body = (await shop.post(FIELDS, **headers)).json()
    return [field["name"] for field in body["data"]["__type"]["fields"]]


async def test_a_header_chooses_among_the_contracts(shop: RunningGateway) -> None:
    assert await fields(shop) == ["cost", "id", "margin", "name", "twin", "units"]
    assert await fields(shop, x_galleria_contract="agent") == ["name", "twin", "units"]
    assert await fields(shop, x_galleria_contract="partner") == ["name", "units"]


async def test_a_tokens_claim_decides_whatever_the_header_says(shop: RunningGateway) -> None:
    bound = await token(shop, contract="partner")
    assert await fields(shop, **bound) == ["name", "units"]
    assert await fields(shop, **bound, x_galleria_contract="agent") == ["name", "units"]
    assert await fields(shop, **bound, x_galleria_contract="nobody") == ["name", "units"]
    free = await token(shop)
    assert await fields(shop, **free, x_galleria_contract="agent") == ["name", "twin", "units"]


async def test_an_unknown_contract_is_refused_before_anything_is_asked(shop: RunningGateway) -> None:
    for headers in ({"x_galleria_contract": "nobody"}, await token(shop, contract="nobody")):
        answer = await shop.post("{ thing(id: 1) { name } }", **headers)
        assert answer.status_code == 400
        (error,) = answer.json()["errors"]
        assert error["message"] == "There is no contract named 'nobody'."
        assert error["extensions"]["code"] == "CONTRACT_UNKNOWN"
    assert shop.things.asked == []


async def test_a_hidden_key_still_leads_the_planner(shop: RunningGateway) -> None:
    query = "{ thing(id: 2) { name units } }"
    assert (await shop.post(query, x_galleria_contract="agent")).json() == {
        "data": {"thing": {"name": "chair", "units": 20}}
    }
    assert "id" in shop.things.asked[0].body["query"]
    assert shop.stock.asked[0].body["variables"]["representations"] == [{"__typename": "Thing", "id": "2"}]


async def test_what_one_view_accepts_another_refuses_in_any_order(shop: RunningGateway) -> None:
    query = "{ thing(id: 1) { id name } }"
    for contract, status in (("", 200), ("agent", 400), ("", 200), ("partner", 400), ("agent", 400), ("", 200)):
        assert (await shop.post(query, x_galleria_contract=contract)).status_code == status


async def test_every_view_takes_deferred_fragments(shop: RunningGateway) -> None:
    for contract in ("", "agent", "partner"):
        answer = await shop.post("{ thing(id: 1) { name ... @defer { units } } }", x_galleria_contract=contract)
        assert answer.json() == {"data": {"thing": {"name": "lamp", "units": 10}}}


async def test_a_plan_is_of_its_view(shop: RunningGateway) -> None:
    query = '{ thing(id: 1) { name } __type(name: "Colour") { enumValues { name } } }'
    for contract, values in (("", ["BLUE", "RED"]), ("agent", ["RED"]), ("", ["BLUE", "RED"])):
        body = (await shop.post(query, x_galleria_contract=contract)).json()
        assert [value["name"] for value in body["data"]["__type"]["enumValues"]] == values


@pytest.mark.parametrize(
    ("query", "variables", "unsaid"),
    [
        ("{ thing(id: 1) { costs } }", None, "'cost'"),
        ("{ thing(id: 1) { margn } }", None, "margin"),
        ("{ thing(id: 1) { iD } }", None, "'id'"),
        ("{ thing(id: 1) { cost } }", None, "Did you mean"),
        ("{ echo(colour: BLU) }", None, "BLUE"),
        ("query($c: Colour) { echo(colour: $c) }", {"c": "BLU"}, "BLUE"),
        ("query($c: Colour) { echo(colour: $c) }", {"c": "BLUE"}, "Did you mean"),
    ],
)
async def test_errors_do_not_name_what_is_hidden(
    shop: RunningGateway, query: str, variables: dict[str, str] | None, unsaid: str
) -> None:
    answer = await shop.post(query, variables, x_galleria_contract="agent")
    assert answer.status_code == 400
    assert not any(unsaid in error["message"] for error in answer.json()["errors"])


async def test_introspection_tells_nothing_of_what_is_hidden(shop: RunningGateway) -> None:
    whole = (await shop.post(get_introspection_query())).text
    partner = (await shop.post(get_introspection_query(), x_galleria_contract="partner")).text
    for hidden in ("margin", "rename", "changes", "Filter", "BLUE", "twin"):
        assert hidden in whole
        assert hidden not in partner


async def test_a_view_without_mutations_and_subscriptions_runs_none(shop: RunningGateway) -> None:
    for query in ('mutation { rename(id: 1, name: "x") { name } }', "subscription { changes(count: 1) { name } }"):
        assert (await shop.post(query, x_galleria_contract="partner")).status_code == 400
    assert shop.things.asked == []


async def test_subscriptions_are_of_their_view(shop: RunningGateway) -> None:
    sse = {"accept": "text/event-stream", "x_galleria_contract": "agent"}
    assert '"units":10' in (await shop.post("subscription { changes(count: 1) { name units } }", **sse)).text
    assert "Cannot query field" in (await shop.post("subscription { changes(count: 1) { id name } }", **sse)).text


async def test_a_websockets_credentials_decide_for_all_its_operations(shop: RunningGateway) -> None:
    bound = await token(shop, contract="partner")
    for payload in (bound | {"x-galleria-contract": "agent"}, {"x-galleria-contract": "partner"}):
        async with ready(shop, payload) as one:
            await subscribe(one, "1", "{ thing(id: 1) { name twin { name } } }")
            assert (await hear(one))["type"] == "error"
            await subscribe(one, "2", "{ thing(id: 1) { name units } }")
            assert (await hear(one))["payload"] == {"data": {"thing": {"name": "lamp", "units": 10}}}
            await hear(one)
            await say(one, "ping")


async def test_a_contract_that_is_impossible_does_not_start() -> None:
    contracts = {"empty": {"include": ["nobody"]}, "torn": {"include": ["keys"]}}
    with pytest.raises(StartRefused) as caught:
        async with running_gateway(contracts=contracts):
            pass
    first, second = str(caught.value).splitlines()
    assert first.startswith("Contract 'empty': \"Query\": is hidden")
    assert second.startswith("Contract 'torn': \"Query\": is hidden")


SHOWN = """
interface Named { name: String }
type Lamp implements Named { name: String }
type Robot implements Named @tag(name: "staff") { name: String }
union Any = Lamp | Robot
enum Mood { GOOD BAD @tag(name: "staff") }
type Query { named: [Named], one: Any, mood: Mood }
"""


async def test_what_is_hidden_but_answered_is_null_with_an_error_that_does_not_name_it() -> None:
    link = 'extend schema @link(url: "https://specs.apollo.dev/federation/v2.5", import: ["@tag"])\n'
    sdl = SHOWN.replace('@tag(name: "staff")', "")
    found = [{"__typename": "Lamp", "name": "lamp"}, {"__typename": "Robot", "name": "hal"}]
    fake = FakeSubgraph("zoo", sdl, roots={"query": {"named": found, "one": found[1], "mood": "BAD"}})
    settings = Settings(contracts={"agent": {"exclude": ["staff"]}})
    async with served(fake), Pipeline(settings, authenticator(settings), None) as pipeline:
        composed = compose([SubgraphSource("zoo", fake.url, link + SHOWN)]).supergraph
        assert composed is not None
        pipeline.load(Supergraph.parse(composed))
        request = GraphQLRequest(query="{ named { name } one { ... on Lamp { name } } mood }")
        whole = await pipeline.answer(request, await pipeline.caller({}))
        assert whole.data == {"named": [{"name": "lamp"}, {"name": "hal"}], "one": {}, "mood": "BAD"}
        agent = await pipeline.answer(request, await pipeline.caller({"x-galleria-contract": "agent"}))
        assert agent.data == {"named": [{"name": "lamp"}, None], "one": None, "mood": None}
        assert [error["path"] for error in agent.errors] == [["named", 1], ["one"], ["mood"]]
        assert not any(hidden in str(agent.errors) for hidden in ("Robot", "BAD"))


@pytest.fixture
def operations(tmp_path: Path) -> Path:
    (tmp_path / "operations/agents").mkdir(parents=True)
    for name, text in {
        "get_thing": "# A thing.\nquery get_thing($id: ID!) { thing(id: $id) { name units } }",
        "twin_of": "# Its twin.\nquery twin_of($id: ID!) { thing(id: $id) { twin { name } } }",
    }.items():
        (tmp_path / f"operations/agents/{name}.graphql").write_text(text)
    return tmp_path / "operations"


async def ask_mcp(shop: RunningGateway, method: str, headers: dict[str, str], **params: Any) -> dict[str, Any]:
    answer: httpx.Response = await shop.http.post(
        "/mcp",
        json={"jsonrpc": "2.0", "id": 1, "method": method, "params": params},
        headers={"accept": "application/json, text/event-stream", **headers},
    )
    body: dict[str, Any] = answer.json()
    return body


async def tools(shop: RunningGateway, headers: dict[str, str]) -> set[str]:
    return {tool["name"] for tool in (await ask_mcp(shop, "tools/list", headers))["result"]["tools"]}


async def test_agents_tools_are_of_the_agents_contract_or_of_the_tokens(tmp_path: Path, operations: Path) -> None:
    settings: dict[str, Any] = {"development": True, "dev_issuer_key_file": tmp_path / "key.jwk"}
    settings |= {"contracts": CONTRACTS, "agents_contract": "agent", "operations": operations, "extend": _agents}
    async with running_gateway(**settings) as shop:
        assert await tools(shop, {}) == {"get_thing", "twin_of"}
        # A header chooses no other contract here; a token does.
        assert await tools(shop, {"x-galleria-contract": "partner"}) == {"get_thing", "twin_of"}
        bound = await token(shop, contract="partner")
        assert await tools(shop, bound) == {"get_thing"}
        called = await ask_mcp(shop, "tools/call", bound, name="twin_of", arguments={"id": "1"})
        assert called["result"]["isError"]
        assert "There are: get_thing." in called["result"]["content"][0]["text"]
        called = await ask_mcp(shop, "tools/call", bound, name="get_thing", arguments={"id": "1"})
        assert called["result"]["structuredContent"] == {"thing": {"name": "lamp", "units": 10}}
        unknown = await token(shop, contract="nobody")
        assert "error" in await ask_mcp(shop, "tools/list", unknown)
        refused = await ask_mcp(shop, "tools/call", unknown, name="get_thing", arguments={"id": "1"})
        assert refused["result"]["isError"]


async def test_a_tool_that_does_not_fit_the_agents_contract_does_not_start(operations: Path) -> None:
    with pytest.raises(StartRefused, match=r"twin_of\.graphql does not fit the graph"):
        async with running_gateway(
            contracts=CONTRACTS, agents_contract="partner", operations=operations, extend=_agents
        ):
            pass
