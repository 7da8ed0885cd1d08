"""Books in which all is well: one unit bought by a customer who collects points, another still held. Tests break them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from subgraphs.audit.books import Books

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
Rows = dict[tuple[str, str], list[dict[str, Any]]]


def sound() -> Rows:
    """Documents by (service, collection), made anew at each call."""
    return {**_catalog(), **_inventory(), **_orders(), **_customers(), **_loyalty()}


def books(rows: Rows) -> Books:
    return Books(at=NOW, documents=rows)


def euro(minor: int) -> dict[str, Any]:
    return {"m": minor, "c": "EUR"}


def _catalog() -> Rows:
    return {
        ("catalog", "price_lists"): [{"_id": "base", "cur": "EUR"}],
        ("catalog", "rates"): [{"_id": 1, "base": "EUR", "rates": {"USD": "1.0850"}}],
        ("catalog", "prices"): [
            {"_id": "base|LAMP|1", "sku": "LAMP", "list": "base", "m": 5000, "from": NOW - timedelta(9), "to": None}
        ],
    }


def _inventory() -> Rows:
    def moved(version: int, cause: str, ref: str | None, on: int, reserved: int, allocated: int) -> dict[str, Any]:
        change = {"on": on, "rsv": reserved, "alc": allocated}
        return {
            "_id": f"mov_{version}",
            "sku": "LAMP",
            "loc": "loc_1",
            **change,
            "cause": cause,
            "ref": ref,
            "v": version,
        }

    def reservation(name: str, state: str, order: str | None) -> dict[str, Any]:
        lines = [{"sku": "LAMP", "loc": "loc_1", "q": 1}]
        return {"_id": name, "state": state, "lines": lines, "exp": NOW + timedelta(minutes=5), "order": order}

    level = {"on": 5, "rsv": 1, "alc": 1, "saf": 1, "free": 2, "neg": False, "v": 4}
    return {
        ("inventory", "stock"): [{"_id": "LAMP|loc_1", "sku": "LAMP", "loc": "loc_1", **level}],
        ("inventory", "movements"): [
            moved(1, "OPENING", None, 5, 0, 0),
            moved(2, "HOLD", "rsv_sold", 0, 1, 0),
            moved(3, "COMMIT", "rsv_sold", 0, -1, 1),
            moved(4, "HOLD", "rsv_held", 0, 1, 0),
        ],
        ("inventory", "reservations"): [
            reservation("rsv_sold", "COMMITTED", "ord_1"),
            reservation("rsv_held", "HELD", None),
        ],
        ("inventory", "transfers"): [
            {
                "_id": "trf_1",
                "state": "DRAFT",
                "from": "loc_1",
                "to": "loc_2",
                "lines": [{"sku": "LAMP", "q": 1, "got": 0}],
            }
        ],
        ("inventory", "idem"): [
            {"_id": f"service:orders|reserve|key-{name}", "state": "DONE", "payload": {"reservation": {"_id": name}}}
            for name in ("rsv_sold", "rsv_held")
        ],
    }


def _orders() -> Rows:
    line = {"id": "line:LAMP", "sku": "LAMP", "q": 1, "unit": euro(5000)}
    return {
        ("orders", "journal"): [
            {
                "_id": 1,
                "fact": "evt_1",
                "postings": [{"a": "till", "d": 5495, "c": 0}, {"a": "sales", "d": 0, "c": 5495}],
            }
        ],
        ("orders", "documents"): [{"_id": "INV-0000001", "kind": "INVOICE", "number": 1}],
        ("orders", "checkouts"): [
            {
                "_id": "chk_1",
                "status": "COMPLETED",
                "order": "ord_1",
                "lines": [{**line, "price_version": "base.1", "quote_until": NOW}],
            }
        ],
        ("orders", "orders"): [
            {
                "_id": "ord_1",
                "origin": "checkout:chk_1",
                "status": "CONFIRMED",
                "currency": "EUR",
                "customer": "cus_1",
                "placed_at": NOW,
                "reservation": "rsv_sold",
                "lines": [{**line, "total": euro(5000), "fulfilled": 0, "returned": 0}],
                "fulfilments": [{"state": "PLANNED", "lines": [{"sku": "LAMP", "q": 1}]}],
                "totals": [
                    {"kind": "SUBTOTAL", "amount": euro(5000)},
                    {"kind": "FULFILMENT", "amount": euro(495)},
                    {"kind": "LOYALTY", "amount": euro(30)},
                    {"kind": "TOTAL", "amount": euro(5465)},
                ],
                "tax": [{"amount": euro(877), "included": True}],
                "total": euro(5465),
                "points": 30,
                "mandate": "man_1",
            }
        ],
        ("orders", "payments"): [
            {
                "_id": "pay_1",
                "order": "ord_1",
                "provider": "sandbox",
                "state": "AUTHORIZED",
                "authorized": euro(5465),
                "captured": euro(0),
                "refunded": euro(0),
                "at": NOW,
            }
        ],
        ("orders", "sandbox_ledger"): [
            {"_id": "pay_1", "state": "AUTHORIZED", "amount": euro(5465), "captured": euro(0)}
        ],
        ("orders", "sagas"): [
            {
                "_id": "sag_1",
                "checkout": "chk_1",
                "order": "ord_1",
                "attempt": "pay_1",
                "active": False,
                "progress": {"state": "COMPLETED", "done": ["reserve", "authorize", "commit", "confirm"]},
            }
        ],
        ("orders", "outbox"): [
            {"_id": "evt_1", "seq": 1, "type": "order.confirmed", "aggregate": "order:ord_1", "aggregate_version": 1}
        ],
        ("orders", "outbox_relay"): [{"_id": "relay", "seq": 1}],
    }


def _customers() -> Rows:
    return {
        ("customers", "mandates"): [{"_id": "man_1", "each": euro(6000), "all": euro(9000)}],
        ("customers", "mandate_spendings"): [
            {"_id": "ord_1", "man": "man_1", "period": 0, "amount": euro(5465), "state": "SPENT"},
            {"_id": "ord_0", "man": "man_1", "period": 0, "amount": euro(0), "state": "RELEASED"},
        ],
    }


def _loyalty() -> Rows:
    def entry(seq: int, kind: str, points: int, pending: int, balance: int, order: str | None) -> dict[str, Any]:
        moved = {"kind": kind, "pts": points, "pend": pending, "bal": balance}
        return {"_id": f"ldg_{seq}", "acc": "loy_1", "seq": seq, **moved, "order": order}

    return {
        ("loyalty", "accounts"): [{"_id": "loy_1", "cus": "cus_1", "bal": 60, "pend": 50, "v": 4}],
        ("loyalty", "ledger"): [
            entry(1, "EARN_PENDING", 50, 50, 50, "ord_1"),
            entry(2, "ADJUST", 40, 0, 90, None),
            entry(3, "REDEEM_HOLD", -30, 0, 60, "ord_1"),
            entry(4, "REDEEM_CAPTURE", 0, 0, 60, "ord_1"),
        ],
        ("loyalty", "redemptions"): [{"_id": "ord_1", "acc": "loy_1", "pts": 30, "back": 0, "state": "CAPTURED"}],
        ("loyalty", "inbox"): [{"_id": "orders:evt_1"}],
        ("loyalty", "inbox_cursors"): [{"_id": "orders", "seq": 1}, {"_id": "orders:lease"}],
        ("customers", "inbox"): [{"_id": "orders:evt_1"}],
        ("customers", "inbox_cursors"): [{"_id": "orders", "seq": 1}],
    }
