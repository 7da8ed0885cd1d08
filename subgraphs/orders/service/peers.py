"""What orders asks of catalog, inventory, loyalty and customers, as typed questions and commands. The only place that knows their GraphQL.

A refusal of inventory comes back as our own; no answer is ``PeerFailed``, and means nothing about what the peer did.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cachetools import LRUCache

from subgraphs.chassis.identity import Principal, RequestContext
from subgraphs.chassis.in_flight import InFlight
from subgraphs.chassis.peers import PeerClient, PeerFailed
from subgraphs.kernel.clock import from_iso
from subgraphs.kernel.errors import DomainError, InvalidInput, NotFound
from subgraphs.kernel.money import Money
from subgraphs.orders.model.delivery import HeldLine, Hold, Method
from subgraphs.orders.model.lines import Line, LineRequest, Offer
from subgraphs.orders.model.refusals import BudgetExceeded, ConsentRequired, OutOfStock, shown_available

_OFFERS = """
query OrdersOffers($skus: [String!]!, $context: PriceContextInput!) {
  variants(skus: $skus) {
    sku title taxClass
    product { id category { slug } }
    price(context: $context) {
      current { minor currency } list { minor currency } version validUntil quoteToken
    }
    purchasable(context: $context)
  }
}
"""

_SIBLINGS = """
query OrdersSiblings($skus: [String!]!, $context: PriceContextInput!) {
  variants(skus: $skus) {
    product { variants(first: 50) { edges { node { sku purchasable(context: $context) } } } }
  }
}
"""

_CHANNEL = """
query OrdersChannel($code: String!) { channel(code: $code) { code kind currencies countries } }
"""

_AVAILABILITY = """
query OrdersAvailability($skus: [String!]!, $input: AvailabilityInput!) {
  availability(skus: $skus, input: $input) { sku status }
}
"""

_LOCATION = """
query OrdersLocation($id: ID!) { location(id: $id) { id country capabilities } }
"""

_COUNTERS = """
query OrdersCounters { locations(capability: RETURNS, first: 100) { edges { node { id } } } }
"""

_RESERVATION = """
  replayed
  reservation { id state expiresAt lines { sku quantity location { id } } }
  errors {
    __typename
    ... on UserError { message }
    ... on InsufficientStock { shortfalls { sku requested available } }
  }
