"""Catalog's GraphQL: types, resolvers, reference resolvers through loaders. No decisions, no queries.

(No ``from __future__ import annotations``: Strawberry reads annotations at run time.)
"""

from collections.abc import AsyncIterator, Sequence
from typing import Annotated, Any, Self

import strawberry

from subgraphs.catalog.model import pricing, products
from subgraphs.catalog.model.pricing import PriceContext, PriceSource, resolve
from subgraphs.catalog.service.catalog import (
    SEARCH_PAGE_MAX,
    VARIANTS_ASKED_MAX,
    Catalog,
    Filter,
    NewPrice,
    Sort,
)
from subgraphs.catalog.service.live import PriceNews, PriceSelector
from subgraphs.chassis.graphql import (
    ChannelKind,
    CountryCode,
    CurrencyCode,
    DateTime,
    Decimal,
    Forbidden,
    IdempotencyConflict,
    IdempotencyKey,
    Info,
    InvalidInput,
    MinorUnits,
    MoneyInput,
    MoneyType,
    NotFound,
    PageInfo,
    RequestInFlight,
    StreamEventKind,
    VersionConflict,
    build_schema,
    to_graphql_error,
)
from subgraphs.kernel.errors import DomainError
from subgraphs.kernel.errors import InvalidInput as Invalid
from subgraphs.kernel.pages import page_size

strawberry.enum(PriceSource, description="Which rule made a price: an explicit one in a list, or a conversion.")
strawberry.enum(
    Sort, name="ProductSort", description="Order of found products; equal ones follow each other by id, stably."
)


def _services(info: Info) -> Catalog:
    services: Catalog = info.context.services
    return services


# Inputs


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


# Small types


@strawberry.type(description="A picture or film.")
class Media:
    url: str = strawberry.field(description="Where it is; may be a data URL.")
    kind: str = strawberry.field(description="IMAGE or VIDEO.")
    alt: str | None = strawberry.field(description="What it shows, in words.")
    width: int | None = strawberry.field(description="Width in pixels.")
    height: int | None = strawberry.field(description="Height in pixels.")


@strawberry.type(description="A property a buyer chooses by, such as Colour.")
class ProductOption:
    name: str = strawberry.field(description="Name to show.")
    values: list[str] = strawberry.field(description="Values to choose from, in the order to show.")


@strawberry.type(description="What a variant is in one of its product's options.")
class SelectedOption:
    name: str = strawberry.field(description="The option.")
    value: str = strawberry.field(description="The variant's value.")


@strawberry.type(description="A fact about a product.")
class Attribute:
    code: str = strawberry.field(description="Stable code.")
    label: str = strawberry.field(description="Name to show.")
    value: str = strawberry.field(description="The value, as text.")
    unit: str | None = strawberry.field(description="Unit of the value, if it has one.")
    source: str = strawberry.field(description="Who claims it.")


@strawberry.type(name="Category", description="A shelf of the shop.")
class CategoryType:
    entry: strawberry.Private[products.Category]
    id: strawberry.ID = strawberry.field(description="Identity, cat_….")
    slug: str = strawberry.field(description="Name in addresses.")
    name: str = strawberry.field(description="Name to show.")

    @strawberry.field(description="The category above; null for a department.")
    async def parent(self, info: Info) -> "CategoryType | None":
        categories = await info.context.loaders.get("categories", _all_categories(info)).load("")
        above = categories.get(self.entry.parent or "")
        return CategoryType.of(above) if above is not None else None

    @strawberry.field(description="The categories right below, by name.")
    async def children(self, info: Info) -> list["CategoryType"]:
        categories = await info.context.loaders.get("categories", _all_categories(info)).load("")
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
        above = (await _services(info).rules()).lists.get(self.entry.parent or "")
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


@strawberry.federation.type(name="Channel", keys=["code"], description="A place of sale.")
class ChannelType:
    entry: strawberry.Private[products.Channel]
    code: str = strawberry.field(description="Identity, readable.")
    name: str = strawberry.field(description="Name to show.")
    kind: ChannelKind = strawberry.field(description="What kind of place it is.")
    currencies: list[CurrencyCode] = strawberry.field(description="Currencies it sells in; the first is its own.")
    countries: list[CountryCode] = strawberry.field(description="Countries it sells to.")
    storefront_url: str | None = strawberry.field(description="Its shop front, if it has one on the web.")

    @strawberry.field(description="The price list it sells by.")
    async def price_list(self, info: Info) -> PriceListType:
        return PriceListType.of((await _services(info).rules()).lists[self.entry.price_list])

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
        entry = (await _services(info).rules()).channels.get(code)
        return cls.of(entry) if entry is not None else None


