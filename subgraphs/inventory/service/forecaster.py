"""The process that forecasts: started for one run, ended after it, so that the service stays small and answers meanwhile.

Theory of operation. Fitting takes minutes of CPU in all and a library of 200 MB. So a run starts a child, which loads
the library, works at low priority, and takes its memory with it when the run ends. Parent and child speak in frames on
the child's standard input and output: four bytes of length, then a pickled ``(task, arguments)``, answered by a pickled
list. One question is out at a time. The child ends when its input does, and by the kernel's hand if the parent is killed.

Run as a module this file is the child. What is worked out is the model's.
"""

from __future__ import annotations

import asyncio
import os
import pickle
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Iterable, Sequence
from typing import Any, BinaryIO, Self

from subgraphs.chassis.process import dies_with
from subgraphs.inventory.model.demand import Series
from subgraphs.inventory.model.forecast import Forecast, forecast
from subgraphs.inventory.model.replenishment import Move, MovePolicy, Shelf, moves
from subgraphs.kernel.money import Money

NICENESS = 10
_LENGTH_BYTES = 4


class Forecaster:
    """The parent's end. Use ``async with``; the child starts with the first question."""

    def __init__(self) -> None:
        self._child: Process | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._child is not None:
            if self._child.returncode is None:
                self._child.kill()
            await self._child.wait()

    async def forecasts(self, asked: Sequence[tuple[Series, Sequence[int]]]) -> list[Forecast | None]:
        """The forecast of each series, with the spreads of sums of so many days."""
        found: list[Forecast | None] = await self._ask("forecast", asked)
        return found

    async def moves(
        self, asked: Sequence[tuple[str, Sequence[Shelf], Money, MovePolicy, Sequence[tuple[str, str]]]]
    ) -> list[list[Move]]:
        """The moves worth making of each SKU."""
        found: list[list[Move]] = await self._ask("moves", asked)
        return found

    async def _ask(self, task: str, asked: Sequence[Any]) -> Any:
        if not asked:
            return []
        if self._child is None:
            self._child = await asyncio.create_subprocess_exec(
                sys.executable, "-m", __name__, stdin=PIPE, stdout=PIPE, preexec_fn=dies_with(os.getpid())
            )
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        for part in _frame((task, asked)):
            self._child.stdin.write(part)
        await self._child.stdin.drain()
        length = int.from_bytes(await self._child.stdout.readexactly(_LENGTH_BYTES), "big")
        return pickle.loads(await self._child.stdout.readexactly(length))  # noqa: S301 - our own child's


def work(task: str, asked: Iterable[Any]) -> list[Any]:
    """What the child answers."""
    if task == "moves":
        return [moves(*each) for each in asked]
    from subgraphs.inventory.model.forecast_library import fit

    return [forecast(series, spans, fit) for series, spans in asked]


def _frame(message: object) -> tuple[bytes, bytes]:
    body = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
    return len(body).to_bytes(_LENGTH_BYTES, "big"), body


def _serve(questions: BinaryIO, answers: BinaryIO) -> None:
    while head := questions.read(_LENGTH_BYTES):
        task, asked = pickle.loads(questions.read(int.from_bytes(head, "big")))  # noqa: S301 - our own parent's
        for part in _frame(work(task, asked)):
            answers.write(part)
        answers.flush()


def main() -> None:
    """The child, from its first question to the end of its input."""
    os.nice(NICENESS)
    # One core is enough of a machine that serves; libraries of linear algebra take all unless told otherwise.
    os.environ.update(OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1")
    # Answers have the standard output to themselves: whatever else is printed goes where errors go.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    _serve(sys.stdin.buffer, answers)


if __name__ == "__main__":
    main()
