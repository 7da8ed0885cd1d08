"""The completion saga: the steps that turn a ready checkout into a paid order, as a table and pure transitions.

Theory of operation. Freezing the checkout (in the transaction that writes the saga) is step 0. Then, in this order:

    reserve      a hold exists and outlives the rest                         undone by release
    budget       the agent's mandate has set the sum aside, if it has one    undone by giving it back
    points       the points that pay for a part are held, if there are any   undone by giving them back
    authorize    the provider has promised the money, if any is left to pay  undone by void
    commit       THE PIVOT: held stock becomes this order's                  never undone
    confirm      the order exists, the checkout is COMPLETED, the event is out
    capture      the money is taken, when the buyer's payment asks for it at once

Before the pivot every refusal leads back: what was done is undone in reverse and the checkout is the buyer's again.
After it there is only forward. The order is written after the pivot and not before, because a hold may lapse at any
moment until then; with the order first there would be orders without stock.

An effect is carried out by the service and reported here as an outcome. The process may die between an effect and its
record, so every effect is keyed by ``key(saga_id, step)`` at the callee and doing it again changes nothing. An answer
that is lost is not a refusal: ``authorize`` is then asked about at the provider, and ``commit`` is sent again until
answered, since nobody may undo what may have passed the pivot.

A later participant is a row in ``STEPS``, an effect in the service, and nothing else. A model checker can drive ``next_action`` and ``after`` without any of the service.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import assert_never

from subgraphs.kernel.money import Money
from subgraphs.orders.model.delivery import Hold
from subgraphs.orders.model.refusals import Failure


class Step(StrEnum):
    """The steps after the freeze, by the names their keys and fault points carry."""

    RESERVE = "reserve"
    BUDGET = "budget"
    POINTS = "points"
    AUTHORIZE = "authorize"
    COMMIT = "commit"
    CONFIRM = "confirm"
    CAPTURE = "capture"


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRule:
    """``undo`` names the compensation, if there is one. ``lost_max`` lost answers are borne before the saga turns back;
    without it the step is tried for ever. An ``optional`` step is taken by the sagas that want it."""

    step: Step
    undo: str | None = None
    lost_max: int | None = None
    timeout_s: float
    pivot: bool = False
    optional: bool = False


STEPS: tuple[StepRule, ...] = (
    StepRule(step=Step.RESERVE, undo="release", lost_max=3, timeout_s=2),
    StepRule(step=Step.BUDGET, undo="unbudget", lost_max=3, timeout_s=2, optional=True),
    StepRule(step=Step.POINTS, undo="unpoints", lost_max=3, timeout_s=2, optional=True),
    StepRule(step=Step.AUTHORIZE, undo="void", lost_max=60, timeout_s=10, optional=True),
    StepRule(step=Step.COMMIT, timeout_s=2, pivot=True),
    StepRule(step=Step.CONFIRM, timeout_s=5),
    StepRule(step=Step.CAPTURE, timeout_s=10, optional=True),
)
RULES: dict[Step, StepRule] = {rule.step: rule for rule in STEPS}

UNKNOWN_WINDOW = timedelta(seconds=60)
BACKOFF_MS_FIRST = 200
BACKOFF_MS_MAX = 5_000


class SagaState(StrEnum):
    """RUNNING forward, COMPENSATING backward, and the two ends."""

    RUNNING = "RUNNING"
    COMPENSATING = "COMPENSATING"
    COMPLETED = "COMPLETED"
    COMPENSATED = "COMPENSATED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a saga is. ``wants`` are the optional steps it takes. ``lost`` counts lost answers of the present step, ``unknown_since`` is when the first was."""

    state: SagaState = SagaState.RUNNING
    wants: frozenset[Step] = frozenset({Step.AUTHORIZE})
    done: tuple[Step, ...] = ()
    undoing: tuple[Step, ...] = ()
    reserved_again: bool = False
    lost: int = 0
    unknown_since: datetime | None = None
    waits_until: datetime | None = None
    failure: Failure | None = None
    due_at: datetime

    @property
    def ended(self) -> bool:
        return self.state in (SagaState.COMPLETED, SagaState.COMPENSATED)


@dataclass(frozen=True, slots=True)
class Perform:
    """Carry out the effect of this step."""

    step: Step


@dataclass(frozen=True, slots=True)
class Undo:
    """Carry out this step's compensation."""

    step: Step


@dataclass(frozen=True, slots=True)
class GiveBack:
    """Everything is undone: give the checkout back to the buyer, and end."""


@dataclass(frozen=True, slots=True)
class Nothing:
    """The saga has ended."""


Action = Perform | Undo | GiveBack | Nothing


@dataclass(frozen=True, slots=True)
class Done:
    """The effect is there."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The participant said no. ``keep_hold`` leaves the stock aside, so that the buyer can try again."""

    failure: Failure
    keep_hold: bool = False


@dataclass(frozen=True, slots=True)
class HoldLapsed:
    """The hold ended before it was committed."""

    failure: Failure


@dataclass(frozen=True, slots=True)
class AnswerLost:
    """Nobody knows whether the effect is there."""


@dataclass(frozen=True, slots=True)
class BuyerActs:
    """The buyer has to confirm at the provider, until then at the latest."""

    failure: Failure
    until: datetime


Outcome = Done | Refused | HoldLapsed | AnswerLost | BuyerActs