@strawberry.type(name="Price", description="What a variant costs in a context.")
class PriceType:
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
    quote_token: str = strawberry.field(description="The promise, signed; hand it in at checkout.")


@strawberry.type(description="The cheapest and the dearest variant.")
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


# Entities


@strawberry.federation.type(name="ProductVariant", keys=["sku"], description="What is sold: one SKU.")
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
        found = await info.context.loaders.get("products", _services(info).products_of).load(self.entry.product_id)
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
        services, asked = _services(info), await _context(info, context)
        found = await self._price(info, asked)
        if found is None:
            return None
        return PriceType(
            current=MoneyType.of(found.current),
            list=MoneyType.of(found.list),
            lowest30d=MoneyType.of(found.lowest_30d) if found.lowest_30d is not None else None,
            tax_included=found.tax_included,
            source=found.source,
            price_list_code=found.price_list,
            version=found.version,
            valid_until=found.valid_until,
            quote_token=services.quote_token(self.sku, found, asked),
        )

    @strawberry.field(description="Whether it is for sale there. Says nothing of stock.")
    async def purchasable(
        self,
        info: Info,
        context: Annotated[PriceContextInput | None, strawberry.argument(description="Where and when.")] = None,
    ) -> bool:
        services, asked = _services(info), await _context(info, context)
        product = await info.context.loaders.get("products", services.products_of).load(self.entry.product_id)
        assert product is not None, f"variant {self.sku} has no product"
        return services.purchasable(product, await self._price(info, asked), asked)

    @strawberry.federation.field(
        inaccessible=True, description="What points are earned on; null where it has no price. For loyalty."
    )
    async def earn_basis(self, info: Info) -> EarnBasis | None:
        found = await self._price(info, await _context(info, None))
        if found is None:
            return None
        return EarnBasis(
            minor=MinorUnits(found.current.minor),
            currency=CurrencyCode(found.current.currency),
            category_slug=self.entry.category,
        )

    async def _price(self, info: Info, asked: PriceContext) -> pricing.Price | None:
        services = _services(info)
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
        found = await info.context.loaders.get("variants", _services(info).variants_of).load(sku)
        return cls.of(found) if found is not None else None


@strawberry.type(description="A variant in a list.")
class ProductVariantEdge:
    cursor: str = strawberry.field(description="Where it stands in the list.")
    node: ProductVariant = strawberry.field(description="The variant.")


@strawberry.type(description="A product's variants, in the order to show.")
class ProductVariantConnection:
    edges: list[ProductVariantEdge] = strawberry.field(description="This page.")
    page_info: PageInfo = strawberry.field(description="Where the page stands.")
    total_count: int = strawberry.field(description="How many variants there are.")


@strawberry.federation.type(name="Product", keys=["id"], description="Something with a page; its variants are sold.")
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
        categories = await info.context.loaders.get("categories", _all_categories(info)).load("")
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
        found = await info.context.loaders.get("variants", _services(info).variants_of).load_many(list(shown))
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
        services, asked = _services(info), await _context(info, context)
        rules = await services.rules()
        entries = await info.context.loaders.get("prices", services.entries_of).load_many(list(self.entry.skus))
        found = [price.current for own in entries if (price := resolve(own, asked, rules)) is not None]
        if not found:
            return None
        return PriceRange(
            min=MoneyType.of(min(found, key=lambda money: money.minor)),
            max=MoneyType.of(max(found, key=lambda money: money.minor)),
        )

    @strawberry.field(description="The channels it is for sale on.")
    async def published_on(self, info: Info) -> list[ChannelType]:
        channels = (await _services(info).rules()).channels
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
        found = await info.context.loaders.get("products", _services(info).products_of).load(str(id))
        return cls.of(found) if found is not None else None


# Search


@strawberry.type(description="How many found products have a value.")
class FacetValue:
    value: str = strawberry.field(description="The value; hand it back in a filter.")
    count: int = strawberry.field(description="Products that have it.")


@strawberry.type(description="A property of what was found.")
class Facet:
    code: str = strawberry.field(description="category, brand, or an attribute's code.")
    label: str = strawberry.field(description="Name to show.")
    values: list[FacetValue] = strawberry.field(description="Its values, the most frequent first.")


@strawberry.type(description="A found product.")
class ProductSearchEdge:
    cursor: str = strawberry.field(description="Where it stands in the result; stays good when products come and go.")
    node: ProductType = strawberry.field(description="The product.")
    score: float = strawberry.field(description="How well it fits the words; comparable within one answer only.")
    matched_variant: ProductVariant | None = strawberry.field(description="The variant that fits the words best.")
    explanation: str | None = strawberry.field(description="Why it was found.")


