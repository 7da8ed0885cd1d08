"""Compiled plans: that they run, when they do not, and what becomes of a request that goes astray."""

from __future__ import annotations

import asyncio
import linecache
from collections.abc import Callable
from typing import Any

import pytest
from graphql import parse
from starlette.requests import Request

from gateway.config import Settings
from gateway.execution.compiled import Heat, Program, Programs, Unsuited
from gateway.execution.compiled.program import RUNS
from gateway.execution.projection import Projection
from gateway.execution.transport import FetchContext, SubgraphAddress
from gateway.operation import normalise
from gateway.plan import ContextVariable, Fetch, OperationKind, Rename
from tests.gateway.execution.bench import Bench, bench, entity_fetch, plan_of, representation, root_fetch
from tests.gateway.execution.test_executor import API, LIST, PRODUCTS, STOCK, catalog, inventory
from tests.kit.fake_subgraphs import FakeSubgraph

NOBODY = FetchContext()
SETTINGS = Settings()
OPERATION = "query Shop { products { sku name stock } }"


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GALLERIA_COMPILE_AFTER", "1")


@pytest.fixture
def outcomes() -> Callable[[], dict[str, int]]:
    """How runs of compiled plans ended since the test began."""
    names = ("whole", "astray", "broken")
    before = {name: RUNS.labels(name)._value.get() for name in names}
    return lambda: {name: count for name in names if (count := int(RUNS.labels(name)._value.get() - before[name]))}


async def test_the_response_is_written_from_typed_objects(outcomes: Callable[[], dict[str, int]]) -> None:
    async with bench(API, catalog(), inventory()) as on:
        answer = await on.run(OPERATION, plan_of(LIST, STOCK))
    assert answer.encode() == (
        b'{"data":{"products":[{"sku":"a","name":"Anvil","stock":1},{"sku":"b","name":"Bolt","stock":2}]}}'
    )
    assert outcomes() == {"whole": 1}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (ValueError("no count"), "no count"),
        ({"stock": "many"}, "A subgraph's answer is not a valid Int."),
        (None, None),
    ],
)
async def test_what_goes_astray_is_interpreted_and_nothing_is_asked_again(
    wrong: Any, message: str | None, outcomes: Callable[[], dict[str, int]]
) -> None:
    store, shop = inventory(lambda given: wrong if given["sku"] == "a" else {"stock": 2}), catalog()
    # Its own schema would have it right.
    store.sdl = store.sdl.replace("stock: Int", "stock: Count") + " scalar Count"
    async with bench(API, shop, store) as on:
        answer = await on.run(OPERATION, plan_of(LIST, STOCK))
    assert [each["stock"] for each in (answer.data or {})["products"]] == [None, 2]
    assert [each["message"] for each in answer.errors] == ([message] if message else [])
    assert (len(shop.requests), len(store.requests)) == (1, 1)
    assert outcomes() == {"astray": 1}


async def test_a_subgraph_that_is_gone_is_asked_once(outcomes: Callable[[], dict[str, int]]) -> None:
    async with bench(API, catalog()) as on:
        on.executor.addresses["inventory"] = SubgraphAddress(name="inventory", url="http://127.0.0.1:9/")
        answer = await on.run(OPERATION, plan_of(LIST, STOCK))
    assert [each["path"] for each in answer.errors] == [["products", 0, "stock"], ["products", 1, "stock"]]
    assert outcomes() == {"astray": 1}


async def test_many_representations_go_out_in_chunks_and_are_not_interpreted_for_that(
    outcomes: Callable[[], dict[str, int]],
) -> None:
    store = inventory(lambda given: {"stock": int(given["sku"])})
    products = [{"sku": str(each)} for each in range(10)]
    async with bench(API, catalog(products), store, representations_max=4) as on:
        answer = await on.run("{ products { stock } }", plan_of(LIST, STOCK))
    assert sorted(len(each) for each in store.entity_requests) == [2, 4, 4]
    assert answer.data == {"products": [{"stock": each} for each in range(10)]}
    assert outcomes() == {"whole": 1}


