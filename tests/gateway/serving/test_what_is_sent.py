"""What a subgraph is sent for what a client wrote: its variables and no others, and no request that nobody needs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.kit.running_gateway import RunningGateway, running_gateway


@pytest.fixture
async def shop() -> AsyncIterator[RunningGateway]:
    async with running_gateway() as running:
        yield running


@pytest.mark.parametrize(
    ("document", "variables", "sent"),
    [
        ("query($c: Colour = RED, $t: String) { echo(colour: $c, text: $t) }", {}, {"c": "RED"}),
        (
            "query($c: Colour = RED, $t: String) { echo(colour: $c, text: $t) }",
            {"c": None, "t": None},
            {"c": None, "t": None},
        ),
        ("query($f: Filter) { things(filter: $f) { name } }", {"f": {"colour": None}}, {"f": {"colour": None}}),
        ("query($f: Filter) { things(filter: $f) { name } }", {"f": {}}, {"f": {}}),
        ("query($f: Filter, $n: Int) { things(filter: $f, first: $n) { name } }", {"n": 1}, {"n": 1}),
        (
            'query($t: String, $u: Boolean!) { echo(text: $t) thing(id: "1") { units @include(if: $u) } }',
            {"t": "x", "u": True},
            {"t": "x"},
        ),
    ],
    ids=["default", "null", "null inside", "nothing inside", "absent", "of another subgraph"],
)
async def test_variables_are_sent_as_they_were_given_to_whom_they_concern(
    shop: RunningGateway, document: str, variables: dict[str, Any], sent: dict[str, Any]
) -> None:
    assert "errors" not in (await shop.post(document, variables)).json()
    assert [each.body["variables"] for each in shop.things.asked] == [sent]
    assert all(set(each.body["variables"]) == {"representations"} for each in shop.stock.asked)


@pytest.mark.parametrize(
    ("document", "data", "asked"),
    [
        ("query($p: Boolean!) { thing(id: 1) { name units @include(if: $p) } }", {"thing": {"name": "lamp"}}, (1, 0)),
        ("query($p: Boolean!) { thing(id: 1) @include(if: $p) { name units } }", {}, (0, 0)),
        ("query($p: Boolean!) { a: __typename echo @include(if: $p) }", {"a": "Query"}, (0, 0)),
        ("query($p: Boolean!) { ... @include(if: $p) { echo thing(id: 1) { units } } }", {}, (0, 0)),
        ("query($p: Boolean!) { thing(id: 1) { ... @include(if: $p) { units } } }", {"thing": {}}, (1, 0)),
        (
            'query($p: Boolean!) { __type(name: "Colour") { kind } echo @include(if: $p) }',
            {"__type": {"kind": "ENUM"}},
            (0, 0),
        ),
    ],
)
async def test_who_has_nothing_to_answer_is_not_asked(
    shop: RunningGateway, document: str, data: dict[str, Any], asked: tuple[int, int]
) -> None:
    assert (await shop.post(document, {"p": False})).json() == {"data": data}
    assert (len(shop.things.asked), len(shop.stock.asked)) == asked


async def test_a_key_whose_name_the_client_gave_to_another_field_is_sent_as_itself(shop: RunningGateway) -> None:
    answer = await shop.post('{ thing(id: "1") { id: name name: id __typename: units } }')
    assert answer.json() == {"data": {"thing": {"id": "lamp", "name": "1", "__typename": 10}}}
    assert shop.stock.asked[0].body["variables"]["representations"] == [{"__typename": "Thing", "id": "1"}]


async def test_introspection_is_answered_beside_data_of_two_subgraphs(shop: RunningGateway) -> None:
    answer = await shop.post('{ __typename __schema { queryType { name } } thing(id: "2") { t: __typename units } }')
    assert answer.json() == {
        "data": {
            "__typename": "Query",
            "__schema": {"queryType": {"name": "Query"}},
            "thing": {"t": "Thing", "units": 20},
        }
    }


async def test_a_mutations_field_that_fails_stops_none_after_it(shop: RunningGateway) -> None:
    def rename(_info: Any, id: str, name: str) -> Any:
        if name == "bad":
            raise ValueError("not that name")
        return {"__typename": "Thing", "id": id, "name": name}

    shop.things.roots["rename"] = rename
    answer = await shop.post(
        'mutation { a: rename(id: "1", name: "x") { units } b: rename(id: "1", name: "bad") { name }'
        ' c: rename(id: "2", name: "y") { name units } }'
    )
    body = answer.json()
    assert body["data"] == {"a": {"units": 10}, "b": None, "c": {"name": "y", "units": 20}}
    assert [each["path"] for each in body["errors"]] == [["b"]]
