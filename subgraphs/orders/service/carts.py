"""Cart use cases: make one, change its lines, look at it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from subgraphs.chassis.idempotency import Claim, Idempotency, Payload
from subgraphs.chassis.identity import Principal, RequestContext
from subgraphs.chassis.mongo import Session
from subgraphs.kernel.clock import Clock
from subgraphs.kernel.errors import InvalidInput, NotFound, VersionConflict
from subgraphs.kernel.ids import new_id
from subgraphs.orders.model.cart import LIFE, Cart
from subgraphs.orders.model.lines import LineRequest, merged, priced
from subgraphs.orders.service.access import acting_for, may_touch, once
from subgraphs.orders.service.peers import Catalog
from subgraphs.orders.store import Store


class Carts:
    """The cart use cases."""

    def __init__(self, store: Store, idempotency: Idempotency, clock: Clock, catalog: Catalog) -> None:
        self._store = store
        self._idempotency = idempotency
        self._clock = clock
        self._catalog = catalog

    async def visible(self, principal: Principal, ids: Sequence[str]) -> list[Cart | None]:
        """The carts this principal may see, in the order asked; expired ones are gone."""
        found = await self._store.carts(ids)
        now = self._clock.now()
        carts = [found.get(cart_id) for cart_id in ids]
        return [
            cart if cart and cart.expires_at > now and may_touch(principal, cart.owner, cart.customer_id) else None
            for cart in carts
        ]

    async def create(
        self,
        principal: Principal,
        context: RequestContext,
        *,
        channel: str,
        currency: str | None,
        customer_id: str | None,
        lines: Sequence[LineRequest],
        key: str,
        arguments: Mapping[str, Any],
    ) -> Cart:
        """A new cart with these lines at today's prices."""

        async def work(claim: Claim, _: Payload | None) -> Payload:
            wanted = merged(lines)
            where = await pricing_place(self._catalog, channel, currency, context)
            offers = await self._catalog.offers([line.sku for line in wanted], channel, *where)
            now = self._clock.now()
            cart = Cart(
                id=new_id("crt"),
                version=1,
                channel=channel,
                currency=where[0],
                country=where[1],
                owner=principal.key,
                customer_id=acting_for(principal, customer_id),
                lines=priced(wanted, offers, where[0]),
                messages=(),
                created_at=now,
                expires_at=now + LIFE,
            )

            async def body(session: Session) -> Payload:
                await self._store.add_cart(cart, session)
                return await self._finished(session, claim, cart)

            return await self._store.database.transact(body)

        payload, _ = await once(self._idempotency, principal, "cartCreate", key, arguments, work)
        return await self._known(payload)

    async def update_lines(
        self,
        principal: Principal,
        cart_id: str,
        changes: Sequence[LineRequest],
        expected_version: int | None,
        key: str,
        arguments: Mapping[str, Any],
    ) -> Cart:
        """The cart with new quantities, all lines at today's prices."""

        async def work(claim: Claim, _: Payload | None) -> Payload:
            now = self._clock.now()
            cart = await self._store.cart(cart_id)
            if cart is None or not may_touch(principal, cart.owner, cart.customer_id):
                raise NotFound("no such cart", path=("cartId",))
            cart.check(expected_version, now)
            wanted = cart.wanted(changes)
            offers = await self._catalog.offers(
                [line.sku for line in wanted], cart.channel, cart.currency, cart.country
            )
            changed = cart.with_lines(wanted, offers, now)

            async def body(session: Session) -> Payload:
                if not await self._store.save_cart(changed, cart.version, session):
                    present = await self._store.cart(cart_id, session)
                    raise VersionConflict(
                        "the cart has changed", cart.version, present.version if present else 0, path=("cartId",)
                    )
                return await self._finished(session, claim, changed)

            return await self._store.database.transact(body)

        payload, _ = await once(self._idempotency, principal, "cartLinesUpdate", key, arguments, work)
        return await self._known(payload)

    async def merge(
        self,
        principal: Principal,
        guest_cart_id: str,
        cart_id: str | None,
        expected_version: int | None,
        key: str,
        arguments: Mapping[str, Any],
    ) -> Cart:
        """A guest's cart becomes the customer's, or goes into the cart the customer has, and is gone."""

        async def work(claim: Claim, _: Payload | None) -> Payload:
            now = self._clock.now()
            guest = await self._mine(principal, guest_cart_id, ("guestCartId",))
            guest.check(None if cart_id else expected_version, now)
            if guest.customer_id not in (None, principal.customer_id):
                raise NotFound("no such cart", path=("guestCartId",))
            changed: list[tuple[Cart, Cart]]
            if cart_id is None:
                whole = guest.owned_by(principal.key, principal.customer_id)
                changed = [(guest, whole)]
            else:
                cart = await self._mine(principal, cart_id, ("cartId",))
                cart.check(expected_version, now)
                if cart.id == guest.id:
                    raise InvalidInput("a cart cannot go into itself", path=("guestCartId",))
                if (cart.channel, cart.currency) != (guest.channel, guest.currency):
                    raise InvalidInput("the carts are of different channels or currencies", path=("guestCartId",))
                wanted = cart.joined(guest)
                offers = await self._catalog.offers(
                    [line.sku for line in wanted], cart.channel, cart.currency, cart.country
                )
                whole = cart.with_lines(wanted, offers, now)
                changed = [(cart, whole), (guest, guest.emptied(now))]

            async def body(session: Session) -> Payload:
                for before, after in changed:
                    if not await self._store.save_cart(after, before.version, session):
                        raise VersionConflict("the cart has changed", before.version, before.version + 1)
                return await self._finished(session, claim, whole)

            return await self._store.database.transact(body)

        payload, _ = await once(self._idempotency, principal, "cartMerge", key, arguments, work)
        return await self._known(payload)

    async def _mine(self, principal: Principal, cart_id: str, path: tuple[str, ...]) -> Cart:
        cart = await self._store.cart(cart_id)
        if cart is None or not may_touch(principal, cart.owner, cart.customer_id):
            raise NotFound("no such cart", path=path)
        return cart

    async def _finished(self, session: Session, claim: Claim, cart: Cart) -> Payload:
        payload: Payload = {"cart": cart.id}
        await self._idempotency.finish(session, claim, payload)
        return payload

    async def _known(self, payload: Payload) -> Cart:
        cart = await self._store.cart(payload["cart"])
        if cart is None:
            raise NotFound("the cart has expired")
        return cart


async def pricing_place(
    catalog: Catalog, channel: str, currency: str | None, context: RequestContext
) -> tuple[str, str | None]:
    """The currency and country to price in: what the buyer asks for, else the request's, else the channel's own."""
    facts = await catalog.channel(channel)
    chosen = currency or context.currency or (facts.currencies[0] if facts.currencies else None)
    if chosen is None or chosen not in facts.currencies:
        raise InvalidInput(f"{channel} does not sell in {chosen}", path=("input", "currency"))
    return chosen, context.country or (facts.countries[0] if facts.countries else None)
