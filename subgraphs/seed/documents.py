"""World and history as each service stores them: the one place that knows five stores at once.

Everything that a service computes (totals, taxes, points, versions) is computed here by that service's own functions,
so that the data set cannot drift from the code that reads it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from subgraphs.catalog import store as catalog_store
from subgraphs.catalog.model import pricing as catalog_pricing
from subgraphs.catalog.model import products as catalog_products
from subgraphs.chassis.mongo import Document
from subgraphs.customers import model as customers_model
from subgraphs.customers import store as customers_store
from subgraphs.inventory import store as inventory_store
from subgraphs.inventory.model import places, stock
from subgraphs.inventory.store import demand as demand_store
from subgraphs.kernel.ids import deterministic_id
from subgraphs.kernel.money import Money
from subgraphs.loyalty import model as loyalty_model
from subgraphs.loyalty import store as loyalty_store
from subgraphs.orders import store as orders_store
from subgraphs.orders.model import delivery, order, tax, totals
from subgraphs.orders.model.lines import Line
from subgraphs.seed import taxonomy
from subgraphs.seed.demand import demand
from subgraphs.seed.history import PastOrder, orders
from subgraphs.seed.world import (
    CHANNELS,
    EPOCH,
    FX_FROM_EUR,
    HISTORY_DAYS,
    PRICE_LISTS,
    Location,
    Product,
    World,
)

REDUCED_SINCE = EPOCH - timedelta(days=12)
BEFORE_HISTORY = EPOCH - timedelta(days=HISTORY_DAYS + 1)


@dataclass(frozen=True, slots=True)
class Batch:
    """Documents of one collection."""

    service: str
    collection: str
    documents: list[Document]


def documents(world: World) -> Iterator[Batch]:
    """Every collection that is not empty at t0, in a fixed order, each document in a fixed order."""
    past = orders(world)
    yield from _catalog(world)
    yield from _inventory(world, past)
    yield from _orders(world, past)
    yield from _customers(world, past)
    yield from _loyalty(world, past)


def _catalog(world: World) -> Iterator[Batch]:
    categories = [catalog_products.Category(f"cat_{slug}", slug, name, None) for slug, name in taxonomy.DEPARTMENTS] + [
        catalog_products.Category(f"cat_{leaf.slug}", leaf.slug, leaf.name, leaf.department) for leaf in taxonomy.LEAVES
    ]
    yield Batch("catalog", catalog_store.CATEGORIES, [catalog_store.category_to_doc(each) for each in categories])
    yield Batch(
        "catalog",
        catalog_store.CHANNELS,
        [
            catalog_store.channel_to_doc(
                catalog_products.Channel(
                    code=each.code,
                    name=each.name,
                    kind=each.kind,
                    currencies=each.currencies,
                    countries=each.countries,
                    price_list=each.price_list,
                    storefront_url=each.storefront_url,
                )
            )
            for each in CHANNELS
        ],
    )
    yield Batch(
        "catalog",
        catalog_store.PRICE_LISTS,
        [
            catalog_store.price_list_to_doc(
                catalog_pricing.PriceList(
                    code=each.code,
                    currency=each.currency,
                    parent=each.parent,
                    tax_included=each.tax_included,
                    rounding=each.rounding,
                )
            )
            for each in PRICE_LISTS
        ],
    )
    yield Batch("catalog", catalog_store.RATES, [{"_id": 1, "base": "EUR", "rates": dict(FX_FROM_EUR)}])
    yield Batch("catalog", catalog_store.PRODUCTS, [catalog_store.product_to_doc(_product(p)) for p in world.products])
    yield Batch(
        "catalog",
        catalog_store.VARIANTS,
        [
            catalog_store.variant_to_doc(
                catalog_products.Variant(
                    sku=variant.sku,
                    product_id=product.id,
                    title=variant.title,
                    gtin=variant.gtin,
                    options=variant.options,
                    weight_grams=variant.weight_grams,
                    tax_class=variant.tax_class,
                    category=product.leaf.slug,
                )
            )
            for product in world.products
            for variant in product.variants
        ],
    )
    yield Batch("catalog", catalog_store.PRICES, [catalog_store.price_to_doc(each) for each in _prices(world)])


def _product(product: Product) -> catalog_products.Product:
    return catalog_products.Product(
        id=product.id,
        handle=product.handle,
        title=product.title,
        description=product.description,
        brand=product.brand,
        category=product.leaf.slug,
        media=(catalog_products.Media(product.media_url, "IMAGE", product.title, 96, 96),),
        options=tuple(zip(product.option_names, product.option_values, strict=True)),
        attributes=tuple(
            catalog_products.Attribute(code, label, value, unit) for code, label, value, unit in product.attributes
        ),
        channels=product.published_on,
        status=catalog_products.ProductStatus(product.status),
        skus=tuple(variant.sku for variant in product.variants),
        updated_at=product.created_at,
    )


def _prices(world: World) -> Iterator[catalog_pricing.PriceEntry]:
    """Base prices in euro; a reduced one has its history: the full price first, the reduction since twelve days."""
    for variant in world.variants:
        reduced = variant.price_minor < variant.list_minor
        yield catalog_pricing.PriceEntry(
            sku=variant.sku,
            price_list="base",
            minor=variant.list_minor,
            list_minor=variant.list_minor,
            valid_from=BEFORE_HISTORY,
            valid_to=REDUCED_SINCE if reduced else None,
            version=1,
        )
        if reduced:
            yield catalog_pricing.PriceEntry(
                sku=variant.sku,
                price_list="base",
                minor=variant.price_minor,
                list_minor=variant.list_minor,
                valid_from=REDUCED_SINCE,
                valid_to=None,
                version=2,
            )


def _inventory(world: World, past: Sequence[PastOrder]) -> Iterator[Batch]:
    yield Batch(
        "inventory",
        inventory_store.LOCATIONS,
        [inventory_store.location_to_doc(_place(location)) for location in world.locations],
    )
    levels, movements = [], []
    for target in world.stock:
        opened = target.on_hand > 0
        levels.append(
            inventory_store.level_to_doc(
                stock.StockLevel(
                    sku=target.sku,
                    location_id=target.location_id,
                    on_hand=target.on_hand,
                    safety=target.safety,
                    version=1 if opened else 0,
                    updated_at=EPOCH,
                )
            )
        )
        if opened:
            movements.append(
                inventory_store.movement_to_doc(
                    stock.Movement(
                        id=deterministic_id("mov", target.sku, target.location_id, at_ms=_ms_at_epoch()),
                        sku=target.sku,
                        location_id=target.location_id,
                        delta=stock.Delta(on_hand=target.on_hand),
                        cause=stock.Cause.OPENING,
                        ref=None,
                        version=1,
                        at=EPOCH,
                    )
                )
            )
    yield Batch("inventory", inventory_store.STOCK, levels)
    yield Batch("inventory", inventory_store.MOVEMENTS, movements)
    yield Batch("inventory", demand_store.DEMAND, [demand_store.record_to_doc(each) for each in demand(world, past)])


def _place(location: Location) -> places.Location:
    hours = places.Hours(places.minutes(location.opens), places.minutes(location.closes))
    ships_from_its_shelves = location.sells_at_a_counter and places.Capability.SHIP.value in location.capabilities
    return places.Location(
        id=location.id,
        code=location.code,
        name=location.name,
        kind=places.LocationKind(location.kind),
        point=places.Point(location.city.lat, location.city.lng),
        timezone=location.city.timezone,
        address=location.address,
        country=location.city.country,
        capabilities=tuple(places.Capability(name) for name in location.capabilities),
        # Shops keep Sundays free; warehouses never close.
        week=(hours,) * 6 + ((None,) if location.sells_at_a_counter else (hours,)),
        pickup_lead_minutes=location.pickup_lead_minutes,
        daily_pick_capacity=location.daily_pick_capacity,
        channels=(),
        # A store that helps out other channels keeps a fifth for its own registers, and its shelves from going bare.
        shares=(places.Share(20, ("pos",)),) if ships_from_its_shelves else (),
        shipping_floor=3 if ships_from_its_shelves else 0,
    )


def _orders(world: World, past: Iterable[PastOrder]) -> Iterator[Batch]:
    made = [_order(each) for each in past]
    yield Batch("orders", orders_store.ORDERS, [orders_store.order_to_doc(each) for each in made])
    yield Batch("orders", orders_store.PAYMENTS, [orders_store.payment_to_doc(_payment(each)) for each in made])


def _order(past: PastOrder) -> order.Order:
    lines = [
        Line(
            id=f"line:{line.variant.sku}",
            sku=line.variant.sku,
            title=line.variant.title,
            product_id=line.product.id,
            category_slug=line.product.leaf.slug,
            tax_class=line.variant.tax_class,
            quantity=line.quantity,
            unit=Money(line.unit_minor, past.currency),
            list_unit=Money(line.unit_minor, past.currency),
            price_version="base.1",
            quote_token=None,
            quote_valid_until=None,
        )
        for line in past.lines
    ]
    rule = tax.TABLE_2026.rule(past.country)
    owner = f"customer:{past.customer.id}" if past.customer is not None else "anonymous"
    customer_id = past.customer.id if past.customer is not None else None
    if past.register_id is not None and past.receipt_no is not None:
        return order.record(
            order_id=past.id,
            number=past.number,
            channel=past.channel,
            location_id=past.location_id,
            receipt=order.Receipt(register_id=past.register_id, receipt_no=past.receipt_no, staff_id=None),
            occurred_at=past.placed_at,
            owner="staff:seed",
            customer_id=customer_id,
            lines=lines,
            totals=totals.add_up(lines, None, rule if rule.included else None, past.currency),
        )
    method: delivery.Method = "PICKUP" if past.method == "PICKUP" else "SHIP"
    option = delivery.default_option(method, past.currency)
    sums = totals.add_up(lines, delivery.delivery_cost(method, option, past.currency), rule, past.currency)
    arrived = past.placed_at + timedelta(days=3)
    return order.Order(
        id=past.id,
        version=1,
        number=past.number,
        origin=f"seed:{past.number}",
        status="FULFILLED",
        channel=past.channel,
        currency=past.currency,
        placed_at=past.placed_at,
        owner=owner,
        customer_id=customer_id,
        agent_id=None,
        email=past.customer.email if past.customer is not None else None,
        address=None,
        sold_at_location_id=None,
        reservation_id=None,
        lines=tuple(
            order.OrderLine(
                id=line.id,
                sku=line.sku,
                title=line.title,
                category_slug=line.category_slug,
                quantity=line.quantity,
                fulfilled=line.quantity,
                returned=0,
                unit=line.unit,
                total=line.total,
            )
            for line in lines
        ),
        totals=sums.rows,
        tax_lines=sums.tax_lines,
        fulfilments=(
            delivery.Fulfilment(
                id=deterministic_id("ful", past.id, at_ms=int(past.placed_at.timestamp() * 1000)),
                method=method,
                state="HANDED_OVER" if method == "PICKUP" else "DELIVERED",
                location_id=past.location_id,
                lines=tuple(delivery.FulfilmentLine(line.id, line.sku, line.quantity) for line in lines),
                promised_by=arrived,
                tracking=None if method == "PICKUP" else delivery.Tracking("parcel", f"P{past.number[2:]}", None),
                happenings=(delivery.Happening(arrived, "DELIVERED", "galleria"),),
            ),
        ),
        timeline=(delivery.Happening(past.placed_at, "CONFIRMED", owner),),
        receipt=None,
    )


def _payment(made: order.Order) -> order.Payment:
    return order.Payment(
        id=deterministic_id("pay", made.id, at_ms=int(made.placed_at.timestamp() * 1000)),
        order_id=made.id,
        checkout_id=None,
        provider="sandbox" if made.receipt is None else "register",
        provider_ref=f"seed-{made.number}",
        state="CAPTURED",
        authorized=made.total,
        captured=made.total,
        refunded=Money.zero(made.currency),
        at=made.placed_at,
    )


def _customers(world: World, past: Iterable[PastOrder]) -> Iterator[Batch]:
    spent: dict[str, int] = defaultdict(int)
    popularity: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    pairs: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
    purchases: dict[tuple[str, str], Document] = {}
    for each in past:
        products = sorted({line.product.id for line in each.lines})
        side = int(each.at_a_register)
        for one in products:
            popularity[one][side] += 1
            for other in products:
                if one != other:
                    pairs[one, other][side] += 1
        if each.customer is None:
            continue
        spent[each.customer.id] += each.total_minor
        for one in products:
            known = purchases.setdefault(
                (each.customer.id, one),
                {"_id": f"{each.customer.id}|{one}", "cus": each.customer.id, "p": one, "n": 0, "at": each.placed_at},
            )
            known["n"] += 1
            known["at"] = each.placed_at
    people = [
        customers_model.Customer(
            id=person.id,
            display_name=person.display_name,
            email=person.email,
            phone=person.phone,
            loyalty_number=person.loyalty_number,
            home_location_id=person.home_location_id,
            consents=tuple(
                customers_model.Consent(
                    customers_model.ConsentPurpose(purpose),
                    granted,
                    person.registered_at,
                    "web-eu",
                    "registration form 3",
                )
                for purpose, granted in person.consents
            ),
            segments=("regular",) if spent[person.id] >= 50_000 else (),
            registered_at=person.registered_at,
        )
        for person in world.customers
    ]
    yield Batch("customers", customers_store.CUSTOMERS, [customers_store.customer_to_doc(each) for each in people])
    yield Batch("customers", customers_store.SEGMENTS, [{"_id": "regular", "name": "Regulars"}])
    yield Batch(
        "customers",
        customers_store.PRODUCTS_OF,
        [{"_id": variant.sku, "p": variant.product_id} for variant in world.variants],
    )
    yield Batch(
        "customers",
        customers_store.POPULARITY,
        [
            {"_id": one, "on": online, "st": store, "n": online + store}
            for one, (online, store) in sorted(popularity.items())
        ],
    )
    yield Batch(
        "customers",
        customers_store.PAIRS,
        [
            {"_id": f"{one}|{other}", "a": one, "b": other, "on": online, "st": store}
            for (one, other), (online, store) in sorted(pairs.items())
        ],
    )
    yield Batch("customers", customers_store.PURCHASES, [purchases[key] for key in sorted(purchases)])


def _loyalty(world: World, past: Iterable[PastOrder]) -> Iterator[Batch]:
    program = loyalty_store.MAIN_PROGRAM
    accounts: dict[str, loyalty_model.Account] = {
        person.id: loyalty_model.Account(
            id=deterministic_id("loy", person.id, at_ms=int(person.registered_at.timestamp() * 1000)),
            number=person.loyalty_number,
            customer_id=person.id,
            tier=program.tiers[0].code,
            created_at=person.registered_at,
        )
        for person in world.customers
        if person.loyalty_number is not None
    }
    entries: list[loyalty_model.LedgerEntry] = []
    for each in past:
        account = accounts.get(each.customer.id) if each.customer is not None else None
        if account is None:
            continue
        points = program.points(
            [
                loyalty_model.EarningLine(line.total_minor, line.product.leaf.slug, line.variant.sku)
                for line in each.lines
            ],
            each.currency,
            program.tier(account.tier),
            each.channel,
            each.placed_at,
        )
        if points <= 0:
            continue
        after, entry = account.accrue(
            points,
            program,
            entry_id=deterministic_id("ldg", each.id, at_ms=int(each.placed_at.timestamp() * 1000)),
            order_id=each.id,
            at=each.placed_at,
        )
        accounts[after.customer_id] = after
        entries.append(entry)
    yield Batch("loyalty", loyalty_store.PROGRAMS, [loyalty_store.program_to_doc(program)])
    yield Batch("loyalty", loyalty_store.ACCOUNTS, [loyalty_store.account_to_doc(each) for each in accounts.values()])
    yield Batch("loyalty", loyalty_store.LEDGER, [loyalty_store.entry_to_doc(each) for each in entries])


def _ms_at_epoch() -> int:
    return int(EPOCH.timestamp() * 1000)
