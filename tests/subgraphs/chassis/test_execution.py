"""Documents answered by our executor and by the library's, side by side: the same data, the same errors, in the same order."""

import asyncio
import datetime
import decimal
import enum
from collections.abc import AsyncIterator
from typing import Annotated, Any, Union

import pytest
import strawberry
from graphql import GraphQLObjectType, parse, subscribe
from graphql import execute as library_execute
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from subgraphs.chassis.graphql import Date, Decimal, build_schema


@strawberry.enum
class Size(enum.Enum):
    SMALL = "s"
    LARGE = "l"


@strawberry.interface
class Named:
    name: str


@strawberry.type
class Part(Named):
    weight: int | None
    size: Size


@strawberry.input
class Filter:
    least: int
    names: list[str] | None = None


@strawberry.type
class Machine(Named):
    id: strawberry.ID
    parts: list[Part]
    main: Part | None
    """May be null; its fields may not."""
    price: Decimal
    made: Date | None
    works: bool
    tags: list[str | None]
    load: float

    @strawberry.field
    def heavy(self, filter: Filter, more: int = 1) -> list[Part]:
        return [each for each in self.parts if (each.weight or 0) * more >= filter.least]

    @strawberry.field
    async def later(self, info: strawberry.Info, after: int = 0) -> "Machine":
        for _ in range(after):
            await asyncio.sleep(0)
        info.context.append(info.path.as_list())
        return self

    @strawberry.field
    async def broken(self) -> str:
        await asyncio.sleep(0)
        raise ValueError("no such thing")

    @strawberry.field
    def nothing(self) -> str | None:
        raise ValueError("neither")

    @strawberry.field
    async def named(self) -> list[Named]:
        return [*self.parts, self]

    @strawberry.field
    async def either(self, part: bool) -> Annotated[Union[Part, "Machine"], strawberry.union("Either")]:
        return self.parts[0] if part else self


@strawberry.type
class Query:
    @strawberry.field
    async def machines(self, count: int) -> list[Machine | None]:
        return [None if number == 2 else machine(number) for number in range(count)]

    @strawberry.field
    def machine(self, number: int = 0) -> Machine | None:
        return machine(number)


@strawberry.type
class Mutation:
    @strawberry.mutation
    async def rename(self, info: strawberry.Info, to: str) -> Machine | None:
        info.context.append(to)
        await asyncio.sleep(0)
        info.context.append(f"{to} done")
        made = machine(0)
        made.name = to
        return made


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def news(self, count: int) -> AsyncIterator[Machine]:
        for number in range(count):
            yield machine(number)


def machine(number: int) -> Machine:
    parts = [Part(name=f"part {each}", weight=each or None, size=Size.LARGE) for each in range(3)]
    return Machine(
        name=f"machine {number}",
        id=strawberry.ID(f"m{number}"),
        parts=parts,
        main=parts[0] if number else None,
        price=decimal.Decimal("1.50"),
        made=datetime.date(2026, 3, 1) if number else None,
        works=True,
        tags=["a", None],
        load=0.5,
    )


def wrong(**changes: Any) -> Machine:
    """A machine with attributes its type does not allow."""
    made = machine(1)
    for name, value in changes.items():
        setattr(made, name, value)
    return made


SCHEMA = build_schema(Query, Mutation, Subscription)

DOCUMENTS = {
    "leaves": "{ machine { id name price made works tags load __typename } }",
    "aliases": "{ a: machine { x: name y: name } b: machine(number: 1) { made } }",
    "objects and lists": "{ machines(count: 4) { name parts { name weight size } main { weight } } }",
    "arguments": "query($f: Filter!) { machines(count: 2) { heavy(filter: $f, more: 2) { name } light: heavy(filter: $f) { name } } }",
    "another order": "{ machine { load later(after: 2) { name } id again: later { later(after: 1) { id } } works } }",
    "abstract": "{ machine { named { __typename name ... on Part { weight } ... on Machine { id } } } }",
    "unions": "{ machine { a: either(part: true) { ... on Part { name } } b: either(part: false) { ... on Machine { id } } } }",
    "fragments": "{ machine { ...F } } fragment F on Machine { id parts { ...G } } fragment G on Named { name }",
    "merged": "{ machine { main { name } } machine { main { weight } id } }",
    "conditions": "query($yes: Boolean!) { machine { name @include(if: $yes) id @skip(if: $yes) later { id @include(if: $yes) } } }",
    "error of a field": "{ machine { id nothing } }",
    "error that travels upward": "{ machines(count: 2) { id broken } }",
    "errors beside data": "{ machine { nothing later { nothing id } } other: machine { broken } }",
    "introspection": "{ __type(name: \"Part\") { name fields { name } } __typename }",
    "mutations, one after the other": 'mutation { a: rename(to: "x") { name } b: rename(to: "y") { name broken } }',
}  # fmt: skip
VARIABLES = {"f": {"least": 2}, "yes": True}