@strawberry.type(description="Found products.")
class ProductSearchConnection:
    edges: list[ProductSearchEdge] = strawberry.field(description="This page.")
    facets: list[Facet] = strawberry.field(description="What the whole result is made of.")
    page_info: PageInfo = strawberry.field(description="Where the page stands.")
    total_count: int = strawberry.field(description="How many products were found.")
    query_id: strawberry.ID = strawberry.field(description="Names this search, for feedback.")


# Payloads and events

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


# Roots


@strawberry.type
class Query:
    @strawberry.field(description="One product, by id or by handle.")
    async def product(
        self,
        info: Info,
        id: Annotated[strawberry.ID | None, strawberry.argument(description="Identity, prd_….")] = None,
        handle: Annotated[str | None, strawberry.argument(description="Name in addresses.")] = None,
    ) -> ProductType | None:
        services = _services(info)
        if (id is None) == (handle is None):
            raise Invalid("name a product by id or by handle, one of them", path=("id",))
        if id is not None:
            return await ProductType.resolve_reference(info, id)
        found = await services.store.product_by_handle(handle or "")
        return ProductType.of(found) if found is not None else None

    @strawberry.field(description="One variant by its SKU.")
    async def variant(
        self, info: Info, sku: Annotated[str, strawberry.argument(description="The SKU.")]
    ) -> ProductVariant | None:
        return await ProductVariant.resolve_reference(info, sku)

    @strawberry.field(description="Variants by SKU, in the order asked; null for one that does not exist.")
    async def variants(
        self, info: Info, skus: Annotated[list[str], strawberry.argument(description="The SKUs, at most 200.")]
    ) -> list[ProductVariant | None]:
        if len(skus) > VARIANTS_ASKED_MAX:
            raise Invalid(f"at most {VARIANTS_ASKED_MAX} SKUs at once, not {len(skus)}", path=("skus",))
        found = await info.context.loaders.get("variants", _services(info).variants_of).load_many(skus)
        return [ProductVariant.of(each) if each is not None else None for each in found]

    @strawberry.field(description="The variant with this barcode.")
    async def variant_by_barcode(
        self, info: Info, gtin: Annotated[str, strawberry.argument(description="The GTIN as scanned.")]
    ) -> ProductVariant | None:
        found = await _services(info).store.variant_by_gtin(gtin)
        return ProductVariant.of(found) if found is not None else None

    @strawberry.field(description="Products that can be bought on a channel, found by words and filters.")
    async def search_products(
        self,
        info: Info,
        query: Annotated[str | None, strawberry.argument(description="Words; typos are forgiven.")] = None,
        filter: Annotated[ProductFilter | None, strawberry.argument(description="What they must be.")] = None,
        sort: Annotated[Sort, strawberry.argument(description="Their order.")] = Sort.RELEVANCE,
        context: Annotated[
            PriceContextInput | None, strawberry.argument(description="Where and when they would be bought.")
        ] = None,
        first: Annotated[int | None, strawberry.argument(description=f"How many, at most {SEARCH_PAGE_MAX}.")] = 24,
        after: Annotated[str | None, strawberry.argument(description="Cursor to go on from.")] = None,
    ) -> ProductSearchConnection:
        services, asked = _services(info), await _context(info, context)
        result = await services.search(query, _filter(filter), sort, asked, first, after)
        matched = await info.context.loaders.get("variants", services.variants_of).load_many(
            [found.matched_sku or "" for found in result.page.items]
        )
        return ProductSearchConnection(
            edges=[
                ProductSearchEdge(
                    cursor=found.cursor,
                    node=ProductType.of(found.product),
                    score=found.score,
                    matched_variant=ProductVariant.of(variant) if variant is not None else None,
                    explanation=found.explanation,
                )
                for found, variant in zip(result.page.items, matched, strict=True)
            ],
            facets=[
                Facet(
                    code=facet.code,
                    label=facet.label,
                    values=[FacetValue(value=value, count=count) for value, count in facet.values],
                )
                for facet in result.facets
            ],
            page_info=PageInfo.of(result.page),
            total_count=result.page.total or 0,
            query_id=strawberry.ID(result.query_id),
        )

    @strawberry.field(description="One category by its slug.")
    async def category(
        self, info: Info, slug: Annotated[str, strawberry.argument(description="Name in addresses.")]
    ) -> CategoryType | None:
        categories = await info.context.loaders.get("categories", _all_categories(info)).load("")
        return CategoryType.of(categories[slug]) if slug in categories else None

    @strawberry.field(description="One channel by its code.")
    async def channel(
        self, info: Info, code: Annotated[str, strawberry.argument(description="The code.")]
    ) -> ChannelType | None:
        return await ChannelType.resolve_reference(info, code)

    @strawberry.field(description="Every channel, by code.")
    async def channels(self, info: Info) -> list[ChannelType]:
        found = (await _services(info).rules()).channels
        return [ChannelType.of(found[code]) for code in sorted(found)]


