"""``@context`` and ``@fromContext``: an argument that no client gives, filled from what encloses the object."""

from __future__ import annotations

from typing import Any

import pytest
from graphql import parse, validate

from gateway.composition import SubgraphSource, compose
from gateway.config import Settings
from gateway.exchange import GraphQLResponse
from gateway.execution.executor import Executor
from gateway.execution.transport import FetchContext, Transport
from gateway.operation import normalise
from gateway.plan import QueryPlan, depth, render_json, render_text
from gateway.planning.planner import Planner
from gateway.planning.verify import verify
from gateway.supergraph import Supergraph
from tests.kit.fake_subgraphs import FakeSubgraph, served

LINK = """extend schema @link(url: "https://specs.apollo.dev/federation/v2.8",
    import: ["@key", "@external", "@shareable", "@context", "@fromContext"])
"""
PEOPLE = """
type Query { people: [Person!]! payers: [Payer!]! }
union Payer = Person | Shop
type Person @key(fields: "id") { id: ID! speaks: String friends: [Person!]! }
type Shop @key(fields: "id") { id: ID! till: String! }
"""
BANK = """
type Query { ping: Int }
type Person @key(fields: "id") @context(name: "payer") { id: ID! speaks: String @external gifts: [Gift!]! }
type Shop @key(fields: "id") @context(name: "payer") { id: ID! till: String! @external gifts: [Gift!]! }
type Gift @key(fields: "id") {
  id: ID!
  price(in: String @fromContext(field: "$payer ... on Person { speaks } ... on Shop { till }"), round: Boolean = false): String
  inside: Box!
}
type Box @shareable { gift: Gift! }
"""
SPEAKS = {"ann": "EUR", "ben": "USD", "cat": None, "dan": "EUR"}
GIFTS = {"ann": ["g1", "g2"], "ben": ["g1"], "cat": ["g1"], "dan": ["g1", "g3"], "shop": ["g1"]}


def person(name: str, depth: int = 2) -> dict[str, Any]:
    friends = [person(each, depth - 1) for each in SPEAKS if each > name] if depth else []
    return {"__typename": "Person", "id": name, "speaks": SPEAKS[name], "friends": friends}


def gift(name: str) -> dict[str, Any]:
    return {"id": name, "inside": {"gift": {"id": name, "inside": None}}}


def fakes() -> list[FakeSubgraph]:
    shop = {"__typename": "Shop", "id": "shop", "till": "CHF"}
    people = FakeSubgraph(
        name="people",
        sdl=LINK + PEOPLE,
        roots={"query": {"people": [person(each) for each in SPEAKS], "payers": [shop, person("ben")]}},
        entities={"Person": lambda given: person(given["id"]), "Shop": lambda _given: shop},
    )

    def price(source: dict[str, Any], _info: Any, round: bool, **given: Any) -> str:
        return f"{source['id']} in {given['in']}{' rounded' if round else ''}"

    def owner(given: dict[str, Any]) -> dict[str, Any]:
        return {"id": given["id"], "gifts": [gift(each) for each in GIFTS[given["id"]]]}

    bank = FakeSubgraph(
        name="bank",
        sdl=LINK + BANK,
        resolvers={"Gift.price": price},
        entities={"Person": owner, "Shop": owner, "Gift": lambda given: gift(given["id"])},
    )
    return [people, bank]


def supergraph() -> Supergraph:
    composed = compose([SubgraphSource(each.name, f"http://{each.name}.invalid", each.sdl) for each in fakes()])
    assert composed.supergraph is not None, [str(error) for error in composed.errors]
    return Supergraph.parse(composed.supergraph)


def planned(document: str) -> QueryPlan:
    graph = supergraph()
    assert validate(graph.api_schema, parse(document)) == []
    operation = normalise(parse(document), None, graph.api_schema)
    plan = Planner(graph).plan(operation)
    assert verify(plan, operation, graph) == []
    return plan


async def answer(document: str) -> tuple[GraphQLResponse, list[FakeSubgraph]]:
    graph, subgraphs = supergraph(), fakes()
    async with served(*subgraphs):
        settings = Settings(development=True, subgraph_urls={each.name: each.url for each in subgraphs})
        transport = Transport(settings.limits)
        try:
            operation = normalise(parse(document), None, graph.api_schema)
            executor = Executor(graph, transport, settings)
            executable = executor.prepare(planned(document), operation)
            return await executor.execute(executable, {}, FetchContext()), subgraphs
        finally:
            await transport.aclose()


def prices(response: GraphQLResponse, field: str = "people") -> list[list[str | None]]:
    assert response.data is not None, response.errors
    return [[gift["price"] for gift in each["gifts"]] for each in response.data[field]]


def test_clients_do_not_see_the_argument() -> None:
    errors = validate(supergraph().api_schema, parse('{ people { gifts { price(in: "EUR") } } }'))
    assert "Unknown argument" in errors[0].message


def test_the_value_is_gathered_before_and_the_plan_says_from_where() -> None:
    plan = planned("{ people { gifts { price } } }")
    assert depth(plan) == 3
    assert plan.fetches[0].document == "{ people { __typename id speaks } }"
    assert "price(in: $context_1)" in plan.fetches[2].document
    assert "$context_1 from people.@ { speaks }" in render_text(plan)
    (context,) = render_json(plan)["plan"]["fetches"][2]["contexts"]
    assert (context["variable"], context["sources"][0]["pathLength"]) == ("context_1", 2)


async def test_each_object_gets_the_value_of_what_encloses_it() -> None:
    response, (_, bank) = await answer("{ people { gifts { price(round: true) } } }")
    assert prices(response) == [
        ["g1 in EUR rounded", "g2 in EUR rounded"],
        ["g1 in USD rounded"],
        ["g1 in None rounded"],
        ["g1 in EUR rounded", "g3 in EUR rounded"],
    ]
    asked = {each["variables"]["context_1"]: each["variables"]["representations"] for each in bank.requests[1:]}
    assert {value: [each["id"] for each in sent] for value, sent in asked.items()} == {
        "EUR": ["g1", "g2", "g3"],
        "USD": ["g1"],
        None: ["g1"],
    }


async def test_the_nearest_enclosing_object_counts() -> None:
    response, _ = await answer("{ people { friends { gifts { price } } } }")
    assert response.data is not None
    ann, ben, cat, _ = response.data["people"]
    assert [[gift["price"] for gift in each["gifts"]] for each in ann["friends"]] == [
        ["g1 in USD"],
        ["g1 in None"],
        ["g1 in EUR", "g3 in EUR"],
    ]
    assert ben["friends"][1] == ann["friends"][2] == cat["friends"][0]


async def test_every_type_that_sets_the_context_has_its_own_selection() -> None:
    response, _ = await answer("{ payers { ... on Person { gifts { price } } ... on Shop { gifts { price } } } }")
    assert prices(response, "payers") == [["g1 in CHF"], ["g1 in USD"]]


async def test_one_entity_below_another_keeps_apart_what_two_contexts_say_of_it() -> None:
    """The gift in the box of a gift that two people have is one entity, and its price is not."""
    response, _ = await answer("{ people { gifts { inside { gift { price } } } } }")
    assert response.data is not None
    found = [each["gifts"][0]["inside"]["gift"]["price"] for each in response.data["people"]]
    assert found == ["g1 in EUR", "g1 in USD", "g1 in None", "g1 in EUR"]


@pytest.mark.parametrize(
    "document", ["{ people { gifts { id price } } }", "{ people { speaks gifts { a: price b: price(round: true) } } }"]
)
def test_a_plan_with_contexts_is_sound(document: str) -> None:
    planned(document)
