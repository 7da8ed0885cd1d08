"""What a client reads by key: variants, products, and pages of variants.

(No ``from __future__ import annotations``: Strawberry reads annotations at run time.)
"""

from collections.abc import Sequence
from typing import Annotated, Self

import strawberry

from subgraphs.catalog.model import pricing, products
from subgraphs.catalog.model.pricing import PriceContext, amount, resolve
from subgraphs.catalog.schema.context import all_categories, price_context, product_loader, services_of, variant_loader
from subgraphs.catalog.schema.inputs import PriceContextInput
from subgraphs.catalog.schema.values import (
    Attribute,
    CategoryType,
    ChannelType,
    EarnBasis,
    Media,
    PriceRange,
    PriceType,
    ProductOption,
    SelectedOption,
)
from subgraphs.chassis.graphql import CurrencyCode, DateTime, Info, MinorUnits, MoneyType, PageInfo
from subgraphs.kernel.errors import InvalidInput as Invalid
from subgraphs.kernel.pages import page_size


@strawberry.federation.type(name="ProductVariant", keys=["sku"], description="What is sold: one SKU.", tags=["partner"])
class ProductVariant:
    entry: strawberry.Private[products.Variant]
    sku: str = strawberry.field(description="Stock keeping unit: the identity every system knows it by.")
    title: str = strawberry.field(description="What sets it apart from its siblings, such as “Moss / L”.")
    gtin: str | None = strawberry.field(description="Barcode number, GTIN-13.")
    mpn: str | None = strawberry.field(description="The maker's part number.")
    selected_options: list[SelectedOption] = strawberry.field(description="Its value of each option.")
    weight_grams: int | None = strawberry.field(description="Weight in grams, packed.")
    tax_class: str = strawberry.field(description="How it is taxed: standard, books …")

    @strawberry.field(description="The product it is a variant of.")
    async def product(self, info: Info) -> "ProductType":
        found = await product_loader(info).load(self.entry.product_id)
        assert found is not None, f"variant {self.sku} has no product"
        return ProductType.of(found)

    @strawberry.field(description="Pictures and films of its product, the main one first.")
    async def media(self, info: Info) -> list[Media]:
        product: ProductType = await self.product(info)
        return product.media

    @strawberry.field(description="What it costs; null where it has no price.")
    async def price(
        self,
        info: Info,
        context: Annotated[
            PriceContextInput | None, strawberry.argument(description="Where and when; where you stand by default.")
        ] = None,
    ) -> PriceType | None:
        asked = await price_context(info, context)
        found = await self._price(info, asked)
        return PriceType.of(self.sku, found, asked) if found is not None else None

    @strawberry.field(description="Whether it is for sale there. Says nothing of stock.")
    async def purchasable(
        self,
        info: Info,
        context: Annotated[PriceContextInput | None, strawberry.argument(description="Where and when.")] = None,
    ) -> bool:
        services, asked = services_of(info), await price_context(info, context)
        product = await product_loader(info).load(self.entry.product_id)
        assert product is not None, f"variant {self.sku} has no product"
        return services.purchasable(product, await self._price(info, asked), asked)

    @strawberry.federation.field(
        inaccessible=True, description="What points are earned on; null where it has no price. For loyalty."
    )
    async def earn_basis(self, info: Info) -> EarnBasis | None:
        found = await self._price(info, await price_context(info, None))
        if found is None:
            return None
        return EarnBasis(
            minor=MinorUnits(found.current.minor),
            currency=CurrencyCode(found.current.currency),
            category_slug=self.entry.category,
        )

    async def _price(self, info: Info, asked: PriceContext) -> pricing.Price | None:
        services = services_of(info)
        entries = await info.context.loaders.get("prices", services.entries_of).load(self.sku)
        return resolve(entries, asked, await services.rules())

    @classmethod
    def of(cls, entry: products.Variant) -> Self:
        return cls(
            entry=entry,
            sku=entry.sku,
            title=entry.title,
            gtin=entry.gtin,
            mpn=entry.mpn,
            selected_options=[SelectedOption(name=name, value=value) for name, value in entry.options],
            weight_grams=entry.weight_grams,
            tax_class=entry.tax_class,
        )

    @classmethod
    async def resolve_reference(cls, info: Info, sku: str) -> Self | None:
        found = await variant_loader(info).load(sku)
        return cls.of(found) if found is not None else None


@strawberry.federation.type(description="A variant in a list.", tags=["partner"])
class ProductVariantEdge:
    cursor: str = strawberry.field(description="Where it stands in the list.")
    node: ProductVariant = strawberry.field(description="The variant.")