"""

_RESERVE = f"""
mutation OrdersReserve($input: ReserveInput!, $key: IdempotencyKey!) {{
  outcome: reserve(input: $input, idempotencyKey: $key) {{ {_RESERVATION} }}
}}
"""
_EXTEND = f"""
mutation OrdersExtend($id: ID!, $seconds: Int!, $key: IdempotencyKey!) {{
  outcome: reservationExtend(id: $id, seconds: $seconds, idempotencyKey: $key) {{ {_RESERVATION} }}
}}
"""
_RELEASE = f"""
mutation OrdersRelease($id: ID!, $reason: String, $key: IdempotencyKey!) {{
  outcome: reservationRelease(id: $id, reason: $reason, idempotencyKey: $key) {{ {_RESERVATION} }}
}}
"""
_COMMIT = f"""
mutation OrdersCommit($id: ID!, $orderId: ID!, $key: IdempotencyKey!) {{
  outcome: reservationCommit(id: $id, orderId: $orderId, idempotencyKey: $key) {{ {_RESERVATION} }}
}}
"""

_EARNS = """
query OrdersEarns($lines: [EarnLineInput!]!, $channel: String!) { earnPreview(lines: $lines, channel: $channel) { points } }
"""

_EARNED = """
query OrdersEarned($orders: [_Any!]!) { _entities(representations: $orders) { ... on Order { pointsEarned } } }
"""

_WORTH = """
query OrdersPointsWorth($customer: ID!, $points: Int!, $currency: CurrencyCode!) {
  pointsWorth(customerId: $customer, points: $points, currency: $currency) { spendable worth { minor currency } }
}
"""
_REFUSED = "errors { __typename ... on UserError { message } }"
_POINTS_HOLD = f"""
mutation OrdersPointsHold($customer: ID!, $points: Int!, $order: ID!, $key: IdempotencyKey!) {{
  outcome: pointsHold(customerId: $customer, points: $points, orderId: $order, idempotencyKey: $key) {{ {_REFUSED} }}
}}
"""
_POINTS_RELEASE = f"""
mutation OrdersPointsRelease($order: ID!, $key: IdempotencyKey!) {{
  outcome: pointsRelease(orderId: $order, idempotencyKey: $key) {{ {_REFUSED} }}
}}
"""
_MANDATE_HOLD = f"""
mutation OrdersMandateHold(
  $id: ID!, $agent: String!, $customer: ID!, $order: ID!, $amount: MoneyInput!, $categories: [String!]!,
  $key: IdempotencyKey!
) {{
  outcome: mandateHold(
    id: $id, agentId: $agent, customerId: $customer, orderId: $order, amount: $amount, categories: $categories,
    idempotencyKey: $key
  ) {{ held reason message limit {{ minor currency }} remaining {{ minor currency }} {_REFUSED} }}
}}
"""
_MANDATE_RELEASE = f"""
mutation OrdersMandateRelease($id: ID!, $order: ID!, $key: IdempotencyKey!) {{
  outcome: mandateRelease(id: $id, orderId: $order, idempotencyKey: $key) {{ {_REFUSED} }}
}}
"""

_CACHED_MAX = 512
_ALTERNATIVES_MAX = 5
_LIMITS = ("limit", "remaining")
_BUYABLE = frozenset({"IN_STOCK", "LOW_STOCK"})


class HoldGone(DomainError):
    """The reservation has expired, was released, or is not known."""


@dataclass(frozen=True, slots=True)
class Shortage:
    """The first SKU that fell short, and how many inventory says there are."""

    sku: str
    available: int


class Short(DomainError):
    """Inventory cannot hold what was asked for."""

    def __init__(self, shortage: Shortage) -> None:
        super().__init__(f"{shortage.sku} is short")
        self.shortage = shortage


@dataclass(frozen=True, slots=True)
class ChannelFacts:
    """What kind of channel it is, and the currencies and countries it sells in, its own first."""

    kind: str
    currencies: tuple[str, ...]
    countries: tuple[str, ...]


class Catalog:
    """Catalog, as orders sees it."""

    def __init__(self, peers: PeerClient) -> None:
        self._peers = peers
        self._channels: LRUCache[str, ChannelFacts] = LRUCache(_CACHED_MAX)
        self._in_flight = InFlight()

    async def channel(self, code: str) -> ChannelFacts:
        """The channel's facts, remembered; ``InvalidInput`` if there is no such channel."""
        known = self._channels.get(code)
        if known is None:
            found = (await self._peers.execute("catalog", _CHANNEL, {"code": code}))["channel"]
            if found is None:
                raise InvalidInput(f"no such channel: {code}", path=("input", "channel"))
            known = self._channels[code] = ChannelFacts(
                found["kind"], tuple(found["currencies"]), tuple(found["countries"])
            )
        return known

    async def offers(self, skus: Sequence[str], channel: str, currency: str, country: str | None) -> dict[str, Offer]:
        """What each SKU that exists is offered at, in this price context."""
        if not skus:
            return {}

        async def ask() -> dict[str, Offer]:
            data = await self._peers.execute(
                "catalog",
                _OFFERS,
                {"skus": list(skus), "context": _context(channel, currency, country)},
                context=RequestContext(channel=channel, currency=currency, country=country),
            )
            return {variant["sku"]: _offer(variant) for variant in data["variants"] if variant is not None}

        # Prices are the same for everybody in one context: who asks while somebody else does shares the answer.
        return await self._in_flight.share(("offers", *skus, channel, currency, country), ask)

    async def siblings(self, sku: str, channel: str, currency: str, country: str | None) -> list[str]:
        """Other SKUs of the same product that are sold in this context."""

        async def ask() -> list[str]:
            data = await self._peers.execute(
                "catalog", _SIBLINGS, {"skus": [sku], "context": _context(channel, currency, country)}
            )
            nodes = [
                edge["node"]
                for variant in data["variants"]
                if variant is not None
                for edge in variant["product"]["variants"]["edges"]
            ]
            return [node["sku"] for node in nodes if node["sku"] != sku and node["purchasable"]]

        return await self._in_flight.share(("siblings", sku, channel, currency, country), ask)


