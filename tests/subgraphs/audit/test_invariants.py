"""The audit sees: a house that holds together has no problems, and every way to break it is named with its document."""

from __future__ import annotations

import copy
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from subgraphs.audit.invariants import INVARIANTS
from subgraphs.audit.reading import COLLECTIONS, Reading

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
EUR_100 = {"m": 10_000, "c": "EUR"}
NOTHING = {"m": 0, "c": "EUR"}
Rows = dict[str, dict[str, list[dict[str, Any]]]]


def sound() -> Rows:
    """One order of two units, one hold of one unit, points for the order."""
    rows: Rows = {service: {name: [] for name in names} for service, names in COLLECTIONS.items()}
    level = {
        "_id": "A|loc_1",
        "sku": "A",
        "loc": "loc_1",
        "on": 10,
        "rsv": 1,
        "alc": 2,
        "saf": 0,
        "free": 7,
        "neg": False,
    }
    rows["inventory"]["stock"] = [level | {"v": 3}]
    rows["inventory"]["movements"] = [
        {"_id": f"mov_{v}", "sku": "A", "loc": "loc_1", "on": on, "rsv": rsv, "alc": alc, "v": v}
        for v, on, rsv, alc in ((1, 10, 0, 0), (2, 0, 1, 0), (3, 0, 0, 2))
    ]
    line = {"sku": "A", "loc": "loc_1"}
    rows["inventory"]["reservations"] = [
        {"_id": "rsv_1", "state": "COMMITTED", "lines": [line | {"q": 2}], "exp": NOW, "order": "ord_1"},
        {"_id": "rsv_2", "state": "HELD", "lines": [line | {"q": 1}], "exp": NOW + timedelta(minutes=1), "order": None},
    ]
    rows["orders"]["orders"] = [
        {
            "_id": "ord_1",
            "origin": "checkout:chk_1",
            "number": "G-1",
            "reservation": "rsv_1",
            "lines": [{"id": "line:A", "q": 2, "unit": {"m": 5_000, "c": "EUR"}, "total": EUR_100}],
            "totals": [{"kind": "TOTAL", "amount": EUR_100}],
            "tax": [],
            "total": EUR_100,
        }
    ]
    rows["orders"]["payments"] = [
        {
            "_id": "pay_1",
            "order": "ord_1",
            "provider": "sandbox",
            "state": "AUTHORIZED",
            "authorized": EUR_100,
            "captured": NOTHING,
            "refunded": NOTHING,
            "at": NOW,
        }
    ]
    rows["orders"]["sandbox_ledger"] = [{"_id": "pay_1", "state": "AUTHORIZED"}]
    rows["orders"]["sagas"] = [
        {
            "_id": "sag_1",
            "checkout": "chk_1",
            "attempt": "pay_1",
            "hold": None,
            "active": False,
            "progress": {"state": "COMPLETED"},
            "started_at": NOW,
        }
    ]
    rows["orders"]["idem"] = [{"_id": "idem_1", "state": "DONE", "payload": {}}]
    rows["orders"]["outbox"] = [{"_id": f"evt_{seq}", "seq": seq} for seq in (4, 5, 6)]
    rows["orders"]["outbox_relay"] = [{"_id": "relay", "seq": 6}]
    rows["loyalty"]["inbox_cursors"] = [{"_id": "orders", "seq": 6}]
    rows["loyalty"]["accounts"] = [{"_id": "loy_1", "bal": 100, "pend": 100, "v": 1}]
    rows["loyalty"]["ledger"] = [
        {"_id": "ldg_1", "acc": "loy_1", "seq": 1, "kind": "EARN_PENDING", "pts": 100, "pend": 100, "order": "ord_1"}
    ]
    return rows


def problems(rows: Rows) -> dict[str, list[str]]:
    reading = Reading(NOW, rows)
    found = {each.number: list(each.check(reading)) for each in INVARIANTS}
    return {number: several for number, several in found.items() if several}


def test_a_sound_house_has_no_problems() -> None:
    assert problems(sound()) == {}


def test_every_collection_that_counts_as_a_fact_is_read() -> None:
    for each in INVARIANTS:
        for service, collection in each.facts:
            assert collection in COLLECTIONS[service], each.number


def first(service: str, collection: str, **changes: Any) -> Callable[[Rows], None]:
    return lambda rows: rows[service][collection][0].update(changes)


