"""Frames: what is rendered is read back, however the wire cuts it."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.event_stream import (
    Event,
    EventParser,
    FrameTooLarge,
    render_comment,
    render_event,
)

LINES = st.binary(max_size=20).map(lambda data: data.replace(b"\r", b"").replace(b"\n", b""))


def cut(whole: bytes, at: list[int]) -> list[bytes]:
    edges = [0, *sorted(each % (len(whole) + 1) for each in at), len(whole)]
    return [whole[start:end] for start, end in pairwise(edges)]


def exhaust(parser: EventParser, chunks: list[bytes]) -> None:
    for chunk in chunks:
        list(parser.feed(chunk))


@given(payloads=st.lists(st.lists(LINES, min_size=1, max_size=3).map(b"\n".join)), at=st.lists(st.integers(0)))
def test_events_are_read_as_they_were_rendered_however_they_are_cut(payloads: list[bytes], at: list[int]) -> None:
    whole = b"".join(render_event("next", each, id="7") + render_comment("still here") for each in payloads)
    parser = EventParser()
    found = [event for chunk in cut(whole, at) for event in parser.feed(chunk)]
    assert found == [Event("next", each, "7") for each in payloads]


@pytest.mark.parametrize("newline", [b"\n", b"\r\n", b"\r"])
def test_every_kind_of_line_end_counts_even_when_cut_in_two(newline: bytes) -> None:
    whole = newline.join([b"event: next", b"data: a", b"data:b", b"", b"data: c", b"", b""])
    for at in range(len(whole)):
        parser = EventParser()
        found = [*parser.feed(whole[:at]), *parser.feed(whole[at:])]
        assert found == [Event("next", b"a\nb"), Event("message", b"c")]


def test_comments_unknown_fields_and_a_byte_order_mark_say_nothing() -> None:
    assert list(EventParser().feed(b"\xef\xbb\xbf: hi\nretry: 5\nother\ndata: x\n\n\n\n")) == [Event("message", b"x")]


def test_a_bare_complete_is_an_event() -> None:
    assert list(EventParser().feed(b"event: complete\n\n")) == [Event("complete", b"")]


def test_an_id_holds_until_another_comes() -> None:
    found = list(EventParser().feed(b"id: 1\ndata: a\n\ndata: b\n\nid: 2\ndata: c\n\n"))
    assert [each.id for each in found] == ["1", "1", "2"]


@pytest.mark.parametrize("chunk", [b"data: xxxxxxxxxx", b"data: x\n"])
def test_a_frame_that_never_ends_is_given_up(chunk: bytes) -> None:
    parser = EventParser(frame_bytes_max=100)
    with pytest.raises(FrameTooLarge):
        exhaust(parser, [chunk] * 30)