class Inventory:
    """Inventory, as orders sees it. Every command carries the key it is done once under."""

    def __init__(self, peers: PeerClient) -> None:
        self._peers = peers
        self._countries: LRUCache[str, str] = LRUCache(_CACHED_MAX)
        self._in_flight = InFlight()

    async def country_of(self, location_id: str, path: tuple[str, ...]) -> str:
        """The location's country, remembered; ``NotFound`` if there is no such location."""
        known = self._countries.get(location_id)
        if known is None:
            found = (await self._peers.execute("inventory", _LOCATION, {"id": location_id}))["location"]
            if found is None:
                raise NotFound("no such location", path=path)
            known = self._countries[location_id] = str(found["country"])
        return known

    async def counters(self) -> list[str]:
        """The locations that take returns; none when nobody can say."""
        try:
            found = (await self._peers.execute("inventory", _COUNTERS, {}))["locations"]
        except PeerFailed:
            return []
        return [edge["node"]["id"] for edge in found["edges"]]

    async def reserve(
        self,
        owner: str,
        lines: Sequence[Line] | Sequence[LineRequest],
        *,
        method: Method,
        pickup_location_id: str | None,
        channel: str,
        seconds: int,
        key: str,
        without: Sequence[str] = (),
    ) -> Hold:
        """Holds all lines or none, and nothing at the locations ``without``; ``Short`` names the first that fell short."""
        asked: dict[str, Any] = {
            "ownerRef": owner,
            "lines": [{"sku": line.sku, "quantity": line.quantity} for line in lines],
            "method": method,
            "channel": channel,
            "ttlSeconds": seconds,
        }
        if pickup_location_id is not None:
            asked["pickupLocationId"] = pickup_location_id
        if without:
            asked["withoutLocationIds"] = list(without)
        return _hold(await self._command(_RESERVE, {"input": asked, "key": key}))

    async def extend(self, reservation_id: str, seconds: int, key: str) -> Hold:
        """Keeps a hold for so long from now; ``HoldGone`` if it is no longer there."""
        return _hold(await self._command(_EXTEND, {"id": reservation_id, "seconds": seconds, "key": key}))

    async def release(self, reservation_id: str, reason: str, key: str) -> None:
        """Gives a hold back; one that is gone already is fine."""
        try:
            await self._command(_RELEASE, {"id": reservation_id, "reason": reason, "key": key})
        except HoldGone:
            return

    async def commit(self, reservation_id: str, order_id: str, key: str) -> Hold:
        """Turns a hold into this order's stock; ``HoldGone`` if it ended before."""
        return _hold(await self._command(_COMMIT, {"id": reservation_id, "orderId": order_id, "key": key}))

    async def in_stock(self, skus: Sequence[str], channel: str) -> list[str]:
        """Those that can be had on the channel now."""
        if not skus:
            return []

        async def ask() -> list[str]:
            data = await self._peers.execute(
                "inventory", _AVAILABILITY, {"skus": list(skus), "input": {"channel": channel}}
            )
            return [answer["sku"] for answer in data["availability"] if answer["status"] in _BUYABLE]

        return await self._in_flight.share((*skus, channel), ask)

    async def _command(self, mutation: str, variables: Mapping[str, Any]) -> Mapping[str, Any]:
        outcome: Mapping[str, Any] = (await self._peers.execute("inventory", mutation, variables))["outcome"]
        for error in outcome["errors"]:
            raise _refusal(error)
        reservation: Mapping[str, Any] = outcome["reservation"]
        return reservation