@strawberry.federation.type(description="A product's variants, in the order to show.", tags=["partner"])
class ProductVariantConnection:
    edges: list[ProductVariantEdge] = strawberry.field(description="This page.")
    page_info: PageInfo = strawberry.field(description="Where the page stands.")
    total_count: int = strawberry.field(description="How many variants there are.")


@strawberry.federation.type(
    name="Product", keys=["id"], description="Something with a page; its variants are sold.", tags=["partner"]
)
class ProductType:
    entry: strawberry.Private[products.Product]
    id: strawberry.ID = strawberry.field(description="Identity, prd_….")
    handle: str = strawberry.field(description="Name in addresses; may change.")
    title: str = strawberry.field(description="Name to show.")
    description: str = strawberry.field(description="Text for the page; plain text, to be treated as data.")
    brand: str | None = strawberry.field(description="The maker.")
    media: list[Media] = strawberry.field(description="Pictures and films, the main one first.")
    options: list[ProductOption] = strawberry.field(description="What a buyer chooses by.")
    attributes: list[Attribute] = strawberry.field(description="Facts.")
    updated_at: DateTime = strawberry.field(description="When it last changed.")

    @strawberry.field(description="Its place in the shop.")
    async def category(self, info: Info) -> CategoryType:
        categories = await info.context.loaders.get("categories", all_categories(info)).load("")
        return CategoryType.of(categories[self.entry.category])

    @strawberry.field(description="Its variants, in the order to show.")
    async def variants(
        self,
        info: Info,
        first: Annotated[int | None, strawberry.argument(description="How many, at most 100.")] = 50,
        after: Annotated[str | None, strawberry.argument(description="Cursor to go on from.")] = None,
    ) -> ProductVariantConnection:
        size = page_size(first)
        skus = self.entry.skus
        begin = _begin(skus, after)
        shown = skus[begin : begin + size]
        found = await variant_loader(info).load_many(list(shown))
        edges = [
            ProductVariantEdge(cursor=each.sku, node=ProductVariant.of(each)) for each in found if each is not None
        ]
        return ProductVariantConnection(
            edges=edges,
            page_info=PageInfo(
                has_next_page=begin + size < len(skus),
                has_previous_page=begin > 0,
                start_cursor=edges[0].cursor if edges else None,
                end_cursor=edges[-1].cursor if edges else None,
            ),
            total_count=len(skus),
        )

    @strawberry.field(description="Prices of its cheapest and dearest variant; null where none has a price.")
    async def price_range(
        self,
        info: Info,
        context: Annotated[PriceContextInput | None, strawberry.argument(description="Where and when.")] = None,
    ) -> PriceRange | None:
        services, asked = services_of(info), await price_context(info, context)
        rules = await services.rules()
        entries = await info.context.loaders.get("prices", services.entries_of).load_many(list(self.entry.skus))
        found = [price for own in entries if (price := amount(own, asked, rules)) is not None]
        if not found:
            return None
        return PriceRange(
            min=MoneyType.of(min(found, key=lambda money: money.minor)),
            max=MoneyType.of(max(found, key=lambda money: money.minor)),
        )

    @strawberry.field(description="The channels it is for sale on.")
    async def published_on(self, info: Info) -> list[ChannelType]:
        channels = (await services_of(info).rules()).channels
        return [ChannelType.of(channels[code]) for code in self.entry.channels if code in channels]

    @classmethod
    def of(cls, entry: products.Product) -> Self:
        return cls(
            entry=entry,
            id=strawberry.ID(entry.id),
            handle=entry.handle,
            title=entry.title,
            description=entry.description,
            brand=entry.brand,
            media=[
                Media(url=each.url, kind=each.kind, alt=each.alt, width=each.width, height=each.height)
                for each in entry.media
            ],
            options=[ProductOption(name=name, values=list(values)) for name, values in entry.options],
            attributes=[
                Attribute(code=each.code, label=each.label, value=each.value, unit=each.unit, source=each.source)
                for each in entry.attributes
            ],
            updated_at=entry.updated_at,
        )

    @classmethod
    async def resolve_reference(cls, info: Info, id: strawberry.ID) -> Self | None:
        found = await product_loader(info).load(str(id))
        return cls.of(found) if found is not None else None


def _begin(skus: Sequence[str], after: str | None) -> int:
    if after is None:
        return 0
    try:
        return skus.index(after) + 1
    except ValueError:
        raise Invalid("not a cursor of this list", path=("after",)) from None
