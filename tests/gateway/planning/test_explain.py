"""What is said of a plan: every directive's reason, what alternatives cost, and changes that really remove a fetch."""

from __future__ import annotations

import pytest
from graphql import parse, validate
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from gateway.composition.compose import SubgraphSource, compose
from gateway.operation import normalise
from gateway.planning.explain import explain
from gateway.planning.explanation import (
    Explanation,
    FetchExplanation,
    Size,
    render_explained_json,
    render_explained_text,
    render_mermaid,
)
from gateway.planning.planner import Planner
from gateway.supergraph import Supergraph
from tests.gateway.planning.generated import operations
from tests.gateway.planning.small_worlds import WORLDS, normalised, planner_of, supergraph_of

LINK = """extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key", "@shareable", "@external",
  "@requires", "@provides", "@override", "@interfaceObject", "@context", "@fromContext"])
"""
REVIEWS = 'type Query { review: Review } type Review { product: Product } type Product @key(fields: "id") { id: ID! }'
CATALOG = 'type Product @key(fields: "id") { id: ID! name: String }'


def explained(query: str, **sdls: str) -> Explanation:
    """The explanation of an operation over subgraphs composed here."""
    composed = compose([SubgraphSource(name, f"http://{name}.invalid", LINK + sdl) for name, sdl in sdls.items()])
    assert composed.supergraph is not None, [str(error) for error in composed.errors]
    supergraph = Supergraph.parse(composed.supergraph)
    return explain(Planner(supergraph), normalise(parse(query), None, supergraph.api_schema))


def in_world(world: str, query: str) -> Explanation:
    return explain(planner_of(world), normalised(world, query))


def told(fetch: FetchExplanation, kind: str) -> list[str]:
    return [reason.text for reason in fetch.forced if reason.kind == kind]


def changes(fetch: FetchExplanation) -> dict[str, Size]:
    return {remedy.change: remedy.size for remedy in fetch.remedies}


@pytest.mark.parametrize("world", WORLDS)
@given(data=st.data())
@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
def test_the_plan_explained_is_the_plan_and_every_suggestion_helps(world: str, data: st.DataObject) -> None:
    supergraph = supergraph_of(world)
    document = parse(data.draw(operations(supergraph.api_schema)))
    assume(not validate(supergraph.api_schema, document))
    explanation = explain(planner_of(world), normalise(document, None, supergraph.api_schema))
    assert explanation.plan == planner_of(world).plan(normalise(document, None, supergraph.api_schema))
    upstream = [explanation.plan.subscription] if explanation.plan.subscription else []
    assert [each.id for each in explanation.fetches] == [each.id for each in (*upstream, *explanation.plan.fetches)]
    for remedy in (remedy for fetch in explanation.fetches for remedy in fetch.remedies):
        assert remedy.size.fetches < explanation.size.fetches or remedy.size.rounds < explanation.size.rounds
    assert render_explained_text(explanation)
    assert render_mermaid(explanation)


def test_a_fetch_says_which_of_the_clients_fields_it_answers_and_who_else_resolves_them() -> None:
    (only,) = in_world("shared", "{ woods: trees { tall: height shade } }").fetches
    assert [(each.coordinate, each.paths, each.resolvers) for each in only.answers] == [
        ("Query.trees", ("woods",), ("south",)),
        ("Tree.height", ("woods.tall",), ("south",)),
        ("Tree.shade", ("woods.shade",), ("south", "west")),
    ]


def test_a_fetch_says_what_it_gathers_for_which_later_fetch() -> None:
    first, _ = in_world("store", '{ product(id: "1") { shipping } }').fetches
    assert [(each.coordinate, each.consumer, each.purpose, each.of) for each in first.gathers] == [
        ("Product.sku", 1, "key", "Product { sku }"),
        ("Product.price", 1, "requires", "Product.shipping"),
        ("Product.weight", 1, "requires", "Product.shipping"),
    ]


def test_a_field_that_only_another_subgraph_resolves_forces_a_hop() -> None:
    _, hop = in_world("store", "{ latestReviews { product { name } } }").fetches
    assert told(hop, "owner") == ["Product.name is resolved by catalog only (not by reviews)"]


