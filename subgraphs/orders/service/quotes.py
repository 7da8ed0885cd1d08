"""Quotes: what lines would cost, promised until a time, for agents and for whoever compares. Holds no stock, keeps nothing.

A quote is its signature: the lines with their prices and until when, signed by this service. A checkout that is opened with
it sells at no more than these prices until then, whatever catalog has since made of them; a price that fell is passed on.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from subgraphs.chassis.identity import Principal, RequestContext
from subgraphs.chassis.peers import PeerFailed
from subgraphs.kernel.clock import Clock, from_iso, iso
from subgraphs.kernel.errors import InvalidInput
from subgraphs.kernel.ids import new_id
from subgraphs.kernel.money import Money
from subgraphs.kernel.pages import CursorCodec
from subgraphs.orders.model.checkout import LIFE, CheckoutSession
from subgraphs.orders.model.delivery import COLLECTED, Method, default_option
from subgraphs.orders.model.lines import Line, LineRequest, Message, merged, priced
from subgraphs.orders.model.totals import Totals
from subgraphs.orders.service.access import acting_for
from subgraphs.orders.service.carts import pricing_place
from subgraphs.orders.service.peers import Catalog, Inventory

_KIND: Final = "quote"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a quote is wanted for."""

    channel: str
    currency: str | None
    lines: tuple[LineRequest, ...]
    country: str | None
    method: Method
    pickup_location_id: str | None
    promo_codes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """What it would cost, until ``valid_until``."""

    id: str
    totals: Totals
    messages: tuple[Message, ...]
    valid_until: datetime
    signature: str


class Quotes:
    """The quote use cases."""

    def __init__(self, clock: Clock, catalog: Catalog, inventory: Inventory, codec: CursorCodec) -> None:
        self._clock = clock
        self._catalog = catalog
        self._inventory = inventory
        self._codec = codec

    async def quote(self, principal: Principal, context: RequestContext, asked: Asked) -> Quote:
        """What these lines cost now, delivered so. ``InvalidInput`` for what is not sold there."""
        wanted = merged(asked.lines)
        if not wanted:
            raise InvalidInput("nothing to quote", path=("input", "lines"))
        where = replace(context, country=asked.country) if asked.country is not None else context
        currency, country = await pricing_place(self._catalog, asked.channel, asked.currency, where)
        offers = await self._catalog.offers([line.sku for line in wanted], asked.channel, currency, country)
        pickup_country = None
        if asked.method in COLLECTED:
            if asked.pickup_location_id is None:
                raise InvalidInput("a pickup needs its location", path=("input", "pickupLocationId"))
            pickup_country = await self._inventory.country_of(asked.pickup_location_id, ("input", "pickupLocationId"))
        now = self._clock.now()
        lines = priced(wanted, offers, currency)
        session = CheckoutSession(
            id=new_id("qte"),
            version=1,
            status="INCOMPLETE",
            channel=asked.channel,
            currency=currency,
            country=country,
            owner=principal.key,
            customer_id=acting_for(principal, None),
            agent_id=principal.agent_id,
            hold_wanted=False,
            hold_s=0,
            email=None,
            address=None,
            method=asked.method,
            pickup_location_id=asked.pickup_location_id,
            pickup_country=pickup_country,
            option_id=default_option(asked.method, currency),
            lines=lines,
            hold=None,
            messages=(),
            continue_url=None,
            created_at=now,
            expires_at=now + LIFE,
            order_id=None,
            saga_id=None,
        )
        until = min((line.quote_valid_until for line in lines if line.quote_valid_until is not None), default=now)
        return Quote(
            id=session.id,
            totals=session.totals,
            messages=(*await self._doubts(lines, asked), *_codes(asked.promo_codes)),
            valid_until=until,
            signature=self._sign(session, until),
        )

    def honour(self, signature: str, channel: str, lines: Sequence[Line]) -> tuple[Line, ...]:
        """The lines at no more than a quote promised. ``InvalidInput`` for a quote of somebody else's making, or one that
        has ended."""
        try:
            kind, body = self._codec.decode(signature)
        except (InvalidInput, ValueError):
            raise InvalidInput("not a quote of ours", path=("input", "quote")) from None
        if kind != _KIND or not isinstance(body, str):
            raise InvalidInput("not a quote of ours", path=("input", "quote"))
        said = json.loads(body)
        until = from_iso(said["until"])
        if self._clock.now() >= until:
            raise InvalidInput(f"the quote ended at {said['until']}; ask for another", path=("input", "quote"))
        if said["channel"] != channel:
            raise InvalidInput(f"the quote is of channel {said['channel']}", path=("input", "quote"))
        promised = {sku: (Money(minor, said["currency"]), version) for sku, minor, version in said["lines"]}
        return tuple(_at_most(line, *promised[line.sku], until) if line.sku in promised else line for line in lines)

    async def _doubts(self, lines: Sequence[Line], asked: Asked) -> list[Message]:
        """What cannot be had just now; nothing when inventory cannot say."""
        try:
            there = set(await self._inventory.in_stock([line.sku for line in lines], asked.channel))
        except PeerFailed:
            return []
        return [
            Message(
                level="WARNING",
                code="OUT_OF_STOCK",
                text=f"{line.title} is not available now",
                path=f"$.lines[{number}]",
                severity="REQUIRES_BUYER_INPUT",
            )
            for number, line in enumerate(lines)
            if line.sku not in there
        ]

    def _sign(self, session: CheckoutSession, until: datetime) -> str:
        said = {
            "id": session.id,
            "channel": session.channel,
            "currency": session.currency,
            "until": iso(until),
            "lines": [[line.sku, line.unit.minor, line.price_version] for line in session.lines],
        }
        return self._codec.encode(_KIND, json.dumps(said, separators=(",", ":")))


def _at_most(line: Line, unit: Money, version: str | None, until: datetime) -> Line:
    if unit.currency != line.unit.currency or unit.minor >= line.unit.minor:
        return line
    return replace(line, unit=unit, price_version=version, quote_token=None, quote_valid_until=until)


def _codes(codes: Sequence[str]) -> list[Message]:
    return [
        Message(level="WARNING", code="PROMO_UNKNOWN", text=f"{code} is no code of ours", path="$.promoCodes")
        for code in codes
    ]
