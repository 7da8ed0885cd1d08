"""What a resolver takes from the request: its services, the prices' context, the categories.

(No ``from __future__ import annotations``: Strawberry reads annotations at run time.)
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

from subgraphs.catalog.model import products
from subgraphs.catalog.model.pricing import PriceContext
from subgraphs.catalog.schema.inputs import PriceContextInput
from subgraphs.catalog.service.catalog import Catalog
from subgraphs.catalog.store import PRODUCT_PARTS, VARIANT_PARTS
from subgraphs.chassis.graphql import Info, asked
from subgraphs.chassis.loaders import DataLoader


def services_of(info: Info) -> Catalog:
    """The use cases this request may call."""
    services: Catalog = info.context.services
    return services


def product_loader(info: Info) -> DataLoader[str, products.Product | None]:
    """Products by id, with what the operation asks of them."""
    parts = asked(info, PRODUCT_PARTS)
    # The operations of one socket share its loaders, and may ask for different things.
    name = " ".join(["products", *sorted(parts)])
    return info.context.loaders.get(name, partial(services_of(info).products_of, parts=parts))


def variant_loader(info: Info) -> DataLoader[str, products.Variant | None]:
    """Variants by SKU, with what the operation asks of them."""
    parts = asked(info, VARIANT_PARTS)
    name = " ".join(["variants", *sorted(parts)])
    return info.context.loaders.get(name, partial(services_of(info).variants_of, parts=parts))


async def price_context(info: Info, given: PriceContextInput | None) -> PriceContext:
    """Where and when prices are asked for: as the input says, or else the request."""
    services, stands = services_of(info), info.context.request_context
    rules = await services.rules()

    def meant() -> PriceContext:
        if given is None:
            return services.context(rules, stands)
        return services.context(
            rules, stands, channel=given.channel, currency=given.currency, country=given.country, at=given.at
        )

    return info.context.once(PriceContext, given, meant)


def all_categories(info: Info) -> Any:
    """A batch function that reads the categories once a request, under one key."""
    store = services_of(info).store

    async def read(keys: Sequence[str]) -> list[dict[str, products.Category]]:
        categories = await store.categories()
        return [categories for _ in keys]

    return read