def next_action(progress: Progress) -> Action:
    """What to do now; depends on nothing but the progress."""
    match progress.state:
        case SagaState.RUNNING:
            for rule in STEPS:
                if rule.step not in progress.done and (rule.step in progress.wants or not rule.optional):
                    return Perform(rule.step)
            return Nothing()
        case SagaState.COMPENSATING:
            return Undo(progress.undoing[-1]) if progress.undoing else GiveBack()
        case SagaState.COMPLETED | SagaState.COMPENSATED:
            return Nothing()
        case _:
            assert_never(progress.state)


def after(progress: Progress, outcome: Outcome, now: datetime) -> Progress:
    """The progress once the present action came out so."""
    match next_action(progress):
        case Perform(step):
            return _after_effect(progress, step, outcome, now)
        case Undo(step):
            return _after_undo(progress, step, outcome, now)
        case GiveBack():
            return replace(progress, state=SagaState.COMPENSATED, due_at=now)
        case Nothing():
            return progress


def _after_effect(progress: Progress, step: Step, outcome: Outcome, now: datetime) -> Progress:
    rule = RULES[step]
    match outcome:
        case Done():
            onward = replace(_calm(progress, now), done=(*progress.done, step))
            if isinstance(next_action(onward), Nothing):
                return replace(onward, state=SagaState.COMPLETED)
            return onward
        case Refused(failure, keep_hold):
            assert not _passed_pivot(progress), f"{step} cannot refuse after the pivot"
            # A request thought lost may still be on its way, and find room later: it is undone like one that did.
            unsure = step if progress.unknown_since is not None else None
            return _turn_back(progress, failure, now, keep_hold=keep_hold, unsure=unsure)
        case HoldLapsed(failure):
            assert rule.pivot, "only a commit finds the hold gone"
            if progress.reserved_again:
                return _turn_back(progress, failure, now)
            without = tuple(one for one in progress.done if one is not Step.RESERVE)
            return replace(_calm(progress, now), done=without, reserved_again=True)
        case AnswerLost():
            lost = progress.lost + 1
            if rule.lost_max is not None and lost > rule.lost_max:
                failure = Failure(
                    "RequestInFlight",
                    {"message": f"{step} could not be carried out; try again", "retry_after_ms": BACKOFF_MS_MAX},
                )
                return _turn_back(progress, failure, now, unsure=step)
            since = progress.unknown_since or now
            return replace(progress, lost=lost, unknown_since=since, due_at=now + backoff(lost))
        case BuyerActs(failure, until):
            if now >= until:
                declined = Failure("PaymentDeclined", {"decline_code": "action_expired", "retryable": True})
                return _turn_back(progress, declined, now, keep_hold=True, unsure=step)
            wait = timedelta(milliseconds=BACKOFF_MS_MAX)
            return replace(progress, failure=failure, waits_until=until, due_at=min(until, now + wait))
        case _:
            assert_never(outcome)


def _after_undo(progress: Progress, step: Step, outcome: Outcome, now: datetime) -> Progress:
    if isinstance(outcome, AnswerLost):
        lost = progress.lost + 1
        return replace(progress, lost=lost, due_at=now + backoff(lost))
    assert isinstance(outcome, Done), "an undoing cannot be refused"
    left = tuple(one for one in progress.undoing if one is not step)
    return replace(progress, undoing=left, lost=0, due_at=now)


def _turn_back(
    progress: Progress, failure: Failure, now: datetime, *, keep_hold: bool = False, unsure: Step | None = None
) -> Progress:
    undoing = [rule.step for rule in STEPS if rule.undo and (rule.step in progress.done or rule.step is unsure)]
    if keep_hold:
        undoing = [step for step in undoing if step is not Step.RESERVE]
    return replace(_calm(progress, now), state=SagaState.COMPENSATING, undoing=tuple(undoing), failure=failure)


def _calm(progress: Progress, now: datetime) -> Progress:
    return replace(progress, lost=0, unknown_since=None, waits_until=None, failure=None, due_at=now)


def _passed_pivot(progress: Progress) -> bool:
    return any(RULES[step].pivot for step in progress.done)


def backoff(lost: int) -> timedelta:
    """How long to wait after that many lost answers: doubling from 0.2 s to 5 s."""
    return timedelta(milliseconds=min(BACKOFF_MS_MAX, BACKOFF_MS_FIRST * 2 ** min(lost - 1, 10)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Saga:
    """One completion: what the buyer asked for, what has come of it, and how far it is.

    ``mandate_id`` names what an agent acts under, if it does. ``request_id`` and ``request_print`` are the completing request's idempotency identity and fingerprint: the saga is
    that request's record. ``hold`` is the stock it works with, ``provider_ref`` the provider's name for the payment.
    """

    id: str
    version: int
    checkout_id: str
    request_id: str
    request_print: str
    order_id: str
    number: str
    attempt_id: str
    provider: str
    token: str
    mandate_id: str | None = None
    amount: Money
    hold: Hold | None
    provider_ref: str | None
    progress: Progress
    started_at: datetime

    def key(self, action: Perform | Undo) -> str:
        """The idempotency key of an effect. A second hold after the first lapsed is another effect."""
        name = action.step.value if isinstance(action, Perform) else RULES[action.step].undo
        again = ":2" if self.progress.reserved_again and name in ("reserve", "commit", "release") else ""
        return f"saga:{self.id}:{name}{again}"
