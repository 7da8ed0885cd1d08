"""Moving stock between locations, and counting it.

A transfer changes levels and itself in one transaction, through the book. What is shipped leaves only what its source has to
spare: nothing that is held, sold or kept as safety stock. A draft that a suggestion became is shipped as any other.

A count is of a moment. The clerk counts at T and tells of it later, and the shop goes on selling: the variance is what was
counted less what the books had *at T*, which is what they have now without the movements since. So no sale made during the
count is lost, and none is taken twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from subgraphs.chassis.idempotency import Idempotency, Payload
from subgraphs.chassis.identity import Principal
from subgraphs.chassis.mongo import Session, TransientConflict
from subgraphs.inventory.model.refusals import InsufficientStock, Shortfall
from subgraphs.inventory.model.replenishment import SuggestionState
from subgraphs.inventory.model.sourcing import combined
from subgraphs.inventory.model.stock import Cause, Delta, Inbound, StockLevel, level_id
from subgraphs.inventory.model.transfers import Transfer, TransferLine, TransferState
from subgraphs.inventory.service.book import Command, Desk, StockBook
from subgraphs.inventory.service.places import Places
from subgraphs.inventory.service.rights import READ, WRITE, require
from subgraphs.inventory.store import Store, level_from_doc, level_to_doc
from subgraphs.inventory.store.suggestions import SuggestionStore
from subgraphs.inventory.store.transfers import TransferStore
from subgraphs.kernel.clock import Clock
from subgraphs.kernel.errors import InvalidInput, NotFound
from subgraphs.kernel.ids import has_prefix, new_id

LINES_MAX: Final = 500
UNITS_MAX: Final = 1_000_000
LISTED_MAX: Final = 100
ON_THE_WAY: Final = timedelta(days=2)
COUNT_OLD_MAX: Final = timedelta(days=2)
CLOCKS_DIFFER: Final = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Counted:
    """The levels after a count, and whether it had been told before."""

    levels: tuple[StockLevel, ...]
    replayed: bool


class Transfers:
    """The use cases of transfers and counts."""

    def __init__(self, store: Store, book: StockBook, places: Places, idempotency: Idempotency, clock: Clock) -> None:
        self._store = store
        self._book = book
        self._places = places
        self._idempotency = idempotency
        self._clock = clock
        self._transfers = TransferStore(store.database)
        self._suggestions = SuggestionStore(store.database)

    async def listed(
        self, principal: Principal, state: TransferState | None, location_id: str | None, first: int
    ) -> list[Transfer]:
        """Newest first."""
        require(principal, READ)
        if not 1 <= first <= LISTED_MAX:
            raise InvalidInput(f"first is 1 to {LISTED_MAX}", path=("first",))
        return await self._transfers.listed(state, location_id, first)

    async def create(
        self,
        principal: Principal,
        source_id: str,
        target_id: str,
        lines: Sequence[tuple[str, int]],
        suggestion_id: str | None,
        key: str,
        arguments: Mapping[str, Any],
    ) -> tuple[Transfer, bool]:
        """Ships goods from one location to another; as an open suggestion asks, if one is named, which is closed by it."""
        require(principal, WRITE)
        if source_id == target_id:
            raise InvalidInput("a transfer goes somewhere else", path=("input", "toLocationId"))
        for name, identity in (("fromLocationId", source_id), ("toLocationId", target_id)):
            await self._known(identity, ("input", name))
        wanted = _units(lines, ("input", "lines"))

        async def work(session: Session) -> Payload:
            transfer = Transfer(
                id=new_id("trf"),
                source_id=source_id,
                target_id=target_id,
                state=TransferState.DRAFT,
                lines=tuple(TransferLine(sku, units) for sku, units in wanted.items()),
                suggestion_id=suggestion_id,
                by=principal.key,
                at=self._clock.now(),
            )
            if suggestion_id is not None:
                await self._close(suggestion_id, transfer, session)
            await self._transfers.add(transfer, session=session)
            await self._ship(transfer, session)
            return {"transfer": transfer.id}

        return await self._done(principal, "transferCreate", key, arguments, work)

    async def ship(
        self, principal: Principal, identity: str, key: str, arguments: Mapping[str, Any]
    ) -> tuple[Transfer, bool]:
        """A draft leaves."""
        require(principal, WRITE)

        async def work(session: Session) -> Payload:
            await self._ship(await self._found(identity, session), session)
            return {"transfer": identity}

        return await self._done(principal, "transferShip", key, arguments, work)

    async def cancel(
        self, principal: Principal, identity: str, key: str, arguments: Mapping[str, Any]
    ) -> tuple[Transfer, bool]:
        """A draft is given up."""
        require(principal, WRITE)

        async def work(session: Session) -> Payload:
            before = await self._found(identity, session)
            await self._save(before.cancelled(), before.state, session)
            return {"transfer": identity}

        return await self._done(principal, "transferCancel", key, arguments, work)

    async def receive(
        self,
        principal: Principal,
        identity: str,
        lines: Sequence[tuple[str, int]],
        key: str,
        arguments: Mapping[str, Any],
    ) -> tuple[Transfer, bool]:
        """What arrived is on hand; what is more or less than left is a variance at the target."""
        require(principal, WRITE)
        counted = dict(lines)
        if len(counted) != len(lines):
            raise InvalidInput("each SKU is one line", path=("lines",))

        async def work(session: Session) -> Payload:
            before = await self._found(identity, session)
            transfer = before.received(counted)

            def decide(desk: Desk) -> Payload:
                for line in transfer.lines:
                    desk.expect(line.sku, transfer.target_id, None, -line.shipped)
                    desk.move(line.sku, transfer.target_id, Delta(on_hand=line.shipped), Cause.TRANSFER_IN, transfer.id)
                    if line.received != line.shipped:
                        variance = Delta(on_hand=line.received - line.shipped)
                        desk.move(line.sku, transfer.target_id, variance, Cause.VARIANCE, transfer.id)
                return {}

            await self._save(transfer, before.state, session)
            await self._apply(session, decide, transfer)
            return {"transfer": identity}

        return await self._done(principal, "transferReceive", key, arguments, work)

    async def count(
        self,
        principal: Principal,
        location_id: str,
        counted_at: datetime,
        lines: Sequence[tuple[str, int]],
        key: str,
        arguments: Mapping[str, Any],
    ) -> Counted:
        """Corrects what is on hand by a count of a moment. It may find less than is promised: then the level is flagged."""
        require(principal, WRITE)
        await self._known(location_id, ("input", "locationId"))
        now = self._clock.now()
        if not now - COUNT_OLD_MAX <= counted_at <= now + CLOCKS_DIFFER:
            raise InvalidInput(
                "a count is told within two days, and not before it was made", path=("input", "countedAt")
            )
        found = dict(lines)
        if not 1 <= len(found) <= LINES_MAX or len(found) != len(lines):
            raise InvalidInput(f"1 to {LINES_MAX} SKUs, each once", path=("input", "lines"))
        if any(not 0 <= units <= UNITS_MAX for units in found.values()):
            raise InvalidInput(f"0 to {UNITS_MAX} units", path=("input", "lines", "counted"))
        count_id = new_id("cnt")

        async def work(session: Session) -> Payload:
            since = await self._store.on_hand_since(sorted(found), location_id, counted_at, session=session)

            def decide(desk: Desk) -> Payload:
                levels = []
                for sku, units in sorted(found.items()):
                    then = desk.level(sku, location_id).on_hand - since.get(sku, 0)
                    levels.append(desk.move(sku, location_id, Delta(on_hand=units - then), Cause.COUNT, count_id))
                return {"levels": [level_to_doc(level) for level in levels]}

            ids = tuple(level_id(sku, location_id) for sku in found)
            [outcome] = await self._book.apply(session, [Command(decide=decide, level_ids=ids)])
            if isinstance(outcome, Exception):
                raise outcome
            return outcome.payload

        payload, replayed = await self._idempotency.run(principal.key, "cycleCountSubmit", key, arguments, work)
        return Counted(tuple(level_from_doc(doc) for doc in payload["levels"]), replayed)

    async def to_count(self, principal: Principal, location_id: str | None, first: int) -> list[StockLevel]:
        """Levels that a register has overdrawn: somebody should count them."""
        require(principal, READ)
        if not 1 <= first <= LISTED_MAX:
            raise InvalidInput(f"first is 1 to {LISTED_MAX}", path=("first",))
        return await self._store.flagged(location_id, first)

    async def _ship(self, draft: Transfer, session: Session) -> None:
        transfer = draft.shipped()

        def decide(desk: Desk) -> Payload:
            short = [
                Shortfall(line.sku, line.shipped, level.atp)
                for line in transfer.lines
                if (level := desk.level(line.sku, transfer.source_id)).atp < line.shipped
            ]
            if short:
                raise InsufficientStock(short)
            arrives = Inbound(0, self._clock.now() + ON_THE_WAY)
            for line in transfer.lines:
                desk.move(line.sku, transfer.source_id, Delta(on_hand=-line.shipped), Cause.TRANSFER_OUT, transfer.id)
                desk.expect(line.sku, transfer.target_id, arrives.eta, line.shipped)
            return {}

        await self._save(transfer, draft.state, session)
        await self._apply(session, decide, transfer)

    async def _apply(self, session: Session, decide: Any, transfer: Transfer) -> None:
        ids = {
            level_id(line.sku, place) for line in transfer.lines for place in (transfer.source_id, transfer.target_id)
        }
        [outcome] = await self._book.apply(session, [Command(decide=decide, level_ids=tuple(sorted(ids)))])
        if isinstance(outcome, Exception):
            raise outcome

    async def _close(self, suggestion_id: str, transfer: Transfer, session: Session) -> None:
        found = await self._suggestions.suggestion(suggestion_id, session=session)
        if found is None or found.state is not SuggestionState.OPEN:
            raise NotFound(f"there is no open suggestion {suggestion_id}", path=("input", "suggestionId"))
        if (found.source_id, found.target_id) != (transfer.source_id, transfer.target_id) or [
            line.sku for line in transfer.lines
        ] != [found.sku]:
            raise InvalidInput("the suggestion is of other goods or places", path=("input", "suggestionId"))
        if not await self._suggestions.accept(found.accepted(transfer.id), session=session):
            raise TransientConflict("the suggestion changed since it was read")

    async def _found(self, identity: str, session: Session) -> Transfer:
        if not has_prefix(identity, "trf"):
            raise InvalidInput("not the identity of a transfer", path=("transferId",))
        found = await self._transfers.transfer(identity, session=session)
        if found is None:
            raise NotFound(f"there is no transfer {identity}", path=("transferId",))
        return found

    async def _save(self, transfer: Transfer, before: TransferState, session: Session) -> None:
        if not await self._transfers.save(transfer, before, session=session):
            raise TransientConflict("the transfer changed since it was read")

    async def _done(
        self, principal: Principal, field: str, key: str, arguments: Mapping[str, Any], work: Any
    ) -> tuple[Transfer, bool]:
        payload, replayed = await self._idempotency.run(principal.key, field, key, arguments, work)
        transfer = await self._transfers.transfer(payload["transfer"])
        assert transfer is not None, "transfers are not deleted"
        return transfer, replayed

    async def _known(self, identity: str, path: tuple[str, ...]) -> None:
        if identity not in await self._places.all():
            raise NotFound(f"there is no location {identity}", path=path)


def _units(lines: Sequence[tuple[str, int]], path: tuple[str, ...]) -> dict[str, int]:
    if not 1 <= len(lines) <= LINES_MAX:
        raise InvalidInput(f"1 to {LINES_MAX} lines", path=path)
    wanted = combined(lines)
    if any(not 1 <= units <= UNITS_MAX for units in wanted.values()):
        raise InvalidInput(f"1 to {UNITS_MAX} units of a SKU", path=(*path, "quantity"))
    return wanted
