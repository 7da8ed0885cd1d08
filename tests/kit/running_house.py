"""A whole house for tests of any event loop: it lives on a loop and thread of its own, for the length of the session."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

from gateway.local.client import HouseClient
from gateway.local.house import House, HouseSettings, ephemeral_ports

ROOT = Path(__file__).parents[2]
START_DEADLINE_S = 120.0

STAFF_SCOPES = (
    *("inventory:read", "inventory:write", "pos:write", "orders:read", "customers:read", "loyalty:read"),
    *("fulfilment:read", "fulfilment:write", "returns:write", "refunds:write"),
)
CONTEXT = {"channel": "web-eu", "currency": "EUR", "country": "DE"}
WHERE = {"channel": "web-eu", "near": {"lat": 52.52, "lng": 13.405}, "withinKm": 2000}

T = TypeVar("T")


class RunningHouse:
    def __init__(self, data_directory: Path) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="house", daemon=True)
        self.house = House(
            HouseSettings(
                data_directory=data_directory,
                supergraph=ROOT / "schema" / "supergraph.graphql",
                ports=ephemeral_ports(),
                mongodb_uri=os.environ.get("MONGODB_URI"),
                database_prefix=f"galleria_test_{os.getpid()}_",
                scale="tiny",
                restart=False,
                drop_at_end="MONGODB_URI" in os.environ,
            )
        )

    def start(self) -> None:
        self._thread.start()
        self.call(self.house.__aenter__())

    def stop(self) -> None:
        self.call(self.house.__aexit__(None, None, None))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Run on the house's loop and wait for it."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(START_DEADLINE_S)

    def client(self) -> HouseClient:
        """A client for the loop of whoever asks."""
        return HouseClient(self.house.gateway_url, ROOT / "schema" / "operations")
