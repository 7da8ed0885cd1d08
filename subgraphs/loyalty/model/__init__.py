"""The words of loyalty, and the decisions that need nothing but them. Pure: no clock, no database, no GraphQL.

unit         what earn rules count: an amount of money, fixed per currency by the program (one euro, 1.08 dollars, …)
rule         points per unit for a category or for everything; of the rules that fit a line, the best one counts
tier         a standing of an account; multiplies what it earns. Reached by *qualifying* points, kept once reached
ledger       an account's entries, numbered from 1 without gaps, never changed; its sums are the balances
accrual      the entry that gives an order's points: one per order, ever; *pending* until the order can no longer
             come back, so they count in the balance but can not be spent
redemption   points that pay for an order: held while it is placed, then gone; they come back with its goods
balance      sum of all entries' points; of these, ``pending`` are not to be spent yet
lifetime     sum of what was ever earned; never falls
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import Enum
from fractions import Fraction

from subgraphs.kernel.errors import DomainError
from subgraphs.kernel.money import Money


class LedgerKind(Enum):
    """Why points moved."""

    EARN_PENDING = "EARN_PENDING"
    EARN_CONFIRM = "EARN_CONFIRM"
    EARN_REVERSE = "EARN_REVERSE"
    REDEEM_HOLD = "REDEEM_HOLD"
    REDEEM_CAPTURE = "REDEEM_CAPTURE"
    REDEEM_RELEASE = "REDEEM_RELEASE"
    ADJUST = "ADJUST"


class InsufficientPoints(DomainError):
    """The account has fewer points to give than that."""

    severity = "REQUIRES_BUYER_INPUT"

    def __init__(self, balance: int, required: int) -> None:
        super().__init__(f"{required} points are needed and {balance} are there", path=("points",))
        self.balance = balance
        self.required = required


@dataclass(frozen=True, slots=True)
class Tier:
    """A standing: reached at ``qualifying_points``, multiplies what is earned by ``multiplier``."""

    code: str
    name: str
    qualifying_points: int
    multiplier: Decimal
    benefits: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EarnRule:
    """``points_per_unit`` for lines of a category (or all), on some channels (or all), for a time (or always)."""

    code: str
    description: str
    points_per_unit: Decimal
    category: str | None = None
    channels: tuple[str, ...] | None = None
    starts_at: datetime | None = None
    ends_at: datetime | None = None

    def fits(self, category: str | None, channel: str | None, at: datetime) -> bool:
        """Whether the rule counts for a line of that category, sold there and then."""
        return (
            (self.category is None or self.category == category)
            and (self.channels is None or channel in self.channels)
            and (self.starts_at is None or self.starts_at <= at)
            and (self.ends_at is None or at < self.ends_at)
        )


@dataclass(frozen=True, slots=True)
class EarningLine:
    """What was, or would be, paid for a line."""

    minor: int
    category: str | None
    sku: str | None = None


@dataclass(frozen=True, slots=True)
class EarnedPart:
    """What one rule gives for one line, exactly: only the sum over an order is rounded."""

    rule: EarnRule
    sku: str | None
    exact: Fraction


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A loyalty program. ``units`` gives the minor units of each currency that make one unit; other currencies earn
    nothing. ``point_value`` is what one point is worth."""

    code: str
    name: str
    point_value: Money
    units: Mapping[str, int]
    tiers: tuple[Tier, ...]
    rules: tuple[EarnRule, ...]

    def __post_init__(self) -> None:
        floors = [tier.qualifying_points for tier in self.tiers]
        assert floors[:1] == [0], "the lowest tier is everybody's"
        assert floors == sorted(set(floors)), "tiers rise"

    def tier(self, code: str) -> Tier:
        """The tier of that code; the lowest for one that is no more."""
        return next((tier for tier in self.tiers if tier.code == code), self.tiers[0])

    def tier_for(self, qualifying: int) -> Tier:
        """The highest tier those points reach."""
        return [tier for tier in self.tiers if tier.qualifying_points <= max(0, qualifying)][-1]

    def tier_above(self, tier: Tier) -> Tier | None:
        """The next one up; nothing above the highest."""
        higher = [other for other in self.tiers if other.qualifying_points > tier.qualifying_points]
        return higher[0] if higher else None

    def parts(
        self, lines: Iterable[EarningLine], currency: str, tier: Tier, channel: str | None, at: datetime
    ) -> tuple[EarnedPart, ...]:
        """What each line earns by its best rule, unrounded."""
        unit = self.units.get(currency)
        if unit is None:
            return ()
        parts = []
        for line in lines:
            fitting = [rule for rule in self.rules if rule.fits(line.category, channel, at)]
            if not fitting or line.minor <= 0:
                continue
            best = max(fitting, key=lambda rule: (rule.points_per_unit, rule.code))
            exact = Fraction(line.minor, unit) * Fraction(best.points_per_unit) * Fraction(tier.multiplier)
            parts.append(EarnedPart(best, line.sku, exact))
        return tuple(parts)

    def points(self, lines: Iterable[EarningLine], currency: str, tier: Tier, channel: str | None, at: datetime) -> int:
        """Whole points for an order: rounded down once, over the sum."""
        return math.floor(sum(part.exact for part in self.parts(lines, currency, tier, channel, at)))

    def worth(self, points: int, currency: str) -> Money | None:
        """What points are worth in a currency; nothing in one the program does not know."""
        unit, own = self.units.get(currency), self.units.get(self.point_value.currency)
        if unit is None or own is None:
            return None
        return Money(self.point_value.minor * points, currency).share(unit, own)


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerEntry:
    """One movement of points. ``points`` moves the balance, ``pending`` what of it can not be spent yet."""

    id: str
    account_id: str
    seq: int
    kind: LedgerKind
    points: int
    pending: int
    balance_after: int
    order_id: str | None
    idempotency: str
    at: datetime
    note: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A customer's standing with the program. ``version`` is the number of its last ledger entry."""

    id: str
    number: str
    customer_id: str
    tier: str
    balance: int = 0
    pending: int = 0
    lifetime: int = 0
    qualifying: int = 0
    version: int = 0
    created_at: datetime

    @property
    def spendable(self) -> int:
        return self.balance - self.pending

    def accrue(
        self, points: int, program: Program, *, entry_id: str, order_id: str, at: datetime
    ) -> tuple[Account, LedgerEntry]:
        """Gives an order's points, pending; a tier reached by them is entered at once."""
        assert points > 0
        qualifying = self.qualifying + points
        reached = program.tier_for(qualifying)
        tier = max((program.tier(self.tier), reached), key=lambda tier: tier.qualifying_points)
        after = replace(
            self,
            balance=self.balance + points,
            pending=self.pending + points,
            lifetime=self.lifetime + points,
            qualifying=qualifying,
            tier=tier.code,
            version=self.version + 1,
        )
        return after, LedgerEntry(
            id=entry_id,
            account_id=self.id,
            seq=after.version,
            kind=LedgerKind.EARN_PENDING,
            points=points,
            pending=points,
            balance_after=after.balance,
            order_id=order_id,
            idempotency=accrual_key(order_id),
            at=at,
        )

    def reverse(
        self, points: int, *, entry_id: str, order_id: str, idempotency: str, at: datetime
    ) -> tuple[Account, LedgerEntry]:
        """Takes back what an order earned. The balance may fall below zero: goods come back all the same."""
        assert points > 0
        after = replace(
            self,
            balance=self.balance - points,
            pending=self.pending - points,
            qualifying=max(0, self.qualifying - points),
            version=self.version + 1,
        )
        return after, LedgerEntry(
            id=entry_id,
            account_id=self.id,
            seq=after.version,
            kind=LedgerKind.EARN_REVERSE,
            points=-points,
            pending=-points,
            balance_after=after.balance,
            order_id=order_id,
            idempotency=idempotency,
            at=at,
        )

    def adjust(
        self, points: int, reason: str, *, entry_id: str, idempotency: str, at: datetime
    ) -> tuple[Account, LedgerEntry]:
        """Gives points by hand, or takes such as could be spent."""
        if points < 0 and self.spendable + points < 0:
            raise InsufficientPoints(self.spendable, -points)
        after = replace(self, balance=self.balance + points, version=self.version + 1)
        return after, LedgerEntry(
            id=entry_id,
            account_id=self.id,
            seq=after.version,
            kind=LedgerKind.ADJUST,
            points=points,
            pending=0,
            balance_after=after.balance,
            order_id=None,
            idempotency=idempotency,
            at=at,
            note=reason,
        )


