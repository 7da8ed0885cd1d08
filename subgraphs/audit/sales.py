"""Sales: I5 and I6 (orders, money and stock belong together), I7 (totals), I8 (what may be taken), I12 (prices).

An order of a checkout is looked at from four sides that do not know of each other: the order, our record of the
payment, the provider's own ledger, and inventory's reservation.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from subgraphs.audit.books import Books, Tally
from subgraphs.chassis.mongo import Document
from subgraphs.kernel.money import exponent

LIVE = frozenset({"AUTHORIZED", "CAPTURED", "PARTIALLY_REFUNDED", "REFUNDED"})
CHECKOUT = "checkout:"
# Payments age by the clock of orders, which may differ a little from ours.
ORPHAN_AGE = timedelta(minutes=15)
CLOCKS_DIFFER = timedelta(minutes=5)
_ADDED = frozenset({"SUBTOTAL", "FULFILMENT", "FEE"})
_TAKEN_OFF = frozenset({"ITEMS_DISCOUNT", "DISCOUNT", "LOYALTY"})


def confirmed(books: Books, tally: Tally) -> None:
    """An order of a checkout has one live payment over its total (none, if points paid for all of it), here and at the
    provider, and one committed reservation of its lines; no reservation is committed for an order that is not there."""
    payments: defaultdict[str, list[Document]] = defaultdict(list)
    for payment in books.rows("orders", "payments"):
        if payment["state"] in LIVE and payment.get("order"):
            payments[payment["order"]].append(payment)
    provider = books.by_id("orders", "sandbox_ledger")
    owned: defaultdict[str, list[Document]] = defaultdict(list)
    for reservation in books.rows("inventory", "reservations"):
        if reservation["state"] == "COMMITTED":
            owned[reservation["order"]].append(reservation)
    checkouts = books.by_id("orders", "checkouts")
    orders = _of_checkouts(books)
    for order in tally.over(orders.values()):
        if order["status"] == "CANCELED":
            continue
        own, total = payments[order["_id"]], order["total"]["m"]
        said = f"{order['_id']}: total {total}, live payments {[(one['_id'], one['authorized']['m']) for one in own]}"
        paid = len(own) == 1 and own[0]["authorized"]["m"] == total
        tally.unless(paid if total else not own, said)
        for payment in own:
            if payment["provider"] == "sandbox":
                attempt = provider.get(payment["_id"], {"state": "absent", "amount": {"m": 0}})
                tally.unless(
                    attempt["state"] in LIVE and attempt["amount"]["m"] == total,
                    f"{order['_id']}: the provider has {payment['_id']} as {attempt['state']} of {attempt['amount']['m']}",
                )
        _stock_of(order, owned[order["_id"]], tally)
        checkout = checkouts.get(order["origin"].removeprefix(CHECKOUT))
        tally.unless(
            checkout is not None and checkout["status"] == "COMPLETED" and checkout["order"] == order["_id"],
            f"{order['_id']}: its checkout {order['origin']} does not say so",
        )
    for checkout in checkouts.values():
        if checkout["status"] == "COMPLETED":
            tally.unless(
                checkout["order"] in orders, f"{checkout['_id']}: completed, and order {checkout['order']} is not there"
            )
    _owned(books, orders, tally)


def authorized(books: Books, tally: Tally) -> None:
    """Money is promised for an order, or for a saga that is still running."""
    orders = books.by_id("orders", "orders")
    running = {saga["attempt"] for saga in books.rows("orders", "sagas") if saga["active"]}
    paid = {payment["_id"]: payment.get("order") for payment in books.rows("orders", "payments")}
    for payment in books.rows("orders", "payments"):
        if payment["state"] in LIVE:
            tally.facts += 1
            tally.unless(
                payment.get("order") in orders or payment["_id"] in running,
                f"{payment['_id']}: {payment['state']} since {payment['at']:%H:%M:%S} without an order or a running saga",
            )
            old = books.at - payment["at"] > ORPHAN_AGE + CLOCKS_DIFFER
            tally.unless(payment.get("order") in orders or not old, f"{payment['_id']}: its saga has run for too long")
    for attempt in books.rows("orders", "sandbox_ledger"):
        if attempt["state"] in LIVE:
            tally.facts += 1
            tally.unless(
                attempt["_id"] in running or paid.get(attempt["_id"]) in orders,
                f"{attempt['_id']}: {attempt['state']} at the provider without an order or a running saga",
            )


def totals(books: Books, tally: Tally) -> None:
    """An order's lines are its units, and its total is exactly the sum of its parts."""
    for order in tally.over(books.rows("orders", "orders")):
        rows = Counter[str]()
        for row in order["totals"]:
            rows[row["kind"]] += row["amount"]["m"]
        lines = sum(line["total"]["m"] for line in order["lines"])
        for line in order["lines"]:
            tally.unless(
                line["unit"]["m"] * line["q"] == line["total"]["m"],
                f"{order['_id']}: line {line['id']} is not {line['q']} times {line['unit']['m']}",
            )
            tally.unless(
                0 <= line["returned"] <= line["fulfilled"] <= line["q"],
                f"{order['_id']}: line {line['id']} has {line['fulfilled']} fulfilled, {line['returned']} returned",
            )
        tally.unless(rows["SUBTOTAL"] == lines, f"{order['_id']}: subtotal {rows['SUBTOTAL']}, lines {lines}")
        tax = sum(line["amount"]["m"] for line in order["tax"] if not line["included"])
        off = sum(abs(rows[kind]) for kind in _TAKEN_OFF)
        parts = sum(rows[kind] for kind in _ADDED) + tax - off
        tally.unless(
            rows["TOTAL"] == order["total"]["m"] == parts,
            f"{order['_id']}: total {order['total']['m']} (row {rows['TOTAL']}), parts {parts}",
        )
        amounts = [order["total"], *(row["amount"] for row in order["totals"])]
        amounts += [line["total"] for line in order["lines"]]
        tally.unless({amount["c"] for amount in amounts} == {order["currency"]}, f"{order['_id']}: several currencies")


