"""What makes a thing happen once: I13 (idempotency keys) and I14 (events told in order, each heard once)."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping

from subgraphs.audit.books import COLLECTIONS, Books, Tally
from subgraphs.chassis.mongo import Document

HEARD: Mapping[str, Mapping[str, frozenset[str]]] = {
    "inventory": {
        "orders": frozenset(
            {"order.pos_recorded", "fulfilment.goods_left", "fulfilment.goods_freed", "return.received"},
        )
    },
    "customers": {"orders": frozenset({"order.confirmed", "order.pos_recorded", "order.cancelled"})},
    "loyalty": {
        "orders": frozenset({"order.confirmed", "order.pos_recorded", "refund.issued", "order.cancelled"}),
    },
}
"""What each service hears of whom, in the words of its ``app``; a test holds the two together."""


def keys(books: Books, tally: Tally) -> None:
    """A key made one thing: each reservation was asked for by one key, each checkout completed by one saga, and a saga
    made at most one order and one payment."""
    asked = Counter[str]()
    for record in tally.over(books.rows("inventory", "idem")):
        made = (record.get("payload") or {}).get("reservation")
        if made and record["_id"].split("|")[-2:-1] == ["reserve"]:
            asked[made["_id"]] += 1
    for reservation in books.rows("inventory", "reservations"):
        count = asked.pop(reservation["_id"], 0)
        # Records expire after a day, so a reservation may have none any more.
        tally.unless(count <= 1, f"{reservation['_id']}: was made by {count} keys")
    for identity in sorted(asked):
        tally.unless(False, f"{identity}: a key was answered with it, and it is not there")
    _sagas(books, tally)


def events(books: Books, tally: Tally) -> None:
    """Events are numbered without gaps, an aggregate's in the order of its versions; whoever has passed an event's
    number has had it, once; none is parked."""
    for service in COLLECTIONS:
        rows = sorted(
            (row for row in tally.over(books.rows(service, "outbox")) if "seq" in row), key=lambda row: int(row["seq"])
        )
        numbers = [row["seq"] for row in rows]
        first = numbers[0] if numbers else 1
        tally.unless(
            numbers == list(range(first, first + len(numbers))), f"{service}: the outbox is not numbered without gaps"
        )
        given = {lease["seq"] for lease in books.rows(service, "outbox_relay")}
        tally.unless(
            not numbers or given == {numbers[-1]}, f"{service}: numbers up to {numbers[-1:]}, the relay gave {given}"
        )
        versions: dict[str, int] = {}
        for row in rows:
            before = versions.get(row["aggregate"], 0)
            tally.unless(
                row["aggregate_version"] > before,
                f"{row['_id']}: {row['aggregate']} version {row['aggregate_version']} after {before}",
            )
            versions[row["aggregate"]] = row["aggregate_version"]
        for parked in books.rows(service, "inbox_parked"):
            tally.unless(False, f"{parked['_id']}: parked by {service}: {parked['error']}")
        for producer, types in HEARD.get(service, {}).items():
            _heard(books, service, producer, types, tally)


def _sagas(books: Books, tally: Tally) -> None:
    orders, payments = books.by_id("orders", "orders"), books.by_id("orders", "payments")
    done: defaultdict[str, list[str]] = defaultdict(list)
    for saga in tally.over(books.rows("orders", "sagas")):
        state = saga["progress"]["state"]
        if state == "COMPLETED":
            done[saga["checkout"]].append(saga["_id"])
            tally.unless(
                saga["order"] in orders, f"{saga['_id']}: completed, and its order {saga['order']} is not there"
            )
        if state == "COMPENSATED":
            tally.unless(saga["order"] not in orders, f"{saga['_id']}: undone, and its order {saga['order']} is there")
            paid = payments.get(saga["attempt"], {"state": "absent"})["state"]
            tally.unless(
                paid not in ("AUTHORIZED", "CAPTURED"), f"{saga['_id']}: undone, and {saga['attempt']} is {paid}"
            )
    for checkout, sagas in done.items():
        tally.unless(len(sagas) == 1, f"{checkout}: completed by {', '.join(sagas)}")


def _heard(books: Books, service: str, producer: str, types: frozenset[str], tally: Tally) -> None:
    passed = next((row.get("seq", 0) for row in books.rows(service, "inbox_cursors") if row["_id"] == producer), 0)
    inbox = {row["_id"] for row in books.rows(service, "inbox")}
    parked = {row["_id"] for row in books.rows(service, "inbox_parked")}
    for row in books.rows(producer, "outbox"):
        if row["type"] not in types or "seq" not in row:
            continue
        heard = f"{producer}:{row['_id']}" in inbox
        if row["seq"] <= passed:
            tally.unless(
                heard or f"{producer}:{row['_id']}" in parked,
                f"{row['_id']}: {service} has passed number {row['seq']} and never had it",
            )
        else:
            tally.unless(not heard, f"{row['_id']}: {service} had number {row['seq']} and stands at {passed}")


def backlog(books: Books) -> list[Document]:
    """Events that are not numbered yet, or not yet heard by somebody who should."""
    waiting = [row for service in COLLECTIONS for row in books.rows(service, "outbox") if "seq" not in row]
    for service, producers in HEARD.items():
        for producer, types in producers.items():
            rows = books.rows(service, "inbox_cursors")
            passed = next((row.get("seq", 0) for row in rows if row["_id"] == producer), 0)
            waiting += [
                row
                for row in books.rows(producer, "outbox")
                if "seq" in row and row["type"] in types and row["seq"] > passed
            ]
    return waiting
