"""The shelf: what search looks at, in the memory of this process; rebuilt from the database, kept true by events.

A shelf is a convenience, never the truth: prices and products that are *shown* are read from the database. It is
swapped whole, so a search sees one state from beginning to end.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

from subgraphs.catalog.model.pricing import PriceEntry
from subgraphs.catalog.model.products import Category
from subgraphs.catalog.model.search import SearchIndex
from subgraphs.catalog.store import Store
from subgraphs.chassis.outbox import EventHub, Lagged
from subgraphs.kernel.events import PriceChanged, ProductChanged


@dataclass(frozen=True, slots=True)
class Contents:
    index: SearchIndex
    prices: dict[str, tuple[PriceEntry, ...]]
    categories: dict[str, Category]


class Shelf:
    """``contents`` is always complete; ``keep`` runs for the life of the process."""

    def __init__(self, store: Store, hub: EventHub) -> None:
        self._store = store
        self._hub = hub
        self._contents: Contents | None = None
        self._filled = asyncio.Event()

    async def contents(self) -> Contents:
        """What there is now; waits for the first filling."""
        await self._filled.wait()
        assert self._contents is not None
        return self._contents

    async def keep(self) -> None:
        """Fill, then follow the events. Registered before reading, so nothing falls in between."""
        subscription = self._hub.subscribe([ProductChanged.TYPE, PriceChanged.TYPE])
        await self._fill()
        async for news in subscription:
            if isinstance(news, Lagged) or news.type == ProductChanged.TYPE:
                await self._fill()
            else:
                await self._reprice(str(news.data["sku"]))

    async def _fill(self) -> None:
        categories = await self._store.categories()
        products = await self._store.all_products()
        variants = await self._store.all_variants()
        prices = await self._store.all_prices()
        # Building takes tens of milliseconds per thousand products: not on the loop that answers requests.
        index = await asyncio.to_thread(SearchIndex.build, products, variants, categories)
        self._contents = Contents(index, prices, categories)
        self._filled.set()

    async def _reprice(self, sku: str) -> None:
        assert self._contents is not None
        self._contents = replace(self._contents, prices={**self._contents.prices, **await self._store.prices([sku])})
