"""What an agent may spend when nobody gave it a mandate of its own: a limit an order, by currency. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from subgraphs.kernel.money import Money
from subgraphs.orders.model.refusals import BudgetExceeded

AGENT_ORDER_LIMIT: Mapping[str, int] = {"EUR": 50_000, "USD": 54_000, "GBP": 42_000}
"""Minor units. In a currency that is not here an agent may not buy at all."""


def check_agent_budget(total: Money) -> None:
    """``BudgetExceeded`` unless an agent may spend ``total`` on one order."""
    limit = Money(AGENT_ORDER_LIMIT.get(total.currency, 0), total.currency)
    if total.minor > limit.minor:
        raise BudgetExceeded(limit, limit)
