"""A circuit breaker: a subgraph that keeps failing is left alone for a moment, so that its callers fail fast.

A decision and nothing else; the transport tells it what happened and what time it is. The pause is short, because a
subgraph that was started again should be seen again by the next page, not by the next minute.
"""

from __future__ import annotations

from typing import Final

FAILURES_MAX: Final = 5
"""Failures in a row that open the circuit."""
PAUSE_S: Final = 1.0
"""How long it stays open; then one request may try, and its outcome decides."""


class Circuit:
    """Of one subgraph's address."""

    __slots__ = ("_closed_again_at", "_failures")

    def __init__(self) -> None:
        self._failures = 0
        self._closed_again_at = 0.0

    def allows(self, now: float) -> bool:
        """Whether a request may be sent. The one that is let through after a pause starts the next pause."""
        if self._failures < FAILURES_MAX:
            return True
        if now < self._closed_again_at:
            return False
        self._closed_again_at = now + PAUSE_S
        return True

    def answered(self) -> None:
        """It is there, whatever it said."""
        self._failures = 0

    def failed(self, now: float) -> None:
        self._failures += 1
        self._closed_again_at = now + PAUSE_S
