"""Live availability through the whole house: a sale at a register reaches who watches, over WebSocket and SSE."""

import asyncio
import json

import httpx
import pytest

from gateway.local.client import HouseClient, first
from tests.kit import shop
from tests.kit.running_house import WHERE, RunningHouse

pytestmark = [pytest.mark.story, pytest.mark.timeout(120)]

WATCH = (
    "subscription($skus: [String!]!, $where: AvailabilityInput!) {"
    " availabilityChanged(skus: $skus, input: $where, maxRateHz: 10) { kind sequence resumeToken at"
    " availability { sku version availableToSell quantityBand variant { title product { title } } } } }"
)


async def test_a_register_sale_reaches_a_watcher_with_catalog_fields(client: HouseClient, staff: str) -> None:
    sku = (await shop.some_variant(client, skip=6))["sku"]
    await shop.set_sellable(client, staff, sku, 40)
    store = next(level for level in await shop.levels(client, staff, sku) if level["location"]["kind"] == "STORE")
    await shop.adjust(client, staff, sku, store["location"]["id"], 10)
    async with client.subscribe(WATCH, {"skus": [sku], "where": WHERE}, token=staff) as events:
        snapshot = (await first(events, within_s=10))["data"]["availabilityChanged"]
        assert snapshot["kind"] == "SNAPSHOT"
        assert snapshot["availability"][0]["variant"]["product"]["title"]
        before = snapshot["availability"][0]["availableToSell"]
        payload = await shop.sell_at_register(client, staff, sku, store["location"])
        assert payload["errors"] == []
        while True:
            event = (await first(events, within_s=10))["data"]["availabilityChanged"]
            if event["kind"] == "DELTA" and event["availability"][0]["availableToSell"] == before - 1:
                break
        assert event["availability"][0]["variant"]["product"]["title"]
        assert int(event["availability"][0]["version"]) > int(snapshot["availability"][0]["version"])


async def test_a_web_hold_reaches_a_watcher_over_server_sent_events(
    client: HouseClient, staff: str, house: RunningHouse
) -> None:
    sku = (await shop.some_variant(client, skip=7))["sku"]
    await shop.set_sellable(client, staff, sku, 3)
    seen: asyncio.Queue[dict[str, object]] = asyncio.Queue()

    async def listen(http: httpx.AsyncClient) -> None:
        body = {"query": WATCH, "variables": {"skus": [sku], "where": WHERE}}
        headers = {"accept": "text/event-stream", "authorization": f"Bearer {staff}"}
        async with http.stream("POST", house.house.graphql_url, json=body, headers=headers) as answer:
            assert answer.status_code == 200
            assert answer.headers["content-type"].startswith("text/event-stream")
            async for line in answer.aiter_lines():
                if line.startswith("data:") and "availabilityChanged" in line:
                    seen.put_nowait(json.loads(line[5:])["data"]["availabilityChanged"])

    async with httpx.AsyncClient(timeout=30, trust_env=False) as http, asyncio.TaskGroup() as group:
        listener = group.create_task(listen(http))
        async with asyncio.timeout(20):
            assert (await seen.get())["kind"] == "SNAPSHOT"
            assert (await shop.buy(client, sku)).order is not None
            kinds = {(await seen.get())["kind"]}
        assert kinds == {"DELTA"}
        listener.cancel()
