"""Live prices: what each SKU costs now, then each change that the watcher asked to hear of.

The watcher registers with the hub before it reads, so no change falls in between. An event of the hub only says *which*
SKU to read again; the price itself comes from the database through the one resolver, in the watcher's own context. So
events may come late or twice: a price that is as it was is no news.

A resume token holds the SKU, the amount last told and the selection it belongs to; resuming tells what changed since.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal

from subgraphs.catalog.model.pricing import Price
from subgraphs.chassis.outbox import EventHub, Lagged
from subgraphs.kernel.clock import Clock
from subgraphs.kernel.errors import InvalidInput
from subgraphs.kernel.events import PriceChanged
from subgraphs.kernel.money import Money
from subgraphs.kernel.pages import CursorCodec

WATCHED_SKUS_MAX = 50
_STREAM = "catalog.prices"


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
        told = self._told(resume_token, selector) if resume_token is not None else {}
        subscription = self._hub.subscribe([PriceChanged.TYPE])
        for sku, price in (await pricing(selector.skus)).items():
            if price is None:
                continue
            if resume_token is None:
                told[sku] = price.current.minor
                yield self._news("SNAPSHOT", selector, sku, None, price.current, told)
            elif (news := self._judge(selector, sku, price.current, told)) is not None:
                yield news
        async for event in subscription:
            touched = (
                list(selector.skus)
                if isinstance(event, Lagged)
                else [sku for sku in selector.skus if sku == event.data["sku"]]
            )
            for sku, price in (await pricing(touched)).items() if touched else ():
                if price is not None and (news := self._judge(selector, sku, price.current, told)) is not None:
                    yield news

    def _judge(self, selector: PriceSelector, sku: str, now: Money, told: dict[str, int]) -> PriceNews | None:
        """News, if it is any for this watcher. A rise moves the mark that later drops are measured from."""
        minor = told.get(sku)
        before = Money(minor, now.currency) if minor is not None else None
        if minor == now.minor:
            return None
        told[sku] = now.minor
        if selector.drop_only and minor is not None:
            drop = minor - now.minor
            if drop <= 0 or Decimal(drop * 100) < selector.drop_percent_min * minor:
                told[sku] = minor if drop > 0 else now.minor  # small drops add up until they are worth telling
                return None
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
