"""What catalog does for its askers: find, price, promise, reprice. Who may, load, decide, save with events."""

from __future__ import annotations

import secrets
import time
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

from subgraphs.catalog.model.pricing import Price, PriceContext, PriceEntry, Rules, amount, in_force, resolve
from subgraphs.catalog.model.products import Channel, Product, Variant
from subgraphs.catalog.model.search import Hit
from subgraphs.catalog.service.live import PriceFeed
from subgraphs.catalog.service.shelf import Contents, Shelf
from subgraphs.catalog.store import Store
from subgraphs.chassis.idempotency import Idempotency, Payload
from subgraphs.chassis.identity import Principal, RequestContext
from subgraphs.chassis.mongo import Session
from subgraphs.chassis.outbox import EventHub, Outbox
from subgraphs.kernel.clock import Clock, iso
from subgraphs.kernel.errors import Forbidden, InvalidInput, NotFound, VersionConflict
from subgraphs.kernel.events import PriceChanged
from subgraphs.kernel.money import Money
from subgraphs.kernel.pages import CursorCodec, Page, page_size

DEFAULT_CHANNEL = "web-eu"
RULES_TTL_S = 10.0
"""How old channels, lists and rates may be in this process. They change by hand, some times a day."""
VARIANTS_ASKED_MAX = 200
SEARCH_PAGE_MAX = 50
FACET_VALUES_MAX = 30
PRICES_SET_MAX = 500
CLOCKS_APART_MAX = timedelta(minutes=1)
"""How far behind ours the clock may be of who sets a price from *now*."""
WRITE_PRICES = "pricing:write"


class Sort(Enum):
    """Orders of found products. Equal ones follow each other by id, so that pages are stable."""

    RELEVANCE = "RELEVANCE"
    PRICE_ASC = "PRICE_ASC"
    PRICE_DESC = "PRICE_DESC"
    NEWEST = "NEWEST"


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """What found products must be. Values of one kind are alternatives, kinds must all hold."""

    categories: tuple[str, ...] = ()
    brands: tuple[str, ...] = ()
    attributes: tuple[tuple[str, tuple[str, ...]], ...] = ()
    price_min: int | None = None
    price_max: int | None = None
    price_currency: str | None = None
    channel: str | None = None


@dataclass(frozen=True, slots=True)
class Facet:
    code: str
    label: str
    values: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Found:
    """One found product on its page."""

    product: Product
    score: float
    matched_sku: str | None
    explanation: str
    cursor: str


@dataclass(frozen=True, slots=True)
class SearchResult:
    page: Page[Found]
    facets: tuple[Facet, ...]
    query_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPrice:
    sku: str
    money: Money
    valid_from: datetime | None = None
    expected_version: int | None = None


@dataclass(frozen=True, slots=True)
class _Candidate:
    hit: Hit
    product: Product
    low: int
    """The lowest price of its variants, in minor units of the context's currency."""
    prices: tuple[int, ...] = field(default=())


