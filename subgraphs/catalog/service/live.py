"""Live prices: what each SKU costs now, then each change that the watcher asked to hear of.

The watcher registers with the hub before it reads, so no change falls in between. An event of the hub only says *which*
SKU to read again; the price itself comes from the database through the one resolver, in the watcher's own context. So
events may come late or twice: a price that is as it was is no news. Nor is there an event when a scheduled price begins
or ends; a price says until when it is promised, and is read again then.

A resume token holds the SKU, the amount last told and the selection it belongs to; resuming tells what changed since.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Literal

from subgraphs.catalog.model.pricing import QUOTE_TTL, Price
from subgraphs.chassis.outbox import EventHub, Lagged, Subscription
from subgraphs.kernel.clock import Clock
from subgraphs.kernel.errors import InvalidInput
from subgraphs.kernel.events import Envelope, PriceChanged
from subgraphs.kernel.money import Money
from subgraphs.kernel.pages import CursorCodec

WATCHED_SKUS_MAX = 50
_STREAM = "catalog.prices"
_PAUSE_MIN = timedelta(milliseconds=50)


@dataclass(frozen=True, slots=True)
class PriceSelector:
    skus: tuple[str, ...]
    context_key: str
    drop_only: bool
    drop_percent_min: Decimal

    @property
    def digest(self) -> str:
        """Equal for equal selections in every process."""
        return hashlib.sha256(repr(self).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceNews:
    kind: Literal["SNAPSHOT", "DELTA"]
    sku: str
    before: Money | None
    after: Money
    resume_token: str
    at: datetime


Pricing = Callable[[Sequence[str]], Awaitable[dict[str, Price | None]]]
"""Prices of SKUs now, in the watcher's context."""


class PriceFeed:
    def __init__(self, hub: EventHub, tokens: CursorCodec, clock: Clock) -> None:
        self._hub = hub
        self._tokens = tokens
        self._clock = clock

    async def watch(
        self, selector: PriceSelector, pricing: Pricing, resume_token: str | None = None
    ) -> AsyncIterator[PriceNews]:
        """A ``SNAPSHOT`` a SKU (or, resumed, what changed since), then ``DELTA``s."""
        if not 1 <= len(selector.skus) <= WATCHED_SKUS_MAX:
            raise InvalidInput(f"1 to {WATCHED_SKUS_MAX} SKUs can be watched at once", path=("skus",))
        if not 0 <= selector.drop_percent_min <= 100:
            raise InvalidInput("a drop is 0 to 100 percent", path=("minDropPercent",))
        told = self._told(resume_token, selector) if resume_token is not None else {}
        subscription = self._hub.subscribe([PriceChanged.TYPE])
        prices = await pricing(selector.skus)
        for sku, price in prices.items():
            if price is None:
                continue
            if sku not in told:
                told[sku] = price.current.minor
                yield self._news("SNAPSHOT", selector, sku, None, price.current, told)
            elif (news := self._judge(selector, sku, price.current, told)) is not None:
                yield news
        while True:
            try:
                event = await self._heard(subscription, prices.values())
            except TimeoutError:
                touched = list(selector.skus)
            else:
                if event is None:
                    return
                changed = None if isinstance(event, Lagged) else event.data["sku"]
                touched = [sku for sku in selector.skus if changed in (None, sku)]
            if not touched:
                continue
            read = await pricing(touched)
            prices |= read
            for sku, price in read.items():
                if price is not None and (news := self._judge(selector, sku, price.current, told)) is not None:
                    yield news

    async def _heard(self, subscription: Subscription, prices: Iterable[Price | None]) -> Envelope | Lagged | None:
        """The next event, None at the end of all; TimeoutError when a price's promise ends before one comes."""
        now = self._clock.now()
        until = min((price.valid_until for price in prices if price is not None), default=now + QUOTE_TTL)
        async with asyncio.timeout(max(until - now, _PAUSE_MIN).total_seconds()):
            return await anext(subscription, None)

    def _judge(self, selector: PriceSelector, sku: str, now: Money, told: dict[str, int]) -> PriceNews | None:
        """News, if it is any for this watcher. A rise moves the mark that later drops are measured from."""
        minor = told.get(sku)
        if minor == now.minor:
            return None
        if selector.drop_only:
            if minor is None or now.minor > minor:
                told[sku] = now.minor
                return None
            if Decimal((minor - now.minor) * 100) < selector.drop_percent_min * minor:
                return None  # small drops add up until they are worth telling
        told[sku] = now.minor
        before = Money(minor, now.currency) if minor is not None else None
        return self._news("DELTA", selector, sku, before, now, told)

    def _news(
        self,
        kind: Literal["SNAPSHOT", "DELTA"],
        selector: PriceSelector,
        sku: str,
        before: Money | None,
        after: Money,
        told: dict[str, int],
    ) -> PriceNews:
        flat = [value for pair in sorted(told.items()) for value in pair]
        return PriceNews(
            kind=kind,
            sku=sku,
            before=before,
            after=after,
            resume_token=self._tokens.encode(_STREAM, selector.digest, *flat),
            at=self._clock.now(),
        )

    def _told(self, token: str, selector: PriceSelector) -> dict[str, int]:
        stream, digest, *flat = self._tokens.decode(token)
        if stream != _STREAM or digest != selector.digest:
            raise InvalidInput("the resume token belongs to another selection", path=("resumeToken",))
        return {str(sku): int(str(minor)) for sku, minor in zip(flat[::2], flat[1::2], strict=True)}
