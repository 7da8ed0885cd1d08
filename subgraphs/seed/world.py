"""What exists before anything happens: channels, categories, products, variants, prices, locations, stock targets, customers.

Pure: a function of (scale, seed). How a service stores any of it is decided in ``documents``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from urllib.parse import quote

from subgraphs.kernel.ids import deterministic_id
from subgraphs.seed import taxonomy
from subgraphs.seed.streams import Stream

EPOCH = datetime(2026, 11, 1, tzinfo=UTC)
"""The moment the data set describes. History is the 365 days before it; nothing here reads a clock."""

HISTORY_DAYS = 365
IMBALANCES = 20


@dataclass(frozen=True, slots=True)
class Scale:
    name: str
    products: int
    stores: int
    warehouses: int
    dark_stores: int
    customers: int
    orders: int


SCALES: dict[str, Scale] = {
    "tiny": Scale("tiny", products=50, stores=4, warehouses=1, dark_stores=1, customers=120, orders=200),
    "small": Scale("small", products=500, stores=9, warehouses=2, dark_stores=1, customers=2_000, orders=5_000),
}


@dataclass(frozen=True, slots=True)
class Channel:
    code: str
    name: str
    kind: str
    currencies: tuple[str, ...]
    countries: tuple[str, ...]
    price_list: str
    storefront_url: str | None


CHANNELS: tuple[Channel, ...] = (
    Channel("web-eu", "Web Europe", "WEB", ("EUR",), ("DE", "FR", "NL"), "eu", "https://eu.galleria.example"),
    Channel("web-us", "Web United States", "WEB", ("USD",), ("US",), "us", "https://us.galleria.example"),
    Channel("web-uk", "Web United Kingdom", "WEB", ("GBP",), ("GB",), "uk", "https://uk.galleria.example"),
    Channel("app", "Mobile App", "MOBILE_APP", ("EUR", "USD", "GBP"), ("DE", "US", "GB"), "eu", None),
    Channel("social", "Social Storefront", "SOCIAL", ("EUR",), ("DE", "FR"), "eu", None),
    Channel("marketplace", "Marketplace", "MARKETPLACE", ("EUR",), ("DE",), "marketplace", None),
    Channel("pos", "Registers", "POS", ("EUR", "USD", "GBP"), ("DE", "US", "GB"), "eu", None),
    Channel("agent", "Shopping Agents", "AGENT", ("EUR", "USD", "GBP"), ("DE", "US", "GB"), "eu", None),
)


@dataclass(frozen=True, slots=True)
class PriceList:
    code: str
    currency: str
    parent: str | None
    tax_included: bool
    rounding: str


PRICE_LISTS: tuple[PriceList, ...] = (
    PriceList("base", "EUR", None, True, "HALF_EVEN"),
    PriceList("eu", "EUR", "base", True, "HALF_EVEN"),
    PriceList("us", "USD", "base", False, "HALF_EVEN"),
    PriceList("uk", "GBP", "base", True, "HALF_EVEN"),
    PriceList("marketplace", "EUR", "eu", True, "HALF_EVEN"),
)

FX_FROM_EUR: tuple[tuple[str, str], ...] = (("USD", "1.0850"), ("GBP", "0.8420"))
"""(currency, units of it for one euro), fixed for the data set's life."""


@dataclass(frozen=True, slots=True)
class Variant:
    sku: str
    product_id: str
    title: str
    gtin: str
    options: tuple[tuple[str, str], ...]
    weight_grams: int
    tax_class: str
    price_minor: int
    """In euro cents, tax included."""
    list_minor: int
    """The price it is struck through from; equal to ``price_minor`` when not reduced."""
    popularity: float
    """Relative demand; Zipf over all variants."""


@dataclass(frozen=True, slots=True)
class Product:
    id: str
    number: int
    handle: str
    title: str
    description: str
    brand: str
    leaf: taxonomy.Leaf
    option_names: tuple[str, ...]
    option_values: tuple[tuple[str, ...], ...]
    attributes: tuple[tuple[str, str, str, str | None], ...]
    """(code, label, value, unit)."""
    media_url: str
    published_on: tuple[str, ...]
    status: str
    """ACTIVE, PREORDER or DISCONTINUED."""
    created_at: datetime
    variants: tuple[Variant, ...]


