"""Instants: aware, UTC, milliseconds, and texts that sort as they do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from subgraphs.kernel.clock import FixedClock, SystemClock, from_iso, iso

NOON = datetime(2026, 3, 1, 12, 0, 0, 123_999, UTC)


def test_now_is_utc_and_has_no_microseconds() -> None:
    now = SystemClock().now()
    assert now.tzinfo is UTC
    assert now.microsecond % 1000 == 0


def test_a_clock_may_be_set_apart_from_the_machines() -> None:
    before = SystemClock().now()
    late = SystemClock(timedelta(seconds=-40)).now()
    assert timedelta(seconds=-40) <= late - before < timedelta(seconds=-30)


def test_text_and_back_is_the_same_instant() -> None:
    assert iso(NOON) == "2026-03-01T12:00:00.123Z"
    assert from_iso(iso(NOON)) == FixedClock(NOON).now()


def test_offsets_are_brought_to_utc() -> None:
    assert iso(NOON.astimezone(timezone(timedelta(hours=5, minutes=30)))) == iso(NOON)


def test_an_instant_without_offset_is_no_instant() -> None:
    with pytest.raises(ValueError, match="offset"):
        from_iso("2026-03-01T12:00:00")


def test_a_fixed_clock_moves_only_when_told() -> None:
    clock = FixedClock(NOON)
    first = clock.now()
    assert clock.now() == first
    clock.advance(1.5)
    assert clock.now() - first == timedelta(seconds=1.5)
