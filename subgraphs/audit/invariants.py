"""The table of invariants, in their order, and the two questions one asks of it: does it all hold, and is all at rest?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from subgraphs.audit import ledger, mandates, messages, points, sales, stock
from subgraphs.audit.books import Books, Finding, Tally


@dataclass(frozen=True, slots=True)
class Invariant:
    """One line of the table; without a ``check`` the house keeps no such documents yet."""

    number: str
    says: str
    check: Callable[[Books, Tally], None] | None


INVARIANTS: tuple[Invariant, ...] = (
    Invariant("I1", "stock levels: signs, no more promised than there is, free is the sum", stock.levels),
    Invariant("I2", "held lines are reserved, committed lines allocated", stock.holds),
    Invariant("I3", "movements add up to levels, and to what became of each reservation", stock.movements),
    Invariant(
        "I4", "transfers conserve stock: what left is on its way or has come, what is missing has a name", stock.moved
    ),
    Invariant("I5", "a confirmed order has one live payment and one committed reservation, and back", sales.confirmed),
    Invariant("I6", "no money is promised without an order or a running saga", sales.authorized),
    Invariant("I7", "an order's total is the sum of its parts", sales.totals),
    Invariant("I8", "refunded <= captured <= authorized", sales.taken),
    Invariant(
        "I9", "balances are sums of gapless ledgers, an order earns once and holds its points once", points.ledger
    ),
    Invariant("I10", "a mandate's spending stays within its limits, and is what orders cost", mandates.spending),
    Invariant("I11", "journal entries balance, without gaps, one a fact", ledger.journal),
    Invariant("I12", "a line was sold at a price that was in force or quoted", sales.prices),
    Invariant("I13", "an idempotency key has one effect", messages.keys),
    Invariant("I14", "outboxes have no gaps, every event is heard once by each consumer", messages.events),
    Invariant("I15", "no hold outlives its time by more than five seconds", stock.lapsed),
    Invariant("I16", "feed rows are what the graph said", None),
)


def audit(books: Books) -> tuple[Finding, ...]:
    """A finding for each invariant, in the order of the table."""
    return tuple(_finding(one, books) for one in INVARIANTS)


def unrest(books: Books) -> tuple[str, ...]:
    """What is still under way: sagas that have not ended, events not yet numbered or heard. Nothing, once all is quiet."""
    sagas = [
        f"{saga['_id']}: {saga['progress']['state']} after {', '.join(saga['progress']['done']) or 'the freeze'}"
        for saga in books.rows("orders", "sagas")
        if saga["active"]
    ]
    frozen = [
        f"{checkout['_id']}: frozen without a running saga"
        for checkout in books.rows("orders", "checkouts")
        if checkout["status"] == "COMPLETE_IN_PROGRESS"
        and not any(saga["active"] and saga["checkout"] == checkout["_id"] for saga in books.rows("orders", "sagas"))
    ]
    return (*sagas, *frozen, *(f"{row['_id']}: {row['type']} is still on its way" for row in messages.backlog(books)))


def _finding(one: Invariant, books: Books) -> Finding:
    tally = Tally()
    if one.check is not None:
        one.check(books, tally)
    return Finding(
        number=one.number,
        says=one.says,
        facts=tally.facts,
        violations=tuple(tally.violations),
        kept=one.check is not None,
    )
