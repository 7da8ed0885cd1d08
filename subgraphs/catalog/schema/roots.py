"""Queries, mutations and subscriptions: each hands what it was given to one use case.

(No ``from __future__ import annotations``: Strawberry reads annotations at run time.)
"""

from collections.abc import AsyncIterator, Sequence
from typing import Annotated

import strawberry

from subgraphs.catalog.model import pricing, products
from subgraphs.catalog.schema.context import all_categories, price_context, services_of, variant_loader
from subgraphs.catalog.schema.entities import ProductType, ProductVariant
from subgraphs.catalog.schema.inputs import PriceContextInput, PriceSetInput, ProductFilter
from subgraphs.catalog.schema.payloads import (
    Facet,
    FacetValue,
    PriceChangeEvent,
    PriceSetPayload,
    ProductSearchConnection,
    ProductSearchEdge,
)
from subgraphs.catalog.schema.values import CategoryType, ChannelType
from subgraphs.catalog.service.catalog import SEARCH_PAGE_MAX, VARIANTS_ASKED_MAX, Filter, NewPrice, Sort
from subgraphs.catalog.service.live import PriceNews, PriceSelector
from subgraphs.catalog.store import PRODUCT_PARTS
from subgraphs.chassis.graphql import (
    Decimal,
    IdempotencyKey,
    Info,
    Live,
    MoneyType,
    PageInfo,
    StreamEventKind,
    asked,
    to_graphql_error,
)
from subgraphs.kernel.errors import DomainError
from subgraphs.kernel.errors import InvalidInput as Invalid


@strawberry.type
class Query:
    @strawberry.federation.field(description="One product, by id or by handle.", tags=["partner"])
    async def product(
        self,
        info: Info,
        id: Annotated[strawberry.ID | None, strawberry.argument(description="Identity, prd_….")] = None,
        handle: Annotated[str | None, strawberry.argument(description="Name in addresses.")] = None,
    ) -> ProductType | None:
        services = services_of(info)
        if (id is None) == (handle is None):
            raise Invalid("name a product by id or by handle, one of them", path=("id",))
        if id is not None:
            return await ProductType.resolve_reference(info, id)
        found = await services.store.product_by_handle(handle or "", asked(info, PRODUCT_PARTS))
        return ProductType.of(found) if found is not None else None

    @strawberry.federation.field(description="One variant by its SKU.", tags=["partner"])
    async def variant(
        self, info: Info, sku: Annotated[str, strawberry.argument(description="The SKU.")]
    ) -> ProductVariant | None:
        return await ProductVariant.resolve_reference(info, sku)

    @strawberry.federation.field(
        description="Variants by SKU, in the order asked; null for one that does not exist.", tags=["partner"]
    )
    async def variants(
        self, info: Info, skus: Annotated[list[str], strawberry.argument(description="The SKUs, at most 200.")]
    ) -> list[ProductVariant | None]:
        if len(skus) > VARIANTS_ASKED_MAX:
            raise Invalid(f"at most {VARIANTS_ASKED_MAX} SKUs at once, not {len(skus)}", path=("skus",))
        found = await variant_loader(info).load_many(skus)
        return [ProductVariant.of(each) if each is not None else None for each in found]

    @strawberry.federation.field(description="The variant with this barcode.", tags=["partner"])
    async def variant_by_barcode(
        self, info: Info, gtin: Annotated[str, strawberry.argument(description="The GTIN as scanned.")]
    ) -> ProductVariant | None:
        found = await services_of(info).store.variant_by_gtin(gtin)
        return ProductVariant.of(found) if found is not None else None

    @strawberry.federation.field(
        description="Products that can be bought on a channel, found by words and filters.", tags=["partner"]
    )
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
        services, where = services_of(info), await price_context(info, context)
        result = await services.search(query, _filter(filter), sort, where, first, after)
        matched = await variant_loader(info).load_many([found.matched_sku or "" for found in result.page.items])
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

    @strawberry.federation.field(description="One category by its slug.", tags=["partner"])
    async def category(
        self, info: Info, slug: Annotated[str, strawberry.argument(description="Name in addresses.")]
    ) -> CategoryType | None:
        categories = await info.context.loaders.get("categories", all_categories(info)).load("")
        return CategoryType.of(categories[slug]) if slug in categories else None

    @strawberry.field(description="One channel by its code.")
    async def channel(
        self, info: Info, code: Annotated[str, strawberry.argument(description="The code.")]
    ) -> ChannelType | None:
        return await ChannelType.resolve_reference(info, code)

    @strawberry.field(description="Every channel, by code.")
    async def channels(self, info: Info) -> list[ChannelType]:
        found = (await services_of(info).rules()).channels
        return [ChannelType.of(found[code]) for code in sorted(found)]


@strawberry.type
class Mutation:
    @strawberry.federation.mutation(
        description="Set explicit prices in a list: all of them, or none.",
        requires_scopes=[["pricing:write"]],
        tags=["staff"],
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
            changed = await services_of(info).set_prices(
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
    @strawberry.subscription(
        directives=[Live(kind="kind", resume="resumeToken")], description="What SKUs cost now, then each change."
    )
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
        services, where = services_of(info), await price_context(info, context)
        selector = PriceSelector(
            tuple(sorted(set(skus))),
            where.key,
            drop_only or min_drop_percent is not None,
            min_drop_percent if min_drop_percent is not None else Decimal(0),
        )

        async def pricing_now(wanted: Sequence[str]) -> dict[str, pricing.Price | None]:
            return await services.prices_now(wanted, where)

        async for news in services.feed.watch(selector, pricing_now, resume_token):
            variant = await variant_loader(info).load(news.sku)
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
