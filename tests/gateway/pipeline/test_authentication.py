"""Tokens prove principals; nothing else does."""

import asyncio
import base64
import hmac
import itertools
import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from gateway.config import Limits, Settings
from gateway.errors import KeysUnavailable, NotAuthenticated
from gateway.pipeline import authentication
from gateway.pipeline.authentication import Authenticator, Keys, authenticator, request_context
from gateway.pipeline.issuer import Claims, DevelopmentIssuer, create_key_file
from subgraphs.chassis.identity import ANONYMOUS, Principal, RequestContext

EC_KEY = ec.generate_private_key(ec.SECP256R1())
RSA_KEY = rsa.generate_private_key(65537, 2048)
KEY_SET = {
    "keys": [
        {**ECAlgorithm.to_jwk(EC_KEY.public_key(), as_dict=True), "kid": "ec", "use": "sig"},
        {**RSAAlgorithm.to_jwk(RSA_KEY.public_key(), as_dict=True), "kid": "rsa", "alg": "RS256"},
        {"kty": "oct", "k": "c2VjcmV0", "kid": "shared"},
    ]
}


def claims(**more: Any) -> dict[str, Any]:
    return {"sub": "ann", "exp": time.time() + 60} | more


def token(key: Any = EC_KEY, kid: str | None = "ec", algorithm: str = "ES256", **more: Any) -> str:
    body = {name: value for name, value in claims(**more).items() if value is not None}
    return jwt.encode(body, key, algorithm, headers={"kid": kid} if kid else None)


def keys(place: str | Mapping[str, Any] = KEY_SET, **times: float) -> Keys:
    return Keys(place, **{"refresh_s": 300, "cooldown_s": 10, **times})  # type: ignore[arg-type]


async def prove(text: str, **settings: Any) -> Principal:
    return (await Authenticator(keys(), Settings(**settings)).prove(f"Bearer {text}")).principal


async def test_nobody_is_anonymous() -> None:
    assert (await Authenticator(None, Settings()).prove(None)).principal == ANONYMOUS


async def test_a_token_becomes_the_principal_its_claims_describe() -> None:
    found = await prove(token(scope="orders:read orders:write", kind="staff", customer_id="cus_1", agent_id="agt_1"))
    assert found == Principal("ann", "staff", frozenset({"orders:read", "orders:write"}), "cus_1", "agt_1")


async def test_both_kinds_of_keys_prove() -> None:
    assert (await prove(token(RSA_KEY, "rsa", "RS256"))).subject == "ann"


@pytest.mark.parametrize(
    "header",
    [
        "Basic YTpi",
        "Bearer",
        "Bearer ",
        "Bearer not.a.token",
        "Bearer " + "x" * 9000,
        "Bearer " + token(ec.generate_private_key(ec.SECP256R1())),
        "Bearer " + token(kid="unknown"),
        "Bearer " + token(kid=None),
        "Bearer " + token(exp=time.time() - 60),
        "Bearer " + token(exp=None),
        "Bearer " + token(sub=None),
        "Bearer " + token(kind="service"),
        "Bearer " + token(kind="anonymous"),
        "Bearer " + token(kind=["staff"]),
        "Bearer " + token(sub=""),
        "Bearer " + token(scope=7),
        "Bearer " + token(customer_id=7),
        "Bearer " + token(nbf=time.time() + 600),
        "Bearer " + jwt.encode(claims(), "", "none"),
        "Bearer " + jwt.encode(claims(), "secret-that-is-long-enough-for-sha256", "HS256", headers={"kid": "shared"}),
    ],
    ids=itertools.count(),  # a token is new each time, and a test's name should not be
)
async def test_a_bad_token_is_refused(header: str) -> None:
    with pytest.raises(NotAuthenticated):
        await Authenticator(keys(), Settings()).prove(header)


async def test_a_public_key_is_no_shared_secret() -> None:
    # The library will not sign with such a secret, so the forgery is made by hand.
    public = EC_KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    parts = [json.dumps(part).encode() for part in ({"alg": "HS256", "kid": "ec"}, claims())]
    signed = b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in parts)
    seal = base64.urlsafe_b64encode(hmac.digest(public, signed, "sha256")).rstrip(b"=")
    with pytest.raises(NotAuthenticated):
        await prove((signed + b"." + seal).decode())


async def test_audience_and_issuer_must_fit_when_they_are_set() -> None:
    fitting = token(aud="shop", iss="https://id.example")
    assert await prove(fitting, jwt_audience="shop", jwt_issuer="https://id.example")
    for other in (token(aud="bank", iss="https://id.example"), token(aud="shop", iss="https://evil.example"), token()):
        with pytest.raises(NotAuthenticated):
            await prove(other, jwt_audience="shop", jwt_issuer="https://id.example")