@strawberry.type
class Mutation:
    @strawberry.federation.mutation(
        description="Set explicit prices in a list: all of them, or none.", requires_scopes=[["pricing:write"]]
    )
    async def price_set(
        self,
        info: Info,
        input: Annotated[PriceSetInput, strawberry.argument(description="The prices.")],
        idempotency_key: Annotated[IdempotencyKey, strawberry.argument(description="Names this intention.")],
    ) -> PriceSetPayload:
        prices = [
            NewPrice(
                sku=entry.sku,
                money=entry.price.to_money(),
                valid_from=entry.valid_from,
                expected_version=entry.expected_version,
            )
            for entry in input.entries
        ]
        try:
            changed = await _services(info).set_prices(
                info.context.principal,
                input.price_list_code,
                prices,
                idempotency_key,
                {"input": strawberry.asdict(input)},
            )
        except DomainError as refusal:
            return PriceSetPayload(changed=0, errors=[to_graphql_error(refusal)])
        return PriceSetPayload(changed=changed, errors=[])


@strawberry.type
class Subscription:
    @strawberry.subscription(description="What SKUs cost now, then each change.")
    async def price_changed(
        self,
        info: Info,
        skus: Annotated[list[str], strawberry.argument(description="The SKUs, at most 50.")],
        context: Annotated[PriceContextInput, strawberry.argument(description="Where they would be bought.")],
        drop_only: Annotated[bool, strawberry.argument(description="Tell of drops only.")] = False,
        min_drop_percent: Annotated[
            Decimal | None, strawberry.argument(description="Tell of drops of at least this many percent.")
        ] = None,
        resume_token: Annotated[
            str | None, strawberry.argument(description="From the last event seen, to go on from there.")
        ] = None,
    ) -> AsyncIterator[PriceChangeEvent]:
        services, asked = _services(info), await _context(info, context)
        selector = PriceSelector(
            tuple(sorted(set(skus))), asked.key, drop_only, min_drop_percent if min_drop_percent else Decimal(0)
        )

        async def pricing_now(wanted: Sequence[str]) -> dict[str, pricing.Price | None]:
            return await services.prices_now(wanted, asked)

        async for news in services.feed.watch(selector, pricing_now, resume_token):
            variant = (await services.variants_of([news.sku]))[0]
            if variant is not None:
                yield _event(news, variant)


def _event(news: PriceNews, variant: products.Variant) -> PriceChangeEvent:
    return PriceChangeEvent(
        kind=StreamEventKind[news.kind],
        variant=ProductVariant.of(variant),
        before=MoneyType.of(news.before) if news.before is not None else None,
        after=MoneyType.of(news.after),
        resume_token=news.resume_token,
        at=news.at,
    )


async def _context(info: Info, given: PriceContextInput | None) -> PriceContext:
    services, stands = _services(info), info.context.request_context
    if given is None:
        return await services.context(stands)
    return await services.context(
        stands, channel=given.channel, currency=given.currency, country=given.country, at=given.at
    )


def _filter(given: ProductFilter | None) -> Filter:
    if given is None:
        return Filter()
    return Filter(
        categories=tuple(given.categories or ()),
        brands=tuple(given.brands or ()),
        attributes=tuple((each.code, tuple(each.values)) for each in given.attributes or ()),
        price_min=given.price.min if given.price is not None else None,
        price_max=given.price.max if given.price is not None else None,
        price_currency=given.price.currency if given.price is not None else None,
        channel=given.channel,
    )


def _all_categories(info: Info) -> Any:
    """A batch function that reads the categories once a request, under one key."""
    store = _services(info).store

    async def read(keys: Sequence[str]) -> list[dict[str, products.Category]]:
        categories = await store.categories()
        return [categories for _ in keys]

    return read


def _begin(skus: Sequence[str], after: str | None) -> int:
    if after is None:
        return 0
    try:
        return skus.index(after) + 1
    except ValueError:
        raise Invalid("not a cursor of this list", path=("after",)) from None


SCHEMA = build_schema(Query, Mutation, Subscription)
