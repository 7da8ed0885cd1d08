"""An audit that never finds anything proves nothing: each invariant is broken in each way it can be, and is seen."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from subgraphs.__main__ import NAMES, find_service
from subgraphs.audit.books import COLLECTIONS, EVERYWHERE
from subgraphs.audit.invariants import INVARIANTS, audit, unrest
from subgraphs.audit.messages import HEARD
from subgraphs.chassis.app import all_indexes
from tests.subgraphs.audit.sound_books import NOW, Rows, books, euro, sound

Break = Callable[[Rows], Any]


def _set(service: str, collection: str, index: int, **changes: Any) -> Break:
    return lambda rows: rows[service, collection][index].update(changes)


def _drop(service: str, collection: str, index: int = 0) -> Break:
    return lambda rows: rows[service, collection].pop(index)


def _add(service: str, collection: str, **document: Any) -> Break:
    return lambda rows: rows.setdefault((service, collection), []).append(document)


def _again(service: str, collection: str, index: int = 0, **changes: Any) -> Break:
    return lambda rows: rows[service, collection].append(rows[service, collection][index] | changes)


LINE = {"sku": "LAMP", "loc": "loc_1", "q": 1}

BREAKS: tuple[tuple[str, str, Break], ...] = (
    ("I1", "LAMP|loc_1", _set("inventory", "stock", 0, rsv=-1)),
    ("I1", "LAMP|loc_1", _set("inventory", "stock", 0, on=-1)),
    ("I1", "LAMP|loc_1", _set("inventory", "stock", 0, on=1)),
    ("I1", "LAMP|loc_1", _set("inventory", "stock", 0, free=3)),
    ("I1", "LAMP|loc_1", _set("inventory", "stock", 0, qua=-1)),
    ("I2", "LAMP|loc_1", _set("inventory", "reservations", 1, state="RELEASED")),
    ("I2", "LAMP|loc_1", _set("inventory", "reservations", 0, state="HELD")),
    ("I2", "rsv_held", _set("inventory", "reservations", 1, state="LOST")),
    ("I2", "LAMP|loc_2", _set("inventory", "reservations", 1, lines=[{"sku": "LAMP", "loc": "loc_2", "q": 1}])),
    ("I2", "LAMP|loc_1", _set("inventory", "reservations", 0, lines=[LINE | {"left": 1}])),
    ("I2", "LAMP|loc_1", _set("inventory", "reservations", 0, lines=[LINE | {"freed": 1}])),
    ("I3", "LAMP|loc_1", _set("inventory", "stock", 0, qua=1)),
    ("I3", "rsv_sold", _set("inventory", "reservations", 0, lines=[LINE | {"left": 1}])),
    ("I3", "rsv_sold", _set("inventory", "reservations", 0, lines=[LINE | {"freed": 1}])),
    ("I3", "ret_1", _add("inventory", "returned", _id="ret_1|l1|DAMAGED", sku="LAMP", loc="loc_1", q=1)),
    ("I3", "LAMP|loc_1", _drop("inventory", "movements", 0)),
    ("I4", "trf_1", _set("inventory", "transfers", 0, state="IN_TRANSIT")),
    ("I4", "trf_gone", _set("inventory", "movements", 3, cause="TRANSFER_OUT", ref="trf_gone")),
    ("I11", "journal", _again("orders", "journal", _id=3, fact="evt_2")),
    ("I11", "evt_1", _again("orders", "journal", _id=2)),
    ("I11", "entry 1", _set("orders", "journal", 0, postings=[{"a": "till", "d": 1, "c": 0}])),
    ("I11", "INVOICE", _again("orders", "documents", _id="INV-0000003", number=3)),
    ("I11", "INV-0000009", _set("orders", "documents", 0, _id="INV-0000009")),
    ("I3", "LAMP|loc_1", _set("inventory", "movements", 3, v=3)),
    ("I3", "rsv_held", _set("inventory", "movements", 3, ref="rsv_sold")),
    ("I3", "rsv_sold", _set("inventory", "movements", 2, cause="RELEASE")),
    ("I3", "rsv_gone", _set("inventory", "movements", 3, ref="rsv_gone")),
    ("I5", "ord_1", _drop("orders", "payments")),
    ("I5", "ord_1", _again("orders", "payments", _id="pay_2")),
    ("I5", "ord_1", _set("orders", "payments", 0, authorized=euro(5464))),
    ("I5", "ord_1", _set("orders", "sandbox_ledger", 0, state="VOIDED")),
    ("I5", "ord_1", _drop("orders", "sandbox_ledger")),
    ("I5", "ord_1", _set("inventory", "reservations", 0, state="EXPIRED")),
    ("I5", "ord_1", _set("inventory", "reservations", 0, order="ord_2")),
    ("I5", "ord_1", _set("inventory", "reservations", 0, lines=[{"sku": "LAMP", "loc": "loc_1", "q": 2}])),
    ("I5", "ord_1", _drop("inventory", "reservations", 0)),
    ("I5", "chk_1", _drop("orders", "orders")),
    ("I5", "rsv_sold", _drop("orders", "orders")),
    ("I5", "ord_1", _again("inventory", "reservations", _id="rsv_2")),
    ("I5", "ord_1", _set("orders", "checkouts", 0, status="READY_FOR_COMPLETE")),
    ("I6", "pay_1", _set("orders", "payments", 0, order=None)),
    (
        "I6",
        "pay_2",
        _add("orders", "sandbox_ledger", _id="pay_2", state="AUTHORIZED", amount=euro(1), captured=euro(0)),
    ),
    ("I7", "ord_1", _set("orders", "orders", 0, total=euro(5464))),
    ("I7", "ord_1", lambda rows: rows["orders", "orders"][0]["totals"].pop(1)),
    ("I7", "ord_1", lambda rows: rows["orders", "orders"][0]["lines"][0].update(q=2)),
    ("I7", "ord_1", lambda rows: rows["orders", "orders"][0]["lines"][0].update(returned=1)),
    ("I7", "ord_1", lambda rows: rows["orders", "orders"][0]["tax"][0].update(included=False)),
    ("I8", "pay_1", _set("orders", "payments", 0, captured=euro(5466))),
    ("I8", "pay_1", _set("orders", "payments", 0, refunded=euro(1))),
    ("I8", "pay_1", _set("orders", "payments", 0, captured=euro(5465))),
    ("I9", "loy_1", _set("loyalty", "accounts", 0, bal=61)),
    ("I9", "loy_1", _set("loyalty", "accounts", 0, pend=0)),
    ("I9", "loy_1", _set("loyalty", "ledger", 0, seq=5)),
    ("I9", "ldg_1", _set("loyalty", "ledger", 0, bal=49)),
    ("I9", "ord_1", _again("loyalty", "ledger", _id="ldg_5", seq=5, bal=110)),
    ("I9", "ord_1", _again("loyalty", "ledger", _id="ldg_5", seq=5, kind="EARN_REVERSE", pts=-51, bal=9)),
    ("I9", "ord_1", _set("loyalty", "redemptions", 0, pts=31)),
    ("I9", "ord_1", _set("loyalty", "redemptions", 0, state="RELEASED")),
    ("I9", "ord_1", _drop("loyalty", "redemptions")),
    ("I9", "ord_3", _again("loyalty", "redemptions", _id="ord_3", pts=0, state="HELD")),
    ("I10", "man_1", _set("customers", "mandates", 0, all=euro(5464))),
    ("I10", "ord_1", _set("customers", "mandates", 0, each=euro(5464))),
    ("I10", "ord_1", _drop("customers", "mandates")),
    ("I10", "ord_1", _drop("customers", "mandate_spendings")),
    ("I10", "ord_1", _set("customers", "mandate_spendings", 0, amount=euro(5464))),
    ("I10", "ord_1", _set("customers", "mandate_spendings", 0, state="RELEASED")),
    ("I10", "ord_2", _again("customers", "mandate_spendings", _id="ord_2", amount=euro(1), state="HELD")),
    ("I9", "ord_2", _set("loyalty", "ledger", 0, order="ord_2")),
    ("I12", "ord_1: LAMP", _set("catalog", "prices", 0, m=5001)),
    ("I12", "ord_1: LAMP", _drop("catalog", "prices")),
    ("I12", "ord_1: LAMP", lambda rows: rows["orders", "checkouts"][0]["lines"][0].update(unit=euro(4000))),
    (
        "I12",
        "ord_1: LAMP",
        lambda rows: (
            rows["catalog", "prices"][0].update(to=NOW - timedelta(hours=1)),
            rows["orders", "checkouts"][0]["lines"][0].update(quote_until=NOW - timedelta(minutes=30)),
        ),
    ),
    ("I13", "rsv_held", _again("inventory", "idem", 1, _id="service:orders|reserve|another key")),
    ("I13", "rsv_held", _drop("inventory", "reservations", 1)),
    ("I13", "sag_1", _drop("orders", "orders")),
    ("I13", "sag_1", lambda rows: rows["orders", "sagas"][0]["progress"].update(state="COMPENSATED")),
    ("I13", "chk_1", _again("orders", "sagas", _id="sag_2")),
    ("I14", "orders", _again("orders", "outbox", _id="evt_3", seq=3, aggregate_version=2)),
    ("I14", "orders", _set("orders", "outbox_relay", 0, seq=2)),
    ("I14", "evt_2", _again("orders", "outbox", _id="evt_2", seq=2)),
    ("I14", "evt_1", _drop("loyalty", "inbox")),
    ("I14", "evt_1", _set("loyalty", "inbox_cursors", 0, seq=0)),
    ("I14", "orders:evt_1", _add("customers", "inbox_parked", _id="orders:evt_1", error="KeyError()")),
    ("I15", "rsv_held", _set("inventory", "reservations", 1, exp=NOW - timedelta(seconds=6))),
)


def _found(rows: Rows) -> dict[str, tuple[str, ...]]:
    return {finding.number: finding.violations for finding in audit(books(rows)) if finding.violations}


def test_sound_books_hold_and_every_check_had_something_to_look_at() -> None:
    findings = audit(books(sound()))
    assert [finding.number for finding in findings] == [f"I{number}" for number in range(1, 17)]
    assert not [violation for finding in findings for violation in finding.violations]
    assert [finding.number for finding in findings if finding.kept and not finding.facts] == []


@pytest.mark.parametrize(("number", "document", "breaks"), BREAKS)
def test_what_is_broken_is_found_and_named(number: str, document: str, breaks: Break) -> None:
    rows = sound()
    breaks(rows)
    assert any(violation.startswith((f"{document}:", f"{document} ")) for violation in _found(rows)[number])


def test_every_check_has_been_seen_to_find_something() -> None:
    assert {number for number, _, _ in BREAKS} == {one.number for one in INVARIANTS if one.check is not None}


def test_a_level_that_a_counter_overdrew_is_flagged_and_no_violation() -> None:
    rows = sound()
    rows["inventory", "stock"][0].update(on=-1, free=-4, neg=True, v=5)
    sold = {"on": -6, "rsv": 0, "alc": 0, "cause": "POS_SALE", "ref": "R1|7", "v": 5}
    rows["inventory", "movements"].append({"_id": "mov_5", "sku": "LAMP", "loc": "loc_1", **sold})
    assert _found(rows) == {}


def test_a_parcel_that_left_and_goods_that_came_back_add_up() -> None:
    rows = sound()
    rows["inventory", "stock"][0].update(on=5, alc=0, free=3, qua=2, v=7)
    rows["inventory", "reservations"][0]["lines"] = [LINE | {"left": 1, "freed": 0}]
    rows["inventory", "returned"] = [
        {"_id": "ret_1|l1|RESTOCK", "sku": "LAMP", "loc": "loc_1", "q": 1},
        {"_id": "ret_1|l1|DAMAGED", "sku": "LAMP", "loc": "loc_1", "q": 2},
    ]
    for version, cause, ref, on, allocated, quarantined in (
        (5, "GOODS_LEFT", "rsv_sold", -1, -1, 0),
        (6, "RETURN", "ret_1", 1, 0, 0),
        (7, "RETURN", "ret_1", 0, 0, 2),
    ):
        change = {"on": on, "rsv": 0, "alc": allocated, "qua": quarantined, "cause": cause, "ref": ref, "v": version}
        rows["inventory", "movements"].append({"_id": f"mov_{version}", "sku": "LAMP", "loc": "loc_1", **change})
    assert _found(rows) == {}


def test_money_and_stock_of_a_saga_that_is_still_running_are_no_orphans() -> None:
    rows = sound()
    rows["orders", "orders"].clear()
    rows["orders", "outbox"].clear()
    rows["orders", "checkouts"][0].update(status="COMPLETE_IN_PROGRESS", order=None)
    rows["orders", "payments"][0].update(order=None)
    rows["orders", "sagas"][0].update(active=True, progress={"state": "RUNNING", "done": ["reserve", "authorize"]})
    for collection in ("ledger", "accounts", "redemptions"):
        rows["loyalty", collection].clear()
    rows["customers", "mandate_spendings"][0].update(state="HELD")
    assert _found(rows) == {}
    assert unrest(books(rows)) == ("sag_1: RUNNING after reserve, authorize",)


def test_an_order_sold_abroad_was_sold_at_the_rate_of_its_version() -> None:
    rows = sound()
    for line in (rows["orders", "checkouts"][0]["lines"][0], rows["orders", "orders"][0]["lines"][0]):
        line["unit"] = {"m": 5425, "c": "USD"}
    rows["orders", "checkouts"][0]["lines"][0]["price_version"] = "base.1+fx.1"
    assert "I12" not in _found(rows)
    rows["catalog", "rates"][0]["rates"]["USD"] = "1.2"
    assert "I12" in _found(rows)


@pytest.mark.parametrize(
    ("breaks", "waiting"),
    [
        (_add("orders", "outbox", _id="evt_2", pending="evt_2", type="order.confirmed"), "evt_2"),
        (_again("orders", "outbox", _id="evt_2", seq=2, aggregate_version=2), "evt_2"),
        (_set("orders", "checkouts", 0, status="COMPLETE_IN_PROGRESS"), "chk_1"),
    ],
)
def test_what_is_under_way_is_told(breaks: Break, waiting: str) -> None:
    assert unrest(books(sound())) == ()
    rows = sound()
    breaks(rows)
    assert waiting in {line.partition(":")[0] for line in unrest(books(rows))}


def test_the_audit_knows_who_hears_what() -> None:
    hears = {name: find_service(name).hears for name in NAMES}
    assert {
        name: {peer: frozenset(types) for peer, types in heard.items()} for name, heard in hears.items() if heard
    } == HEARD


def test_the_audit_reads_collections_that_exist() -> None:
    for name, collections in COLLECTIONS.items():
        assert {*collections, *EVERYWHERE} <= set(all_indexes(find_service(name)))
