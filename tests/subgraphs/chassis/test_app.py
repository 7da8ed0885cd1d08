"""A service over HTTP: who is let in, what is bounded, how answers, streams and refusals look."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx
import orjson
import pytest
import strawberry
import structlog
from starlette.applications import Starlette

from subgraphs.chassis.app import Resources, Service, create_app, drain
from subgraphs.chassis.config import ServiceSettings
from subgraphs.chassis.graphql import (
    DateTime,
    IdempotencyKey,
    Info,
    MinorUnits,
    MoneyType,
    build_schema,
    require_authenticated,
    require_scopes,
    to_graphql_error,
)
from subgraphs.chassis.identity import ANONYMOUS, IDENTITY_HEADER, IdentitySigner, Principal, RequestContext
from subgraphs.chassis.mongo import DriverName, Mongo, Session
from subgraphs.chassis.peers import PeerClient, PeerFailed
from subgraphs.kernel import errors as kernel
from subgraphs.kernel.events import CustomerRegistered, Envelope
from subgraphs.kernel.money import Money

SECRET = "a secret of at least thirty-two bytes"
STAFF = Principal("bert", "staff", frozenset({"stock:write"}))


@strawberry.federation.type(keys=["sku"])
class Thing:
    sku: strawberry.ID
    price: MoneyType

    @classmethod
    async def resolve_reference(cls, info: Info, sku: strawberry.ID) -> Thing | None:
        return await info.context.loaders.get("things", info.context.services.read).load(str(sku))


@strawberry.type
class Query:
    @strawberry.field
    async def who(self, info: Info) -> str:
        return f"{info.context.principal.subject} {info.context.request_context.currency}"

    @strawberry.field
    async def later(self, at: DateTime) -> DateTime:
        return at

    @strawberry.field
    async def minor(self, n: MinorUnits, key: IdempotencyKey) -> MinorUnits:
        return n

    @strawberry.field
    async def missing(self) -> int:
        raise kernel.NotFound("no such thing")

    @strawberry.field
    async def broken(self) -> int:
        raise RuntimeError("the password is 1234")

    @strawberry.field
    async def mine(self, info: Info) -> str:
        return require_authenticated(info).subject

    @strawberry.field
    async def secret(self, info: Info) -> str:
        return require_scopes(info, "stock:write", "stock:audit").subject


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def count(self, info: Info, to: int) -> AsyncIterator[int]:
        for number in range(to):
            yield number

    @strawberry.subscription
    async def registered(self, info: Info) -> AsyncIterator[str]:
        hub = info.context.services.resources.hub
        async for event in hub.subscribe([CustomerRegistered.TYPE]):
            assert isinstance(event, Envelope)
            yield event.data["customer_id"]


class Services:
    """What the demo domain's resolvers use."""

    def __init__(self, resources: Resources) -> None:
        self.resources = resources
        self.batches: list[list[str]] = []

    async def read(self, skus: list[str]) -> list[Thing | None]:
        self.batches.append(list(skus))
        price = MoneyType.of(Money(1234, "EUR"))
        return [None if sku == "gone" else Thing(sku=strawberry.ID(sku), price=price) for sku in skus]

    async def register(self, customer_id: str) -> None:
        async def body(session: Session) -> None:
            event = CustomerRegistered(customer_id=customer_id)
            await self.resources.outbox.append(session, event, aggregate=f"customer:{customer_id}", aggregate_version=1)

        await self.resources.database.transact(body)


async def build(resources: Resources) -> Services:
    return Services(resources)


@dataclass
class House:
    """A running demo service and clients of it."""

    app: Starlette
    staff: httpx.AsyncClient
    stranger: httpx.AsyncClient

    @property
    def services(self) -> Services:
        services: Services = self.app.state.services
        return services


@pytest.fixture
async def house(mongodb_uri: str, mongo_driver: DriverName) -> AsyncIterator[House]:
    settings = ServiceSettings(
        name="demo",
        mongodb_uri=mongodb_uri,
        mongodb_driver=mongo_driver,
        database_prefix=f"test_{secrets.token_hex(6)}_",
        identity_secret=SECRET,  # type: ignore[arg-type]
        body_bytes_max=10_000,
        entities_max=200,
    )
    schema = build_schema(Query, None, Subscription, types=[Thing])
    with structlog.testing.capture_logs():
        app = create_app(Service(name="demo", schema=schema, build=build), settings)
        async with app.router.lifespan_context(app):
            token = IdentitySigner(SECRET, "gateway").sign(STAFF, RequestContext(currency="EUR"))
            transport = httpx.ASGITransport(app)
            async with (
                httpx.AsyncClient(
                    transport=transport, base_url="http://demo", headers={IDENTITY_HEADER: token}
                ) as staff,
                httpx.AsyncClient(transport=transport, base_url="http://demo") as stranger,
            ):
                yield House(app, staff, stranger)
    async with await Mongo.connect(mongodb_uri, mongo_driver) as mongo:
        await mongo.database(settings.database_name).drop()


