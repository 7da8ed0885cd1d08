"""What is kept back from sale at a location: safety stock, and units kept from one channel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from subgraphs.chassis.idempotency import Idempotency, Payload
from subgraphs.chassis.identity import Principal
from subgraphs.inventory.model.stock import StockLevel, level_id
from subgraphs.inventory.service.book import Command, Desk, StockBook
from subgraphs.inventory.service.places import Places
from subgraphs.inventory.service.rights import WRITE, require
from subgraphs.inventory.store import level_from_doc, level_to_doc
from subgraphs.kernel.errors import InvalidInput, NotFound

SAFETY_MAX = 1_000_000
CHANNEL_CHARACTERS_MAX = 64


class Safety:
    """Sets what is kept back."""

    def __init__(self, book: StockBook, places: Places, idempotency: Idempotency) -> None:
        self._book = book
        self._places = places
        self._idempotency = idempotency

    async def set(
        self,
        principal: Principal,
        *,
        location_id: str,
        sku: str,
        units: int,
        channel: str | None,
        key: str,
        arguments: Mapping[str, Any],
    ) -> tuple[StockLevel, bool]:
        """Keeps ``units`` back from everybody, or from one channel only; the level, and whether this is a replay.

        More may be kept back than is there: then nothing is for sale until there is. What is held or sold already stays
        so. For a channel, 0 means that it may sell what a share of the location would keep from it.
        """
        require(principal, WRITE)
        if location_id not in await self._places.all():
            raise NotFound(f"there is no location {location_id}", path=("input", "locationId"))
        if not 0 <= units <= SAFETY_MAX:
            raise InvalidInput(f"safety is 0 to {SAFETY_MAX} units", path=("input", "safety"))
        if channel is not None and not 1 <= len(channel) <= CHANNEL_CHARACTERS_MAX:
            raise InvalidInput(f"a channel has 1 to {CHANNEL_CHARACTERS_MAX} characters", path=("input", "channel"))

        def decide(desk: Desk) -> Payload:
            if level_id(sku, location_id) not in desk.levels:
                raise NotFound(f"{sku} has never been at {location_id}", path=("input", "sku"))
            return {"level": level_to_doc(desk.keep_back(sku, location_id, units, channel))}

        outcome = await self._book.submit(
            Command(
                decide=decide,
                claim=self._idempotency.claim(principal.key, "safetyStockSet", key, arguments),
                level_ids=(level_id(sku, location_id),),
            )
        )
        return level_from_doc(outcome.payload["level"]), outcome.replayed
