"""``graphql-transport-ws`` over real sockets, by an independent client implementation of RFC 6455."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from gateway.config import Limits
from tests.kit.running_gateway import RunningGateway, running_gateway

CHANGES = "subscription($n: Int!) { changes(count: $n) { name units } }"


@pytest.fixture
async def shop() -> AsyncIterator[RunningGateway]:
    async with running_gateway() as running:
        yield running


@asynccontextmanager
async def opened(shop: RunningGateway, subprotocol: str = "graphql-transport-ws") -> AsyncIterator[ClientConnection]:
    url = f"ws://127.0.0.1:{shop.port}/graphql"
    async with asyncio.timeout(15), connect(url, subprotocols=[Subprotocol(subprotocol)], proxy=None) as one:
        yield one


@asynccontextmanager
async def ready(shop: RunningGateway, payload: dict[str, Any] | None = None) -> AsyncIterator[ClientConnection]:
    async with opened(shop) as one:
        await say(one, "connection_init", payload=payload or {})
        assert await hear(one) == {"type": "connection_ack"}
        yield one


async def say(one: ClientConnection, kind: str, **members: Any) -> None:
    await one.send(json.dumps({"type": kind, **members}))


async def hear(one: ClientConnection) -> dict[str, Any]:
    message: dict[str, Any] = json.loads(await one.recv())
    return message


async def subscribe(one: ClientConnection, id: str, query: str, variables: dict[str, Any] | None = None) -> None:
    await say(one, "subscribe", id=id, payload={"query": query, "variables": variables})


async def close_code(one: ClientConnection) -> int:
    with suppress(ConnectionClosed):
        while True:
            await one.recv()
    assert one.close_code is not None
    return one.close_code


async def test_a_subscription_runs_to_its_end(shop: RunningGateway) -> None:
    async with ready(shop) as one:
        await subscribe(one, "a", CHANGES, {"n": 2})
        assert await hear(one) == {
            "id": "a", "type": "next", "payload": {"data": {"changes": {"name": "lamp", "units": 10}}},
        }  # fmt: skip
        assert (await hear(one))["payload"]["data"]["changes"]["name"] == "chair"
        assert await hear(one) == {"id": "a", "type": "complete"}


async def test_queries_and_mutations_run_too(shop: RunningGateway) -> None:
    async with ready(shop) as one:
        await subscribe(one, "q", "{ echo }")
        assert (await hear(one))["payload"] == {"data": {"echo": "None None"}}
        assert (await hear(one))["type"] == "complete"
        await subscribe(one, "m", 'mutation { rename(id: 1, name: "x") { name } }')
        assert (await hear(one))["payload"] == {"data": {"rename": {"name": "x"}}}


async def test_a_refusal_ends_its_operation_and_no_other(shop: RunningGateway) -> None:
    async with ready(shop) as one:
        await subscribe(one, "a", "subscription { nope }")
        refused = await hear(one)
        assert (refused["id"], refused["type"]) == ("a", "error")
        assert refused["payload"][0]["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"
        await subscribe(one, "b", "{ echo }")
        assert (await hear(one))["id"] == "b"


async def test_a_client_that_completes_hears_no_more_of_it(shop: RunningGateway) -> None:
    shop.things.released.clear()
    async with ready(shop) as one:
        await subscribe(one, "a", CHANGES, {"n": 1})
        await say(one, "complete", id="a")
        shop.things.released.set()
        await subscribe(one, "b", "{ echo }")
        heard = [await hear(one), await hear(one)]
        assert {message["id"] for message in heard} == {"b"}


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ("not json", 4400),
        ('{"type":"subscribe","id":"a","payload":{"query":"{ echo }"}}', 4401),
        ('{"type":"unheard of"}', 4400),
        (b"\xff\x00", 4400),
    ],
)
async def test_a_breach_closes_with_its_code(shop: RunningGateway, frame: str | bytes, code: int) -> None:
    async with opened(shop) as one:
        await one.send(frame)
        assert await close_code(one) == code


async def test_another_subprotocol_is_not_acceptable(shop: RunningGateway) -> None:
    url = f"ws://127.0.0.1:{shop.port}/graphql"
    async with asyncio.timeout(15), connect(url, proxy=None) as one:
        assert await close_code(one) == 4406


async def test_a_second_init_and_a_used_id_close(shop: RunningGateway) -> None:
    async with ready(shop) as one:
        await say(one, "connection_init")
        assert await close_code(one) == 4429
    shop.things.released.clear()
    async with ready(shop) as one:
        await subscribe(one, "a", CHANGES, {"n": 1})
        await subscribe(one, "a", CHANGES, {"n": 1})
        assert await close_code(one) == 4409


async def test_a_silent_socket_is_closed() -> None:
    async with running_gateway(limits=Limits(socket_init_ms_max=50)) as shop, opened(shop) as one:
        assert await close_code(one) == 4408


async def test_a_bad_token_in_the_init_payload_is_forbidden(shop: RunningGateway) -> None:
    async with opened(shop) as one:
        await say(one, "connection_init", payload={"authorization": "Bearer nonsense"})
        assert await close_code(one) == 4403


async def test_a_token_in_the_init_payload_proves_and_its_end_closes(tmp_path: Path) -> None:
    async with running_gateway(
        development=True, dev_issuer_key_file=tmp_path / "key.jwk", dev_token_s=2, jwt_leeway_s=0
    ) as shop:
        token = (await shop.http.post("/dev/token", json={"sub": "ann"})).json()["token"]
        async with ready(shop, {"headers": {"Authorization": f"Bearer {token}"}}) as one:
            await subscribe(one, "a", "{ thing(id: 1) { cost } }")
            assert (await hear(one))["payload"] == {"data": {"thing": {"cost": 3}}}
            assert await close_code(one) == 4401


async def test_operations_on_one_socket_are_bounded() -> None:
    async with running_gateway(limits=Limits(socket_operations_max=1)) as shop:
        shop.things.released.clear()
        async with ready(shop) as one:
            await subscribe(one, "a", CHANGES, {"n": 1})
            await subscribe(one, "b", CHANGES, {"n": 1})
            refused = await hear(one)
            assert refused["payload"][0]["extensions"]["code"] == "MAX_SOCKET_OPERATIONS_EXCEEDED"


async def test_subscriptions_of_the_process_are_bounded() -> None:
    async with running_gateway(limits=Limits(subscriptions_max=1)) as shop:
        shop.things.released.clear()
        async with ready(shop) as one, ready(shop) as other:
            await subscribe(one, "a", CHANGES, {"n": 1})
            while not shop.things.asked:
                await say(one, "ping")
                await hear(one)
            await subscribe(other, "b", CHANGES, {"n": 1})
            refused = await hear(other)
            assert refused["payload"][0]["extensions"]["code"] == "MAX_SUBSCRIPTIONS_EXCEEDED"


async def test_completing_and_leaving_end_the_stream_to_the_subgraph(shop: RunningGateway) -> None:
    for leave in (False, True):
        shop.things.left.clear()
        async with ready(shop) as one:
            await subscribe(one, "a", CHANGES, {"n": 0})
            await hear(one)
            if not leave:
                await say(one, "complete", id="a")
                await shop.things.left.wait()
        async with asyncio.timeout(10):
            await shop.things.left.wait()


async def test_a_stopping_gateway_says_it_is_going_away(shop: RunningGateway) -> None:
    shop.things.released.clear()
    async with ready(shop) as one:
        await subscribe(one, "a", CHANGES, {"n": 1})
        shop.gateway.stop()
        assert await close_code(one) in (1001, 1012)
