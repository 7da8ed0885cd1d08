"""A small world in which the completion saga's real table runs, and every way it can go.

Theory of operation
-------------------
A *world* is a value: the stock of one SKU, the holds on it, the payment attempts, the orders, and each buyer's saga. A
*move* leads to another world: a saga does its next action (``next_action`` and ``after``, the code's own), or something
happens to it (a fault). ``explore`` visits every world that can be reached, whatever the order of moves; worlds that were
visited by another way are not visited again, so interleavings cost nothing.

The participants are modelled as their contracts: an effect is keyed, and doing it again changes nothing; a hold is
committed only while it is held; the provider charges an attempt at most once, and an attempt that was voided stays so.
The buyers' points (all of one account) and budget (all of one mandate) are purses of so many portions: an order holds a
portion once, and one that was given back is not held any more, whatever arrives late.

What may go wrong, of which a run has a *budget*: the process dies after an effect and before its record (dying before the
effect is as if nothing had happened); the request or its answer is lost, once or so often that the saga gives the step up;
the request arrives after everybody has stopped waiting for it; the card is declined; the buyer must act, and does, or
does not in time; a hold lapses (not counted: time passes anyway).

Time is not modelled: whatever time could bring is a move. Backoff and leases therefore do not appear.

What does not belong here: what must hold (``test_saga_model``), and the service that carries effects out (``test_recovery``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from subgraphs.orders.model import saga as table
from subgraphs.orders.model.refusals import Failure
from subgraphs.orders.model.saga import (
    AnswerLost,
    BuyerActs,
    Done,
    GiveBack,
    HoldLapsed,
    Nothing,
    Outcome,
    Perform,
    Progress,
    Refused,
    SagaState,
    Step,
    Undo,
    after,
    next_action,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
OUT_OF_STOCK = Failure("OutOfStock")
DECLINED = Failure("PaymentDeclined")
ACTION = Failure("PaymentActionRequired")
NOT_COVERED = Failure("InvalidInput")

LIVE = frozenset({"AUTHORIZED", "CAPTURED"})


@dataclass(frozen=True, slots=True)
class Run:
    """A buyer's saga as it is recorded."""

    progress: Progress
    hold: int | None = None
    """Which of the buyer's holds it knows of: 1, or 2 after the first lapsed."""


@dataclass(frozen=True, slots=True)
class World:
    stock: int
    faults: int
    """How many may still happen."""
    runs: tuple[Run, ...]
    holds: tuple[tuple[int, int, str], ...] = ()
    """Of whom, which, and HELD, COMMITTED, RELEASED or LAPSED; in the order they were made."""
    attempts: tuple[str, ...] = ()
    """Of each buyer, what the provider knows: NONE, AUTHORIZED, ACTION, DECLINED, VOIDED, CAPTURED."""
    purses: tuple[tuple[Step, int], ...] = ()
    """How many portions there are of what these steps hold."""
    portions: frozenset[tuple[Step, int, str]] = frozenset()
    """Of what, whose, and HELD or RELEASED."""
    orders: frozenset[int] = frozenset()
    late: frozenset[tuple[int, Step, int]] = frozenset()
    """Requests still on their way: whose, for what, for which hold."""

    def hold(self, buyer: int, which: int) -> str | None:
        return next((state for owner, number, state in self.holds if (owner, number) == (buyer, which)), None)

    def taken(self) -> int:
        return sum(state in ("HELD", "COMMITTED") for _, _, state in self.holds)

    def portion(self, step: Step, buyer: int) -> str | None:
        return next((state for what, owner, state in self.portions if (what, owner) == (step, buyer)), None)

    def portions_held(self, step: Step) -> int:
        return sum(what is step and state == "HELD" for what, _, state in self.portions)

    def committed(self, buyer: int) -> int:
        return sum(owner == buyer and state == "COMMITTED" for owner, _, state in self.holds)


def beginning(
    stock: int, buyers: int, faults: int, *, also: Iterable[Step] = (), purses: Mapping[Step, int] | None = None
) -> World:
    """``also`` are the optional steps besides the payment; ``purses`` say how much there is of what they hold."""
    run = Run(Progress(due_at=NOW, wants=frozenset({Step.AUTHORIZE, *also})))
    return World(stock, faults, (run,) * buyers, attempts=("NONE",) * buyers, purses=tuple((purses or {}).items()))


