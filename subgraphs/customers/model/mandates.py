"""Mandates: what a customer lets an agent spend for them, and what of it is spent. Pure.

mandate     a customer's word that one agent may buy for them: how much an order, how much a period, of which categories,
            until when; and above which sum a person must agree
period      the mandate's days, counted from when it was given: the first, the second, … Each has the whole limit
spending    the part of a mandate that one order takes: *held* while the order is being placed, *spent* once it is,
            *released* when it is not, or is cancelled. There is one an order, ever

The law (invariant I10): what is held and spent of a period never comes to more than the period's limit.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum

from subgraphs.kernel.errors import DomainError, InvalidInput
from subgraphs.kernel.money import Money

SCOPES = ("catalog:read", "cart:write", "checkout:quote", "checkout:hold", "checkout:write", "checkout:complete")
COMPLETE = "checkout:complete"
PERIOD_DAYS_MAX = 366
LIFE_MAX = timedelta(days=2 * 366)
CATEGORIES_MAX = 50
AGENT_CHARACTERS_MAX = 200


class SpendingState(Enum):
    HELD = "HELD"
    SPENT = "SPENT"
    RELEASED = "RELEASED"


class MandateRefusal(Enum):
    """Why a mandate does not cover a purchase."""

    REVOKED = "REVOKED"
    EXPIRED = "EXPIRED"
    OTHER_CURRENCY = "OTHER_CURRENCY"
    OUT_OF_SCOPE = "OUT_OF_SCOPE"
    OTHER_CATEGORY = "OTHER_CATEGORY"
    NO_CONSENT = "NO_CONSENT"
    NEEDS_A_PERSON = "NEEDS_A_PERSON"
    ORDER_LIMIT = "ORDER_LIMIT"
    PERIOD_LIMIT = "PERIOD_LIMIT"


class NotCovered(DomainError):
    """The mandate does not cover the purchase. ``limit`` and ``remaining`` are what it would, of an order."""

    def __init__(self, reason: MandateRefusal, limit: Money, remaining: Money) -> None:
        super().__init__(_WORDS[reason], path=("amount",))
        self.reason = reason
        self.limit = limit
        self.remaining = remaining


_WORDS = {
    MandateRefusal.REVOKED: "the mandate was revoked",
    MandateRefusal.EXPIRED: "the mandate has expired",
    MandateRefusal.OTHER_CURRENCY: "the mandate is in another currency",
    MandateRefusal.OUT_OF_SCOPE: f"the mandate does not include {COMPLETE}",
    MandateRefusal.OTHER_CATEGORY: "the mandate does not include a category of this purchase",
    MandateRefusal.NO_CONSENT: "the customer has not agreed that agents buy for them",
    MandateRefusal.NEEDS_A_PERSON: "a purchase of this size needs the customer's own approval",
    MandateRefusal.ORDER_LIMIT: "more than the mandate allows for one order",
    MandateRefusal.PERIOD_LIMIT: "more than what is left of the mandate in this period",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Mandate:
    """``categories`` None means all; ``human_approval_above`` None means: never asks."""

    id: str
    version: int
    customer_id: str
    agent_id: str
    scopes: tuple[str, ...]
    per_order_limit: Money
    period_limit: Money
    period_days: int
    categories: tuple[str, ...] | None
    human_approval_above: Money | None
    granted_at: datetime
    expires_at: datetime
    revoked_at: datetime | None = None

    def period(self, at: datetime) -> int:
        """The number of the period a moment is in, from 0."""
        return max(0, (at - self.granted_at) // timedelta(days=self.period_days))

    def remaining(self, taken: int) -> Money:
        """What is left of a period of which ``taken`` minor units are held or spent."""
        return Money(max(0, self.period_limit.minor - taken), self.period_limit.currency)

    def revoked(self, at: datetime) -> Mandate:
        """Without effect from now; a mandate is revoked once."""
        return self if self.revoked_at is not None else replace(self, version=self.version + 1, revoked_at=at)

    def cover(self, amount: Money, categories: Sequence[str], taken: int, *, consent: bool, at: datetime) -> None:
        """Raises ``NotCovered`` unless the agent may spend ``amount`` on goods of ``categories`` now."""
        reason = self._refusal(amount, categories, taken, consent=consent, at=at)
        if reason is not None:
            left = self.remaining(taken)
            raise NotCovered(reason, self.per_order_limit, min(left, self.per_order_limit, key=lambda one: one.minor))

    def _refusal(
        self, amount: Money, categories: Sequence[str], taken: int, *, consent: bool, at: datetime
    ) -> MandateRefusal | None:
        above = self.human_approval_above
        if self.revoked_at is not None:
            return MandateRefusal.REVOKED
        if at >= self.expires_at:
            return MandateRefusal.EXPIRED
        if not consent:
            return MandateRefusal.NO_CONSENT
        if COMPLETE not in self.scopes:
            return MandateRefusal.OUT_OF_SCOPE
        if amount.currency != self.period_limit.currency:
            return MandateRefusal.OTHER_CURRENCY
        if self.categories is not None and not set(categories) <= set(self.categories):
            return MandateRefusal.OTHER_CATEGORY
        if amount.minor > self.per_order_limit.minor:
            return MandateRefusal.ORDER_LIMIT
        if amount.minor > self.remaining(taken).minor:
            return MandateRefusal.PERIOD_LIMIT
        if above is not None and amount.minor > above.minor:
            return MandateRefusal.NEEDS_A_PERSON
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Spending:
    """What one order takes of a mandate; a released one of nothing says that the order's hold, should it still come, is
    too late."""

    order_id: str
    mandate_id: str
    period: int
    amount: Money
    state: SpendingState
    at: datetime


def grant(
    *,
    mandate_id: str,
    customer_id: str,
    agent_id: str,
    scopes: Sequence[str],
    per_order_limit: Money,
    period_limit: Money,
    period_days: int,
    categories: Sequence[str] | None,
    human_approval_above: Money | None,
    expires_at: datetime,
    at: datetime,
) -> Mandate:
    """A new mandate; ``InvalidInput`` names what makes no sense."""
    if not 1 <= len(agent_id) <= AGENT_CHARACTERS_MAX:
        raise _invalid(f"an agent's identity has 1 to {AGENT_CHARACTERS_MAX} characters", "agentId")
    unknown = sorted(set(scopes) - set(SCOPES))
    if not scopes or unknown:
        raise _invalid(f"scopes are some of {', '.join(SCOPES)}", "scopes")
    sums = {"perOrderLimit": per_order_limit, "periodLimit": period_limit, "humanApprovalAbove": human_approval_above}
    for name, given in sums.items():
        if given is not None and (given.minor < 0 or given.currency != period_limit.currency):
            raise _invalid("sums are not negative, and all of one currency", name)
    if per_order_limit.minor > period_limit.minor:
        raise _invalid("an order's limit is not more than the period's", "perOrderLimit")
    if not 1 <= period_days <= PERIOD_DAYS_MAX:
        raise _invalid(f"a period has 1 to {PERIOD_DAYS_MAX} days", "periodDays")
    if categories is not None and not 1 <= len(set(categories)) <= CATEGORIES_MAX:
        raise _invalid(f"1 to {CATEGORIES_MAX} categories, or none to mean all", "categories")
    if not at < expires_at <= at + LIFE_MAX:
        raise _invalid(f"a mandate ends in the future, and within {LIFE_MAX.days} days", "expiresAt")
    return Mandate(
        id=mandate_id,
        version=1,
        customer_id=customer_id,
        agent_id=agent_id,
        scopes=tuple(sorted(set(scopes), key=SCOPES.index)),
        per_order_limit=per_order_limit,
        period_limit=period_limit,
        period_days=period_days,
        categories=tuple(sorted(set(categories))) if categories is not None else None,
        human_approval_above=human_approval_above,
        granted_at=at,
        expires_at=expires_at,
    )


def taken(spendings: Iterable[Spending]) -> int:
    """Minor units that are held or spent."""
    return sum(one.amount.minor for one in spendings if one.state is not SpendingState.RELEASED)


def _invalid(message: str, name: str) -> InvalidInput:
    return InvalidInput(message, path=("input", name))
