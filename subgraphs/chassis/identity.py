"""Who is asking, as proved once by the gateway and believed by every service: the signed principal.

The gateway proves the client (a bearer token), then signs a short-lived HS256 JWT with the principal and the request
context and sends it in ``x-galleria-identity``. A service refuses every request without a valid one, before it parses
anything. Services sign for themselves too when they call each other. Client tokens and key sets belong to the gateway.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Literal, TypeGuard, get_args

from cachetools import LRUCache

IDENTITY_HEADER = "x-galleria-identity"

# What a client may say about where it stands; the gateway normalises and signs it.
CONTEXT_HEADERS: dict[str, str] = {
    "x-uc-channel": "channel",
    "x-uc-currency": "currency",
    "x-uc-country": "country",
    "x-uc-location": "location",
    "x-uc-locale": "locale",
}

PrincipalKind = Literal["anonymous", "customer", "staff", "agent", "service"]
_KINDS: frozenset[PrincipalKind] = frozenset(get_args(PrincipalKind))
_AUDIENCE = "galleria-subgraphs"
_ALGORITHM = "HS256"
_CACHED_TOKENS_MAX = 4096
_LEEWAY_S = 5


def is_kind(claim: object) -> TypeGuard[PrincipalKind]:
    """Whether a claim, which may be of any shape, names a kind of principal."""
    return isinstance(claim, str) and claim in _KINDS


class IdentityRefused(Exception):
    """The identity header is missing, forged, or out of date; the message is safe to show."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is asking. ``subject`` is stable for one person or machine; scopes are what the gateway granted."""

    subject: str
    kind: PrincipalKind
    scopes: frozenset[str] = frozenset()
    customer_id: str | None = None
    agent_id: str | None = None

    @property
    def authenticated(self) -> bool:
        return self.kind != "anonymous"

    def has(self, scope: str) -> bool:
        return scope in self.scopes

    @property
    def key(self) -> str:
        """Stable text for idempotency scopes and cache keys: the same asker, the same key, whatever the scopes."""
        return f"{self.kind}:{self.subject}" + (f":{self.agent_id}" if self.agent_id else "")


ANONYMOUS = Principal("anonymous", "anonymous")


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestContext:
    """Where the asker stands: what prices and assortments depend on. All optional, all normalised by the gateway."""

    channel: str | None = None
    currency: str | None = None
    country: str | None = None
    location: str | None = None
    locale: str | None = None


@dataclass(frozen=True, slots=True)
class Identity:
    """A principal in its context, vouched for by ``issuer`` (``gateway`` or a service's name)."""

    principal: Principal
    context: RequestContext
    issuer: str


class IdentitySigner:
    """Signs principals for the services. A token is reused for half its life, since most requests repeat a principal."""

    def __init__(self, secret: str, issuer: str, ttl_s: int = 60) -> None:
        import jwt  # noqa: F401  # Not at the first request, and not in a process that signs nothing.

        self._secret = secret
        self._issuer = issuer
        self._ttl_s = ttl_s
        self._tokens: LRUCache[tuple[Principal, RequestContext], tuple[float, str]] = LRUCache(_CACHED_TOKENS_MAX)

    def sign(self, principal: Principal, context: RequestContext | None = None) -> str:
        """The header value for this principal in this context."""
        context = context or RequestContext()
        now = time.time()
        known = self._tokens.get((principal, context))
        if known is not None and now < known[0]:
            return known[1]
        import jwt

        claims: dict[str, Any] = {
            "iss": self._issuer,
            "aud": _AUDIENCE,
            "iat": int(now),
            "exp": int(now) + self._ttl_s,
            "sub": principal.subject,
            "kind": principal.kind,
            "scopes": sorted(principal.scopes),
            "customer": principal.customer_id,
            "agent": principal.agent_id,
            "context": {name: getattr(context, name) for name in CONTEXT_HEADERS.values()},
        }
        token = jwt.encode(claims, self._secret, algorithm=_ALGORITHM)
        self._tokens[principal, context] = (now + self._ttl_s / 2, token)
        return token


class IdentityVerifier:
    """Believes a token only if our secret signed it and its time has not passed. Verified tokens are remembered."""

    def __init__(self, secret: str) -> None:
        self._secret = secret
        self._known: LRUCache[str, tuple[float, Identity]] = LRUCache(_CACHED_TOKENS_MAX)

    def verify(self, token: str) -> Identity:
        """The identity the token proves, or ``IdentityRefused``."""
        known = self._known.get(token)
        if known is not None and time.time() < known[0]:
            return known[1]
        import jwt

        try:
            claims = jwt.decode(
                token,
                self._secret,
                algorithms=[_ALGORITHM],
                audience=_AUDIENCE,
                leeway=_LEEWAY_S,
                options={"require": ["exp", "iat", "iss", "sub", "aud"]},
            )
        except jwt.ExpiredSignatureError:
            raise IdentityRefused("the identity has expired") from None
        except jwt.InvalidTokenError:
            raise IdentityRefused("the identity is not valid") from None
        identity = _identity(claims)
        self._known[token] = (float(claims["exp"]), identity)
        return identity


def _identity(claims: dict[str, Any]) -> Identity:
    kind, scopes, context = claims.get("kind"), claims.get("scopes"), claims.get("context")
    if (
        not is_kind(kind)
        or not isinstance(scopes, list)
        or not all(isinstance(scope, str) for scope in scopes)
        or not isinstance(context, dict)
    ):
        raise IdentityRefused("the identity is not valid")
    principal = Principal(claims["sub"], kind, frozenset(scopes), claims.get("customer"), claims.get("agent"))
    stands = RequestContext(**{name: context.get(name) for name in CONTEXT_HEADERS.values()})
    return Identity(principal, stands, claims["iss"])