def explore(first: World, check: Callable[[World], str | None]) -> tuple[int, Mapping[str, list[str]]]:
    """How many worlds there are, and for each complaint of ``check`` a shortest way there."""
    came: dict[World, tuple[World | None, str]] = {first: (None, "")}
    complaints: dict[str, list[str]] = {}
    frontier = [first]
    while frontier:
        following: list[World] = []
        for world in frontier:
            complaint = check(world)
            if complaint is not None and complaint not in complaints:
                complaints[complaint] = _way(came, world)
            for name, reached in moves(world):
                if reached not in came:
                    came[reached] = (world, name)
                    following.append(reached)
        frontier = following
    return len(came), complaints


def moves(world: World) -> Iterator[tuple[str, World]]:
    """Everything that can happen next, and where it leads."""
    for buyer, run in enumerate(world.runs):
        for name, reached in _of_saga(world, buyer, run):
            yield f"{buyer}: {name}", reached
    for owner, which, state in world.holds:
        if state == "HELD":
            yield f"{owner}: hold {which} lapses", _with_hold(world, owner, which, "LAPSED")
    for letter in world.late:
        buyer, step, which = letter
        arrived, _ = _effect(replace(world, late=world.late - {letter}), buyer, step, which, "AUTHORIZED")
        yield f"{buyer}: {step} arrives late", arrived


def at_rest(world: World) -> bool:
    """Whether nothing happens any more by itself."""
    return all(isinstance(next_action(run.progress), Nothing) for run in world.runs) and not (
        world.late or any(state == "HELD" for _, _, state in world.holds)
    )


def _of_saga(world: World, buyer: int, run: Run) -> Iterator[tuple[str, World]]:
    action = next_action(run.progress)
    match action:
        case Perform(step):
            yield from _performed(world, buyer, run, step)
        case Undo(step):
            undone = _undo(world, buyer, run, step)
            yield f"undo {step}", _recorded(undone, buyer, run, Done())
            if world.faults:
                yield f"undo {step}, then crash", replace(undone, faults=world.faults - 1)
        case GiveBack():
            yield "gives back", _recorded(world, buyer, run, Done())
        case Nothing():
            pass


def _performed(world: World, buyer: int, run: Run, step: Step) -> Iterator[tuple[str, World]]:
    which = 2 if run.progress.reserved_again else 1
    if step is Step.CONFIRM:  # effect and record are one transaction
        placed = replace(world, orders=world.orders | {buyer})
        yield "confirm", _recorded(placed, buyer, run, Done())
        return
    asked_before = run.progress.unknown_since is not None or run.progress.waits_until is not None
    answers = ["AUTHORIZED"]
    if step is Step.AUTHORIZE and world.attempts[buyer] == "NONE" and world.faults:
        answers += ["DECLINED", "ACTION"]
    for answer in answers:
        spent = replace(world, faults=world.faults - (answer != "AUTHORIZED"))
        done, outcome = _effect(spent, buyer, step, which, answer)
        name = f"{step}" if answer == "AUTHORIZED" else f"{step}: {answer.lower()}"
        yield name, _recorded(done, buyer, _knowing(run, step, which, outcome), outcome)
        if spent.faults:
            cost = spent.faults - 1
            yield f"{name}, then crash", replace(done, faults=cost)
            yield f"{name}, answer lost", _recorded(replace(done, faults=cost), buyer, run, AnswerLost())
            yield f"{name}, given up", _given_up(replace(done, faults=cost), buyer, run, step)
    if world.attempts[buyer] == "ACTION" and step is Step.AUTHORIZE:
        for name, state in (("passes the challenge", "AUTHORIZED"), ("fails the challenge", "DECLINED")):
            yield name, _with_attempt(world, buyer, state)
        if run.progress.waits_until is not None:
            yield "does not act in time", _recorded(world, buyer, run, BuyerActs(ACTION, NOW))
    if world.faults:
        cost = world.faults - 1
        yield f"{step} does not arrive", _recorded(replace(world, faults=cost), buyer, run, AnswerLost())
        if not asked_before:
            late = replace(world, faults=cost, late=world.late | {(buyer, step, which)})
            yield f"{step} is late", _recorded(late, buyer, run, AnswerLost())
            yield f"{step} is late, given up", _given_up(late, buyer, run, step)


