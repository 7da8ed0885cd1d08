"""The tables of the query graph."""

from __future__ import annotations

from gateway.query_graph import build
from gateway.query_graph.describe import describe
from gateway.selection import parse_field_set, print_field_set
from tests.gateway.planning.small_worlds import supergraph_of


def test_an_external_field_cannot_be_followed_unless_the_view_provides_it() -> None:
    graph = build(supergraph_of("store"))
    assert graph.follow("reviews", (), "User", "username") is None
    assert graph.follow("reviews", parse_field_set("username"), "User", "username") is not None


def test_a_field_leads_to_the_view_it_provides() -> None:
    found = build(supergraph_of("store")).follow("reviews", (), "Review", "author")
    assert found is not None
    assert print_field_set(found[1]) == "username"


def test_a_field_with_requirements_is_not_free() -> None:
    found = build(supergraph_of("store")).follow("inventory", (), "Product", "shipping")
    assert found is not None
    assert found[2] is False


def test_every_resolvable_key_is_a_way_in() -> None:
    ways = build(supergraph_of("chain")).entries["Item"]
    assert {name: [print_field_set(way.key) for way in found] for name, found in ways.items()} == {
        "makers": ["lot serial"],
        "registry": ["upc", "id"],
        "robots": ["place { aisle shelf }", "lot serial"],
        "scanner": ["upc"],
        "warehouse": ["id", "place { aisle shelf }"],
    }


def test_an_interface_object_stands_in_for_every_implementation() -> None:
    graph = build(supergraph_of("media"))
    assert graph.stand_ins["ratings"] == {"Book": "Media", "Film": "Media"}
    assert {way.typename for way in graph.entries["Book"]["ratings"]} == {"Media"}


def test_an_interface_with_a_key_is_a_generic_way_in() -> None:
    ways = build(supergraph_of("media")).entries["Film"]["library"]
    assert [(way.typename, way.generic) for way in ways] == [("Film", False), ("Media", True)]


def test_the_description_shows_subgraphs_fields_and_ways_in() -> None:
    text = describe(build(supergraph_of("store")), "Product")
    assert text.startswith("flowchart LR\n")
    assert "shipping: Int (requires price(currency: 'USD') weight)" in text
    assert '-- "Product { sku }" --> inventory' in text