def taken(books: Books, tally: Tally) -> None:
    """Refunded is at most captured, captured at most authorized; the provider agrees on what was captured."""
    provider = books.by_id("orders", "sandbox_ledger")
    for payment in tally.over(books.rows("orders", "payments")):
        refunded, captured, promised = (payment[name]["m"] for name in ("refunded", "captured", "authorized"))
        tally.unless(
            0 <= refunded <= captured <= promised, f"{payment['_id']}: {refunded} <= {captured} <= {promised} is false"
        )
        attempt = provider.get(payment["_id"])
        if attempt is not None:
            tally.unless(
                captured <= attempt["captured"]["m"] <= attempt["amount"]["m"],
                f"{payment['_id']}: {captured} captured, the provider says {attempt['captured']['m']}",
            )


def prices(books: Books, tally: Tally) -> None:
    """What a checkout's order was sold for is a price that catalog had under that version, in force or still quoted."""
    entries = books.by_id("catalog", "prices")
    lists = {row["_id"]: row["cur"] for row in books.rows("catalog", "price_lists")}
    rates = {str(row["_id"]): row for row in books.rows("catalog", "rates")}
    checkouts = books.by_id("orders", "checkouts")
    for order in _of_checkouts(books).values():
        checkout = checkouts.get(order["origin"].removeprefix(CHECKOUT), {"lines": ()})
        agreed = {line["sku"]: line for line in checkout["lines"]}
        for line in tally.over(order["lines"]):
            where = f"{order['_id']}: {line['sku']}"
            told = agreed.get(line["sku"])
            tally.unless(told is not None and told["unit"] == line["unit"], f"{where} is not what the checkout showed")
            if told is None or not told.get("price_version"):
                continue
            version, _, exchange = told["price_version"].partition("+fx.")
            code, _, number = version.rpartition(".")
            entry = entries.get(f"{code}|{line['sku']}|{number}")
            tally.unless(entry is not None, f"{where} was sold at {told['price_version']}, which catalog does not have")
            if entry is None:
                continue
            cost = _exchanged(entry["m"], lists[code], line["unit"]["c"], rates.get(exchange))
            tally.unless(cost == line["unit"]["m"], f"{where} was sold for {line['unit']['m']}, its price was {cost}")
            tally.unless(
                _in_force(entry, told.get("quote_until"), order["placed_at"]),
                f"{where} was sold at {told['price_version']}, not in force at {order['placed_at']}",
            )


def _of_checkouts(books: Books) -> dict[str, Document]:
    return {row["_id"]: row for row in books.rows("orders", "orders") if row["origin"].startswith(CHECKOUT)}


def _stock_of(order: Document, reservations: list[Document], tally: Tally) -> None:
    """What is committed for an order, less what was freed again, is what was sold: where a place rejected its part and
    another took it on there are two reservations. A rejected part that nobody has taken on yet is missing, no more."""
    named = order.get("reservation")
    tally.unless(
        any(one["_id"] == named for one in reservations), f"{order['_id']}: its reservation {named} is not committed"
    )
    sold, held, missing = Counter[str](), Counter[str](), Counter[str]()
    for line in order["lines"]:
        sold[line["sku"]] += line["q"]
    for reservation in reservations:
        for line in reservation["lines"]:
            held[line["sku"]] += line["q"] - line.get("freed", 0)
    planned = Counter[str]()
    for part in order["fulfilments"]:
        if part["state"] not in ("REJECTED", "CANCELED"):
            for line in part["lines"]:
                planned[line["sku"]] += line["q"]
    missing = sold - planned
    tally.unless(
        held - sold == Counter() and sold - held <= missing,
        f"{order['_id']}: sold {dict(sold)}, planned {dict(planned)}, committed {dict(held)}",
    )


def _owned(books: Books, orders: Mapping[str, Document], tally: Tally) -> None:
    """And back: what is committed is an order's, or a saga past the pivot is about to write that order."""
    running = {saga["order"]: saga for saga in books.rows("orders", "sagas") if saga["active"]}
    for reservation in books.rows("inventory", "reservations"):
        if reservation["state"] != "COMMITTED":
            continue
        tally.facts += 1
        owner = reservation["order"]
        tally.unless(
            owner in orders or owner in running,
            f"{reservation['_id']}: committed for {owner}, which is no order and no running saga's",
        )


def _exchanged(minor: int, source: str, target: str, rates: Document | None) -> int | None:
    """Minor units in another currency, rounded once, half to even; None without that table of rates."""
    if source == target:
        return minor
    if rates is None:
        return None
    table: Mapping[str, Any] = {**rates["rates"], rates["base"]: "1"}
    rate = Decimal(table[target]) / Decimal(table[source]) * Decimal(10) ** (exponent(target) - exponent(source))
    return int((minor * rate).quantize(Decimal(1), rounding=ROUND_HALF_EVEN))


def _in_force(entry: Document, quoted_until: datetime | None, sold: datetime) -> bool:
    begun = entry["from"] <= sold + CLOCKS_DIFFER
    ends = max(moment for moment in (entry["to"], quoted_until) if moment) if entry["to"] else None
    return begun and (ends is None or sold <= ends + CLOCKS_DIFFER)