class Catalog:
    def __init__(
        self,
        store: Store,
        outbox: Outbox,
        hub: EventHub,
        idempotency: Idempotency,
        clock: Clock,
        cursors: CursorCodec,
        quotes: CursorCodec,
    ) -> None:
        self.store = store
        self.clock = clock
        self.shelf = Shelf(store, hub)
        self.feed = PriceFeed(hub, cursors, clock)
        self._outbox = outbox
        self._idempotency = idempotency
        self._cursors = cursors
        self._quotes = quotes
        self._rules: Rules | None = None
        self._rules_until = 0.0

    async def rules(self) -> Rules:
        """Channels, price lists and rates, at most ``RULES_TTL_S`` old."""
        if self._rules is None or time.monotonic() >= self._rules_until:
            self._rules = await self.store.rules()
            self._rules_until = time.monotonic() + RULES_TTL_S
        return self._rules

    def context(
        self,
        rules: Rules,
        stands: RequestContext,
        *,
        channel: str | None = None,
        currency: str | None = None,
        country: str | None = None,
        at: datetime | None = None,
    ) -> PriceContext:
        """What an argument says, or, without a channel in it, where the asker stands."""
        if channel is None:
            channel, currency, country = stands.channel, currency or stands.currency, country or stands.country
            if channel is not None and channel not in rules.channels:
                channel = None
            own = rules.channels.get(channel or DEFAULT_CHANNEL)
            if own is not None and currency not in own.currencies:
                currency = None
        return rules.context(channel, currency, country, at or self.clock.now(), default_channel=DEFAULT_CHANNEL)

    async def products_of(self, ids: Sequence[str], parts: Collection[str]) -> list[Product | None]:
        """In the order asked, with these of the store's ``PRODUCT_PARTS``. One query."""
        found = await self.store.products(ids, parts)
        return [found.get(identity) for identity in ids]

    async def variants_of(self, skus: Sequence[str], parts: Collection[str]) -> list[Variant | None]:
        """In the order asked, with these of the store's ``VARIANT_PARTS``. One query."""
        found = await self.store.variants(skus, parts)
        return [found.get(sku) for sku in skus]

    async def entries_of(self, skus: Sequence[str]) -> list[tuple[PriceEntry, ...]]:
        """Explicit prices of each SKU, in the order asked. One query."""
        found = await self.store.prices(skus)
        return [found[sku] for sku in skus]

    async def prices_now(self, skus: Sequence[str], context: PriceContext) -> dict[str, Price | None]:
        """What each SKU costs at this moment, whatever moment the context was made for."""
        rules = await self.rules()
        now = PriceContext(channel=context.channel, currency=context.currency, at=self.clock.now())
        return {sku: resolve(entries, now, rules) for sku, entries in (await self.store.prices(skus)).items()}

    def quote_token(self, sku: str, price: Price, context: PriceContext) -> str:
        """The price as a promise that orders can check: who changed it cannot be the client."""
        return self._quotes.encode(
            "quote",
            sku,
            price.current.minor,
            price.current.currency,
            price.version,
            context.key,
            context.at,  # a price of next week is promised for then, not for today
            price.valid_until,
        )

    @staticmethod
    def purchasable(product: Product, price: Price | None, context: PriceContext) -> bool:
        """For sale on that channel, with a price there, and not discontinued."""
        return product.sellable and product.published_on(context.channel) and price is not None

    async def search(
        self,
        text: str | None,
        wanted: Filter,
        sort: Sort,
        context: PriceContext,
        first: int | None,
        after: str | None,
    ) -> SearchResult:
        """A page of found products. Facets count the whole result, each kind as if it were not filtered by itself."""
        size = page_size(first, SEARCH_PAGE_MAX)
        rules = await self.rules()
        contents = await self.shelf.contents()
        channel = wanted.channel or context.channel
        _must_be_channel(channel, rules.channels)
        candidates = [
            candidate
            for hit in contents.index.find(text or "")
            if (candidate := _candidate(hit, contents, context, rules, channel)) is not None
        ]
        kept = [candidate for candidate in candidates if _passes(candidate, wanted, contents, context, rules, "")]
        kept.sort(key=lambda candidate: _sort_key(candidate, sort))
        begin = _after(kept, sort, self._cursors.decode(after)) if after is not None else 0
        shown = kept[begin : begin + size]
        found = tuple(
            Found(
                candidate.product,
                candidate.hit.score,
                candidate.hit.matched_sku or next(iter(candidate.product.skus), None),
                candidate.hit.explanation,
                self._cursors.encode(sort.value, *_sort_key(candidate, sort)),
            )
            for candidate in shown
        )
        return SearchResult(
            Page(
                items=found,
                start_cursor=found[0].cursor if found else None,
                end_cursor=found[-1].cursor if found else None,
                has_next=begin + size < len(kept),
                has_previous=begin > 0,
                total=len(kept),
            ),
            _facets(candidates, wanted, contents, context, rules),
            f"qry_{secrets.token_hex(8)}",
        )

    async def set_prices(
        self, principal: Principal, price_list: str, prices: Sequence[NewPrice], key: str, arguments: Mapping[str, Any]
    ) -> int:
        """All of the prices or none; each is an entry of its own, with its event. Returns how many changed."""
        if not principal.has(WRITE_PRICES):
            raise Forbidden(f"missing scopes: {WRITE_PRICES}", [WRITE_PRICES])
        rules = await self.store.rules()
        target = rules.lists.get(price_list)
        if target is None:
            raise NotFound(f"there is no price list {price_list!r}", path=("input", "priceListCode"))
        if not 1 <= len(prices) <= PRICES_SET_MAX:
            raise InvalidInput(f"1 to {PRICES_SET_MAX} entries at once", path=("input", "entries"))
        if len({price.sku for price in prices}) != len(prices):
            raise InvalidInput("a SKU is in the entries twice", path=("input", "entries"))
        for price in prices:
            if price.money.currency != target.currency:
                raise InvalidInput(f"list {price_list} is in {target.currency}", path=("input", "entries", "price"))
            if price.money.minor < 0:
                raise InvalidInput("a price is not negative", path=("input", "entries", "price"))
            if price.valid_from is not None and price.valid_from < self.clock.now() - CLOCKS_APART_MAX:
                # What was shown was shown: the lowest price of the last 30 days rests on it.
                raise InvalidInput("a price does not begin in the past", path=("input", "entries", "validFrom"))

        async def work(session: Session) -> Payload:
            skus = sorted(price.sku for price in prices)
            unknown = set(skus) - await self.store.known_skus(skus, session=session)
            if unknown:
                raise NotFound(f"no variant has SKU {min(unknown)!r}", path=("input", "entries", "sku"))
            known = await self.store.prices(skus, session=session)
            now = self.clock.now()
            changed = 0
            for price in sorted(prices, key=lambda each: each.sku):
                own = [entry for entry in known[price.sku] if entry.price_list == price_list]
                version = max((entry.version for entry in own), default=0)
                if price.expected_version is not None and price.expected_version != version:
                    raise VersionConflict(
                        f"{price.sku} in {price_list} is at version {version}",
                        expected=price.expected_version,
                        actual=version,
                    )
                current = in_force(own, now)
                if current is not None and current.minor == price.money.minor and price.valid_from is None:
                    continue
                entry = PriceEntry(
                    sku=price.sku,
                    price_list=price_list,
                    minor=price.money.minor,
                    list_minor=max(price.money.minor, current.list_minor if current is not None else 0),
                    valid_from=price.valid_from or now,
                    valid_to=None,
                    version=version + 1,
                )
                await self.store.add_price(entry, session=session)
                await self._outbox.append(
                    session,
                    PriceChanged(
                        sku=price.sku,
                        price_list=price_list,
                        currency=target.currency,
                        before_minor=current.minor if current is not None else None,
                        after_minor=price.money.minor,
                        version=entry.version,
                    ),
                    aggregate=f"price:{price_list}|{price.sku}",
                    aggregate_version=entry.version,
                )
                changed += 1
            return {"changed": changed, "at": iso(now)}

        payload, _ = await self._idempotency.run(principal.key, "priceSet", key, arguments, work)
        return int(payload["changed"])