async def ask(house: House, query: str, variables: dict[str, object] | None = None) -> dict[str, object]:
    response = await house.staff.post("/graphql", json={"query": query, "variables": variables or {}})
    assert response.status_code == 200
    answer: dict[str, object] = response.json()
    return answer


def code(answer: dict[str, object]) -> str:
    errors = answer["errors"]
    assert isinstance(errors, list)
    found: str = errors[0]["extensions"]["code"]
    return found


async def test_resolvers_see_the_principal_and_the_context_it_stands_in(house: House) -> None:
    assert await ask(house, "{ who mine }") == {"data": {"who": "bert EUR", "mine": "bert"}}


@pytest.mark.parametrize("header", [None, "", "forged"])
@pytest.mark.parametrize("path", ["/graphql", "/events", "/graphql/"])
async def test_without_a_valid_identity_nothing_is_parsed(house: House, header: str | None, path: str) -> None:
    headers = {} if header is None else {IDENTITY_HEADER: header}
    response = await house.stranger.post(path, content=b"{not json", headers=headers)
    assert response.status_code == 401
    assert response.json()["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"


async def test_probes_and_metrics_need_no_identity(house: House) -> None:
    assert (await house.stranger.get("/health")).json()["status"] == "up"
    async with asyncio.timeout(20):
        while (ready := await house.stranger.get("/ready")).status_code != 200:
            await asyncio.sleep(0.02)
    assert ready.json()["checks"] == {"mongodb": True, "change stream": True}
    assert b"galleria_request_seconds" in (await house.stranger.get("/metrics")).content


async def test_a_hundred_representations_are_one_batch_and_a_missing_one_is_null(house: House) -> None:
    representations = [{"__typename": "Thing", "sku": f"s{n}"} for n in range(99)]
    answer = await ask(
        house,
        "query($r: [_Any!]!) { a: _entities(representations: $r) { ... on Thing { sku price { amount } } } }",
        {"r": [*representations, {"__typename": "Thing", "sku": "gone"}]},
    )
    data = answer["data"]
    assert isinstance(data, dict)
    assert data["a"][0] == {"sku": "s0", "price": {"amount": "12.34"}}
    assert data["a"][99] is None
    assert [len(batch) for batch in house.services.batches] == [100]


async def test_two_aliases_may_share_their_representations(house: House) -> None:
    answer = await ask(
        house,
        "query($r: [_Any!]!) { a: _entities(representations: $r) { __typename } b: _entities(representations: $r) { __typename } }",
        {"r": [{"__typename": "Thing", "sku": "s"}]},
    )
    assert answer == {"data": {"a": [{"__typename": "Thing"}], "b": [{"__typename": "Thing"}]}}


async def test_too_many_representations_are_refused(house: House) -> None:
    many = [{"__typename": "Thing", "sku": "s"}] * 201
    answer = await ask(house, "query($r: [_Any!]!) { _entities(representations: $r) { __typename } }", {"r": many})
    assert code(answer) == "BAD_USER_INPUT"


async def test_a_refusal_raised_by_a_query_keeps_its_words_and_a_bug_does_not(house: House) -> None:
    missing = await ask(house, "{ missing }")
    assert code(missing) == "NOT_FOUND"
    assert "no such thing" in str(missing)
    broken = await ask(house, "{ broken }")
    assert code(broken) == "INTERNAL_SERVER_ERROR"
    assert "1234" not in str(broken)


async def test_scopes_are_checked_again_and_the_missing_ones_named(house: House) -> None:
    answer = await ask(house, "{ secret }")
    assert code(answer) == "FORBIDDEN"
    errors = answer["errors"]
    assert isinstance(errors, list)
    assert errors[0]["extensions"]["missingScopes"] == ["stock:audit"]


async def test_an_anonymous_principal_is_let_in_but_not_to_what_is_somebodys(house: House) -> None:
    headers = {IDENTITY_HEADER: IdentitySigner(SECRET, "gateway").sign(ANONYMOUS)}
    response = await house.stranger.post("/graphql", json={"query": "{ mine }"}, headers=headers)
    assert code(response.json()) == "UNAUTHENTICATED"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("{ nope }", "GRAPHQL_VALIDATION_FAILED"),
        ("{", "GRAPHQL_PARSE_FAILED"),
        ('{ later(at: "noon") }', "GRAPHQL_VALIDATION_FAILED"),
        ('{ later(at: "2026-03-01T12:00:00") }', "GRAPHQL_VALIDATION_FAILED"),
        ('{ minor(n: 9007199254740992, key: "k") }', "GRAPHQL_VALIDATION_FAILED"),
        ('{ minor(n: 1, key: "") }', "GRAPHQL_VALIDATION_FAILED"),
    ],
)
async def test_faults_of_the_document_have_codes(house: House, query: str, expected: str) -> None:
    assert code(await ask(house, query)) == expected


