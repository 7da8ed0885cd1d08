"""What things sell for: asked of catalog, which alone knows. Used to say what a move is worth, never to charge anybody."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from decimal import ROUND_CEILING, Decimal

from subgraphs.chassis.peers import PeerClient, PeerFailed
from subgraphs.chassis.telemetry import logger
from subgraphs.kernel.money import Money, exponent

CHANNEL, CURRENCY = "web-eu", "EUR"
"""Benefits of moves are compared with each other, so all are in one currency."""
_PRICES = """
query PricesOfMoves($skus: [String!]!, $context: PriceContextInput) {
  variants(skus: $skus) { sku price(context: $context) { current { minor currency } } }
}
"""

_log = logger(__name__)


def minor_of(amount: Decimal) -> int:
    """An amount of the currency that benefits are in, in its minor units, rounded up."""
    return int((amount * 10 ** exponent(CURRENCY)).to_integral_value(ROUND_CEILING))


# SKUs in, the price of each that has one out.
Prices = Callable[[Sequence[str]], Awaitable[Mapping[str, Money]]]


def prices_of(catalog: PeerClient) -> Prices:
    """Asks catalog; knows no price while it does not answer."""

    async def ask(skus: Sequence[str]) -> Mapping[str, Money]:
        try:
            data = await catalog.execute(
                "catalog", _PRICES, {"skus": list(skus), "context": {"channel": CHANNEL, "currency": CURRENCY}}
            )
        except PeerFailed as failure:
            _log.warning("prices unknown", reason=str(failure))
            return {}
        return {
            variant["sku"]: Money(variant["price"]["current"]["minor"], variant["price"]["current"]["currency"])
            for variant in data["variants"]
            if variant is not None and variant["price"] is not None
        }

    return ask
