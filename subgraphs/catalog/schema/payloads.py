"""What was found in a search, what came of a command, and the events of live prices.

(No ``from __future__ import annotations``: Strawberry reads annotations at run time.)
"""

from typing import Annotated

import strawberry

from subgraphs.catalog.schema.entities import ProductType, ProductVariant
from subgraphs.chassis.graphql import (
    DateTime,
    Forbidden,
    IdempotencyConflict,
    InvalidInput,
    MoneyType,
    NotFound,
    PageInfo,
    RequestInFlight,
    StreamEventKind,
    VersionConflict,
)


@strawberry.federation.type(description="How many found products have a value.", tags=["partner"])
class FacetValue:
    value: str = strawberry.field(description="The value; hand it back in a filter.")
    count: int = strawberry.field(description="Products that have it.")


@strawberry.federation.type(description="A property of what was found.", tags=["partner"])
class Facet:
    code: str = strawberry.field(description="category, brand, or an attribute's code.")
    label: str = strawberry.field(description="Name to show.")
    values: list[FacetValue] = strawberry.field(description="Its values, the most frequent first.")


@strawberry.federation.type(description="A found product.", tags=["partner"])
class ProductSearchEdge:
    cursor: str = strawberry.field(description="Where it stands in the result; stays good when products come and go.")
    node: ProductType = strawberry.field(description="The product.")
    score: float = strawberry.field(description="How well it fits the words; comparable within one answer only.")
    matched_variant: ProductVariant | None = strawberry.field(description="The variant that fits the words best.")
    explanation: str | None = strawberry.field(description="Why it was found.")


@strawberry.federation.type(description="Found products.", tags=["partner"])
class ProductSearchConnection:
    edges: list[ProductSearchEdge] = strawberry.field(description="This page.")
    facets: list[Facet] = strawberry.field(description="What the whole result is made of.")
    page_info: PageInfo = strawberry.field(description="Where the page stands.")
    total_count: int = strawberry.field(description="How many products were found.")
    query_id: strawberry.ID = strawberry.field(description="Names this search, for feedback.")


CatalogError = Annotated[
    InvalidInput | NotFound | Forbidden | IdempotencyConflict | RequestInFlight | VersionConflict,
    strawberry.union(name="CatalogError", description="Why catalog said no."),
]


@strawberry.type(description="What became of new prices.")
class PriceSetPayload:
    changed: int = strawberry.field(description="How many prices are different now.")
    errors: list[CatalogError] = strawberry.field(description="Why nothing was changed; empty when it was.")


@strawberry.type(description="A price as it is, or as it changed.")
class PriceChangeEvent:
    kind: StreamEventKind = strawberry.field(description="SNAPSHOT once a SKU at the start, DELTA for changes.")
    variant: ProductVariant = strawberry.field(description="The variant.")
    before: MoneyType | None = strawberry.field(description="What it cost when this stream last told.")
    after: MoneyType = strawberry.field(description="What it costs now.")
    resume_token: str = strawberry.field(description="Hand it in to go on from here.")
    at: DateTime = strawberry.field(description="When this was told.")
