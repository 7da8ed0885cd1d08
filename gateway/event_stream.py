"""Server-Sent Events: parse and render; multipart: render. Bytes in, bytes out; no sockets, no JSON, no media types.

Frames follow the WHATWG event stream format, parts RFC 2046, section 5.1.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

FRAME_BYTES_MAX: Final = 32_000_000
"""A frame that has not ended by then is given up: a stream that never breaks a line would fill the memory."""


@dataclass(frozen=True, slots=True)
class Event:
    """One dispatched event. ``type`` is ``message`` where the stream names none; ``data`` has its lines joined by LF."""

    type: str
    data: bytes
    id: str | None = None


class FrameTooLarge(Exception):
    """The stream sent more than the allowed bytes without ending a frame."""


def render_event(event: str, data: bytes, *, id: str | None = None) -> bytes:
    """One frame. Data with line breaks becomes several ``data`` lines; the id must have none."""
    head = b"event: " + event.encode() + b"\n"
    if id is not None:
        assert "\n" not in id, "an event's id is one line"
        assert "\r" not in id, "an event's id is one line"
        head += b"id: " + id.encode() + b"\n"
    lines = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
    return head + b"".join(b"data: " + line + b"\n" if line else b"data:\n" for line in lines) + b"\n"


def render_comment(text: str = "") -> bytes:
    """A line every reader ignores: it keeps an idle connection open."""
    return b":" + text.encode() + b"\n\n"


def render_part(data: bytes, boundary: str, *, first: bool = False, last: bool = False) -> bytes:
    """One part of JSON with the delimiter after it: a reader knows that a part is whole by what follows."""
    head = b"--" + boundary.encode() if first else b""
    end = b"\r\n--" + boundary.encode() + (b"--\r\n" if last else b"")
    return head + b"\r\nContent-Type: application/json; charset=utf-8\r\n\r\n" + data + end


class EventParser:
    """Feeds on chunks as they come off the wire, cut anywhere; yields whole events.

    A line ends with LF, CRLF or CR. A comment yields nothing. A frame that has a type and no data is an event, which it
    is not in a browser: GraphQL servers end with a bare ``event: complete``. An ``id`` holds for the events after it,
    too, until another comes.
    """

    def __init__(self, frame_bytes_max: int = FRAME_BYTES_MAX) -> None:
        self._max = frame_bytes_max
        self._rest = b""
        self._size = 0
        self._type = ""
        self._data: list[bytes] = []
        self._id: str | None = None
        self._started = False
        self._after_cr = False

    def feed(self, chunk: bytes) -> Iterator[Event]:
        """The events this chunk completes. Raises ``FrameTooLarge`` where a frame outgrows its limit."""
        for line in self._lines(chunk):
            event = self._line(line)
            if event is not None:
                yield event
        if self._size + len(self._rest) > self._max:
            raise FrameTooLarge(f"more than {self._max} bytes without the end of a frame")

    def _lines(self, chunk: bytes) -> Iterator[bytes]:
        if self._after_cr and chunk:
            # The LF of a CRLF that was cut in two ends no second line.
            self._after_cr = False
            if chunk.startswith(b"\n"):
                chunk = chunk[1:]
        if chunk.endswith(b"\r"):
            self._after_cr = True
        lines = (self._rest + chunk).replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        self._rest = lines.pop()
        if not self._started and lines:
            self._started = True
            lines[0] = lines[0].removeprefix(b"\xef\xbb\xbf")
        yield from lines

    def _line(self, line: bytes) -> Event | None:
        if not line:
            return self._dispatch()
        self._size += len(line)
        if self._size > self._max:
            raise FrameTooLarge(f"more than {self._max} bytes without the end of a frame")
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        match name:
            case b"event":
                self._type = value.decode(errors="replace")
            case b"data":
                self._data.append(value)
            case b"id" if b"\0" not in value:
                self._id = value.decode(errors="replace")
        return None

    def _dispatch(self) -> Event | None:
        given = self._data or self._type
        event = Event(self._type or "message", b"\n".join(self._data), self._id) if given else None
        self._type, self._data, self._size = "", [], 0
        return event
