"""Choices: how one walk is told to decide, and how the search finds the walk worth keeping.

Theory of operation. A walk is a deterministic procedure that, whenever several ways are defensible, asks its ``Choices``
which to take; way 0 is the one it would take by itself. A walk is therefore identified by its list of answers, and
walking again with another list gives another plan: no partial plan is ever copied. The search is a hill climb over
*single deviations*: starting from the all-default walk, change one answer, let everything after it fall to its default,
and keep the change when the plan costs less. It stops when no single deviation helps, or at its budget.

Cost: first the number of rounds before the first answer, then of all rounds, then the number of fetches, then the size of
what is fetched.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeAlias, TypeVar

Cost: TypeAlias = tuple[int, ...]
Result = TypeVar("Result")


class Choices:
    """The answers for one walk, and how many ways there were at each question."""

    def __init__(self, answers: tuple[int, ...] = ()) -> None:
        self.answers = answers
        self.asked: list[tuple[int, int]] = []
        self.work = 0
        """How much the walk looked at, counted by itself: what it costs, the same on every machine."""

    def pick(self, ways: int) -> int:
        """Which of so many ways to take."""
        if ways < 2:
            return 0
        index = len(self.asked)
        answer = self.answers[index] if index < len(self.answers) else 0
        answer = min(answer, ways - 1)
        self.asked.append((answer, ways))
        return answer


class DeadEnd(Exception):
    """This walk cannot be completed; another list of answers may."""


class Search(Generic[Result]):
    """Finds the cheapest walk within a budget of walks, and of the work they take once one has arrived."""

    def __init__(self, walk: Callable[[Choices], tuple[Cost, Result]], *, walks_max: int, work_max: int) -> None:
        self.walk = walk
        self.walks_max = walks_max
        self.work_max = work_max
        self.walks = 0
        self.work = 0
        self.truncated = False
        self.seen: set[tuple[int, ...]] = set()
        self.dead_end = ""

    def run(self) -> Result | None:
        """The best result; None when every walk tried came to a dead end (``dead_end`` says which was met first)."""
        best: tuple[Cost, Result] | None = None
        frontier: list[tuple[int, ...]] = [()]
        while frontier:
            candidate = frontier.pop(0)
            if _trimmed(candidate) in self.seen:
                continue
            if self.walks >= self.walks_max or (best is not None and self.work >= self.work_max):
                self.truncated = True
                break
            self.seen.add(_trimmed(candidate))
            self.walks += 1
            choices = Choices(candidate)
            try:
                found = self.walk(choices)
            except DeadEnd as end:
                self.work += choices.work
                self.dead_end = self.dead_end or str(end)
                if best is None:
                    frontier += _deviations(choices.asked)
                continue
            self.work += choices.work
            if best is None or found[0] < best[0]:
                best = found
                frontier = _deviations(choices.asked)
        return best[1] if best else None


def _deviations(asked: list[tuple[int, int]]) -> list[tuple[int, ...]]:
    """Every list that differs from this walk's answers in one place and is silent after it."""
    taken = tuple(answer for answer, _ in asked)
    return [
        (*taken[:index], other)
        for index, (answer, ways) in enumerate(asked)
        for other in range(ways)
        if other != answer
    ]


def _trimmed(answers: tuple[int, ...]) -> tuple[int, ...]:
    end = len(answers)
    while end and answers[end - 1] == 0:
        end -= 1
    return answers[:end]
