"""Who is asking, from the client's token to what the subgraphs are told; and what is kept from whom."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import SecretStr

from subgraphs.chassis.identity import IDENTITY_HEADER, IdentityVerifier
from tests.kit.running_gateway import RunningGateway, running_gateway

SECRET = "a secret of the house that is long enough"


async def token(shop: RunningGateway, **claims: Any) -> dict[str, str]:
    answer = await shop.http.post("/dev/token", json={"sub": "ann", **claims})
    assert answer.status_code == 200, answer.text
    return {"authorization": f"Bearer {answer.json()['token']}"}


def settings(tmp_path: Path) -> dict[str, Any]:
    return {
        "development": True,
        "identity_secret": SecretStr(SECRET),
        "dev_issuer_key_file": tmp_path / "key.jwk",
    }


async def test_subgraphs_are_told_who_asks_and_from_where(tmp_path: Path) -> None:
    async with running_gateway(**settings(tmp_path)) as shop:
        headers = await token(shop, kind="staff", scopes=["pos:write"], customer_id="cus_1")
        await shop.post("{ echo }", **headers, x_uc_currency="eur", x_uc_channel="web-eu")
        identity = IdentityVerifier(SECRET).verify(shop.things.asked[0].headers[IDENTITY_HEADER])
        assert identity.principal.subject == "ann"
        assert identity.principal.kind == "staff"
        assert identity.principal.scopes == {"pos:write"}
        assert identity.principal.customer_id == "cus_1"
        assert (identity.context.currency, identity.context.channel) == ("EUR", "web-eu")


async def test_a_clients_own_identity_header_is_not_passed_on(tmp_path: Path) -> None:
    async with running_gateway(**settings(tmp_path)) as shop:
        await shop.post("{ echo }", **{IDENTITY_HEADER: "forged", "cookie": "a=b"})
        sent = shop.things.asked[0].headers
        assert IdentityVerifier(SECRET).verify(sent[IDENTITY_HEADER]).principal.kind == "anonymous"
        assert "cookie" not in sent


async def test_without_a_secret_nothing_is_signed() -> None:
    async with running_gateway() as shop:
        await shop.post("{ echo }")
        assert IDENTITY_HEADER not in shop.things.asked[0].headers


async def test_a_bad_token_is_refused_before_anything_is_asked(tmp_path: Path) -> None:
    async with running_gateway(**settings(tmp_path)) as shop:
        answer = await shop.post("{ echo }", authorization="Bearer nonsense")
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert answer.json()["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
        assert shop.things.asked == []


async def test_a_field_that_may_not_be_seen_is_null_and_never_asked_for() -> None:
    async with running_gateway() as shop:
        body = (await shop.post("{ thing(id: 1) { name cost } }")).json()
        assert body["data"] == {"thing": {"name": "lamp", "cost": None}}
        (error,) = body["errors"]
        assert error["path"] == ["thing", "cost"]
        assert error["extensions"]["code"] == "UNAUTHORIZED_FIELD_OR_TYPE"
        assert "cost" not in shop.things.asked[0].body["query"]


async def test_a_null_that_may_not_be_null_takes_its_parent_and_is_told_once() -> None:
    async with running_gateway() as shop:
        body = (await shop.post("{ echo thing(id: 1) { name margin } }")).json()
        assert body["data"] == {"echo": "None None", "thing": None}
        assert [error["path"] for error in body["errors"]] == [["thing", "margin"]]


async def test_a_wholly_refused_operation_asks_nobody() -> None:
    async with running_gateway() as shop:
        body = (await shop.post("{ thing(id: 1) { margin } }")).json()
        assert body["data"] == {"thing": None}
        assert all("margin" not in asked.body["query"] for asked in shop.things.asked)


async def test_one_document_has_a_plan_for_each_kind_of_principal(tmp_path: Path) -> None:
    query = "{ thing(id: 1) { cost margin } }"
    async with running_gateway(**settings(tmp_path)) as shop:
        trusted = await token(shop, scopes=["root"])
        known = await token(shop)
        for headers, expected in (
            (trusted, {"thing": {"cost": 3, "margin": 40}}),
            (known, {"thing": None}),
            ({}, {"thing": None}),
            (trusted, {"thing": {"cost": 3, "margin": 40}}),
        ):
            assert (await shop.post(query, **headers)).json()["data"] == expected


async def test_tokens_are_issued_in_development_alone(tmp_path: Path) -> None:
    async with running_gateway(**{**settings(tmp_path), "development": False}) as shop:
        assert (await shop.http.post("/dev/token", json={"sub": "ann"})).status_code == 404
    assert not (tmp_path / "key.jwk").exists()


async def test_a_token_for_nobody_or_for_a_service_is_not_issued(tmp_path: Path) -> None:
    async with running_gateway(**settings(tmp_path)) as shop:
        for body in ({}, {"sub": ""}, {"sub": "x", "kind": "service"}, {"sub": "x", "scopes": "all"}):
            assert (await shop.http.post("/dev/token", json=body)).status_code == 400


async def test_a_subgraphs_own_words_are_shown_in_development_alone(tmp_path: Path) -> None:
    for development in (False, True):
        async with running_gateway(development=development) as shop:
            shop.things.roots["echo"] = _fail
            text = (await shop.post("{ echo }")).text
            assert ("the till is jammed" in text) is development


def _fail(_info: Any, **_: Any) -> str:
    raise RuntimeError("the till is jammed")
