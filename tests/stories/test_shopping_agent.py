"""A scripted agent buys through the graph with the protocol's own client: find under a price, check a store, buy, follow."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client

from gateway.local.client import HouseClient
from tests.kit.running_house import RunningHouse
from tests.kit.shop import ADDRESS

pytestmark = [pytest.mark.story, pytest.mark.timeout(120)]

BUDGET_MINOR = 9_000


@asynccontextmanager
async def shopping(house: RunningHouse, client: HouseClient) -> AsyncIterator[Client]:
    """An agent's session. Not a fixture: the SDK wants to be left by the task that entered."""
    token = await client.token("agent-7", kind="agent", scopes=("catalog:read",))
    async with httpx2.AsyncClient(headers={"authorization": f"Bearer {token}"}, trust_env=False, timeout=30) as http:
        transport = streamable_http_client(f"{house.house.gateway_url}/mcp", http_client=http)
        async with Client(transport) as agent:
            yield agent


async def call(agent: Client, name: str, **arguments: Any) -> dict[str, Any]:
    result = await agent.call_tool(name, arguments)
    assert not result.is_error, result.content
    assert isinstance(result.structured_content, dict)
    return result.structured_content


def key() -> str:
    return f"agent-{secrets.token_hex(8)}"


async def test_every_tool_says_what_it_takes_and_gives(house: RunningHouse, client: HouseClient) -> None:
    async with shopping(house, client) as agent:
        tools = {tool.name: tool for tool in (await agent.list_tools()).tools}
        assert {
            "search_catalog",
            "get_product",
            "check_availability",
            "create_cart",
            "create_checkout",
            "update_checkout",
            "complete_checkout",
            "get_order",
        } <= set(tools)
        for tool in tools.values():
            assert tool.description
            assert tool.input_schema["type"] == "object"
            assert tool.output_schema is not None
            assert tool.annotations is not None
        assert tools["search_catalog"].annotations.read_only_hint is True
        assert tools["complete_checkout"].annotations.destructive_hint is True


async def test_an_agent_finds_checks_buys_and_follows(house: RunningHouse, client: HouseClient) -> None:
    async with shopping(house, client) as agent:
        found = await call(
            agent, "search_catalog", query="shirt", filter={"price": {"max": BUDGET_MINOR, "currency": "EUR"}}
        )
        hits = [edge["matchedVariant"] for edge in found["searchProducts"]["edges"] if edge["matchedVariant"]]
        fit = [
            variant
            for variant in hits
            if variant["price"]["current"]["minor"] <= BUDGET_MINOR and variant["availability"]["status"] == "IN_STOCK"
        ]
        assert fit, f"nothing under the budget among {hits}"
        sku = fit[0]["sku"]
        where = {"channel": "agent", "near": {"lat": 52.52, "lng": 13.405}, "withinKm": 2000}
        stock = (await call(agent, "check_availability", skus=[sku], where=where))["availability"][0]
        assert stock["sku"] == sku
        assert stock["nearby"], "no store was named"
        opened = await call(
            agent,
            "create_checkout",
            input={
                "channel": "web-eu",
                "currency": "EUR",
                "email": "ada@example.com",
                "lines": [{"sku": sku, "quantity": 1}],
            },
            key=key(),
        )
        assert opened["checkoutCreate"]["errors"] == []
        session = opened["checkoutCreate"]["checkout"]
        addressed = await call(
            agent,
            "update_checkout",
            id=session["id"],
            version=session["version"],
            input={"address": ADDRESS, "method": "SHIP"},
            key=key(),
        )
        ready = addressed["checkoutUpdate"]["checkout"]
        assert ready["status"] == "READY_FOR_COMPLETE"
        total = next(line["amount"] for line in ready["totals"] if line["kind"] == "TOTAL")
        once = key()
        purchase = {
            "id": session["id"],
            "input": {"payment": {"provider": "sandbox", "token": "tok_ok"}, "expectedTotal": total},
            "key": once,
        }
        bought = (await call(agent, "complete_checkout", **purchase))["checkoutComplete"]
        assert bought["errors"] == []
        again = (await call(agent, "complete_checkout", **purchase))["checkoutComplete"]
        assert again["replayed"] is True
        assert again["order"]["id"] == bought["order"]["id"]
        followed = (await call(agent, "get_order", id=bought["order"]["id"]))["order"]
        assert followed["number"] == bought["order"]["number"]
        assert followed["lines"][0]["variant"]["sku"] == sku


async def test_wrong_arguments_are_named(house: RunningHouse, client: HouseClient) -> None:
    async with shopping(house, client) as agent:
        result = await agent.call_tool("check_availability", {"skus": "not a list"})
        assert result.is_error
        assert "skus" in str(result.content)


async def test_an_unknown_tool_is_answered_with_the_known_ones(house: RunningHouse, client: HouseClient) -> None:
    async with shopping(house, client) as agent:
        result = await agent.call_tool("rob_the_bank", {})
        assert result.is_error
        assert "search_catalog" in str(result.content)


async def test_a_session_is_not_to_be_had_because_every_call_is_complete_in_itself(house: RunningHouse) -> None:
    async with httpx2.AsyncClient(trust_env=False, timeout=10) as http:
        for method in ("GET", "DELETE"):
            answer = await http.request(
                method, f"{house.house.gateway_url}/mcp", headers={"accept": "text/event-stream"}
            )
            assert answer.status_code == 405


async def test_a_page_of_another_site_cannot_speak_to_a_local_gateway(house: RunningHouse) -> None:
    async with httpx2.AsyncClient(trust_env=False, timeout=10) as http:
        answer = await http.post(
            f"{house.house.gateway_url}/mcp",
            json={"jsonrpc": "2.0", "id": 1, "method": "tools/list"},
            headers={"accept": "application/json, text/event-stream", "origin": "https://evil.example"},
        )
    assert answer.status_code in (400, 403)
