"""What a variant costs: one pure resolver for every place that shows a price.

Price lists form a tree: a list falls back to its parent. An *explicit* price (an entry for the SKU in a list) beats a
converted one, and a nearer list beats its parent. So the resolver walks from the channel's list to the root and takes
the first list with an entry that is valid at the time; if that list's currency is not the wanted one, the amount is
converted at the rate of the exchange table and rounded once, half to even, by the currency's ISO exponent.

Entries of one list may overlap: the one that began last counts, so a price set today leaves one that is scheduled for
Friday standing. What a price *was* is decided by the same rule at every moment something began or ended, so the lowest
price of a window is one that a shopper was really shown, whichever list it came from.

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
        """Whether it may count then; ``in_force`` says which of several does."""
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
    lowest_30d: Money
    """The lowest price of the last 30 days, for strike-through notices."""
    tax_included: bool
    source: PriceSource
    price_list: str
    version: str
    valid_until: datetime
    """When it may be another: the next change that is known, or the end of a quote."""


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


def in_force(entries: Iterable[PriceEntry], at: datetime) -> PriceEntry | None:
    """Of one SKU's entries in one list, the one that counts at a moment: the last to begin, then the last to be set."""
    return max(
        (entry for entry in entries if entry.valid_at(at)),
        key=lambda entry: (entry.valid_from, entry.version),
        default=None,
    )


def amount(entries: Iterable[PriceEntry], context: PriceContext, rules: Rules) -> Money | None:
    """What ``resolve`` says it costs, and nothing else; for who looks at thousands."""
    own = _by_list(entries, rules.chain(rules.channels[context.channel].price_list))
    winner = _winner(own, context.at)
    return _shown(winner[0], winner[1].minor, context, rules) if winner is not None else None


def resolve(entries: Iterable[PriceEntry], context: PriceContext, rules: Rules) -> Price | None:
    """The price of the one SKU whose entries these are, or None when no list of the channel has any."""
    chain = rules.chain(rules.channels[context.channel].price_list)
    own = _by_list(entries, chain)
    winner = _winner(own, context.at)
    if winner is None:
        return None
    price_list, current = winner
    converted = price_list.currency != context.currency
    version = f"{price_list.code}.{current.version}" + (f"+fx.{rules.rates_version}" if converted else "")
    changes = sorted(
        {
            moment
            for _, of_list in own
            for entry in of_list
            for moment in (entry.valid_from, entry.valid_to)
            if moment is not None
        }
    )
    begin = context.at - LOWEST_WINDOW
    moments = [begin, *(moment for moment in changes if begin < moment < context.at), context.at]
    shown = (_winner(own, moment) for moment in moments)
    return Price(
        current=_shown(price_list, current.minor, context, rules),
        list=_shown(price_list, max(current.list_minor, current.minor), context, rules),
        lowest_30d=min(
            (_shown(found[0], found[1].minor, context, rules) for found in shown if found is not None),
            key=lambda money: money.minor,
        ),
        # The nearest list of the market decides how tax is shown, whoever set the amount.
        tax_included=chain[0].tax_included,
        source=PriceSource.FX_CONVERTED if converted else PriceSource.PRICE_LIST,
        price_list=price_list.code,
        version=version,
        valid_until=min([context.at + QUOTE_TTL, *(moment for moment in changes if moment > context.at)]),
    )


_Lists = list[tuple[PriceList, list[PriceEntry]]]


def _by_list(entries: Iterable[PriceEntry], chain: Iterable[PriceList]) -> _Lists:
    """The entries of each list of the chain that has any, nearest first."""
    grouped: dict[str, list[PriceEntry]] = {}
    for entry in entries:
        grouped.setdefault(entry.price_list, []).append(entry)
    return [(each, grouped[each.code]) for each in chain if each.code in grouped]


def _winner(own: _Lists, at: datetime) -> tuple[PriceList, PriceEntry] | None:
    """The nearest list that has a price at a moment, with that price."""
    for price_list, entries in own:
        entry = in_force(entries, at)
        if entry is not None:
            return price_list, entry
    return None


def _shown(price_list: PriceList, minor: int, context: PriceContext, rules: Rules) -> Money:
    return Money(rules.convert(minor, price_list.currency, context.currency), context.currency)
