"""What stands before the body of a request: the part that is always the same as bytes, and one request's own headers as lines.

Pure. What does not belong here: sending it. A URL with anything in it that would have to be rewritten before it can be sent
(another alphabet, a space, an IPv6 zone) is not ours to read; neither is any scheme but ``http``.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final
from urllib.parse import unquote_to_bytes

HTTP_PORT: Final = 80
NAMES_REMEMBERED_MAX: Final = 256
"""Header names, of which there are few."""

_PATH: Final = r"[A-Za-z0-9\-._~!$&'()*+,;=:@%/]*"
_URL: Final = re.compile(
    r"http://(?:(?P<userinfo>[A-Za-z0-9\-._~!$&'()*+,;=:%]*)@)?"
    r"(?:(?P<name>[A-Za-z0-9\-._]+)|\[(?P<ipv6>[0-9A-Fa-f:.]+)\])"
    r"(?::(?P<port>[0-9]{0,5}))?"
    rf"(?P<path>/{_PATH})?(?P<query>\?{_PATH[:-2]}?]*)?(?:\#.*)?",
    re.IGNORECASE,
)
_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+\-.^_`|~]+")
_VALUE: Final = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_FRAMING: Final = frozenset({"host", "content-length", "transfer-encoding", "connection", "expect", "upgrade", "te"})
"""Set by whoever frames the request; one of another value would make the peer read it otherwise than it was meant."""


@dataclass(frozen=True, slots=True)
class Target:
    """An ``http`` URL, read."""

    host: str
    """As the resolver takes it: without the brackets of an IPv6 address."""
    port: int
    head: bytes
    """Request line and the headers that every request has; what is of one request follows."""


def read_url(url: str, headers: Mapping[str, str]) -> Target | None:
    """Where a POST to this URL goes and what it begins with, or None if the URL is not ours to read."""
    found = _URL.fullmatch(url)
    if found is None:
        return None
    port = int(found["port"] or HTTP_PORT)
    if not 0 < port < 65_536:
        return None
    host = (found["name"] or found["ipv6"]).lower()
    authority = (host if found["name"] else f"[{host}]") + ("" if port == HTTP_PORT else f":{port}")
    lines = [f"POST {found['path'] or '/'}{found['query'] or ''} HTTP/1.1\r\nhost: {authority}\r\n".encode("ascii")]
    if found["userinfo"]:
        user, _, password = found["userinfo"].partition(":")
        pair = unquote_to_bytes(user) + b":" + unquote_to_bytes(password)
        lines.append(b"authorization: Basic %b\r\n" % b64encode(pair))
    return Target(host, port, b"".join(lines) + header_lines(headers))


def header_lines(headers: Mapping[str, str]) -> bytes:
    """Raises ValueError for what is no header, above all a value that would end its line and begin another."""
    return b"".join([_line(name, value) for name, value in headers.items()])


def _line(name: str, value: str) -> bytes:
    # What is printable ASCII is most quickly known to be a value, and nearly all are.
    plain = value.isascii() and value.isprintable()
    if not _may_be_said(name) or not (plain or _VALUE.fullmatch(value)):
        # Neither is shown: a value may be a secret.
        raise ValueError("a header that cannot be sent")
    return f"{name}: {value}\r\n".encode("latin-1")


@lru_cache(maxsize=NAMES_REMEMBERED_MAX)
def _may_be_said(name: str) -> bool:
    return _NAME.fullmatch(name) is not None and name.lower() not in _FRAMING
