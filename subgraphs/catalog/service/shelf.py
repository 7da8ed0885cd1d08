"""The shelf: what search looks at, in the memory of this process; rebuilt from the database, kept true by events.

What a loader or an import writes straight into the database comes without an event, so the shelf also looks, every few
seconds, whether there is as much as it holds.

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

LOOK_S = 5.0


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
        self._filled_at = 0
        """The hub's position before the last filling read."""
        self._mark: tuple[object, ...] = ()

    async def contents(self) -> Contents:
        """What there is now; waits for the first filling."""
        await self._filled.wait()
        assert self._contents is not None
        return self._contents

    async def keep(self) -> None:
        """Fill, then follow the events. Registered before reading, so nothing falls in between."""
        subscription = self._hub.subscribe([ProductChanged.TYPE, PriceChanged.TYPE])
        await self._fill()
        now = asyncio.get_running_loop().time
        look_at = now() + LOOK_S
        while True:
            try:
                async with asyncio.timeout_at(look_at):
                    news = await anext(subscription, None)
            except TimeoutError:
                if await self._store.mark() != self._mark:
                    await self._fill()
                look_at = now() + LOOK_S
                continue
            if news is None:
                return
            if isinstance(news, Lagged):
                await self._fill()
            elif news.seq is not None and news.seq <= self._filled_at:
                continue  # the last filling read it already: a thousand new products are a few fillings
            elif news.type == ProductChanged.TYPE:
                await self._fill()
            else:
                await self._reprice(str(news.data["sku"]))

    async def _fill(self) -> None:
        self._filled_at = self._hub.position
        self._mark = await self._store.mark()
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