def accrual_key(order_id: str) -> str:
    """What makes an order's points be given once, whoever tells of the order and how often."""
    return f"earn:{order_id}"


def to_reverse(entries: Sequence[LedgerEntry], part: int, whole: int) -> int:
    """How many points of an order are to go once ``part`` of its ``whole`` goods came back: the share of what it earned,
    rounded down, less what has gone before; with the last part the rest. So the parts of a whole come to all of it."""
    earned = sum(entry.points for entry in entries if entry.kind is LedgerKind.EARN_PENDING)
    gone = -sum(entry.points for entry in entries if entry.kind is LedgerKind.EARN_REVERSE)
    due = earned if whole <= 0 or part >= whole else earned * part // whole
    return max(0, due - gone)


def faults(account: Account, entries: Sequence[LedgerEntry]) -> list[str]:
    """What is wrong between an account and its entries in order of ``seq`` (invariant I9)."""
    found = []
    if [entry.seq for entry in entries] != list(range(1, len(entries) + 1)):
        found.append(f"{account.id}: entries are not numbered 1 to {len(entries)}")
    if account.version != len(entries):
        found.append(f"{account.id}: version {account.version} after {len(entries)} entries")
    running = 0
    for entry in entries:
        running += entry.points
        if entry.balance_after != running:
            found.append(f"{account.id}: entry {entry.seq} says {entry.balance_after} and adds up to {running}")
            break
    if account.balance != sum(entry.points for entry in entries):
        found.append(f"{account.id}: balance {account.balance} is not the sum of its entries")
    if account.pending != sum(entry.pending for entry in entries):
        found.append(f"{account.id}: pending {account.pending} is not the sum of its entries")
    return found
