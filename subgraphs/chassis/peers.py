"""Commands to the other services. What belongs here: sending them, again where a connection broke. What does not: what is said,
and the bytes of a connection (``http_client``)."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping, Sequence
from typing import Any, Final

import httpx
import orjson

from subgraphs.chassis.http_client.connection import ConnectionBroken, ReplyRefused, Wanted
from subgraphs.chassis.http_client.deadlines import Deadlines
from subgraphs.chassis.http_client.pool import Pool
from subgraphs.chassis.http_client.request_head import header_lines, read_url
from subgraphs.chassis.identity import IDENTITY_HEADER, IdentitySigner, Principal, RequestContext
from subgraphs.chassis.telemetry import outgoing_headers

TRIES: Final = 3
PAUSE_S: Final = 0.1
CONNECTIONS_MAX: Final = 128
"""To one peer. More than a group of its hot documents takes at once, so that none waits for the way to it."""
REPLY_BYTES_MAX: Final = 16 * 1024 * 1024

_HEADERS: Final = {
    "content-type": "application/json",
    "accept": "application/json",
    "accept-encoding": "identity",
    "user-agent": "galleria-service",
}
# Whatever it is is read: one that is no JSON says what went wrong.
_WANTED: Final = Wanted((b"",), REPLY_BYTES_MAX)


class PeerFailed(Exception):
    """A peer did not answer, or answered with GraphQL errors (``codes``), to a command of ours."""

    def __init__(self, peer: str, message: str, codes: Sequence[str] = ()) -> None:
        super().__init__(f"{peer}: {message}")
        self.peer = peer
        self.codes = tuple(codes)


class _Broken(Exception):
    """The connection could not be had or ended: a service that starts again, or an idle connection it had closed."""


class PeerClient:
    """Sends GraphQL commands to the other services, not through the public gateway. One a process, for the running loop.

    Peers on plain HTTP are reached by our own pools, at a fraction of httpx's CPU; others by ``client``.
    """

    def __init__(
        self,
        client: httpx.AsyncClient,
        peers: Mapping[str, str],
        signer: IdentitySigner,
        service: str,
        *,
        timeout_s: float = 5.0,
    ) -> None:
        self._client = client
        self._peers = {peer: f"{base}/graphql" for peer, base in peers.items()}
        self._signer = signer
        self._service = Principal(service, "service", frozenset({f"service:{service}"}))
        self._timeout_s = timeout_s
        self._deadlines = Deadlines()
        self._ways: dict[str, tuple[Pool, bytes]] = {}
        """To peers on plain HTTP, each with what every request to it begins with."""
        for peer, url in self._peers.items():
            target = read_url(url, _HEADERS)
            if target is not None:
                pool = Pool(target.host, target.port, _WANTED, self._deadlines, connections_max=CONNECTIONS_MAX)
                self._ways[peer] = pool, target.head

    def close(self) -> None:
        """Ends every command under way and gives the connections back."""
        for pool, _ in self._ways.values():
            pool.close()
        self._deadlines.close()

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
        headers = outgoing_headers() | {IDENTITY_HEADER: self._signer.sign(principal or self._service, context)}
        body = orjson.dumps({"query": query, "variables": dict(variables or {})})
        status, reply = await self._post(peer, body, headers)
        try:
            answer = orjson.loads(reply)
        except orjson.JSONDecodeError as error:
            raise PeerFailed(peer, f"status {status}, no JSON") from error
        errors = answer.get("errors")
        data: dict[str, Any] | None = answer.get("data")
        if errors or data is None:
            codes = [str(error.get("extensions", {}).get("code", "")) for error in errors or ()]
            message = "; ".join(str(error.get("message")) for error in errors or ()) or "no data"
            raise PeerFailed(peer, message, codes)
        return data

    async def _post(self, peer: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, bytes]:
        """Status and body of the reply, to the command sent again where a connection broke."""
        way = self._ways.get(peer)
        for left in reversed(range(TRIES)):
            try:
                if way is None:
                    return await self._by_httpx(peer, body, headers)
                return await self._by_pool(peer, *way, body, headers)
            except _Broken as broken:
                if not left:
                    raise PeerFailed(peer, str(broken)) from broken
            await asyncio.sleep(random.uniform(0.5, 1.5) * PAUSE_S)  # noqa: S311
        raise AssertionError("the last try returns or raises")

    async def _by_pool(
        self, peer: str, pool: Pool, head: bytes, body: bytes, headers: Mapping[str, str]
    ) -> tuple[int, bytes]:
        request = b"%b%bcontent-length: %d\r\n\r\n%b" % (head, header_lines(headers), len(body), body)
        try:
            reply = await pool.ask(request, self._timeout_s)
        except ConnectionBroken as broken:
            raise _Broken(str(broken)) from broken
        except TimeoutError as late:
            # Who was too slow once is not helped by being asked again.
            raise PeerFailed(peer, f"no reply within {self._timeout_s:g} s") from late
        except ReplyRefused as refused:
            raise PeerFailed(peer, str(refused)) from refused
        return reply.status, reply.body

    async def _by_httpx(self, peer: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, bytes]:
        try:
            reply = await self._client.post(self._peers[peer], content=body, headers={**_HEADERS, **headers})
        except (httpx.NetworkError, httpx.RemoteProtocolError) as broken:
            raise _Broken(repr(broken)) from broken
        except httpx.HTTPError as error:
            raise PeerFailed(peer, repr(error)) from error
        return reply.status_code, reply.content
