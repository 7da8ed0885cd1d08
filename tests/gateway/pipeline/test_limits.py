"""Sizes are counted where fragments are spread, without spreading them."""

import pytest
from graphql import OperationDefinitionNode, parse

from gateway.config import Limits
from gateway.errors import LimitExceeded
from gateway.pipeline.limits import Size, enforce, measure


def size(text: str) -> Size:
    document = parse(text)
    operation = next(node for node in document.definitions if isinstance(node, OperationDefinitionNode))
    return measure(document, operation)


def refusal(text: str, **limits: int) -> LimitExceeded:
    with pytest.raises(LimitExceeded) as caught:
        enforce(parse(text), Limits(**limits))
    return caught.value


def test_fields_aliases_and_depth_are_counted_through_fragments() -> None:
    found = size("{ a { x: b ...F } ... on Q { c } } fragment F on A { d { y: e } }")
    assert found == Size(depth=3, aliases=2, fields=2, selections=5)


def test_a_fragment_spread_twice_counts_twice() -> None:
    assert size("{ ...F ...F } fragment F on Q { a { b } }").selections == 4


def test_doubling_fragments_are_measured_without_being_expanded() -> None:
    doubling = "".join(f"fragment F{n} on Q {{ ...F{n + 1} ...F{n + 1} }} " for n in range(60))
    text = "{ ...F0 } " + doubling + "fragment F60 on Q { a }"
    assert size(text).selections == 2**60
    assert "more than 1000000000 root fields" in refusal(text).message


def test_fragments_that_spread_each_other_end() -> None:
    assert size("{ ...A } fragment A on Q { a ...B } fragment B on Q { b ...A }").selections == 2


@pytest.mark.parametrize(
    ("text", "limits", "code"),
    [
        ("{ a { b { c } } }", {"depth_max": 2}, "MAX_DEPTH_EXCEEDED"),
        ("{ x: a y: a }", {"aliases_max": 1}, "MAX_ALIASES_EXCEEDED"),
        ("{ a b c }", {"root_fields_max": 2}, "MAX_ROOT_FIELDS_EXCEEDED"),
        ("{ a { b c } }", {"selections_max": 2}, "MAX_SELECTIONS_EXCEEDED"),
        ("{ a @x @x ...F @x } fragment F on Q @x { b }", {"directives_max": 3}, "MAX_DIRECTIVES_EXCEEDED"),
        ("query A { a } query B { a { b } }", {"depth_max": 1}, "MAX_DEPTH_EXCEEDED"),
    ],
)
def test_each_limit_refuses_with_its_own_code(text: str, limits: dict[str, int], code: str) -> None:
    assert refusal(text, **limits).as_graphql()["extensions"]["code"] == code


def test_a_refusal_says_the_value_and_the_maximum() -> None:
    assert refusal("{ a b c }", root_fields_max=2).message == "The document has 3 root fields; at most 2 are allowed."
