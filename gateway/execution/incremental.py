"""Runs a plan to an answer in parts: what is deferred comes when its fetches are done, a list's other items when theirs are.

What belongs here: which parts there are, when a part is ready, and which errors are its own. What does not: a fetch
(executor), a part's shape (projection), and how parts are written (``gateway.incremental``).

Theory of operation
-------------------
All fetches run as one graph and write into the one merged tree. A fetch is *owned* by the deferred block it was planned for,
or by the nearest block around it that these variables defer. When all fetches that a block owns are done, and what it is in
has been delivered, it is completed from the tree. An error goes to the part that shows its place.

``@stream`` needs no plan of its own: subgraphs answer lists whole, so what can be late is what entity fetches add to the
items. At first those fetches are sent for the first items only (a *window* of the list); then once more for the rest. That
is sound where nothing else reads those items, so a stream counts only

- in the primary block, and not below another streamed list;
- if everyone who selects the list there wants as many items at first;
- if no deferred block, no context and no other place depends on a fetch for its items;
- and if there is such a fetch at all: otherwise the items are all there.

Elsewhere it has no effect, which the specification allows.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from gateway.exchange import GraphQLResponse, Pending
from gateway.execution.errors import ResponsePath, written
from gateway.execution.executable import Executable, Step, Variables
from gateway.execution.executor import Execution, Executor, Windows
from gateway.execution.nodes import Deferred, StreamNode, shows
from gateway.execution.projection import NOTHING_LATER, Later
from gateway.execution.representations import EVERYTHING, Window
from gateway.execution.transport import FetchContext
from gateway.execution.trouble import place
from gateway.incremental import Delivery, Increment, Payload
from gateway.operation import Field, Operation, Selection, Stream
from gateway.plan import EACH, OperationKind, Path, TypeFilter

Keys: TypeAlias = tuple[str, ...]
"""A list's place: canonical keys alone."""


async def execute_incrementally(
    executor: Executor,
    executable: Executable,
    variables: Variables,
    context: FetchContext,
    *,
    errors: Sequence[Mapping[str, Any]] = (),
) -> AsyncGenerator[Payload, None]:
    """A response, and an increment whenever something of what it left is ready. Close the generator to stop."""
    execution = Execution(executor, executable, variables, context, errors)
    parts = Parts(executable, variables)
    if parts.later == NOTHING_LATER:
        yield await execution.answer()
        return
    delivery = _Delivery(execution, parts)
    try:
        async for payload in delivery.run():
            yield payload
    finally:
        # The reader is gone, or nothing is left that it could be told.
        await delivery.stop()


@dataclass(frozen=True, slots=True, kw_only=True)
class Tail:
    """The items of one list that come later."""

    streams: frozenset[int]
    steps: tuple[Step, ...]
    windows: Windows
    """Of the rest."""


