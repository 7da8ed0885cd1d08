"""The contenders side by side: all are started, then each workload is put to one after the other, turn by turn."""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from gateway.local.processes import Process, StartFailed, free_port
from tests.benchmarks import meters
from tests.benchmarks.load import Load, drive
from tests.benchmarks.meters import Latencies
from tests.benchmarks.pinning import Cores, starting_on
from tests.benchmarks.rivals.contenders import Contender, Place
from tests.benchmarks.rivals.questions import ANSWER_S_MAX, Line, Question, WrongAnswer
from tests.benchmarks.rivals.world import OPERATIONS, REVIEWS, Graph, Operation

CONNECTIONS = 50
WARM_S = 2.0
"""Before anything is counted: engines that compile what is hot have then seen the operation some hundred times."""
SLICE_S = 2.0
TURNS = 3
READY_S_MAX = 45.0
_POLL_S = 0.05
_UNBOUNDED = sys.maxsize
_TINY = next(operation for operation in OPERATIONS if operation.name == "tiny")


@dataclass(frozen=True, slots=True)
class Slice:
    """One contender's turn."""

    load: Load
    cpu_s: float
    """Of the gateway and the processes it started."""
    fetches: int

    @property
    def cpu_ms(self) -> float:
        return self.cpu_s * 1000 / self.load.requests


@dataclass(slots=True)
class Course:
    """What one contender did with one operation."""

    contender: Contender
    fetches_alone: int = 0
    """Requests to subgraphs for one request with nobody else about."""
    slices: list[Slice] = field(default_factory=list)
    failure: str | None = None
    """What it said instead of the answer; then nothing of it is counted."""

    @property
    def requests(self) -> int:
        return sum(each.load.requests for each in self.slices)

    @property
    def cpu_ms(self) -> float:
        return statistics.median(each.cpu_ms for each in self.slices)

    @property
    def fetches(self) -> float:
        return sum(each.fetches for each in self.slices) / self.requests

    @property
    def per_second(self) -> float:
        return statistics.median(each.load.per_second for each in self.slices)

    @property
    def latencies(self) -> Latencies:
        return Latencies.of([taken for each in self.slices for taken in each.load.taken])

    def cpu_ratio(self, other: Course) -> float:
        """The median over the turns, each of which both took within seconds of each other."""
        pairs = zip(self.slices, other.slices, strict=True)
        return statistics.median(one.cpu_ms / two.cpu_ms for one, two in pairs)


@dataclass(frozen=True, slots=True)
class Running:
    contender: Contender
    port: int
    process: Process
    ready_s: float
    """From nothing to its first answer."""

    def cpu_seconds(self) -> float:
        return sum(meters.cpu_seconds(pid) for pid in meters.family(self.process.pid))

    @property
    def resident_mb(self) -> float:
        return sum(meters.resident_mb(pid) for pid in meters.family(self.process.pid))

    @property
    def resident_peak_mb(self) -> float:
        return sum(meters.resident_peak_mb(pid) for pid in meters.family(self.process.pid))