@dataclass(frozen=True, slots=True)
class Location:
    id: str
    code: str
    name: str
    kind: str
    city: taxonomy.City
    address: str
    capabilities: tuple[str, ...]
    pickup_lead_minutes: int | None
    daily_pick_capacity: int
    opens: str
    closes: str

    @property
    def sells_at_a_counter(self) -> bool:
        return self.kind == "STORE"


@dataclass(frozen=True, slots=True)
class StockTarget:
    """What stands at one location at t0. ``on_hand`` already counts everything history sold and returned."""

    sku: str
    location_id: str
    on_hand: int
    safety: int


@dataclass(frozen=True, slots=True)
class Imbalance:
    """Planted: much of a popular variant lies at one shop while another of the same country has none."""

    sku: str
    from_id: str
    to_id: str


@dataclass(frozen=True, slots=True)
class Customer:
    id: str
    number: int
    given_name: str
    family_name: str
    email: str
    phone: str
    country: str
    home_location_id: str
    loyalty_number: str | None
    consents: tuple[tuple[str, bool], ...]
    registered_at: datetime

    @property
    def display_name(self) -> str:
        return f"{self.given_name} {self.family_name}"


class World:
    """Everything that exists, made on first use and kept. Iterate its tuples: their order is part of the data set."""

    def __init__(self, scale: Scale, seed: int = 1) -> None:
        self.scale = scale
        self.seed = seed

    def stream(self, kind: str, identity: str) -> Stream:
        return Stream(self.seed, kind, identity)

    @cached_property
    def products(self) -> tuple[Product, ...]:
        return tuple(self._product(number) for number in range(1, self.scale.products + 1))

    @cached_property
    def variants(self) -> tuple[Variant, ...]:
        return tuple(variant for product in self.products for variant in product.variants)

    @cached_property
    def locations(self) -> tuple[Location, ...]:
        scale = self.scale
        kinds = ["WAREHOUSE"] * scale.warehouses + ["STORE"] * scale.stores + ["DARK_STORE"] * scale.dark_stores
        warehouse_cities = [taxonomy.CITIES[10], taxonomy.CITIES[7]]
        store_cities = list(taxonomy.CITIES[:10])
        if scale.stores < 6:  # keep all three countries in a tiny world
            store_cities = [taxonomy.CITIES[0], taxonomy.CITIES[4], taxonomy.CITIES[7], taxonomy.CITIES[1]]
        cities = (
            warehouse_cities[: scale.warehouses]
            + store_cities[: scale.stores]
            + [taxonomy.CITIES[11]] * scale.dark_stores
        )
        return tuple(self._location(number, kind, cities[number - 1]) for number, kind in enumerate(kinds, start=1))

    @cached_property
    def imbalances(self) -> tuple[Imbalance, ...]:
        popular = sorted(self.variants, key=lambda variant: (-variant.popularity, variant.sku))[:IMBALANCES]
        stores = [location for location in self.locations if location.sells_at_a_counter]
        pairs = [(a.id, b.id) for a in stores for b in stores if a is not b and a.city.country == b.city.country]
        return tuple(Imbalance(each.sku, *self.stream("imbalance", each.sku).pick(pairs)) for each in popular)

    @cached_property
    def stock(self) -> tuple[StockTarget, ...]:
        return tuple(self._stock_target(variant, location) for variant in self.variants for location in self.locations)

    @cached_property
    def _planted(self) -> dict[tuple[str, str], int]:
        """On hand where an imbalance wants it so."""
        # Some weeks' demand of a shop: less would be no surplus.
        piles = {variant.sku: 90 + int(600 * variant.popularity) for variant in self.variants}
        return {(each.sku, each.from_id): piles[each.sku] for each in self.imbalances} | {
            (each.sku, each.to_id): 0 for each in self.imbalances
        }

    @cached_property
    def customers(self) -> tuple[Customer, ...]:
        return tuple(self._customer(number) for number in range(1, self.scale.customers + 1))

    def _product(self, number: int) -> Product:
        draw = self.stream("product", str(number))
        leaf = taxonomy.LEAVES[(number - 1) % len(taxonomy.LEAVES)]
        brand, line, noun = draw.pick(taxonomy.BRANDS), draw.pick(taxonomy.LINES), draw.pick(leaf.nouns)
        material = draw.pick(leaf.materials)
        title = f"{line} {noun}"
        handle = f"{line}-{noun}-{number}".lower().replace(" ", "-").replace("'", "")
        created_at = EPOCH - timedelta(days=HISTORY_DAYS + draw.integer(5, 400))
        product_id = deterministic_id("prd", str(self.seed), str(number), at_ms=_ms(created_at))
        price_minor = _charm(leaf.typical_minor * math.exp(0.35 * draw.gauss()))
        reduced = draw.chance(0.18)
        colours = draw.sample(taxonomy.COLOURS, draw.integer(1, 4))
        sizes = list(leaf.sizes)
        if len(sizes) > 1:
            start = draw.integer(0, max(0, len(sizes) - 2))
            sizes = sizes[start : start + draw.integer(2, 4)]
        roll = draw.unit()
        status = "DISCONTINUED" if roll < 0.03 else "PREORDER" if roll < 0.04 else "ACTIVE"
        published_on = tuple(c.code for c in CHANNELS if c.code in {"web-eu", "pos", "app"} or draw.chance(0.85))
        variants = tuple(
            self._variant(number, product_id, title, leaf, colour, size, price_minor, reduced)
            for colour, _ in colours
            for size in sizes
        )
        has_sizes = leaf.sizes != taxonomy.ONE
        return Product(
            id=product_id,
            number=number,
            handle=handle,
            title=title,
            description=(
                f"The {title} by {brand}: {material}, made to be used for years and repaired when it needs to be. "
                f"From our {leaf.name.lower()}."
            ),
            brand=brand,
            leaf=leaf,
            option_names=("Colour", leaf.size_name) if has_sizes else ("Colour",),
            option_values=(tuple(name for name, _ in colours), *((tuple(sizes),) if has_sizes else ())),
            attributes=(
                ("material", "Material", material, None),
                ("warranty", "Warranty", str(draw.pick((24, 36, 60))), "months"),
                ("weight", "Weight", str(leaf.weight_grams), "g"),
            ),
            media_url=_swatch(title, colours[0][1]),
            published_on=published_on,
            status=status,
            created_at=created_at,
            variants=variants,
        )

    def _variant(
        self,
        product_number: int,
        product_id: str,
        title: str,
        leaf: taxonomy.Leaf,
        colour: str,
        size: str,
        price_minor: int,
        reduced: bool,
    ) -> Variant:
        short_size = "".join(c for c in size.upper() if c.isalnum() or c == ".")[:8]
        has_sizes = leaf.sizes != taxonomy.ONE
        sku = f"G{product_number:05d}-{colour[:3].upper()}" + (f"-{short_size}" if has_sizes else "")
        draw = self.stream("variant", sku)
        upcharge = 1.0 + (0.06 * leaf.sizes.index(size) if leaf.size_name != "Size" else 0.0)
        list_minor = _charm(price_minor * upcharge)
        return Variant(
            sku=sku,
            product_id=product_id,
            title=" / ".join((colour, size)) if has_sizes else colour,
            gtin=_gtin(self.seed, sku),
            options=(("Colour", colour), (leaf.size_name, size)) if has_sizes else (("Colour", colour),),
            weight_grams=leaf.weight_grams,
            tax_class=leaf.tax_class,
            price_minor=_charm(list_minor * 0.8) if reduced else list_minor,
            list_minor=list_minor,
            popularity=1.0 / (1.0 + draw.unit() * 400.0) ** 1.05,
        )

    def _location(self, number: int, kind: str, city: taxonomy.City) -> Location:
        draw = self.stream("location", str(number))
        store = kind == "STORE"
        size = draw.pick(("S", "M", "L"))
        capabilities = {
            "WAREHOUSE": ("SHIP", "RETURNS"),
            "STORE": ("PICKUP", "CURBSIDE", "RETURNS") + (("SHIP",) if size == "L" else ()),
            "DARK_STORE": ("SHIP", "PICKUP"),
        }[kind]
        label = {"WAREHOUSE": "Distribution Centre", "STORE": "Store", "DARK_STORE": "Dark Store"}[kind]
        return Location(
            id=deterministic_id("loc", str(self.seed), str(number), at_ms=_ms(EPOCH - timedelta(days=900))),
            code=f"{kind[0]}{number:02d}",
            name=f"{city.name} {label}",
            kind=kind,
            city=city,
            address=f"{draw.integer(1, 180)} {draw.pick(('Market Street', 'Station Road', 'Harbour Lane'))}, {city.name}",
            capabilities=capabilities,
            pickup_lead_minutes=draw.pick((60, 90, 120)) if "PICKUP" in capabilities else None,
            daily_pick_capacity={"S": 40, "M": 80, "L": 160}[size] if store else 2_000,
            opens="09:00" if store else "00:00",
            closes="20:00" if store else "23:59",
        )

    def _stock_target(self, variant: Variant, location: Location) -> StockTarget:
        draw = self.stream("stock", f"{variant.sku}|{location.id}")
        planted = self._planted.get((variant.sku, location.id))
        if planted is not None:
            on_hand = planted
        elif self.stream("stockout", variant.sku).chance(0.02):
            on_hand = 0
        elif location.kind == "WAREHOUSE":
            on_hand = draw.integer(20, 60) + int(200 * min(1.0, variant.popularity * 8))
        elif draw.chance(0.06):
            on_hand = 0
        else:
            on_hand = draw.integer(1, 12)
        safety = 0 if location.kind == "WAREHOUSE" or on_hand < 4 else draw.integer(1, 3)
        return StockTarget(variant.sku, location.id, on_hand, safety)

    def _customer(self, number: int) -> Customer:
        draw = self.stream("customer", str(number))
        given, family = draw.pick(taxonomy.GIVEN_NAMES), draw.pick(taxonomy.FAMILY_NAMES)
        registered_at = EPOCH - timedelta(days=HISTORY_DAYS, hours=draw.integer(0, 8_000))
        home = draw.pick([location for location in self.locations if location.sells_at_a_counter])
        return Customer(
            id=deterministic_id("cus", str(self.seed), str(number), at_ms=_ms(registered_at)),
            number=number,
            given_name=given,
            family_name=family,
            email=f"{given}.{family}.{number}@example.com".lower(),
            phone=f"+49555{number:07d}",
            country=home.city.country,
            home_location_id=home.id,
            loyalty_number=f"L{number:07d}" if draw.chance(0.7) else None,
            consents=(("PERSONALISATION", draw.chance(0.8)), ("MARKETING_EMAIL", draw.chance(0.55))),
            registered_at=registered_at,
        )


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def _charm(minor: float) -> int:
    """The nearest price that ends in 90 cents (or 40 below ten euros), never below 90 cents."""
    step, ending = (100, 90) if minor >= 1000 else (50, 40)
    return max(90, int(minor // step) * step + ending)


def _gtin(seed: int, sku: str) -> str:
    """A GTIN-13 in the range GS1 keeps for use inside a store (prefix 2), with its check digit: never a real product."""
    body = "2" + f"{int.from_bytes(Stream(seed, 'gtin', sku).unit().hex().encode()[-9:], 'big') % 10**11:011d}"
    total = sum(int(digit) * (3 if index % 2 else 1) for index, digit in enumerate(body))
    return body + str(-total % 10)


def _swatch(title: str, colour: str) -> str:
    """A product picture that needs no server: a colour field with the product's initials."""
    initials = "".join(word[0] for word in title.split()[:2])
    svg = (
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 96 96'><rect width='96' height='96' fill='{colour}'/>"
        f"<text x='48' y='58' font-size='30' text-anchor='middle' fill='#fff8' font-family='sans-serif'>{initials}</text></svg>"
    )
    return "data:image/svg+xml," + quote(svg, safe="<>='/:# ").replace("#", "%23").replace(" ", "%20")
