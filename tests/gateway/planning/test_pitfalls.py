"""The places where planners of federated graphs are known to go wrong; each test says which."""

from __future__ import annotations

import pytest

from gateway.errors import PlanningFailed
from gateway.plan import OperationKind, QueryPlan, TypeFilter, depth, fetch_count, render_json, render_text
from gateway.planning.planner import Planner
from gateway.planning.verify import verify
from gateway.supergraph import Supergraph
from tests.gateway.planning.small_worlds import (
    documents,
    normalised,
    planned,
    planned_over,
    planner_of,
    sdl_of,
    supergraph_of,
)


def subgraphs(plan: QueryPlan) -> list[str]:
    return [fetch.subgraph for fetch in plan.fetches]


def test_aliases_of_the_client_do_not_reach_subgraphs() -> None:
    plan = planned("store", '{ a: product(id: "1") { id: sku b: name } }')
    assert documents(plan, "catalog") == ['{ product(id: "1") { sku name } }']


def test_two_fields_under_one_response_key_of_two_types_have_their_own_keys() -> None:
    plan = planned("media", "{ media { ... on Book { x: pages } ... on Film { x: minutes } } }")
    assert "... on Book { pages } ... on Film { minutes }" in plan.fetches[0].document


def test_a_key_aliased_by_the_client_is_still_sent_under_its_own_name() -> None:
    plan = planned("store", '{ product(id: "1") { id: name sku: id inStock } }')
    (required,) = plan.fetches[1].entities[0].representations[0].fields
    assert (required.name, required.key) == ("sku", "sku")


def test_one_field_with_other_arguments_in_sibling_fragments_has_two_keys() -> None:
    plan = planned(
        "store",
        '{ product(id: "1") { ... on Product { a: price(currency: "EUR") } ... { b: price(currency: "USD") } } }',
    )
    assert 'price(currency: "EUR") price__2: price(currency: "USD")' in plan.fetches[0].document


def test_sibling_fragments_with_other_sub_selections_are_merged() -> None:
    plan = planned("store", '{ product(id: "1") { ... on Product { size { width } } ... { size { height } } } }')
    assert "size { width height }" in plan.fetches[0].document


def test_fields_that_require_each_other_over_a_border_are_ordered() -> None:
    plan = planned("requirements", "{ claims { decision } }")
    assert subgraphs(plan) == ["forms", "risk", "forms"]
    assert depth(plan) == 3


def test_the_starting_subgraph_is_not_asked_for_its_own_external_field() -> None:
    plan = planned("requirements", "{ claims { decision risk } }")
    assert "risk" not in plan.fetches[0].document


def test_a_requirement_with_arguments_does_not_clash_with_the_client() -> None:
    plan = planned("store", '{ product(id: "1") { price(currency: "GBP") shipping } }')
    required = {each.name: each.key for each in plan.fetches[1].entities[0].representations[0].fields}
    assert required == {"sku": "sku", "price": "price__2", "weight": "weight"}


def test_requirements_of_one_field_with_other_arguments_are_not_sent_as_one_value() -> None:
    plan = planned("store", '{ product(id: "1") { shipping duty } }')
    sent = [
        [(each.name, each.key) for each in entity.representations[0].fields if each.name == "price"]
        for entity in plan.fetches[1].entities
    ]
    assert sent == [[("price", "price")], [("price", "price__2")]]


def test_a_null_in_a_required_object_may_be_sent() -> None:
    plan = planned("store", "{ products { crate } }")
    sku, size = plan.fetches[1].entities[0].representations[0].fields
    assert (sku.name, sku.nullable) == ("sku", False)
    assert (size.name, size.nullable, [each.name for each in size.fields]) == ("size", True, ["width", "height"])


def test_skipping_a_field_with_requirements_keeps_its_siblings_fetch() -> None:
    plan = planned("store", 'query ($no: Boolean!) { product(id: "1") { inStock shipping @skip(if: $no) } }')
    assert plan.fetches[1].guard == ()
    assert "shipping @skip(if: $no) inStock" in plan.fetches[1].document
    # What the representation carries may not depend on the condition, or inStock would be lost with it.
    assert "weight" in plan.fetches[0].document
    assert "@" not in plan.fetches[0].document


def test_the_gathering_of_a_skipped_requirement_is_guarded() -> None:
    plan = planned("requirements", "query ($no: Boolean!) { claims { amount contact @skip(if: $no) } }")
    assert [(fetch.subgraph, fetch.guard) for fetch in plan.fetches] == [
        ("forms", ()),
        ("people", ((("no", False),),)),
        ("risk", ((("no", False),),)),
    ]


def test_keys_added_under_a_conditional_parent_are_themselves_unconditional() -> None:
    plan = planned(
        "store",
        'query ($a: Boolean!, $b: Boolean!) { product(id: "1") @include(if: $a) { sku @include(if: $b) inStock } }',
    )
    assert "product(id:" not in plan.fetches[0].document.split("{")[0]
    assert "sku @include" not in plan.fetches[0].document
    assert plan.fetches[1].guard == ((("a", True),),)


