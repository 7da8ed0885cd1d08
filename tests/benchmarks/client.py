"""A client that costs little: the house's client over the gateway's own HTTP library, checking every answer.

The client shares a core with the subgraphs, so what it costs would be counted as theirs in every wall time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
from pyreqwest.client import ClientBuilder

from gateway.local.client import AnswerHasErrors, HouseClient

ANSWER_S_MAX = 30.0
UNDER_WAY_MAX = 50
"""As many requests at once as the house's own client sends; who comes after waits for a connection."""
IDLE_S = 2.0
"""A server closes a connection that idles for five seconds; one that was about to be is better not used again."""
_JSON = {"content-type": "application/json", "accept": "application/graphql-response+json, application/json"}


class LeanClient(HouseClient):
    """Every operation of the house's client, at a tenth of its CPU time."""

    def __init__(self, gateway_url: str, operations: Path) -> None:
        super().__init__(gateway_url, operations)
        self._room = asyncio.Semaphore(UNDER_WAY_MAX)
        self._lean = (
            ClientBuilder()
            .http1_only()
            .no_proxy()
            .pool_max_idle_per_host(UNDER_WAY_MAX)
            .pool_idle_timeout(timedelta(seconds=IDLE_S))
            .timeout(timedelta(seconds=ANSWER_S_MAX))
            .build()
        )

    async def __aexit__(self, *error: object) -> None:
        await self._lean.close()
        await super().__aexit__(*error)

    async def ask(
        self,
        document: str,
        variables: Mapping[str, Any] | None = None,
        *,
        token: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """The whole answer, errors and all."""
        sent = dict(headers or {})
        if token is not None:
            sent["authorization"] = f"Bearer {token}"
        body = orjson.dumps({"query": document, "variables": dict(variables or {})})
        return await self._post(f"{self.gateway_url}/graphql", body, sent)

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> dict[str, Any]:
        """The answer of any GraphQL server; raises AnswerHasErrors when there is any error."""
        answer = await self._post(url, body, headers)
        if answer.get("errors") or answer.get("data") is None:
            raise AnswerHasErrors(str(answer.get("errors"))[:2000])
        return answer

    async def _post(self, url: str, body: bytes, headers: Mapping[str, str]) -> dict[str, Any]:
        request = self._lean.post(url).headers({**_JSON, **headers}).body_bytes(body).build()
        async with self._room:
            response = await request.send()
            reply = bytes(await response.bytes())
        answer = orjson.loads(reply)
        assert isinstance(answer, dict), f"{url} answered with no GraphQL response"
        return answer
