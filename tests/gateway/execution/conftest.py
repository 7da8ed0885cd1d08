"""``way``: a test that uses it runs twice, with plans interpreted, and with all plans compiled that can be.

What talks to sockets by itself is tested on both loops: the one the gateway serves on, and Python's own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import pytest
import uvloop

_ON_BOTH = ("test_connection", "test_pool")


@pytest.fixture(params=[0, 1], ids=["interpreted", "compiled"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GALLERIA_COMPILE_AFTER", str(request.param))


def pytest_asyncio_loop_factories(item: pytest.Item) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    asyncios = {"asyncio": asyncio.new_event_loop}
    return asyncios | {"uvloop": uvloop.new_event_loop} if item.path.stem in _ON_BOTH else asyncios
