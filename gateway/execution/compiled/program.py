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
from gateway.execution.compiled.places import Layout
from gateway.execution.compiled.source import Source
from gateway.execution.compiled.support import Astray
from subgraphs.chassis.telemetry import logger, one_more

CHUNKS_AT_ONCE_MAX: Final = 4
"""Requests one large fetch has under way side by side."""
Sent: TypeAlias = tuple[tuple[str, list[dict[str, Any]]], ...]
"""Variables with their representations."""

STRAYS: Final = (Astray, MsgspecError, UnicodeDecodeError, RecursionError, SubgraphError)
_log = logger("compiled plans")

RUNS = Counter(
    "galleria_compiled_plans", "Runs of compiled plans, by what became of them; broken is a bug.", ("outcome",)
)
_ASTRAY, BROKEN = RUNS.labels("astray"), RUNS.labels("broken")
_count_whole = one_more(RUNS.labels("whole"))


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
        self.after = layout.after
        self.awaited = frozenset(each for several in layout.after.values() for each in several)
        self.file = file = f"<plan {name} {id(self):x}>"
        # So that a traceback shows the lines.
        linecache.cache[file] = (len(self.text), None, self.text.splitlines(keepends=True), file)
        names: dict[str, Any] = {"__name__": "gateway.execution.compiled.generated", **source.given}
        exec(compile(self.text, file, "exec", dont_inherit=True), names)  # noqa: S102  our own text
        self._begin, self._finish = names["begin"], names["finish"]
        self.take = {each.id: names[f"take_{each.id}"] for each in layout.fetches}
        self.gather = {each: names[f"gather_{each}"] for each in layout.gatherings}
        self.where = {
            fetch: names[f"objects_{place.number}"] for fetch, place in layout.roots.items() if place is not layout.root
        }
        """Of which objects a root type is asked."""
        self.runs = self.strays = 0
        self.broken = False
        """A bug was met: it is not run again."""

    def __del__(self) -> None:
        linecache.cache.pop(self.file, None)

    @property
    def pays(self) -> bool:
        """Whether most of its runs come to their end; the others cost twice."""
        return not self.broken and (self.strays < 10 or self.strays * 10 < self.runs)

    async def run(self, sender: Sender, representations_max: int, event: bytes | None = None) -> bytes | None:
        """The whole response as JSON; None when it went astray, with every reply so far known to the sender.

        ``event`` is what a subscription's upstream has sent.
        """
        self.runs += 1
        run = _Run(self, sender, representations_max)
        self._begin(run.state)
        if event is not None:
            run.begin(event)
        await sender.run_graph(run.do)
        response: bytes | None = None
        if run.stray is None:
            try:
                response = self._finish(run.state)
            except STRAYS as wrong:
                run.stray = wrong
        if run.stray is None:
            _count_whole()
        else:
            self.strays += 1
            _ASTRAY.inc()
        return response


class _Run:
    """One request on its way through a program."""

    __slots__ = ("program", "representations_max", "sender", "state", "stray", "taken")

    def __init__(self, program: Program, sender: Sender, representations_max: int) -> None:
        self.program = program
        self.sender = sender
        self.representations_max = representations_max
        self.state = SimpleNamespace()
        """What the generated functions keep."""
        self.stray: Exception | None = None
        """Why the interpreter has to do it; then no step is begun any more."""

        self.taken = {each: asyncio.Event() for each in program.awaited}
        """Set when nothing more comes of these fetches."""

    def begin(self, event: bytes) -> None:
        upstream = next(iter(self.program.take.values()))
        try:
            upstream(self.state, (), event)
        except Exception as wrong:  # noqa: BLE001  as below
            self.lead_astray(wrong)

    async def do(self, step: Any) -> None:
        number = step.fetch.id
        try:
            if self.stray is None and number in self.program.take:
                await self.fetch(step, number)
        except Exception as wrong:  # noqa: BLE001  the interpreter knows better
            self.lead_astray(wrong)
        finally:
            if number in self.taken:
                self.taken[number].set()

    def lead_astray(self, wrong: Exception) -> None:
        if not isinstance(wrong, STRAYS):
            # Its traceback shows the plan's line.
            _log.error("a compiled plan failed", exc_info=wrong)
            self.program.broken = True
            BROKEN.inc()
        self.stray = wrong.with_traceback(None)

    async def fetch(self, step: Any, number: int) -> None:
        program = self.program
        variables = step.sent(self.sender.variables)
        gather = program.gather.get(number)
        if gather is None:
            where = program.where.get(number)
            if where is None or where(self.state):
                reply = await self.sender.ask(step, variables)
                if number in program.after:
                    await self.turn(number)
                program.take[number](self.state, (), reply)
            return
        sent, waiting = gather(self.state)
        most = max(len(representations) for _, representations in sent)
        if most > self.representations_max:
            await self.in_chunks(step, sent, waiting, most)
        elif most:
            variables.update(sent)
            reply = await self.sender.ask(step, variables)
            if number in program.after:
                await self.turn(number)
            program.take[number](self.state, waiting, reply)

    async def turn(self, number: int) -> None:
        """Returns when that is there which a fetch adds to. Each waits for such as precede it in the plan, so none for ever."""
        for each in self.program.after[number]:
            await self.taken[each].wait()
        if self.stray is not None:
            # Why is said already.
            raise Astray("what it adds to went astray")

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
        if step.fetch.id in self.program.after:
            await self.turn(step.fetch.id)
        for at, reply in zip(starts, replies, strict=True):
            if isinstance(reply, BaseException):
                raise reply
            some = tuple(dict(islice(slots.items(), at, at + size)) for slots in waiting)
            self.program.take[step.fetch.id](self.state, some, reply)
