"""Subgraphs whose answers are not what their schema promises: the client gets what its own schema says, or null and why.

Each lie is told over HTTP by a subgraph that knows its words by heart, and must cost its own place alone.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import Response

from gateway.exchange import NESTING_MAX, GraphQLResponse
from gateway.execution.errors import ERRORS_MAX, EXTENSIONS_BYTES_MAX, MESSAGE_CHARACTERS_MAX
from tests.gateway.execution.bench import bench, entity_fetch, plan_of, representation, required, root_fetch
from tests.kit.fake_subgraphs import Behaviour, FakeSubgraph

API = """
type Query { thing: Thing things: [Thing] must: [Thing!]! shelf: [[Thing!]] rows: [[Int!]!] media: Media any: [Media] now: Int }
type Thing { id: ID! n: Int f: Float s: String b: Boolean e: Color j: JSON o: Thing l: [Int] need: Int! stock: Int }
interface Media { id: ID! }
type Film implements Media { id: ID! length: Int }
type Song implements Media { id: ID! }
enum Color { RED GREEN }
scalar JSON
"""
THING = root_fetch(0, "liar", "{ thing { __typename id n } now }")
THINGS = root_fetch(0, "liar", "{ things { __typename id } now }")
STOCK = entity_fetch(1, "store", ("things", "@"), "... on Thing { stock }", representation("Thing", "id"))
DEEP = NESTING_MAX + 1


def saying(reply: Any, *, status: int = 200) -> Behaviour:
    """Always the same; text goes out as it is."""
    text = reply if isinstance(reply, str) else json.dumps(reply)

    async def behaviour(_: Request) -> Response:
        return Response(text, status, media_type="application/json")

    return behaviour


def liar(reply: Any, name: str = "liar") -> FakeSubgraph:
    return FakeSubgraph(name, "type Query { x: Int }", behaviour=saying(reply))


def places(answer: GraphQLResponse) -> list[tuple[Any, str]]:
    return [(each.get("path"), each["extensions"]["code"]) for each in answer.errors]


async def told(document: str, data: Any, **rest: Any) -> GraphQLResponse:
    async with bench(API, liar({"data": data, **rest})) as on:
        return await on.run(document, plan_of(THING))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("n", "3"),
        ("n", True),
        ("n", 1.5),
        ("n", 2**31),
        ("n", -(2**31) - 1),
        ("n", 1e300),
        ("n", {"n": 1}),
        ("n", [1]),
        ("f", "1.5"),
        ("f", True),
        ("s", 7),
        ("s", ["a"]),
        ("b", 0),
        ("b", "true"),
        ("e", "BLUE"),
        ("e", 1),
        ("e", {}),
        ("o { id }", "thing"),
        ("o { id }", 7),
        ("o { id }", [{"id": "1"}]),
        ("l", 7),
        ("l", {"0": 7}),
        ("l", "7"),
    ],
)
async def test_a_value_that_is_not_of_its_type_is_null_with_one_error(field: str, value: Any) -> None:
    name = field.split()[0]
    answer = await told(f"{{ t: thing {{ id x: {field} }} now }}", {"thing": {"id": "1", name: value}, "now": 9})
    assert answer.data == {"t": {"id": "1", "x": None}, "now": 9}
    assert places(answer) == [(["t", "x"], "VALUE_INVALID")]


@pytest.mark.parametrize(
    ("field", "value", "shown"),
    [
        ("n", 3.0, 3),
        ("n", 2**31 - 1, 2**31 - 1),
        ("n", -(2**31), -(2**31)),
        ("f", 3, 3),
        ("id", 7, "7"),
        ("j", {"a": [1, {"b": None}]}, {"a": [1, {"b": None}]}),
        ("l", [1, None], [1, None]),
    ],
)
async def test_what_another_server_writes_otherwise_is_understood(field: str, value: Any, shown: Any) -> None:
    answer = await told(f"{{ thing {{ {field} }} }}", {"thing": {field: value}})
    assert (answer.data, answer.errors) == ({"thing": {field: shown}}, ())


async def test_what_can_be_read_and_not_be_written_is_null_with_one_error() -> None:
    nested = "[" * DEEP + "]" * DEEP
    async with bench(API, liar(f'{{"data":{{"thing":{{"id":"1","j":{nested}}},"now":9}}}}')) as on:
        answer = await on.run("{ thing { id j } now }", plan_of(THING))
    assert json.loads(answer.encode())["data"] == {"thing": {"id": "1", "j": None}, "now": 9}
    assert places(answer) == [(["thing", "j"], "VALUE_INVALID")]


async def test_a_key_that_cannot_be_written_is_not_sent() -> None:
    nested = "[" * DEEP + "]" * DEEP
    store = liar({"data": {"_entities": [{"stock": 1}]}}, "store")
    first = liar(f'{{"data":{{"things":[{{"__typename":"Thing","id":{nested}}},{{"__typename":"Thing","id":"b"}}]}}}}')
    async with bench(API, first, store) as on:
        answer = await on.run("{ things { stock } }", plan_of(THINGS, STOCK))
    assert [each["id"] for each in store.entity_requests[0]] == ["b"]
    assert answer.data == {"things": [{"stock": None}, {"stock": 1}]}


async def test_two_answers_too_deep_to_be_merged_cost_their_part_alone() -> None:
    nested = '{"o":' * 900 + "{}" + "}" * 900
    first = liar(f'{{"data":{{"things":[{{"__typename":"Thing","id":"a","o":{nested}}}],"now":9}}}}')
    store = liar(f'{{"data":{{"_entities":[{{"o":{nested}}}]}}}}', "store")
    async with bench(API, first, store) as on:
        answer = await on.run("{ things { id stock } now }", plan_of(THINGS, STOCK))
    assert answer.data == {"things": [{"id": "a", "stock": None}], "now": 9}
    assert places(answer) == [(["things", 0, "stock"], "SUBGRAPH_REPLY_INVALID")]


@pytest.mark.parametrize(
    ("typename", "shown"),
    [("Film", {"id": "1"}), ("Nobody", None), ("Media", None), (None, None), (7, None), (["Film"], None)],
)
async def test_a_runtime_type_the_client_cannot_know_is_null(typename: Any, shown: Any) -> None:
    media = {"id": "1", "__typename": typename}
    answer = await told("{ m: media { id ... on Film { length } } now }", {"media": {**media, "length": 3}, "now": 9})
    assert answer.data == {"m": shown and {**shown, "length": 3}, "now": 9}
    assert places(answer) == ([] if shown else [(["m"], "VALUE_INVALID")])


@pytest.mark.parametrize(
    ("document", "data", "shown", "wrong"),
    [
        (
            "{ things { need } }",
            {"things": [{"need": 1}, {"need": None}]},
            [{"need": 1}, None],
            [["things", 1, "need"]],
        ),
        ("{ things { need } }", {"things": [{}, None]}, [None, None], [["things", 0, "need"]]),
        ("{ things { o { need } } }", {"things": [{"o": {}}]}, [{"o": None}], [["things", 0, "o", "need"]]),
        ("{ things: shelf { id } }", {"shelf": [[{"id": "1"}, None], None, []]}, [None, None, []], [["things", 0, 1]]),
        (
            "{ things: shelf { need } }",
            {"shelf": [[{}], [{"need": 1}]]},
            [None, [{"need": 1}]],
            [["things", 0, 0, "need"]],
        ),
        ("{ things: rows }", {"rows": [[1], [2, None]]}, None, [["things", 1, 1]]),
        ("{ things: rows }", {"rows": [[1], None]}, None, [["things", 1]]),
        ("{ things: rows }", {"rows": [["x"], [1]]}, None, [["things", 0, 0]]),
        ("{ things: any { id } }", {"any": [{"__typename": "Film"}, None]}, [None, None], [["things", 0, "id"]]),
        ("{ things { need again: need } }", {"things": [{"need": None}]}, [None], [["things", 0, "need"]]),
    ],
)
async def test_a_null_goes_up_to_the_nearest_place_of_the_clients_schema_that_allows_it(
    document: str, data: Any, shown: Any, wrong: list[Any]
) -> None:
    answer = await told(document, data)
    assert answer.data == {"things": shown}
    assert [path for path, _ in places(answer)] == wrong


async def test_a_null_where_the_root_allows_none_takes_all_with_it() -> None:
    answer = await told("{ now must { id } }", {"now": 9, "must": [{"id": "1"}, {"id": None}]})
    assert answer.data is None
    assert places(answer) == [(["must", 1, "id"], "NULL_NOT_ALLOWED")]


@pytest.mark.parametrize(
    ("answers", "left", "codes"),
    [
        ([{"stock": 1}, None], [1, None], []),
        ([None, None], [None, None], []),
        ([{"stock": 1}], [None, None], ["SUBGRAPH_REPLY_INVALID"] * 2),
        ([{"stock": 1}] * 3, [None, None], ["SUBGRAPH_REPLY_INVALID"] * 2),
        ([], [None, None], ["SUBGRAPH_REPLY_INVALID"] * 2),
        (None, [None, None], ["SUBGRAPH_REPLY_INVALID"] * 2),
        ({"0": {"stock": 1}}, [None, None], ["SUBGRAPH_REPLY_INVALID"] * 2),
        ("stock", [None, None], ["SUBGRAPH_REPLY_INVALID"] * 2),
        ([7, {"stock": 2}], [None, 2], ["DOWNSTREAM_SERVICE_ERROR"]),
        ([[{"stock": 1}], {"stock": 2}], [None, 2], ["DOWNSTREAM_SERVICE_ERROR"]),
        ([{"stock": 1}, {}], [1, None], []),
        ([{"__typename": "Film", "stock": 1}, {"__typename": 5, "stock": 2}], [1, 2], []),
    ],
    ids=json.dumps,
)
async def test_entities_answered_in_any_other_form_leave_what_was_asked_of_them_null(
    answers: Any, left: list[Any], codes: list[str]
) -> None:
    first = liar({"data": {"things": [{"__typename": "Thing", "id": "a"}, {"__typename": "Thing", "id": "b"}]}})
    async with bench(API, first, liar({"data": {"_entities": answers}}, "store")) as on:
        answer = await on.run("{ things { __typename id stock } }", plan_of(THINGS, STOCK))
    assert answer.data == {
        "things": [{"__typename": "Thing", "id": id, "stock": stock} for id, stock in zip("ab", left, strict=True)]
    }
    assert [code for _, code in places(answer)] == codes
    assert all(path == ["things", at, "stock"] for at, (path, _) in enumerate(places(answer)))


@pytest.mark.parametrize("key", [None, 7, "a"], ids=["null", "number", "text"])
async def test_a_null_key_is_sent_to_nobody_and_any_other_as_it_came(key: Any) -> None:
    store = liar({"data": {"_entities": [{"stock": 1}]}}, "store")
    first = liar({"data": {"things": [{"__typename": "Thing", "id": key}, None]}})
    async with bench(API, first, store) as on:
        answer = await on.run("{ things { stock } }", plan_of(THINGS, STOCK))
    assert store.entity_requests == ([] if key is None else [[{"__typename": "Thing", "id": key}]])
    assert answer.data == {"things": [{"stock": None if key is None else 1}, None]}


async def test_one_of_two_keys_may_be_null_where_its_field_may() -> None:
    store = liar({"data": {"_entities": [{"stock": 1}]}}, "store")
    first = liar({"data": {"things": [{"__typename": "Thing", "id": "a", "s": None}]}})
    fetch = entity_fetch(
        1, "store", ("things", "@"), "... on Thing { stock }", representation("Thing", "id", required("s"))
    )
    async with bench(API, first, store) as on:
        await on.run("{ things { stock } }", plan_of(THINGS, fetch))
    assert store.entity_requests == [[{"__typename": "Thing", "id": "a", "s": None}]]


ERROR = {"message": "out of paper", "path": ["things", 0, "n"], "extensions": {"code": "PAPER", "tray": 2}}


@pytest.mark.parametrize("development", [True, False], ids=["development", "production"])
async def test_a_subgraphs_words_are_shown_in_development_and_only_its_code_elsewhere(development: bool) -> None:
    reply = {"data": {"things": [{"n": None}]}, "errors": [{**ERROR, "locations": [{"line": -1, "column": "x"}]}]}
    async with bench(API, liar(reply), development=development) as on:
        answer = await on.run("{ all: things { number: n } }", plan_of(THINGS))
    masked = {"message": "The subgraph 'liar' could not answer.", "extensions": {"code": "PAPER", "service": "liar"}}
    shown = {"message": "out of paper", "extensions": {"code": "PAPER", "service": "liar", "tray": 2}}
    assert answer.errors == ({"path": ["all", 0, "number"], **(shown if development else masked)},)


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        (["things", 0, "n"], [["list", 0, "x"], ["list", 0, "y"]]),
        (["things", 0], [["list", 0]]),
        (["things"], [["list"]]),
        (["things", 0, "id"], [["list", 0]]),
        (["things", 5, "n"], [["list"]]),
        (["things", -1, "n"], [["list"]]),
        (["things", "0", "n"], [["list"]]),
        # No place at all: and all that was asked for is there, so it is about none.
        (["things", True, "n"], [None]),
        (["things", 0, {"n": 1}], [None]),
        ("things", [None]),
        (7, [None]),
        (None, [None]),
        ([], [None]),
    ],
    ids=json.dumps,
)
async def test_an_error_is_told_at_every_place_the_client_gave_it_or_as_near_as_it_says(path: Any, shown: Any) -> None:
    reply = {"data": {"things": [{"n": None}]}, "errors": [{"message": "no", "path": path}]}
    fetch = root_fetch(0, "liar", "{ things { n } }")
    async with bench(API, liar(reply)) as on:
        answer = await on.run("{ list: things { x: n y: n } }", plan_of(fetch))
    assert [each.get("path") for each in answer.errors] == shown


@pytest.mark.parametrize("error", ["out", 7, None, [], {}, {"message": 5}, {"message": None, "extensions": "x"}])
async def test_an_error_in_any_form_is_one(error: Any) -> None:
    answer = await told("{ n: now }", None, errors=[error])
    assert answer.data == {"n": None}
    assert [(each["path"], each["message"]) for each in answer.errors] == [
        (["n"], "The subgraph 'liar' could not answer.")
    ]


@pytest.mark.parametrize("status", [200, 400, 401, 404, 500, 503])
async def test_errors_alone_are_told_whatever_the_status(status: int) -> None:
    subgraph = liar(None)
    subgraph.behaviour = saying({"errors": [{"message": "no"}]}, status=status)
    async with bench(API, subgraph) as on:
        answer = await on.run("{ thing { id } now }", plan_of(THING))
    assert answer.data == {"thing": None, "now": None}
    assert [(each["path"], each["message"]) for each in answer.errors] == [(["thing"], "no"), (["now"], "no")]


async def test_data_that_is_null_without_a_reason_is_null() -> None:
    answer = await told("{ thing { id } now }", None)
    assert (answer.data, answer.errors) == ({"thing": None, "now": None}, ())


async def test_no_more_errors_are_told_than_anybody_reads() -> None:
    errors = [{"message": f"no {number}", "path": ["now"]} for number in range(10_000)]
    answer = await told("{ now }", {"now": None}, errors=errors)
    assert len(answer.errors) == ERRORS_MAX + 1
    assert answer.errors[-1] == {"message": "There are more errors.", "extensions": {"code": "ERRORS_OMITTED"}}


async def test_no_more_nulls_are_explained_than_anybody_reads() -> None:
    answer = await told("{ thing { l } }", {"thing": {"l": ["x"] * 10_000}})
    assert answer.data == {"thing": {"l": [None] * 10_000}}
    assert len(answer.errors) == ERRORS_MAX + 1


@pytest.mark.parametrize("extensions", [{"stack": "x" * EXTENSIONS_BYTES_MAX}, json.loads("[" * DEEP + "]" * DEEP)])
async def test_what_a_subgraph_says_is_cut_where_it_gets_long(extensions: Any) -> None:
    error = {"message": "x" * 100_000, "path": ["now"], "extensions": {"code": "LONG", "more": extensions}}
    answer = await told("{ now }", {"now": None}, errors=[error])
    (entry,) = answer.errors
    assert entry["message"] == "x" * MESSAGE_CHARACTERS_MAX
    assert entry["extensions"] == {"code": "LONG", "service": "liar"}
