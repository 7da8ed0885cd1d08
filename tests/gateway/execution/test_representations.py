"""Gathering and merging, without any transport."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.execution.representations import Entities, merge, objects_at, places_at
from gateway.plan import EntityInput, Path, TypeFilter
from tests.gateway.execution.bench import representation, required

KEYS = st.sampled_from(["a", "b", "list", "__typename"])
TREES = st.dictionaries(
    KEYS,
    st.recursive(
        st.none() | st.integers(0, 3) | st.sampled_from(["X", "Y"]),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
        max_leaves=12,
    ),
    max_size=4,
)
PATHS = st.lists(st.sampled_from(["a", "b", "list", "@"]) | st.just(TypeFilter(("X",))), max_size=4).map(tuple)


def gathered(tree: Any, *representations: Any, path: Path = ("list", "@")) -> list[dict[str, Any]]:
    return Entities(EntityInput(path=path, representations=representations)).gather(tree).representations


@given(target=TREES, source=TREES)
def test_merging_twice_is_merging_once(target: dict[str, Any], source: dict[str, Any]) -> None:
    merge(target, deepcopy(source))
    once = deepcopy(target)
    merge(target, deepcopy(source))
    assert target == once


@given(target=TREES, source=TREES)
def test_merging_only_adds(target: dict[str, Any], source: dict[str, Any]) -> None:
    before = deepcopy(target)
    merge(target, source)
    assert contains(target, before)


def contains(after: Any, before: Any) -> bool:
    if before is None:
        return True
    if isinstance(before, dict) and isinstance(after, dict):
        return all(key in after and contains(after[key], value) for key, value in before.items())
    if isinstance(before, list) and isinstance(after, list):
        return len(after) == len(before) and all(map(contains, after, before))
    return bool(after == before)


def test_a_null_gives_way_to_a_value_and_not_the_other_way_round() -> None:
    target: dict[str, Any] = {"a": None, "b": 1, "c": {"x": 1}, "list": [None, {"x": 1}]}
    merge(target, {"a": 2, "b": None, "c": None, "d": None, "list": [{"y": 2}, None]})
    assert target == {"a": 2, "b": 1, "c": {"x": 1}, "d": None, "list": [{"y": 2}, {"x": 1}]}


@given(tree=TREES, path=PATHS)
def test_the_places_of_a_path_lead_to_its_objects(tree: dict[str, Any], path: Path) -> None:
    found = list(places_at(tree, path))
    assert [id(each) for _, each in found] == [id(each) for each in objects_at(tree, path)]
    for place, each in found:
        value: Any = tree
        for step in place:
            value = value[step]
        assert value is each


def test_values_that_json_tells_apart_are_different_representations() -> None:
    values = [1, True, "1", 1.5, None, {"x": 1}, {"x": True}, 1, True]
    tree = {"list": [{"id": value} for value in values]}
    assert gathered(tree, representation("P", required("id"))) == [
        {"__typename": "P", "id": value} for value in values[:7]
    ]


def test_an_object_whose_key_is_null_or_missing_is_left_out_and_the_others_stay_in_order() -> None:
    items = [{"sku": "a", "size": 1}, {"sku": None, "size": 2}, {"size": 3}, {"sku": "b", "size": None}, {"sku": "c"}]
    assert gathered({"list": items}, representation("P", "sku", required("size"))) == [
        {"__typename": "P", "sku": "a", "size": 1},
        {"__typename": "P", "sku": "b", "size": None},
    ]


def test_the_first_representation_that_fits_the_type_is_used() -> None:
    tree = {"list": [{"__typename": each, "id": each} for each in "ABCA"]}
    found = gathered(
        tree,
        representation("A", "id", runtime_types=("A",)),
        representation("Face", "id", runtime_types=("A", "B")),
    )
    assert found == [{"__typename": "A", "id": "A"}, {"__typename": "Face", "id": "B"}]


def test_equal_values_under_different_names_are_different() -> None:
    tree = {"list": [{"__typename": "A", "id": "1"}, {"__typename": "B", "sku": "1"}]}
    found = gathered(
        tree, representation("Face", "id", runtime_types=("A",)), representation("Face", "sku", runtime_types=("B",))
    )
    assert found == [{"__typename": "Face", "id": "1"}, {"__typename": "Face", "sku": "1"}]


@pytest.mark.parametrize("typename", [None, ["A"], {"A": 1}, 5])
def test_a_typename_that_is_none_matches_only_what_matches_any(typename: Any) -> None:
    tree = {"list": [{"__typename": typename, "id": "1"}]}
    assert gathered(tree, representation("A", "id", runtime_types=("A",))) == []
    assert gathered(tree, representation("A", "id")) == [{"__typename": "A", "id": "1"}]


def test_what_is_required_of_some_types_is_copied_from_those_alone() -> None:
    of_film = required("length", only_types=("Film",))
    owner = required("owner", fields=(required("id", nullable=False), of_film))
    tree = {
        "list": [
            {"id": "1", "owner": {"__typename": "Film", "id": "f", "length": 3}},
            {"id": "2", "owner": {"__typename": "Song", "id": "s"}},
            {
                "id": "3",
                "owner": [{"__typename": "Song", "id": "s"}, None, {"__typename": "Film", "id": "g", "length": None}],
            },
            {"id": "4", "owner": {"__typename": "Film", "id": "h"}},
            {"id": "5", "owner": {"__typename": "Song", "id": None}},
            {"id": "6", "owner": None},
        ]
    }
    assert [each["owner"] for each in gathered(tree, representation("P", "id", owner))] == [
        {"id": "f", "length": 3},
        {"id": "s"},
        [{"id": "s"}, None, {"id": "g", "length": None}],
        None,
    ]


def test_two_fragments_that_require_parts_of_one_object_are_joined() -> None:
    one = required("owner", fields=(required("id"),))
    other = required("owner", fields=(required("name"),))
    tree = {"list": [{"owner": {"id": "1", "name": "n"}}]}
    assert gathered(tree, representation("P", one, other)) == [{"__typename": "P", "owner": {"id": "1", "name": "n"}}]
    assert tree == {"list": [{"owner": {"id": "1", "name": "n"}}]}
