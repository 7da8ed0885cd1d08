"""The search index: words, typos, stand-ins, what matched, ranking."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from subgraphs.catalog.model.products import Attribute, Category, Product, Variant
from subgraphs.catalog.model.search import SearchIndex, words

CATEGORIES = {
    "apparel": Category("cat_apparel", "apparel", "Apparel", None),
    "jackets": Category("cat_jackets", "jackets", "Jackets", "apparel"),
    "mugs": Category("cat_mugs", "mugs", "Mugs", None),
}


def product(number: int, title: str, category: str, *, brand: str = "Foxley", material: str = "linen") -> Product:
    return Product(
        id=f"prd_{number}",
        handle=f"p-{number}",
        title=title,
        description="Made to last.",
        brand=brand,
        category=category,
        attributes=(Attribute("material", "Material", material),),
        skus=(f"P{number}-RED", f"P{number}-BLUE"),
        updated_at=datetime(2026, 1, 1, tzinfo=UTC),
    )


def variants(number: int, category: str) -> list[Variant]:
    return [
        Variant(
            sku=f"P{number}-{colour.upper()}",
            product_id=f"prd_{number}",
            title=colour,
            gtin=None,
            options=(("Colour", colour),),
            category=category,
        )
        for colour in ("Red", "Blue")
    ]


@pytest.fixture(scope="module")
def index() -> SearchIndex:
    kinds = [
        ("Alpine Jacket", "jackets"),
        ("Harbour Parka", "jackets"),
        ("Meadow Mug", "mugs"),
        ("Jacket Hook", "mugs"),
    ]
    return SearchIndex.build(
        [product(number, title, category) for number, (title, category) in enumerate(kinds)],
        [variant for number, (_, category) in enumerate(kinds) for variant in variants(number, category)],
        CATEGORIES,
    )


def found(index: SearchIndex, text: str) -> list[str]:
    return [hit.product_id for hit in index.find(text)]


def test_a_title_ranks_above_a_category(index: SearchIndex) -> None:
    assert found(index, "jacket")[0] == "prd_0"
    assert set(found(index, "jacket")) == {"prd_0", "prd_1", "prd_3"}


def test_every_word_must_be_there(index: SearchIndex) -> None:
    assert found(index, "alpine jacket") == ["prd_0"]
    assert found(index, "alpine mug") == []


@pytest.mark.parametrize("typo", ["jackt", "jackte", "jcket", "jackets"])
def test_a_typo_or_a_plural_finds_the_same(index: SearchIndex, typo: str) -> None:
    assert "prd_0" in found(index, typo)


def test_the_beginning_of_a_word_finds_it(index: SearchIndex) -> None:
    assert found(index, "harb") == ["prd_1"]


def test_a_synonym_finds_it(index: SearchIndex) -> None:
    assert "prd_2" in found(index, "cup")


def test_nonsense_finds_nothing(index: SearchIndex) -> None:
    assert found(index, "xylophone") == []


def test_no_words_find_everything_in_a_fixed_order(index: SearchIndex) -> None:
    assert found(index, "  ") == ["prd_0", "prd_1", "prd_2", "prd_3"]


def test_the_matched_variant_has_the_colour_that_was_asked_for(index: SearchIndex) -> None:
    assert index.find("blue jacket")[0].matched_sku == "P0-BLUE"
    assert index.find("red jacket")[0].matched_sku == "P0-RED"


def test_the_matched_variant_is_found_through_a_typo() -> None:
    only = SearchIndex.build([product(1, "Mug", "mugs")], variants(1, "mugs"), CATEGORIES)
    assert only.find("bleu mug")[0].matched_sku == "P1-BLUE"


def test_the_explanation_names_where_the_word_was_found_and_what_stood_in(index: SearchIndex) -> None:
    assert index.find("alpine")[0].explanation == "“alpine” in its title"
    assert "(as “jacket”)" in index.find("jackt")[0].explanation


def test_case_and_accents_make_no_other_word() -> None:
    assert words("Café CRÈME straße") == words("cafe creme STRASSE")


def test_plurals_fold_and_other_endings_stay() -> None:
    assert words("Boots berries glasses BUS dress") == ["boot", "berry", "glass", "bus", "dress"]
