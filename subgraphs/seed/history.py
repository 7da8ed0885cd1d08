"""What happened in the year before t0: orders from every channel, in time order. Pure.

An order here is a fact with its lines and money in the currency it was paid in. Points, purchase counts and
recommendations are *derived* from these facts in ``documents``, so every service tells the same story.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from itertools import accumulate

from subgraphs.kernel.ids import deterministic_id
from subgraphs.seed.world import CHANNELS, EPOCH, FX_FROM_EUR, HISTORY_DAYS, Customer, Product, Variant, World

CHANNEL_MIX: tuple[tuple[str, float], ...] = (
    ("web-eu", 0.20),
    ("web-us", 0.08),
    ("web-uk", 0.06),
    ("app", 0.28),
    ("pos", 0.25),
    ("social", 0.06),
    ("marketplace", 0.05),
    ("agent", 0.02),
)
"""Shares of orders. The order of magnitude follows what vendors claim; it is a setting of an invented retailer."""


@dataclass(frozen=True, slots=True)
class PastLine:
    id: str
    product: Product
    variant: Variant
    quantity: int
    unit_minor: int

    @property
    def total_minor(self) -> int:
        return self.unit_minor * self.quantity


@dataclass(frozen=True, slots=True)
class PastOrder:
    id: str
    number: str
    channel: str
    currency: str
    country: str
    placed_at: datetime
    customer: Customer | None
    location_id: str
    """Where it was sold (registers) or fulfilled from."""
    method: str
    lines: tuple[PastLine, ...]
    receipt_no: str | None
    register_id: str | None

    @property
    def total_minor(self) -> int:
        return sum(line.total_minor for line in self.lines)

    @property
    def at_a_register(self) -> bool:
        return self.register_id is not None


def orders(world: World) -> tuple[PastOrder, ...]:
    """Every past order, oldest first."""
    product_of = {product.id: product for product in world.products}
    popularity = list(accumulate(variant.popularity for variant in world.variants))
    channels = [code for code, _ in CHANNEL_MIX]
    mix = list(accumulate(weight for _, weight in CHANNEL_MIX))
    made = [_order(world, number, product_of, popularity, channels, mix) for number in range(1, world.scale.orders + 1)]
    return tuple(sorted(made, key=lambda order: order.id))


def _order(
    world: World,
    number: int,
    product_of: dict[str, Product],
    popularity: list[float],
    channels: list[str],
    mix: list[float],
) -> PastOrder:
    draw = world.stream("order", str(number))
    code = draw.weighted(channels, mix)
    channel = next(candidate for candidate in CHANNELS if candidate.code == code)
    placed_at = EPOCH - timedelta(seconds=draw.integer(3600, HISTORY_DAYS * 86_400))
    stores = [location for location in world.locations if location.sells_at_a_counter]
    warehouses = [location for location in world.locations if location.kind == "WAREHOUSE"]
    at_a_register = channel.kind == "POS"
    method = "PICKUP" if not at_a_register and draw.chance(0.15) else "SHIP"
    location = draw.pick(stores if at_a_register or method == "PICKUP" else warehouses)
    country = location.city.country if at_a_register else draw.pick(channel.countries)
    currency = channel.currencies[0]
    if len(channel.currencies) > 1:
        currency = {"US": "USD", "GB": "GBP"}.get(country, "EUR")
    known = channel.kind != "MARKETPLACE" and (not at_a_register or draw.chance(0.6))
    customer = draw.pick(world.customers) if known else None
    chosen: dict[str, Variant] = {}
    for _ in range(1 + draw.integer(0, 2) + draw.integer(0, 1)):
        variant = draw.weighted(world.variants, popularity)
        chosen.setdefault(variant.sku, variant)
    order_id = deterministic_id("ord", str(world.seed), str(number), at_ms=int(placed_at.timestamp() * 1000))
    return PastOrder(
        id=order_id,
        number=f"G-{number:07d}",
        channel=channel.code,
        currency=currency,
        country=country,
        placed_at=placed_at,
        customer=customer,
        location_id=location.id,
        method=method,
        lines=tuple(
            PastLine(
                id=f"{order_id}-{index}",
                product=product_of[variant.product_id],
                variant=variant,
                quantity=2 if draw.chance(0.12) else 1,
                unit_minor=in_currency(variant.price_minor, currency),
            )
            for index, variant in enumerate(chosen.values(), start=1)
        ),
        receipt_no=f"R{number:07d}" if at_a_register else None,
        register_id=f"{location.code}-1" if at_a_register else None,
    )


def in_currency(euro_minor: int, currency: str) -> int:
    """Euro cents in another currency's minor units at the data set's rate, half to even."""
    rates = dict(FX_FROM_EUR)
    if currency == "EUR":
        return euro_minor
    return int((Decimal(euro_minor) * Decimal(rates[currency])).quantize(Decimal(1), rounding=ROUND_HALF_EVEN))