async def test_what_fails_in_one_chunk_leaves_the_others_asked_once(outcomes: Callable[[], dict[str, int]]) -> None:
    store = inventory(lambda given: ValueError("lost") if given["sku"] == "5" else {"stock": 1})
    products = [{"sku": str(each)} for each in range(10)]
    async with bench(API, catalog(products), store, representations_max=4) as on:
        answer = await on.run("{ products { stock } }", plan_of(LIST, STOCK))
    assert [each["path"] for each in answer.errors] == [["products", 5, "stock"]]
    assert len(store.requests) == 3
    assert outcomes() == {"astray": 1}


async def test_each_assignment_of_the_conditions_has_a_program() -> None:
    fetch = root_fetch(
        0, "catalog", "query ($p: Boolean!) { products { sku name @include(if: $p) } }", variables=("p",)
    )
    async with bench(API, catalog()) as on:
        executable = on.prepare("query ($p: Boolean!) { products { sku name @include(if: $p) } }", plan_of(fetch))
        for truth in (True, False, True):
            answer = await on.executor.execute(executable, {"p": truth}, NOBODY)
            assert ("name" in (answer.data or {})["products"][0]) is truth
    assert set(executable.heat.programs) == {(True,), (False,)}


async def test_equal_objects_become_one() -> None:
    products = [PRODUCTS["a"], PRODUCTS["b"], PRODUCTS["a"]]
    async with bench(API, catalog(products), inventory()) as on:
        answer = await on.run("{ products { sku stock } }", plan_of(LIST, STOCK))
    assert [each["stock"] for each in (answer.data or {})["products"]] == [1, 2, 1]


@pytest.mark.parametrize(
    ("document", "fetches", "reason"),
    [
        ("{ products { sku name } }", [root_fetch(0, "catalog", "{ products { sku } }")], "nobody brings name"),
        (
            "{ products { lot } }",
            [
                LIST,
                entity_fetch(
                    1,
                    "x",
                    ("products", "@"),
                    "... on Product { lot }",
                    representation("Product", "sku"),
                    contexts=(ContextVariable(name="of", nullable=True, sources=()),),
                ),
            ],
            "contexts",
        ),
        (
            "{ media { ... on Film { length } } }",
            [root_fetch(0, "films", "{ media { id ... on Film { length } } }")],
            "comes without its type",
        ),
        ('{ __type(name: "Query") { name } }', [], "nobody brings __type"),
    ],
)
def test_some_plans_are_left_to_the_interpreter(document: str, fetches: list[Any], reason: str) -> None:
    on = Bench(API, (), SETTINGS)
    operation = normalise(parse(document), None, on.executor.schema)
    heat = Heat(plan_of(*fetches), Projection(operation, on.executor.schema), "x")
    with pytest.raises(Unsuited, match=reason):
        on.executor.programs.make(heat, {})


async def test_a_plan_is_compiled_when_it_is_hot_and_may_cool_down(monkeypatch: pytest.MonkeyPatch) -> None:
    async with bench(API, catalog()) as on:
        programs = Programs(on.supergraph, after=3, kept_max=1)
        monkeypatch.setattr(on.executor, "programs", programs)
        first, second = (on.prepare(text, plan_of(LIST)) for text in ("{ products { sku } }", "{ products { name } }"))

        def has_program(executable: Any) -> bool:
            return isinstance(executable.heat.programs.get(()), Program)

        seen = []
        for executable in (first, first, first, second, second, second):
            await on.executor.execute(executable, {}, NOBODY)
            seen.append((has_program(first), has_program(second)))
    assert seen == [(False, False), (False, False), (True, False), (True, False), (True, False), (False, True)]


async def test_a_program_that_mostly_goes_astray_is_given_up(outcomes: Callable[[], dict[str, int]]) -> None:
    async with bench(API, catalog(), inventory(lambda given: None)) as on:
        executable = on.prepare(OPERATION, plan_of(LIST, STOCK))
        for _ in range(15):
            await on.executor.execute(executable, {}, NOBODY)
    assert outcomes() == {"astray": 10}


