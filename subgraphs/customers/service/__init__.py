"""What customers does for its askers: who somebody is, what they allow, what goes with what. Who may, load, decide, save.

Nothing personal is ever logged, and nobody learns of a person who is not themselves without a scope for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from subgraphs.chassis.idempotency import Idempotency, Payload
from subgraphs.chassis.identity import Principal
from subgraphs.chassis.mongo import DuplicateKey, Session
from subgraphs.chassis.outbox import Outbox
from subgraphs.customers.model import (
    Consent,
    ConsentPurpose,
    Customer,
    Recommendation,
    RecommendationKind,
    also_bought,
    clean_email,
    clean_name,
    clean_phone,
    personal,
)
from subgraphs.customers.service.mandates import Mandates
from subgraphs.customers.store import Store
from subgraphs.kernel.clock import Clock, from_iso
from subgraphs.kernel.errors import Forbidden, InvalidInput, NotFound
from subgraphs.kernel.events import CustomerRegistered, Envelope, OrderConfirmed, PosOrderRecorded
from subgraphs.kernel.ids import new_id

READ, WRITE = "customers:read", "customers:write"
RECOMMENDED_MAX = 24


class ProductsByCatalog(Protocol):
    """Asks catalog which product each SKU belongs to; SKUs it does not know are absent."""

    async def __call__(self, skus: Sequence[str]) -> Mapping[str, str]: ...


class Customers:
    def __init__(
        self,
        store: Store,
        outbox: Outbox,
        idempotency: Idempotency,
        clock: Clock,
        products_by_catalog: ProductsByCatalog,
        mandates: Mandates,
    ) -> None:
        self.store = store
        self.mandates = mandates
        self._outbox = outbox
        self._idempotency = idempotency
        self._clock = clock
        self._products_by_catalog = products_by_catalog

    async def customers_of(self, ids: Sequence[str]) -> list[Customer | None]:
        """In the order asked. One query. Whether the asker may see them is ``may_see``."""
        found = await self.store.customers(ids)
        return [found.get(identity) for identity in ids]

    async def segment_names(self, keys: Sequence[str]) -> list[Mapping[str, str]]:
        """Every segment's name by code, for each of the keys. One query."""
        names = await self.store.segment_names()
        return [names for _ in keys]

    @staticmethod
    def may_see(principal: Principal, customer_id: str) -> bool:
        """Everybody may see themselves; others need a scope, or are one of our own services."""
        return principal.customer_id == customer_id or principal.has(READ) or principal.kind == "service"

    async def look_up(
        self, principal: Principal, *, email: str | None, phone: str | None, loyalty_number: str | None
    ) -> Customer | None:
        """Staff find a person by exactly one thing they say about themselves."""
        if not principal.has(READ):
            raise Forbidden(f"missing scopes: {READ}", [READ])
        given = [
            (field, value)
            for field, value in (
                ("email", clean_email(email) if email is not None else None),
                ("phone", clean_phone(phone) if phone is not None else None),
                ("loy", loyalty_number),
            )
            if value is not None
        ]
        if len(given) != 1:
            raise InvalidInput("look up by one of email, phone and loyaltyNumber", path=("email",))
        return await self.store.customer_by(*given[0])

    async def also_bought_with(self, products: Sequence[str]) -> list[list[Recommendation]]:
        """Recommendations of each product, best first, in the order asked. Two queries for all."""
        pairs = await self.store.pairs_of(products)
        orders = await self.store.orders_of([*products, *(partner for own in pairs.values() for partner in own)])
        counts = {product: seen.orders for product, seen in orders.items()}
        return [also_bought(pairs[product], counts.get(product, 0), counts, RECOMMENDED_MAX) for product in products]

    async def recommended_for(self, customer: Customer, first: int) -> list[Recommendation]:
        """Personal for those who agreed to it and have bought something; otherwise what everybody buys."""
        if customer.allows(ConsentPurpose.PERSONALISATION):
            owned = await self.store.purchases_of(customer.id)
            if owned:
                pairs = await self.store.pairs_of(owned)
                orders = await self.store.orders_of([*owned, *(partner for own in pairs.values() for partner in own)])
                found = personal(owned, pairs, {product: seen.orders for product, seen in orders.items()}, first)
                if found:
                    return found
        return [
            Recommendation(product, RecommendationKind.POPULAR, float(seen.orders), seen)
            for product, seen in (await self.store.most_bought(first)).items()
        ]

    async def upsert(
        self, principal: Principal, given: Mapping[str, Any], key: str, arguments: Mapping[str, Any]
    ) -> Customer:
        """Registers somebody, or changes what is given of them. People change themselves; staff, with a scope, anyone."""
        identity = given.get("id")
        if identity is not None and principal.customer_id != identity and not principal.has(WRITE):
            raise Forbidden(f"missing scopes: {WRITE}", [WRITE])
        clean = {
            "display_name": clean_name(given["display_name"]) if given.get("display_name") is not None else None,
            "email": clean_email(given["email"]) if given.get("email") is not None else None,
            "phone": clean_phone(given["phone"]) if given.get("phone") is not None else None,
            "home_location_id": given.get("home_location_id"),
        }

        async def work(session: Session) -> Payload:
            if identity is not None:
                known = (await self.store.customers([identity], session=session)).get(identity)
                if known is None:
                    raise NotFound("there is no such customer", path=("input", "id"))
                customer = known.changed(**clean)
                await self.store.replace(customer, session=session)
            else:
                if clean["display_name"] is None:
                    raise InvalidInput("a new customer needs a name", path=("input", "displayName"))
                customer = Customer(
                    id=new_id("cus"),
                    display_name=clean["display_name"],
                    email=clean["email"],
                    phone=clean["phone"],
                    home_location_id=clean["home_location_id"],
                    registered_at=self._clock.now(),
                )
                await self.store.add(customer, session=session)
                await self._outbox.append(
                    session,
                    CustomerRegistered(customer_id=customer.id),
                    aggregate=f"customer:{customer.id}",
                    aggregate_version=customer.version,
                )
            return {"id": customer.id}

        try:
            payload, _ = await self._idempotency.run(principal.key, "customerUpsert", key, arguments, work)
        except DuplicateKey as taken:
            # Which of the two is not said: it would tell a stranger that the other person is a customer.
            raise InvalidInput("this email or phone number cannot be used", path=("input",)) from taken
        return (await self.store.customers([payload["id"]]))[payload["id"]]

    async def consent(
        self,
        principal: Principal,
        purpose: ConsentPurpose,
        granted: bool,
        channel: str,
        key: str,
        arguments: Mapping[str, Any],
    ) -> Customer:
        """What a customer says about a purpose, appended for ever."""
        identity = principal.customer_id
        if identity is None:
            raise Forbidden("only a customer can consent", [])

        async def work(session: Session) -> Payload:
            known = (await self.store.customers([identity], session=session)).get(identity)
            if known is None:
                raise NotFound("there is no such customer")
            proof = f"{principal.kind}:{key}"
            customer = known.consented(Consent(purpose, granted, self._clock.now(), channel, proof))
            await self.store.replace(customer, session=session)
            return {"customer": {"id": customer.id}}

        await self._idempotency.run(principal.key, "consentRecord", key, arguments, work)
        return (await self.store.customers([identity]))[identity]

    async def hear_order(self, session: Session, envelope: Envelope) -> None:
        """An order is evidence of what goes with what."""
        event = envelope.event()
        assert isinstance(event, OrderConfirmed | PosOrderRecorded)
        at = event.placed_at if isinstance(event, OrderConfirmed) else event.occurred_at
        skus = sorted({line.sku for line in event.lines})
        known = await self.store.products_of(skus, session=session)
        missing = [sku for sku in skus if sku not in known]
        if missing:
            learned = await self._products_by_catalog(missing)
            await self.store.learn_products(learned, session=session)
            known |= learned
        products = [known[sku] for sku in skus if sku in known]
        if products:
            await self.store.count_order(
                products,
                store=isinstance(event, PosOrderRecorded),
                customer_id=event.customer_id,
                at=from_iso(at),
                session=session,
            )
