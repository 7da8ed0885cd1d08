"""What a client writes, and the words of the model it may choose from.

(No ``from __future__ import annotations``: Strawberry reads annotations at run time.)
"""

import strawberry

from subgraphs.catalog.model.pricing import PriceSource
from subgraphs.catalog.service.catalog import Sort
from subgraphs.chassis.graphql import CountryCode, CurrencyCode, DateTime, MinorUnits, MoneyInput
from subgraphs.chassis.inputs import built_once

strawberry.enum(PriceSource, description="Which rule made a price: an explicit one in a list, or a conversion.")

strawberry.enum(
    Sort, name="ProductSort", description="Order of found products; equal ones follow each other by id, stably."
)


@built_once
@strawberry.input(description="Where and when a price is asked for.")
class PriceContextInput:
    channel: str = strawberry.field(description="Code of the channel that would sell.")
    currency: CurrencyCode | None = strawberry.field(
        default=None, description="Currency to be shown; the country's or the channel's own by default."
    )
    country: CountryCode | None = strawberry.field(
        default=None, description="Country of the buyer; decides the currency when none is named."
    )
    at: DateTime | None = strawberry.field(default=None, description="Moment the price is for; now by default.")


@strawberry.input(description="A range of prices, ends included.")
class MoneyRangeInput:
    min: MinorUnits | None = strawberry.field(default=None, description="Lowest, in minor units.")
    max: MinorUnits | None = strawberry.field(default=None, description="Highest, in minor units.")
    currency: CurrencyCode = strawberry.field(description="Currency of both ends.")


@strawberry.input(description="Products that have any of these values of an attribute.")
class AttributeFilter:
    code: str = strawberry.field(description="The attribute's code.")
    values: list[str] = strawberry.field(description="Values, any of which will do.")


@strawberry.input(description="What found products must be: values of one kind are alternatives, kinds must all hold.")
class ProductFilter:
    categories: list[str] | None = strawberry.field(
        default=None, description="Category slugs; a department stands for all below it."
    )
    brands: list[str] | None = strawberry.field(default=None, description="Brand names.")
    price: MoneyRangeInput | None = strawberry.field(default=None, description="Products with a variant in this range.")
    attributes: list[AttributeFilter] | None = strawberry.field(default=None, description="Attribute values.")
    channel: str | None = strawberry.field(
        default=None, description="Products published on this channel; the price context's by default."
    )


@strawberry.input(description="A new explicit price.")
class PriceEntryInput:
    sku: str = strawberry.field(description="The variant's SKU.")
    price: MoneyInput = strawberry.field(description="The price, in the list's currency.")
    valid_from: DateTime | None = strawberry.field(default=None, description="From when; now by default.")
    expected_version: int | None = strawberry.field(
        default=None, description="Refuse with VersionConflict unless the SKU is at this version in the list."
    )


@strawberry.input(description="New explicit prices in one list: all of them, or none.")
class PriceSetInput:
    price_list_code: str = strawberry.field(description="The price list.")
    entries: list[PriceEntryInput] = strawberry.field(description="The prices, at most 500, each SKU once.")
