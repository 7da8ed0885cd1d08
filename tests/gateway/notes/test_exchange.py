"""A request read from JSON, a response written as JSON."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gateway.errors import RequestMalformed
from gateway.exchange import GraphQLRequest, GraphQLResponse, decode, read_request


def test_a_request_may_leave_out_all_but_its_query() -> None:
    assert read_request({"query": "{ a }"}) == GraphQLRequest(query="{ a }")
    assert read_request({"query": "{ a }", "operationName": "", "variables": None, "extensions": None, "x": 1}) == (
        GraphQLRequest(query="{ a }")
    )


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ([], "object"),
        ({}, "query"),
        ({"query": "  "}, "query"),
        ({"query": 5}, "query"),
        ({"query": "{a}", "operationName": 5}, "operationName"),
        ({"query": "{a}", "variables": []}, "variables"),
        ({"query": "{a}", "extensions": "x"}, "extensions"),
    ],
)
def test_a_malformed_request_names_the_member_that_is_wrong(body: Any, named: str) -> None:
    with pytest.raises(RequestMalformed, match=named):
        read_request(body)


@pytest.mark.parametrize("text", [b"", b"{", b"\xff", "{'a': 1}", b'{"a": NaN}'])
def test_what_is_no_json_is_malformed(text: str | bytes) -> None:
    with pytest.raises(RequestMalformed):
        decode(text)


def test_a_response_has_data_exactly_when_it_was_executed() -> None:
    assert GraphQLResponse().encode() == b'{"data":null}'
    assert GraphQLResponse(errors=({"message": "no"},), has_data=False).encode() == b'{"errors":[{"message":"no"}]}'
    assert GraphQLResponse(data={"a": 1}, extensions={"x": 2}).encode() == b'{"data":{"a":1},"extensions":{"x":2}}'


def test_a_response_is_written_once_for_all_who_get_it_and_anew_when_it_is_another() -> None:
    response = GraphQLResponse(data={"a": 1})
    assert response.encode() is response.encode()
    assert replace(response, extensions={"gap": 1}).encode() == b'{"data":{"a":1},"extensions":{"gap":1}}'
