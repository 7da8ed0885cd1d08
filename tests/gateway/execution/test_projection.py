"""The projection alone: a merged tree in, the client's shape out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from graphql import build_schema, execute_sync, parse, validate
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.execution.client_paths import client_paths
from gateway.execution.errors import PLACES_MAX, Report
from gateway.execution.introspection import Introspection
from gateway.execution.projection import SHAPES_MAX, Projection
from gateway.operation import normalise

SCHEMA = build_schema("""
    schema { query: Root }
    type Root { a: A must: A! list: [A!] lists: [[Int!]]! any: Any node: Node both: Both leaf: Leaves }
    type A implements Node { id: ID! a: A must: A! n(x: Int): Int loose: Int! }
    type B implements Node { id: ID! n: String loose: Int }
    interface Node { id: ID! loose: Int }
    union Both = A | B
    type Leaves { int: Int float: Float string: String boolean: Boolean id: ID enum: Color any: Any mustInt: Int! }
    enum Color { RED GREEN }
    scalar Any
""")


def project(
    document: str, tree: Any, variables: Mapping[str, Any] | None = None, known: tuple[Any, ...] = ()
) -> tuple[Any, list[Any]]:
    parsed = parse(document)
    assert validate(SCHEMA, parsed) == []
    report = Report(development=True, known=known)
    data = Projection(normalise(parsed, None, SCHEMA), SCHEMA).project(tree, variables or {}, report)
    return data, [(each.get("path"), each["extensions"]["code"]) for each in report.entries if "extensions" in each]


def test_fields_come_in_the_order_of_the_first_selection_that_counts() -> None:
    document = "query($p: Boolean!) { leaf { int @include(if: $p) string ...F } } fragment F on Leaves { int float }"
    tree = {"leaf": {"string": "s", "float": 1.5, "int": 1, "boolean": True}}
    with_it, _ = project(document, tree, {"p": True})
    without, _ = project(document, tree, {"p": False})
    assert list(with_it["leaf"]) == ["int", "string", "float"]
    assert list(without["leaf"]) == ["string", "int", "float"]


def test_one_response_key_takes_all_its_selections_but_only_those_whose_conditions_hold() -> None:
    document = "query($p: Boolean!) { a { a { id } } ... @include(if: $p) { a { a { n } } } }"
    tree = {"a": {"a": {"id": "1", "n": 2}}}
    assert project(document, tree, {"p": True})[0] == {"a": {"a": {"id": "1", "n": 2}}}
    assert project(document, tree, {"p": False})[0] == {"a": {"a": {"id": "1"}}}


def test_all_fields_skipped_leave_an_empty_object_not_null() -> None:
    assert project("query($p: Boolean!) { a @skip(if: $p) { id } }", {}, {"p": True})[0] == {}
    assert project("{ a { id @include(if: false) } }", {"a": {}})[0] == {"a": {}}
    assert project("{ a { id @include(if: false) } }", {"a": None})[0] == {"a": None}


def test_typename_is_that_of_the_runtime_type_and_of_the_clients_root() -> None:
    tree = {"node": {"__typename": "B", "id": "1"}, "a": {"id": "2", "__typename": "Thing"}}
    data, errors = project("{ __typename r: __typename node { t: __typename id } a { __typename } }", tree)
    assert data == {"__typename": "Root", "r": "Root", "node": {"t": "B", "id": "1"}, "a": {"__typename": "A"}}
    assert errors == []


def test_a_fragment_on_an_interface_inside_a_concrete_type_keeps_its_fields() -> None:
    data, _ = project("{ a { ... on Node { id ... on A { n } ... on Node { i: id } } } }", {"a": {"id": "1", "n": 3}})
    assert data == {"a": {"id": "1", "n": 3, "i": "1"}}


def test_one_key_of_two_types_is_read_by_the_runtime_type() -> None:
    document = "{ both { ... on A { n } ... on B { m: n } } }"
    assert project(document, {"both": {"__typename": "A", "n": 1}})[0] == {"both": {"n": 1}}
    assert project(document, {"both": {"__typename": "B", "n": "x"}})[0] == {"both": {"m": "x"}}


@pytest.mark.parametrize("typename", [None, "Hidden", 5])
def test_an_object_of_a_type_the_client_may_not_know_is_null_with_an_error(typename: Any) -> None:
    data, errors = project("{ both { __typename } }", {"both": {"__typename": typename}})
    assert data == {"both": None}
    assert errors == [(["both"], "VALUE_INVALID")]


def test_an_unknown_type_needs_no_error_when_one_explains_it() -> None:
    data, errors = project("{ both { __typename } }", {"both": {}}, known=({"message": "x", "path": ["both"]},))
    assert (data, errors) == ({"both": None}, [])


@pytest.mark.parametrize(
    "document",
    [
        "{ node { id i: id } }",
        "{ node { ... on Node { id } ... { i: id } } }",
        "{ node { id i: id ... on A @include(if: false) { n } } }",
        "{ node { ... on A { i: id } id ... on B { i: id } } }",
    ],
)
def test_an_object_whose_type_nobody_told_has_what_all_types_share(document: str) -> None:
    assert project(document, {"node": {"id": "1"}}) == ({"node": {"id": "1", "i": "1"}}, [])


@pytest.mark.parametrize("inside", ["id __typename", "id ... on A { n }", "id ... on A { i: id }"])
def test_an_object_whose_type_nobody_told_is_null_where_the_type_matters(inside: str) -> None:
    data, errors = project(f"{{ node {{ {inside} }} }}", {"node": {"id": "1"}})
    assert (data, errors) == ({"node": None}, [(["node"], "VALUE_INVALID")])


def test_who_does_not_know_the_type_cannot_count_on_what_one_type_promises() -> None:
    assert project("{ node { loose } }", {"node": {"loose": None}}) == ({"node": {"loose": None}}, [])
    typed = project("{ node { loose } }", {"node": {"__typename": "A", "loose": None}})
    assert typed == ({"node": None}, [(["node", "loose"], "NULL_NOT_ALLOWED")])


def test_a_place_inside_a_null_of_unknown_type_is_the_field_the_client_selected() -> None:
    shape = Projection(normalise(parse("{ m: node { i: id ... on B { x: n } } }"), None, SCHEMA), SCHEMA).shape({})
    assert client_paths(shape, {"node": None}, ("node", "n")) == [("m", "x")]
    assert client_paths(shape, {"node": None}, ("node", "secret")) == [("m",)]


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("int", 3, 3),
        ("int", 3.0, 3),
        ("float", 3, 3),
        ("float", 0.5, 0.5),
        ("string", "", ""),
        ("boolean", False, False),
        ("id", "7", "7"),
        ("id", 7, "7"),
        ("enum", "RED", "RED"),
        ("any", {"a": [1]}, {"a": [1]}),
    ],
)
def test_a_leaf_of_its_kind_passes(field: str, value: Any, expected: Any) -> None:
    data, errors = project(f"{{ leaf {{ {field} }} }}", {"leaf": {field: value}})
    assert data == {"leaf": {field: expected}}
    assert type(data["leaf"][field]) is type(expected)
    assert errors == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("int", "3"),
        ("int", 3.5),
        ("int", True),
        ("float", "1"),
        ("float", False),
        ("string", 1),
        ("string", ["a"]),
        ("boolean", 0),
        ("id", 1.5),
        ("id", {}),
        ("enum", "BLUE"),
        ("enum", ["RED"]),
    ],
)
def test_a_leaf_of_another_kind_is_null_with_an_error(field: str, value: Any) -> None:
    data, errors = project(f"{{ leaf {{ {field} }} }}", {"leaf": {field: value}})
    assert data == {"leaf": {field: None}}
    assert errors == [(["leaf", field], "VALUE_INVALID")]


@pytest.mark.parametrize("value", [[], "a", 1])
def test_what_should_be_an_object_and_is_not_is_null_with_an_error(value: Any) -> None:
    assert project("{ a { id } }", {"a": value}) == ({"a": None}, [(["a"], "VALUE_INVALID")])


def test_a_null_goes_up_to_the_nearest_place_that_allows_it() -> None:
    assert project("{ a { must { id } } }", {"a": {"must": {}}}) == (
        {"a": None},
        [(["a", "must", "id"], "NULL_NOT_ALLOWED")],
    )
    assert project("{ list { id } }", {"list": [{"id": "1"}, None]}) == (
        {"list": None},
        [(["list", 1], "NULL_NOT_ALLOWED")],
    )
    assert project("{ lists }", {"lists": [[1, None], [2], None]}) == (
        {"lists": [None, [2], None]},
        [(["lists", 0, 1], "NULL_NOT_ALLOWED")],
    )
    assert project("{ m: must { id } }", {}) == (None, [(["m"], "NULL_NOT_ALLOWED")])


@pytest.mark.parametrize("path", [["a"], ["a", "must"], ["a", "must", "id"], ["a", "must", "id", "deeper"]])
def test_an_error_at_above_or_below_the_null_is_not_repeated(path: list[str]) -> None:
    data, errors = project("{ a { must { id } } }", {"a": {"must": {}}}, known=({"message": "x", "path": path},))
    assert (data, errors) == ({"a": None}, [])


def test_an_error_elsewhere_explains_nothing() -> None:
    known = ({"message": "x", "path": ["a", "n"]}, {"message": "y"})
    _, errors = project("{ a { must { id } } }", {"a": {"must": {}}}, known=known)
    assert errors == [(["a", "must", "id"], "NULL_NOT_ALLOWED")]


def test_each_item_in_a_known_path_stands_for_every_index() -> None:
    known = ({"message": "x", "path": ["list", "@", "must"]},)
    data, errors = project("{ list { must { id } } }", {"list": [{"must": None}]}, known=known)
    assert (data, errors) == ({"list": None}, [])


def test_a_place_in_the_tree_is_every_alias_the_client_gave_it() -> None:
    parsed = parse("{ x: a { n(x: 1) p: n(x: 2) q: n(x: 2) must { id } } list { id } }")
    shape = Projection(normalise(parsed, None, SCHEMA), SCHEMA).shape({})
    assert client_paths(shape, {}, ("a", "n__2")) == [("x", "p"), ("x", "q")]
    there = {"a": {"n": 1, "must": {}}}
    assert client_paths(shape, there, ("a", "must", "id")) == [("x", "must", "id")]
    assert client_paths(shape, there, ("a", "n")) == [("x", "n")]
    assert client_paths(shape, {"a": None}, ("a", "n")) == [("x", "n")]
    assert client_paths(shape, {"list": [{}]}, ("list", 0, "id")) == [("list", 0, "id")]
    assert client_paths(shape, {}, ("planner", "only")) == [()]


def test_what_was_selected_for_other_types_alone_is_nobodys_here() -> None:
    shape = Projection(normalise(parse("{ node { id ... on A { loose } } }"), None, SCHEMA), SCHEMA).shape({})
    assert client_paths(shape, {"node": {"__typename": "A"}}, ("node", "loose")) == [("node", "loose")]
    assert client_paths(shape, {"node": {"__typename": "B"}}, ("node", "loose")) == []
    assert client_paths(shape, {"node": {"__typename": "B"}}, ("node", "planned")) == [("node",)]
    assert client_paths(shape, {"node": None}, ("node", "loose")) == [("node", "loose")]


def test_a_client_that_tries_all_conditions_fills_no_memory() -> None:
    names = [f"v{number}" for number in range(7)]
    declared = ", ".join(f"${name}: Boolean!" for name in names)
    fields = " ".join(f"{name}: any @include(if: ${name})" for name in names)
    projection = Projection(normalise(parse(f"query({declared}) {{ {fields} }}"), None, SCHEMA), SCHEMA)
    for number in range(2 ** len(names)):
        variables = {name: bool(number >> at & 1) for at, name in enumerate(names)}
        data = projection.project({"any": 1}, variables, Report(development=True))
        assert data == {name: 1 for name in names if variables[name]}
    assert len(projection._shapes) <= SHAPES_MAX


def test_an_error_with_very_many_places_is_not_repeated_for_each() -> None:
    report = Report(development=True)
    report.answered("x", {"message": "down"}, [("list", index) for index in range(500)])
    assert len(report.entries) == PLACES_MAX
    assert report.entries[0]["extensions"]["places"] == 500
    report.null(((None, "list"), 499))
    assert len(report.entries) == PLACES_MAX


@pytest.mark.parametrize(
    "error", ["text", None, {}, {"message": 5, "extensions": []}, {"extensions": {"code": "no code!"}}]
)
def test_an_error_of_any_shape_becomes_one_of_ours(error: Any) -> None:
    report = Report(development=True)
    report.answered("x", error, [("a",)])
    assert report.entries == [
        {
            "message": "The subgraph 'x' could not answer.",
            "path": ["a"],
            "extensions": {"code": "DOWNSTREAM_SERVICE_ERROR", "service": "x"},
        }
    ]


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["A", "B", "RED"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["a", "must", "list", "lists", "id", "n", "node", "both", "leaf", "int", "enum", "__typename"]
            ),
            inner,
            max_size=6,
        )
    ),
    max_leaves=25,
)


@given(tree=st.dictionaries(st.sampled_from(["a", "must", "list", "lists", "node", "both", "leaf"]), JSON))
@example(tree={"leaf": {"int": 2147483648.0}})
def test_whatever_subgraphs_send_the_answer_is_of_the_schema_or_null(tree: dict[str, Any]) -> None:
    document = """{ a { id must { n } } list { id a { n } } lists node { id ... on A { n } } both { ... on B { n } __typename }
                    leaf { int enum any } }"""
    report = Report(development=False)
    parsed = parse(document)
    data = Projection(normalise(parsed, None, SCHEMA), SCHEMA).project(tree, {}, report)
    if data is not None:
        # What was projected is valid: one server that is given it answers the same, without an error.
        again = execute_sync(SCHEMA, parsed, data)
        assert again.errors is None
        assert again.data == data


def test_introspection_is_what_graphql_core_answers_through_aliases_fragments_and_variables() -> None:
    document = """query($name: String!, $d: Boolean = true, $p: Boolean!) {
        one: __type(name: $name) { ...T } two: __type(name: "Color") { ...T more: enumValues { name } }
        __schema { queryType { name @include(if: $p) __typename } types { kind } }
    } fragment T on __Type { kind name fields(includeDeprecated: $d) { n: name type { name ofType { name } } } }"""
    parsed = parse(document)
    assert validate(SCHEMA, parsed) == []
    operation = normalise(parsed, None, SCHEMA)
    for flag in (True, False):
        variables = {"name": "A", "d": True, "p": flag}
        tree = Introspection(operation, SCHEMA).answer(variables)
        report = Report(development=True)
        data = Projection(operation, SCHEMA).project(tree, variables, report)
        assert data == execute_sync(SCHEMA, parsed, variable_values=variables).data
        assert report.entries == []


def test_introspection_without_variables_is_answered_once() -> None:
    introspection = Introspection(normalise(parse("{ __schema { types { name } } }"), None, SCHEMA), SCHEMA)
    assert introspection.wanted
    assert introspection.answer({}) is introspection.answer({})
