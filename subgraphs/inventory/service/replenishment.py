"""What one may ask of demand and its forecasts, and the acceptance of a suggestion. How they come about: the run's file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from subgraphs.chassis.idempotency import Idempotency, Payload
from subgraphs.chassis.identity import Principal
from subgraphs.chassis.mongo import Session, TransientConflict
from subgraphs.inventory.model.forecast import HORIZON_DAYS
from subgraphs.inventory.model.refusals import InsufficientStock, Shortfall
from subgraphs.inventory.model.replenishment import Suggestion, SuggestionState
from subgraphs.inventory.model.stock import level_id
from subgraphs.inventory.service.places import Places
from subgraphs.inventory.service.prices import Prices
from subgraphs.inventory.service.replenishment_run import ReplenishmentRun
from subgraphs.inventory.service.rights import PLAN, WRITE, require
from subgraphs.inventory.store import Store
from subgraphs.inventory.store.demand import DemandStore, Planned, StoredForecast, forecast_id
from subgraphs.inventory.store.suggestions import SuggestionStore, suggestion_from_doc, suggestion_to_doc
from subgraphs.kernel.clock import Clock
from subgraphs.kernel.errors import InvalidInput, NotFound
from subgraphs.kernel.ids import has_prefix, new_id

SUGGESTIONS_MAX = 100


class Replenishment:
    """The use cases of demand, forecasts and moves."""

    def __init__(self, stock: Store, places: Places, idempotency: Idempotency, clock: Clock) -> None:
        self._stock = stock
        self._places = places
        self._idempotency = idempotency
        self._clock = clock
        self._demand = DemandStore(stock.database)
        self._suggestions = SuggestionStore(stock.database)
        self._run = ReplenishmentRun(stock, self._demand, self._suggestions, clock)

    async def plan_when_due(self, prices: Prices) -> Planned | None:
        """This day's run, unless it is done or another process is at it."""
        return await self._run.when_due(await self._places.all(), prices)

    async def forecasts(self, ids: Sequence[str]) -> list[StoredForecast | None]:
        """Forecasts by identity, in the order asked. One query."""
        found = await self._demand.forecasts(ids)
        return [found.get(identity) for identity in ids]

    async def forecast(self, principal: Principal, sku: str, location_id: str | None, days: int) -> StoredForecast:
        """The forecast of a SKU at a location, or in the house as a whole; ``NotFound`` while there is none."""
        require(principal, PLAN)
        check_horizon(days)
        found = (await self.forecasts([forecast_id(sku, location_id)]))[0]
        if found is None:
            raise NotFound("nothing is forecast there: no such stock, or too short a history", path=("sku",))
        return found

    async def quality(self, principal: Principal) -> Planned | None:
        """How good the forecasts of the last run were in the back-test."""
        require(principal, PLAN)
        return await self._demand.planned()

    async def suggestions(
        self, principal: Principal, *, location_id: str | None, minor_min: int | None, first: int
    ) -> list[Suggestion]:
        """Open suggestions, the greatest benefit first; from or to a location, if one is named."""
        require(principal, PLAN)
        if not 1 <= first <= SUGGESTIONS_MAX:
            raise InvalidInput(f"first is 1 to {SUGGESTIONS_MAX}", path=("first",))
        return await self._suggestions.open(location_id=location_id, minor_min=minor_min, limit=first)

    async def accept(
        self, principal: Principal, identity: str, key: str, arguments: Mapping[str, Any]
    ) -> tuple[Suggestion, bool]:
        """Makes an open suggestion a transfer that is ready to be sent; the suggestion, and whether it was so before."""
        require(principal, PLAN)
        require(principal, WRITE)
        if not has_prefix(identity, "sug"):
            raise InvalidInput("not the identity of a suggestion", path=("id",))

        async def work(session: Session) -> Payload:
            found = await self._suggestions.suggestion(identity, session=session)
            if found is None or found.state is not SuggestionState.OPEN:
                raise NotFound(f"there is no open suggestion {identity}", path=("id",))
            await self._still_there(found, session)
            accepted = await self._draft(found, principal, session)
            if not await self._suggestions.accept(accepted, session=session):
                raise TransientConflict("the suggestion changed since it was read")
            return {"suggestion": suggestion_to_doc(accepted)}

        payload, replayed = await self._idempotency.run(principal.key, "reallocationAccept", key, arguments, work)
        return suggestion_from_doc(payload["suggestion"]), replayed

    async def _still_there(self, suggestion: Suggestion, session: Session) -> None:
        """Refuses what would take the source below what it keeps: things have moved since the suggestion was made."""
        where = level_id(suggestion.sku, suggestion.source_id)
        level = (await self._stock.levels([where], session=session)).get(where)
        spare = level.on_hand - level.reserved - level.allocated - suggestion.source_keeps if level is not None else 0
        if spare < suggestion.quantity:
            raise InsufficientStock([Shortfall(suggestion.sku, suggestion.quantity, max(0, spare))])

    async def _draft(self, suggestion: Suggestion, principal: Principal, session: Session) -> Suggestion:
        """Writes the transfer of a suggestion down. It moves no stock: that is done when it leaves."""
        transfer_id = new_id("trf")
        await self._suggestions.add_draft(transfer_id, suggestion, principal.key, self._clock.now(), session)
        return suggestion.accepted(transfer_id)


def check_horizon(days: int) -> None:
    """Refuses to look farther ahead than forecasts do."""
    if not 1 <= days <= HORIZON_DAYS:
        raise InvalidInput(f"horizonDays is 1 to {HORIZON_DAYS}", path=("horizonDays",))
