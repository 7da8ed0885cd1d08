"""Orders that were placed and paid elsewhere: on a marketplace or in a social network.

They go the way of every other order: a checkout, whose identity follows from the channel and the order's identity there, so
that there is one however often and under however many keys it is told; and the completion saga, which holds and commits the
stock. What is refused for want of stock may be told again later. The prices are what the buyer paid there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from subgraphs.chassis.idempotency import Idempotency
from subgraphs.chassis.identity import Principal
from subgraphs.chassis.mongo import DuplicateKey
from subgraphs.kernel.clock import Clock
from subgraphs.kernel.errors import Forbidden, InvalidInput
from subgraphs.kernel.ids import deterministic_id
from subgraphs.kernel.money import Money
from subgraphs.orders.model.checkout import HOLD_S_WEB, CheckoutSession
from subgraphs.orders.model.delivery import Address, default_option
from subgraphs.orders.model.lines import Line, LineRequest, Offer, merged
from subgraphs.orders.payments import external
from subgraphs.orders.service.checkouts import Checkouts, Completed
from subgraphs.orders.service.peers import Catalog
from subgraphs.orders.store import Store

INGEST: Final = "orders:ingest"
KINDS: Final = frozenset({"MARKETPLACE", "SOCIAL"})
EXTERNAL_ID_CHARACTERS_MAX: Final = 100
LIFE: Final = timedelta(days=30)
"""For so long an order that was refused may be told again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class External:
    """An order as the other side tells it. ``unit_prices`` by SKU; ``delivery`` and ``total`` as its buyer paid them."""

    channel: str
    external_id: str
    email: str
    address: Address
    lines: tuple[LineRequest, ...]
    unit_prices: Mapping[str, Money]
    delivery: Money
    total: Money


class Ingestion:
    """The use case."""

    def __init__(
        self, store: Store, idempotency: Idempotency, clock: Clock, catalog: Catalog, checkouts: Checkouts
    ) -> None:
        self._store = store
        self._idempotency = idempotency
        self._clock = clock
        self._catalog = catalog
        self._checkouts = checkouts

    async def ingest(self, principal: Principal, told: External, key: str, arguments: Mapping[str, Any]) -> Completed:
        """The order, made once; or why it cannot be."""
        if not principal.has(INGEST):
            raise Forbidden(f"missing scopes: {INGEST}", [INGEST])
        claim = self._idempotency.claim(principal.key, "orderIngest", key, arguments)
        session = await self._opened(await self._session(principal, told))
        if session.status == "COMPLETED":
            return await self._checkouts.completed(session)
        return await self._checkouts.settle(session, claim, external.NAME, token=told.external_id)

    async def _opened(self, session: CheckoutSession) -> CheckoutSession:
        """The checkout as it is kept: this one, or the one of an earlier telling, which said the same."""
        try:
            await self._store.database.transact(lambda transaction: self._store.add_checkout(session, transaction))
        except DuplicateKey:
            known = await self._store.checkout(session.id)
            assert known is not None, "sessions are not deleted"
            if _said(known) != _said(session):
                raise InvalidInput(
                    "this order was told before, and said something else", path=("input", "externalId")
                ) from None
            return known
        return session

    async def _session(self, principal: Principal, told: External) -> CheckoutSession:
        if not 1 <= len(told.external_id) <= EXTERNAL_ID_CHARACTERS_MAX:
            raise InvalidInput(
                f"an identity has 1 to {EXTERNAL_ID_CHARACTERS_MAX} characters", path=("input", "externalId")
            )
        facts = await self._catalog.channel(told.channel)
        if facts.kind not in KINDS:
            raise InvalidInput(f"{told.channel} sells by itself", path=("input", "channel"))
        wanted, currency, now = merged(told.lines), told.total.currency, self._clock.now()
        if not wanted:
            raise InvalidInput("an order has lines", path=("input", "lines"))
        sums = [*told.unit_prices.values(), told.delivery]
        if any(each.currency != currency or each.minor < 0 for each in sums):
            raise InvalidInput(f"all sums are of {currency}, and not negative", path=("input", "lines"))
        skus = [line.sku for line in wanted]
        offers = await self._catalog.offers(skus, told.channel, currency, told.address.country)
        session = CheckoutSession(
            id=deterministic_id("chk", told.channel, told.external_id, at_ms=0),
            version=1,
            status="READY_FOR_COMPLETE",
            channel=told.channel,
            currency=currency,
            country=told.address.country,
            owner=principal.key,
            customer_id=None,
            agent_id=None,
            hold_wanted=False,
            hold_s=HOLD_S_WEB,
            email=told.email,
            address=told.address,
            method="SHIP",
            pickup_location_id=None,
            pickup_country=None,
            option_id=default_option("SHIP", currency),
            lines=_lines(wanted, told.unit_prices, offers, now),
            hold=None,
            messages=(),
            continue_url=None,
            created_at=now,
            expires_at=now + LIFE,
            order_id=None,
            saga_id=None,
            delivery_charged=told.delivery,
        )
        missing = session.missing()
        if missing:
            raise InvalidInput("; ".join(message.text for message in missing), path=("input",))
        if session.total != told.total:
            raise InvalidInput(
                f"the parts come to {session.total.amount} {currency}, not {told.total.amount}",
                path=("input", "total"),
            )
        return session


def _lines(
    wanted: Sequence[LineRequest], prices: Mapping[str, Money], offers: Mapping[str, Offer], now: datetime
) -> tuple[Line, ...]:
    """Lines at the prices that were paid, whatever our own are now."""
    found = []
    for request in wanted:
        offer = offers.get(request.sku)
        if offer is None:
            raise InvalidInput(f"no such SKU: {request.sku}", path=("input", "lines", "sku"))
        found.append(
            Line(
                id=f"line:{request.sku}",
                sku=request.sku,
                title=offer.title,
                product_id=offer.product_id,
                category_slug=offer.category_slug,
                tax_class=offer.tax_class,
                quantity=request.quantity,
                unit=prices[request.sku],
                list_unit=None,
                price_version=None,
                quote_token=None,
                quote_valid_until=now,
            )
        )
    return tuple(found)


def _said(session: CheckoutSession) -> tuple[object, ...]:
    """What the other side said, of a checkout at whatever stage."""
    lines = tuple((line.sku, line.quantity, line.unit) for line in session.lines)
    return lines, session.delivery_charged, session.email, session.address
