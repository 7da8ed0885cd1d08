"""What another room serves is loaded when it is first asked for, once, and its failure is its own."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from starlette.responses import PlainTextResponse

from gateway.serving.late import Late
from gateway.serving.server import Extension
from tests.kit.running_gateway import running_gateway


class Endpoint:
    def __init__(self, told: list[str]) -> None:
        self.app = PlainTextResponse("here")
        self._told = told

    @asynccontextmanager
    async def lifespan(self) -> AsyncIterator[None]:
        entered_by = asyncio.current_task()
        self._told.append("entered")
        try:
            yield
        finally:
            self._told.append("left" if asyncio.current_task() is entered_by else "left by another")


def extend_with(load: Callable[[], Any]) -> Callable[..., Extension]:
    def extend(*_: Any) -> Extension:
        late = Late("/late", ["POST"], load)
        return Extension((late.route,), late.lifespan())

    return extend


async def test_it_is_loaded_once_by_whoever_comes_first_and_left_at_the_end() -> None:
    told: list[str] = []

    def load() -> Callable[[], Endpoint]:
        told.append("loaded")
        return lambda: Endpoint(told)

    async with running_gateway(extend=extend_with(load)) as shop:
        assert (await shop.http.get("/late")).status_code == 405
        assert told == []
        answers = await asyncio.gather(*(shop.http.post("/late") for _ in range(5)))
        assert [answer.text for answer in answers] == ["here"] * 5
        assert told == ["loaded", "entered"]
    assert told == ["loaded", "entered", "left"]


async def test_what_nobody_asks_for_is_never_loaded() -> None:
    def load() -> Any:
        raise AssertionError

    async with running_gateway(extend=extend_with(load)) as shop:
        assert (await shop.post("{ __typename }")).status_code == 200


async def test_what_cannot_be_loaded_is_not_available_and_the_rest_is() -> None:
    def load() -> Any:
        raise ImportError("half an installation")

    async with running_gateway(extend=extend_with(load)) as shop:
        for _ in range(2):
            assert (await shop.http.post("/late")).status_code == 503
        assert (await shop.post("{ __typename }")).status_code == 200


@pytest.mark.parametrize("library", ["mcp", "mcp_types", "httpx", "jwt", "cryptography"])
def test_a_gateway_does_not_start_with_what_only_some_need(library: str) -> None:
    code = f"import gateway.serving.server, sys; sys.exit({library!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[3]).returncode == 0
