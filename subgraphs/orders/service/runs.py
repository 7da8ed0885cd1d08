"""How completions run, for operations: a list of sagas, newest first, and which of them are stuck."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final, Literal

from subgraphs.kernel.clock import Clock
from subgraphs.kernel.errors import InvalidInput
from subgraphs.kernel.pages import CursorCodec, Page, page_size
from subgraphs.orders.model.saga import Saga, SagaState
from subgraphs.orders.store import Store

STUCK_AFTER: Final = timedelta(minutes=15)
READ_AT_ONCE: Final = 200
RunState = Literal["RUNNING", "COMPENSATING", "COMPLETED", "COMPENSATED", "STUCK"]
_SHOWN: Final[dict[SagaState, RunState]] = {
    SagaState.RUNNING: "RUNNING",
    SagaState.COMPENSATING: "COMPENSATING",
    SagaState.COMPLETED: "COMPLETED",
    SagaState.COMPENSATED: "COMPENSATED",
}


class Runs:
    """Sagas as operations sees them."""

    def __init__(self, store: Store, clock: Clock, cursors: CursorCodec) -> None:
        self.clock = clock
        self._store = store
        self._cursors = cursors

    async def page(self, state: str | None, first: int | None, after: str | None) -> Page[Saga]:
        """Newest first, those in a state if one is named."""
        size, place = page_size(first), self._place(after)
        begun, now = place, self.clock.now()
        active = None if state is None else state in ("RUNNING", "COMPENSATING", "STUCK")
        found: list[Saga] = []
        while len(found) <= size:
            batch = await self._store.newest_sagas(active, READ_AT_ONCE, place)
            if not batch:
                break
            found += [saga for saga in batch if state is None or state_of(saga, now) == state]
            place = (batch[-1].started_at, batch[-1].id)
        items = tuple(found[:size])
        return Page(
            items=items,
            start_cursor=self.cursor(items[0]) if items else None,
            end_cursor=self.cursor(items[-1]) if items else None,
            has_next=len(found) > size,
            has_previous=begun is not None,
        )

    def cursor(self, saga: Saga) -> str:
        """The cursor that stands on this saga."""
        return self._cursors.encode("sagas", saga.started_at, saga.id)

    def _place(self, after: str | None) -> tuple[datetime, str] | None:
        if after is None:
            return None
        match self._cursors.decode(after):
            case ("sagas", datetime() as started, str() as identity):
                return started, identity
            case _:
                raise InvalidInput("not a cursor of this list", path=("after",))


def state_of(saga: Saga, now: datetime) -> RunState:
    """Where it stands; one that should have ended long ago is stuck, unless it waits for its buyer."""
    waits = saga.progress.waits_until is not None
    if not saga.progress.ended and not waits and now - saga.started_at >= STUCK_AFTER:
        return "STUCK"
    return _SHOWN[saga.progress.state]


def step_of(saga: Saga) -> str:
    """The step it did last, or undoes now."""
    progress = saga.progress
    if progress.undoing:
        return f"undo {progress.undoing[0].value}"
    return progress.done[-1].value if progress.done else "freeze"
