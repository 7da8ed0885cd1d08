"""Traces go on when they come in a valid form, and begin anew when they do not."""

from __future__ import annotations

import pytest

from subgraphs.chassis.trace_context import TRACESTATE_CHARACTERS_MAX, continued

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.mark.parametrize(
    ("given", "flags"),
    [
        pytest.param(f"00-{TRACE}-{SPAN}-01", "01", id="sampled"),
        pytest.param(f"00-{TRACE}-{SPAN}-00", "00", id="not sampled"),
        pytest.param(f"00-{TRACE}-{SPAN}-03", "01", id="flags of later levels are not ours to pass on"),
        pytest.param(f"01-{TRACE}-{SPAN}-01-what-comes", "01", id="a later version with more"),
    ],
)
def test_a_valid_trace_goes_on_under_a_span_of_ours(given: str, flags: str) -> None:
    version, trace, span, sent = continued(given).parent.split("-")
    assert (version, trace, sent) == ("00", TRACE, flags)
    assert span != SPAN
    assert len(span) == 16


@pytest.mark.parametrize(
    "given",
    [
        None,
        "",
        "garbage",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01-more",
        f"00-{TRACE}-{SPAN}-1",
        f"00-{TRACE}-{SPAN}-01\n",
    ],
)
def test_without_a_valid_trace_a_new_one_begins_and_no_state_is_believed(given: str | None) -> None:
    found = continued(given, "vendor=1")
    version, trace, span, flags = found.parent.split("-")
    assert (version, len(trace), len(span), flags) == ("00", 32, 16, "01")
    assert trace != TRACE
    assert found.headers() == {"traceparent": found.parent}


def test_the_state_of_others_goes_with_its_trace_unless_it_is_too_long() -> None:
    given = f"00-{TRACE}-{SPAN}-01"
    assert continued(given, "vendor=1,other=2").headers()["tracestate"] == "vendor=1,other=2"
    assert "tracestate" not in continued(given, "a=" + "b" * TRACESTATE_CHARACTERS_MAX).headers()
