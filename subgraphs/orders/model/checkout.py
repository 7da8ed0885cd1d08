"""Checkout session: a buyer's way from lines to an order, in six states. Payment and stock are the saga's business.

INCOMPLETE lacks something the buyer must give; READY_FOR_COMPLETE lacks nothing; COMPLETE_IN_PROGRESS belongs to a
running completion saga and nobody else may touch it; REQUIRES_ESCALATION waits for the buyer at ``continue_url``;
COMPLETED and CANCELED are final.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from subgraphs.kernel.errors import NotFound, RequestInFlight, VersionConflict
from subgraphs.kernel.money import Money
from subgraphs.orders.model.delivery import COLLECTED, Address, Group, Hold, Method, delivery_cost, groups
from subgraphs.orders.model.lines import Line, Message
from subgraphs.orders.model.refusals import IllegalTransition
from subgraphs.orders.model.tax import TABLE_2026, TaxRule
from subgraphs.orders.model.totals import Totals, add_up, paid_in_money

Status = Literal[
    "INCOMPLETE", "REQUIRES_ESCALATION", "READY_FOR_COMPLETE", "COMPLETE_IN_PROGRESS", "COMPLETED", "CANCELED"
]

TRANSITIONS: Mapping[Status, tuple[Status, ...]] = {
    "INCOMPLETE": ("READY_FOR_COMPLETE", "CANCELED"),
    "READY_FOR_COMPLETE": ("INCOMPLETE", "COMPLETE_IN_PROGRESS", "CANCELED"),
    "COMPLETE_IN_PROGRESS": ("COMPLETED", "REQUIRES_ESCALATION", "READY_FOR_COMPLETE", "INCOMPLETE"),
    "REQUIRES_ESCALATION": ("COMPLETED", "COMPLETE_IN_PROGRESS", "READY_FOR_COMPLETE", "INCOMPLETE"),
    "COMPLETED": (),
    "CANCELED": (),
}

LIFE = timedelta(hours=6)
HOLD_S_WEB = 600
HOLD_S_AGENT = 300
HOLD_S_POS = 900
_IN_FLIGHT_RETRY_MS = 1_000


def hold_seconds(principal_kind: str, channel: str) -> int:
    """How long stock is kept aside: agents shorter, counters longer than shoppers."""
    if principal_kind == "agent":
        return HOLD_S_AGENT
    return HOLD_S_POS if channel == "pos" or channel.startswith("pos-") else HOLD_S_WEB


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckoutSession:
    """A session at one version. ``country`` is where the buyer seems to be until an address or a store says better;
    ``points`` of the buyer are to pay for a part, worth ``points_worth``."""

    id: str
    version: int
    status: Status
    channel: str
    currency: str
    country: str | None
    owner: str
    customer_id: str | None
    agent_id: str | None
    hold_wanted: bool
    hold_s: int
    email: str | None
    address: Address | None
    method: Method
    pickup_location_id: str | None
    pickup_country: str | None
    option_id: str | None
    lines: tuple[Line, ...]
    hold: Hold | None
    messages: tuple[Message, ...]
    continue_url: str | None
    created_at: datetime
    expires_at: datetime
    order_id: str | None
    saga_id: str | None
    points: int = 0
    points_worth: Money | None = None
    delivery_charged: Money | None = None
    """What another house has charged for the delivery of an order it took; without, the rate card says."""

    @property
    def tax_rule(self) -> TaxRule | None:
        """The rule of the place the goods change hands, or nothing while nobody knows it."""
        if self.method in COLLECTED:
            country, region = self.pickup_country, None
        elif self.address is not None:
            country, region = self.address.country, self.address.region
        else:
            country, region = self.country, None
        return TABLE_2026.rule(country, region) if country else None

    @property
    def due(self) -> Totals:
        """What there is to pay, with money and points together."""
        delivery = self.delivery_charged or delivery_cost(self.method, self.option_id, self.currency)
        return add_up(self.lines, delivery, self.tax_rule, self.currency)

    @property
    def totals(self) -> Totals:
        return self.due if self.points_worth is None else self.due.paid_with(self.points_worth)

    @property
    def paid_by_line(self) -> tuple[Money, ...]:
        """What of each line money pays for."""
        points = self.points_worth or Money.zero(self.currency)
        paid = paid_in_money([line.total for line in self.lines], points)
        return tuple(Money(minor, self.currency) for minor in paid)

    @property
    def total(self) -> Money:
        return self.totals.total

    @property
    def groups(self) -> tuple[Group, ...]:
        return groups(self.lines, self.hold, self.method, self.pickup_location_id, self.option_id, self.created_at)

    def missing(self) -> tuple[Message, ...]:
        """What the buyer still has to give."""
        faults: list[Message] = []
        if not self.lines:
            faults.append(_missing("MISSING_LINES", "nothing to buy", "$.lines"))
        if self.email is None:
            faults.append(_missing("MISSING_EMAIL", "an e-mail address is needed", "$.email"))
        if self.method in COLLECTED:
            if self.pickup_location_id is None:
                faults.append(_missing("MISSING_PICKUP_LOCATION", "a store is needed", "$.pickupLocationId"))
        elif self.address is None:
            faults.append(_missing("MISSING_ADDRESS", "a delivery address is needed", "$.address"))
        if delivery_cost(self.method, self.option_id, self.currency) is None:
            faults.append(_missing("NO_DELIVERY_OPTION", "no delivery option is chosen", "$.optionId"))
        return tuple(faults)

    def settled(self, extra: tuple[Message, ...] = ()) -> CheckoutSession:
        """The session with the state and messages that follow from what it holds."""
        missing = self.missing()
        status: Status = "INCOMPLETE" if missing else "READY_FOR_COMPLETE"
        return replace(self, status=status, messages=(*missing, *extra), continue_url=None)

    def with_points_that_fit(self) -> tuple[CheckoutSession, tuple[Message, ...]]:
        """The session without its points, and a warning, when they are worth more than there is to pay."""
        if self.points_worth is None or self.points_worth.minor <= self.due.total.minor:
            return self, ()
        text = f"{self.points} points are more than there is to pay; none are used now"
        warning = Message(
            level="WARNING", code="POINTS_REMOVED", text=text, path="$.pointsToRedeem", severity="REQUIRES_BUYER_REVIEW"
        )
        return replace(self, points=0, points_worth=None), (warning,)

    def next_version(self) -> CheckoutSession:
        return replace(self, version=self.version + 1)

    def check(self, expected_version: int | None, now: datetime, target: Status = "INCOMPLETE") -> None:
        """Refuses what cannot be changed now: expired, final, in other hands, or not what the buyer saw."""
        if self.status in ("COMPLETED", "CANCELED"):
            raise IllegalTransition(self.status, target, TRANSITIONS[self.status])
        if self.status in ("COMPLETE_IN_PROGRESS", "REQUIRES_ESCALATION"):
            raise RequestInFlight("the checkout is being completed; poll it", _IN_FLIGHT_RETRY_MS, path=("id",))
        if now >= self.expires_at:
            raise NotFound("the checkout has expired", path=("id",))
        if expected_version is not None and expected_version != self.version:
            raise VersionConflict("the checkout has changed", expected_version, self.version, path=("expectedVersion",))


def _missing(code: str, text: str, path: str) -> Message:
    return Message(level="ERROR", code=code, text=text, path=path, severity="REQUIRES_BUYER_INPUT")
