"""Subscriptions: equal ones are one group, fed from one upstream, each event enriched once for all of them.

What belongs here: which subscriptions are equal, what feeds a group, and how a group goes on under a new supergraph. What
does not: who in a group has had what (``group``), the stream from the subgraph (``upstream``).

Theory of operation
-------------------
Two subscriptions are equal that run by one plan, with the same variables, on behalf of the same identity. A token to resume
by is no part of that: who comes back joins those who stayed, if the group remembers the token; if it does not, it gets a
group of its own, whose stream the subgraph begins where the token says.

Under a new supergraph every group is planned anew (``renew``). If what it asks of the subgraph is as before, only the
enrichment changes, with the next event. If not, the new stream is opened beside the old one and takes its place with its
first event. Only a group that the new supergraph cannot serve ends, with the reason.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Hashable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any

from gateway.config import Settings
from gateway.errors import DocumentInvalid, GatewayError, SubgraphError
from gateway.exchange import GraphQLResponse, encode
from gateway.execution.errors import Report
from gateway.execution.executable import Executable, Variables
from gateway.execution.executor import Executor
from gateway.execution.folding import Folding
from gateway.execution.group import Follower, Group
from gateway.execution.transport import FetchContext, Transport
from gateway.execution.upstream import Source, Upstreams
from subgraphs.chassis.telemetry import logger

_log = logger("subscription")


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscribed:
    """A subscription, ready to run."""

    executor: Executor
    executable: Executable
    variables: Variables
    context: FetchContext
    errors: Sequence[Mapping[str, Any]] = ()
    renew: Callable[[], Awaitable[Subscribed]] | None = None
    """The same under the supergraph that is served now; raises what refuses it."""

    @property
    def folding(self) -> Folding | None:
        return self.executable.folding

    def source(self, *, resumed: bool) -> Source:
        """What is asked of the subgraph; with the client's token only if it is ``resumed``."""
        step = self.executable.upstream
        assert step is not None
        folding, live = self.folding, self.executable.live
        sent = step.sent(self.variables)
        resume = None
        if folding is not None and live is not None and folding.resume in step.fetch.variables:
            assert folding.resume is not None
            assert live.resume is not None
            resume = (folding.resume, live.resume)
            if not resumed:
                sent.pop(folding.resume, None)
        return Source(
            address=self.executor.addresses[step.fetch.subgraph],
            step=step,
            variables=sent,
            context=self.context,
            resume=resume,
        )

    @property
    def token(self) -> str | None:
        """Where the client wants to go on."""
        folding = self.folding
        token = self.variables.get(folding.resume) if folding is not None and folding.resume is not None else None
        return token if isinstance(token, str) else None

    def key(self, token: str | None) -> Hashable:
        """Equal for equal subscriptions; ``token`` is that of a group of its own."""
        folding = self.folding
        variables = self.variables
        if folding is not None and folding.resume is not None:
            variables = {name: value for name, value in variables.items() if name != folding.resume}
        return self.executable, encode(dict(variables)), self.context.identity, token


class Subscriptions:
    """All subscriptions of a process."""

    def __init__(self, transport: Transport, settings: Settings) -> None:
        self._events_max = settings.limits.subscription_queue_max
        self._event_s = settings.limits.request_ms_max / 1000
        self._join_late = settings.subscription_join == "any"
        self._upstreams = Upstreams(
            transport,
            queue_max=settings.limits.subscription_queue_max,
            reconnect_s=float(settings.limits.upstream_reconnect_s),
            join_late=self._join_late,
        )
        self._feeds: dict[Hashable, _Feed] = {}

    async def aclose(self) -> None:
        """Ends every stream; subscribers see a plain end."""
        for feed in list(self._feeds.values()):
            await feed.stop()
        await self._upstreams.aclose()

    def follow(self, subscribed: Subscribed) -> Follower:
        """A place among those who want the same. Call its ``leave`` when it is wanted no more.

        An upstream that cannot be had, or not again, ends it with one response that has errors alone. The context's
        deadline does not count: each event has the time of a request.
        """
        token = subscribed.token
        for own in (None, token) if token is not None else (None,):
            feed = self._feeds.get(subscribed.key(own))
            follower = feed.group.join(token if own is None else None) if feed is not None else None
            if follower is not None:
                return follower
        return self._begin(subscribed, token)

    async def subscribe(self, subscribed: Subscribed) -> AsyncGenerator[GraphQLResponse, None]:
        """A response for each event, until the subgraph completes. Close the generator to stop."""
        if subscribed.executable.upstream is None:
            # Nothing may be asked of any subgraph, for example because the one field was refused.
            yield await subscribed.executor.execute(
                subscribed.executable, subscribed.variables, subscribed.context, errors=subscribed.errors
            )
            return
        follower = self.follow(subscribed)
        try:
            while (response := await follower.take()) is not None:
                yield response
        finally:
            follower.leave()

    async def renew(self) -> None:
        """Brings every group under the supergraph that is served now."""
        for feed in list(self._feeds.values()):
            await feed.renew()

    def _begin(self, subscribed: Subscribed, token: str | None) -> Follower:
        feed = _Feed(self._feeds, self._upstreams, subscribed, token, self._event_s, self._events_max, self._join_late)
        follower = feed.group.join()
        assert follower is not None, "nobody is ahead of the first"
        feed.start()
        return follower