def test_requires_forces_a_hop_and_the_gathering_of_its_inputs() -> None:
    stock = (
        'type Query { low: P } type P @key(fields: "id") '
        '{ id: ID! weight: Int @external cost: Int @requires(fields: "weight") }'
    )
    goods = 'type P @key(fields: "id") { id: ID! weight: Int }'
    _, gathering, consumer = explained("{ low { cost } }", stock=stock, goods=goods).fetches
    assert told(gathering, "requires") == ['`@requires(fields: "weight")` on P.cost in stock ([2])']
    assert told(gathering, "external") == ["`@external` in stock: P.weight is not resolved there"]
    assert told(consumer, "requires") == ['`@requires(fields: "weight")` on P.cost in stock']
    own = "resolve P.weight in stock itself, so that P.cost does not require it"
    assert changes(gathering)[own] == Size(fetches=1, rounds=1)


def test_requires_with_arguments_is_written_as_in_the_schema() -> None:
    _, hop = in_world("store", '{ product(id: "1") { duty } }').fetches
    assert told(hop, "requires") == ['`@requires(fields: "price(currency: \\"GBP\\")")` on Product.duty in inventory']


def test_a_field_provided_on_another_way_is_external_on_this_one() -> None:
    reviews = """type Query { review: Review, product: Product }
      type Review { product: Product @provides(fields: "name") }
      type Product @key(fields: "id") { id: ID! name: String @external }"""
    catalog = CATALOG.replace("name: String", "name: String @shareable")
    _, hop = explained("{ product { name } }", reviews=reviews, catalog=catalog).fetches
    way = "known there only through `@provides` on Review.product"
    assert told(hop, "external") == [f"`@external` in reviews: Product.name is {way}"]


def test_an_override_forces_a_hop_and_dropping_it_removes_it() -> None:
    a = 'type Query { a: Tree } type Tree @key(fields: "id") { id: ID! height: Int }'
    b = 'type Tree @key(fields: "id") { id: ID! height: Int @override(from: "a") }'
    _, hop = explained("{ a { height } }", a=a, b=b).fetches
    assert told(hop, "override") == ['`@override(from: "a")` on Tree.height in b']
    assert changes(hop) == {'drop `@override(from: "a")` on Tree.height in b': Size(fetches=1, rounds=1)}


def test_an_override_whose_label_is_not_active_is_said_to_be_so() -> None:
    _, hop = in_world("shared", "{ trees { bark } }").fetches
    text = '`@override(from: "north", label: "percent(10)")` on Tree.bark in south is not active'
    assert told(hop, "override") == [text]


def test_a_key_that_is_not_resolvable_is_named_and_opening_it_is_measured() -> None:
    sdls = {
        "a": 'type Query { a: P } type P @key(fields: "id") { id: ID! }',
        "closed": 'type P @key(fields: "id", resolvable: false) { id: ID! mail: String @shareable }',
        "between": 'type P @key(fields: "id") @key(fields: "k") { id: ID! k: ID! }',
        "far": 'type P @key(fields: "k") { k: ID! mail: String @shareable }',
    }
    explanation = explained("{ a { mail } }", **sdls)
    text = '`@key(fields: "id", resolvable: false)`: closed resolves P.mail but cannot be entered'
    assert told(explanation.fetches[2], "resolvable") == [text]
    opened = 'make `@key(fields: "id")` of P in closed resolvable'
    assert explanation.size == Size(fetches=3, rounds=3)
    assert changes(explanation.fetches[2])[opened] == Size(fetches=2, rounds=2)


def test_an_interface_object_is_told_on_the_way_in_and_on_the_way_out() -> None:
    _, into = in_world("media", "{ media { stars } }").fetches
    assert told(into, "interfaceObject") == [
        "`@interfaceObject` Media in ratings resolves Media.stars for every object of it"
    ]
    _, out = in_world("media", "{ topRated { ... on Book { pages } } }").fetches
    assert "`@interfaceObject`: ratings knows a Book only as Media" in told(out, "interfaceObject")


def test_mutations_are_said_to_run_one_after_another() -> None:
    first, second = in_world("store", 'mutation { retireProduct(id: "1") restock(sku: "s", by: 1) { sku } }').fetches
    assert told(first, "mutation") == []
    assert told(second, "mutation") == ["mutations run one after another, each with all it needs"]


