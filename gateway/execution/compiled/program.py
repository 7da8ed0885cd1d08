"""Generated functions as something that runs: the fetches in their order, each gathered, sent and taken.

What belongs here: when the functions are called, and what becomes of a request that goes astray. What does not: what is
in the functions (``source``), and how things are sent (the execution that is handed in).
"""

from __future__ import annotations

import asyncio
import linecache
from collections.abc import Awaitable, Callable, Mapping
from itertools import islice
from types import SimpleNamespace
from typing import Any, Final, Protocol, TypeAlias

from msgspec import MsgspecError
from prometheus_client import Counter

from gateway.errors import SubgraphError
from gateway.execution.compiled.layout import Layout
from gateway.execution.compiled.source import Source
from gateway.execution.compiled.support import Astray
from subgraphs.chassis.telemetry import logger

CHUNKS_AT_ONCE_MAX: Final = 4
"""Requests one large fetch has under way side by side."""
Sent: TypeAlias = tuple[tuple[str, list[dict[str, Any]]], ...]
"""Variables with their representations."""

STRAYS: Final = (Astray, MsgspecError, UnicodeDecodeError, RecursionError, SubgraphError)
_log = logger("compiled plans")

RUNS = Counter(
    "galleria_compiled_plans", "Runs of compiled plans, by what became of them; broken is a bug.", ("outcome",)
)
_WHOLE, _ASTRAY, BROKEN = RUNS.labels("whole"), RUNS.labels("astray"), RUNS.labels("broken")


class Sender(Protocol):
    """The request that a program runs for."""

    variables: Mapping[str, Any]

    async def run_graph(self, do: Callable[[Any], Awaitable[None]]) -> None:
        """Calls ``do`` for every step of the plan, each when those before it are done."""

    async def ask(self, step: Any, variables: Mapping[str, Any]) -> bytes:
        """A subgraph's reply to a step. Raises SubgraphError. The same is not asked twice."""


class Program:
    """One plan under one assignment of its condition variables, compiled."""

    def __init__(self, layout: Layout, source: Source, name: str) -> None:
        self.text = source.text
        self.sent = layout.sent
        self.file = file = f"<plan {name} {id(self):x}>"
        # So that a traceback shows the lines.
        linecache.cache[file] = (len(self.text), None, self.text.splitlines(keepends=True), file)
        names: dict[str, Any] = {"__name__": "gateway.execution.compiled.generated", **source.given}
        exec(compile(self.text, file, "exec", dont_inherit=True), names)  # noqa: S102  our own text
        self._begin, self._finish = names["begin"], names["finish"]
        self.gather: dict[int, Callable[..., Any]] = {}
        self.take: dict[int, Callable[..., Any]] = {}
        for each in self.sent:
            self.take[each] = names[f"take_{each}"]
            if each in layout.gatherings:
                self.gather[each] = names[f"gather_{each}"]
        self.runs = self.strays = 0
        self.broken = False
        """A bug was met: it is not run again."""

    def __del__(self) -> None:
        linecache.cache.pop(self.file, None)

    @property
    def pays(self) -> bool:
        """Whether most of its runs come to their end; the others cost twice."""
        return not self.broken and (self.strays < 10 or self.strays * 10 < self.runs)

    async def run(self, sender: Sender, representations_max: int) -> bytes | None:
        """The whole response as JSON; None when it went astray, with every reply so far known to the sender."""
        self.runs += 1
        run = _Run(self, sender, representations_max)
        self._begin(run.state)
        await sender.run_graph(run.do)
        response: bytes | None = None
        if run.stray is None:
            try:
                response = self._finish(run.state)
            except STRAYS as wrong:
                run.stray = wrong
        if run.stray is None:
            _WHOLE.inc()
        else:
            self.strays += 1
            _ASTRAY.inc()
        return response


class _Run:
    """One request on its way through a program."""

    __slots__ = ("program", "representations_max", "sender", "state", "stray")

    def __init__(self, program: Program, sender: Sender, representations_max: int) -> None:
        self.program = program
        self.sender = sender
        self.representations_max = representations_max
        self.state = SimpleNamespace()
        """What the generated functions keep."""
        self.stray: Exception | None = None
        """Why the interpreter has to do it; then no step is begun any more."""

    async def do(self, step: Any) -> None:
        program, number = self.program, step.fetch.id
        if self.stray is not None or number not in program.sent:
            return
        try:
            variables = step.sent(self.sender.variables)
            gather = program.gather.get(number)
            if gather is None:
                program.take[number](self.state, (), await self.sender.ask(step, variables))
                return
            sent, waiting = gather(self.state)
            most = max(len(representations) for _, representations in sent)
            if most > self.representations_max:
                await self.in_chunks(step, sent, waiting, most)
            elif most:
                variables.update(sent)
                program.take[number](self.state, waiting, await self.sender.ask(step, variables))
        except STRAYS as wrong:
            self.stray = wrong.with_traceback(None)
        except Exception as bug:  # noqa: BLE001  the interpreter knows better; the traceback shows the plan's line
            _log.exception("a compiled plan failed")
            program.broken = True
            BROKEN.inc()
            self.stray = bug.with_traceback(None)

    async def in_chunks(self, step: Any, sent: Sent, waiting: tuple[dict[Any, Any], ...], most: int) -> None:
        """As many requests as the interpreter would make of it, some of them side by side."""
        together = asyncio.Semaphore(CHUNKS_AT_ONCE_MAX)
        size = self.representations_max

        async def ask(at: int) -> bytes:
            variables = step.sent(self.sender.variables)
            variables.update((name, representations[at : at + size]) for name, representations in sent)
            async with together:
                return await self.sender.ask(step, variables)

        starts = range(0, most, size)
        # Every reply is waited for, also when one fails: the interpreter will want them.
        replies = await asyncio.gather(*map(ask, starts), return_exceptions=True)
        for at, reply in zip(starts, replies, strict=True):
            if isinstance(reply, BaseException):
                raise reply
            some = tuple(dict(islice(slots.items(), at, at + size)) for slots in waiting)
            self.program.take[step.fetch.id](self.state, some, reply)
