"""What a register does with money: it took it before we heard, and hands it back over the counter when told.

The clerk who receives a return pays it out; there is nobody far away who might not answer. So a refund is done as soon
as it is asked for, and nothing else is ever asked of a register.
"""

from __future__ import annotations

from subgraphs.kernel.money import Money
from subgraphs.orders.payments.port import Attempt

PREFIX = "pos:"


class CounterProvider:
    """Every register's tenders."""

    async def refund(self, refund_id: str, attempt_id: str, amount: Money) -> None:
        """Paid out by the clerk."""

    async def authorize(self, attempt_id: str, amount: Money, token: str) -> Attempt:
        raise AssertionError("a register sells by itself")

    async def capture(self, attempt_id: str) -> Attempt:
        raise AssertionError("a register has its money already")

    async def void(self, attempt_id: str, amount: Money) -> None:
        raise AssertionError("a register has its money already")

    async def fetch(self, attempt_id: str) -> Attempt | None:
        return None
