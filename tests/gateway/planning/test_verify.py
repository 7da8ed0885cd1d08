"""The verifier notices when a sound plan is made unsound."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from gateway.plan import Fetch, QueryPlan, TypeFilter
from gateway.planning.verify import verify
from tests.gateway.planning.small_worlds import normalised, planner_of, supergraph_of


def found(world: str, query: str, damage: Callable[[QueryPlan], QueryPlan]) -> str:
    """What the verifier says of the damaged plan; the plan itself has to be sound."""
    operation = normalised(world, query)
    plan = planner_of(world).plan(operation)
    assert verify(plan, operation, supergraph_of(world)) == []
    return "\n".join(verify(damage(plan), operation, supergraph_of(world)))


def with_fetch(plan: QueryPlan, index: int, **changes: object) -> QueryPlan:
    fetches = list(plan.fetches)
    fetches[index] = replace(fetches[index], **changes)  # type: ignore[arg-type]
    return replace(plan, fetches=tuple(fetches))


def with_document(plan: QueryPlan, index: int, old: str, new: str) -> QueryPlan:
    document = plan.fetches[index].document
    assert old in document
    return with_fetch(plan, index, document=document.replace(old, new, 1))


STOCK = '{ product(id: "1") { name inStock shipping } }'


def test_a_missing_fetch_is_noticed() -> None:
    assert "inStock of Product is not fetched" in found(
        "store", STOCK, lambda plan: replace(plan, fetches=plan.fetches[:1])
    )


def test_a_missing_field_is_noticed() -> None:
    assert "name of Product is not fetched" in found("store", STOCK, lambda plan: with_document(plan, 0, " name ", " "))


def test_a_missing_dependency_is_noticed() -> None:
    said = found("store", STOCK, lambda plan: with_fetch(plan, 1, depends_on=()))
    assert "inStock of Product is not fetched" in said


def test_a_key_that_nobody_brought_is_noticed() -> None:
    assert "no earlier fetch brought" in found("store", STOCK, lambda plan: with_document(plan, 0, "sku", ""))


def test_a_representation_without_a_key_is_noticed() -> None:
    def damage(plan: QueryPlan) -> QueryPlan:
        entity = plan.fetches[1].entities[0]
        bare = replace(entity.representations[0], fields=entity.representations[0].fields[1:])
        return with_fetch(plan, 1, entities=(replace(entity, representations=(bare,)),))

    assert "without any of its keys" in found("store", STOCK, damage)


def test_a_representation_without_what_is_required_is_noticed() -> None:
    def damage(plan: QueryPlan) -> QueryPlan:
        entity = plan.fetches[1].entities[0]
        bare = replace(entity.representations[0], fields=entity.representations[0].fields[:1])
        return with_fetch(plan, 1, entities=(replace(entity, representations=(bare,)),))

    assert "requires fields that its representation does not carry" in found("store", STOCK, damage)


def test_two_values_under_one_name_are_noticed() -> None:
    def damage(plan: QueryPlan) -> QueryPlan:
        entity = plan.fetches[1].entities[0]
        fields = entity.representations[0].fields
        doubled = replace(entity.representations[0], fields=(*fields, replace(fields[1], key="name")))
        return with_fetch(plan, 1, entities=(replace(entity, representations=(doubled,)),))

    assert "sends two values as price" in found("store", STOCK, damage)


def test_an_external_field_is_noticed() -> None:
    said = found("store", STOCK, lambda plan: with_document(plan, 1, "inStock", "inStock weight"))
    assert "Product.weight is external there" in said


def test_a_field_that_the_subgraph_lacks_is_noticed() -> None:
    said = found("store", STOCK, lambda plan: with_document(plan, 1, "inStock", "inStock name"))
    assert "Cannot query field 'name'" in said


def test_a_type_that_the_subgraph_lacks_is_noticed() -> None:
    query = "{ found { ... on Book { id } ... on Song { seconds } } }"
    said = found("media", query, lambda plan: with_document(plan, 0, "... on Song", "... on Film"))
    assert "Film" in said


def test_a_wrong_canonical_key_is_noticed() -> None:
    said = found("store", STOCK, lambda plan: with_document(plan, 0, "name", "title: name"))
    assert "its canonical key is name" in said


def test_a_path_without_its_list_segments_is_noticed() -> None:
    def damage(plan: QueryPlan) -> QueryPlan:
        entity = plan.fetches[1].entities[0]
        return with_fetch(plan, 1, entities=(replace(entity, path=("products",)),))

    assert "does not reach the items" in found("store", "{ products { inStock } }", damage)


def test_a_path_filter_of_the_wrong_type_is_noticed() -> None:
    def damage(plan: QueryPlan) -> QueryPlan:
        entity = plan.fetches[1].entities[0]
        path = ("media", "@", TypeFilter(("Film",)), "cover")
        return with_fetch(plan, 1, entities=(replace(entity, path=path),))

    assert "is not fetched" in found("media", "{ media { ... on Book { offer } } }", damage)


def test_a_guard_that_is_too_narrow_is_noticed() -> None:
    query = 'query ($a: Boolean!) { product(id: "1") { inStock name @include(if: $a) } }'
    said = found("store", query, lambda plan: with_fetch(plan, 1, guard=((("a", True),),)))
    assert "inStock of Product is not fetched (when $a=False)" in said


def test_a_typename_of_an_interface_object_is_noticed() -> None:
    said = found("media", "{ topRated { stars } }", lambda plan: with_document(plan, 0, "stars", "stars __typename"))
    assert "@interfaceObject" in said


def test_a_field_with_requirements_asked_of_a_root_field_is_noticed() -> None:
    said = found(
        "store", "{ lowStock { inStock } }", lambda plan: with_document(plan, 0, "inStock", "inStock shipping")
    )
    assert "requires fields, but is not asked of a representation" in said


@pytest.mark.parametrize(
    "rearrange",
    [
        lambda fetches: (fetches[0], replace(fetches[1], depends_on=()), *fetches[2:]),
        lambda fetches: (fetches[0], fetches[0], *fetches[1:]),
    ],
    ids=["unordered", "called twice"],
)
def test_mutations_out_of_series_are_noticed(rearrange: Callable[[tuple[Fetch, ...]], tuple[Fetch, ...]]) -> None:
    query = 'mutation { renameProduct(id: "1", name: "a") { id } restock(sku: "s", by: 1) { sku } }'
    assert "mutation" in found("store", query, lambda plan: replace(plan, fetches=rearrange(plan.fetches)))


def test_a_dependency_on_a_later_fetch_is_noticed() -> None:
    said = found("store", STOCK, lambda plan: replace(plan, fetches=plan.fetches[::-1]))
    assert "does not precede it" in said