class Parts:
    """What comes later under these variables, and with which part each fetch belongs."""

    def __init__(self, executable: Executable, variables: Variables) -> None:
        operation = executable.operation
        self.steps = executable.steps
        # A block without fetches of its own gains nothing by being late.
        planned = {block.id for block in executable.plan.blocks}
        deferred = frozenset(each.id for each in operation.deferrals if each.id in planned and each.active(variables))
        self.owner = [0] * (len(operation.deferrals) + 1)
        """By block: with which block it is delivered."""
        for each in operation.deferrals:
            self.owner[each.id] = each.id if each.id in deferred else self.owner[each.parent]
        counts = self.streamed(operation, variables) if operation.streams else {}
        self.windows: Windows = self.windowed(counts, rest=False)
        """Of the first items."""
        self.tails = tuple(self.tail(keys, streams, count) for keys, (streams, count) in counts.items())
        self.later = Later(deferred, frozenset((id, count) for streams, count in counts.values() for id in streams))

    def streamed(self, operation: Operation, variables: Variables) -> dict[Keys, tuple[frozenset[int], int]]:
        """The lists whose streams count: which those are, and how many items come first."""
        uses: dict[Keys, list[Stream | None]] = {}
        for keys, stream in self.selected(operation.selections, variables, ()):
            uses.setdefault(keys, []).append(stream)
        found: dict[Keys, tuple[frozenset[int], int]] = {}
        for keys, streams in uses.items():
            counts = {stream.initial_count(variables) if stream else None for stream in streams}
            (count, *more) = counts
            if count is not None and not more and self.is_sound(keys):
                found[keys] = frozenset(stream.id for stream in streams if stream), count
        # A fragment spread at several places has one stream there, which counts at all of them or at none.
        while True:
            inner = {keys for keys in found if any(keys[:length] in found for length in range(1, len(keys)))}
            wrong = {
                stream.id
                for keys, streams in uses.items()
                for stream in streams
                if stream is not None and (keys not in found or keys in inner)
            }
            kept = {keys: each for keys, each in found.items() if not each[0] & wrong}
            if len(kept) == len(found):
                return found
            found = kept

    def selected(
        self, selections: Sequence[Selection], variables: Variables, above: Keys
    ) -> Iterator[tuple[Keys, Stream | None]]:
        """Every field of the primary block."""
        for each in selections:
            if any((variables.get(name) is True) is not wanted for name, wanted in each.conditions):
                continue
            if isinstance(each, Field):
                yield (*above, each.key), each.stream
                yield from self.selected(each.selections, variables, (*above, each.key))
            elif each.deferral is None or not self.owner[each.deferral.id]:
                yield from self.selected(each.selections, variables, above)

    def is_sound(self, keys: Keys) -> bool:
        inside = {step.fetch.id for step in self.below(keys)}
        for step in self.steps:
            if step.fetch.id in inside:
                if self.owner[step.fetch.block] or step.fetch.contexts:
                    return False
            elif step.fetch.kind is OperationKind.QUERY and inside.intersection(step.fetch.depends_on):
                return False
        return bool(inside)

    def below(self, keys: Keys) -> tuple[Step, ...]:
        """The fetches of entities in a list's items."""
        return tuple(
            step for step in self.steps if any(_items_at(each.path, keys) is not None for each in step.entities)
        )

    def windowed(self, counts: Mapping[Keys, tuple[frozenset[int], int]], *, rest: bool) -> Windows:
        found: dict[int, tuple[Window | None, ...]] = {}
        for step in self.steps:
            windows: list[Window | None] = []
            for entities in step.entities:
                window: Window | None = None if rest else EVERYTHING
                for keys, (_, count) in counts.items():
                    at = _items_at(entities.path, keys)
                    if at is not None:
                        window = {at: slice(count, None) if rest else slice(count)}
                windows.append(window)
            if any(windows):
                found[step.fetch.id] = tuple(windows)
        return found

    def tail(self, keys: Keys, streams: frozenset[int], count: int) -> Tail:
        windows = self.windowed({keys: (streams, count)}, rest=True)
        return Tail(streams=streams, steps=self.below(keys), windows=windows)


def _items_at(path: Path, keys: Keys) -> int | None:
    """Which segment of a path stands for the items of the list at these keys; None where it does not lead there."""
    depth = 0
    for at, segment in enumerate(path):
        if isinstance(segment, TypeFilter) or segment == EACH:
            continue
        if segment != keys[depth]:
            return None
        depth += 1
        if depth == len(keys):
            return at + 1 if path[at + 1 : at + 2] == (EACH,) else None
    return None


