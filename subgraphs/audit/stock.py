"""Stock: I1 (signs), I2 (what reservations hold), I3 (what movements add up to), I15 (holds that outlive their time)."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import timedelta

from subgraphs.audit.books import Books, Tally
from subgraphs.chassis.mongo import Document

SWEPT_WITHIN = timedelta(seconds=5)
_HELD = frozenset({"HELD", "COMMITTED", "RELEASED", "EXPIRED"})


def levels(books: Books, tally: Tally) -> None:
    """No figure below zero, no more promised than is there, but for levels a counter overdrew; ``free`` is the sum."""
    for level in tally.over(books.rows("inventory", "stock")):
        on, reserved, allocated, safety = level["on"], level["rsv"], level["alc"], level["saf"]
        tally.unless(
            min(reserved, allocated, safety, level.get("qua", 0)) >= 0, f"{level['_id']}: a figure is below zero"
        )
        if not level.get("neg"):
            tally.unless(on >= 0, f"{level['_id']}: on hand is {on}, and no counter said so")
            tally.unless(
                reserved + allocated <= on, f"{level['_id']}: {reserved} reserved and {allocated} allocated of {on}"
            )
        free = on - reserved - allocated - safety
        tally.unless(level["free"] == free, f"{level['_id']}: free is stored as {level['free']} and is {free}")


def holds(books: Books, tally: Tally) -> None:
    """Units of held reservations are reserved, units of committed ones allocated until they leave; nothing else is."""
    reserved, allocated = Counter[str](), Counter[str]()
    for reservation in tally.over(books.rows("inventory", "reservations")):
        tally.unless(reservation["state"] in _HELD, f"{reservation['_id']}: is {reservation['state']}")
        owed = {"HELD": reserved, "COMMITTED": allocated}.get(reservation["state"])
        if owed is not None:
            for line in reservation["lines"]:
                owed[_at(line)] += line["q"] - line.get("left", 0) - line.get("freed", 0)
    for level in books.rows("inventory", "stock"):
        held, owned = reserved.pop(level["_id"], 0), allocated.pop(level["_id"], 0)
        tally.unless(level["rsv"] == held, f"{level['_id']}: {level['rsv']} reserved, reservations hold {held}")
        tally.unless(level["alc"] == owned, f"{level['_id']}: {level['alc']} allocated, orders own {owned}")
    for identity in sorted(set(+reserved) | set(+allocated)):
        tally.unless(False, f"{identity}: reservations of a level that does not exist")


def movements(books: Books, tally: Tally) -> None:
    """Movements add up to levels, one for each version, and to what each reservation's state says."""
    rows = list(tally.over(books.rows("inventory", "movements")))
    of_level: defaultdict[str, list[Document]] = defaultdict(list)
    of_reservation: defaultdict[str, list[Document]] = defaultdict(list)
    for row in rows:
        of_level[_at(row)].append(row)
        if str(row.get("ref") or "").startswith("rsv_"):
            of_reservation[row["ref"]].append(row)
    for level in books.rows("inventory", "stock"):
        own = of_level.pop(level["_id"], [])
        for figure in ("on", "rsv", "alc", "qua"):
            told, stands = sum(row.get(figure, 0) for row in own), level.get(figure, 0)
            tally.unless(stands == told, f"{level['_id']}: {figure} is {stands}, movements say {told}")
        versions = sorted(row["v"] for row in own)
        tally.unless(
            versions == list(range(1, level["v"] + 1)),
            f"{level['_id']}: version {level['v']} after {len(own)} movements",
        )
    for identity in sorted(of_level):
        tally.unless(False, f"{identity}: movements of a level that does not exist")
    _of_reservations(books, of_reservation, tally)
    _of_returns(books, rows, tally)