def test_conditions_of_two_occurrences_are_alternatives() -> None:
    plan = planned("store", "query ($a: Boolean!, $b: Boolean!) { me { email @include(if: $a) email @skip(if: $b) } }")
    assert plan.fetches[0].document.count("email") == 2


def test_opposite_conditions_make_a_field_unconditional() -> None:
    plan = planned("store", "query ($a: Boolean!) { me { email @include(if: $a) email @skip(if: $a) } }")
    assert plan.fetches[0].document == "{ me { email } }"


def test_a_field_that_is_included_and_skipped_by_one_variable_is_never_asked() -> None:
    plan = planned("store", "query ($a: Boolean!) { me { id email @include(if: $a) @skip(if: $a) } }")
    assert plan.fetches[0].document == "{ me { id } }"


def test_nested_conditions_of_one_kind_are_all_kept() -> None:
    plan = planned(
        "store", "query ($a: Boolean!, $b: Boolean!) { me { id ... @include(if: $a) { email @include(if: $b) } } }"
    )
    assert "... @include(if: $b) { email @include(if: $a) }" in plan.fetches[0].document


@pytest.mark.parametrize("below", ["cellar @include(if: $p)", "kitchen @include(if: $p) cellar @include(if: $p)"])
def test_an_object_shared_by_two_subgraphs_is_there_when_all_below_it_is_excluded(below: str) -> None:
    operation = normalised("shared", f"query ($p: Boolean!) {{ home {{ floor rooms {{ {below} }} }} }}")
    plan = planner_of("shared").plan(operation)
    assert verify(plan, operation, supergraph_of("shared")) == []


def test_all_fields_skipped_means_nothing_to_fetch() -> None:
    assert planned("store", "{ me @skip(if: true) { id } }").fetches == ()


def test_a_selection_emptied_by_skipping_asks_for_the_typename() -> None:
    assert planned("store", "{ me { id @include(if: false) } }").fetches[0].document == "{ me { __typename } }"


def test_a_key_chain_passes_a_third_subgraph() -> None:
    assert subgraphs(planned("chain", "{ scans { onHand reach } }")) == ["scanner", "registry", "warehouse", "robots"]


def test_a_multi_part_key_is_sent_whole() -> None:
    plan = planned("chain", "{ picks { maker } }")
    assert [each.key for each in plan.fetches[1].entities[0].representations[0].fields] == ["lot", "serial"]


def test_the_interface_object_is_never_asked_for_its_typename() -> None:
    plan = planned("media", "{ topRated { __typename stars } }")
    assert all("__typename" not in text for text in documents(plan, "ratings"))


def test_an_interface_object_of_which_nothing_is_wanted_keeps_its_typename_to_itself() -> None:
    plan = planned("media", "{ topRated { id @include(if: false) } }")
    assert documents(plan, "ratings") == ["{ topRated { nothing__: __typename } }"]


def test_a_type_condition_behind_an_interface_object_finds_the_type_first() -> None:
    plan = planned("media", "{ topRated { ... on Book { offer } } }")
    assert subgraphs(plan) == ["ratings", "library", "shops"]
    (representation,) = plan.fetches[2].entities[0].representations
    assert (representation.typename, representation.runtime_types) == ("Book", ("Book",))


def test_representations_for_an_interface_object_carry_the_interfaces_name() -> None:
    plan = planned("media", "{ media { stars } }")
    (representation,) = plan.fetches[1].entities[0].representations
    assert (representation.typename, representation.runtime_types) == ("Media", ("Book", "Film"))


def test_a_subgraph_never_hears_of_types_it_does_not_know() -> None:
    plan = planned(
        "media",
        '{ search(text: "x") { ... on Song { seconds } ... on Film { minutes } } found { ... on Song { seconds } ... on Film { minutes } } }',
    )
    assert all("Song" not in text for text in documents(plan, "library"))
    assert all("Film" not in text for text in documents(plan, "music"))


def test_an_interface_fragment_inside_a_concrete_type_keeps_its_fields() -> None:
    assert documents(planned("media", "{ book { ... on Thing { label } } }"), "library") == ["{ book { label } }"]


def test_a_path_below_one_runtime_type_is_filtered_only_where_types_differ() -> None:
    plan = planned("media", "{ media { ... on Book { cover { url } offer } ... on Film { minutes } } }")
    assert not any(isinstance(each, TypeFilter) for each in plan.fetches[1].entities[0].path)


def test_renamed_root_types_are_not_named_in_documents() -> None:
    plan = planned("shared", "{ ... on Query { northOnly __typename again { ... on Query { northOnly } } } }")
    assert plan.fetches[0].document == "{ northOnly again { northOnly } }"


def test_a_root_type_met_again_is_not_asked_for_its_name() -> None:
    plan = planned("shared", "{ again { __typename } }")
    assert plan.fetches[0].document == "{ again { nothing__: __typename } }"


