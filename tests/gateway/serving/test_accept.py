"""Which media type an ``Accept`` header gets."""

import pytest

from gateway.errors import MediaTypeNotAcceptable
from gateway.serving.http import EVENT_STREAM, GRAPHQL_RESPONSE, JSON, accepted


@pytest.mark.parametrize(
    ("header", "chosen"),
    [
        (None, GRAPHQL_RESPONSE),
        ("", GRAPHQL_RESPONSE),
        ("*/*", GRAPHQL_RESPONSE),
        ("application/*", GRAPHQL_RESPONSE),
        ("application/json", JSON),
        ("application/json; charset=utf-8", JSON),
        ("APPLICATION/JSON", JSON),
        ("application/graphql-response+json, application/json;q=0.9", GRAPHQL_RESPONSE),
        ("application/json, application/graphql-response+json", GRAPHQL_RESPONSE),
        ("application/graphql-response+json;q=0.5, application/json", JSON),
        ("text/event-stream", EVENT_STREAM),
        ("text/*", EVENT_STREAM),
        ("*/*, application/graphql-response+json;q=0", JSON),
        ("text/html, application/xhtml+xml, */*;q=0.8", GRAPHQL_RESPONSE),
        ("text/event-stream, application/json;q=0.5", EVENT_STREAM),
    ],
)
def test_the_best_of_ours_is_chosen(header: str | None, chosen: str) -> None:
    assert accepted(header) == chosen


@pytest.mark.parametrize("header", ["text/html", "image/*", "application/json;q=0", "nonsense", "application/json;q=x"])
def test_what_we_cannot_answer_with_is_refused(header: str) -> None:
    with pytest.raises(MediaTypeNotAcceptable):
        accepted(header)
