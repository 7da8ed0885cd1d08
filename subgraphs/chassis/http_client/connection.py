"""One HTTP/1.1 connection to a peer: a request goes out in one write, its reply comes back as one object.

What belongs here: the bytes of one connection, what a reply may cost, and when a connection is still good. What does not:
which connection is used and how many there are (the pool), whose request it is and what its reply means (the asker).

Theory of operation. A connection is *idle*, *asked* or *closed*. ``ask`` makes an idle one asked; the reply's last byte
makes it idle again, or closed when it is not to be used again; everything else makes it closed, for good, in the moment in
which it is known. There is no fourth state, and no way back from closed, so that nobody can be handed half a reply:

- A connection belongs to its asker only while ``_reply`` is the asker's own future. The end of a reply takes the future
  away *before* the asker runs again, and the connection may serve another by then. An asker that gives up therefore says
  which future it gives up (``abandon``), and that of a reply which is complete closes nothing.
- Whatever arrives while nobody has asked is no reply to anybody: the connection is closed.
- Only what is framed can end well. A reply with neither length nor chunks ends with the connection, by its end and not by
  its breaking; such a connection, and one with more bytes than were announced, is not used again.

All that a peer sends is bounded: what is around a body (status line, headers, the frames between two pieces of body,
trailers) to ``AROUND_BYTES_MAX``, to within one read of the socket; the number of headers; the body, also decompressed.
What we send needs no flow control of its own: a request is in memory already and is handed over as it is, there is one at a
time, and a connection that has not taken the whole of its request by the end of the reply is closed.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

AROUND_BYTES_MAX: Final = 64 * 1024
HEADERS_MAX: Final = 256
"""Headers and trailers of one reply, and of the interim replies before it."""
OTHER_BODY_BYTES_MAX: Final = 16 * 1024
"""Of a body that is of no wanted media type: enough to say what it was. The rest is not waited for."""

_ZLIB_OR_GZIP: Final = 32 + zlib.MAX_WBITS
_COMPRESSED: Final = (b"gzip", b"x-gzip", b"deflate")


class ConnectionBroken(Exception):
    """There is no reply, and there will be none."""

    def __init__(self, text: str, *, stale: bool = False) -> None:
        super().__init__(text)
        self.stale = stale
        """It had served before and broke with the next request's first bytes: most likely it had been dead by then."""


class ReplyRefused(Exception):
    """What arrives is a reply that we do not take. The text goes on after the peer's name."""