class Loyalty:
    """Loyalty, as orders sees it."""

    def __init__(self, peers: PeerClient) -> None:
        self._peers = peers

    async def points_to_earn(
        self, lines: Sequence[Line], paid: Sequence[Money], channel: str, principal: Principal
    ) -> int | None:
        """What a purchase, so much of each line paid in money, would earn this buyer; None when nobody can say, since no purchase waits for points."""
        asked = [
            {
                "sku": line.sku,
                "quantity": line.quantity,
                "amount": {"minor": amount.minor, "currency": amount.currency},
            }
            for line, amount in zip(lines, paid, strict=True)
        ]
        if not asked:
            return 0
        try:
            data = await self._peers.execute(
                "loyalty", _EARNS, {"lines": asked, "channel": channel}, principal=principal
            )
        except PeerFailed:
            return None
        points: int = data["earnPreview"]["points"]
        return points

    async def points_earned(self, order_ids: Sequence[str], principal: Principal) -> list[int | None]:
        """What each order has earned, in the order asked; None when nobody can say. One request."""
        asked = [{"__typename": "Order", "id": order_id} for order_id in order_ids]
        try:
            data = await self._peers.execute("loyalty", _EARNED, {"orders": asked}, principal=principal)
        except PeerFailed:
            return [None] * len(order_ids)
        return [found and found["pointsEarned"] for found in data["_entities"]]

    async def points_worth(self, customer_id: str, points: int, currency: str) -> tuple[int, Money | None]:
        """How many points the customer could spend, and what ``points`` are worth; None where they are worth nothing."""
        asked = {"customer": customer_id, "points": points, "currency": currency}
        found = (await self._peers.execute("loyalty", _WORTH, asked))["pointsWorth"]
        worth = found["worth"]
        return found["spendable"], Money(worth["minor"], worth["currency"]) if worth is not None else None

    async def hold_points(self, customer_id: str, points: int, order_id: str, key: str) -> None:
        """Holds points for an order, once; ``InvalidInput`` says why it cannot be."""
        asked = {"customer": customer_id, "points": points, "order": order_id, "key": key}
        _done("loyalty", await self._peers.execute("loyalty", _POINTS_HOLD, asked))

    async def release_points(self, order_id: str, key: str) -> None:
        """Gives back what is held for an order, also if nothing is (yet)."""
        _done("loyalty", await self._peers.execute("loyalty", _POINTS_RELEASE, {"order": order_id, "key": key}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Spend:
    """What an order takes of a mandate: whose, for whom, how much, on goods of which categories."""

    mandate_id: str
    agent_id: str
    customer_id: str
    order_id: str
    amount: Money
    categories: tuple[str, ...]


class Customers:
    """Customers, as orders sees it."""

    def __init__(self, peers: PeerClient) -> None:
        self._peers = peers

    async def hold_budget(self, spend: Spend, continue_url: str, key: str) -> None:
        """Sets a part of a mandate aside, once; ``BudgetExceeded``, ``ConsentRequired`` (a person can go on at
        ``continue_url``) or ``InvalidInput`` say why it cannot be."""
        asked = {
            "id": spend.mandate_id,
            "agent": spend.agent_id,
            "customer": spend.customer_id,
            "order": spend.order_id,
            "amount": {"minor": spend.amount.minor, "currency": spend.amount.currency},
            "categories": list(spend.categories),
            "key": key,
        }
        outcome = _done("customers", await self._peers.execute("customers", _MANDATE_HOLD, asked))
        if outcome["held"]:
            return
        match outcome["reason"]:
            case "ORDER_LIMIT" | "PERIOD_LIMIT":
                limit, remaining = (Money(outcome[name]["minor"], outcome[name]["currency"]) for name in _LIMITS)
                raise BudgetExceeded(limit, remaining, outcome["message"])
            case "NO_CONSENT":
                raise ConsentRequired(outcome["message"], "AGENT_PURCHASE", continue_url)
            case "NEEDS_A_PERSON":
                raise ConsentRequired(outcome["message"], "APPROVAL", continue_url)
            case _:
                raise InvalidInput(outcome["message"], path=("input", "mandate"))

    async def release_budget(self, mandate_id: str, order_id: str, key: str) -> None:
        """Gives back what is set aside for an order, also if nothing is (yet)."""
        asked = {"id": mandate_id, "order": order_id, "key": key}
        _done("customers", await self._peers.execute("customers", _MANDATE_RELEASE, asked))


async def out_of_stock(
    shortage: Shortage, catalog: Catalog, inventory: Inventory, channel: str, currency: str, country: str | None
) -> OutOfStock:
    """The refusal with what a buyer could take instead; without, when nobody can say."""
    try:
        siblings = await catalog.siblings(shortage.sku, channel, currency, country)
        alternatives = await inventory.in_stock(siblings, channel)
    except PeerFailed:
        alternatives = []
    return OutOfStock(shortage.sku, shown_available(shortage.available), alternatives[:_ALTERNATIVES_MAX])


def _context(channel: str, currency: str, country: str | None) -> dict[str, Any]:
    context: dict[str, Any] = {"channel": channel, "currency": currency}
    return context if country is None else context | {"country": country}


def _offer(variant: Mapping[str, Any]) -> Offer:
    price = variant["price"]
    listed = price and price.get("list")
    return Offer(
        sku=variant["sku"],
        title=variant["title"],
        product_id=variant["product"]["id"],
        category_slug=variant["product"]["category"]["slug"],
        tax_class=variant["taxClass"],
        unit=price and Money(price["current"]["minor"], price["current"]["currency"]),
        list_unit=Money(listed["minor"], listed["currency"]) if listed else None,
        price_version=price and price["version"],
        quote_token=price and price["quoteToken"],
        quote_valid_until=from_iso(price["validUntil"]) if price else None,
        purchasable=variant["purchasable"],
    )


def _hold(reservation: Mapping[str, Any]) -> Hold:
    return Hold(
        reservation_id=reservation["id"],
        expires_at=from_iso(reservation["expiresAt"]),
        lines=tuple(HeldLine(line["sku"], line["quantity"], line["location"]["id"]) for line in reservation["lines"]),
    )


def _done(peer: str, data: Mapping[str, Any]) -> Mapping[str, Any]:
    """The outcome of a command to loyalty or customers; what may be tried again is no answer."""
    outcome: Mapping[str, Any] = data["outcome"]
    for error in outcome["errors"]:
        if error["__typename"] in ("RequestInFlight", "VersionConflict"):
            raise PeerFailed(peer, error["message"])
        raise InvalidInput(error["message"])
    return outcome


def _refusal(error: Mapping[str, Any]) -> Exception:
    match error["__typename"]:
        case "InsufficientStock":
            first = error["shortfalls"][0]
            return Short(Shortage(first["sku"], int(first["available"])))
        case "ReservationExpired" | "NotFound":
            return HoldGone(error["message"])
        case "RequestInFlight" | "VersionConflict":
            return PeerFailed("inventory", error["message"])
        case _:
            return InvalidInput(error["message"])