class _Feed:
    """What feeds one group: its upstream, and the plan that enriches an event. Known among ``feeds`` while it takes followers."""

    def __init__(
        self,
        feeds: dict[Hashable, _Feed],
        upstreams: Upstreams,
        subscribed: Subscribed,
        token: str | None,
        event_s: float,
        events_max: int,
        join_late: bool,
    ) -> None:
        self._feeds = feeds
        self._upstreams = upstreams
        self._subscribed = subscribed
        self._token = token
        self._event_s = event_s
        self._key = subscribed.key(token)
        feeds[self._key] = self
        self._task: asyncio.Task[None] | None = None
        self._next: asyncio.Task[None] | None = None
        self.group = Group(
            events_max=events_max, folding=subscribed.folding, join_late=join_late, on_empty=self._abandoned
        )

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run(self._subscribed))

    async def stop(self) -> None:
        self._forget()
        tasks = {task for task in (self._task, self._next) if task is not None}
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        self.group.end()

    async def renew(self) -> None:
        before = self._subscribed
        if before.renew is None:
            return
        try:
            after = await before.renew()
            if after.executable.upstream is None:
                raise GatewayError("The subscription may not be served any more.")
        except GatewayError as refusal:
            self.group.end(_refusal(refusal))
            await self.stop()
            return
        if self.group.over:
            return  # Everyone has left meanwhile.
        if self._next is not None:
            self._next.cancel()  # It was to follow a supergraph that is no more.
            self._next = None
        if _asked(before) == _asked(after):
            self._take_up(after)
        else:
            self._next = asyncio.get_running_loop().create_task(self._run(after))

    def _take_up(self, subscribed: Subscribed) -> None:
        self._forget()
        self._subscribed = subscribed
        self._key = subscribed.key(self._token)
        self._feeds.setdefault(self._key, self)
        self.group.fold_by(subscribed.folding)

    async def _run(self, own: Subscribed) -> None:
        """Feeds the group from its own upstream; the first event ends whatever has fed it before."""
        source = own.source(resumed=self._token is not None)
        now = asyncio.get_running_loop().time
        here = asyncio.current_task()
        farewell: GraphQLResponse | None = None
        try:
            async with aclosing(self._upstreams.follow(source)) as following:
                async for payload, gap in following:
                    if self._next is here:
                        self._supplant(own)
                    by = self._subscribed
                    in_time = replace(by.context, deadline=now() + self._event_s)
                    response = await by.executor.execute_event(
                        by.executable, payload, by.variables, in_time, errors=by.errors
                    )
                    self.group.deliver(response, gap)
        except SubgraphError as error:
            report = Report(development=own.executor.development)
            report.failure(error, ())
            farewell = GraphQLResponse(errors=tuple(report.entries), has_data=False)
        except Exception:  # noqa: BLE001  a bug must not leave the followers waiting
            _log.exception("subscription failed")
            farewell = _refusal(GatewayError("Internal server error."))
        if self._next is here or self._next is None:
            self._forget()
            self.group.end(farewell)

    def _supplant(self, own: Subscribed) -> None:
        before, self._task, self._next = self._task, self._next, None
        if before is not None:
            before.cancel()
        self._take_up(own)

    def _abandoned(self) -> None:
        self._forget()
        self.group.end()
        for task in (self._task, self._next):
            if task is not None:
                task.cancel()

    def _forget(self) -> None:
        if self._feeds.get(self._key) is self:
            del self._feeds[self._key]


def _asked(subscribed: Subscribed) -> Hashable:
    source = subscribed.source(resumed=False)
    return source.address, source.body(), source.context.identity


def _refusal(error: GatewayError) -> GraphQLResponse:
    errors = error.errors if isinstance(error, DocumentInvalid) else (error.as_graphql(),)
    return GraphQLResponse(errors=tuple(errors), has_data=False)
