"""What another service answers is nullable, so that a service that is down takes its own part of an answer and no more."""

import re
from functools import cache
from pathlib import Path

import pytest
from graphql import GraphQLNonNull, GraphQLObjectType, get_named_type

from gateway.supergraph import Supergraph

SUPERGRAPH = Supergraph.parse((Path(__file__).parents[2] / "schema" / "supergraph.graphql").read_text())

OWNERS = {
    "Product": "catalog",
    "ProductVariant": "catalog",
    "Channel": "catalog",
    "Location": "inventory",
    "Reservation": "inventory",
    "Customer": "customers",
    "AgentMandate": "customers",
    "Cart": "orders",
    "CheckoutSession": "orders",
    "Order": "orders",
    "Fulfilment": "orders",
    "LoyaltyAccount": "loyalty",
}
"""Whose entity each is: who makes it, and whose fields may be non-null."""


@cache
def fields() -> list[tuple[str, str, str, GraphQLNonNull | object]]:
    """(type, field, the one subgraph that answers it, its type) of every object field with one owner."""
    found = []
    for name, kind in SUPERGRAPH.api_schema.type_map.items():
        if not isinstance(kind, GraphQLObjectType) or name.startswith("__"):
            continue
        for field_name, field in kind.fields.items():
            for subgraph in sorted(answering(name, field_name)):
                found.append((name, field_name, subgraph, field.type))
    return found


@cache
def answering(type_name: str, field_name: str) -> set[str]:
    """Subgraphs that define the field themselves."""
    sdl = Path(__file__).parents[2] / "schema" / "subgraphs"
    return {
        file.stem
        for file in sdl.glob("*.graphql")
        if (block := re.search(rf"^type {type_name}\b[^{{]*{{(.*?)^}}", file.read_text(), re.M | re.S))
        and re.search(rf"^  {field_name}\b(?!.*@external)", block.group(1), re.M)
    }


def test_the_reader_of_the_files_sees_who_answers() -> None:
    assert answering("ProductVariant", "pointsEarned") == {"loyalty"}
    assert answering("ProductVariant", "earnBasis") == {"catalog"}
    assert {"catalog", "orders"} <= answering("ProductVariant", "sku")


def test_the_list_of_owners_names_every_entity() -> None:
    keyed = set()
    for file in (Path(__file__).parents[2] / "schema" / "subgraphs").glob("*.graphql"):
        keyed |= {
            line.split()[1] for line in file.read_text().splitlines() if line.startswith("type ") and "@key" in line
        }
    assert keyed == set(OWNERS)


@pytest.mark.parametrize("entity", sorted(OWNERS))
def test_what_others_add_to_an_entity_is_nullable(entity: str) -> None:
    bad = [
        f"{type_name}.{name} ({subgraph})"
        for type_name, name, subgraph, kind in fields()
        if type_name == entity
        and subgraph != OWNERS[entity]
        and OWNERS[entity] not in answering(type_name, name)
        and isinstance(kind, GraphQLNonNull)
    ]
    assert bad == []


def test_a_reference_to_another_services_entity_is_nullable() -> None:
    bad = [
        f"{type_name}.{name} ({subgraph})"
        for type_name, name, subgraph, kind in fields()
        if (target := get_named_type(kind).name) in OWNERS
        and OWNERS[target] != subgraph
        and isinstance(kind, GraphQLNonNull)
        and "[" not in str(kind)
    ]
    assert bad == []
