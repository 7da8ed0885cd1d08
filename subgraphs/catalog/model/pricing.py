"""What a variant costs: one pure resolver for every place that shows a price.

Price lists form a tree: a list falls back to its parent. An *explicit* price (an entry for the SKU in a list) beats a
converted one, and a nearer list beats its parent. So the resolver walks from the channel's list to the root and takes
the first list with an entry that is valid at the time; if that list's currency is not the wanted one, the amount is
converted at the rate of the exchange table and rounded once, half to even, by the currency's ISO exponent.

No I/O, no clock: what is asked for comes in, a ``Price`` or None comes out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from enum import Enum

from subgraphs.catalog.model.products import Channel
from subgraphs.kernel.errors import InvalidInput
from subgraphs.kernel.money import Money, exponent

LOWEST_WINDOW = timedelta(days=30)
QUOTE_TTL = timedelta(minutes=15)

CURRENCY_OF: Mapping[str, str] = {"US": "USD", "GB": "GBP"}
"""The currency a country's shoppers expect when they name none; all others get the channel's own."""


class PriceSource(Enum):
    """Which rule made a price."""

    PRICE_LIST = "PRICE_LIST"
    FX_CONVERTED = "FX_CONVERTED"


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceList:
    code: str
    currency: str
    parent: str | None
    tax_included: bool
    rounding: str = "HALF_EVEN"


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceEntry:
    """An explicit price: ``minor`` units of the list's currency, valid from ``valid_from`` until ``valid_to``.

    ``list_minor`` is the price it is struck through from, equal to ``minor`` when nothing is reduced. ``version``
    grows with every change of the SKU in the list.
    """

    sku: str
    price_list: str
    minor: int
    list_minor: int
    valid_from: datetime
    valid_to: datetime | None
    version: int

    def valid_at(self, at: datetime) -> bool:
        return self.valid_from <= at and (self.valid_to is None or at < self.valid_to)


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceContext:
    """What a price depends on besides the variant."""

    channel: str
    currency: str
    at: datetime

    @property
    def key(self) -> str:
        """Equal for contexts that get the same price now; what a quote is good for."""
        return f"{self.channel}|{self.currency}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    current: Money
    list: Money
    lowest_30d: Money | None
    """The lowest price of the last 30 days, for strike-through notices."""
    tax_included: bool
    source: PriceSource
    price_list: str
    version: str
    valid_until: datetime


@dataclass(frozen=True, slots=True)
class Rules:
    """Everything prices depend on that is small and shared: channels, lists, and the rates of one exchange table.

    ``rates`` holds units of a currency for one unit of ``base_currency``.
    """

    channels: Mapping[str, Channel]
    lists: Mapping[str, PriceList]
    rates: Mapping[str, Decimal]
    base_currency: str
    rates_version: int

    def context(
        self, channel: str | None, currency: str | None, country: str | None, at: datetime, *, default_channel: str
    ) -> PriceContext:
        """The context a client means. Raises InvalidInput for a channel or currency that does not exist there."""
        found = self.channels.get(channel or default_channel)
        if found is None:
            known = ", ".join(sorted(self.channels))
            raise InvalidInput(f"there is no channel {channel!r}; there are {known}", path=("context", "channel"))
        expected = CURRENCY_OF.get(country or "", found.currencies[0])
        wanted = currency or (expected if expected in found.currencies else found.currencies[0])
        if wanted not in found.currencies:
            raise InvalidInput(
                f"{found.code} sells in {', '.join(found.currencies)}, not in {wanted}", path=("context", "currency")
            )
        return PriceContext(channel=found.code, currency=wanted, at=at)

    def chain(self, code: str) -> list[PriceList]:
        """A list and its ancestors, nearest first."""
        found: list[PriceList] = []
        while code in self.lists and self.lists[code] not in found:
            found.append(self.lists[code])
            code = self.lists[code].parent or ""
        return found

    def convert(self, minor: int, source: str, target: str) -> int:
        """Minor units of one currency in another's, rounded once. Raises InvalidInput when there is no rate."""
        if source == target:
            return minor
        rate = self._rate(target) / self._rate(source)
        scale = Decimal(10) ** (exponent(target) - exponent(source))
        return int((Decimal(minor) * rate * scale).quantize(Decimal(1), rounding=ROUND_HALF_EVEN))

    def _rate(self, currency: str) -> Decimal:
        if currency == self.base_currency:
            return Decimal(1)
        try:
            return self.rates[currency]
        except KeyError:
            raise InvalidInput(f"there is no exchange rate for {currency}", path=("context", "currency")) from None


def resolve(entries: Iterable[PriceEntry], context: PriceContext, rules: Rules) -> Price | None:
    """The price of the one SKU whose entries these are, or None when no list of the channel has any."""
    channel = rules.channels[context.channel]
    by_list: dict[str, list[PriceEntry]] = {}
    for entry in entries:
        by_list.setdefault(entry.price_list, []).append(entry)
    chain = rules.chain(channel.price_list)
    for price_list in chain:
        own = by_list.get(price_list.code, [])
        current = max(
            (entry for entry in own if entry.valid_at(context.at)),
            key=lambda entry: (entry.valid_from, entry.version),
            default=None,
        )
        if current is None:
            continue
        converted = price_list.currency != context.currency

        def shown(minor: int, source: str = price_list.currency) -> Money:
            return Money(rules.convert(minor, source, context.currency), context.currency)

        lowest = min(entry.minor for entry in own if _touches(entry, context.at))
        ends = current.valid_to
        until = context.at + QUOTE_TTL
        version = f"{price_list.code}.{current.version}" + (f"+fx.{rules.rates_version}" if converted else "")
        return Price(
            current=shown(current.minor),
            list=shown(max(current.list_minor, current.minor)),
            lowest_30d=shown(lowest),
            # The nearest list of the market decides how tax is shown, whoever set the amount.
            tax_included=chain[0].tax_included,
            source=PriceSource.FX_CONVERTED if converted else PriceSource.PRICE_LIST,
            price_list=price_list.code,
            version=version,
            valid_until=until if ends is None else min(until, ends),
        )
    return None


def _touches(entry: PriceEntry, at: datetime) -> bool:
    """Whether it was valid at any moment of the window that ends now."""
    return entry.valid_from <= at and (entry.valid_to is None or entry.valid_to > at - LOWEST_WINDOW)
