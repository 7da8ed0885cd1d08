"""The forms the command line prints."""

from __future__ import annotations

import json

from gateway.composition.report import compose_json, compose_jsonl_line


def test_success_is_one_line_with_supergraph_and_api() -> None:
    answer = compose_jsonl_line(json.dumps({"subgraphs": [{"name": "a", "sdl": "type Query { x: Int }"}]}))
    assert "\n" not in answer
    parsed = json.loads(answer)
    assert parsed["ok"] is True
    assert "join__Graph" in parsed["supergraph"]
    assert parsed["api_schema_sdl"] == "type Query {\n  x: Int\n}\n"
    assert parsed["hints"] == []


def test_failure_lists_codes_and_messages() -> None:
    parsed = json.loads(compose_jsonl_line(json.dumps({"subgraphs": [{"name": "a", "sdl": "type T { x: Int }"}]})))
    assert parsed["ok"] is False
    assert [error["code"] for error in parsed["errors"]] == ["NO_QUERIES"]


def test_a_payload_may_name_each_subgraphs_url() -> None:
    payload = {"subgraphs": [{"name": "a", "sdl": "type Query { x: Int }", "url": "http://a.test/graphql"}]}
    answer = compose_json(payload)
    assert 'url: "http://a.test/graphql"' in answer["supergraph"]
    assert answer["errors"] == []
