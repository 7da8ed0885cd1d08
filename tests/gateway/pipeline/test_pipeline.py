"""What the pipeline hands to the execution with a request."""

from __future__ import annotations

import asyncio

import pytest

from gateway.config import Settings
from gateway.execution.transport import FetchContext
from gateway.pipeline import pipeline as pipeline_module
from gateway.pipeline.authentication import authenticator
from gateway.pipeline.pipeline import Caller, Pipeline
from subgraphs.chassis.identity import ANONYMOUS, IDENTITY_HEADER, IdentitySigner, RequestContext
from subgraphs.chassis.telemetry import request_scope


async def context() -> FetchContext:
    settings = Settings()
    signer = IdentitySigner("a secret of at least thirty-two bytes", "gateway", ttl_s=0)
    async with Pipeline(settings, authenticator(settings), signer) as pipeline:
        return pipeline._context(Caller(principal=ANONYMOUS, context=RequestContext()), None)


async def test_the_fetches_of_one_request_send_the_same_headers() -> None:
    with request_scope({"x-request-id": "mine"}):
        headers = (await context()).headers
        sent = headers()
        assert sent.keys() == {"traceparent", "x-request-id", IDENTITY_HEADER}
        assert headers() is sent
        assert (await context()).headers() is not sent


async def test_an_event_that_comes_later_is_asked_for_with_fresh_headers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline_module, "HEADERS_S", 0.01)
    headers = (await context()).headers
    sent = headers()
    await asyncio.sleep(0.02)
    assert headers() is not sent
