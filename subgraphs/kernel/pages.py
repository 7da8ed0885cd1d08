"""Pages of a list and the opaque cursors between them. How rows are read is the store's business, not this file's.

A cursor is the sort values of the row it stands on, signed, so that a client can neither read meaning into it nor
steer a query with one it made up. A page is asked for as *what comes after these sort values*, never by offset.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from subgraphs.kernel.clock import from_iso, iso
from subgraphs.kernel.errors import InvalidInput

T = TypeVar("T")
SortValue = str | int | float | bool | datetime | None

PAGE_SIZE_DEFAULT = 20
_TAG_BYTES = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[T]):
    """``items`` in order; cursors of the first and last of them; ``total`` only where counting is cheap."""

    items: tuple[T, ...]
    start_cursor: str | None
    end_cursor: str | None
    has_next: bool
    has_previous: bool
    total: int | None = None


def page_size(first: int | None, maximum: int = 100) -> int:
    """How many rows to read for ``first``; ``InvalidInput`` outside 1..``maximum``, never silently cut."""
    if first is None:
        return min(PAGE_SIZE_DEFAULT, maximum)
    if not 1 <= first <= maximum:
        raise InvalidInput(f"first must be between 1 and {maximum}, not {first}", path=("first",))
    return first


class CursorCodec:
    """Writes and reads cursors under one secret."""

    def __init__(self, secret: str | bytes) -> None:
        self._key = secret.encode() if isinstance(secret, str) else secret

    def encode(self, *sort_values: SortValue) -> str:
        """The cursor that stands on a row with these sort values."""
        body = json.dumps([_plain(value) for value in sort_values], separators=(",", ":")).encode()
        return base64.urlsafe_b64encode(self._tag(body) + body).decode().rstrip("=")

    def decode(self, text: str) -> tuple[SortValue, ...]:
        """The sort values ``text`` stands on; ``InvalidInput`` unless this codec's secret wrote it."""
        try:
            raw = base64.urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
        except (UnicodeEncodeError, binascii.Error):
            raise _refusal() from None
        tag, body = raw[:_TAG_BYTES], raw[_TAG_BYTES:]
        if not hmac.compare_digest(tag, self._tag(body)):
            raise _refusal()
        return tuple(_rich(value) for value in json.loads(body))

    def _tag(self, body: bytes) -> bytes:
        return hmac.new(self._key, b"cursor\0" + body, hashlib.sha256).digest()[:_TAG_BYTES]


def _plain(value: SortValue) -> Any:
    return {"t": iso(value)} if isinstance(value, datetime) else value


def _rich(value: Any) -> SortValue:
    return from_iso(value["t"]) if isinstance(value, dict) else value


def _refusal() -> InvalidInput:
    return InvalidInput("not a cursor of this list", path=("after",))
