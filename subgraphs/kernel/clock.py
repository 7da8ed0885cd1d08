"""The time, as something that is handed in. Every instant in the house is aware, UTC, and cut to milliseconds.

Milliseconds because that is what MongoDB stores: an instant read back equals the one that was written.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Tells the current instant: aware, UTC, millisecond precision."""

    def now(self) -> datetime: ...


def to_ms(at: datetime) -> datetime:
    """``at`` in UTC, cut (not rounded) to whole milliseconds; a naive datetime is a bug."""
    assert at.tzinfo is not None, "an instant needs a time zone"
    at = at.astimezone(UTC)
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


def iso(at: datetime) -> str:
    """RFC 3339 text with exactly three decimals and ``Z``; texts sort as their instants do."""
    assert at.tzinfo is not None, "an instant needs a time zone"
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def from_iso(text: str) -> datetime:
    """The instant an RFC 3339 text names, in UTC; ``ValueError`` when it has no offset or is no instant."""
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError(f"an instant needs an offset: {text!r}")
    return to_ms(at)


class SystemClock:
    """The machine's clock, or one that is ``offset`` ahead of it."""

    def __init__(self, offset: timedelta = timedelta()) -> None:
        self._offset = offset

    def now(self) -> datetime:
        return to_ms(datetime.now(UTC) + self._offset)


class FixedClock:
    """A clock that moves only when told to: for seed data and for decisions under test."""

    def __init__(self, at: datetime) -> None:
        self._at = to_ms(at)

    def now(self) -> datetime:
        return self._at

    def advance(self, seconds: float) -> None:
        """Moves forward by ``seconds``; time never runs backwards."""
        assert seconds >= 0
        self._at = to_ms(self._at + timedelta(seconds=seconds))