def test_re_entering_the_query_root_below_an_entity_waits_for_it() -> None:
    plan = planned("media", "{ found { ... on Song { shop { book { pages } } } } }")
    assert [(fetch.subgraph, fetch.path, fetch.entities) for fetch in plan.fetches] == [
        ("music", (), ()),
        ("library", ("found", "@", "shop"), ()),
    ]
    assert plan.fetches[1].depends_on == (0,)


def test_a_rename_that_two_selections_of_one_request_need_is_said_once() -> None:
    of_each = "title: id ... on Book { worth } ... on Film { price: worth }"
    plan = planned_over(
        (
            ("library", """type Query { a: [Media!]!  b: [Media!]! }  interface Media @key(fields: "id") { id: ID! }
                type Book implements Media @key(fields: "id") { id: ID! }
                type Film implements Media @key(fields: "id") { id: ID! }"""),
            ("shops", """type Book @key(fields: "id") { id: ID!  worth: Int }
                type Film @key(fields: "id") { id: ID!  worth: Int! }"""),
        ),
        f"{{ a {{ {of_each} }} b {{ {of_each} }} }}",
    )  # fmt: skip
    assert [(each.source, each.target) for each in plan.fetches[1].renames] == [("worth__of_Film", "worth")]


def test_introspection_and_data_mix() -> None:
    plan = planned("store", '{ __typename __type(name: "User") { name } me { __typename id } }')
    assert documents(plan, "accounts") == ["{ me { id } }"]


def test_a_shared_mutation_is_called_once() -> None:
    assert fetch_count(planned("shared", "mutation { touch { lit } }")) == 1


def test_mutation_followers_run_before_the_next_root_field() -> None:
    plan = planned("store", 'mutation { renameProduct(id: "1", name: "a") { inStock } retireProduct(id: "1") }')
    assert [(fetch.kind, fetch.depends_on) for fetch in plan.fetches] == [
        (OperationKind.MUTATION, ()),
        (OperationKind.QUERY, (0,)),
        (OperationKind.MUTATION, (1,)),
    ]


def test_variables_go_only_to_the_fetches_that_use_them() -> None:
    plan = planned(
        "store", "query ($id: ID!, $first: Int = 3) { product(id: $id) { name reviews(first: $first) { body } } }"
    )
    assert [fetch.variables for fetch in plan.fetches] == [("id",), ("first",)]
    assert "$first: Int = 3" in plan.fetches[1].document


def test_two_entity_selections_in_one_request_have_their_own_variables() -> None:
    plan = planned("store", '{ a: product(id: "1") { inStock } b: product(id: "2") { shipping } }')
    entities = plan.fetches[1].entities
    assert len({entity.variable for entity in entities}) == len({entity.alias for entity in entities}) == 2


def test_a_labelled_override_moves_the_field_only_when_active() -> None:
    query = "{ trees { bark } }"
    assert subgraphs(planned("shared", query)) == ["south", "north"]
    active = Supergraph.parse(sdl_of("shared"), active_labels=frozenset({"percent(10)"}))
    assert subgraphs(Planner(active).plan(normalised("shared", query))) == ["south"]


def test_a_field_nobody_can_reach_is_an_error_that_names_it() -> None:
    broken = sdl_of("chain").replace('@join__type(graph: REGISTRY, key: "id")', "")
    supergraph = Supergraph.parse(
        broken.replace('@join__type(graph: REGISTRY, key: "upc")', "@join__type(graph: REGISTRY)")
    )
    with pytest.raises(PlanningFailed, match=r"scan\.onHand"):
        Planner(supergraph).plan(normalised("chain", '{ scan(upc: "1") { onHand } }'))


def test_the_product_page_takes_six_fetches_in_three_rounds() -> None:
    plan = planned(
        "retail",
        '{ product(handle: "x") { title variants { price availability { status } points bought } recommendations { product { title } } } }',
    )
    assert (fetch_count(plan), depth(plan), plan.truncated) == (6, 3, False)


def test_a_plan_renders_as_text_and_as_json() -> None:
    plan = planned("store", 'query ($a: Boolean!) { product(id: "1") { inStock @include(if: $a) } }')
    assert "  [1] inventory after [0] if $a\n" in render_text(plan)
    rendered = render_json(plan)
    assert (rendered["fetches"], rendered["depth"]) == (2, 2)
    assert rendered["plan"]["fetches"][1]["entities"][0]["representations"][0]["fields"][0]["name"] == "sku"


def test_a_plan_says_when_the_search_was_cut_short() -> None:
    page = "{ products { name inStock shipping crate reviews { body author { username email } } } }"
    pages = " ".join(f"p{number}: products {page[11:-1]}" for number in range(60))
    plan = planned("store", f"{{ {pages} }}")
    assert plan.truncated
    assert render_text(plan).splitlines()[0].endswith(", truncated")
    assert render_json(plan)["plan"]["truncated"] is True
    assert not planned("store", page).truncated


def test_a_type_condition_on_an_interface_objects_own_field_still_needs_the_type() -> None:
    plan = planned("media", "{ topRated { ... on Book { id stars } } }")
    assert subgraphs(plan) == ["ratings", "library"]
    assert "__typename" in plan.fetches[1].document
