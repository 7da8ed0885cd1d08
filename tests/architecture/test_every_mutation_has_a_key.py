"""Every mutation of every subgraph must be given an idempotency key, so that no client can do a thing twice by sending it twice."""

from pathlib import Path

import pytest
from graphql import FieldDefinitionNode, NonNullTypeNode, ObjectTypeDefinitionNode, parse, print_ast

SUBGRAPHS = Path(__file__).parents[2] / "schema" / "subgraphs"

MUTATIONS = [
    (path.stem, field)
    for path in sorted(SUBGRAPHS.glob("*.graphql"))
    for definition in parse(path.read_text()).definitions
    if isinstance(definition, ObjectTypeDefinitionNode) and definition.name.value == "Mutation"
    for field in definition.fields
]


@pytest.mark.parametrize("field", [pytest.param(field, id=f"{name} {field.name.value}") for name, field in MUTATIONS])
def test_a_mutation_cannot_be_sent_without_a_key(field: FieldDefinitionNode) -> None:
    keys = [argument for argument in field.arguments if argument.name.value == "idempotencyKey"]
    assert [print_ast(key.type) for key in keys] == ["IdempotencyKey!"]
    assert all(isinstance(key.type, NonNullTypeNode) and key.default_value is None for key in keys)


def test_all_five_subgraphs_are_looked_at() -> None:
    assert {name for name, _ in MUTATIONS} == {"catalog", "customers", "inventory", "loyalty", "orders"}
