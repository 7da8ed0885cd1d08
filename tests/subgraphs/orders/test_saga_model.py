"""The saga's real table in every world two buyers can get into: what must hold there, and an order of steps that breaks it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from subgraphs.orders.model import saga
from subgraphs.orders.model.saga import STEPS, SagaState, Step, StepRule
from tests.subgraphs.orders.saga_world import LIVE, World, at_rest, beginning, ended, explore


def wrong(world: World) -> str | None:
    """The first thing that must hold and does not."""
    if world.taken() > world.stock:
        return "more is taken than there is"
    for step, portions in world.purses:
        if world.portions_held(step) > portions:
            return f"more {step} is held than there is"
    for buyer in range(len(world.runs)):
        committed, live, ordered = world.committed(buyer), world.attempts[buyer] in LIVE, buyer in world.orders
        if committed > 1:
            return "a buyer has stock twice"
        if ordered and not committed:
            return "an order without stock" if at_rest(world) else "an order before its stock"
        if ordered and not live:
            return "an order without its money"
        held = {step for step, _ in world.purses if world.portion(step, buyer) == "HELD"}
        if ordered and held != {step for step, _ in world.purses}:
            return "an order without the points or the budget that pay for it"
        if ended(world, buyer) is SagaState.COMPENSATED and (committed or ordered):
            return "a saga turned back after its pivot"
        if at_rest(world):
            if ended(world, buyer) not in (SagaState.COMPLETED, SagaState.COMPENSATED):
                return "a saga is stuck"
            if live and not ordered:
                return "a loser's money is kept"
            if held and not ordered:
                return "a loser's points or budget are kept"
            if committed and not ordered:
                return "stock of no order"
    return None


@pytest.mark.parametrize(
    ("stock", "buyers", "faults", "also", "purses", "at_least"),
    [
        (0, 2, 3, {Step.CAPTURE}, {}, 100),
        (1, 2, 1, {Step.CAPTURE}, {}, 10_000),
        (1, 2, 2, {}, {}, 50_000),
        (2, 2, 1, {Step.CAPTURE}, {}, 10_000),
        (1, 1, 6, {Step.CAPTURE}, {}, 1_000),
        (2, 2, 1, {Step.POINTS}, {Step.POINTS: 1}, 10_000),
        (1, 2, 1, {Step.BUDGET, Step.POINTS}, {Step.BUDGET: 1, Step.POINTS: 2}, 10_000),
        (1, 1, 5, {Step.BUDGET, Step.POINTS}, {Step.BUDGET: 1, Step.POINTS: 1}, 1_000),
    ],
    ids=[
        "nothing to sell",
        "the last one, captured at once",
        "the last one",
        "one each",
        "alone, much goes wrong",
        "one each, points for one",
        "the last one, under a mandate for one",
        "alone with points and a mandate, much goes wrong",
    ],
)
def test_nothing_is_sold_twice_and_nobody_pays_for_nothing(
    stock: int, buyers: int, faults: int, also: set[Step], purses: dict[Step, int], at_least: int
) -> None:
    worlds, complaints = explore(beginning(stock, buyers, faults, also=also, purses=purses), wrong)
    assert complaints == {}
    assert worlds > at_least


RULES = {rule.step: rule for rule in STEPS}


@pytest.mark.parametrize(
    ("steps", "complaint"),
    [
        # The obvious order: it is placed when the money is there. A hold lapses between the order and its stock.
        ([RULES[each] for each in (Step.RESERVE, Step.AUTHORIZE, Step.CONFIRM, Step.COMMIT)], "an order without stock"),
        ([rule for rule in STEPS if rule.step is not Step.COMMIT], "an order without stock"),
        ([rule for rule in STEPS if rule.step is not Step.AUTHORIZE], "an order without its money"),
        (
            [replace(rule, undo=None) if rule.step is Step.AUTHORIZE else rule for rule in STEPS],
            "a loser's money is kept",
        ),
        (
            [replace(rule, undo=None) if rule.step is Step.POINTS else rule for rule in STEPS],
            "a loser's points or budget are kept",
        ),
        (
            [rule for rule in STEPS if rule.step is not Step.BUDGET],
            "an order without the points or the budget that pay for it",
        ),
    ],
    ids=[
        "placed before the stock is committed",
        "never committed",
        "never authorized",
        "never voided",
        "never given back",
        "never set aside",
    ],
)
def test_a_wrong_table_is_seen(monkeypatch: pytest.MonkeyPatch, steps: list[StepRule], complaint: str) -> None:
    monkeypatch.setattr(saga, "STEPS", tuple(steps))
    both = {Step.BUDGET: 2, Step.POINTS: 2}
    _, complaints = explore(beginning(1, 2, 1, also=both, purses=both), wrong)
    assert complaint in complaints
    assert complaints[complaint], "there is a way to it"
