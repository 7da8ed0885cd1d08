"""HTTP with bounds on what comes before and around a body: how large it may be, and how long it may take.

The server's own protocol keeps whatever request line, headers and trailers a client sends, for as long as it sends
them; a few connections could take all memory, or sit there for ever. Here everything of a request that is not its body
is counted together, and a head must arrive in time. What does not belong here: bodies, which the applications bound.
"""

from __future__ import annotations

import asyncio
from typing import Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_BYTES_MAX: Final = 64 * 1024
"""Request line, headers, chunk frames and trailers of one request, to within one read of the socket."""
HEAD_S_MAX: Final = 10.0
"""From the connection, or a request's first byte, to the end of its headers."""
IDLE_S: Final = 75
"""A connection without a request is closed after that. Longer than clients keep theirs (httpx: 5 s, browsers and proxies up to
a minute): who closes first cannot close while the other is sending."""

_TOO_LARGE: Final = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
)  # fmt: skip


class BoundedHttp(HttpToolsProtocol):
    """One connection; give the class to uvicorn as ``http``."""

    _around_body_bytes = 0
    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn has it
        super().connection_made(transport)
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_arrived()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._around_body_bytes += len(data)
        super().data_received(data)
        if self._around_body_bytes > HEAD_BYTES_MAX and not self.transport.is_closing():
            # Once an answer has begun there is no other to give.
            if self.cycle is None or self.cycle.response_complete:
                self.transport.write(_TOO_LARGE)
            self.transport.close()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._around_body_bytes = 0
        self._expect_head()

    def on_headers_complete(self) -> None:
        self._head_arrived()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._around_body_bytes -= len(body)
        super().on_body(body)

    def _expect_head(self) -> None:
        self._head_arrived()
        self._head_timer = self.loop.call_later(HEAD_S_MAX, self._give_up)

    def _give_up(self) -> None:
        if not self.transport.is_closing():
            self.transport.close()

    def _head_arrived(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
