"""Only what our secret signed, and only for its time, is believed."""

from __future__ import annotations

import time

import jwt
import pytest

from subgraphs.chassis.identity import (
    ANONYMOUS,
    IdentityRefused,
    IdentitySigner,
    IdentityVerifier,
    Principal,
    RequestContext,
)

SECRET = "a secret of at least thirty-two bytes"
OTHER = "another secret of at least 32 bytes!!"
ANNA = Principal("anna", "customer", frozenset({"orders:read", "cart:write"}), customer_id="cus_1")
BERLIN = RequestContext(channel="web-de", currency="EUR", country="DE", locale="de-DE")


def test_a_signed_principal_comes_back_whole_with_its_context_and_issuer() -> None:
    identity = IdentityVerifier(SECRET).verify(IdentitySigner(SECRET, "gateway").sign(ANNA, BERLIN))
    assert (identity.principal, identity.context, identity.issuer) == (ANNA, BERLIN, "gateway")


def test_tokens_are_reused_for_the_same_principal_and_context_only() -> None:
    signer = IdentitySigner(SECRET, "gateway")
    assert signer.sign(ANNA, BERLIN) is signer.sign(ANNA, BERLIN)
    assert signer.sign(ANNA, BERLIN) != signer.sign(ANNA, RequestContext())
    assert signer.sign(ANNA) != signer.sign(ANONYMOUS)


def test_a_token_is_renewed_before_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    signer = IdentitySigner(SECRET, "gateway", ttl_s=60)
    now = time.time()
    first = signer.sign(ANNA)
    monkeypatch.setattr("subgraphs.chassis.identity.time.time", lambda: now + 31)
    assert signer.sign(ANNA) != first


@pytest.mark.parametrize("token", ["", "x", "a.b.c"])
def test_what_is_no_token_is_refused(token: str) -> None:
    with pytest.raises(IdentityRefused, match="not valid"):
        IdentityVerifier(SECRET).verify(token)


def test_another_secret_is_refused() -> None:
    with pytest.raises(IdentityRefused, match="not valid"):
        IdentityVerifier(SECRET).verify(IdentitySigner(OTHER, "gateway").sign(ANNA))


def test_a_changed_token_is_refused_even_after_the_true_one_was_seen() -> None:
    token, verifier = IdentitySigner(SECRET, "gateway").sign(ANNA), IdentityVerifier(SECRET)
    verifier.verify(token)
    head, body, signature = token.split(".")
    with pytest.raises(IdentityRefused):
        verifier.verify(f"{head}.{body}.{signature[::-1]}")


def test_an_expired_token_is_refused() -> None:
    with pytest.raises(IdentityRefused, match="expired"):
        IdentityVerifier(SECRET).verify(IdentitySigner(SECRET, "gateway", ttl_s=-60).sign(ANNA))


def test_an_unsigned_token_is_refused() -> None:
    claims = {"iss": "x", "aud": "galleria-subgraphs", "iat": 0, "exp": int(time.time()) + 60, "sub": "x"}
    with pytest.raises(IdentityRefused):
        IdentityVerifier(SECRET).verify(jwt.encode(claims, "", algorithm="none"))


@pytest.mark.parametrize(
    "wrong",
    [{"kind": "root"}, {"kind": ["staff"]}, {"scopes": "all"}, {"scopes": [{}]}, {"context": None}, {"aud": "others"}],
)
def test_claims_of_the_wrong_shape_are_refused(wrong: dict[str, object]) -> None:
    claims: dict[str, object] = {
        "iss": "gateway",
        "aud": "galleria-subgraphs",
        "iat": int(time.time()),
        "exp": int(time.time()) + 60,
        "sub": "x",
        "kind": "staff",
        "scopes": [],
        "context": {},
    }
    good = jwt.encode(claims, SECRET, algorithm="HS256")
    assert IdentityVerifier(SECRET).verify(good).principal.kind == "staff"
    with pytest.raises(IdentityRefused):
        IdentityVerifier(SECRET).verify(jwt.encode(claims | wrong, SECRET, algorithm="HS256"))


def test_a_principals_key_is_the_same_whatever_its_scopes() -> None:
    assert ANNA.key == Principal("anna", "customer").key
    assert ANNA.key != Principal("anna", "staff").key
    assert Principal("anna", "agent", agent_id="a1").key != Principal("anna", "agent", agent_id="a2").key
    assert ANNA.has("orders:read")
    assert not ANNA.has("orders:write")
    assert ANNA.authenticated
    assert not ANONYMOUS.authenticated