async def test_a_remembered_proof_ends_with_its_token() -> None:
    now = time.time()
    clock = [now]
    desk = Authenticator(keys(), Settings(jwt_leeway_s=0), now=lambda: clock[0])
    text = "Bearer " + token(exp=now - 1 + 2)
    first = await desk.prove(text)
    assert await desk.prove(text) is first
    clock[0] = now + 5
    assert await desk.prove("Bearer " + token(exp=now + 600)) is not first


async def test_without_keys_every_token_is_refused() -> None:
    with pytest.raises(NotAuthenticated):
        await authenticator(Settings()).prove("Bearer " + token())


async def test_keys_are_read_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    file.write_text(json.dumps(KEY_SET))
    desk = authenticator(Settings(jwks=str(file)))
    assert (await desk.prove("Bearer " + token())).principal.subject == "ann"


class Issuer:
    """A key set behind a URL, without a network."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.key_set: Any = {"keys": [KEY_SET["keys"][1]]}
        self.asked = 0
        self.now = 1000.0
        self.keys = Keys("http://id.invalid/keys", refresh_s=300, cooldown_s=10, now=lambda: self.now)
        monkeypatch.setattr(authentication, "_download", self.download)

    async def download(self, url: str) -> Any:
        self.asked += 1
        if self.key_set is None:
            raise httpx.ConnectError("down")
        return self.key_set


async def test_an_unknown_key_id_asks_again_but_not_at_a_strangers_will(monkeypatch: pytest.MonkeyPatch) -> None:
    issuer = Issuer(monkeypatch)
    assert await issuer.keys.find("ec") is None
    assert await issuer.keys.find("ec") is None
    assert issuer.asked == 1
    issuer.key_set, issuer.now = KEY_SET, issuer.now + 11
    generation = issuer.keys.generation
    assert await issuer.keys.find("ec") is not None
    assert issuer.keys.generation > generation


async def test_old_keys_outlive_an_outage(monkeypatch: pytest.MonkeyPatch) -> None:
    issuer = Issuer(monkeypatch)
    assert await issuer.keys.find("rsa") is not None
    issuer.key_set, issuer.now = None, issuer.now + 301
    assert await issuer.keys.find("rsa") is not None
    assert issuer.asked == 2


async def test_without_a_first_answer_nobody_can_be_proved(monkeypatch: pytest.MonkeyPatch) -> None:
    issuer = Issuer(monkeypatch)
    issuer.key_set = None
    with pytest.raises(KeysUnavailable):
        await issuer.keys.find("rsa")


@asynccontextmanager
async def served(body: bytes) -> AsyncIterator[str]:
    """A URL that answers with this body."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n" + body)
        with suppress(ConnectionError):
            await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/keys"


async def test_keys_are_fetched_from_a_url() -> None:
    async with served(json.dumps(KEY_SET).encode()) as url:
        desk = authenticator(Settings(jwks=url))
        assert (await desk.prove("Bearer " + token())).principal.subject == "ann"


@pytest.mark.parametrize("body", [b"{}", b"<html>", b'{"keys": "' + b"x" * 1_100_000 + b'"}'])
async def test_what_is_no_key_set_proves_nobody(body: bytes) -> None:
    async with served(body) as url:
        with pytest.raises(KeysUnavailable):
            await keys(url).find("ec")


async def test_the_development_issuer_proves_its_own_tokens(tmp_path: Path) -> None:
    file = tmp_path / "made" / "issuer.jwk"
    create_key_file(file)
    assert file.stat().st_mode & 0o077 == 0
    before = file.read_bytes()
    create_key_file(file)
    assert file.read_bytes() == before
    issuer = DevelopmentIssuer(file, token_s=60)
    assert not {"d"} & set(issuer.key_set()["keys"][0])
    issued = issuer.issue(Claims(sub="eve", scopes=("pos:write",), kind="staff"))
    found = (await Authenticator(keys(issuer.key_set()), Settings()).prove("Bearer " + issued)).principal
    assert found == Principal("eve", "staff", frozenset({"pos:write"}))


def test_context_headers_are_normalised_and_what_does_not_fit_is_left_out() -> None:
    said = {
        "x-uc-channel": " web-eu ",
        "x-uc-currency": "eur",
        "x-uc-country": "Germany",
        "x-uc-location": "loc_1\r\nx-evil: 1",
        "x-uc-locale": "de_DE",
    }
    assert request_context(said, Limits()) == RequestContext(channel="web-eu", currency="EUR", locale="de-DE")
    assert request_context({"x-uc-channel": "a" * 65}, Limits()) == RequestContext()
