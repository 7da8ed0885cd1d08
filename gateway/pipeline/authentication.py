"""Who is asking: a bearer token becomes a principal, ``x-uc-*`` headers become the request's context.

What belongs here: finding keys, proving tokens, normalising what clients say about where they stand. What does not:
what a principal may do (``authorization``), and the signature subgraphs check (the chassis' identity).

Algorithms are pinned to asymmetric ones and a key is used only with its own, so a token can choose neither "none" nor
a public key as a shared secret. Keys from a URL are asked again when they are old, or when a token names an unknown
key, which is how issuers rotate; a cooldown keeps strangers from making us ask at will.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cachetools import LRUCache

from gateway.config import Limits, Settings
from gateway.errors import KeysUnavailable, NotAuthenticated, RequestMalformed
from gateway.exchange import decode
from subgraphs.chassis.identity import ANONYMOUS, CONTEXT_HEADERS, Principal, RequestContext, is_kind

if TYPE_CHECKING:
    import jwt

ALGORITHMS = (
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
)  # fmt: skip

_KEYS_REPLY_BYTES_MAX = 1_000_000
_KEYS_TIMEOUT_S = 5.0
_PROOFS_MAX = 4_096

# A client can prove to be anybody but a service of this house, and cannot prove to be nobody.
_OURS = frozenset({"anonymous", "service"})


@dataclass(frozen=True, slots=True)
class Proof:
    """A principal, and until when the token proves it (seconds since 1970; None for anonymous)."""

    principal: Principal
    expires_at: float | None = None
    contract: str | None = None
    """The contract the token is bound to, by its claim of that name."""


NOBODY = Proof(ANONYMOUS)


class Keys:
    """The key set that proves tokens, from a file (read once) or a URL (refreshed)."""

    def __init__(
        self,
        place: str | Mapping[str, Any],
        *,
        refresh_s: float,
        cooldown_s: float,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        # Loaded with the first keys, not with this module: a gateway without them does without the cryptography.
        import jwt  # noqa: F401

        self._url: str | None = None
        self._keys: dict[str | None, jwt.PyJWK] = {}
        self._refresh_s = refresh_s
        self._cooldown_s = cooldown_s
        self._now = now
        self._asked_at: float | None = None
        self._asking = asyncio.Lock()
        self.generation = 0
        """Changes with the keys: what an earlier generation proved must be proved again."""
        if isinstance(place, str) and place.startswith(("http://", "https://")):
            self._url = place
        elif isinstance(place, str):
            self._keys = _key_set(decode(Path(place).read_bytes()))
        else:
            self._keys = _key_set(place)

    async def find(self, key_id: str | None) -> jwt.PyJWK | None:
        """The key by its id; without an id, the only key there is. Raises KeysUnavailable before the first answer."""
        if self._url is not None and self._is_old():
            await self._ask()
        key = self._pick(key_id)
        if key is None and self._url is not None and not self._is_cooling():
            await self._ask()
            key = self._pick(key_id)
        return key

    def _pick(self, key_id: str | None) -> jwt.PyJWK | None:
        if key_id is None and len(self._keys) == 1:
            return next(iter(self._keys.values()))
        return self._keys.get(key_id)

    def _is_old(self) -> bool:
        if self._asked_at is None:
            return True
        wait_s = self._refresh_s if self._keys else self._cooldown_s
        return self._now() - self._asked_at >= wait_s

    def _is_cooling(self) -> bool:
        return self._asked_at is not None and self._now() - self._asked_at < self._cooldown_s

    async def _ask(self) -> None:
        import httpx

        before = self._asked_at
        async with self._asking:
            if self._asked_at != before:
                return  # somebody else asked while we waited for the lock
            assert self._url is not None
            self._asked_at = self._now()
            try:
                keys = _key_set(await _download(self._url))
            except (httpx.HTTPError, ValueError, TimeoutError, RequestMalformed) as failure:
                if not self._keys:
                    raise KeysUnavailable("The keys that prove tokens are not available just now.") from failure
                return  # the old keys are still better than none
            self._keys = keys
            self.generation += 1


async def _download(url: str) -> Any:
    import httpx

    body = b""
    async with (
        asyncio.timeout(_KEYS_TIMEOUT_S),
        httpx.AsyncClient(timeout=_KEYS_TIMEOUT_S, trust_env=False) as client,
        client.stream("GET", url, headers={"accept": "application/json"}) as reply,
    ):
        reply.raise_for_status()
        async for chunk in reply.aiter_bytes():
            body += chunk
            if len(body) > _KEYS_REPLY_BYTES_MAX:
                raise ValueError("the key set is too large")
    return decode(body)


def _key_set(found: Any) -> dict[str | None, jwt.PyJWK]:
    import jwt

    keys: dict[str | None, jwt.PyJWK] = {}
    entries = found.get("keys") if isinstance(found, Mapping) else None
    if not isinstance(entries, list):
        raise ValueError("a key set is an object with a list of keys")
    for entry in entries:
        # Shared secrets and encryption keys may stand in the same set; they prove nothing here.
        if isinstance(entry, dict) and entry.get("kty") in ("RSA", "EC", "OKP") and entry.get("use", "sig") == "sig":
            try:
                key = jwt.PyJWK(entry)
            except jwt.PyJWTError:
                continue  # a kind of key we cannot use does not spoil the others
            if key.algorithm_name in ALGORITHMS:
                keys[key.key_id] = key
    return keys


class Authenticator:
    """Proves bearer tokens. Proofs are remembered until they expire or the keys change."""

    def __init__(self, keys: Keys | None, settings: Settings, now: Callable[[], float] = time.time) -> None:
        self._keys = keys
        self._audience = settings.jwt_audience
        self._issuer = settings.jwt_issuer
        self._leeway_s = settings.jwt_leeway_s
        self._token_characters_max = settings.limits.token_characters_max
        self._now = now
        self._proofs: LRUCache[tuple[int, str], Proof] = LRUCache(_PROOFS_MAX)

    @property
    def generation(self) -> int:
        """Of the keys: what was proved by another must be proved again."""
        return self._keys.generation if self._keys is not None else 0

    async def prove(self, authorization: str | None) -> Proof:
        """The proof for an ``Authorization`` header. None is anonymous; a bad token raises NotAuthenticated."""
        if authorization is None:
            return NOBODY
        scheme, _, token = authorization.partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token:
            raise NotAuthenticated("The Authorization header must be 'Bearer' and a token.")
        if len(token) > self._token_characters_max:
            raise NotAuthenticated("The token is too long.")
        if self._keys is None:
            raise NotAuthenticated("This gateway has no keys to prove tokens with.")
        known = self._proofs.get((self._keys.generation, token))
        if known is not None and known.expires_at is not None and self._now() < known.expires_at:
            return known
        proof = await self._prove(self._keys, token)
        self._proofs[self._keys.generation, token] = proof
        return proof

    async def _prove(self, keys: Keys, token: str) -> Proof:
        import jwt

        try:
            header = jwt.get_unverified_header(token)
            key_id = header.get("kid")
            key = await keys.find(key_id if isinstance(key_id, str) else None)
            if key is None or header.get("alg") not in ALGORITHMS:
                raise NotAuthenticated("The token is signed with a key or an algorithm that is not known here.")
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=[key.algorithm_name],
                audience=self._audience,
                issuer=self._issuer,
                leeway=self._leeway_s,
                options={"require": ["exp", "sub"], "verify_aud": self._audience is not None},
            )
        except jwt.ExpiredSignatureError:
            raise NotAuthenticated("The token has expired.") from None
        except jwt.PyJWTError:
            # Which check failed is of use to somebody who is guessing, not to an honest client.
            raise NotAuthenticated("The token is not valid.") from None
        return Proof(_principal(claims), float(claims["exp"]) + self._leeway_s, claims.get("contract"))


def authenticator(settings: Settings, keys: Keys | None = None) -> Authenticator:
    """The authenticator these settings describe; ``keys`` takes the place of the setting ``jwks``."""
    if keys is None and settings.jwks is not None:
        keys = Keys(settings.jwks, refresh_s=settings.jwks_refresh_s, cooldown_s=settings.jwks_cooldown_s)
    return Authenticator(keys, settings)


def _principal(claims: Mapping[str, Any]) -> Principal:
    customer_id, agent_id = claims.get("customer_id"), claims.get("agent_id")
    kind = claims.get("kind", "agent" if agent_id else "customer")
    scope = claims.get("scope", "")
    scopes = scope.split() if isinstance(scope, str) else scope
    if (
        not is_kind(kind)
        or kind in _OURS
        or not claims["sub"]
        or not isinstance(scopes, list)
        or not all(isinstance(text, str) for text in scopes)
        or not isinstance(customer_id, str | None)
        or not isinstance(agent_id, str | None)
        or not isinstance(claims.get("contract"), str | None)
    ):
        raise NotAuthenticated("The token's claims are not of the expected form.")
    return Principal(str(claims["sub"]), kind, frozenset(scopes), customer_id, agent_id)


_NOWHERE = RequestContext()

# What each context header may look like once normalised. A value that does not fit is ignored, never passed on: it
# would reach every subgraph's cache keys and logs.
_SHAPES: Mapping[str, tuple[Callable[[str], str], re.Pattern[str]]] = {
    "channel": (str.strip, re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")),
    "currency": (lambda text: text.strip().upper(), re.compile(r"[A-Z]{3}")),
    "country": (lambda text: text.strip().upper(), re.compile(r"[A-Z]{2}")),
    "location": (str.strip, re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]*")),
    "locale": (lambda text: text.strip().replace("_", "-"), re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")),
}


def request_context(headers: Mapping[str, str], limits: Limits) -> RequestContext:
    """What the client says about where it stands, from its ``x-uc-*`` headers (names in lower case)."""
    found: dict[str, str] = {}
    for header, name in CONTEXT_HEADERS.items():
        given = headers.get(header)
        if given is None:
            continue
        normalise, shape = _SHAPES[name]
        text = normalise(given)
        if len(text) <= limits.header_characters_max and shape.fullmatch(text):
            found[name] = text
    return RequestContext(**found) if found else _NOWHERE
