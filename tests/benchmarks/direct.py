"""The requests behind an operation, sent to the subgraphs without a gateway: what a gateway's own cost is measured against.

A client that knew the plan by heart would send these very documents and representations, round by round. They are
written down once, by executing the plan in this process; replaying them costs no planning, no merging, no projection.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import orjson

from gateway.config import Limits, Settings
from gateway.execution.transport import FetchContext, SubgraphAddress, Transport
from gateway.pipeline.snapshot import Planned, Snapshot
from gateway.plan import QueryPlan
from gateway.supergraph import Supergraph
from subgraphs.chassis.identity import ANONYMOUS, IDENTITY_HEADER, IdentitySigner, Principal, RequestContext
from tests.benchmarks.client import LeanClient


@dataclass(frozen=True, slots=True)
class Request:
    url: str
    body: bytes


Rounds = tuple[tuple[Request, ...], ...]
"""Requests that may be sent together, and after whom the next may."""


class _Recording(Transport):
    """Sends each fetch, and keeps it."""

    def __init__(self, limits: Limits) -> None:
        super().__init__(limits)
        self.sent: list[Request] = []

    async def reply(self, address: SubgraphAddress, body: bytes, context: FetchContext, *, repeatable: bool) -> bytes:
        self.sent.append(Request(address.url, body))
        return await super().reply(address, body, context, repeatable=repeatable)


class Direct:
    """Asks the subgraphs of one house as its gateway would, in the name of nobody in particular."""

    def __init__(self, supergraph: Supergraph, urls: Mapping[str, str], identity_secret: str) -> None:
        settings = Settings(subgraph_urls=dict(urls), development=True)
        self._recording = _Recording(settings.limits)
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="planning")
        self._snapshot = Snapshot(supergraph, settings, self._recording, self._worker)
        self._signer = IdentitySigner(identity_secret, "gateway")

    async def __aenter__(self) -> Direct:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._recording.aclose()
        self._worker.shutdown()

    async def plan(self, text: str) -> Planned:
        """As the gateway plans for somebody it does not know: what needs a token is not asked for."""
        prepared = await self._snapshot.prepare(text, None)
        return await self._snapshot.plan(prepared, ANONYMOUS)

    async def rounds(self, document: str, variables: Mapping[str, Any]) -> tuple[Rounds, dict[str, Any]]:
        """What the gateway would send for this operation, and the data it would answer with."""
        planned = await self.plan(document)
        self._recording.sent.clear()
        context = FetchContext(headers=self.headers)
        answer = await self._snapshot.executor.execute(planned.executable, variables, context)
        assert not answer.errors, f"the subgraphs answered with errors: {answer.errors}"
        assert answer.data is not None
        round_of = _rounds(planned.plan)
        found: dict[int, list[Request]] = {}
        for request in self._recording.sent:
            found.setdefault(round_of[orjson.loads(request.body)["query"]], []).append(request)
        assert found, "nothing was sent"
        return tuple(tuple(found[number]) for number in sorted(found)), dict(answer.data)

    async def replay(self, client: LeanClient, rounds: Rounds) -> None:
        """All of them, and every answer looked at; raises when one has errors."""
        headers = self.headers()
        for together in rounds:
            await asyncio.gather(*(client.post(request.url, request.body, headers) for request in together))

    def headers(self, principal: Principal = ANONYMOUS) -> Mapping[str, str]:
        return {IDENTITY_HEADER: self._signer.sign(principal, RequestContext())}


def _rounds(plan: QueryPlan) -> dict[str, int]:
    """The round in which each document is sent."""
    number: dict[int, int] = {}
    for fetch in plan.fetches:
        number[fetch.id] = 1 + max((number[earlier] for earlier in fetch.depends_on), default=0)
    return {fetch.document: number[fetch.id] for fetch in plan.fetches}
