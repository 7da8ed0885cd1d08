"""The development issuer: tokens for people who try the house out, signed with a key file on their own machine.

Never part of a production gateway: ``serving`` offers it only when the settings say development *and* name a key file.
Hence the cryptography is loaded by who issues tokens, not with this file.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.exchange import decode, encode

ISSUER = "galleria-development"
KINDS = ("customer", "staff", "agent")

# Every private member of RFC 7518's keys; what remains is the public key.
_PRIVATE_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})


def create_key_file(path: Path) -> None:
    """Writes a new EC private key as a JWK that only its owner may read. An existing file is kept."""
    if path.exists():
        return
    from cryptography.hazmat.primitives.asymmetric import ec
    from jwt.algorithms import ECAlgorithm

    jwk = ECAlgorithm.to_jwk(ec.generate_private_key(ec.SECP256R1()), as_dict=True)
    jwk |= {"kid": f"development-{secrets.token_hex(4)}", "alg": "ES256", "use": "sig"}
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(encode(jwk))


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """Whom a token is for."""

    sub: str
    scopes: tuple[str, ...] = ()
    kind: str = "customer"
    """One of ``KINDS``."""
    customer_id: str | None = None
    agent_id: str | None = None
    contract: str | None = None
    """The contract the token is bound to."""


class DevelopmentIssuer:
    """Raises ValueError for a file that holds no key."""

    def __init__(self, key_file: Path, *, token_s: int, audience: str | None = None, issuer: str | None = None) -> None:
        import jwt

        self._jwk: dict[str, Any] = decode(key_file.read_bytes())
        try:
            self._key = jwt.PyJWK(self._jwk)
        except jwt.PyJWTError as wrong:
            raise ValueError(str(wrong)) from None
        self._token_s = token_s
        self._audience = audience
        self._issuer = issuer or ISSUER

    def key_set(self) -> Mapping[str, Any]:
        """The public half, as a JWKS."""
        return {"keys": [{name: value for name, value in self._jwk.items() if name not in _PRIVATE_MEMBERS}]}

    def issue(self, claims: Claims) -> str:
        import jwt

        now = int(time.time())
        body: dict[str, Any] = {
            "iss": self._issuer,
            "sub": claims.sub,
            "iat": now,
            "exp": now + self._token_s,
            "scope": " ".join(claims.scopes),
            "kind": claims.kind,
        }
        if claims.customer_id is not None:
            body["customer_id"] = claims.customer_id
        if claims.agent_id is not None:
            body["agent_id"] = claims.agent_id
        if claims.contract is not None:
            body["contract"] = claims.contract
        if self._audience is not None:
            body["aud"] = self._audience
        return jwt.encode(body, self._key.key, algorithm=self._key.algorithm_name, headers={"kid": self._key.key_id})
