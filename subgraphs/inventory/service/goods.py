"""What orders tells of goods: they left, they stay after all, they came back. The books follow.

Each fact is told by an event and has its effect in the transaction that remembers the event. A fact the books cannot
follow (more units leave than the order owns there) is an error of its teller: it is refused, and so parked by the inbox
for a person to look at, rather than turned into figures that add up to something else.
"""

from __future__ import annotations

from collections import defaultdict

from subgraphs.chassis.idempotency import Payload
from subgraphs.chassis.mongo import Session
from subgraphs.inventory.model.returns import came_back
from subgraphs.inventory.model.sourcing import combined
from subgraphs.inventory.model.stock import Cause, Delta, level_id
from subgraphs.inventory.service.book import Command, Desk, StockBook
from subgraphs.inventory.service.places import Places
from subgraphs.inventory.store.returns import ReturnedGoods, Returns
from subgraphs.kernel.clock import Clock
from subgraphs.kernel.errors import NotFound
from subgraphs.kernel.events import Envelope, GoodsFreed, GoodsLeft, ReturnReceived


class Goods:
    """Hears of goods, and books what it hears."""

    def __init__(self, book: StockBook, returns: Returns, places: Places, clock: Clock) -> None:
        self._book = book
        self._returns = returns
        self._places = places
        self._clock = clock

    async def hear_left(self, session: Session, envelope: Envelope) -> None:
        """Units an order owned left their location: they are on hand and allocated no more."""
        await self._settle(session, GoodsLeft.from_data(envelope.data))

    async def hear_freed(self, session: Session, envelope: Envelope) -> None:
        """Units an order owned are not wanted any more from their location: anybody may have them."""
        await self._settle(session, GoodsFreed.from_data(envelope.data))

    async def hear_returned(self, session: Session, envelope: Envelope) -> None:
        """Goods came back to a location: to be sold again, or into quarantine. Each line of a return once."""
        told = ReturnReceived.from_data(envelope.data)
        if told.location_id not in await self._places.all():
            raise NotFound(f"there is no location {told.location_id}", path=("locationId",))
        quantities: dict[tuple[str, str, str], int] = defaultdict(int)
        for line in told.lines:
            quantities[line.line_id, line.sku, line.disposition] += line.quantity
        goods = [
            ReturnedGoods(
                return_id=told.return_id,
                line_id=line_id,
                disposition=disposition,
                sku=sku,
                location_id=told.location_id,
                quantity=quantity,
                order_id=told.order_id,
            )
            for (line_id, sku, disposition), quantity in sorted(quantities.items())
        ]
        known = await self._returns.known((each.id for each in goods), session=session)
        fresh = [each for each in goods if each.id not in known]
        if not fresh:
            return
        changes = [(each, came_back(each.disposition, each.quantity)) for each in fresh]

        def decide(desk: Desk) -> Payload:
            for each, change in changes:
                desk.move(each.sku, each.location_id, change, Cause.RETURN, each.return_id)
            return {}

        await self._returns.add(fresh, self._clock.now(), session=session)
        await self._apply(
            session,
            Command(decide=decide, level_ids=tuple({level_id(each.sku, each.location_id) for each in fresh})),
        )

    async def _settle(self, session: Session, told: GoodsLeft | GoodsFreed) -> None:
        units = combined((line.sku, line.quantity) for line in told.lines)

        def decide(desk: Desk) -> Payload:
            reservation = desk.reservation(told.reservation_id)
            if isinstance(told, GoodsLeft):
                settled, cause = reservation.leave(told.location_id, units), Cause.GOODS_LEFT
            else:
                settled, cause = reservation.free(told.location_id, units), Cause.GOODS_FREED
            for sku, quantity in units.items():
                gone = quantity if cause is Cause.GOODS_LEFT else 0
                change = Delta(on_hand=-gone, allocated=-quantity)
                desk.move(sku, told.location_id, change, cause, told.reservation_id)
            desk.put(settled)
            return {}

        await self._apply(session, Command(decide=decide, reservation_id=told.reservation_id))

    async def _apply(self, session: Session, command: Command) -> None:
        for outcome in await self._book.apply(session, [command]):
            if isinstance(outcome, Exception):
                raise outcome
