"""The local house's contracts leave a graph that agents and partners can use, and nothing of the staff's in it."""

from functools import lru_cache
from pathlib import Path

import pytest
from graphql import GraphQLSchema, parse, validate

from gateway.config import Contract
from gateway.contracts import contract_schema, tags_of
from gateway.local.house import CONTRACTS
from gateway.supergraph import Supergraph

SCHEMA = Path(__file__).parents[2] / "schema"


@lru_cache
def supergraph() -> Supergraph:
    return Supergraph.parse((SCHEMA / "supergraph.graphql").read_text())


@lru_cache
def view(name: str) -> GraphQLSchema:
    of = Contract.model_validate(CONTRACTS[name])
    return contract_schema(supergraph(), of.include, of.exclude, of.hide_unreachable).api_schema


def test_every_tag_of_the_contracts_is_carried_by_something() -> None:
    named = {tag for contract in CONTRACTS.values() for tags in contract.values() for tag in tags}
    assert named == tags_of(supergraph())


@pytest.mark.parametrize("name", sorted(CONTRACTS))
def test_no_view_shows_what_needs_a_scope(name: str) -> None:
    shown = {f"{of.name}.{field}" for of in view(name).type_map.values() for field in getattr(of, "fields", {})}
    assert shown & set(supergraph().required_scopes) == set()
    assert "StockLevel" not in view(name).type_map


def test_the_agents_tools_fit_the_agents_view() -> None:
    for file in sorted((SCHEMA / "operations/agents").glob("*.graphql")):
        assert validate(view("agent"), parse(file.read_text())) == [], file.name


def test_partners_read_the_catalog_and_nobodys_business() -> None:
    partner = view("partner")
    assert partner.mutation_type is None
    assert partner.query_type is not None
    assert set(partner.query_type.fields) == {
        "availability", "category", "product", "searchProducts", "variant", "variantByBarcode", "variants",
    }  # fmt: skip
    assert {"Customer", "Order", "Cart"} & set(partner.type_map) == set()