class Field:
    """The subgraphs, and the contenders in front of them."""

    def __init__(self, subgraphs_port: int, say: Callable[[str], None]) -> None:
        self.running: list[Running] = []
        self.failed: dict[str, str] = {}
        """Contenders that did not start, and why."""
        self._subgraphs_port = subgraphs_port
        self._say = say

    async def asked(self) -> int:
        """How many requests the subgraphs had so far."""
        line = Line(self._subgraphs_port)
        try:
            return int(await line.get())
        finally:
            line.close()

    async def compare(
        self, operation: Operation, *, shares: bool, connections: int = CONNECTIONS, slice_s: float = SLICE_S
    ) -> list[Course]:
        """Everybody at this level of sharing; who has none to switch on takes part where nothing is shared."""
        expected = await operation.answer()
        taking_part = [each for each in self.running if each.contender.shares is shares]
        courses = [Course(each.contender) for each in taking_part]
        everybody = list(zip(taking_part, courses, (Question(operation, expected) for _ in courses), strict=True))
        level = "sharing" if shares else "nothing shared"
        for running, course, question in everybody:
            self._say(f"{operation.name}, {level}: warming {running.contender.name}")
            await self._alone(running, course, question)
            if course.failure is None:
                await self._slice(running, course, question, connections, min(WARM_S, slice_s))
                course.slices.clear()
        for turn in range(TURNS):
            # Each turn begins with another one, so that nobody always runs on what the same neighbour left behind.
            for running, course, question in everybody[turn:] + everybody[:turn]:
                if course.failure is None:
                    self._say(f"{operation.name}, {level}, turn {turn + 1} of {TURNS}: {running.contender.name}")
                    await self._slice(running, course, question, connections, slice_s)
        return courses

    async def _alone(self, running: Running, course: Course, question: Question) -> None:
        """Twice: what a gateway asks only the first time is not counted."""
        for _ in range(2):
            before = await self.asked()
            line = Line(running.port)
            try:
                await _ask(line, question)
            except (WrongAnswer, OSError, TimeoutError) as wrong:
                course.failure = f"{type(wrong).__name__}: {wrong}"
                return
            finally:
                line.close()
            course.fetches_alone = await self.asked() - before

    async def _slice(
        self, running: Running, course: Course, question: Question, connections: int, seconds: float
    ) -> None:
        load = Load(connections)
        # Connections of their own for each slice: those that idled while others had their turn may be about to be closed.
        lines = [Line(running.port) for _ in range(connections)]
        free = list(lines)

        async def ask(_: int) -> None:
            line = free.pop()
            await _ask(line, question)
            free.append(line)

        asked, cpu_s = await self.asked(), running.cpu_seconds()
        try:
            async with asyncio.timeout(seconds + ANSWER_S_MAX):
                await drive(load, ask, count=_UNBOUNDED, seconds_max=seconds)
        except* (WrongAnswer, OSError, TimeoutError) as several:
            wrong = several.exceptions[0]
            while isinstance(wrong, BaseExceptionGroup):
                wrong = wrong.exceptions[0]
            course.failure = f"under load, {type(wrong).__name__}: {wrong}"
        finally:
            for line in lines:
                line.close()
        if course.failure is None:
            course.slices.append(Slice(load, running.cpu_seconds() - cpu_s, await self.asked() - asked))


async def _ask(line: Line, question: Question) -> None:
    body, number = question.next()
    question.check(await line.post(body), number)


@asynccontextmanager
async def in_the_field(
    contenders: Sequence[Contender],
    division: Cores,
    directory: Path,
    *,
    say: Callable[[str], None],
    graph: Graph = REVIEWS,
    first: Operation = _TINY,
) -> AsyncIterator[Field]:
    """All of them running, each on the gateway's core; subgraphs and this process on the others.

    A contender that has answered ``first`` is ready.
    """
    ports = [free_port() for _ in graph.sdls]
    urls = {name: f"http://127.0.0.1:{port}/graphql" for name, port in zip(graph.sdls, ports, strict=True)}
    found = Field(ports[0], say)
    async with AsyncExitStack() as stack:
        if division.apart:
            os.sched_setaffinity(0, division.others)
        argv = (sys.executable, *graph.served_by, *map(str, ports))
        subgraphs = Process("subgraphs", argv, environment={}, log=directory / "subgraphs.log")
        stack.push_async_callback(subgraphs.stop)
        await subgraphs.start()
        await subgraphs.wait_ready(f"http://127.0.0.1:{ports[0]}/", deadline_s=READY_S_MAX)
        question = Question(first, await first.answer())
        for number, contender in enumerate(contenders):
            say(f"starting {contender.name}")
            place = Place(directory / str(number), free_port(), urls)
            place.directory.mkdir(parents=True)
            place.supergraph.write_text(graph.supergraph(urls))
            process = Process(
                contender.name,
                contender.command(place),
                environment=contender.environment,
                log=place.directory / "output.log",
            )
            stack.push_async_callback(process.stop)
            with starting_on(division.gateway):
                await process.start()
            try:
                ready_s = await _ready(process, place.port, question)
            except StartFailed as why:
                found.failed[contender.name] = str(why)
            else:
                found.running.append(Running(contender, place.port, process, ready_s))
        yield found


async def _ready(process: Process, port: int, question: Question) -> float:
    """Until it answers; how long that took. Node's gateways answer with errors before they have read their supergraph."""
    began, said = time.monotonic(), "nothing"
    try:
        async with asyncio.timeout(READY_S_MAX):
            while process.running:
                line = Line(port)
                try:
                    await _ask(line, question)
                    return time.monotonic() - began
                except (WrongAnswer, OSError) as wrong:
                    said = str(wrong)
                finally:
                    line.close()
                await asyncio.sleep(_POLL_S)
    except TimeoutError:
        pass
    raise StartFailed(f"{process.name} did not come to answer; it said {said}\n{process.log_tail()}")
