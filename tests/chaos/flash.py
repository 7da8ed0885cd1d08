"""The flash sale: thousands race for a few hundred units of one SKU through the whole house, and the books are read after.

``make flash-sale``: buyers arrive evenly over some seconds, each opens a checkout with all it needs (the decision: held, or out
of stock) and, if it is held, pays. Every one must have its decision, exactly as many orders as units must be complete, no
loser may have been charged, and the independent audit must find nothing. What belongs here: the race and its report. What
does not: making things fail (``runner``).
"""

from __future__ import annotations

import argparse
import asyncio
import os
import secrets
import sys
import tempfile
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from subgraphs.audit.books import read
from subgraphs.audit.invariants import audit, unrest
from subgraphs.chassis.http_client.connection import Wanted
from subgraphs.chassis.http_client.deadlines import Deadlines
from subgraphs.chassis.http_client.pool import Pool
from subgraphs.chassis.http_client.request_head import read_url
from subgraphs.chassis.mongo import Mongo
from tests.kit import shop
from tests.kit.running_house import STAFF_SCOPES, RunningHouse

REST_S = 60
PATIENCE_S = 120
PAUSE_S = 0.5
CONNECTIONS_MAX = 256


@dataclass
class Race:
    """What came of it. Times are seconds, from a buyer's arrival."""

    buyers: int
    units: int
    seconds: float
    decided: list[float] = field(default_factory=list)
    bought: list[float] = field(default_factory=list)
    outcomes: Counter[str] = field(default_factory=Counter)
    cpu: dict[str, float] = field(default_factory=dict)
    began: float = 0.0
    all_decided_s: float = 0.0
    all_bought_s: float = 0.0
    """From the first arrival."""
    wrong: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        cpu = ", ".join(f"{name} {used:.1f}" for name, used in sorted(self.cpu.items(), key=lambda one: -one[1]))
        return [
            f"{self.buyers} buyers, {self.units} units, arriving over {self.seconds:g} s",
            f"all decided after {self.all_decided_s:.1f} s, all bought after {self.all_bought_s:.1f} s",
            f"outcomes: {dict(self.outcomes)}",
            f"decision: p50 {_at(self.decided, 0.5):.2f} s, p99 {_at(self.decided, 0.99):.2f} s",
            f"purchase: p50 {_at(self.bought, 0.5):.2f} s, p99 {_at(self.bought, 0.99):.2f} s",
            f"CPU seconds: {cpu}",
            *(f"WRONG: {line}" for line in self.wrong or ()),
            "The books are sound." if not self.wrong else "",
        ]


class Buyers:
    """The buyers' way to the gateway, by the house's own HTTP client: two thousand by httpx would take more of the machine
    than the sale itself does."""

    def __init__(self, house: RunningHouse) -> None:
        headers = {"content-type": "application/json", "accept": "application/graphql-response+json"}
        target = read_url(f"{house.house.gateway_url}/graphql", headers)
        assert target is not None, "the house is on plain HTTP"
        self._head = target.head
        self._deadlines = Deadlines()
        wanted = Wanted((b"application/",), 1_000_000)
        self._pool = Pool(target.host, target.port, wanted, self._deadlines, connections_max=CONNECTIONS_MAX)

    async def ask(self, document: str, field: str, variables: dict[str, Any]) -> dict[str, Any]:
        """The payload of a mutation, asked for again under its key while it is still being worked on."""
        body = orjson.dumps({"query": document, "variables": variables})
        request = b"%bcontent-length: %d\r\n\r\n%b" % (self._head, len(body), body)
        async with asyncio.timeout(PATIENCE_S):
            while True:
                answer = orjson.loads((await self._pool.ask(request, PATIENCE_S)).body)
                payload: dict[str, Any] | None = (answer.get("data") or {}).get(field)
                if payload is not None and all(error["__typename"] != "RequestInFlight" for error in payload["errors"]):
                    return payload
                errors = answer.get("errors", ())
                assert all(error["extensions"]["code"] == "SUBGRAPH_TIMEOUT" for error in errors), errors
                await asyncio.sleep(PAUSE_S)

    def close(self) -> None:
        self._pool.close()
        self._deadlines.close()


