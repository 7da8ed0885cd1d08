"""Field sets."""

from __future__ import annotations

import pytest

from gateway.selection import parse_field_set, print_field_set


@pytest.mark.parametrize(
    "text",
    [
        "id",
        "id sku",
        "ref { k j }",
        'price(currency: "EUR")',
        "events { ... on Opened { by } ... on Closed { why { x } } }",
    ],
)
def test_a_field_set_prints_as_it_was_read(text: str) -> None:
    assert print_field_set(parse_field_set(text)) == text


def test_fragments_become_conditions_of_their_fields() -> None:
    (field,) = parse_field_set("... on A { ... { x } }")
    assert (field.name, field.on) == ("x", "A")


@pytest.mark.parametrize("text", ["", "id {", "...F", "a } { b"])
def test_what_is_no_field_set_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="field set"):
        parse_field_set(text)
