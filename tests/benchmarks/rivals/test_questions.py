"""What counts as the answer: the data, in the order of the selection, without errors, and with the request's own number."""

from __future__ import annotations

import orjson
import pytest

from tests.benchmarks.rivals.questions import Question, WrongAnswer
from tests.benchmarks.rivals.subgraphs import Subgraph
from tests.benchmarks.rivals.world import OPERATIONS, PLACEHOLDER, SUBGRAPHS, Operation

BY_NAME = {operation.name: operation for operation in OPERATIONS}


async def question(operation: Operation) -> tuple[Question, bytes]:
    answer = await operation.answer()
    return Question(operation, answer), orjson.dumps(answer)


async def test_the_answer_is_the_answer_however_it_ends() -> None:
    asked, answer = await question(BY_NAME["tiny"])
    asked.check(answer, b"")
    asked.check(answer + b"\n", b"")


@pytest.mark.parametrize(
    "reply",
    [
        b"",
        b"<h1>It works!</h1>",
        b'{"data":{"product":{"name":"another"}}}',
        b'{"data":{"product":{"name":"Product number 1"}},"errors":[{"message":"no"}]}',
    ],
)
async def test_anything_else_is_not(reply: bytes) -> None:
    asked, _ = await question(BY_NAME["tiny"])
    with pytest.raises(WrongAnswer):
        asked.check(reply, b"")


async def test_fields_in_another_order_are_another_answer() -> None:
    asked, answer = await question(BY_NAME["medium"])
    backwards = orjson.loads(answer)
    backwards["data"]["topProducts"][0] = dict(reversed(backwards["data"]["topProducts"][0].items()))
    with pytest.raises(WrongAnswer):
        asked.check(orjson.dumps(backwards), b"")


@pytest.mark.parametrize("name", ["cold plan", "unique variables"])
async def test_each_request_has_a_number_of_its_own_and_wants_it_back(name: str) -> None:
    asked, answer = await question(BY_NAME[name])
    (first, number), (second, other) = asked.next(), asked.next()
    assert first != second
    assert number in first
    asked.check(answer.replace(PLACEHOLDER.encode(), number), number)
    with pytest.raises(WrongAnswer):
        asked.check(answer.replace(PLACEHOLDER.encode(), number), other)


def test_a_subgraph_answers_by_its_own_fields_and_from_what_it_was_given() -> None:
    inventory = Subgraph(SUBGRAPHS["inventory"])
    body = {
        "query": "query($r: [_Any!]!) { _entities(representations: $r) { ... on Product { left: shippingEstimate } } }",
        "variables": {"r": [{"__typename": "Product", "upc": "1", "price": 10, "weight": 80}]},
    }
    assert orjson.loads(inventory.answer(orjson.dumps(body))) == {"data": {"_entities": [{"left": 40}]}}
    with pytest.raises(AssertionError, match=r"Product\.name is not ours"):
        inventory.answer(orjson.dumps({**body, "query": body["query"].replace("left: shippingEstimate", "name")}))  # type: ignore[attr-defined]
