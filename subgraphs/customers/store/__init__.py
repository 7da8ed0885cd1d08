"""Customers' documents: their shapes, their mapping to the model, their queries and indexes. No decisions.

``customers``
    ``{_id: "cus_…", name, email | absent, phone | absent, loy: loyalty number | absent, home: "loc_…" | null,
    cons: [{p: "PERSONALISATION", g: bool, at: date, ch, pf}], segs: [codes], v, at: date}``
``segments``
    ``{_id: code, name}``
``products_of``
    ``{_id: SKU, p: "prd_…"}``: what product a SKU belongs to, as catalog said
``popularity``
    ``{_id: "prd_…", on: online orders that hold it, st: store orders, n: both}``
``pairs``
    ``{_id: "A|B", a: "prd_…", b: "prd_…", on, st}``: orders that hold both, kept in both directions
``purchases``
    ``{_id: "CUSTOMER|PRODUCT", cus, p, n: orders, at: date of the last}``
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from subgraphs.chassis.mongo import ASCENDING, DESCENDING, Database, Document, Index, Session, Update, Write
from subgraphs.customers.model import Consent, ConsentPurpose, Customer, Evidence
from subgraphs.kernel.errors import VersionConflict

CUSTOMERS, SEGMENTS, PRODUCTS_OF = "customers", "segments", "products_of"
POPULARITY, PAIRS, PURCHASES = "popularity", "pairs", "purchases"
PURCHASES_READ_MAX = 20

INDEXES: dict[str, Sequence[Index]] = {
    CUSTOMERS: (
        Index(["email"], unique=True, sparse=True),
        Index(["phone"], unique=True, sparse=True),
        Index(["loy"], unique=True, sparse=True),
        # The guard {_id, v}: the embedded server reads a whole collection unless one index holds both.
        Index(["_id", "v"]),
    ),
    SEGMENTS: (),
    PRODUCTS_OF: (),
    POPULARITY: (Index([("n", DESCENDING), "_id"]),),
    PAIRS: (Index(["a"]),),
    PURCHASES: (Index(["cus", ("at", DESCENDING)]),),
}


def customer_to_doc(customer: Customer) -> Document:
    """The document of a customer. What is unknown is absent: the unique indexes are sparse."""
    doc: Document = {
        "_id": customer.id,
        "name": customer.display_name,
        "home": customer.home_location_id,
        "cons": [
            {"p": each.purpose.value, "g": each.granted, "at": each.at, "ch": each.channel, "pf": each.proof}
            for each in customer.consents
        ],
        "segs": list(customer.segments),
        "v": customer.version,
        "at": customer.registered_at,
    }
    known = {"email": customer.email, "phone": customer.phone, "loy": customer.loyalty_number}
    return doc | {name: value for name, value in known.items() if value is not None}


def customer_from_doc(doc: Mapping[str, Any]) -> Customer:
    """The customer of a document."""
    return Customer(
        id=doc["_id"],
        display_name=doc["name"],
        email=doc.get("email"),
        phone=doc.get("phone"),
        loyalty_number=doc.get("loy"),
        home_location_id=doc.get("home"),
        consents=tuple(
            Consent(ConsentPurpose(each["p"]), each["g"], each["at"], each["ch"], each["pf"]) for each in doc["cons"]
        ),
        segments=tuple(doc["segs"]),
        version=doc["v"],
        registered_at=doc["at"],
    )


class Store:
    """Customers' collections."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._customers = database.collection(CUSTOMERS)
        self._segments = database.collection(SEGMENTS)
        self._products_of = database.collection(PRODUCTS_OF)
        self._popularity = database.collection(POPULARITY)
        self._pairs = database.collection(PAIRS)
        self._purchases = database.collection(PURCHASES)

    async def customers(self, ids: Sequence[str], *, session: Session | None = None) -> dict[str, Customer]:
        """Those that exist. One query."""
        docs = await self._customers.find({"_id": {"$in": list(ids)}}, session=session)
        return {doc["_id"]: customer_from_doc(doc) for doc in docs}

    async def customer_by(self, field: str, value: str) -> Customer | None:
        """By ``email``, ``phone`` or ``loy``, each unique."""
        doc = await self._customers.find_one({field: value})
        return customer_from_doc(doc) if doc is not None else None

    async def add(self, customer: Customer, *, session: Session) -> None:
        await self._customers.insert_one(customer_to_doc(customer), session=session)

    async def replace(self, customer: Customer, *, session: Session) -> None:
        """Guarded by the version before; VersionConflict when somebody was faster."""
        before = customer.version - 1
        written = await self._customers.replace_one(
            {"_id": customer.id, "v": before}, customer_to_doc(customer), session=session
        )
        if written.matched != 1:
            raise VersionConflict("the customer changed meanwhile", expected=before, actual=customer.version)

    async def segment_names(self) -> dict[str, str]:
        """Every segment's name by code."""
        return {doc["_id"]: doc["name"] for doc in await self._segments.find({})}

    async def products_of(self, skus: Sequence[str], *, session: Session | None = None) -> dict[str, str]:
        """The product of each SKU that is known here."""
        docs = await self._products_of.find({"_id": {"$in": list(skus)}}, session=session)
        return {doc["_id"]: doc["p"] for doc in docs}

    async def learn_products(self, products: Mapping[str, str], *, session: Session) -> None:
        writes: list[Write] = [
            Update({"_id": sku}, {"$set": {"p": product}}, upsert=True) for sku, product in sorted(products.items())
        ]
        if writes:
            await self._products_of.bulk_write(writes, session=session)

    async def pairs_of(self, products: Iterable[str]) -> dict[str, dict[str, Evidence]]:
        """Evidence by product and partner. One query."""
        wanted = list(products)
        found: dict[str, dict[str, Evidence]] = {product: {} for product in wanted}
        for doc in await self._pairs.find({"a": {"$in": wanted}}):
            found[doc["a"]][doc["b"]] = Evidence(doc.get("on", 0), doc.get("st", 0))
        return found

    async def orders_of(self, products: Iterable[str]) -> dict[str, Evidence]:
        """How many orders hold each product. One query."""
        docs = await self._popularity.find({"_id": {"$in": sorted(set(products))}})
        return {doc["_id"]: Evidence(doc.get("on", 0), doc.get("st", 0)) for doc in docs}

    async def most_bought(self, first: int) -> dict[str, Evidence]:
        """The products in most orders, the most bought first."""
        docs = await self._popularity.find({}, sort=[("n", DESCENDING), ("_id", ASCENDING)], limit=first)
        return {doc["_id"]: Evidence(doc.get("on", 0), doc.get("st", 0)) for doc in docs}

    async def purchases_of(self, customer_id: str) -> list[str]:
        """Products a customer bought, the latest first."""
        docs = await self._purchases.find({"cus": customer_id}, sort=[("at", DESCENDING)], limit=PURCHASES_READ_MAX)
        return [doc["p"] for doc in docs]

    async def count_order(
        self, products: Sequence[str], *, store: bool, customer_id: str | None, at: datetime, session: Session
    ) -> None:
        """Adds one order's evidence: each product, each pair in both directions, the customer's purchases."""
        field = "st" if store else "on"
        increment = {"$inc": {field: 1}}
        held = sorted(set(products))
        await self._popularity.bulk_write(
            [Update({"_id": product}, {"$inc": {field: 1, "n": 1}}, upsert=True) for product in held], session=session
        )
        pairs: list[Write] = [
            Update({"_id": f"{a}|{b}"}, {**increment, "$set": {"a": a, "b": b}}, upsert=True)
            for a in held
            for b in held
            if a != b
        ]
        if pairs:
            await self._pairs.bulk_write(pairs, session=session)
        if customer_id is not None:
            await self._purchases.bulk_write(
                [
                    Update(
                        {"_id": f"{customer_id}|{product}"},
                        {"$inc": {"n": 1}, "$set": {"cus": customer_id, "p": product, "at": at}},
                        upsert=True,
                    )
                    for product in held
                ],
                session=session,
            )
