"""Loyalty's decisions, alone: what is earned, how tiers are reached, that a ledger adds up."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subgraphs.kernel.money import Money
from subgraphs.loyalty.model import Account, EarningLine, EarnRule, InsufficientPoints, LedgerEntry, faults
from subgraphs.loyalty.store import MAIN_PROGRAM, program_from_doc, program_to_doc
from tests.subgraphs.loyalty.circle import ACCOUNT, NOON

BRONZE, SILVER, GOLD = MAIN_PROGRAM.tiers


def points(*minors: int, currency: str = "EUR", tier: str = "bronze") -> int:
    lines = [EarningLine(minor, "shoes") for minor in minors]
    return MAIN_PROGRAM.points(lines, currency, MAIN_PROGRAM.tier(tier), "web-eu", NOON)


def test_an_order_is_rounded_down_once_and_not_line_by_line() -> None:
    assert points(99) == 0
    assert points(99, 99) == 1
    assert points(50, 50, 50, 50) == 2


def test_a_tier_multiplies_before_the_rounding() -> None:
    assert points(399, tier="silver") == 4
    assert points(399, tier="gold") == 5


def test_each_currency_has_its_own_unit_and_an_unknown_one_earns_nothing() -> None:
    assert points(1080, currency="USD") == 10
    assert points(1080, currency="GBP") == 12
    assert points(100_000, currency="JPY") == 0


def test_the_best_fitting_rule_counts_alone() -> None:
    soon = NOON + timedelta(days=1)
    rules = (
        *MAIN_PROGRAM.rules,
        EarnRule(code="shoes", description="", points_per_unit=Decimal("3"), category="shoes"),
        EarnRule(code="app", description="", points_per_unit=Decimal("5"), channels=("app",)),
        EarnRule(code="later", description="", points_per_unit=Decimal("9"), starts_at=soon),
        EarnRule(code="past", description="", points_per_unit=Decimal("9"), ends_at=NOON),
    )
    program = replace(MAIN_PROGRAM, rules=rules)
    line = EarningLine(1000, "shoes")
    assert program.points([line], "EUR", BRONZE, "web-eu", NOON) == 30
    assert program.points([line], "EUR", BRONZE, "app", NOON) == 50
    assert program.points([EarningLine(1000, "hats")], "EUR", BRONZE, "web-eu", NOON) == 10
    assert program.points([line], "EUR", BRONZE, "web-eu", soon) == 90


def test_a_tier_is_entered_at_once_and_kept() -> None:
    assert [MAIN_PROGRAM.tier_for(n).code for n in (0, 499, 500, 1999, 2000)] == [
        "bronze",
        "bronze",
        "silver",
        "silver",
        "gold",
    ]
    risen, _ = ACCOUNT.accrue(500, MAIN_PROGRAM, entry_id="ldg_1", order_id="ord_1", at=NOON)
    assert risen.tier == "silver"
    kept, _ = replace(risen, tier="gold").accrue(1, MAIN_PROGRAM, entry_id="ldg_2", order_id="ord_2", at=NOON)
    assert kept.tier == "gold"
    assert MAIN_PROGRAM.tier_above(SILVER) == GOLD
    assert MAIN_PROGRAM.tier_above(GOLD) is None


def test_points_are_worth_the_same_share_of_a_unit_in_every_currency() -> None:
    assert MAIN_PROGRAM.worth(100, "EUR") == Money(100, "EUR")
    assert MAIN_PROGRAM.worth(100, "USD") == Money(108, "USD")
    assert MAIN_PROGRAM.worth(100, "JPY") is None


def test_pending_points_can_not_be_taken_by_hand() -> None:
    earned, _ = ACCOUNT.accrue(100, MAIN_PROGRAM, entry_id="ldg_1", order_id="ord_1", at=NOON)
    given_more, _ = earned.adjust(10, "sorry", entry_id="ldg_2", idempotency="k", at=NOON)
    with pytest.raises(InsufficientPoints) as refusal:
        given_more.adjust(-11, "mistake", entry_id="ldg_3", idempotency="k2", at=NOON)
    assert (refusal.value.balance, refusal.value.required) == (10, 11)


@given(st.lists(st.one_of(st.integers(1, 10_000), st.integers(-50, -1))))
def test_any_sequence_of_movements_leaves_a_ledger_that_adds_up(movements: list[int]) -> None:
    account, entries = ACCOUNT, list[LedgerEntry]()
    for n, amount in enumerate(movements):
        if amount > 0 and n % 2:
            account, entry = account.accrue(amount, MAIN_PROGRAM, entry_id=f"{n}", order_id=f"ord_{n}", at=NOON)
        else:
            try:
                account, entry = account.adjust(amount, "why", entry_id=f"{n}", idempotency=f"k{n}", at=NOON)
            except InsufficientPoints:
                continue
        entries.append(entry)
    assert faults(account, entries) == []
    assert account.spendable >= 0


def test_faults_find_a_gap_a_wrong_sum_and_a_wrong_balance() -> None:
    account, first = ACCOUNT.adjust(5, "a", entry_id="1", idempotency="1", at=NOON)
    account, second = account.adjust(7, "b", entry_id="2", idempotency="2", at=NOON)
    assert faults(account, [first, second]) == []
    assert any("numbered" in fault for fault in faults(account, [second]))
    assert any("entry 2" in fault for fault in faults(account, [first, replace(second, balance_after=1)]))
    assert any("balance" in fault for fault in faults(replace(account, balance=13), [first, second]))


def test_a_program_survives_its_document() -> None:
    assert program_from_doc(program_to_doc(MAIN_PROGRAM)) == MAIN_PROGRAM


def test_an_account_begins_with_nothing() -> None:
    assert faults(Account(id="loy_1", number="L1", customer_id="cus_1", tier="bronze", created_at=NOON), []) == []
