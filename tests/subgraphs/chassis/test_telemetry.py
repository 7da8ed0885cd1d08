"""Request ids and traces go through; logs are one format and never show local variables."""

from __future__ import annotations

import contextvars
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from subgraphs.chassis.telemetry import (
    RequestsTold,
    RequestTelemetry,
    configure_logging,
    logger,
    note,
    outgoing_headers,
    request_id,
    request_scope,
    traceparent,
)

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def test_a_trace_goes_on_under_a_new_span_and_the_request_id_with_it() -> None:
    incoming = {"x-request-id": "r-1", "traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}
    with request_scope(incoming):
        outgoing = outgoing_headers()
        assert traceparent() == outgoing["traceparent"]
    assert outgoing["x-request-id"] == "r-1"
    version, trace, span, _ = outgoing["traceparent"].split("-")
    assert (version, trace) == ("00", TRACE)
    assert span != "00f067aa0ba902b7"


def test_a_request_without_either_gets_both() -> None:
    with request_scope({"traceparent": "garbage"}) as identity:
        assert request_id() == identity
        assert len(outgoing_headers()["traceparent"].split("-")[1]) == 32
    assert request_id() is None


def test_what_a_task_notes_is_in_its_own_lines_alone(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("json", "INFO", "gateway")
    with request_scope({}):
        note(operation="A")
        contextvars.copy_context().run(note, operation="B", kind="query")
        logger("x").info("in a request")
    logger("x").info("after it")
    inside, after = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert inside["operation"] == "A"
    assert "kind" not in inside
    assert "operation" not in after


def test_what_json_cannot_say_is_still_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("json", "INFO", "gateway")
    logger("x").info("odd", number=2**70, half="\ud800", thing={1})
    said = json.loads(capsys.readouterr().err)
    assert (said["number"], said["half"], said["thing"]) == (2**70, "\ud800", "{1}")


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    """What a test configures is undone after it."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    structlog.reset_defaults()
    root.handlers = handlers
    root.setLevel(level)


@pytest.mark.parametrize("format", ["json", "console"])
def test_tracebacks_do_not_show_what_variables_held(capsys: pytest.CaptureFixture[str], format: Any) -> None:
    configure_logging(format, "INFO", "catalog")
    card_number = "4111" * 4
    try:
        raise ValueError(f"length {len(card_number)}")
    except ValueError:
        structlog.stdlib.get_logger("x").exception("it failed")
    said = capsys.readouterr().err
    assert "length 16" in said
    assert card_number not in said


def test_lines_are_json_with_the_service_whoever_writes_them(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("json", "INFO", "catalog")
    logger("ours").info("sold", sku="A")
    logging.getLogger("theirs").warning("slow %s", "query")
    logging.getLogger("httpx").info("chatter")
    ours, theirs = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert (ours["event"], ours["sku"], ours["service"], ours["level"]) == ("sold", "A", "catalog", "info")
    assert (theirs["event"], theirs["service"], theirs["level"]) == ("slow query", "catalog", "warning")


async def test_a_request_is_one_line_even_when_it_fails() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise RuntimeError("bug")

    async def nothing(*_: Any) -> Any:
        return {}

    scope = {"type": "http", "method": "POST", "path": "/graphql", "headers": []}
    with structlog.testing.capture_logs() as said, pytest.raises(RuntimeError):
        await RequestTelemetry(app, RequestsTold("catalog"))(scope, nothing, nothing)
    assert [(line["event"], line["status"], line["path"]) for line in said] == [("request", 500, "/graphql")]