async def test_a_bug_is_logged_with_its_line_and_costs_nobody_an_answer(
    outcomes: Callable[[], dict[str, int]], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    async with bench(API, catalog(), inventory()) as on:
        executable = on.prepare(OPERATION, plan_of(LIST, STOCK))
        program = on.executor.programs.make(executable.heat, {})
        number = next(at for at, line in enumerate(program.text.splitlines(), 1) if line.startswith("def take_1"))
        assert linecache.getline(program.file, number).startswith("def take_1")
        executable.heat.programs[()] = program

        def broken(*_: Any) -> None:
            raise KeyError("a bug")

        monkeypatch.setitem(program.take, 1, broken)
        for _ in range(2):
            answer = await on.executor.execute(executable, {}, NOBODY)
            assert [each["stock"] for each in (answer.data or {})["products"]] == [1, 2]
    assert outcomes() == {"broken": 1, "astray": 1}


async def test_a_mutation_is_compiled_and_what_fails_of_it_is_not_done_twice(
    outcomes: Callable[[], dict[str, int]],
) -> None:
    done: list[str] = []

    def sell(*_: Any, sku: str) -> Any:
        done.append(f"sell {sku}")
        return ValueError("sold out") if sku == "a" else {"sku": sku}

    shop = FakeSubgraph(
        "shop",
        "type Query { x: Int } type Mutation { sell(sku: ID!): Product } type Product { sku: ID! }",
        {"Mutation.sell": sell},
    )
    document = "mutation ($s: ID!) { sell(sku: $s) { sku } }"
    plan = plan_of(root_fetch(0, "shop", document, variables=("s",)), kind=OperationKind.MUTATION)
    async with bench(API, shop) as on:
        sold = await on.run(document, plan, {"s": "b"})
        assert outcomes() == {"whole": 1}
        refused = await on.run(document, plan, {"s": "a"})
    assert sold.data == {"sell": {"sku": "b"}}
    assert [each["path"] for each in refused.errors] == [["sell"]]
    assert done == ["sell b", "sell a"]
    assert outcomes() == {"whole": 1, "astray": 1}


BRANDS = [
    root_fetch(0, "catalog", "{ products { sku brand { id } } }"),
    root_fetch(1, "makers", "{ products { brand { name country } } }"),
]
"""Two halves of a value without a key."""


def comes_first(on: Bench, name: str) -> None:
    """Every other subgraph's reply waits for that of this one, which is asked at the same time."""
    answered = asyncio.Event()
    post = on.transport.reply

    async def ordered(address: SubgraphAddress, *given: Any, **rest: Any) -> bytes:
        reply = await post(address, *given, **rest)
        if address.name == name:
            answered.set()
        else:
            async with asyncio.timeout(10):
                await answered.wait()
            # The first's reply is taken before this one is handed on.
            await asyncio.sleep(0)
        return reply

    on.transport.reply = ordered  # type: ignore[method-assign]


def makers(brands: list[Any]) -> FakeSubgraph:
    return FakeSubgraph(
        "makers",
        "type Query { products: [Product] } type Product { brand: Brand } type Brand { name: String country: String }",
        {"Query.products": lambda *_: [{"brand": each} for each in brands]},
    )


@pytest.mark.parametrize("late", [0, 1], ids=["the first answers late", "the second answers late"])
async def test_a_value_that_two_subgraphs_tell_in_part_is_put_together_whoever_answers_first(
    late: int, outcomes: Callable[[], dict[str, int]]
) -> None:
    both = [catalog(), makers([{"name": "Xi", "country": "GR"}, None])]
    answered = asyncio.Event()

    async def after_the_other(_: Request) -> None:
        async with asyncio.timeout(10):
            await answered.wait()

    async with bench(API, *both) as on:
        both[late].behaviour = after_the_other
        post = on.transport.reply

        async def told(address: SubgraphAddress, *given: Any, **rest: Any) -> bytes:
            reply = await post(address, *given, **rest)
            answered.set()
            return reply

        on.transport.reply = told  # type: ignore[method-assign]
        answer = await on.run("{ products { brand { country id name } } }", plan_of(*BRANDS))
    assert answer.encode() == (
        b'{"data":{"products":[{"brand":{"country":"GR","id":"x","name":"Xi"}},{"brand":null}]}}'
    )
    assert outcomes() == {"whole": 1}


@pytest.mark.parametrize(
    "brands",
    [
        [None, None],
        [{"name": "Xi"}, {"name": "Yo"}],
        [{"name": "Xi"}],
    ],
    ids=["one has it alone", "one has more of it", "one has fewer"],
)
async def test_halves_that_do_not_fit_are_interpreted(
    brands: list[Any], outcomes: Callable[[], dict[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = []
    for compile_after in ("1", "0"):
        monkeypatch.setenv("GALLERIA_COMPILE_AFTER", compile_after)
        async with bench(API, catalog(), makers(brands)) as on:
            # Who interprets merges as the replies come, and here it matters.
            comes_first(on, "catalog")
            answers.append(await on.run("{ products { sku brand { id name } } }", plan_of(*BRANDS)))
    assert answers[0].encode() == answers[1].encode()
    assert outcomes() == {"astray": 1}


async def test_a_bug_in_a_fetch_that_another_waits_for_is_counted_once(
    outcomes: Callable[[], dict[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with bench(API, catalog(), makers([{"name": "Xi", "country": "GR"}, None])) as on:

        def broken(*_: Any) -> None:
            raise KeyError("a bug")

        comes_first(on, "makers")
        executable = on.prepare("{ products { brand { country id name } } }", plan_of(*BRANDS))
        program = on.executor.programs.make(executable.heat, {})
        assert isinstance(program, Program)
        executable.heat.programs[()] = program
        monkeypatch.setitem(program.take, 0, broken)
        await on.executor.execute(executable, {}, NOBODY)
    assert outcomes() == {"broken": 1, "astray": 1}


async def test_a_leaf_is_taken_from_whoever_knows_it(outcomes: Callable[[], dict[str, int]]) -> None:
    again = entity_fetch(
        1, "inventory", ("products", "@"), "... on Product { size stock }", representation("Product", "sku")
    )
    store = inventory(lambda given: {"size": "from the stock", "stock": 1})
    store.sdl = store.sdl.replace("@external", "")
    async with bench(API, catalog(), store) as on:
        first = root_fetch(0, "catalog", "{ products { sku size } }")
        answer = await on.run("{ products { size stock } }", plan_of(first, again))
    assert answer.data == {"products": [{"size": "L", "stock": 1}, {"size": "from the stock", "stock": 1}]}
    assert outcomes() == {"whole": 1}


async def test_a_root_type_is_asked_again_where_there_is_one(outcomes: Callable[[], dict[str, int]]) -> None:
    clock = FakeSubgraph("clock", "type Query { now: Int }", {"Query.now": lambda *_: 9})
    first = root_fetch(0, "catalog", "{ self { __typename } }")
    again = root_fetch(1, "clock", "{ now }", path=("self",), depends_on=(0,))
    shop = catalog(**{"Query.self": lambda *_: here})
    async with bench(API, shop, clock) as on:
        executable = on.prepare("{ self { t: now } }", plan_of(first, again))
        here: Any = {}
        found = await on.executor.execute(executable, {}, NOBODY)
        assert found.encode() == b'{"data":{"self":{"t":9}}}'
        here = None
        nothing = await on.executor.execute(executable, {}, NOBODY)
    assert nothing.encode() == b'{"data":{"self":null}}'
    assert len(clock.requests) == 1
    assert outcomes() == {"whole": 2}


async def test_what_had_to_be_aliased_is_compiled(outcomes: Callable[[], dict[str, int]]) -> None:
    both = FakeSubgraph(
        "media",
        "type Query { media: [Media] } interface Media { id: ID! } type Film implements Media { id: ID! length: Int } type Song implements Media { id: ID! length: String }",
        {
            "Query.media": lambda *_: [
                {"id": "1", "__typename": "Film", "length": 90},
                {"id": "2", "__typename": "Song", "length": "3:20"},
            ]
        },
    )
    fetch = root_fetch(
        0,
        "media",
        "{ media { __typename ... on Song { length__of_Song: length } } }",
        renames=(Rename(path=("media", "@"), source="length__of_Song", target="length", only_types=("Song",)),),
    )
    async with bench(API, both) as on:
        answer = await on.run("{ media { ... on Song { length } } }", plan_of(fetch))
    assert answer.encode() == b'{"data":{"media":[{},{"length":"3:20"}]}}'
    assert outcomes() == {"whole": 1}


NAMES = root_fetch(0, "catalog", "{ products { sku name } }")
SPACED = b'{"data": {"products": [{"name": "\\u0041nvil", "sku": "a"}]}}'
WRITTEN = b'{"data":{"products":[{"sku":"a","name":"Anvil"}]}}'


async def answer_to(reply: bytes, query: str, fetch: Fetch) -> bytes:
    """What the client gets where a subgraph replies with these bytes."""

    async def replies(*_: Any, **__: Any) -> bytes:
        return reply

    async with bench(API, catalog()) as on:
        on.transport.reply = replies  # type: ignore[method-assign]
        return (await on.run(query, plan_of(fetch))).encode()


async def test_the_one_reply_there_is_is_the_response_byte_for_byte(outcomes: Callable[[], dict[str, int]]) -> None:
    assert await answer_to(SPACED, "{ products { sku name } }", NAMES) == SPACED
    assert outcomes() == {"whole": 1}


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        (SPACED.replace(b" ", b"\n"), "whole"),
        (SPACED.replace(b" ", b"\r"), "whole"),
        (SPACED[:-1] + b',"extensions":{"took":3}}', "whole"),
        (SPACED[:-1] + b',"errors":null}', "whole"),
        (SPACED[:-1] + b',"errors":[]}', "whole"),
        (SPACED[:-1] + b',"secret":3}', "astray"),
        (SPACED.replace(b'"sku"', b'"cost": 3, "sku"'), "astray"),
    ],
)
async def test_a_reply_with_anything_else_in_it_is_written_anew(
    reply: bytes, outcome: str, outcomes: Callable[[], dict[str, int]]
) -> None:
    assert await answer_to(reply, "{ products { sku name } }", NAMES) == WRITTEN
    assert outcomes() == {outcome: 1}


@pytest.mark.parametrize(
    ("query", "fetch", "reply", "expected"),
    [
        pytest.param(
            "{ products { __typename sku } }",
            root_fetch(0, "catalog", "{ products { sku } }"),
            b'{"data": {"products": [{"sku": "a"}]}}',
            b'{"data":{"products":[{"__typename":"Product","sku":"a"}]}}',
            id="the type is not told",
        ),
        pytest.param(
            "{ products { sku } }",
            root_fetch(0, "catalog", "{ products { sku name } }"),
            b'{"data": {"products": [{"sku": "a", "name": "Anvil"}]}}',
            b'{"data":{"products":[{"sku":"a"}]}}',
            id="more is asked than shown",
        ),
        pytest.param(
            "{ products { sku } }",
            root_fetch(0, "catalog", "{ products { __typename sku } }"),
            b'{"data": {"products": [{"__typename": "Product", "sku": "a"}]}}',
            b'{"data":{"products":[{"sku":"a"}]}}',
            id="the type is told to nobody",
        ),
        pytest.param(
            "{ products { code: sku } }",
            root_fetch(0, "catalog", "{ products { sku } }"),
            b'{"data": {"products": [{"sku": "a"}]}}',
            b'{"data":{"products":[{"code":"a"}]}}',
            id="another name",
        ),
    ],
)
async def test_a_reply_of_another_shape_is_written_anew(
    query: str, fetch: Fetch, reply: bytes, expected: bytes, outcomes: Callable[[], dict[str, int]]
) -> None:
    assert await answer_to(reply, query, fetch) == expected
    assert outcomes() == {"whole": 1}


async def test_a_type_that_was_asked_for_and_told_is_passed_on() -> None:
    reply = b'{"data": {"products": [{"__typename": "Product", "sku": "a"}]}}'
    fetch = root_fetch(0, "catalog", "{ products { __typename sku } }")
    assert await answer_to(reply, "{ products { __typename sku } }", fetch) == reply


@pytest.mark.parametrize("query", ["{ media { __typename id } }", "{ media { id __typename } }"])
async def test_the_one_type_there_is_is_told_where_a_subgraph_keeps_it_to_itself(
    query: str, outcomes: Callable[[], dict[str, int]]
) -> None:
    """msgspec asks for the tag of a class only where there are several to choose from."""
    api = "type Query { media: [Media] } interface Media { id: ID! } type Film implements Media { id: ID! }"
    fetch = root_fetch(0, "media", "{ media { __typename id } }")
    films = FakeSubgraph("media", api, {"Query.media": lambda *_: [{"id": "1", "__typename": "Film"}]})

    async def untold(*_: Any, **__: Any) -> bytes:
        return b'{"data":{"media":[{"id":"1"}]}}'

    async with bench(api, films) as on:
        told = await on.run(query, plan_of(fetch))
        on.transport.reply = untold  # type: ignore[method-assign]
        assert (await on.run(query, plan_of(fetch))).encode() == told.encode()
    assert outcomes() == {"whole": 1, "astray": 1}