class _Delivery:
    """One answer in parts. Who reads them may be another task each time, so fetches run in tasks of their own."""

    def __init__(self, execution: Execution, parts: Parts) -> None:
        self.execution = execution
        self.parts = parts
        self.owner = parts.owner
        operation = execution.executable.operation
        self.labels = {each.id: each.label for each in operation.deferrals}
        self.labels |= {-each.id: each.label for each in operation.streams}
        projection = execution.executable.projection
        self.whole = projection.shape(execution.variables)
        self.first = projection.shape(execution.variables, parts.later)
        self.left: dict[int, int] = {0: 0}
        """Part (a block, or a stream's negative id) → how much is still under way for it."""
        for step in parts.steps:
            owner = self.owner[step.fetch.block]
            self.left[owner] = self.left.get(owner, 0) + 1
        for tail in parts.tails:
            for id in tail.streams:
                self.left[-id] = self.left.get(-id, 0) + 1
        self.tasks: set[asyncio.Task[None]] = set()
        self.news = asyncio.Event()
        self.told: set[int] = set()
        """Blocks whose fetches' troubles are in the report."""
        self.waiting: list[tuple[Pending, Deferred]] = []
        """Announced and not yet delivered."""
        self.announced = 0

    async def run(self) -> AsyncGenerator[Payload, None]:
        self.execution.introspect()
        self.execution.windows = self.parts.windows
        self.start(self.execution.run_graph(self.fetch, self.parts.steps))
        while self.left[0]:
            await self.more()
        response = self.response()
        wanted = {-each.id for _, each in self.waiting if isinstance(each.node, StreamNode)}
        for tail in self.parts.tails:
            if tail.streams & wanted:
                self.start(self.fetch_rest(tail))
        yield response
        while self.waiting:
            if any(not self.left[each.id] for _, each in self.waiting):
                yield self.increment()
            else:
                await self.more()

    async def stop(self) -> None:
        for task in self.tasks:
            task.cancel()
        if self.tasks:
            await asyncio.wait(self.tasks)

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        task.add_done_callback(lambda _: self.news.set())

    async def more(self) -> None:
        """Returns when something has been fetched; raises what ended the fetching early."""
        self.news.clear()
        over = [task for task in self.tasks if task.done()]
        for task in over:
            task.result()
        assert len(over) < len(self.tasks), "parts are left that nobody fetches"
        await self.news.wait()

    async def fetch(self, step: Step) -> None:
        await self.execution.fetch(step)
        self.left[self.owner[step.fetch.block]] -= 1
        self.news.set()

    async def fetch_rest(self, tail: Tail) -> None:
        execution = self.execution.tail(tail.windows)
        tasks: dict[int, asyncio.Task[None]] = {}

        async def fetch(step: Step) -> None:
            for earlier in step.fetch.depends_on:
                if earlier in tasks:
                    await tasks[earlier]
            await execution.fetch(step)

        async with asyncio.TaskGroup() as group:
            for step in tail.steps:
                tasks[step.fetch.id] = group.create_task(fetch(step))
        for trouble in execution.trouble:
            place(trouble, execution.tree, self.whole, execution.report)
        for id in tail.streams:
            self.left[-id] -= 1

    def response(self) -> GraphQLResponse:
        self.tell(0)
        tree = self.execution.tree
        report = self.execution.report.part((), lambda path: shows(self.first, tree, path))
        data = self.first.complete(tree, None, report)
        pending = self.announce(report.deferred, data, ())
        return GraphQLResponse(data=data, errors=tuple(report.entries), pending=pending)

    def increment(self) -> Increment:
        """All that is ready, also what only this makes ready."""
        pending: list[Pending] = []
        delivered: list[Delivery] = []
        while ready := [each for each in self.waiting if not self.left[each[1].id]]:
            self.waiting = [each for each in self.waiting if self.left[each[1].id]]
            for announced, part in ready:
                delivery, found = self.deliver(announced, part)
                delivered.append(delivery)
                pending += found
        return Increment(delivered=tuple(delivered), pending=tuple(pending), has_next=bool(self.waiting))

    def deliver(self, announced: Pending, part: Deferred) -> tuple[Delivery, tuple[Pending, ...]]:
        self.tell(part.id)
        here = announced.path
        report = self.execution.report.part(here, part.shows)
        data = part.complete(report)
        start = part.node.start if isinstance(part.node, StreamNode) else None
        found = self.announce(report.deferred, data, here)
        return Delivery(pending=announced, data=data, start=start, errors=tuple(report.entries)), found

    def tell(self, part: int) -> None:
        """Puts into the report what went wrong with a block's fetches; what went wrong with a tail's is there already."""
        if part >= 0 and part not in self.told:
            self.told.add(part)
            for trouble in self.execution.trouble:
                if self.owner[trouble.step.fetch.block] == part:
                    place(trouble, self.execution.tree, self.whole, self.execution.report)

    def announce(self, deferred: list[Deferred], data: Any, above: ResponsePath) -> tuple[Pending, ...]:
        """What the projection left for later, as far as a null did not take away what it is of."""
        found: list[Pending] = []
        for each in deferred:
            path = written(each.place)
            if _is_there(data, path[len(above) :]):
                found.append(Pending(id=str(self.announced), path=path, label=self.labels[each.id]))
                self.announced += 1
                self.waiting.append((found[-1], each))
        return tuple(found)


def _is_there(data: Any, path: ResponsePath) -> bool:
    for step in path:
        if data is None:
            return False
        data = data[step]
    return data is not None
