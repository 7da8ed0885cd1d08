"""Who somebody is, what they allow, and what goes with what: the pure decisions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subgraphs.customers.model import (
    Consent,
    ConsentPurpose,
    Evidence,
    Recommendation,
    RecommendationKind,
    also_bought,
    clean_email,
    clean_name,
    clean_phone,
    personal,
)
from subgraphs.kernel.errors import InvalidInput
from tests.subgraphs.customers.conftest import ADA, NOON


def test_the_last_word_about_a_purpose_counts_and_silence_is_no() -> None:
    withdrawn = ADA.consented(Consent(ConsentPurpose.PERSONALISATION, False, NOON, "app", "tap"))
    assert ADA.allows(ConsentPurpose.PERSONALISATION)
    assert not withdrawn.allows(ConsentPurpose.PERSONALISATION)
    assert not ADA.allows(ConsentPurpose.MARKETING_SMS)
    assert len(withdrawn.consents) == 2, "what was said before is kept"


def test_names_addresses_and_numbers_are_compared_in_one_form() -> None:
    assert clean_name("  Ada \n Lovelace ") == "Ada Lovelace"
    assert clean_email(" Ada@Example.COM ") == "ada@example.com"
    assert clean_phone("+49 (30) 123-456") == "+4930123456"


@pytest.mark.parametrize("wrong", ["", "ada", "a@b", "a b@example.com", "@example.com"])
def test_what_is_no_address_is_refused(wrong: str) -> None:
    with pytest.raises(InvalidInput):
        clean_email(wrong)


@pytest.mark.parametrize("wrong", ["030 123456", "+12", "+1234567890123456789"])
def test_what_is_no_international_number_is_refused(wrong: str) -> None:
    with pytest.raises(InvalidInput):
        clean_phone(wrong)


def test_thin_evidence_ranks_below_thick() -> None:
    found = also_bought({"often": Evidence(8, 2), "once": Evidence(1, 0)}, 10, {"often": 10, "once": 1}, 5)
    assert [each.product_id for each in found] == ["often", "once"]


def test_a_partner_that_everybody_buys_anyway_says_little() -> None:
    found = also_bought({"bread": Evidence(5, 0), "spread": Evidence(5, 0)}, 5, {"bread": 1000, "spread": 5}, 5)
    assert [each.product_id for each in found] == ["spread", "bread"]


def test_what_one_has_is_not_recommended_again() -> None:
    pairs = {"a": {"b": Evidence(3, 0), "c": Evidence(2, 0)}, "b": {"a": Evidence(3, 0), "c": Evidence(4, 1)}}
    found = personal(["a", "b"], pairs, {"a": 5, "b": 5, "c": 7}, 5)
    assert [each.product_id for each in found] == ["c"]
    assert found[0].evidence == Evidence(6, 1)


@pytest.mark.parametrize(
    ("evidence", "reason"),
    [
        (Evidence(1, 0), "Bought together once"),
        (Evidence(3, 0), "Bought together 3 times"),
        (Evidence(2, 1), "Bought together 3 times, 1 of them in a store"),
        (Evidence(0, 2), "Bought together 2 times, in a store"),
    ],
)
def test_the_reason_says_what_the_evidence_is(evidence: Evidence, reason: str) -> None:
    assert Recommendation("p", RecommendationKind.ALSO_BOUGHT, 0.5, evidence).reason == reason


@given(st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 50), min_size=1), st.integers(1, 6))
def test_scores_are_between_nothing_and_one_and_lists_as_long_as_asked(counts: dict[str, int], first: int) -> None:
    pairs = {product: Evidence(count, 0) for product, count in counts.items()}
    found = also_bought(pairs, 50, dict.fromkeys(counts, 50), first)
    assert len(found) == min(first, len(counts))
    assert all(0 < each.score <= 1 for each in found)