def another(service: str, collection: str, **changes: Any) -> Callable[[Rows], None]:
    def add(rows: Rows) -> None:
        rows[service][collection].append(copy.deepcopy(rows[service][collection][0]) | changes)

    return add


def without(service: str, collection: str) -> Callable[[Rows], None]:
    return lambda rows: rows[service][collection].clear()


@pytest.mark.parametrize(
    ("numbers", "named", "broken"),
    [
        ({"I1", "I3"}, "A|loc_1", first("inventory", "stock", on=2, free=-1)),
        ({"I1"}, "A|loc_1", first("inventory", "stock", free=8)),
        ({"I1", "I2", "I3"}, "A|loc_1", first("inventory", "stock", rsv=-1, free=9)),
        ({"I2"}, "A|loc_1", first("inventory", "reservations", state="RELEASED")),
        ({"I2"}, "B|loc_1", another("inventory", "reservations", _id="rsv_3", state="HELD", exp=NOW, lines=[{"sku": "B", "loc": "loc_1", "q": 1}])),
        ({"I3"}, "mov_1", another("inventory", "movements")),
        ({"I3"}, "A|loc_1", without("inventory", "movements")),
        ({"I5"}, "ord_1", without("orders", "payments")),
        ({"I5"}, "ord_1", first("orders", "orders", reservation="rsv_9")),
        ({"I5"}, "pay_1", first("orders", "sandbox_ledger", state="VOIDED")),
        ({"I5", "I2"}, "rsv_3", another("inventory", "reservations", _id="rsv_3", order="ord_9")),
        ({"I6"}, "pay_2", another("orders", "payments", _id="pay_2", order="ord_9")),
        ({"I6"}, "pay_3", another("orders", "sandbox_ledger", _id="pay_3")),
        ({"I7", "I5"}, "ord_1", first("orders", "orders", total={"m": 9_999, "c": "EUR"})),
        ({"I7"}, "ord_1", lambda rows: rows["orders"]["orders"][0]["lines"][0].update(q=3)),
        ({"I8"}, "pay_1", first("orders", "payments", captured={"m": 10_001, "c": "EUR"})),
        ({"I8"}, "pay_1", first("orders", "payments", refunded={"m": 1, "c": "EUR"})),
        ({"I9"}, "loy_1", first("loyalty", "accounts", bal=90)),
        ({"I9"}, "loy_1", another("loyalty", "ledger", seq=2)),
        ({"I9"}, "loy_2", another("loyalty", "ledger", acc="loy_2")),
        ({"I13"}, "idem_1", first("orders", "idem", payload=None)),
        ({"I13", "I5"}, "checkout:chk_1", another("orders", "orders", _id="ord_2")),
        ({"I13"}, "chk_1", another("orders", "sagas", _id="sag_2")),
        ({"I14"}, "orders", lambda rows: rows["orders"]["outbox"].pop(1)),
        ({"I14"}, "loyalty", first("loyalty", "inbox_cursors", seq=7)),
        ({"I15"}, "rsv_2", lambda rows: rows["inventory"]["reservations"][1].update(exp=NOW - timedelta(seconds=6))),
        ({"sagas"}, "sag_1", first("orders", "sagas", active=True, started_at=NOW - timedelta(hours=1))),
    ],
)  # fmt: skip
def test_what_is_broken_is_named(numbers: set[str], named: str, broken: Callable[[Rows], Any]) -> None:
    rows = sound()
    broken(rows)
    found = problems(rows)
    assert numbers <= found.keys()
    assert any(named in problem for number in numbers for problem in found[number])


def test_what_is_under_way_is_no_problem() -> None:
    rows = sound()
    saga = copy.deepcopy(rows["orders"]["sagas"][0]) | {"_id": "sag_2", "checkout": "chk_2", "attempt": "pay_2"}
    rows["orders"]["sagas"].append(saga | {"active": True, "hold": {"reservation": "rsv_3"}})
    rows["orders"]["sandbox_ledger"].append({"_id": "pay_2", "state": "AUTHORIZED"})
    committed = copy.deepcopy(rows["inventory"]["reservations"][0]) | {"_id": "rsv_3", "order": "ord_2", "lines": []}
    rows["inventory"]["reservations"].append(committed)
    assert problems(rows) == {}
