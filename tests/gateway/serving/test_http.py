"""GraphQL over real HTTP: each way of asking wrongly has its own clear answer, and the right ways are answered."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.config import Limits
from tests.kit.running_gateway import RunningGateway, running_gateway

GRAPHQL = "application/graphql-response+json"


@pytest.fixture
async def shop() -> AsyncIterator[RunningGateway]:
    async with running_gateway() as running:
        yield running


def code(answer: httpx.Response) -> str:
    body = answer.json()
    assert "data" not in body
    found: str = body["errors"][0]["extensions"]["code"]
    return found


async def test_a_query_is_answered_from_both_subgraphs(shop: RunningGateway) -> None:
    answer = await shop.post("{ thing(id: 1) { name units } }")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == f"{GRAPHQL}; charset=utf-8"
    assert answer.json() == {"data": {"thing": {"name": "lamp", "units": 10}}}


async def test_a_query_may_come_by_get(shop: RunningGateway) -> None:
    parameters = {"query": "query($i: ID!) { thing(id: $i) { name } }", "variables": '{"i": "2"}'}
    answer = await shop.http.get("/graphql", params=parameters)
    assert answer.json() == {"data": {"thing": {"name": "chair"}}}


async def test_a_mutation_may_not_come_by_get(shop: RunningGateway) -> None:
    answer = await shop.http.get("/graphql", params={"query": 'mutation { rename(id: 1, name: "x") { name } }'})
    assert (answer.status_code, code(answer)) == (405, "METHOD_NOT_ALLOWED")
    assert answer.headers["allow"] == "GET, POST"
    assert shop.things.asked == []


async def test_other_methods_are_refused(shop: RunningGateway) -> None:
    answer = await shop.http.put("/graphql", json={"query": "{ __typename }"})
    assert answer.status_code == 405


async def test_an_unknown_field_is_told_with_its_place(shop: RunningGateway) -> None:
    answer = await shop.post("{ thing(id: 1) { nam } }")
    assert (answer.status_code, code(answer)) == (400, "GRAPHQL_VALIDATION_FAILED")
    assert answer.json()["errors"][0]["locations"] == [{"line": 1, "column": 18}]


async def test_a_document_that_does_not_parse_is_told(shop: RunningGateway) -> None:
    assert code(await shop.post("{ thing(")) == "GRAPHQL_PARSE_FAILED"


async def test_a_bad_variable_is_named(shop: RunningGateway) -> None:
    answer = await shop.post("query($c: Colour!) { echo(colour: $c) }", {"c": "GREEN"})
    assert (answer.status_code, code(answer)) == (400, "BAD_USER_INPUT")
    assert "$c" in answer.json()["errors"][0]["message"]


async def test_an_unknown_operation_is_told(shop: RunningGateway) -> None:
    body = {"query": "query A { echo }", "operationName": "B"}
    answer = await shop.http.post("/graphql", json=body)
    assert (answer.status_code, code(answer)) == (400, "OPERATION_RESOLUTION_FAILURE")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b'"query"',
        b"{}",
        b'{"query": 1}',
        b'{"query": ""}',
        b'{"query": "{ echo }", "variables": 3}',
    ],
)
async def test_what_is_not_a_request_is_malformed(shop: RunningGateway, body: bytes) -> None:
    answer = await shop.http.post("/graphql", content=body, headers={"content-type": "application/json"})
    assert (answer.status_code, code(answer)) == (400, "BAD_REQUEST")


async def test_a_batch_is_refused_in_words(shop: RunningGateway) -> None:
    answer = await shop.http.post("/graphql", json=[{"query": "{ echo }"}])
    assert (answer.status_code, code(answer)) == (400, "BAD_REQUEST")
    assert "Batches" in answer.json()["errors"][0]["message"]


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/graphql",
     "application/json; charset=latin-1", ""],
)  # fmt: skip
async def test_other_content_types_are_refused(shop: RunningGateway, content_type: str) -> None:
    answer = await shop.http.post("/graphql", content=b'{"query": "{ echo }"}', headers={"content-type": content_type})
    assert (answer.status_code, code(answer)) == (415, "UNSUPPORTED_MEDIA_TYPE")
    assert shop.things.asked == []


async def test_an_answer_nobody_can_read_is_refused(shop: RunningGateway) -> None:
    answer = await shop.post("{ echo }", accept="text/html")
    assert (answer.status_code, code(answer)) == (406, "NOT_ACCEPTABLE")


async def test_the_legacy_media_type_answers_well_formed_requests_with_200(shop: RunningGateway) -> None:
    for query in ("{ nope }", "{ thing(", "{ thing(id: 1) { name } }"):
        answer = await shop.post(query, accept="application/json")
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "application/json; charset=utf-8"
    answer = await shop.http.post(
        "/graphql", content=b"{", headers={"content-type": "application/json", "accept": "application/json"}
    )
    assert answer.status_code == 400


async def test_a_dead_subgraph_takes_only_its_part(shop: RunningGateway) -> None:
    await shop.stock.stop()
    answer = await shop.post("{ thing(id: 1) { name units } }")
    assert answer.status_code == 200
    body = answer.json()
    assert body["data"] == {"thing": {"name": "lamp", "units": None}}
    (error,) = body["errors"]
    assert error["path"] == ["thing", "units"]
    assert error["extensions"]["code"] == "SUBGRAPH_UNREACHABLE"
    assert error["extensions"]["service"] == "stock"


async def test_a_slow_subgraph_takes_only_its_part() -> None:
    async with running_gateway(limits=Limits(subgraph_ms_max=150)) as shop:
        shop.stock.released.clear()
        body = (await shop.post("{ thing(id: 1) { name units } }")).json()
        assert body["data"] == {"thing": {"name": "lamp", "units": None}}
        assert body["errors"][0]["extensions"]["code"] == "SUBGRAPH_TIMEOUT"
        shop.stock.released.set()
        healed = (await shop.post("{ thing(id: 1) { name units } }")).json()
        assert healed == {"data": {"thing": {"name": "lamp", "units": 10}}}


async def test_rubbish_from_a_subgraph_is_not_passed_on(shop: RunningGateway) -> None:
    shop.stock.rubbish = True
    answer = await shop.post("{ thing(id: 1) { name units } }")
    assert answer.json()["errors"][0]["extensions"]["code"] == "SUBGRAPH_REPLY_INVALID"
    assert "It works" not in answer.text


async def test_no_answer_leaks_what_a_limit_refuses() -> None:
    async with running_gateway(limits=Limits(depth_max=2)) as shop:
        answer = await shop.post("{ thing(id: 1) { twin { twin { name } } } }")
        assert (answer.status_code, code(answer)) == (400, "MAX_DEPTH_EXCEEDED")
        assert shop.things.asked == []


async def test_variables_reach_subgraphs_as_they_came(shop: RunningGateway) -> None:
    answer = await shop.post("query($c: Colour, $t: String) { echo(colour: $c, text: $t) }", {"c": "BLUE"})
    assert answer.json() == {"data": {"echo": "BLUE None"}}
    assert shop.things.asked[0].body["variables"] == {"c": "BLUE"}


async def test_introspection_is_answered_without_a_subgraph(shop: RunningGateway) -> None:
    answer = await shop.post("{ __schema { queryType { name } } __typename }")
    assert answer.json() == {"data": {"__schema": {"queryType": {"name": "Query"}}, "__typename": "Query"}}
    assert shop.things.asked == []


async def test_request_id_and_trace_travel_through(shop: RunningGateway) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    answer = await shop.post("{ echo }", x_request_id="abc-1", traceparent=trace)
    assert answer.headers["x-request-id"] == "abc-1"
    sent = shop.things.asked[0].headers
    assert sent["x-request-id"] == "abc-1"
    assert sent["traceparent"].split("-")[1] == trace.split("-")[1]
    assert (await shop.post("{ echo }", x_request_id="no spaces\tplease")).headers[
        "x-request-id"
    ] != "no spaces\tplease"


async def test_probes_and_metrics_answer(shop: RunningGateway) -> None:
    assert (await shop.http.get("/health")).json() == {"status": "up"}
    assert (await shop.http.get("/ready")).json() == {"status": "ready"}
    await shop.stock.stop()
    probed = await shop.http.get("/ready?subgraphs")
    assert probed.json() == {"status": "ready", "subgraphs": {"things": True, "stock": False}}
    assert "galleria_operations_total" in (await shop.http.get("/metrics")).text


async def test_a_page_for_people_is_at_the_root(shop: RunningGateway) -> None:
    answer = await shop.http.get("/")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")


async def test_browsers_of_other_origins_are_let_in_by_a_setting_alone() -> None:
    asked = {"origin": "https://shop.example", "access-control-request-method": "POST"}
    async with running_gateway() as shop:
        assert "access-control-allow-origin" not in (await shop.http.options("/graphql", headers=asked)).headers
    async with running_gateway(cors_origins=("https://shop.example",)) as shop:
        answer = await shop.http.options("/graphql", headers=asked)
        assert answer.headers["access-control-allow-origin"] == "https://shop.example"
        other = await shop.http.options("/graphql", headers={**asked, "origin": "https://evil.example"})
        assert "access-control-allow-origin" not in other.headers


async def test_the_plan_is_shown_in_development_alone() -> None:
    query = {"query": "{ thing(id: 1) { name units } }"}
    async with running_gateway() as shop:
        assert (await shop.http.post("/plan", json=query)).status_code == 404
    async with running_gateway(development=True) as shop:
        shown = (await shop.http.post("/plan", json=query)).json()
        assert (shown["fetches"], shown["depth"]) == (2, 2)
        assert [fetch["subgraph"] for fetch in shown["plan"]["fetches"]] == ["things", "stock"]
        assert "stock" in shown["text"]
        assert (await shop.http.post("/plan", json={"query": "{ nope }"})).status_code == 400
        assert shop.things.asked == []


async def send_raw(shop: RunningGateway, *parts: bytes) -> bytes:
    """Writes the parts as far as the server takes them; returns all it answered."""
    reader, writer = await asyncio.open_connection("127.0.0.1", shop.port)
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
    except ConnectionError:
        pass
    try:
        async with asyncio.timeout(10):
            return await reader.read()
    except ConnectionResetError:
        return b""
    finally:
        writer.close()


HEAD = b"POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"


async def test_an_announced_body_over_the_limit_is_refused_before_it_is_sent() -> None:
    async with running_gateway(limits=Limits(body_bytes_max=1000)) as shop:
        answer = await send_raw(shop, HEAD + b"content-length: 1001\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 413 ")
        assert json.loads(answer.partition(b"\r\n\r\n")[2])["errors"][0]["extensions"]["code"] == "PAYLOAD_TOO_LARGE"


async def test_an_endless_body_is_refused_while_it_arrives() -> None:
    async with running_gateway(limits=Limits(body_bytes_max=1000)) as shop:
        chunk = b"100\r\n" + b"x" * 256 + b"\r\n"
        # The chunks never end: only a server that counts as it reads can answer at all.
        answer = await send_raw(shop, HEAD + b"transfer-encoding: chunked\r\n\r\n", *[chunk] * 8)
        assert answer.startswith(b"HTTP/1.1 413 ")


async def test_a_body_that_trickles_is_given_up() -> None:
    async with running_gateway(limits=Limits(body_ms_max=100)) as shop:
        answer = await send_raw(shop, HEAD + b"content-length: 100\r\n\r\n{")
        assert answer.startswith(b"HTTP/1.1 408 ")


async def test_a_body_at_the_limit_is_read() -> None:
    async with running_gateway(limits=Limits(body_bytes_max=1000)) as shop:
        body = json.dumps({"query": "{ echo }"}).encode().ljust(1000)
        answer = await shop.http.post("/graphql", content=body, headers={"content-type": "application/json"})
        assert answer.status_code == 200


async def test_subscriptions_are_sent_elsewhere_by_plain_http(shop: RunningGateway) -> None:
    answer = await shop.post("subscription { changes(count: 1) { name } }")
    assert (answer.status_code, code(answer)) == (406, "NOT_ACCEPTABLE")


def frames(text: str) -> list[tuple[str, Any]]:
    """The events of a stream; comments are heartbeats."""
    found: list[tuple[str, Any]] = []
    for frame in text.split("\n\n"):
        lines = {
            name: value.removeprefix(" ") for name, _, value in (line.partition(":") for line in frame.split("\n"))
        }
        if "event" in lines:
            found.append((lines["event"], json.loads(lines["data"]) if lines.get("data") else None))
    return found


async def test_a_subscription_comes_as_events_with_the_other_subgraphs_fields(shop: RunningGateway) -> None:
    query = "subscription { changes(count: 2) { name units } }"
    answer = await shop.post(query, accept="text/event-stream")
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert frames(answer.text) == [
        ("next", {"data": {"changes": {"name": "lamp", "units": 10}}}),
        ("next", {"data": {"changes": {"name": "chair", "units": 20}}}),
        ("complete", None),
    ]


async def test_a_query_may_come_as_events_too(shop: RunningGateway) -> None:
    answer = await shop.http.get("/graphql", params={"query": "{ echo }"}, headers={"accept": "text/event-stream"})
    assert frames(answer.text) == [("next", {"data": {"echo": "None None"}}), ("complete", None)]


async def test_an_idle_stream_has_heartbeats() -> None:
    async with running_gateway(sse_heartbeat_s=0.05) as shop:
        shop.things.released.clear()
        asked = shop.http.stream(
            "POST",
            "/graphql",
            json={"query": "subscription { changes(count: 1) { name } }"},
            headers={"accept": "text/event-stream"},
        )
        async with asyncio.timeout(10), asked as answer:
            seen = ""
            async for text in answer.aiter_text():
                seen += text
                if seen.count(":\n\n") >= 3:
                    shop.things.released.set()
                if "event: complete" in seen:
                    break
        assert "lamp" in seen


async def test_a_client_that_leaves_ends_the_stream_to_the_subgraph(shop: RunningGateway) -> None:
    asked = shop.http.stream(
        "POST",
        "/graphql",
        json={"query": "subscription { changes(count: 0) { name } }"},
        headers={"accept": "text/event-stream"},
    )
    async with asyncio.timeout(10):
        async with asked as answer:
            async for text in answer.aiter_text():
                if "lamp" in text:
                    break
        assert not shop.things.left.is_set()
        await shop.things.left.wait()


async def test_a_stream_ends_when_its_token_does(tmp_path: Path) -> None:
    async with running_gateway(
        development=True, dev_issuer_key_file=tmp_path / "key.jwk", dev_token_s=2, jwt_leeway_s=0
    ) as shop:
        token = (await shop.http.post("/dev/token", json={"sub": "ann"})).json()["token"]
        query = "subscription { changes(count: 0) { name } }"
        answer = await shop.post(query, accept="text/event-stream", authorization=f"Bearer {token}")
        first, last, end = frames(answer.text)
        assert first[1]["data"]["changes"]["name"] == "lamp"
        assert last[1]["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
        assert end[0] == "complete"


async def test_a_stopping_gateway_completes_its_streams(shop: RunningGateway) -> None:
    asked = asyncio.ensure_future(shop.post("subscription { changes(count: 0) { name } }", accept="text/event-stream"))
    async with asyncio.timeout(10):
        while not shop.things.asked:
            await shop.http.get("/health")
        shop.gateway.stop()
        assert frames((await asked).text)[-1] == ("complete", None)


@pytest.mark.parametrize(
    ("query", "wrong"),
    [
        ("subscription { nope }", "GRAPHQL_VALIDATION_FAILED"),
        ("subscription {", "GRAPHQL_PARSE_FAILED"),
        ("subscription($n: Int!) { changes(count: $n) { name } }", "BAD_USER_INPUT"),
    ],
)
async def test_an_invalid_subscription_is_told_in_the_stream(shop: RunningGateway, query: str, wrong: str) -> None:
    answer = await shop.post(query, accept="text/event-stream")
    assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (200, "text/event-stream")
    (kind, told), end = frames(answer.text)
    assert (kind, end) == ("next", ("complete", None))
    assert [each["extensions"]["code"] for each in told["errors"]] == [wrong]


async def test_a_malformed_request_for_a_stream_is_a_plain_refusal(shop: RunningGateway) -> None:
    answer = await shop.http.post("/graphql", json={"query": 1}, headers={"accept": "text/event-stream"})
    assert (answer.status_code, code(answer)) == (400, "BAD_REQUEST")


async def test_get_streams_no_mutation(shop: RunningGateway) -> None:
    query = {"query": 'mutation { rename(id: 1, name: "x") { name } }'}
    answer = await shop.http.get("/graphql", params=query, headers={"accept": "text/event-stream"})
    assert answer.status_code == 405
    assert shop.things.asked == []
