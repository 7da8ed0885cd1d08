"""The audit of orders: orders against their payments, sagas and checkouts, all read in one snapshot.

I5  an order of a checkout has exactly one live payment, over its total if there is any, and a reservation; no other
    payment is live
I6  an authorization without an order belongs to a saga that is still running
I7  an order's total is the sum of its parts
I8  refunded <= captured <= authorized

What the provider and inventory say about the same orders is theirs to audit.
"""

from __future__ import annotations

from dataclasses import dataclass

from subgraphs.chassis.mongo import Database, Session
from subgraphs.orders.model.order import Order, Payment
from subgraphs.orders.store import Store

_LIVE = ("AUTHORIZED", "CAPTURED", "PARTIALLY_REFUNDED", "REFUNDED")


@dataclass(frozen=True, slots=True)
class Audit:
    """What was looked at, and everything found wrong."""

    orders: int
    payments: int
    problems: tuple[str, ...]

    @property
    def ok(self) -> bool:
        return not self.problems


async def audit(database: Database) -> list[str]:
    """Everything wrong with the orders of a database; nothing, if all is well."""
    return list((await audited(Store(database))).problems)


async def audited(store: Store) -> Audit:
    """The audit with its figures. Reads everything: for operations."""

    async def body(session: Session) -> Audit:
        orders = {one.id: one for one in await store.all_orders(session)}
        payments = await store.all_payments(session)
        running = {saga.attempt_id for saga in await store.running_sagas(session)}
        problems = [problem for one in orders.values() for problem in _sums(one)]
        for payment in payments:
            problems += _payment_faults(payment, orders, running)
        for one in orders.values():
            problems += _paid(one, [payment for payment in payments if payment.order_id == one.id])
        return Audit(len(orders), len(payments), tuple(problems))

    return await store.database.transact(body)


def _sums(order: Order) -> list[str]:
    rows = {row.kind: row.amount.minor for row in order.totals}
    lines = sum(line.total.minor for line in order.lines)
    added = sum(tax.amount.minor for tax in order.tax_lines if not tax.included)
    parts = lines + rows.get("FULFILMENT", 0) + added - rows.get("LOYALTY", 0)
    problems = []
    if parts != rows["TOTAL"]:
        problems.append(f"I7 {order.id}: the parts are {parts}, the total {rows['TOTAL']}")
    problems += [
        f"I7 {order.id}: line {line.id} is not its units"
        for line in order.lines
        if line.unit * line.quantity != line.total
    ]
    return problems


def _payment_faults(payment: Payment, orders: dict[str, Order], running: set[str]) -> list[str]:
    problems = []
    if not payment.refunded.minor <= payment.captured.minor <= payment.authorized.minor:
        problems.append(f"I8 {payment.id}: more given back or taken than was promised")
    if payment.state in _LIVE and payment.order_id not in orders and payment.id not in running:
        problems.append(f"I6 {payment.id}: money without an order")
    return problems


def _paid(order: Order, payments: list[Payment]) -> list[str]:
    if order.status == "CANCELED":
        return []
    live = [payment for payment in payments if payment.state in _LIVE]
    problems = []
    if sum(payment.authorized.minor for payment in live) != order.total.minor:
        problems.append(f"I5 {order.id}: not paid for exactly")
    wanted = 1 if order.total.minor else 0
    if order.origin.startswith("checkout:") and (len(live) != wanted or order.reservation_id is None):
        problems.append(f"I5 {order.id}: {len(live)} live payments, reservation {order.reservation_id}")
    return problems
