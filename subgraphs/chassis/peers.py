"""Commands to the other services. What belongs here: sending them, again where a connection broke. What does not: what is said."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping, Sequence
from typing import Any, Final

import httpx
import orjson

from subgraphs.chassis.identity import IDENTITY_HEADER, IdentitySigner, Principal, RequestContext
from subgraphs.chassis.telemetry import outgoing_headers

TRIES: Final = 3
PAUSE_S: Final = 0.1
BROKEN_OFF: Final = (httpx.NetworkError, httpx.RemoteProtocolError)
"""The connection could not be had or ended: a service that starts again, or an idle connection it had closed."""


class PeerFailed(Exception):
    """A peer did not answer, or answered with GraphQL errors (``codes``), to a command of ours."""

    def __init__(self, peer: str, message: str, codes: Sequence[str] = ()) -> None:
        super().__init__(f"{peer}: {message}")
        self.peer = peer
        self.codes = tuple(codes)


class PeerClient:
    """Sends GraphQL commands to the other services, not through the public gateway."""

    def __init__(
        self, client: httpx.AsyncClient, peers: Mapping[str, str], signer: IdentitySigner, service: str
    ) -> None:
        self._client = client
        self._peers = dict(peers)
        self._signer = signer
        self._service = Principal(service, "service", frozenset({f"service:{service}"}))

    async def execute(
        self,
        peer: str,
        query: str,
        variables: Mapping[str, Any] | None = None,
        *,
        principal: Principal | None = None,
        context: RequestContext | None = None,
    ) -> dict[str, Any]:
        """The ``data`` of the answer; ``PeerFailed`` for anything less.

        Speaks as this service unless given the principal on whose behalf it asks. A command carries its own
        idempotency key among the variables, so that it may be sent again after a failure.
        """
        headers = outgoing_headers() | {
            IDENTITY_HEADER: self._signer.sign(principal or self._service, context),
            "content-type": "application/json",
        }
        body = orjson.dumps({"query": query, "variables": dict(variables or {})})
        response = await self._post(peer, body, headers)
        try:
            answer = orjson.loads(response.content)
        except orjson.JSONDecodeError as error:
            raise PeerFailed(peer, f"status {response.status_code}, no JSON") from error
        errors = answer.get("errors")
        data: dict[str, Any] | None = answer.get("data")
        if errors or data is None:
            codes = [str(error.get("extensions", {}).get("code", "")) for error in errors or ()]
            message = "; ".join(str(error.get("message")) for error in errors or ()) or "no data"
            raise PeerFailed(peer, message, codes)
        return data

    async def _post(self, peer: str, body: bytes, headers: Mapping[str, str]) -> httpx.Response:
        for left in reversed(range(TRIES)):
            try:
                return await self._client.post(f"{self._peers[peer]}/graphql", content=body, headers=headers)
            except BROKEN_OFF as error:
                if not left:
                    raise PeerFailed(peer, repr(error)) from error
            except httpx.HTTPError as error:
                # Who was too slow once is not helped by being asked again.
                raise PeerFailed(peer, repr(error)) from error
            await asyncio.sleep(random.uniform(0.5, 1.5) * PAUSE_S)  # noqa: S311
        raise AssertionError("the last try returns or raises")