def test_an_argument_from_a_context_forces_a_hop_of_its_own() -> None:
    people = 'type Query { people: [Person!]! } type Person @key(fields: "id") { id: ID! speaks: String }'
    bank = """type Query { ping: Int }
      type Person @key(fields: "id") @context(name: "payer") { id: ID! speaks: String @external gifts: [Gift!]! }
      type Gift @key(fields: "id")
      { id: ID! price(in: String @fromContext(field: "$payer ... on Person { speaks }")): String }"""
    first, _, last = explained("{ people { gifts { price } } }", people=people, bank=bank).fetches
    assert ("Person.speaks", 2, "context", "Gift.price") in [
        (each.coordinate, each.consumer, each.purpose, each.of) for each in first.gathers
    ]
    assert told(last, "fromContext") == ["`@fromContext` fills Gift.price(in:) from what encloses it"]


def test_a_way_through_a_third_subgraph_is_a_key_and_a_shorter_key_is_measured() -> None:
    explanation = in_world("chain", '{ scan(upc: "1") { onHand } }')
    hop = explanation.fetches[1]
    assert told(hop, "key") == ['`@key(fields: "id")` is the way into Item in warehouse ([2])']
    assert explanation.size == Size(fetches=3, rounds=3)
    assert changes(hop)['`@key(fields: "upc")` on Item in warehouse'] == Size(fetches=2, rounds=2)


def test_alternatives_are_measured_by_the_best_plan_that_takes_them() -> None:
    sdls = {
        "a": 'type Query { b: B } type B @key(fields: "id") { id: ID! }',
        "x": 'type B @key(fields: "id") { id: ID! tag: String @shareable }',
        "y": 'type B @key(fields: "id") { id: ID! tag: String @shareable note: String }',
        "z": 'type B @key(fields: "id") @key(fields: "k") { id: ID! k: ID! }',
        "w": 'type B @key(fields: "k") { k: ID! tag: String @shareable }',
    }
    explanation = explained("{ b { tag note } }", **sdls)
    hop = next(fetch for fetch in explanation.fetches if fetch.subgraph == "y")
    assert explanation.size == Size(fetches=2, rounds=2)
    assert {each.subgraph: (each.coordinates, each.size) for each in hop.alternatives} == {
        "x": (("B.tag",), Size(fetches=3, rounds=2)),
        "w": (("B.tag",), Size(fetches=4, rounds=3)),
    }
    assert "alternative: B.tag from x: 3 fetches, 2 rounds (1 fetch more)" in render_explained_text(explanation)


def test_a_shared_root_field_has_alternatives_in_a_query_and_in_a_mutation() -> None:
    for query, size in (
        ("{ home { name } }", Size(fetches=1, rounds=1)),
        ("mutation { touch { lit } raise }", Size(fetches=2, rounds=2)),
    ):
        (other,) = in_world("shared", query).fetches[0].alternatives
        assert (other.subgraph, other.size) == ("south", size)


def test_what_the_budget_does_not_reach_is_said_to_be_not_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.planning.explain.MEASURE_WORK_MAX", 0)
    explanation = in_world("shared", "{ home { name } trees { age } }")
    assert explanation.fetches[0].alternatives[0].size is None
    assert explanation.unmeasured
    text = render_explained_text(explanation)
    assert "alternative: Query.home from north: not computed" in text
    assert "not computed: 2 further changes of the schema, over budget" in text


def test_a_suggestion_really_removes_the_fetch_once_the_schema_is_changed() -> None:
    query = "{ review { product { name } } }"
    before = explained(query, reviews=REVIEWS, catalog=CATALOG)
    shareable = "make Product.name `@shareable` and resolve it in reviews too"
    provides = (
        '`@provides(fields: "name")` on Review.product in reviews, where it is `@external`, `@shareable` in catalog'
    )
    assert changes(before.fetches[1]) == dict.fromkeys((provides, shareable), Size(fetches=1, rounds=1))
    catalog = CATALOG.replace("name: String", "name: String @shareable")
    resolved = REVIEWS.replace("{ id: ID! }", "{ id: ID! name: String @shareable }")
    assert explained(query, reviews=resolved, catalog=catalog).size == Size(fetches=1, rounds=1)
    provided = REVIEWS.replace("{ id: ID! }", "{ id: ID! name: String @external }")
    provided = provided.replace("product: Product }", 'product: Product @provides(fields: "name") }')
    assert explained(query, reviews=provided, catalog=catalog).size == Size(fetches=1, rounds=1)


