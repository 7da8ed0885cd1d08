"""Subscriptions: one upstream stream for equal ones, the rest of the plan once per event, a bounded queue a subscriber.

What belongs here: who shares what, what a slow subscriber loses, and coming back after a cut. What does not: the wire
(transport), and running the fetches of an event (executor).

Theory of operation
-------------------
Two things are shared, one above the other, by the same means (``Shared``: one source, pumped into a queue a follower).
An *upstream* is one event stream from a subgraph, the same for all who ask that subgraph for the same document with the
same variables and identity. A *group* is a subscription as clients wrote it, with their variables and identity: it
follows an upstream, enriches each event once, and hands the one response to all its subscribers.

Equal streams are equal only from their beginning: a stock stream opens with a snapshot that a late joiner would never
see. So a stream takes followers until its first event; who comes later opens a new one. ``subscription_join`` set to
``any`` lets late joiners in, for graphs whose events stand on their own.

A queue that is full loses its oldest event: the newest says most about how things are now. How many were lost is told
with the next event, as ``extensions.gap``. A stream that is cut is asked for again with growing pauses; what happened
meanwhile is unknown, which ``extensions.gap`` tells as well. A stream that never opened is not asked for again: the
subscriber is waiting for an answer, and "no" is one.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import AsyncGenerator, Callable, Hashable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any, Final, Generic, TypeVar

from gateway.config import Settings
from gateway.errors import SubgraphError
from gateway.exchange import GraphQLResponse, encode
from gateway.execution.errors import Report
from gateway.execution.executable import Executable, Variables
from gateway.execution.executor import Executor
from gateway.execution.socket_stream import OPENED
from gateway.execution.transport import FetchContext, SubgraphAddress, Transport

RECONNECT_PAUSE_S: Final = 0.1
"""Before the first new attempt; it doubles with each."""
RECONNECT_PAUSE_S_MAX: Final = 5.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """What a subscriber did not see before an event."""

    dropped: int = 0
    reconnected: bool = False
    """The stream was cut in between; how many events that cost is not known."""

    def __add__(self, other: Gap) -> Gap:
        return Gap(dropped=self.dropped + other.dropped, reconnected=self.reconnected or other.reconnected)

    def as_json(self) -> dict[str, Any]:
        return {"dropped": self.dropped, **({"reconnected": True} if self.reconnected else {})}


NO_GAP: Final = Gap()


class Queue(Generic[T]):
    """What one follower has still to take."""

    def __init__(self, size_max: int) -> None:
        self._items: deque[tuple[T, Gap]] = deque()
        self._max = size_max
        self._lost = NO_GAP
        self._ended = False
        self._error: BaseException | None = None
        self._news = asyncio.Event()

    def put(self, item: T, gap: Gap) -> None:
        if len(self._items) >= self._max:
            _, lost = self._items.popleft()
            self._lost += lost + Gap(dropped=1)
        self._items.append((item, gap))
        self._news.set()

    def end(self, error: BaseException | None) -> None:
        """Nothing comes any more; what is here may still be taken."""
        self._ended, self._error = True, error
        self._news.set()

    async def take(self) -> tuple[T, Gap] | None:
        """The oldest item with what was lost before it; None after the last. Raises what the source ended with."""
        while not self._items:
            if self._ended:
                if self._error is not None:
                    raise self._error
                return None
            self._news.clear()
            await self._news.wait()
        item, gap = self._items.popleft()
        gap, self._lost = self._lost + gap, NO_GAP
        return item, gap


class Shared(Generic[T]):
    """One source and its followers. It starts with the first and stops with the last."""

    def __init__(self, source: AsyncGenerator[tuple[T, Gap], None], *, queue_max: int, join_late: bool) -> None:
        self._source = source
        self._queue_max = queue_max
        self._join_late = join_late
        self._queues: set[Queue[T]] = set()
        self._pump: asyncio.Task[None] | None = None
        self._begun = False
        self._stopped = False

    @property
    def joinable(self) -> bool:
        """Whether one who joins now misses nothing it should have had."""
        over = self._stopped or (self._pump is not None and self._pump.done())
        return not over and (self._join_late or not self._begun)

    async def follow(self) -> AsyncGenerator[tuple[T, Gap], None]:
        queue: Queue[T] = Queue(self._queue_max)
        self._queues.add(queue)
        if self._pump is None:
            # Owned by the followers: the last one that leaves stops it and waits for its end.
            self._pump = asyncio.get_running_loop().create_task(self._run())
            self._pump.add_done_callback(self._end)
        try:
            while (taken := await queue.take()) is not None:
                yield taken
        finally:
            self._queues.discard(queue)
            if not self._queues:
                await self.stop()

    async def stop(self) -> None:
        """Ends the source; followers see a plain end."""
        self._stopped = True
        if self._pump is not None:
            self._pump.cancel()
            await asyncio.wait({self._pump})

    async def _run(self) -> None:
        async with aclosing(self._source) as source:
            async for item, gap in source:
                self._begun = True
                for queue in self._queues:
                    queue.put(item, gap)

    def _end(self, pump: asyncio.Task[None]) -> None:
        error = None if pump.cancelled() else pump.exception()
        for queue in self._queues:
            queue.end(error)


class Subscriptions:
    """All subscriptions of a process."""

    def __init__(self, transport: Transport, settings: Settings) -> None:
        self._transport = transport
        self._queue_max = settings.limits.subscription_queue_max
        self._reconnect_s = float(settings.limits.upstream_reconnect_s)
        self._event_s = settings.limits.request_ms_max / 1000
        self._join_late = settings.subscription_join == "any"
        self._upstreams: dict[Hashable, Shared[bytes]] = {}
        self._groups: dict[Hashable, Shared[GraphQLResponse]] = {}

    async def aclose(self) -> None:
        """Ends every stream; subscribers see a plain end."""
        for group in list(self._groups.values()):
            await group.stop()
        for upstream in list(self._upstreams.values()):
            await upstream.stop()

    async def subscribe(
        self,
        executor: Executor,
        executable: Executable,
        variables: Variables,
        context: FetchContext,
        *,
        errors: Sequence[Mapping[str, Any]] = (),
    ) -> AsyncGenerator[GraphQLResponse, None]:
        """A response for each event, until the subgraph completes. Close the generator to stop.

        An upstream that cannot be had, or not again, ends it with one response that has errors alone. The context's
        deadline does not count: each event has the time of a request.
        """
        if executable.upstream is None:
            # Nothing may be asked of any subgraph, for example because the one field was refused.
            yield await executor.execute(executable, variables, context, errors=errors)
            return
        key = (executable, encode(variables), context.identity)
        group = _joined(
            self._groups,
            key,
            lambda: self._results(executor, executable, variables, context, errors),
            self._queue_max,
            self._join_late,
        )
        try:
            async with aclosing(group.follow()) as following:
                async for response, gap in following:
                    if gap == NO_GAP:
                        yield response
                    else:
                        yield replace(response, extensions={**response.extensions, "gap": gap.as_json()})
        except SubgraphError as error:
            report = Report(development=executor.development)
            report.failure(error, ())
            yield GraphQLResponse(errors=tuple(report.entries), has_data=False)
        finally:
            _forget(self._groups, key, group)

    async def _results(
        self,
        executor: Executor,
        executable: Executable,
        variables: Variables,
        context: FetchContext,
        errors: Sequence[Mapping[str, Any]],
    ) -> AsyncGenerator[tuple[GraphQLResponse, Gap], None]:
        """What a group's subscribers get: each upstream event, enriched."""
        step = executable.upstream
        assert step is not None
        address = executor.addresses[step.fetch.subgraph]
        body = step.body(step.sent(variables))
        key = (address, body, context.identity)
        upstream = _joined(
            self._upstreams, key, lambda: self._events(address, body, context), self._queue_max, self._join_late
        )
        now = asyncio.get_running_loop().time
        try:
            async with aclosing(upstream.follow()) as following:
                async for payload, gap in following:
                    in_time = replace(context, deadline=now() + self._event_s)
                    yield await executor.execute_event(executable, payload, variables, in_time, errors=errors), gap
        finally:
            _forget(self._upstreams, key, upstream)

    async def _events(
        self, address: SubgraphAddress, body: bytes, context: FetchContext
    ) -> AsyncGenerator[tuple[bytes, Gap], None]:
        """The payloads of one upstream's ``next`` events, over as many streams as it takes."""
        now = asyncio.get_running_loop().time
        pause_s, gap = RECONNECT_PAUSE_S, NO_GAP
        give_up_at: float | None = None
        ever_opened = False
        while True:
            try:
                async with aclosing(self._transport.stream(address, body, context)) as events:
                    async for event in events:
                        if event is OPENED:
                            pause_s, give_up_at, ever_opened = RECONNECT_PAUSE_S, None, True
                        elif event.type == "next":
                            yield event.data, gap
                            gap = NO_GAP
                        elif event.type == "complete":
                            return
            except SubgraphError:
                if not ever_opened:
                    raise
                give_up_at = give_up_at if give_up_at is not None else now() + self._reconnect_s
                if now() + pause_s > give_up_at:
                    raise
            gap = Gap(reconnected=True)
            # Many gateways lose one subgraph at one moment; they should not all come back at one moment.
            await asyncio.sleep(pause_s * random.uniform(0.5, 1.5))  # noqa: S311
            pause_s = min(pause_s * 2, RECONNECT_PAUSE_S_MAX)


def _joined(
    known: dict[Hashable, Shared[T]],
    key: Hashable,
    source: Callable[[], AsyncGenerator[tuple[T, Gap], None]],
    queue_max: int,
    join_late: bool,
) -> Shared[T]:
    """The stream of this key that may be joined, or a new one that others may join from now on."""
    shared = known.get(key)
    if shared is None or not shared.joinable:
        shared = known[key] = Shared(source(), queue_max=queue_max, join_late=join_late)
    return shared


def _forget(known: dict[Hashable, Shared[T]], key: Hashable, shared: Shared[T]) -> None:
    """Lets a stream go that has ended or takes nobody any more; its followers keep it."""
    if known.get(key) is shared and not shared.joinable:
        del known[key]
