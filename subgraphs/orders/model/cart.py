"""Cart: what a buyer has gathered on one channel in one currency. It holds no stock and promises no price.

A cart is found by its identity alone (there is no cart of a session), so a guest's cart belongs to whoever knows the
identity, and a customer's to that customer. Every change makes a new version.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from subgraphs.kernel.errors import NotFound, VersionConflict
from subgraphs.orders.model.lines import Line, LineRequest, Message, Offer, changed, drift, merged, priced

LIFE = timedelta(days=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cart:
    """A cart at one version; ``owner`` is the key of the principal who made it."""

    id: str
    version: int
    channel: str
    currency: str
    country: str | None
    owner: str
    customer_id: str | None
    lines: tuple[Line, ...]
    messages: tuple[Message, ...]
    created_at: datetime
    expires_at: datetime

    def wanted(self, changes: Sequence[LineRequest]) -> tuple[LineRequest, ...]:
        """What the cart would hold after ``changes``."""
        return changed(self.lines, merged(changes, removal=True))

    def with_lines(self, requests: Sequence[LineRequest], offers: Mapping[str, Offer], now: datetime) -> Cart:
        """The next version: these lines at today's prices, with a warning for each price that has moved."""
        lines = priced(requests, offers, self.currency)
        return replace(
            self, version=self.version + 1, lines=lines, messages=drift(self.lines, lines), expires_at=now + LIFE
        )

    def joined(self, guest: Cart) -> tuple[LineRequest, ...]:
        """What the cart would hold with a guest's cart in it: of a SKU in both, the greater quantity, since a buyer who
        puts a thing in again after signing in rarely wants it twice."""
        wanted = {line.sku: line.quantity for line in self.lines}
        for line in guest.lines:
            wanted[line.sku] = max(line.quantity, wanted.get(line.sku, 0))
        return merged([LineRequest(sku, quantity) for sku, quantity in wanted.items()])

    def emptied(self, now: datetime) -> Cart:
        """The next version, and the last: it holds nothing, and expires at once."""
        return replace(self, version=self.version + 1, lines=(), messages=(), expires_at=now)

    def owned_by(self, owner: str, customer_id: str | None) -> Cart:
        """The next version, a customer's."""
        return replace(self, version=self.version + 1, owner=owner, customer_id=customer_id)

    def check(self, expected_version: int | None, now: datetime) -> None:
        """``VersionConflict`` or ``NotFound`` when the buyer cannot go on with this cart."""
        if now >= self.expires_at:
            raise NotFound("the cart has expired", path=("cartId",))
        if expected_version is not None and expected_version != self.version:
            raise VersionConflict("the cart has changed", expected_version, self.version, path=("expectedVersion",))
