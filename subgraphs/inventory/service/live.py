"""Live availability: a snapshot, then what changed. All in process; the hub brings news of stock, MongoDB the truth.

Theory of operation. Watchers with equal selectors form a *group*, which computes once for all of them. A group first
registers with the hub, then reads the levels, so that nothing can fall in between. News of a SKU only marks it dirty;
what has gathered is read in one query and answered anew. An answer whose face (what a watcher may see) is as before is
no news: a shopper sees bands, so 57 becoming 56 units sends nothing.

A watcher is not a queue but a count per SKU: how many faces of it this watcher has been sent. When its window opens
(at most ``max_rate_hz`` times a second, the first change at once) it gets the *latest* answer of every SKU that has moved
on, and ``coalesced`` says how many answers it never saw. So a slow watcher costs one number a SKU and always gets the
newest truth. Running out and coming back do not wait for the window.

``position`` is the number of the last event of inventory's outbox that an event of the stream reflects. A resume token
is that number, signed together with the selector's hash. If the hub still remembers everything since, the watcher gets
only what changed; if not, ``RESYNC`` and a snapshot. Answers carry a version that grows with every movement of the SKU:
a client keeps the newer of two, which makes repeats and reordering harmless.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from subgraphs.chassis.outbox import RING_EVENTS_MAX, EventHub, Lagged
from subgraphs.inventory.model.availability import Availability, AvailabilityQuestion, QuantityBand
from subgraphs.kernel.clock import Clock
from subgraphs.kernel.errors import InvalidInput
from subgraphs.kernel.events import Envelope, StockChanged
from subgraphs.kernel.pages import CursorCodec

WATCHED_SKUS_MAX = 50
RATE_HZ_MAX = 10.0
HEARTBEAT_S = 15.0
_STREAM = "inventory.availability"

NewsKind = Literal["SNAPSHOT", "DELTA", "HEARTBEAT", "RESYNC"]
Answering = Callable[[Sequence[str], AvailabilityQuestion], Awaitable[Sequence[Availability]]]


@dataclass(frozen=True, slots=True)
class Selector:
    """What a watcher wants to know. ``exact`` watchers see units, so they hear of every unit."""

    skus: tuple[str, ...]
    question: AvailabilityQuestion
    exact: bool

    @property
    def digest(self) -> str:
        """Equal for equal selectors, in every process: what a resume token is good for."""
        near = self.question.near
        text = json.dumps(
            [
                self.skus,
                self.exact,
                self.question.channel,
                [near.lat, near.lng] if near is not None else None,
                self.question.within_km,
                self.question.location_ids,
                [method.value for method in self.question.methods],
                self.question.quantity,
                self.question.include_inbound,
            ]
        )
        return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True, kw_only=True)
class AvailabilityNews:
    """One event of the stream."""

    kind: NewsKind
    items: tuple[Availability, ...]
    position: int
    resume_token: str
    at: datetime
    coalesced: int


@dataclass(frozen=True, slots=True)
class _Latest:
    """The newest answer for a SKU, the number of faces it has had, and whether the last change was a sell-out or a
    return from one."""

    answer: Availability
    faces: int
    urgent: bool


class _Group:
    """The one computation behind equal selectors."""

    def __init__(self, selector: Selector, hub: EventHub, answering: Answering) -> None:
        self.selector = selector
        self.latest: dict[str, _Latest] = {}
        self.position = 0
        self.breaks = 0
        self.members = 0
        self.over = False
        self.fault: Exception | None = None
        self._hub = hub
        self._answering = answering
        self._changed = asyncio.Event()
        self.task: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Keeps ``latest`` true until cancelled or the hub closes."""
        try:
            subscription = self._hub.subscribe([StockChanged.TYPE])
            position = subscription.position
            await self._read(self.selector.skus, position)
            async for news in subscription:
                if isinstance(news, Lagged):
                    self.breaks += 1
                    await self._read(self.selector.skus, news.position)
                    continue
                dirty = _skus([news])
                # What else has come meanwhile joins the same query.
                more = self._hub.recent(subscription.position) or []
                if more:
                    dirty |= _skus(more)
                    subscription.position = more[-1].seq or subscription.position
                await self._read([sku for sku in self.selector.skus if sku in dirty], subscription.position)
        except Exception as fault:  # noqa: BLE001 - whatever it is, it belongs to every watcher of the group
            self.fault = fault
        finally:
            self.over = True
            self._wake()

    async def ready(self) -> None:
        """Returns once there is a first answer for every SKU."""
        while not self.over and len(self.latest) < len(self.selector.skus):
            await self._changed.wait()

    async def wait(self, timeout_s: float) -> None:
        """Returns when something changed, or the time is up."""
        changed = self._changed
        try:
            async with asyncio.timeout(timeout_s):
                await changed.wait()
        except TimeoutError:
            pass

    async def _read(self, skus: Sequence[str], position: int) -> None:
        answers = await self._answering(skus, self.selector.question) if skus else ()
        changed = False
        for answer in answers:
            known = self.latest.get(answer.sku)
            if known is None:
                self.latest[answer.sku] = _Latest(answer, 1, False)
                changed = True
                continue
            if answer.version <= known.answer.version:
                continue
            exact = self.selector.exact
            news = answer.face(exact) != known.answer.face(exact)
            gone, was_gone = answer.band is QuantityBand.NONE, known.answer.band is QuantityBand.NONE
            self.latest[answer.sku] = _Latest(
                answer, known.faces + news, gone is not was_gone if news else known.urgent
            )
            changed |= news
        self.position = position
        if changed:
            self._wake()

    def _wake(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()


class AvailabilityFeed:
    """The live streams of one process."""

    def __init__(
        self,
        hub: EventHub,
        answering: Answering,
        tokens: CursorCodec,
        clock: Clock,
        heartbeat_s: float = HEARTBEAT_S,
    ) -> None:
        self._hub = hub
        self._answering = answering
        self._tokens = tokens
        self._clock = clock
        self._heartbeat_s = heartbeat_s
        self._groups: dict[Selector, _Group] = {}

    @property
    def groups(self) -> int:
        """How many computations run for all the watchers there are."""
        return len(self._groups)

    async def watch(
        self, selector: Selector, resume_token: str | None = None, max_rate_hz: float = 2.0
    ) -> AsyncIterator[AvailabilityNews]:
        """The stream for a selector: ``SNAPSHOT`` (or what changed since the token), then ``DELTA``s and heartbeats."""
        if not 1 <= len(selector.skus) <= WATCHED_SKUS_MAX:
            raise InvalidInput(f"1 to {WATCHED_SKUS_MAX} SKUs can be watched at once", path=("skus",))
        if not 0 < max_rate_hz <= RATE_HZ_MAX:
            raise InvalidInput(f"maxRateHz is above 0 and at most {RATE_HZ_MAX:g}", path=("maxRateHz",))
        since = self._position_of(resume_token, selector) if resume_token is not None else None
        group = self._join(selector)
        try:
            async for news in self._follow(group, since, 1 / max_rate_hz):
                yield news
        finally:
            await self._leave(group)

    async def _follow(self, group: _Group, since: int | None, window_s: float) -> AsyncIterator[AvailabilityNews]:
        loop = asyncio.get_running_loop()
        await group.ready()
        if group.fault is not None:
            raise group.fault
        sent = {sku: latest.faces for sku, latest in group.latest.items()}
        breaks = group.breaks
        changed = self._changed_since(group, since) if since is not None else None
        if since is not None and changed is None:
            yield self._news(group, "RESYNC", ())
        if changed is None:
            yield self._news(group, "SNAPSHOT", group.selector.skus)
        else:
            yield self._news(group, "DELTA" if changed else "HEARTBEAT", changed)
        flushed_at, told_at = float("-inf"), loop.time()
        while not group.over:
            if group.breaks != breaks:
                breaks = group.breaks
                sent = {sku: latest.faces for sku, latest in group.latest.items()}
                yield self._news(group, "RESYNC", ())
                yield self._news(group, "SNAPSHOT", group.selector.skus)
                told_at = flushed_at = loop.time()
            pending = [sku for sku in group.selector.skus if group.latest[sku].faces > sent[sku]]
            now = loop.time()
            opens_at = flushed_at + window_s
            if pending and (now >= opens_at or any(group.latest[sku].urgent for sku in pending)):
                skipped = sum(group.latest[sku].faces - sent[sku] for sku in pending) - len(pending)
                sent |= {sku: group.latest[sku].faces for sku in pending}
                flushed_at = told_at = now
                yield self._news(group, "DELTA", pending, skipped)
                continue
            if now - told_at >= self._heartbeat_s:
                told_at = now
                yield self._news(group, "HEARTBEAT", ())
                continue
            until = min(told_at + self._heartbeat_s, opens_at if pending else float("inf"))
            await group.wait(max(0.0, until - now))
        if group.fault is not None:
            raise group.fault

    def _join(self, selector: Selector) -> _Group:
        group = self._groups.get(selector)
        if group is None or group.over:
            group = self._groups[selector] = _Group(selector, self._hub, self._answering)
            group.task = asyncio.create_task(group.run(), name=f"availability {selector.digest}")
        group.members += 1
        return group

    async def _leave(self, group: _Group) -> None:
        group.members -= 1
        if group.members:
            return
        if self._groups.get(group.selector) is group:
            del self._groups[group.selector]
        assert group.task is not None
        group.task.cancel()
        await asyncio.wait([group.task])

    def _changed_since(self, group: _Group, since: int) -> list[str] | None:
        """The selector's SKUs with news after a position; nothing if the hub can not tell any more."""
        if since > group.position:
            return None
        recent = self._hub.recent(since, RING_EVENTS_MAX)
        if recent is None:
            return None
        touched = _skus(recent)
        return [sku for sku in group.selector.skus if sku in touched]

    def _news(self, group: _Group, kind: NewsKind, skus: Sequence[str], coalesced: int = 0) -> AvailabilityNews:
        return AvailabilityNews(
            kind=kind,
            items=tuple(group.latest[sku].answer for sku in skus),
            position=group.position,
            resume_token=self._tokens.encode(_STREAM, group.selector.digest, group.position),
            at=self._clock.now(),
            coalesced=coalesced,
        )

    def _position_of(self, token: str, selector: Selector) -> int:
        try:
            stream, digest, position = self._tokens.decode(token)
        except (InvalidInput, ValueError):
            raise InvalidInput("not a resume token of this stream", path=("resumeToken",)) from None
        if stream != _STREAM or digest != selector.digest or not isinstance(position, int):
            raise InvalidInput("the resume token belongs to another selection", path=("resumeToken",))
        return position


def _skus(envelopes: Sequence[Envelope]) -> set[str]:
    return {str(envelope.data["sku"]) for envelope in envelopes if envelope.type == StockChanged.TYPE}
