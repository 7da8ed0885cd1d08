"""A group: one stream of responses and everyone who gets it, each a number.

Theory of operation
-------------------
The events of a group are numbered. A follower is the number of the last event it was given, so it costs next to nothing,
and one who reads slowly holds up nobody. ``after`` says what comes next for a number:

* Where events stand each for itself, the next one, from a ring of the newest. Whoever is further behind than the ring
  goes on with its oldest event, and is told how many it lost.
* Where they fold (``folding``), the last event as it is for who has had all before it, and one event that holds all they
  missed for anybody else: the newest of each item, nothing lost. Followers at the same number get the same bytes.

Events that fold let a follower join at any time, with all that is known, and come back after a cut with the token of any
event that is remembered. Others may join before the first event, for the stream's beginning would be missing; ``join_late``
lifts that, for graphs whose events stand on their own.

What does not belong here: where the events come from (``subscription``), and how they are sent.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

from gateway.exchange import GraphQLResponse
from gateway.execution.folding import Folding, State

TOKENS_MAX: Final = 10_000
"""Events of a group whose tokens are remembered."""


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


class Follower:
    """One subscriber's place. ``wake`` is called, at once and often, when there is something to ``poll``."""

    __slots__ = ("_group", "position", "wake")

    def __init__(self, group: Group, position: int) -> None:
        self._group = group
        self.position = position
        self.wake: Callable[[], None] = _nobody

    def poll(self) -> GraphQLResponse | None:
        """The next response, or None if there is none now."""
        found = self._group.after(self.position)
        if found is None:
            return None
        self.position, response = found
        return response

    @property
    def over(self) -> bool:
        """Whether nothing will come any more but what can be polled."""
        return self._group.over

    async def take(self) -> GraphQLResponse | None:
        """The next response, or None after the last. Of those who poll and those who take, a follower is one."""
        while (response := self.poll()) is None:
            if self.over:
                return None
            news = asyncio.Event()
            self.wake = news.set
            await news.wait()
        return response

    def leave(self) -> None:
        """It wants no more. The last one out ends the group."""
        self._group.left(self)


def _nobody() -> None:
    return None


class Group:
    """The events so far and the followers. Whoever feeds it calls ``deliver`` and ``end``."""

    def __init__(
        self, *, events_max: int, folding: Folding | None, join_late: bool, on_empty: Callable[[], None]
    ) -> None:
        self.over = False
        self._followers: dict[Follower, None] = {}
        self._ring: deque[tuple[GraphQLResponse, Gap]] = deque(maxlen=events_max)
        self._number = 0
        self._reconnected = 0
        """The last event that told of a cut and is in the ring no more."""
        self._farewell: GraphQLResponse | None = None
        self._join_late = join_late
        self._on_empty = on_empty
        self._folding: Folding | None = None
        self._state: State | None = None
        self._tokens: OrderedDict[str, int] = OrderedDict()
        self.fold_by(folding)

    def fold_by(self, folding: Folding | None) -> None:
        """From now on. A snapshot must come next, unless nothing has changed."""
        if folding == self._folding:
            return
        self._folding = folding
        self._state = State(folding) if folding is not None and folding.items is not None else None

    @property
    def members(self) -> int:
        return len(self._followers)

    def join(self, token: str | None = None) -> Follower | None:
        """A place in the group; None if who comes now, with this token, would miss something.

        A token that the group remembers puts the follower after that event.
        """
        if self.over:
            return None
        position: int | None
        if token is not None:
            position = self._tokens.get(token)
        elif self._number == 0 or self._join_late:
            position = self._number
        else:
            position = 0 if self._state is not None and self._state.whole else None
        if position is None:
            return None
        follower = Follower(self, position)
        self._followers[follower] = None
        return follower

    def left(self, follower: Follower) -> None:
        self._followers.pop(follower, None)
        if not self._followers:
            self._on_empty()

    def deliver(self, response: GraphQLResponse, gap: Gap = NO_GAP) -> None:
        if len(self._ring) == self._ring.maxlen and self._ring[0][1].reconnected:
            self._reconnected = self._number - len(self._ring) + 1
        self._number += 1
        self._ring.append((response, gap))
        if self._state is not None:
            self._state.take(self._number, response)
        token = self._folding.token_of(response) if self._folding is not None else None
        if token is not None:
            self._tokens[token] = self._number
            if len(self._tokens) > TOKENS_MAX:
                self._tokens.popitem(last=False)
        self._wake()

    def end(self, farewell: GraphQLResponse | None = None) -> None:
        """Nothing comes any more but, if there is one, a last response that everyone gets."""
        if not self.over:
            self.over = True
            self._farewell = farewell
            self._wake()

    def after(self, position: int) -> tuple[int, GraphQLResponse] | None:
        """What comes for who has had the event of that number, and the number after that."""
        behind = self._number - position
        if behind <= 0:
            if behind == 0 and self._farewell is not None:
                return self._number + 1, self._farewell
            return None
        if self._state is not None:
            folded = self._state.since(position) if behind > 1 else None
            return self._number, folded if folded is not None else self._ring[-1][0]
        lost = max(0, behind - len(self._ring))
        response, gap = self._ring[lost - behind]
        gap += Gap(dropped=lost, reconnected=position < self._reconnected)
        if gap != NO_GAP:
            response = replace(response, extensions={**response.extensions, "gap": gap.as_json()})
        return position + lost + 1, response

    def _wake(self) -> None:
        # One who hears it may leave.
        for follower in list(self._followers):
            follower.wake()