async def by_library(document: str, variables: dict[str, Any], root: Any = None) -> tuple[Any, list[Any], list[Any]]:
    told: list[Any] = []
    result = library_execute(
        SCHEMA._schema,
        parse(document),
        root_value=root,
        context_value=told,
        variable_values=variables,
        executor_class=StrawberryGraphQLCoreExecutionContext,
    )
    if asyncio.iscoroutine(result):
        result = await result
    return result.data, [each.formatted for each in result.errors or ()], told


async def by_us(document: str, variables: dict[str, Any], root: Any = None) -> tuple[Any, list[Any], list[Any]]:
    told: list[Any] = []
    result = await SCHEMA.execute(document, variables, told, root)
    return result.data, [each.formatted for each in result.errors or ()], told


@pytest.fixture(autouse=True)
def errors_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(SCHEMA), "process_errors", lambda *_: None)


@pytest.mark.parametrize("name", DOCUMENTS)
async def test_answers_what_the_library_answers(name: str) -> None:
    document = DOCUMENTS[name]
    variables = {key: value for key, value in VARIABLES.items() if f"${key}" in document}
    expected = await by_library(document, variables)
    for _ in range(2):  # what is remembered of the first answer serves the second
        data, errors, told = await by_us(document, variables)
        assert (data, errors, told) == expected
        assert _orders(data) == _orders(expected[0])


async def test_other_variables_make_another_selection_where_directives_say_so() -> None:
    document = DOCUMENTS["conditions"]
    for yes in (True, False, True):
        assert await by_us(document, {"yes": yes}) == await by_library(document, {"yes": yes})


async def test_other_variables_are_other_arguments() -> None:
    document = DOCUMENTS["arguments"]
    for least in (0, 1, 4, 2):
        variables = {"f": {"least": least, "names": ["x"]}}
        assert await by_us(document, variables) == await by_library(document, variables)


@pytest.mark.parametrize(
    "changes",
    [
        {"name": None},
        {"works": "maybe"},
        {"load": "much"},
        {"parts": None},
        {"parts": [None]},
        {"parts": 7},
        {"tags": ["a", object()]},
        {"tags": "abc"},
        {"id": 7},
        {"name": ValueError("not today")},
        {"main": wrong()},
        {"made": "tomorrow"},
    ],
    ids=lambda changes: ", ".join(f"{name} is {type(value).__name__}" for name, value in changes.items()),
)
async def test_words_what_is_wrong_with_a_value_as_the_library_does(
    changes: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    document = (
        "{ machine { __typename } found: machine { later { id name parts { name } main { name size } works tags"
        " load made price } } }"
    )
    monkeypatch.setattr("tests.subgraphs.chassis.test_execution.machine", lambda _: wrong(**changes))
    ours, theirs = await by_us(document, {}), await by_library(document, {})
    assert ours == theirs
    assert ours[1] or changes in ({"id": 7}, {"tags": "abc"}, {"main": changes.get("main")})


async def test_subscriptions_answer_each_event() -> None:
    document = parse("subscription { news(count: 3) { id parts { name } later { name } } }")
    answers = []
    for executor in (SCHEMA.execution_context_class, StrawberryGraphQLCoreExecutionContext):
        stream = subscribe(SCHEMA._schema, document, context_value=[], executor_class=executor)
        if asyncio.iscoroutine(stream):
            stream = await stream
        answers.append([each.formatted async for each in stream])  # type: ignore[union-attr]
    assert answers[0] == answers[1]
    assert [each["data"]["news"]["id"] for each in answers[0]] == ["m0", "m1", "m2"]


async def test_resolvers_of_siblings_wait_together() -> None:
    """They must, or loaders would have nothing to put together."""
    waiting = 0
    most = 0

    async def later(self: Machine, info: strawberry.Info, after: int = 0) -> Machine:
        nonlocal waiting, most
        waiting += 1
        most = max(most, waiting)
        for _ in range(3):
            await asyncio.sleep(0)
        waiting -= 1
        return self

    of = SCHEMA._schema.get_type("Machine")
    assert isinstance(of, GraphQLObjectType)
    resolver = of.fields["later"].extensions["strawberry-definition"].base_resolver
    before = resolver.wrapped_func
    resolver.wrapped_func = later
    try:
        await by_us("{ machines(count: 6) { a: later { id } b: later { name } } }", {})
    finally:
        resolver.wrapped_func = before
    assert most == 10  # five machines, as the third is null, twice each


async def test_what_is_no_document_is_refused_in_the_librarys_words() -> None:
    for document in (
        "{ nonsense",
        "{ nonsense }",
        "query A { machine { id } } query B { machine { id } }",
        "{ machine }",
    ):
        ours = await SCHEMA.execute(document, None, [])
        theirs = await super(type(SCHEMA), SCHEMA).execute(document, None, [])
        assert (ours.data, [str(each) for each in ours.errors or ()]) == (
            theirs.data,
            [str(each) for each in theirs.errors or ()],
        )


def _orders(data: Any) -> Any:
    """The names of each object in their order, which equality of dictionaries does not look at."""
    if isinstance(data, dict):
        return [(name, _orders(value)) for name, value in data.items()]
    return [_orders(each) for each in data] if isinstance(data, list) else None