def _must_be_channel(code: str, channels: Mapping[str, Channel]) -> None:
    if code not in channels:
        raise InvalidInput(f"there is no channel {code!r}", path=("filter", "channel"))


def _candidate(hit: Hit, contents: Contents, context: PriceContext, rules: Rules, channel: str) -> _Candidate | None:
    """A hit that can be bought on the channel, with its prices; None otherwise."""
    product = contents.index.entries[hit.product_id].product
    if not product.sellable or not product.published_on(channel):
        return None
    minors = tuple(
        price.minor
        for sku in product.skus
        if (price := amount(contents.prices.get(sku, ()), context, rules)) is not None
    )
    return _Candidate(hit, product, min(minors), minors) if minors else None


def _passes(
    candidate: _Candidate, wanted: Filter, contents: Contents, context: PriceContext, rules: Rules, but: str
) -> bool:
    """Whether it passes all filters, except the one of the facet ``but``."""
    product = candidate.product
    if but != "category" and wanted.categories:
        lineage = contents.index.entries[product.id].categories
        if not any(slug in lineage for slug in wanted.categories):
            return False
    if but != "brand" and wanted.brands and product.brand not in wanted.brands:
        return False
    for code, values in wanted.attributes:
        if but != code and not any(a.code == code and a.value in values for a in product.attributes):
            return False
    if wanted.price_min is None and wanted.price_max is None:
        return True
    currency = wanted.price_currency or context.currency
    low = rules.convert(wanted.price_min, currency, context.currency) if wanted.price_min is not None else None
    high = rules.convert(wanted.price_max, currency, context.currency) if wanted.price_max is not None else None
    return any((low is None or low <= minor) and (high is None or minor <= high) for minor in candidate.prices)


def _facets(
    candidates: Sequence[_Candidate], wanted: Filter, contents: Contents, context: PriceContext, rules: Rules
) -> tuple[Facet, ...]:
    labels = {"category": "Category", "brand": "Brand", "material": "Material"}
    facets = []
    for code, label in labels.items():
        counts: Counter[str] = Counter()
        for candidate in candidates:
            if not _passes(candidate, wanted, contents, context, rules, code):
                continue
            product = candidate.product
            if code == "category":
                counts[product.category] += 1
            elif code == "brand":
                counts[product.brand or ""] += bool(product.brand)
            else:
                counts.update(attribute.value for attribute in product.attributes if attribute.code == code)
        values = sorted(((value, count) for value, count in counts.items() if count), key=lambda v: (-v[1], v[0]))
        facets.append(Facet(code, label, tuple(values[:FACET_VALUES_MAX])))
    return tuple(facets)


def _sort_key(candidate: _Candidate, sort: Sort) -> tuple[float | str, str]:
    identity = candidate.product.id
    match sort:
        case Sort.RELEVANCE:
            return -candidate.hit.score, identity
        case Sort.PRICE_ASC:
            return candidate.low, identity
        case Sort.PRICE_DESC:
            return -candidate.low, identity
        case Sort.NEWEST:
            return -candidate.product.updated_at.timestamp(), identity


def _after(kept: Sequence[_Candidate], sort: Sort, cursor: Sequence[Any]) -> int:
    """How many stand at or before the cursor.

    By value, so a product that came or went moves nothing else. But scores are relative to all products: one more
    moves them all a little, so by relevance a product that is still there counts by its place.
    """
    if len(cursor) != 3 or cursor[0] != sort.value:
        raise InvalidInput("the cursor belongs to another sort order", path=("after",))
    if sort is Sort.RELEVANCE:
        for place, candidate in enumerate(kept):
            if candidate.product.id == cursor[2]:
                return place + 1
    stands = (cursor[1], cursor[2])
    return sum(_sort_key(candidate, sort) <= stands for candidate in kept)
