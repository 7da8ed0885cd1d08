"""Mandates: I10. What orders hold and have spent of a mandate's period is within its limits, and is what they cost."""

from __future__ import annotations

from collections import defaultdict

from subgraphs.audit.books import Books, Tally


def spending(books: Books, tally: Tally) -> None:
    """No period is overspent, no order takes more than one may; what is spent is an order's total, what is held is an
    order's or a running saga's, and an order under a mandate has its spending."""
    mandates = books.by_id("customers", "mandates")
    orders = books.by_id("orders", "orders")
    running = {saga["order"] for saga in books.rows("orders", "sagas") if saga["active"]}
    taken: defaultdict[tuple[str, int], int] = defaultdict(int)
    kept = {}
    for one in tally.over(books.rows("customers", "mandate_spendings")):
        identity, mandate = one["_id"], mandates.get(one["man"])
        tally.unless(mandate is not None, f"{identity}: spends of {one['man']}, which does not exist")
        if one["state"] == "RELEASED" or mandate is None:
            continue
        kept[identity] = one
        taken[one["man"], one["period"]] += one["amount"]["m"]
        tally.unless(one["amount"]["m"] <= mandate["each"]["m"], f"{identity}: takes more than one order may")
        order = orders.get(identity)
        tally.unless(
            order is not None or (one["state"] == "HELD" and identity in running),
            f"{identity}: {one['state']}, and is no order and no running saga's",
        )
        tally.unless(order is None or order["total"] == one["amount"], f"{identity}: does not cost what it takes")
    for (mandate_id, period), minor in taken.items():
        limit = mandates[mandate_id]["all"]["m"]
        tally.unless(minor <= limit, f"{mandate_id}: {minor} of {limit} taken in period {period}")
    for order in orders.values():
        if order.get("mandate") and order["status"] != "CANCELED":
            tally.unless(order["_id"] in kept, f"{order['_id']}: under a mandate of which it takes nothing")