async def race(house: RunningHouse, buyers: int, units: int, seconds: float, skip: int = 3) -> Race:
    """One sale in a running house."""
    found = Race(buyers, units, seconds)
    async with house.client() as client:
        staff = await client.token("flash-staff", kind="staff", scopes=STAFF_SCOPES)
        sku = (await shop.some_variant(client, skip=skip))["sku"]
        await shop.set_sellable(client, staff, sku, units)
        documents = client.document("checkout_create"), client.document("checkout_complete")
        before = _cpu(house)
        found.began = time.monotonic()
        with closing(Buyers(house)) as way:
            async with asyncio.TaskGroup() as group:
                for number in range(buyers):
                    group.create_task(_buy(way, documents, sku, found, found.began + seconds * number / buyers))
        found.cpu = {name: used - before.get(name, 0.0) for name, used in _cpu(house).items()}
    await _read_books(house, sku, found)
    return found


async def _buy(way: Buyers, documents: tuple[str, str], sku: str, race: Race, at: float) -> None:
    await asyncio.sleep(max(0.0, at - time.monotonic()))
    began, one = time.monotonic(), secrets.token_hex(8)
    wanted: dict[str, Any] = {
        "channel": "web-eu",
        "currency": "EUR",
        "email": f"{one}@example.com",
        "lines": [{"sku": sku, "quantity": 1}],
        "address": shop.ADDRESS,
        "method": "SHIP",
    }
    create, complete = documents
    opened = await way.ask(create, "checkoutCreate", {"key": one, "input": wanted})
    race.all_decided_s = time.monotonic() - race.began
    race.decided.append(time.monotonic() - began)
    if opened["errors"]:
        race.outcomes[opened["errors"][0]["__typename"]] += 1
        return
    total = next(row["amount"] for row in opened["checkout"]["totals"] if row["kind"] == "TOTAL")
    given = {
        "payment": {"provider": "sandbox", "token": "tok_ok"},
        "expectedTotal": {"minor": total["minor"], "currency": total["currency"]},
    }
    paid = {"id": opened["checkout"]["id"], "key": f"pay-{one}", "input": given}
    done = await way.ask(complete, "checkoutComplete", paid)
    while not (done["order"] or done["errors"]):
        # It takes longer than a client is kept waiting: the same key asks what has become of it.
        done = await way.ask(complete, "checkoutComplete", paid)
    race.all_bought_s = time.monotonic() - race.began
    race.bought.append(time.monotonic() - began)
    race.outcomes[done["errors"][0]["__typename"] if done["errors"] else "order"] += 1


async def _read_books(house: RunningHouse, sku: str, race: Race) -> None:
    """Waits until all is at rest, then holds the databases to what the buyers were told."""
    async with await Mongo.connect(house.house.mongodb_uri) as mongo:
        prefix = house.house.settings.database_prefix
        async with asyncio.timeout(REST_S):
            while unrest(books := await read(mongo, prefix)):
                await asyncio.sleep(0.2)
    race.wrong += [f"{finding.number} {text}" for finding in audit(books) for text in finding.violations]
    orders = [row for row in books.rows("orders", "orders") if any(line["sku"] == sku for line in row["lines"])]
    sold = [row for row in orders if row["origin"].startswith("checkout:")]
    if race.outcomes["order"] != race.units or len(sold) < race.units:
        race.wrong.append(f"{race.outcomes['order']} orders were told, {len(sold)} are there, of {race.units} units")
    if sum(race.outcomes.values()) != race.buyers:
        race.wrong.append(f"of {race.buyers} buyers not all were answered: {dict(race.outcomes)}")
    known = {row["_id"] for row in books.rows("orders", "orders")}
    for payment in books.rows("orders", "payments"):
        if payment["state"] in ("AUTHORIZED", "CAPTURED") and payment["order"] not in known:
            race.wrong.append(f"{payment['_id']} was charged and has no order")


def _cpu(house: RunningHouse) -> dict[str, float]:
    """CPU seconds of each process of the house so far, of its database's server, and of the buyers here."""
    mine = str(os.getpid())
    names = {process.pid: name for name, process in house.house.processes.items()}
    found = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # It has ended meanwhile.
        pid = stat.parent.name
        if pid == mine or fields[1] == mine:
            found[names.get(int(pid), "MongoDB") if pid != mine else "the buyers"] = (
                int(fields[11]) + int(fields[12])
            ) / 100
    return found


def _at(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.chaos.flash", description="A flash sale, and the books after it."
    )
    parser.add_argument("--buyers", type=int, default=2_000)
    parser.add_argument("--units", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=15.0, help="over which they arrive")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="galleria-flash-") as folder:
        house = RunningHouse(Path(folder))
        house.start()
        try:
            found = asyncio.run(race(house, asked.buyers, asked.units, asked.seconds))
        finally:
            house.stop()
    print("\n".join(found.lines()))
    return 1 if found.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
