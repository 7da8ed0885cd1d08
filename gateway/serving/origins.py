"""Which browser origins may call us: the cross-origin rules, for the ordinary way of a request and for the straight one.

What belongs here: the policy, and what it adds to an answer. What does not: preflights, which go the ordinary way.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Final

from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware

from gateway.config import Settings
from gateway.pipeline.pipeline import CONTRACT_HEADER
from subgraphs.chassis.telemetry import REQUEST_ID_HEADER

CHOSEN_BY_ACCEPT: Final = ("vary", "accept")


class Origins:
    """The policy of these settings."""

    def __init__(self, settings: Settings) -> None:
        self._policy: dict[str, Any] = {
            "allow_origins": list(settings.cors_origins),
            "allow_methods": ["GET", "POST"],
            "allow_headers": ["authorization", "content-type", "traceparent", REQUEST_ID_HEADER, CONTRACT_HEADER]
            + [f"x-uc-{name}" for name in ("channel", "currency", "country", "location", "locale")],
            "expose_headers": [REQUEST_ID_HEADER],
            "max_age": 3600,
        }
        self.middleware = [Middleware(CORSMiddleware, **self._policy)] if settings.cors_origins else []
        self._asked = CORSMiddleware(_nowhere, **self._policy) if settings.cors_origins else None

    def headers(self, origin: str | None) -> tuple[tuple[str, str], ...]:
        """``Vary``, then whatever an answer to this origin has besides; as the middleware has it, since it is asked."""
        if self._asked is None:
            return (CHOSEN_BY_ACCEPT,)
        name, value = CHOSEN_BY_ACCEPT
        message = {"type": "http.response.start", "headers": [(name.encode(), value.encode())]}
        # It waits for nothing but the sending, which is nothing.
        with suppress(StopIteration):
            self._asked.send(message, _sent, Headers({} if origin is None else {"origin": origin})).send(None)
        found: Any = message["headers"]
        return tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in found)


async def _nowhere(scope: Any, receive: Any, send: Any) -> None:
    raise AssertionError("only asked what it would add")


async def _sent(message: Any) -> None:
    pass
