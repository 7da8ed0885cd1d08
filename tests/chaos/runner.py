"""One run, from an empty database to the verdict."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from subgraphs.audit.books import Books
from subgraphs.audit.invariants import unrest
from tests.chaos.faults import VICTIMS, Kill, Trouble, draw
from tests.chaos.site import LINKS, Site, site
from tests.chaos.traffic import PATIENCE_S, Shop, trade
from tests.chaos.verdict import Verdict, judge
from tests.kit import shop as moves
from tests.kit.running_house import STAFF_SCOPES

SETTLED_WITHIN_S = 150.0
"""A minute to be sure that the provider never heard of a payment, a lease of 20 s, and the last retries."""
PLENTIFUL, SCARCE = 8, 4
UNITS_PLENTIFUL, UNITS_SCARCE = 10_000, 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to run."""

    seed: int = 1
    seconds: float = 60.0
    per_second: float = 6.0
    victims: Sequence[str] = VICTIMS
    links: Sequence[str] = LINKS
    patience_s: float = PATIENCE_S
    slow_payments: bool = True


async def run(plan: Plan, folder: Path, say: Callable[[str], None]) -> Verdict:
    """Runs it. Processes write their logs to ``folder / "logs"``."""
    schedule = draw(plan.seed, plan.seconds, plan.links, plan.victims)
    say(f"seed {plan.seed}, {plan.seconds:.0f} s, {plan.per_second:.1f} visits a second")
    for line in schedule.lines():
        say(line)
    async with site(folder, schedule, plan.seed) as running, running.client() as client:
        shop = await _opened(running, client, plan)
        began = time.monotonic()
        async with asyncio.TaskGroup() as group:
            group.create_task(trade(shop, plan.seed, plan.per_second, plan.seconds))
            group.create_task(_kill(running, schedule.kills, began))
            group.create_task(_trouble(running, schedule.troubles, began))
        say("the last buyer has left; waiting until nothing is under way")
        closed = time.monotonic()
        await running.all_up()
        books, waiting = await _settled(running)
        settled_s = time.monotonic() - closed
        findings, violations = judge(books, shop.trails)
        harm: Counter[str] = Counter()
        for proxy in running.proxies.values():
            harm.update({kind.value: count for kind, count in proxy.done.items()})
        return Verdict(
            seconds=plan.seconds,
            trails=tuple(shop.trails),
            kills=schedule.kills,
            harm=dict(harm),
            settled_s=settled_s,
            undecided=dict(shop.undecided),
            findings=findings,
            violations=(
                *violations,
                *(f"stuck {text}" for text in waiting),
                *(f"died by itself: {text}" for text in running.died),
            ),
        )


async def _opened(running: Site, client: Any, plan: Plan) -> Shop:
    """Tokens for everybody, and a few things to sell: plenty of most, too little of some."""
    staff = await client.token("chaos-staff", kind="staff", scopes=STAFF_SCOPES)
    variants = [await moves.some_variant(client, skip=number) for number in range(PLENTIFUL + SCARCE)]
    for number, variant in enumerate(variants):
        units = UNITS_PLENTIFUL if number < PLENTIFUL else UNITS_SCARCE
        await moves.set_sellable(client, staff, variant["sku"], units)
    accounts = (await running.books()).rows("loyalty", "accounts")
    customers = [await client.token(f"chaos-{account['cus']}", customer_id=account["cus"]) for account in accounts[:8]]
    levels = await moves.levels(client, staff, variants[0]["sku"])
    store = next(level["location"] for level in levels if level["location"]["kind"] == "STORE")
    return Shop(
        client=client,
        customers=customers,
        staff=staff,
        skus=[variant["sku"] for variant in variants],
        store=store,
        slow_payments=plan.slow_payments,
        patience_s=plan.patience_s,
    )


async def _kill(running: Site, kills: Sequence[Kill], began: float) -> None:
    for kill in kills:
        await asyncio.sleep(max(0.0, began + kill.at_s - time.monotonic()))
        await running.kill(kill.victim)
        await asyncio.sleep(kill.down_s)
        await running.revive(kill.victim)


async def _trouble(running: Site, troubles: Sequence[Trouble], began: float) -> None:
    for trouble in troubles:
        await asyncio.sleep(max(0.0, began + trouble.at_s - time.monotonic()))
        proxy = running.proxies[trouble.link]
        proxy.fault = trouble.fault
        await asyncio.sleep(trouble.lasts_s)
        proxy.fault = None


async def _settled(running: Site) -> tuple[Books, tuple[str, ...]]:
    """The books once nothing is under way, or what still is at the deadline. There is no event to wait for: what ends
    last may be in any of six processes."""
    deadline = time.monotonic() + SETTLED_WITHIN_S
    while True:
        books = await running.books_if_any()
        if books is not None:
            waiting = (*unrest(books), *_overdue(books))
            if not waiting or time.monotonic() > deadline:
                return books, waiting
        assert time.monotonic() < deadline, "the database cannot be read"
        await asyncio.sleep(0.3)


def _overdue(books: Books) -> list[str]:
    """Short holds whose time is over: the sweeper will take them back."""
    return [
        f"{row['_id']}: held, and its time is over"
        for row in books.rows("inventory", "reservations")
        if row["state"] == "HELD" and row["exp"] <= books.at
    ]
