"""W3C trace context: which trace a request belongs to, as it comes in and as it goes out.

What belongs here: the headers ``traceparent`` and ``tracestate`` and nothing else. Spans are collected nowhere in this
house, so a trace is three numbers and a text that is passed on, and no tracing library is asked for them.

Reference: https://www.w3.org/TR/trace-context/ (level 1; what it says of versions to come is followed).
"""

from __future__ import annotations

import random
import re
from typing import Final, NamedTuple

TRACEPARENT_HEADER: Final = "traceparent"
TRACESTATE_HEADER: Final = "tracestate"

TRACESTATE_CHARACTERS_MAX: Final = 512
"""What the specification asks everybody to pass on at least (section 3.3.1.5); a longer one is dropped whole."""

_FORM: Final = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_SAMPLED: Final = 1


class Trace(NamedTuple):
    """The place of one request in a trace."""

    parent: str
    """The value of ``traceparent`` for whoever is called: our own span."""
    state: str = ""

    def headers(self) -> dict[str, str]:
        """For a request that belongs to this one."""
        if self.state:
            return {TRACEPARENT_HEADER: self.parent, TRACESTATE_HEADER: self.state}
        return {TRACEPARENT_HEADER: self.parent}


def continued(parent: str | None, state: str | None = None) -> Trace:
    """A new span of the caller's trace, or of a new one where the caller has none or names it in no valid form."""
    if parent:
        trace, flags = _read(parent)
        if trace:
            kept = state if state and len(state) <= TRACESTATE_CHARACTERS_MAX else ""
            return Trace(f"00-{trace}-{random.getrandbits(64) or 1:016x}-{flags & _SAMPLED:02x}", kept)
    # Neither number may be zero, hence a bit of each that is never.
    both = f"{random.getrandbits(192) | 1 << 64 | 1:048x}"
    return Trace(f"00-{both[:32]}-{both[32:]}-01")


def _read(parent: str) -> tuple[str, int]:
    found = _FORM.fullmatch(parent)
    if found is None:
        return "", 0
    version, trace, span, flags, more = found.groups()
    if version == "ff" or (version == "00" and more) or not trace.strip("0") or not span.strip("0"):
        return "", 0
    return trace, int(flags, 16)
