"""The live stream of levels that run low, for stores and operations.

A level is low when what may still be sold of it is at the threshold or below. The stream tells the levels that are low at
its start, then each crossing, in either direction, from the outbox: two events of a level without a crossing between them
tell nothing. A stream that is taken up again is fed from the outbox after the token's position.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from subgraphs.chassis.outbox import EventHub, Lagged
from subgraphs.inventory.model.stock import StockLevel, level_id
from subgraphs.inventory.store import Store
from subgraphs.kernel.clock import Clock
from subgraphs.kernel.errors import InvalidInput
from subgraphs.kernel.events import StockChanged
from subgraphs.kernel.pages import CursorCodec

HEARTBEAT_S: Final = 15.0
THRESHOLD_MAX: Final = 1_000
LOCATIONS_MAX: Final = 40
TOLD_MAX: Final = 500
_STREAM: Final = "inventory.low_stock"

NewsKind = Literal["SNAPSHOT", "DELTA", "HEARTBEAT", "RESYNC"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LowStockNews:
    """One event of the stream; no level in a HEARTBEAT and a RESYNC."""

    kind: NewsKind
    level: StockLevel | None
    resume_token: str
    at: datetime


class LowStock:
    """The streams of one process."""

    def __init__(self, store: Store, hub: EventHub, tokens: CursorCodec, clock: Clock) -> None:
        self._store = store
        self._hub = hub
        self._tokens = tokens
        self._clock = clock

    async def watch(
        self, location_ids: Sequence[str], threshold: int, resume_token: str | None = None
    ) -> AsyncIterator[LowStockNews]:
        """SNAPSHOTs (or, resumed, what crossed since), then DELTAs, a HEARTBEAT whenever it is quiet for 15 s."""
        if not 0 <= threshold <= THRESHOLD_MAX:
            raise InvalidInput(f"threshold is 0 to {THRESHOLD_MAX}", path=("threshold",))
        if len(location_ids) > LOCATIONS_MAX:
            raise InvalidInput(f"at most {LOCATIONS_MAX} locations", path=("locationIds",))
        subject = f"{threshold}|{','.join(location_ids)}"
        since = self._position(resume_token, subject) if resume_token is not None else None
        position = self._hub.position if since is None else since
        low: set[str] = set()
        async with self._hub.subscribe([StockChanged.TYPE], after=position) as facts:
            for level in await self._store.low(location_ids, threshold, TOLD_MAX):
                low.add(level.id)
                if since is None:
                    yield self._news("SNAPSHOT", level, subject, position)
            if since is not None:
                # Who comes back is told of everything that moved meanwhile: what it saw as low may be so no more.
                low = set()
            while True:
                try:
                    fact = await asyncio.wait_for(anext(facts), HEARTBEAT_S)
                except TimeoutError:
                    position = max(position, self._hub.position)
                    yield self._news("HEARTBEAT", None, subject, position)
                    continue
                except StopAsyncIteration:
                    return
                if isinstance(fact, Lagged):
                    position = fact.position
                    yield self._news("RESYNC", None, subject, position)
                    low = set()
                    for level in await self._store.low(location_ids, threshold, TOLD_MAX):
                        low.add(level.id)
                        yield self._news("SNAPSHOT", level, subject, position)
                    continue
                position = fact.seq or position
                told = StockChanged.from_data(fact.data)
                identity = level_id(told.sku, told.location_id)
                if location_ids and told.location_id not in location_ids:
                    continue
                is_low = told.free <= threshold
                if is_low == (identity in low):
                    continue
                low ^= {identity}
                level = (await self._store.levels([identity]))[identity]
                yield self._news("DELTA", level, subject, position)

    def _news(self, kind: NewsKind, level: StockLevel | None, subject: str, position: int) -> LowStockNews:
        token = self._tokens.encode(_STREAM, subject, position)
        return LowStockNews(kind=kind, level=level, resume_token=token, at=self._clock.now())

    def _position(self, token: str, subject: str) -> int:
        match self._tokens.decode(token):
            case (stream, about, int() as position) if stream == _STREAM and about == subject:
                return position
            case _:
                raise InvalidInput("not a token of this stream", path=("resumeToken",))
