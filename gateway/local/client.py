"""A small client of a running house, for the tour and for story tests: tokens, operations, subscriptions. HTTP and WebSocket only."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from websockets.asyncio.client import connect


class AnswerHasErrors(Exception):
    """The answer carried GraphQL errors where none was expected."""


class HouseClient:
    """Speaks to one gateway. ``operations`` is the directory of named operations."""

    def __init__(self, gateway_url: str, operations: Path) -> None:
        self.gateway_url = gateway_url
        self._operations = operations
        self._http = httpx.AsyncClient(
            base_url=gateway_url, timeout=30.0, trust_env=False, limits=httpx.Limits(max_connections=50)
        )
        self._keys = itertools.count(1)

    async def __aenter__(self) -> HouseClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    def document(self, name: str) -> str:
        return (self._operations / f"{name}.graphql").read_text()

    def fresh_key(self, purpose: str) -> str:
        """An idempotency key nobody used before in this client's life; pass it again to replay."""
        return f"{purpose}-{id(self):x}-{next(self._keys)}"

    async def token(
        self,
        subject: str,
        *,
        scopes: tuple[str, ...] = (),
        kind: str = "customer",
        customer_id: str | None = None,
        agent_id: str | None = None,
    ) -> str:
        """A token from the gateway's development issuer."""
        who = {"sub": subject, "scopes": list(scopes), "kind": kind, "customer_id": customer_id, "agent_id": agent_id}
        answer = await self._http.post("/dev/token", json=who)
        answer.raise_for_status()
        token: str = answer.json()["token"]
        return token

    async def ask(
        self,
        document: str,
        variables: Mapping[str, Any] | None = None,
        *,
        token: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """The whole answer, errors and all."""
        sent = {"accept": "application/graphql-response+json", **(headers or {})}
        if token is not None:
            sent["authorization"] = f"Bearer {token}"
        answer = await self._http.post(
            "/graphql", json={"query": document, "variables": dict(variables or {})}, headers=sent
        )
        parsed: dict[str, Any] = answer.json()
        return parsed

    async def data(
        self,
        document: str,
        variables: Mapping[str, Any] | None = None,
        *,
        token: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """The answer's data; raises AnswerHasErrors when there is any error."""
        answer = await self.ask(document, variables, token=token, headers=headers)
        if answer.get("errors") or answer.get("data") is None:
            raise AnswerHasErrors(json.dumps(answer.get("errors"), indent=1)[:2000])
        found: dict[str, Any] = answer["data"]
        return found

    async def plan(self, document: str, *, token: str | None = None) -> dict[str, Any]:
        """The query plan of an operation for whoever has the token, as the development endpoint tells it."""
        headers = {"authorization": f"Bearer {token}"} if token is not None else {}
        answer = await self._http.post("/plan", json={"query": document}, headers=headers)
        answer.raise_for_status()
        parsed: dict[str, Any] = answer.json()
        return parsed

    @asynccontextmanager
    async def subscribe(
        self, document: str, variables: Mapping[str, Any] | None = None, *, token: str | None = None
    ) -> AsyncIterator[AsyncIterator[dict[str, Any]]]:
        """A subscription over ``graphql-transport-ws``: iterate the payloads; leaving the block ends it."""
        url = self.gateway_url.replace("http", "ws", 1) + "/graphql"
        async with connect(url, subprotocols=["graphql-transport-ws"], proxy=None) as socket:  # type: ignore[list-item]
            payload = {"authorization": f"Bearer {token}"} if token is not None else {}
            await socket.send(json.dumps({"type": "connection_init", "payload": payload}))
            acknowledged = json.loads(await socket.recv())
            if acknowledged.get("type") != "connection_ack":
                raise AnswerHasErrors(f"The socket answered {acknowledged}")
            start = {"query": document, "variables": dict(variables or {})}
            await socket.send(json.dumps({"id": "1", "type": "subscribe", "payload": start}))

            async def payloads() -> AsyncIterator[dict[str, Any]]:
                async for text in socket:
                    message = json.loads(text)
                    match message["type"]:
                        case "next":
                            yield message["payload"]
                        case "error":
                            raise AnswerHasErrors(json.dumps(message["payload"]))
                        case "complete":
                            return
                        case "ping":
                            await socket.send(json.dumps({"type": "pong"}))

            yield payloads()


async def first(events: AsyncIterator[dict[str, Any]], *, within_s: float) -> dict[str, Any]:
    """The next event, or TimeoutError."""
    async with asyncio.timeout(within_s):
        return await anext(events)
