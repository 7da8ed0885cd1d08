"""Cursors carry sort values, signed; page sizes are refused rather than cut."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subgraphs.kernel.errors import InvalidInput
from subgraphs.kernel.pages import CursorCodec, SortValue, page_size

codec = CursorCodec("a secret of the service")
instants = st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1)).map(  # noqa: DTZ001
    lambda at: at.replace(tzinfo=UTC, microsecond=at.microsecond // 1000 * 1000)
)
values = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**60), 2**60), st.text(), st.floats(allow_nan=False), instants
)


@given(st.lists(values, max_size=4))
def test_what_was_encoded_is_decoded(sort_values: list[SortValue]) -> None:
    assert codec.decode(codec.encode(*sort_values)) == tuple(sort_values)


@pytest.mark.parametrize("text", ["", "abc", "é", "====", "A" * 40])
def test_a_made_up_cursor_is_invalid_input(text: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        codec.decode(text)
    assert refused.value.path == ("after",)


def test_another_secret_does_not_open_a_cursor() -> None:
    with pytest.raises(InvalidInput):
        CursorCodec("another").decode(codec.encode("SKU-1"))


def test_a_changed_cursor_is_refused() -> None:
    cursor = codec.encode("SKU-1", 5)
    changed = cursor[:-1] + ("A" if cursor[-1] != "A" else "B")
    with pytest.raises(InvalidInput):
        codec.decode(changed)


def test_page_sizes_have_a_default_and_two_ends() -> None:
    assert page_size(None) == 20
    assert page_size(None, maximum=5) == 5
    assert page_size(100) == 100
    for wrong in (0, -1, 101):
        with pytest.raises(InvalidInput, match="between 1 and 100"):
            page_size(wrong)
