"""The parts products, prices and channels are made of.

(No ``from __future__ import annotations``: Strawberry reads annotations at run time.)
"""

from typing import Self

import strawberry

from subgraphs.catalog.model import pricing, products
from subgraphs.catalog.model.pricing import PriceSource
from subgraphs.catalog.schema.context import all_categories, services_of
from subgraphs.chassis.graphql import ChannelKind, CountryCode, CurrencyCode, DateTime, Info, MinorUnits, MoneyType


@strawberry.federation.type(description="A picture or film.", tags=["partner"])
class Media:
    url: str = strawberry.field(description="Where it is; may be a data URL.")
    kind: str = strawberry.field(description="IMAGE or VIDEO.")
    alt: str | None = strawberry.field(description="What it shows, in words.")
    width: int | None = strawberry.field(description="Width in pixels.")
    height: int | None = strawberry.field(description="Height in pixels.")


@strawberry.federation.type(description="A property a buyer chooses by, such as Colour.", tags=["partner"])
class ProductOption:
    name: str = strawberry.field(description="Name to show.")
    values: list[str] = strawberry.field(description="Values to choose from, in the order to show.")


@strawberry.federation.type(description="What a variant is in one of its product's options.", tags=["partner"])
class SelectedOption:
    name: str = strawberry.field(description="The option.")
    value: str = strawberry.field(description="The variant's value.")


@strawberry.federation.type(description="A fact about a product.", tags=["partner"])
class Attribute:
    code: str = strawberry.field(description="Stable code.")
    label: str = strawberry.field(description="Name to show.")
    value: str = strawberry.field(description="The value, as text.")
    unit: str | None = strawberry.field(description="Unit of the value, if it has one.")
    source: str = strawberry.field(description="Who claims it.")


@strawberry.federation.type(name="Category", description="A shelf of the shop.", tags=["partner"])
class CategoryType:
    entry: strawberry.Private[products.Category]
    id: strawberry.ID = strawberry.field(description="Identity, cat_….")
    slug: str = strawberry.field(description="Name in addresses.")
    name: str = strawberry.field(description="Name to show.")

    @strawberry.field(description="The category above; null for a department.")
    async def parent(self, info: Info) -> "CategoryType | None":
        categories = await info.context.loaders.get("categories", all_categories(info)).load("")
        above = categories.get(self.entry.parent or "")
        return CategoryType.of(above) if above is not None else None

    @strawberry.field(description="The categories right below, by name.")
    async def children(self, info: Info) -> list["CategoryType"]:
        categories = await info.context.loaders.get("categories", all_categories(info)).load("")
        below = [each for each in categories.values() if each.parent == self.slug]
        return [CategoryType.of(each) for each in sorted(below, key=lambda each: each.name)]

    @classmethod
    def of(cls, entry: products.Category) -> Self:
        return cls(entry=entry, id=strawberry.ID(entry.id), slug=entry.slug, name=entry.name)


@strawberry.type(name="PriceList", description="Prices in one currency, with a parent it falls back to.")
class PriceListType:
    entry: strawberry.Private[pricing.PriceList]
    code: str = strawberry.field(description="The list's code.")
    currency: CurrencyCode = strawberry.field(description="Currency of its entries.")
    tax_included: bool = strawberry.field(description="Whether its prices include sales tax.")
    rounding_rule: str = strawberry.field(description="How amounts are rounded.")

    @strawberry.field(description="The list asked when this one has no price.")
    async def parent(self, info: Info) -> "PriceListType | None":
        above = (await services_of(info).rules()).lists.get(self.entry.parent or "")
        return PriceListType.of(above) if above is not None else None

    @classmethod
    def of(cls, entry: pricing.PriceList) -> Self:
        return cls(
            entry=entry,
            code=entry.code,
            currency=CurrencyCode(entry.currency),
            tax_included=entry.tax_included,
            rounding_rule=entry.rounding,
        )


@strawberry.federation.type(name="Channel", keys=["code"], description="A place of sale.", tags=["partner"])
class ChannelType:
    entry: strawberry.Private[products.Channel]
    code: str = strawberry.field(description="Identity, readable.")
    name: str = strawberry.field(description="Name to show.")
    kind: ChannelKind = strawberry.field(description="What kind of place it is.")
    currencies: list[CurrencyCode] = strawberry.field(description="Currencies it sells in; the first is its own.")
    countries: list[CountryCode] = strawberry.field(description="Countries it sells to.")
    storefront_url: str | None = strawberry.field(description="Its shop front, if it has one on the web.")

    @strawberry.federation.field(description="The price list it sells by.", tags=["staff"])
    async def price_list(self, info: Info) -> PriceListType:
        return PriceListType.of((await services_of(info).rules()).lists[self.entry.price_list])

    @classmethod
    def of(cls, entry: products.Channel) -> Self:
        return cls(
            entry=entry,
            code=entry.code,
            name=entry.name,
            kind=ChannelKind(entry.kind),
            currencies=[CurrencyCode(code) for code in entry.currencies],
            countries=[CountryCode(code) for code in entry.countries],
            storefront_url=entry.storefront_url,
        )

    @classmethod
    async def resolve_reference(cls, info: Info, code: str) -> Self | None:
        entry = (await services_of(info).rules()).channels.get(code)
        return cls.of(entry) if entry is not None else None


@strawberry.federation.type(name="Price", description="What a variant costs in a context.", tags=["partner"])
class PriceType:
    sku: strawberry.Private[str]
    price: strawberry.Private[pricing.Price]
    asked: strawberry.Private[pricing.PriceContext]
    current: MoneyType = strawberry.field(description="What is to be paid.")
    list: MoneyType = strawberry.field(description="What it is struck through from; equal when nothing is reduced.")
    lowest30d: MoneyType | None = strawberry.field(
        name="lowest30d", description="The lowest price of the last 30 days."
    )
    tax_included: bool = strawberry.field(description="Whether the amounts include sales tax.")
    source: PriceSource = strawberry.field(description="Which rule made it.")
    price_list_code: str = strawberry.field(description="The list the amount comes from.")
    version: str = strawberry.field(description="Changes whenever the amount could.")
    valid_until: DateTime = strawberry.field(description="Until when the price is promised.")

    @strawberry.field(description="The promise, signed; hand it in at checkout.")
    def quote_token(self, info: Info) -> str:
        return services_of(info).quote_token(self.sku, self.price, self.asked)

    @classmethod
    def of(cls, sku: str, price: pricing.Price, asked: pricing.PriceContext) -> Self:
        return cls(
            sku=sku,
            price=price,
            asked=asked,
            current=MoneyType.of(price.current),
            list=MoneyType.of(price.list),
            lowest30d=MoneyType.of(price.lowest_30d),
            tax_included=price.tax_included,
            source=price.source,
            price_list_code=price.price_list,
            version=price.version,
            valid_until=price.valid_until,
        )


@strawberry.federation.type(description="The cheapest and the dearest variant.", tags=["partner"])
class PriceRange:
    min: MoneyType = strawberry.field(description="Price of the cheapest variant.")
    max: MoneyType = strawberry.field(description="Price of the dearest variant.")


@strawberry.federation.type(
    inaccessible=True, description="What loyalty earns on: the price where the asker stands, by the headers alone."
)
class EarnBasis:
    minor: MinorUnits = strawberry.field(description="Price in minor units.")
    currency: CurrencyCode = strawberry.field(description="Its currency.")
    category_slug: str = strawberry.field(description="The product's category.")