async def test_scalars_come_back_in_their_one_spelling(house: House) -> None:
    answer = await ask(house, '{ later(at: "2026-03-01T13:00:00+01:00") minor(n: -9007199254740991, key: "k") }')
    assert answer == {"data": {"later": "2026-03-01T12:00:00.000Z", "minor": -9007199254740991}}


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_beyond_the_bound_is_refused(house: House, chunked: bool) -> None:
    async def parts() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b" " * 1000

    body = parts() if chunked else b" " * 20_000
    response = await house.staff.post("/graphql", content=body, headers={"content-type": "application/json"})
    assert response.status_code == 413
    assert response.json()["errors"][0]["extensions"]["code"] == "PAYLOAD_TOO_LARGE"


async def test_what_is_no_json_is_a_bad_request_in_json(house: House) -> None:
    response = await house.staff.post("/graphql", content=b"{", headers={"content-type": "application/json"})
    assert response.status_code == 400
    assert response.json()["errors"][0]["extensions"]["code"] == "BAD_REQUEST"


async def test_a_subscription_is_a_stream_of_events_with_an_end(house: House) -> None:
    response = await house.staff.post(
        "/graphql", json={"query": "subscription { count(to: 2) }"}, headers={"accept": "text/event-stream"}
    )
    assert response.headers["content-type"].startswith("text/event-stream")
    events = [line for line in response.text.splitlines() if line.startswith(("event", "data"))]
    assert events == [
        "event: next",
        'data: {"data":{"count":0}}',
        "event: next",
        'data: {"data":{"count":1}}',
        "event: complete",
        "data: ",
    ]


async def test_draining_ends_the_streams_that_follow_the_hub(house: House) -> None:
    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        stream = group.create_task(
            house.staff.post(
                "/graphql", json={"query": "subscription { registered }"}, headers={"accept": "text/event-stream"}
            )
        )
        hub = house.services.resources.hub
        await house.services.register("cus_1")
        await hub.wait_beyond(0)
        drain(house.app)
    assert stream.result().text.rstrip().endswith("event: complete\r\ndata:")


async def test_events_are_for_services_only(house: House) -> None:
    assert (await house.staff.get("/events")).status_code == 403


async def test_a_service_pulls_events_by_number(house: House) -> None:
    await house.services.register("cus_1")
    await house.services.register("cus_2")
    await house.services.resources.hub.wait_beyond(1, 20)
    token = IdentitySigner(SECRET, "loyalty").sign(Principal("loyalty", "service"))
    drain(house.app)
    response = await house.stranger.get("/events", params={"after": "1"}, headers={IDENTITY_HEADER: token})
    frames = [line for line in response.text.splitlines() if line.startswith("data: ")]
    assert [orjson.loads(frame[6:])["data"]["customer_id"] for frame in frames] == ["cus_2"]
    wrong = await house.stranger.get("/events", params={"after": "x"}, headers={IDENTITY_HEADER: token})
    assert wrong.status_code == 400


async def test_the_request_id_of_the_caller_comes_back_and_a_wild_one_does_not(house: House) -> None:
    given = await house.stranger.get("/health", headers={"x-request-id": "abc-1"})
    assert given.headers["x-request-id"] == "abc-1"
    wild = await house.stranger.get("/health", headers={"x-request-id": "a b\tc" * 50})
    assert len(wild.headers["x-request-id"]) == 26


async def test_a_peer_is_asked_as_the_service_and_its_errors_are_raised_with_their_codes(house: House) -> None:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(house.app)) as client:
        peers = PeerClient(client, {"demo": "https://demo"}, IdentitySigner(SECRET, "orders"), "orders")
        assert await peers.execute("demo", "{ who }") == {"who": "orders None"}
        with pytest.raises(PeerFailed) as refused:
            await peers.execute("demo", "{ missing }")
    assert refused.value.codes == ("NOT_FOUND",)


def test_every_shared_refusal_has_its_type_with_its_facts() -> None:
    conflict = to_graphql_error(kernel.VersionConflict("changed", 3, 4, path=("version",)))
    assert (conflict.message, conflict.path, conflict.expected, conflict.actual) == ("changed", ["version"], 3, 4)
    assert to_graphql_error(kernel.Forbidden("no", ["a"])).missing_scopes == ["a"]
    assert to_graphql_error(kernel.RequestInFlight("wait", 50)).retry_after_ms == 50
    assert to_graphql_error(kernel.IdempotencyConflict("no", "abc")).original_request_hash == "abc"
    for plain in (kernel.InvalidInput, kernel.NotFound):
        assert to_graphql_error(plain("no")).severity.name == "RECOVERABLE"


def test_a_refusal_nobody_registered_is_a_bug() -> None:
    class Unheard(kernel.DomainError):
        pass

    with pytest.raises(AssertionError, match="Unheard"):
        to_graphql_error(Unheard("x"))


def test_the_shared_sdl_is_there_and_federation_is_pinned() -> None:
    sdl = build_schema(Query, None, Subscription, types=[Thing]).as_str()
    assert "federation/v2.7" in sdl
    assert "type Money @shareable" in sdl
    assert 'type Thing @key(fields: "sku")' in sdl