def moved(books: Books, tally: Tally) -> None:
    """A transfer's movements are what its state says: nothing for a draft; what left; what came and what is missing."""
    rows: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for row in books.rows("inventory", "movements"):
        if row["cause"] in ("TRANSFER_OUT", "TRANSFER_IN", "VARIANCE"):
            rows[str(row["ref"])][f"{row['cause']} {row['sku']} {row['loc']}"] += row["on"]
    for transfer in tally.over(books.rows("inventory", "transfers")):
        wanted = Counter[str]()
        for line in transfer["lines"]:
            if transfer["state"] in ("IN_TRANSIT", "RECEIVED"):
                wanted[f"TRANSFER_OUT {line['sku']} {transfer['from']}"] -= line["q"]
            if transfer["state"] == "RECEIVED":
                wanted[f"TRANSFER_IN {line['sku']} {transfer['to']}"] += line["q"]
                if line["got"] != line["q"]:
                    wanted[f"VARIANCE {line['sku']} {transfer['to']}"] += line["got"] - line["q"]
        found = rows.pop(transfer["_id"], Counter[str]())
        tally.unless(
            dict(found) == dict(wanted),
            f"{transfer['_id']}: is {transfer['state']}, its movements are {dict(found)} and not {dict(wanted)}",
        )
    for identity in sorted(rows):
        tally.unless(False, f"{identity}: movements of a transfer that does not exist")


def lapsed(books: Books, tally: Tally) -> None:
    """No reservation is held for longer than the sweeper's five seconds beyond its time."""
    for reservation in books.rows("inventory", "reservations"):
        if reservation["state"] == "HELD":
            tally.facts += 1
            late = books.at - reservation["exp"]
            tally.unless(
                late <= SWEPT_WITHIN, f"{reservation['_id']}: held {late.total_seconds():.1f} s beyond its time"
            )


def _of_reservations(books: Books, moved: defaultdict[str, list[Document]], tally: Tally) -> None:
    """Each reservation took its units once, and gave them back or passed them on once; what was passed on left or was
    freed as its lines say: the movements under its name."""
    for reservation in books.rows("inventory", "reservations"):
        rows = moved.pop(reservation["_id"], [])
        wanted = Counter[str]()
        for line in reservation["lines"]:
            wanted[_at(line)] += line["q"]
        for cause, sign in (("HOLD", 1), (_END.get(reservation["state"]), -1)):
            taken = Counter[str]()
            for row in rows:
                if row["cause"] == cause:
                    taken[_at(row)] += sign * row["rsv"]
            tally.unless(
                cause is None or taken == wanted,
                f"{reservation['_id']}: is {reservation['state']}, its {cause} movements are {_shown(taken)}"
                f" and not {_shown(wanted)}",
            )
        for cause, count in (("GOODS_LEFT", "left"), ("GOODS_FREED", "freed")):
            gone, counted = Counter[str](), Counter[str]()
            for line in reservation["lines"]:
                counted[_at(line)] += line.get(count, 0)
            for row in rows:
                if row["cause"] == cause:
                    gone[_at(row)] -= row["alc"]
            tally.unless(
                +gone == +counted,
                f"{reservation['_id']}: {_shown(+counted)} {count}, its {cause} movements are {_shown(+gone)}",
            )
        ends = {row["cause"] for row in rows} & set(_END.values())
        tally.unless(
            ends <= {_END.get(reservation["state"])},
            f"{reservation['_id']}: is {reservation['state']} and has movements of {', '.join(sorted(ends))}",
        )
    for identity in sorted(moved):
        tally.unless(False, f"{identity}: movements of a reservation that does not exist")


def _of_returns(books: Books, rows: Iterable[Document], tally: Tally) -> None:
    """What came back with a return moved its levels once: to on hand if it is sold again, into quarantine otherwise."""
    moved, came = Counter[str](), Counter[str]()
    for row in rows:
        if row["cause"] == "RETURN":
            moved[f"{row['ref']} {_at(row)} on hand"] += row["on"]
            moved[f"{row['ref']} {_at(row)} quarantined"] += row.get("qua", 0)
    for goods in tally.over(books.rows("inventory", "returned")):
        identity, _, disposition = goods["_id"].split("|")
        came[f"{identity} {_at(goods)} {'on hand' if disposition == 'RESTOCK' else 'quarantined'}"] += goods["q"]
    for each in sorted(set(moved) | set(came)):
        tally.unless(moved[each] == came[each], f"{each}: {came[each]} came back, movements say {moved[each]}")


_END = {"COMMITTED": "COMMIT", "RELEASED": "RELEASE", "EXPIRED": "EXPIRE"}


def _at(row: Document) -> str:
    return f"{row['sku']}|{row['loc']}"


def _shown(units: Iterable[str] | Counter[str]) -> str:
    counted = Counter(units)
    return ", ".join(f"{count} of {identity}" for identity, count in sorted(counted.items())) or "none"
