"""Upstreams: event streams from subgraphs, one for all who ask for the same, taken up again after a cut.

What belongs here: who shares a stream, and coming back. What does not: the wire (``transport``), and what becomes of an
event (``subscription``).

A stream that is cut is asked for again with growing pauses. Where the subgraph's field takes a token to resume by, and the
client's operation leaves the place for one, it is asked for what came after the last event, and nothing is lost. Elsewhere
what happened meanwhile is unknown, which the next event's gap tells. A stream that never opened is not asked for again: the
subscriber is waiting for an answer, and "no" is one.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import AsyncGenerator, Hashable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final

import orjson
from graphql import FieldNode, OperationDefinitionNode, parse

from gateway.errors import SubgraphError
from gateway.execution.executable import Step
from gateway.execution.group import NO_GAP, Gap
from gateway.execution.socket_stream import OPENED
from gateway.execution.transport import FetchContext, SubgraphAddress, Transport

RECONNECT_PAUSE_S: Final = 0.1
"""Before the first new attempt; it doubles with each."""
RECONNECT_PAUSE_S_MAX: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What is asked of whom. Equal ones are one stream."""

    address: SubgraphAddress
    step: Step
    variables: Mapping[str, Any]
    context: FetchContext
    resume: tuple[str, str] | None = None
    """The variable that says where to resume, and the name of the field that an event says it in."""

    def body(self, token: str | None = None) -> bytes:
        if token is None or self.resume is None:
            return self.step.body(self.variables)
        return self.step.body({**self.variables, self.resume[0]: token})


class _Queue:
    """What one follower has still to take."""

    def __init__(self, size_max: int) -> None:
        self._items: deque[tuple[bytes, Gap]] = deque()
        self._max = size_max
        self._lost = NO_GAP
        self._ended = False
        self._error: BaseException | None = None
        self._news = asyncio.Event()

    def put(self, item: bytes, gap: Gap) -> None:
        if len(self._items) >= self._max:
            _, lost = self._items.popleft()
            self._lost += lost + Gap(dropped=1)
        self._items.append((item, gap))
        self._news.set()

    def end(self, error: BaseException | None) -> None:
        """Nothing comes any more; what is here may still be taken."""
        self._ended, self._error = True, error
        self._news.set()

    async def take(self) -> tuple[bytes, Gap] | None:
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


class _Shared:
    """One stream and its followers. It starts with the first and stops with the last."""

    def __init__(self, events: AsyncGenerator[tuple[bytes, Gap], None], *, queue_max: int, join_late: bool) -> None:
        self._events = events
        self._queue_max = queue_max
        self._join_late = join_late
        self._queues: set[_Queue] = set()
        self._pump: asyncio.Task[None] | None = None
        self._begun = False
        self._stopped = False

    @property
    def joinable(self) -> bool:
        """Whether one who joins now misses nothing it should have had."""
        over = self._stopped or (self._pump is not None and self._pump.done())
        return not over and (self._join_late or not self._begun)

    async def follow(self) -> AsyncGenerator[tuple[bytes, Gap], None]:
        queue = _Queue(self._queue_max)
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
        """Ends the stream; followers see a plain end."""
        self._stopped = True
        if self._pump is not None:
            self._pump.cancel()
            await asyncio.wait({self._pump})

    async def _run(self) -> None:
        async with aclosing(self._events) as events:
            async for item, gap in events:
                self._begun = True
                for queue in self._queues:
                    queue.put(item, gap)

    def _end(self, pump: asyncio.Task[None]) -> None:
        error = None if pump.cancelled() else pump.exception()
        for queue in self._queues:
            queue.end(error)


class Upstreams:
    """All streams of a process."""

    def __init__(self, transport: Transport, *, queue_max: int, reconnect_s: float, join_late: bool) -> None:
        self._transport = transport
        self._queue_max = queue_max
        self._reconnect_s = reconnect_s
        self._join_late = join_late
        self._known: dict[Hashable, _Shared] = {}

    async def aclose(self) -> None:
        """Ends every stream; whoever follows sees a plain end."""
        for shared in list(self._known.values()):
            await shared.stop()

    async def follow(self, source: Source) -> AsyncGenerator[tuple[bytes, Gap], None]:
        """The payloads of ``next`` events, each with what was lost before it. Close it to stop."""
        key = (source.address, source.body(), source.context.identity)
        shared = self._known.get(key)
        if shared is None or not shared.joinable:
            shared = self._known[key] = _Shared(
                self._events(source), queue_max=self._queue_max, join_late=self._join_late
            )
        try:
            async with aclosing(shared.follow()) as following:
                async for event in following:
                    yield event
        finally:
            # One that has ended, or takes nobody any more, is let go; its followers keep it.
            if self._known.get(key) is shared and not shared.joinable:
                del self._known[key]

    async def _events(self, source: Source) -> AsyncGenerator[tuple[bytes, Gap], None]:
        """The payloads of one upstream's ``next`` events, over as many streams as it takes."""
        now = asyncio.get_running_loop().time
        pause_s, gap = RECONNECT_PAUSE_S, NO_GAP
        give_up_at: float | None = None
        ever_opened = False
        told = _Told(source) if source.resume is not None else None
        while True:
            token = told.token if told is not None else None
            try:
                stream = self._transport.stream(source.address, source.body(token), source.context)
                async with aclosing(stream) as events:
                    async for event in events:
                        if event is OPENED:
                            pause_s, give_up_at, ever_opened = RECONNECT_PAUSE_S, None, True
                        elif event.type == "next":
                            if told is not None:
                                told.hear(event.data)
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
            if told is None or told.token is None:
                gap = Gap(reconnected=True)
            # Many gateways lose one subgraph at one moment; they should not all come back at one moment.
            await asyncio.sleep(pause_s * random.uniform(0.5, 1.5))  # noqa: S311
            pause_s = min(pause_s * 2, RECONNECT_PAUSE_S_MAX)


class _Told:
    """The token that the newest event told."""

    def __init__(self, source: Source) -> None:
        self.token: str | None = None
        self._keys = _token_keys(source)

    def hear(self, payload: bytes) -> None:
        if self._keys is None:
            return
        try:
            found: Any = orjson.loads(payload)
            token = found["data"][self._keys[0]][self._keys[1]]
        except (ValueError, KeyError, TypeError):
            return  # What is wrong with it is told where it is read.
        if isinstance(token, str):
            self.token = token


def _token_keys(source: Source) -> tuple[str, str] | None:
    """Where an event of this source's document has its token; None where it was not asked for."""
    assert source.resume is not None
    definition = parse(source.step.fetch.document, no_location=True).definitions[0]
    assert isinstance(definition, OperationDefinitionNode)
    for root in definition.selection_set.selections:
        if isinstance(root, FieldNode) and root.selection_set is not None:
            for each in root.selection_set.selections:
                if isinstance(each, FieldNode) and each.name.value == source.resume[1]:
                    return _key(root), _key(each)
    return None


def _key(node: FieldNode) -> str:
    return node.alias.value if node.alias else node.name.value
