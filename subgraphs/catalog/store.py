"""Catalog's documents: their shapes, their mapping to the model, their queries and indexes. No decisions.

``products``
    ``{_id: "prd_…", handle, title, desc, brand, cat: category slug, media: [{url, kind, alt, w, h}],
    opts: [{n, vs: [...]}], attrs: [{c, l, v, u, s}], ch: [channel codes], st: "ACTIVE", skus: [...], at: date}``
``variants``
    ``{_id: SKU, pid, title, gtin, mpn, opts: [{n, v}], g: grams | null, tax, cat: category slug}``
``categories``
    ``{_id: "cat_<slug>", slug, name, parent: slug | null}``
``channels``
    ``{_id: code, name, kind, cur: [...], countries: [...], list: price list code, url | null}``
``price_lists``
    ``{_id: code, cur, parent: code | null, tax: bool, rounding}``
``prices``
    ``{_id: "LIST|SKU|VERSION", sku, list, m: minor, lm: struck-through minor, from: date, to: date | null, v}``
``rates``
    ``{_id: version, base: "EUR", rates: {USD: "1.0850", …}}``; the highest version is in force
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from subgraphs.catalog.model.pricing import PriceEntry, PriceList, Rules
from subgraphs.catalog.model.products import Attribute, Category, Channel, Media, Product, ProductStatus, Variant
from subgraphs.chassis.mongo import DESCENDING, Database, Document, Index, Session

PRODUCT_PARTS: Mapping[str, str] = {"description": "desc", "media": "media", "options": "opts", "attributes": "attrs"}
"""What of a product is long, by name: read where it is wanted, and empty in the model where it is not."""
VARIANT_PARTS: Mapping[str, str] = {"gtin": "gtin", "mpn": "mpn", "selectedOptions": "opts", "weightGrams": "g"}
"""The same of a variant."""
ALL_PARTS: Collection[str] = frozenset({*PRODUCT_PARTS, *VARIANT_PARTS})

PRODUCTS, VARIANTS, CATEGORIES = "products", "variants", "categories"
CHANNELS, PRICE_LISTS, PRICES, RATES = "channels", "price_lists", "prices", "rates"

INDEXES: dict[str, Sequence[Index]] = {
    PRODUCTS: (Index(["handle"], unique=True), Index([("at", DESCENDING)])),
    VARIANTS: (Index(["pid"]), Index(["gtin"], unique=True, sparse=True)),
    CATEGORIES: (Index(["slug"], unique=True),),
    CHANNELS: (),
    PRICE_LISTS: (),
    PRICES: (Index(["sku"]),),
    RATES: (),
}


def product_to_doc(product: Product) -> Document:
    """The document of a product."""
    return {
        "_id": product.id,
        "handle": product.handle,
        "title": product.title,
        "desc": product.description,
        "brand": product.brand,
        "cat": product.category,
        "media": [
            {"url": each.url, "kind": each.kind, "alt": each.alt, "w": each.width, "h": each.height}
            for each in product.media
        ],
        "opts": [{"n": name, "vs": list(values)} for name, values in product.options],
        "attrs": [{"c": a.code, "l": a.label, "v": a.value, "u": a.unit, "s": a.source} for a in product.attributes],
        "ch": list(product.channels),
        "st": product.status.value,
        "skus": list(product.skus),
        "at": product.updated_at,
    }


def product_from_doc(doc: Mapping[str, Any]) -> Product:
    """The product of a document."""
    return Product(
        id=doc["_id"],
        handle=doc["handle"],
        title=doc["title"],
        description=doc.get("desc", ""),
        brand=doc.get("brand"),
        category=doc["cat"],
        media=tuple(Media(m["url"], m["kind"], m.get("alt"), m["w"], m["h"]) for m in doc.get("media", ())),
        options=tuple((option["n"], tuple(option["vs"])) for option in doc.get("opts", ())),
        attributes=tuple(Attribute(a["c"], a["l"], a["v"], a.get("u"), a["s"]) for a in doc.get("attrs", ())),
        channels=tuple(doc["ch"]),
        status=ProductStatus(doc["st"]),
        skus=tuple(doc["skus"]),
        updated_at=doc["at"],
    )


def variant_to_doc(variant: Variant) -> Document:
    """The document of a variant."""
    doc: Document = {
        "_id": variant.sku,
        "pid": variant.product_id,
        "title": variant.title,
        "mpn": variant.mpn,
        "opts": [{"n": name, "v": value} for name, value in variant.options],
        "g": variant.weight_grams,
        "tax": variant.tax_class,
        "cat": variant.category,
    }
    if variant.gtin is not None:  # the index on it is sparse: a variant without one must not have the field
        doc["gtin"] = variant.gtin
    return doc


def variant_from_doc(doc: Mapping[str, Any]) -> Variant:
    """The variant of a document."""
    return Variant(
        sku=doc["_id"],
        product_id=doc["pid"],
        title=doc["title"],
        gtin=doc.get("gtin"),
        mpn=doc.get("mpn"),
        options=tuple((option["n"], option["v"]) for option in doc.get("opts", ())),
        weight_grams=doc.get("g"),
        tax_class=doc["tax"],
        category=doc["cat"],
    )


def category_to_doc(category: Category) -> Document:
    """The document of a category."""
    return {"_id": category.id, "slug": category.slug, "name": category.name, "parent": category.parent}


def category_from_doc(doc: Mapping[str, Any]) -> Category:
    """The category of a document."""
    return Category(doc["_id"], doc["slug"], doc["name"], doc.get("parent"))


def channel_to_doc(channel: Channel) -> Document:
    """The document of a channel."""
    return {
        "_id": channel.code,
        "name": channel.name,
        "kind": channel.kind,
        "cur": list(channel.currencies),
        "countries": list(channel.countries),
        "list": channel.price_list,
        "url": channel.storefront_url,
    }


def channel_from_doc(doc: Mapping[str, Any]) -> Channel:
    """The channel of a document."""
    return Channel(
        code=doc["_id"],
        name=doc["name"],
        kind=doc["kind"],
        currencies=tuple(doc["cur"]),
        countries=tuple(doc["countries"]),
        price_list=doc["list"],
        storefront_url=doc.get("url"),
    )


def price_list_to_doc(price_list: PriceList) -> Document:
    """The document of a price list."""
    return {
        "_id": price_list.code,
        "cur": price_list.currency,
        "parent": price_list.parent,
        "tax": price_list.tax_included,
        "rounding": price_list.rounding,
    }


def price_list_from_doc(doc: Mapping[str, Any]) -> PriceList:
    """The price list of a document."""
    return PriceList(
        code=doc["_id"],
        currency=doc["cur"],
        parent=doc.get("parent"),
        tax_included=doc["tax"],
        rounding=doc["rounding"],
    )


def price_to_doc(entry: PriceEntry) -> Document:
    """The document of an explicit price."""
    return {
        "_id": f"{entry.price_list}|{entry.sku}|{entry.version}",
        "sku": entry.sku,
        "list": entry.price_list,
        "m": entry.minor,
        "lm": entry.list_minor,
        "from": entry.valid_from,
        "to": entry.valid_to,
        "v": entry.version,
    }


def price_from_doc(doc: Mapping[str, Any]) -> PriceEntry:
    """The explicit price of a document."""
    return PriceEntry(
        sku=doc["sku"],
        price_list=doc["list"],
        minor=doc["m"],
        list_minor=doc["lm"],
        valid_from=doc["from"],
        valid_to=doc.get("to"),
        version=doc["v"],
    )


def _without(known: Mapping[str, str], wanted: Collection[str]) -> dict[str, int] | None:
    """The projection that leaves out the parts nobody wants."""
    return {key: 0 for part, key in known.items() if part not in wanted} or None


class Store:
    """Catalog's collections."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._products = database.collection(PRODUCTS)
        self._variants = database.collection(VARIANTS)
        self._categories = database.collection(CATEGORIES)
        self._channels = database.collection(CHANNELS)
        self._price_lists = database.collection(PRICE_LISTS)
        self._prices = database.collection(PRICES)
        self._rates = database.collection(RATES)

    async def products(self, ids: Sequence[str], parts: Collection[str] = ALL_PARTS) -> dict[str, Product]:
        """Those of the products that exist, with these of their ``PRODUCT_PARTS``. One query."""
        rows = await self._products.find({"_id": {"$in": list(ids)}}, projection=_without(PRODUCT_PARTS, parts))
        return {doc["_id"]: product_from_doc(doc) for doc in rows}

    async def product_by_handle(self, handle: str, parts: Collection[str] = ALL_PARTS) -> Product | None:
        doc = await self._products.find_one({"handle": handle}, projection=_without(PRODUCT_PARTS, parts))
        return product_from_doc(doc) if doc is not None else None

    async def all_products(self) -> list[Product]:
        return [product_from_doc(doc) for doc in await self._products.find({})]

    async def mark(self) -> tuple[int | datetime | None, ...]:
        """Differs when what search looks at may differ: how many there are of each, and the newest product's date."""
        newest = await self._products.find_one({}, projection={"at": 1}, sort=[("at", DESCENDING)])
        counts = [await each.count({}) for each in (self._products, self._variants, self._prices, self._categories)]
        return (*counts, newest["at"] if newest is not None else None)

    async def variants(self, skus: Sequence[str], parts: Collection[str] = ALL_PARTS) -> dict[str, Variant]:
        """Those of the variants that exist, with these of their ``VARIANT_PARTS``. One query."""
        rows = await self._variants.find({"_id": {"$in": list(skus)}}, projection=_without(VARIANT_PARTS, parts))
        return {doc["_id"]: variant_from_doc(doc) for doc in rows}

    async def variant_by_gtin(self, gtin: str) -> Variant | None:
        doc = await self._variants.find_one({"gtin": gtin})
        return variant_from_doc(doc) if doc is not None else None

    async def all_variants(self) -> list[Variant]:
        return [variant_from_doc(doc) for doc in await self._variants.find({})]

    async def categories(self) -> dict[str, Category]:
        """Every category by slug."""
        return {doc["slug"]: category_from_doc(doc) for doc in await self._categories.find({})}

    async def rules(self) -> Rules:
        """Channels, price lists and the exchange table in force."""
        newest = await self._rates.find_one({}, sort=[("_id", DESCENDING)])
        return Rules(
            channels={doc["_id"]: channel_from_doc(doc) for doc in await self._channels.find({})},
            lists={doc["_id"]: price_list_from_doc(doc) for doc in await self._price_lists.find({})},
            rates={code: Decimal(rate) for code, rate in newest["rates"].items()} if newest is not None else {},
            base_currency=newest["base"] if newest is not None else "EUR",
            rates_version=newest["_id"] if newest is not None else 0,
        )

    async def prices(self, skus: Sequence[str], *, session: Session | None = None) -> dict[str, tuple[PriceEntry, ...]]:
        """Every entry of each SKU, old ones too; an empty tuple where there is none. One query."""
        found: dict[str, list[PriceEntry]] = {sku: [] for sku in skus}
        for doc in await self._prices.find({"sku": {"$in": list(skus)}}, session=session):
            found[doc["sku"]].append(price_from_doc(doc))
        return {sku: tuple(entries) for sku, entries in found.items()}

    async def all_prices(self) -> dict[str, tuple[PriceEntry, ...]]:
        """Every entry there is, by SKU."""
        found: dict[str, list[PriceEntry]] = {}
        for doc in await self._prices.find({}):
            found.setdefault(doc["sku"], []).append(price_from_doc(doc))
        return {sku: tuple(entries) for sku, entries in found.items()}

    async def add_price(self, entry: PriceEntry, *, session: Session) -> None:
        """A new entry; earlier ones of the SKU in that list that were open end where it begins, later ones stay."""
        await self._prices.update_many(
            {"sku": entry.sku, "list": entry.price_list, "to": None, "from": {"$lte": entry.valid_from}},
            {"$set": {"to": entry.valid_from}},
            session=session,
        )
        await self._prices.insert_one(price_to_doc(entry), session=session)

    async def known_skus(self, skus: Sequence[str], *, session: Session | None = None) -> set[str]:
        rows = await self._variants.find({"_id": {"$in": list(skus)}}, projection={"_id": 1}, session=session)
        return {row["_id"] for row in rows}
