"""Another room's endpoint that is loaded when it is first asked for, because loading it takes longer than our own start.

What belongs here: loading it once, beside the event loop, and keeping it alive until the server stops. What does not: what
it answers, and whether it can be loaded at all, which its room finds out before anything is served.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Protocol

from starlette.responses import PlainTextResponse
from starlette.routing import Route

from subgraphs.chassis.telemetry import Asgi, Receive, Scope, Send, logger

_log = logger("late")


class Endpoint(Protocol):
    """What there is once it is loaded."""

    @property
    def app(self) -> Asgi: ...

    def lifespan(self) -> AbstractAsyncContextManager[Any]:
        """What must be running around it."""


class Late:
    """An endpoint at this path, for these methods. ``load`` imports, in a thread, and gives what makes the endpoint."""

    def __init__(self, path: str, methods: list[str], load: Callable[[], Callable[[], Endpoint]]) -> None:
        self.route = Route(path, self, methods=methods)
        self._load = load
        self._wanted = asyncio.Event()
        self._found: asyncio.Future[Endpoint | None] = asyncio.get_running_loop().create_future()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._wanted.set()
        endpoint = await asyncio.shield(self._found)
        await (endpoint.app if endpoint is not None else _UNAVAILABLE)(scope, receive, send)

    @asynccontextmanager
    async def lifespan(self) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as tasks:
            keeping = tasks.create_task(self._keep())
            try:
                yield
            finally:
                keeping.cancel()

    async def _keep(self) -> None:
        await self._wanted.wait()
        try:
            endpoint = (await asyncio.to_thread(self._load))()
        except Exception:  # noqa: BLE001  a broken installation is no reason to end
            # The rest of the gateway is as good as it was.
            _log.exception("endpoint cannot be loaded", path=self.route.path)
            self._found.set_result(None)
            return
        # Entered and left by one task, as what is in it may ask.
        async with endpoint.lifespan():
            self._found.set_result(endpoint)
            await asyncio.Event().wait()


_UNAVAILABLE = PlainTextResponse("Not available.\n", 503)
