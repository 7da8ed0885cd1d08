"""Money that a marketplace or a social network has taken from its buyer, and pays out to us in its own time.

We hear of such an order when it is paid, so nothing can be declined, and there is nobody to ask: an attempt is promised and
taken as soon as we say so. What is given back the marketplace hears from our events, and does.
"""

from __future__ import annotations

from subgraphs.kernel.money import Money
from subgraphs.orders.payments.port import Attempt

NAME = "external"


class ExternalProvider:
    """Every marketplace. An attempt's reference is the attempt's own identity."""

    async def authorize(self, attempt_id: str, amount: Money, token: str) -> Attempt:
        nothing = Money.zero(amount.currency)
        return Attempt(id=attempt_id, ref=attempt_id, state="AUTHORIZED", amount=amount, captured=nothing)

    async def capture(self, attempt_id: str) -> Attempt:
        # The sums are our own record's; nobody else's are known.
        unknown = Money.zero("EUR")
        return Attempt(id=attempt_id, ref=attempt_id, state="CAPTURED", amount=unknown, captured=unknown)

    async def void(self, attempt_id: str, amount: Money) -> None:
        """The marketplace hears that the order was refused, and gives its buyer the money back."""

    async def refund(self, refund_id: str, attempt_id: str, amount: Money) -> None:
        """The marketplace hears of it, and does it."""

    async def fetch(self, attempt_id: str) -> Attempt | None:
        return None
