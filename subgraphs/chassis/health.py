"""Whether the process is up (``/health``) and whether it can do its work (``/ready``). The checks come from outside."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

Check = Callable[[], Awaitable[bool]]
CHECK_TIMEOUT_S = 2.0


class Health:
    """The checks of one process. A check answers True, or False, or raises, or takes too long."""

    def __init__(self, service: str) -> None:
        self._service = service
        self._checks: dict[str, Check] = {}

    def check(self, name: str, check: Check) -> None:
        """Adds a thing that must be well before requests should come."""
        self._checks[name] = check

    async def health(self, _: Request) -> Response:
        """200 as long as the process answers at all."""
        return JSONResponse({"status": "up", "service": self._service})

    async def ready(self, _: Request) -> Response:
        """200 when every check passes, else 503; each check by name."""
        results = {name: await _passes(check) for name, check in self._checks.items()}
        well = bool(results) and all(results.values())
        body = {"status": "ready" if well else "not ready", "service": self._service, "checks": results}
        return JSONResponse(body, status_code=200 if well else 503)


async def _passes(check: Check) -> bool:
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_S):
            return await check()
    except Exception:  # noqa: BLE001 - a check that raises is a check that fails
        return False