def test_values_come_along_with_a_suggestion_but_entities_do_not() -> None:
    catalog = CATALOG.replace("name: String", "name: Text maker: Maker")
    catalog += ' type Text { short: String } type Maker @key(fields: "id") { id: ID! name: String }'
    explanation = explained("{ review { product { name { short } } } }", reviews=REVIEWS, catalog=catalog)
    assert list(changes(explanation.fetches[1])) == ["make Product.name `@shareable` and resolve it in reviews too"]
    explanation = explained("{ review { product { maker { name } } } }", reviews=REVIEWS, catalog=catalog)
    assert changes(explanation.fetches[1]) == {}


def test_a_search_that_stopped_says_so_and_by_which_budget() -> None:
    operation = normalised("shared", "{ home { name floor garden } }")
    assert explain(planner_of("shared"), operation).budget == ""
    by_plans = explain(planner_of("shared"), operation, walks_max=1)
    assert (by_plans.budget, by_plans.plans_considered, by_plans.plan.truncated) == ("1 plans", 1, True)
    assert "truncated: the search stopped at its budget of 1 plans; a better plan may exist" in render_explained_text(
        by_plans
    )
    assert explain(planner_of("shared"), operation, work_max=1).budget == "1 looks at wanted fields"


def test_the_text_is_the_plan_and_then_the_reasons() -> None:
    text = render_explained_text(explained("{ review { product { name } } }", reviews=REVIEWS, catalog=CATALOG))
    assert text.startswith("query: 2 fetches, 2 rounds\n\nround 1\n")
    assert text[text.index("explanation") :] == (
        """\
explanation: 1 plan considered, the cheapest has 2 fetches, 2 rounds

  [0] reviews
      answers what only reviews resolves: Query.review at review
      gathers for [1] (key Product { id }): Product.id

  [1] catalog
      answers what only catalog resolves: Product.name at review.product.name
      forced by: Product.name is resolved by catalog only (not by reviews)
      removed by: `@provides(fields: "name")` on Review.product in reviews, where it is `@external`, `@shareable` in catalog → 1 fetch, 1 round (1 fetch fewer, 1 round fewer)
      removed by: make Product.name `@shareable` and resolve it in reviews too → 1 fetch, 1 round (1 fetch fewer, 1 round fewer)
"""
    )


def test_the_json_keeps_the_plans_shape_and_gains_the_explanation() -> None:
    rendered = render_explained_json(explained("{ review { product { name } } }", reviews=REVIEWS, catalog=CATALOG))
    assert (rendered["fetches"], rendered["depth"], rendered["plan"]["kind"]) == (2, 2, "query")
    assert rendered["explanation"]["cost"] == {"fetches": 2, "rounds": 2}
    assert rendered["explanation"]["fetches"][1]["answers"] == [
        {"coordinate": "Product.name", "paths": ["review.product.name"], "resolvers": ["catalog"]}
    ]


def test_the_picture_has_a_node_a_fetch_grouped_by_round_and_says_what_is_passed_on() -> None:
    assert (
        render_mermaid(in_world("store", '{ product(id: "1") { name shipping } }'))
        == """\
flowchart LR
  client(["query"])
  subgraph round1["round 1"]
    fetch0["fetch 0: catalog<br/>Query.product, Product.name"]
  end
  subgraph round2["round 2"]
    fetch1["fetch 1: inventory<br/>Product.shipping"]
  end
  client --> fetch0
  fetch0 -- "Product.sku, Product.price, Product.weight" --> fetch1
"""
    )


def test_the_picture_of_a_subscription_begins_upstream() -> None:
    assert (
        render_mermaid(in_world("store", "subscription { stockChanged { name } }"))
        == """\
flowchart LR
  client(["subscription"])
  fetch0["fetch 0: inventory<br/>Subscription.stockChanged"]
  subgraph round1["round 1"]
    fetch1["fetch 1: catalog<br/>Product.name"]
  end
  client --> fetch0
  fetch0 -- "Product.sku" --> fetch1
"""
    )


def test_a_subgraphs_name_cannot_break_out_of_the_picture() -> None:
    composed = compose([SubgraphSource('a"] --> x["', "http://a.invalid", "type Query { a: Int }")])
    assert composed.supergraph is not None, [str(error) for error in composed.errors]
    supergraph = Supergraph.parse(composed.supergraph)
    picture = render_mermaid(explain(Planner(supergraph), normalise(parse("{ a }"), None, supergraph.api_schema)))
    assert 'fetch0["fetch 0: a#34;#93; --#62; x#91;#34;<br/>Query.a"]' in picture