def _effect(world: World, buyer: int, step: Step, which: int, answer: str) -> tuple[World, Outcome]:
    """What a participant does with a request, and says."""
    match step:
        case Step.RESERVE:
            if world.hold(buyer, which) is not None:
                return world, Done()  # the same key: the same reservation, whatever has become of it
            if world.taken() == world.stock:
                return world, Refused(OUT_OF_STOCK)
            return replace(world, holds=(*world.holds, (buyer, which, "HELD"))), Done()
        case Step.AUTHORIZE:
            known = world.attempts[buyer]
            if known == "NONE":
                world, known = _with_attempt(world, buyer, answer), answer
            match known:
                case "AUTHORIZED" | "CAPTURED":
                    return world, Done()
                case "ACTION":
                    return world, BuyerActs(ACTION, NOW.replace(year=NOW.year + 1))
                case _:
                    return world, Refused(DECLINED, keep_hold=True)
        case Step.COMMIT:
            match world.hold(buyer, which):
                case "HELD":
                    return _with_hold(world, buyer, which, "COMMITTED"), Done()
                case "COMMITTED":
                    return world, Done()
                case _:
                    return world, HoldLapsed(OUT_OF_STOCK)
        case Step.BUDGET | Step.POINTS:
            match world.portion(step, buyer):
                case "HELD":
                    return world, Done()
                case "RELEASED":
                    return world, AnswerLost()
                case _:
                    if world.portions_held(step) == dict(world.purses)[step]:
                        return world, Refused(NOT_COVERED, keep_hold=True)
                    return _with_portion(world, step, buyer, "HELD"), Done()
        case Step.CAPTURE:
            return _with_attempt(world, buyer, "CAPTURED"), Done()
        case Step.CONFIRM:
            raise AssertionError("confirming is no request")


def _undo(world: World, buyer: int, run: Run, step: Step) -> World:
    if step is Step.AUTHORIZE:
        # Nothing may be authorized any more under this attempt, also if it was never heard of.
        return world if world.attempts[buyer] in ("DECLINED", "CAPTURED") else _with_attempt(world, buyer, "VOIDED")
    if step in (Step.BUDGET, Step.POINTS):
        return _with_portion(world, step, buyer, "RELEASED")
    if run.hold is not None and world.hold(buyer, run.hold) == "HELD":
        return _with_hold(world, buyer, run.hold, "RELEASED")
    return world


def _knowing(run: Run, step: Step, which: int, outcome: Outcome) -> Run:
    return replace(run, hold=which) if step is Step.RESERVE and isinstance(outcome, Done) else run


def _recorded(world: World, buyer: int, run: Run, outcome: Outcome) -> World:
    return _with_run(world, buyer, replace(run, progress=after(run.progress, outcome, NOW)))


def _given_up(world: World, buyer: int, run: Run, step: Step) -> World:
    """So many answers were lost that the saga turns back, if it may."""
    most = table.RULES[step].lost_max
    tired = replace(run, progress=replace(run.progress, lost=most or 0))
    return _recorded(world, buyer, tired, AnswerLost())


def _with_run(world: World, buyer: int, run: Run) -> World:
    """How often answers were lost, when it is due, and why it turned back make no difference here."""
    progress = replace(
        run.progress,
        lost=0,
        due_at=NOW,
        failure=None,
        unknown_since=NOW if run.progress.unknown_since else None,
        waits_until=NOW if run.progress.waits_until else None,
    )
    runs = (*world.runs[:buyer], replace(run, progress=progress), *world.runs[buyer + 1 :])
    return replace(world, runs=runs)


def _with_hold(world: World, buyer: int, which: int, state: str) -> World:
    holds = tuple(
        (owner, number, state if (owner, number) == (buyer, which) else was) for owner, number, was in world.holds
    )
    return replace(world, holds=holds)


def _with_portion(world: World, step: Step, buyer: int, state: str) -> World:
    others = {portion for portion in world.portions if portion[:2] != (step, buyer)}
    return replace(world, portions=frozenset({*others, (step, buyer, state)}))


def _with_attempt(world: World, buyer: int, state: str) -> World:
    return replace(world, attempts=(*world.attempts[:buyer], state, *world.attempts[buyer + 1 :]))


def _way(came: Mapping[World, tuple[World | None, str]], world: World) -> list[str]:
    names: list[str] = []
    before, name = came[world]
    while before is not None:
        names.append(name)
        before, name = came[before]
    return names[::-1]


def ended(world: World, buyer: int) -> SagaState:
    return world.runs[buyer].progress.state