class Reply(NamedTuple):
    """A whole reply; of one that has no wanted media type the beginning."""

    status: int
    media_type: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a reply may be."""

    media_types: tuple[bytes, ...]
    """What its media type begins with."""
    body_bytes_max: int


class Connection(asyncio.Protocol):
    """Give it to ``create_connection``; then ``ask`` whenever it is idle."""

    __slots__ = (
        "_around_bytes",
        "_body",
        "_body_bytes",
        "_body_bytes_max",
        "_chunked",
        "_complete",
        "_cut",
        "_encoding",
        "_head_read",
        "_headers",
        "_keep",
        "_length",
        "_loop",
        "_media_type",
        "_on_closed",
        "_on_idle",
        "_parser",
        "_paused",
        "_reply",
        "_silent",
        "_status",
        "_transport",
        "_used",
        "_wanted",
        "closed",
        "idle_since",
    )

    def __init__(
        self, wanted: Wanted, *, on_idle: Callable[[Connection], None], on_closed: Callable[[Connection], None]
    ) -> None:
        self._wanted = wanted
        self._on_idle = on_idle
        self._on_closed = on_closed
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport
        self._parser: HttpResponseParser
        self._reply: asyncio.Future[Reply] | None = None
        self._length: int | None
        self._body: bytes | bytearray
        self._used = False
        self._paused = False
        self.closed = False
        self.idle_since = 0.0
        """By the loop's clock; the pool writes it."""

    def ask(self, request: bytes) -> asyncio.Future[Reply]:
        """Sends a whole request over a usable connection that is idle. The future may raise ConnectionBroken and
        ReplyRefused; whoever stops waiting for it calls ``abandon``."""
        assert self._reply is None, "one request at a time"
        self._reply = reply = self._loop.create_future()
        self._silent = True
        self._around_bytes = self._headers = self._body_bytes = 0
        self._body = b""
        self._complete = False
        self._expect_head()
        self._transport.write(request)
        return reply

    @property
    def usable(self) -> bool:
        """Whether it is open as far as anybody knows: the loop may have found it broken and not told us yet."""
        return not (self.closed or self._transport.is_closing())

    def abandon(self, reply: asyncio.Future[Reply]) -> None:
        """Nobody waits for this reply any more. If it is still on its way, so that the connection is half used, closes it."""
        if self._reply is reply:
            self._reply = None
            self.close()

    def close(self) -> None:
        """Closes it at once, with whatever was not sent yet. A request under way is told."""
        if self.closed:
            return
        self.closed = True
        self._transport.abort()
        self._on_closed(self)
        self._fail(ConnectionBroken("the connection was closed"))

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # create_connection gives no other
        self._parser = HttpResponseParser(self)

    def data_received(self, data: bytes) -> None:
        if self._reply is None:
            self.close()
            return
        self._silent = False
        self._around_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade) as wrong:
            if isinstance(wrong, HttpParserUpgrade) and not self._complete:
                self._fail(ReplyRefused("did not answer with JSON (HTTP status 101)."))
            elif not self._head_read:
                # Asked again it would say the same.
                self._fail(ReplyRefused(f"did not answer with HTTP: {wrong}."))
            elif not self._complete:
                self._fail(ConnectionBroken(f"its reply is no HTTP: {wrong}"))
            self._keep = False
        if self._complete:
            self._deliver()
        elif self._around_bytes > AROUND_BYTES_MAX:
            self._fail(ReplyRefused(f"sent more than {AROUND_BYTES_MAX} bytes of headers."))

    def eof_received(self) -> None:
        self._ended("it closed the connection", whole=True)

    def connection_lost(self, exc: Exception | None) -> None:
        self._ended(str(exc) if exc is not None else "the connection was closed", whole=exc is None)
        # The parser holds our methods and we hold the parser: without this only the collector would free either.
        del self._parser

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False

    # What the parser calls. It goes on to the end of its bytes, whatever is found wrong before.

    def on_message_begin(self) -> None:
        if self._complete:
            # More bytes than were announced.
            self._keep = False

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers += 1
        if self._headers > HEADERS_MAX:
            self._fail(ReplyRefused(f"sent more than {HEADERS_MAX} headers."))
        if self._head_read:
            # A trailer says nothing that would count.
            return
        name = name.lower()
        if name == b"content-type":
            self._media_type = value
        elif name == b"content-length":
            # The parser takes one, of digits, that fits into 64 bits.
            self._length = int(value)
        elif name == b"content-encoding":
            self._encoding = value.lower()
        elif name == b"transfer-encoding":
            self._chunked = True
            if value.lower() != b"chunked":
                self._fail(ReplyRefused(f"sent its reply in the transfer coding {_text(value)!r}."))

    def on_headers_complete(self) -> None:
        if self._complete:
            return
        self._status = self._parser.get_status_code()
        if self._status < 200:
            return
        self._head_read = True
        self._keep = self._parser.should_keep_alive()
        if not self._media_type.lower().startswith(self._wanted.media_types):
            self._cut = True
            self._body_bytes_max = OTHER_BODY_BYTES_MAX
        elif self._length is not None and self._length > self._body_bytes_max:
            self._fail(_too_large(self._body_bytes_max))

    def on_body(self, data: bytes) -> None:
        if self._complete:
            return
        self._around_bytes = 0
        self._body_bytes += len(data)
        if not self._body:
            # Most bodies come in one piece, and stay it.
            self._body = data
        elif isinstance(self._body, bytearray):
            # One buffer, not a list: of a body in tiny chunks the pieces would take many times its size.
            self._body += data
        else:
            self._body = bytearray(self._body) + data
        if self._body_bytes > self._body_bytes_max:
            if self._cut:
                self._complete, self._keep = True, False
            else:
                self._fail(_too_large(self._body_bytes_max))

    def on_message_complete(self) -> None:
        if self._status < 200:
            self._expect_head()
        else:
            self._complete = True

    def _expect_head(self) -> None:
        self._head_read = self._chunked = self._cut = self._keep = False
        self._status = 0
        self._media_type = self._encoding = b""
        self._length = None
        self._body_bytes_max = self._wanted.body_bytes_max

    def _deliver(self) -> None:
        reply, self._reply = self._reply, None
        if reply is None:
            return
        if self._keep and not self._paused:
            self._used = True
            self._on_idle(self)
        else:
            self.close()
        if reply.done():
            return
        body = bytes(self._body)
        if self._encoding and self._encoding != b"identity":
            try:
                body = decompressed(body, self._encoding, self._body_bytes_max, cut=self._cut)
            except ReplyRefused as refused:
                reply.set_exception(refused)
                return
        reply.set_result(Reply(self._status, _text(self._media_type), body))

    def _ended(self, how: str, *, whole: bool) -> None:
        """The peer sends nothing more: the end of a reply that only this end ends, or of all hope for it."""
        if self._reply is not None:
            if whole and self._head_read and self._length is None and not self._chunked:
                self._keep = False
                self._deliver()
            else:
                when = "before it replied" if self._silent else "in the middle of its reply"
                self._fail(ConnectionBroken(f"{how} {when}", stale=self._used and self._silent))
        self.close()

    def _fail(self, wrong: Exception) -> None:
        reply, self._reply = self._reply, None
        if reply is None:
            return
        self.close()
        if not reply.done():
            reply.set_exception(wrong)


def decompressed(body: bytes, encoding: bytes, bytes_max: int, *, cut: bool = False) -> bytes:
    """A body that came compressed, though we ask for none; of one that is cut as much as there is. Raises ReplyRefused."""
    if encoding not in _COMPRESSED:
        raise ReplyRefused(f"sent its reply in the content coding {_text(encoding)!r}, unasked.")
    inflate = zlib.decompressobj(_ZLIB_OR_GZIP)
    try:
        found = inflate.decompress(body, bytes_max + 1)
    except zlib.error:
        raise ReplyRefused("sent a compressed reply that is damaged.") from None
    if cut:
        return found
    if len(found) > bytes_max:
        raise _too_large(bytes_max)
    if not inflate.eof or inflate.unused_data:
        raise ReplyRefused("sent a compressed reply that is damaged.")
    return found


def _too_large(bytes_max: int) -> ReplyRefused:
    return ReplyRefused(f"sent more than {bytes_max} bytes.")


def _text(header: bytes) -> str:
    return header.decode("latin-1")
