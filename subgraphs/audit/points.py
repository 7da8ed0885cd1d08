"""Points: I9. An account is the sum of its ledger, the ledger has no gaps, and an order earns once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from subgraphs.audit.books import Books, Tally
from subgraphs.chassis.mongo import Document


def ledger(books: Books, tally: Tally) -> None:
    """Entries are numbered without gaps and add up to their account; an order earns once and loses no more than that."""
    of_account: defaultdict[str, list[Document]] = defaultdict(list)
    of_order: defaultdict[str, list[Document]] = defaultdict(list)
    for entry in tally.over(books.rows("loyalty", "ledger")):
        of_account[entry["acc"]].append(entry)
        if entry.get("order"):
            of_order[entry["order"]].append(entry)
    for account in books.rows("loyalty", "accounts"):
        own = sorted(of_account.pop(account["_id"], []), key=lambda entry: int(entry["seq"]))
        _account(account, own, tally)
    for identity in sorted(of_account):
        tally.unless(False, f"{identity}: entries of an account that does not exist")
    orders = books.by_id("orders", "orders")
    for order_id, entries in of_order.items():
        earned = [entry for entry in entries if entry["kind"] == "EARN_PENDING"]
        tally.unless(len(earned) <= 1, f"{order_id}: earned {len(earned)} times, {[one['_id'] for one in earned]}")
        back = sum(entry["pts"] for entry in entries if entry["kind"] == "EARN_REVERSE")
        tally.unless(
            sum(entry["pts"] for entry in earned) + back >= 0, f"{order_id}: more points taken back than given"
        )
        tally.unless(order_id in orders or not earned, f"{order_id}: has points, and is no order")
    _redeemed(books, of_order, tally)


def _redeemed(books: Books, of_order: Mapping[str, list[Document]], tally: Tally) -> None:
    """What an order's entries took is what its redemption says; that is taken from an order, or held by a running saga."""
    orders = books.by_id("orders", "orders")
    running = {saga["order"] for saga in books.rows("orders", "sagas") if saga["active"]}
    redemptions = books.by_id("loyalty", "redemptions")
    for identity, one in redemptions.items():
        tally.facts += 1
        took = -sum(entry["pts"] for entry in of_order.get(identity, ()) if entry["kind"].startswith("REDEEM_"))
        tally.unless(took == one["pts"] - one["back"], f"{identity}: holds {one['pts'] - one['back']}, took {took}")
        if one["state"] == "RELEASED":
            tally.unless(took == 0 and identity not in orders, f"{identity}: released, with {took} points taken")
        else:
            tally.unless(identity in orders or identity in running, f"{identity}: {one['state']} points of no order")
    for order in orders.values():
        if order.get("points"):
            held = redemptions.get(order["_id"], {"pts": 0})["pts"]
            tally.unless(
                held == order["points"], f"{order['_id']}: paid with {order['points']} points, {held} are held"
            )


def _account(account: Document, entries: list[Document], tally: Tally) -> None:
    numbers = [entry["seq"] for entry in entries]
    tally.unless(
        numbers == list(range(1, account["v"] + 1)), f"{account['_id']}: version {account['v']}, entries {numbers[-3:]}"
    )
    running = 0
    for entry in entries:
        running += entry["pts"]
        tally.unless(entry["bal"] == running, f"{entry['_id']}: says {entry['bal']}, adds up to {running}")
    tally.unless(account["bal"] == running, f"{account['_id']}: balance {account['bal']}, its entries say {running}")
    pending = sum(entry["pend"] for entry in entries)
    tally.unless(account["pend"] == pending, f"{account['_id']}: pending {account['pend']}, its entries say {pending}")
