"""What must be true, invariant by invariant: pure functions of a reading.

Each is a generator of problems, every one a sentence that begins with the document's identity. The numbers and their
sentences are those of the design; what has no data yet (mandates, journals, feeds) has no invariant here.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, TypeAlias

from subgraphs.audit.reading import Reading
from subgraphs.chassis.mongo import Document

Problems: TypeAlias = Iterator[str]

SWEPT_WITHIN: Final = timedelta(seconds=5)
AUTHORIZED_MAX: Final = timedelta(minutes=15)
_LIVE: Final = ("AUTHORIZED", "CAPTURED")
_CONSUMERS: Final = ("inventory", "orders", "customers", "loyalty")


def signs(reading: Reading) -> Problems:
    for level in reading.of("inventory", "stock"):
        on, reserved, allocated = level["on"], level["rsv"], level["alc"]
        if reserved < 0 or allocated < 0:
            yield f"{level['_id']}: {reserved} reserved, {allocated} allocated"
        if not level["neg"] and (on < 0 or reserved + allocated > on):
            yield f"{level['_id']}: {on} on hand for {reserved} reserved and {allocated} allocated, and no flag"
        if level["free"] != on - reserved - allocated - level["saf"]:
            yield f"{level['_id']}: {level['free']} free is not what the figures give"


def promised(reading: Reading) -> Problems:
    held: Counter[str] = Counter()
    committed: Counter[str] = Counter()
    for reservation in reading.of("inventory", "reservations"):
        books = {"HELD": held, "COMMITTED": committed}.get(reservation["state"])
        for line in reservation["lines"] if books is not None else ():
            assert books is not None
            books[f"{line['sku']}|{line['loc']}"] += line["q"]
    levels = {level["_id"]: level for level in reading.of("inventory", "stock")}
    for identity in sorted(levels.keys() | held.keys() | committed.keys()):
        level = levels.get(identity)
        if level is None:
            yield f"{identity}: reservations, but no level"
            continue
        if level["rsv"] != held[identity]:
            yield f"{identity}: {level['rsv']} reserved, and holds of {held[identity]}"
        if level["alc"] != committed[identity]:
            yield f"{identity}: {level['alc']} allocated, and commitments of {committed[identity]}"


def movements(reading: Reading) -> Problems:
    sums: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    seen: set[tuple[str, int]] = set()
    for movement in reading.of("inventory", "movements"):
        identity = f"{movement['sku']}|{movement['loc']}"
        if (identity, movement["v"]) in seen:
            yield f"{movement['_id']}: a second movement to version {movement['v']} of {identity}"
        seen.add((identity, movement["v"]))
        for at, value in enumerate((movement["on"], movement["rsv"], movement["alc"], 1)):
            sums[identity][at] += value
    for level in reading.of("inventory", "stock"):
        counted = sums.pop(level["_id"], [0, 0, 0, 0])
        told = [level["on"], level["rsv"], level["alc"], level["v"]]
        if counted != told:
            yield f"{level['_id']}: on hand, reserved, allocated and version are {told}, the movements add up to {counted}"
    for identity in sorted(sums):
        yield f"{identity}: movements, but no level"


def paid_and_held(reading: Reading) -> Problems:
    reservations = {each["_id"]: each for each in reading.of("inventory", "reservations")}
    payments = _by(reading.of("orders", "payments"), "order")
    ledger = {each["_id"]: each for each in reading.of("orders", "sandbox_ledger")}
    of_orders: set[str] = set()
    for order in reading.of("orders", "orders"):
        live = [each for each in payments[order["_id"]] if each["state"] in _LIVE]
        paid = sum(each["authorized"]["m"] for each in live)
        if paid != order["total"]["m"]:
            yield f"{order['_id']}: paid {paid} of {order['total']['m']}"
        if not order["origin"].startswith("checkout:"):
            continue
        if len(live) != 1:
            yield f"{order['_id']}: {len(live)} live payments"
        for one in live:
            at_provider = ledger.get(one["_id"])
            if one["provider"] == "sandbox" and (at_provider is None or at_provider["state"] not in _LIVE):
                yield f"{one['_id']}: {one['state']} here, {at_provider and at_provider['state']} at the provider"
        reservation = reservations.get(order["reservation"])
        of_orders.add(order["reservation"])
        if reservation is None or reservation["state"] not in ("COMMITTED", "FULFILLED"):
            yield f"{order['_id']}: its reservation is {reservation and reservation['state']}"
        elif reservation["order"] != order["_id"]:
            yield f"{order['_id']}: its reservation belongs to {reservation['order']}"
    running = {saga["hold"]["reservation"] for saga in _running(reading) if saga["hold"]}
    for committed in reservations.values():
        if committed["state"] == "COMMITTED" and committed["_id"] not in of_orders | running:
            yield f"{committed['_id']}: committed for {committed['order']}, and there is no such order"


def money_without_order(reading: Reading) -> Problems:
    orders = {order["_id"] for order in reading.of("orders", "orders")}
    sagas = _running(reading)
    running = {saga["attempt"] for saga in sagas}
    known = {payment["_id"]: payment for payment in reading.of("orders", "payments")}
    for payment in known.values():
        late = payment["at"] < reading.at - AUTHORIZED_MAX
        if payment["state"] in _LIVE and payment["order"] not in orders and (late or payment["_id"] not in running):
            yield f"{payment['_id']}: {payment['state']}, without an order or a saga at work"
    for entry in reading.of("orders", "sandbox_ledger"):
        ours = known.get(entry["_id"])
        kept = entry["_id"] in running or (ours is not None and ours["order"] in orders)
        if entry["state"] in _LIVE and not kept:
            yield f"{entry['_id']}: {entry['state']} at the provider, and no order knows of it"


def sums(reading: Reading) -> Problems:
    for order in reading.of("orders", "orders"):
        rows = {row["kind"]: row["amount"]["m"] for row in order["totals"]}
        added = sum(tax["amount"]["m"] for tax in order["tax"] if not tax["included"])
        parts = sum(line["total"]["m"] for line in order["lines"]) + rows.get("FULFILMENT", 0) + added
        if not parts == rows["TOTAL"] == order["total"]["m"]:
            yield f"{order['_id']}: the parts are {parts}, the total row {rows['TOTAL']}, the total {order['total']['m']}"
        for line in order["lines"]:
            if line["unit"]["m"] * line["q"] != line["total"]["m"]:
                yield f"{order['_id']}: line {line['id']} is not its units"


def refunds(reading: Reading) -> Problems:
    for payment in reading.of("orders", "payments"):
        if not 0 <= payment["refunded"]["m"] <= payment["captured"]["m"] <= payment["authorized"]["m"]:
            yield f"{payment['_id']}: more given back, or taken, than was promised"


def points(reading: Reading) -> Problems:
    entries = _by(reading.of("loyalty", "ledger"), "acc")
    for account in reading.of("loyalty", "accounts"):
        own = sorted(entries.pop(account["_id"], []), key=lambda entry: entry["seq"])
        if [entry["seq"] for entry in own] != list(range(1, len(own) + 1)) or account["v"] != len(own):
            yield f"{account['_id']}: version {account['v']}, {len(own)} entries, or their numbers have gaps"
        told = account["bal"], account["pend"]
        counted = sum(entry["pts"] for entry in own), sum(entry["pend"] for entry in own)
        if told != counted:
            yield f"{account['_id']}: balance and pending are {told}, the entries add up to {counted}"
        earned: Counter[str] = Counter(entry["order"] for entry in own if entry["kind"] == "EARN_PENDING")
        for order, times in earned.items():
            net = sum(entry["pts"] for entry in own if entry.get("order") == order)
            if times > 1 or net < 0:
                yield f"{account['_id']}: {order} earned {times} times, {net} points in the end"
    for identity in sorted(entries):
        yield f"{identity}: entries, but no account"


def once(reading: Reading) -> Problems:
    for service in reading.rows:
        for record in reading.of(service, "idem"):
            if record["state"] not in ("DONE", "IN_FLIGHT"):
                yield f"{service} {record['_id']}: {record['state']}"
            elif record["state"] == "DONE" and record.get("payload") is None:
                yield f"{service} {record['_id']}: done, and nothing to replay"
    for field, what in (("origin", "origin"), ("number", "number")):
        for value, times in Counter(order[field] for order in reading.of("orders", "orders")).items():
            if times > 1:
                yield f"orders: {times} orders with the {what} {value}"
    for checkout, times in Counter(
        saga["checkout"] for saga in reading.of("orders", "sagas") if saga["progress"]["state"] == "COMPLETED"
    ).items():
        if times > 1:
            yield f"{checkout}: completed by {times} sagas"


def news(reading: Reading) -> Problems:
    last: dict[str, int] = {}
    for service in reading.rows:
        numbers = sorted(row["seq"] for row in reading.of(service, "outbox") if row.get("seq") is not None)
        lease = next(iter(reading.of(service, "outbox_relay")), None)
        last[service] = lease["seq"] if lease is not None else 0
        if numbers and numbers != list(range(numbers[0], last[service] + 1)):
            yield f"{service}: the outbox is numbered {numbers[0]} to {last[service]} with gaps, or twice"
    for service in _CONSUMERS:
        for cursor in reading.of(service, "inbox_cursors"):
            if cursor["_id"] in last and cursor.get("seq", 0) > last[cursor["_id"]]:
                yield f"{service}: has heard {cursor['seq']} events of {cursor['_id']}, which has told {last[cursor['_id']]}"
        for parked in reading.of(service, "inbox_parked"):
            yield f"{service}: {parked['_id']} was given up"


def swept(reading: Reading) -> Problems:
    for reservation in reading.of("inventory", "reservations"):
        if reservation["state"] == "HELD" and reservation["exp"] < reading.at - SWEPT_WITHIN:
            yield f"{reservation['_id']}: held, and expired at {reservation['exp'].isoformat()}"


def sagas_end(reading: Reading) -> Problems:
    """Not one of the sixteen, but what they rest on: nothing is stuck on its way."""
    for saga in _running(reading):
        if saga["started_at"] < reading.at - AUTHORIZED_MAX:
            yield f"{saga['_id']}: at work since {saga['started_at'].isoformat()}"


def _running(reading: Reading) -> list[Document]:
    return [saga for saga in reading.of("orders", "sagas") if saga["active"]]


def _by(rows: list[Document], field: str) -> defaultdict[str, list[Document]]:
    found: defaultdict[str, list[Document]] = defaultdict(list)
    for row in rows:
        found[row[field]].append(row)
    return found


@dataclass(frozen=True, slots=True)
class Invariant:
    number: str
    what: str
    facts: tuple[tuple[str, str], ...]
    """Service and collection of the documents that are counted as looked at."""
    check: Callable[[Reading], Problems]


INVARIANTS: Final = (
    Invariant("I1", "no more is promised than is there", (("inventory", "stock"),), signs),
    Invariant(
        "I2",
        "what is held is reserved, what is committed is allocated",
        (("inventory", "stock"), ("inventory", "reservations")),
        promised,
    ),
    Invariant("I3", "movements add up to levels", (("inventory", "movements"),), movements),
    Invariant(
        "I5",
        "an order is paid for once and has its stock, and the other way round",
        (("orders", "orders"), ("inventory", "reservations")),
        paid_and_held,
    ),
    Invariant(
        "I6",
        "no money is held without an order",
        (("orders", "payments"), ("orders", "sandbox_ledger")),
        money_without_order,
    ),
    Invariant("I7", "an order's total is the sum of its parts", (("orders", "orders"),), sums),
    Invariant("I8", "refunded is at most captured, captured at most authorized", (("orders", "payments"),), refunds),
    Invariant(
        "I9", "points add up, and are earned once an order", (("loyalty", "accounts"), ("loyalty", "ledger")), points
    ),
    Invariant("I13", "what was asked once was done once", (("orders", "idem"), ("inventory", "idem")), once),
    Invariant(
        "I14", "events are numbered without gaps and heard", (("orders", "outbox"), ("inventory", "outbox")), news
    ),
    Invariant("I15", "no hold outlives its expiry", (("inventory", "reservations"),), swept),
    Invariant("sagas", "no saga is stuck", (("orders", "sagas"),), sagas_end),
)
