"""One JSON line in, one out."""

from __future__ import annotations

import json

from gateway.planning.report import plan_jsonl_line
from tests.gateway.planning.small_worlds import sdl_of


def answer(**request: object) -> dict[str, object]:
    found: dict[str, object] = json.loads(plan_jsonl_line(json.dumps(request)))
    return found


def test_the_size_of_a_plan_is_reported() -> None:
    query = '{ product(id: "1") { inStock } }'
    assert answer(supergraph=sdl_of("store"), query=query) == {"ok": True, "fetch_count": 2, "depth": 2}


def test_the_operation_is_chosen_by_name() -> None:
    query = "query A { me { id } } query B { __typename }"
    assert answer(supergraph=sdl_of("store"), query=query, operationName="B")["fetch_count"] == 0
    assert answer(supergraph=sdl_of("store"), query=query)["ok"] is False


def test_what_is_wrong_is_said_in_the_answer() -> None:
    assert "SupergraphInvalid" in str(answer(supergraph="type Query { a: Int }", query="{ a }")["error"])
    assert "GraphQLSyntaxError" in str(answer(supergraph=sdl_of("store"), query="{")["error"])
    assert json.loads(plan_jsonl_line("nonsense"))["ok"] is False
