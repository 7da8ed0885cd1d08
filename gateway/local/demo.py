"""``make demo``: a finite tour of a house of its own, every step checked. Exits non-zero at the first thing that is not true.

What belongs here: the story and what must hold in it. What does not: starting processes (``house``), speaking to them
(``client``).
"""

from __future__ import annotations

import asyncio
import json
import secrets
import shutil
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from gateway.local.client import AnswerHasErrors, HouseClient, first
from gateway.local.house import House, HouseSettings, ephemeral_ports
from gateway.local.processes import StartFailed

CONTEXT = {"channel": "web-eu", "currency": "EUR", "country": "DE"}
WHERE = {"channel": "web-eu", "near": {"lat": 52.52, "lng": 13.405}, "withinKm": 2000}
STAFF_SCOPES = ("inventory:read", "inventory:write", "pos:write", "orders:read", "customers:read", "loyalty:read")
EVENT_DEADLINE_S = 10.0


class Untrue(Exception):
    """Something the tour promised did not hold."""


@dataclass(slots=True)
class Tour:
    """What the steps hand on to each other."""

    house: House
    client: HouseClient
    schema: Path
    staff: str
    shopper: str = ""
    """The token of a customer who has bought before."""
    handle: str = ""
    sku: str = ""
    store: dict[str, Any] | None = None


def main(settings: HouseSettings, *, schema: Path) -> int:
    """A house of its own on free ports and an empty database, toured and taken down. Exit status 0 when all held."""
    console = Console(highlight=False)
    alone = replace(
        settings,
        data_directory=settings.data_directory / f"demo-{secrets.token_hex(4)}",
        ports=ephemeral_ports(),
        database_prefix=f"galleria_demo_{secrets.token_hex(4)}_",
        scale="tiny",
        restart=False,
        drop_at_end=settings.mongodb_uri is not None,
    )
    try:
        return asyncio.run(_tour(alone, schema, console))
    except StartFailed as failed:
        console.print(f"[red]The house did not start.[/] {failed}", markup=True)
    except Untrue as untrue:
        console.print(f"[red]Untrue:[/] {untrue}")
    except AnswerHasErrors as errors:
        console.print(f"[red]The graph answered with errors:[/] {errors}")
    finally:
        shutil.rmtree(alone.data_directory, ignore_errors=True)
    return 1


async def _tour(settings: HouseSettings, schema: Path, console: Console) -> int:
    began = time.monotonic()
    console.print("[bold]A tour of Galleria[/]")
    house = House(settings, say=lambda line: console.print(f"  {line}"))
    async with house:
        console.print(f"  five subgraphs and the gateway are up after {time.monotonic() - began:.1f} s")
        async with HouseClient(house.gateway_url, schema / "operations") as client:
            staff = await client.token("demo-staff", kind="staff", scopes=STAFF_SCOPES)
            tour = Tour(house=house, client=client, schema=schema, staff=staff)
            for number, step in enumerate(STEPS, start=1):
                at = time.monotonic()
                said = await step(tour)
                console.print(f"[green]✓[/] {number}. {said}  [dim]{(time.monotonic() - at) * 1000:.0f} ms[/]")
    console.print(f"[bold green]All {len(STEPS)} steps held[/] in {time.monotonic() - began:.1f} s.")
    return 0


async def compose(tour: Tour) -> str:
    """The subgraphs' printed schemas compose, and to the very file the gateway serves."""
    subgraphs = [
        {"name": file.stem, "url": f"http://127.0.0.1/{file.stem}", "sdl": file.read_text()}
        for file in sorted((tour.schema / "subgraphs").glob("*.graphql"))
    ]
    given = tour.house.settings.data_directory / "subgraphs.json"
    given.write_text(json.dumps(subgraphs))
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "gateway", "compose", "--subgraphs", str(given), "--format", "json"),
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await child.communicate()
    result = json.loads(output)
    _must(child.returncode == 0 and not result["errors"], f"composition failed: {result['errors']}")
    _must(result["api"] == (tour.schema / "api.graphql").read_text(), "schema/api.graphql is not what composes")
    types = sum(
        line.startswith(("type ", "interface ", "union ", "enum ", "input ")) for line in result["api"].split("\n")
    )
    return f"Composed {len(subgraphs)} subgraphs into one graph of {types} types"


async def product_page(tour: Tour) -> str:
    """One operation, five services, for a customer who is signed in."""
    tour.shopper = await _some_customer(tour)
    found = await tour.client.data(
        "query($c: PriceContextInput!) { searchProducts(context: $c, first: 20) {"
        " edges { node { handle variants(first: 1) { edges { node { sku } } } } } } }",
        {"c": CONTEXT},
    )
    document = tour.client.document("product_page")
    plan = await tour.client.plan(document, token=tour.shopper)
    for edge in found["searchProducts"]["edges"]:
        variables = {"handle": edge["node"]["handle"], "price": CONTEXT, "where": WHERE, "signedIn": True}
        page = (await tour.client.data(document, variables, token=tour.shopper))["product"]
        variant = page["variants"]["edges"][0]["node"]
        if page["recommendations"] and variant["price"] and variant["availability"]["status"] == "IN_STOCK":
            break
    else:
        raise Untrue("no product has a price, stock and recommendations")
    tour.handle, tour.sku = page["handle"], variant["sku"]
    _must(isinstance(variant["pointsEarned"], int), "loyalty left the page without points")
    _must(isinstance(variant["myPurchases"], list), "orders left the page without the shopper's purchases")
    _must(
        plan["fetches"] <= 6 and plan["depth"] <= 3,
        f"the plan grew to {plan['fetches']} fetches, {plan['depth']} rounds",
    )
    price = variant["price"]["current"]
    return (
        f"“{page['title']}” from five services in {plan['fetches']} fetches, {plan['depth']} rounds:"
        f" {price['amount']} {price['currency']}, {variant['pointsEarned']} points, {len(page['recommendations'])} recommendations"
    )


async def watch_a_sale(tour: Tour) -> str:
    """A register sells one; who watches the product sees it."""
    stores = await tour.client.data("{ locations(kinds: [STORE], first: 50) { edges { node { id code name } } } }")
    levels = await tour.client.data(
        "query($skus: [String!]!) { stockLevels(skus: $skus, first: 50) { edges { node { location { id } onHand } } } }",
        {"skus": [tour.sku]},
        token=tour.staff,
    )
    on_hand = {edge["node"]["location"]["id"]: edge["node"]["onHand"] for edge in levels["stockLevels"]["edges"]}
    tour.store = next(
        (edge["node"] for edge in stores["locations"]["edges"] if on_hand.get(edge["node"]["id"], 0) >= 1), None
    )
    _must(tour.store is not None, f"no store has {tour.sku}")
    watch = {"skus": [tour.sku], "where": WHERE}
    document = tour.client.document("live_availability").replace("quantityBand\n", "quantityBand availableToSell\n", 1)
    async with tour.client.subscribe(document, watch, token=tour.staff) as events:
        snapshot = (await first(events, within_s=EVENT_DEADLINE_S))["data"]["availabilityChanged"]
        _must(snapshot["kind"] == "SNAPSHOT", f"the stream began with {snapshot['kind']}")
        before = snapshot["availability"][0]
        _must(bool(before["variant"]["product"]["title"]), "the event carries no catalog fields")
        sold_at = time.monotonic()
        await sell(tour, tour.sku, quantity=1)
        while True:
            event = (await first(events, within_s=EVENT_DEADLINE_S))["data"]["availabilityChanged"]
            if event["kind"] == "DELTA":
                break
        lag = (time.monotonic() - sold_at) * 1000
    after = event["availability"][0]
    _must(
        after["availableToSell"] == before["availableToSell"] - 1,
        f"{before['availableToSell']} became {after['availableToSell']} after one sale",
    )
    return (
        f"A register in {tour.store['name'] if tour.store else ''} sold one {tour.sku}: watchers saw"
        f" {before['availableToSell']} → {after['availableToSell']}, {lag:.0f} ms after the sale was sent"
    )


async def last_unit(tour: Tour) -> str:
    """Two buyers, one unit: one order, one typed refusal."""
    levels = await tour.client.data(
        "query($skus: [String!]!) { stockLevels(skus: $skus, first: 50) { edges { node { location { id kind } atp } } } }",
        {"skus": [tour.sku]},
        token=tour.staff,
    )
    found = [edge["node"] for edge in levels["stockLevels"]["edges"]]
    kept = next(level for level in found if level["location"]["kind"] == "WAREHOUSE")
    for level in found:
        delta = (1 if level is kept else 0) - level["atp"]
        if delta:
            await adjust(tour, level["location"]["id"], delta)
    outcomes = await asyncio.gather(*(buy(tour, tour.sku, buyer) for buyer in ("first", "second")))
    refusals = [outcome for outcome in outcomes if outcome in ("OutOfStock", "InsufficientStock")]
    orders = [outcome for outcome in outcomes if outcome not in refusals and "-" in outcome]
    _must(len(orders) == 1 and len(refusals) == 1, f"two buyers of one unit got {outcomes}")
    return f"The last {tour.sku}, bought twice at once: order {orders[0]} and one {refusals[0]}"


async def ledger(tour: Tour) -> str:
    """Every level is the sum of its movements; every hold is a reservation's."""
    audit = (await tour.client.data("{ inventoryAudit { ok problems levels movements } }", token=tour.staff))[
        "inventoryAudit"
    ]
    _must(audit["ok"], f"the ledger does not balance: {audit['problems'][:3]}")
    return f"The ledger balances: {audit['levels']} levels are the sums of {audit['movements']} movements"


async def degrade(tour: Tour) -> str:
    """Loyalty is killed: the rest of the page stays; started again, the page heals."""
    document = tour.client.document("product_page")
    variables = {"handle": tour.handle, "price": CONTEXT, "where": WHERE, "signedIn": False}
    await tour.house.kill("loyalty")
    answer = await tour.client.ask(document, variables)
    product = (answer.get("data") or {}).get("product")
    _must(product is not None and bool(answer.get("errors")), "a page without loyalty must keep the rest and say so")
    assert product is not None
    _must(product["variants"]["edges"][0]["node"]["price"] is not None, "the price went with loyalty")
    await tour.house.revive("loyalty")
    deadline = time.monotonic() + EVENT_DEADLINE_S
    while (await tour.client.ask(document, variables)).get("errors"):
        _must(time.monotonic() < deadline, "the page did not heal after loyalty came back")
    return "Loyalty killed with kill -9: the page kept its price and stock; started again, the page was whole"


STEPS: tuple[Callable[[Tour], Awaitable[str]], ...] = (compose, product_page, watch_a_sale, last_unit, ledger, degrade)


async def _some_customer(tour: Tour) -> str:
    """The token of the first customer who has a loyalty card."""
    for number in range(1, 100):
        found = await tour.client.data(
            "query($card: String!) { customerLookup(loyaltyNumber: $card) { id } }",
            {"card": f"L{number:07d}"},
            token=tour.staff,
        )
        if found["customerLookup"] is not None:
            identity = found["customerLookup"]["id"]
            return await tour.client.token(f"shopper-{number}", customer_id=identity)
    raise Untrue("nobody has a loyalty card")


async def sell(tour: Tour, sku: str, *, quantity: int) -> None:
    """One receipt at the tour's store."""
    assert tour.store is not None
    price = {"minor": 1000, "currency": "EUR"}
    paid = {"minor": 1000 * quantity, "currency": "EUR"}
    receipt = f"D{secrets.token_hex(6)}"
    sale = {
        "locationId": tour.store["id"],
        "registerId": f"{tour.store['code']}-demo",
        "receiptNo": receipt,
        "occurredAt": datetime.now(UTC).isoformat(),
        "lines": [{"sku": sku, "quantity": quantity, "unitPrice": price}],
        "tenders": [{"kind": "CASH", "amount": paid}],
    }
    answer = await tour.client.data(
        tour.client.document("pos_sale"), {"input": sale, "key": f"demo-{receipt}"}, token=tour.staff
    )
    errors = answer["posOrderRecord"]["errors"]
    _must(not errors, f"the register's sale was refused: {errors}")


async def adjust(tour: Tour, location_id: str, delta: int) -> None:
    answer = await tour.client.data(
        "mutation($i: StockAdjustInput!, $k: IdempotencyKey!) { stockAdjust(input: $i, idempotencyKey: $k) {"
        " errors { __typename ... on UserError { message } } } }",
        {
            "i": {"locationId": location_id, "sku": tour.sku, "delta": delta, "reason": "demo"},
            "k": tour.client.fresh_key("demo-adjust"),
        },
        token=tour.staff,
    )
    _must(not answer["stockAdjust"]["errors"], f"the adjustment was refused: {answer['stockAdjust']['errors']}")


async def buy(tour: Tour, sku: str, buyer: str) -> str:
    """A whole purchase. Returns the order's number, or the ``__typename`` of the refusal."""
    client = tour.client
    opened = (
        await client.data(
            client.document("checkout_create"),
            {
                "input": {
                    "channel": "web-eu",
                    "currency": "EUR",
                    "email": f"{buyer}@example.com",
                    "lines": [{"sku": sku, "quantity": 1}],
                },
                "key": client.fresh_key("open"),
            },
        )
    )["checkoutCreate"]
    if opened["errors"]:
        return str(opened["errors"][0]["__typename"])
    address = {"name": buyer, "line1": "1 Market Street", "city": "Berlin", "postalCode": "10115", "country": "DE"}
    session = opened["checkout"]
    addressed = (
        await client.data(
            client.document("checkout_update"),
            {
                "id": session["id"],
                "version": session["version"],
                "input": {"address": address, "method": "SHIP"},
                "key": client.fresh_key("address"),
            },
        )
    )["checkoutUpdate"]
    if addressed["errors"]:
        return str(addressed["errors"][0]["__typename"])
    total = next(line["amount"] for line in addressed["checkout"]["totals"] if line["kind"] == "TOTAL")
    done = (
        await client.data(
            client.document("checkout_complete"),
            {
                "id": session["id"],
                "input": {
                    "payment": {"provider": "sandbox", "token": "tok_ok"},
                    "expectedTotal": {"minor": total["minor"], "currency": total["currency"]},
                },
                "key": client.fresh_key("complete"),
            },
        )
    )["checkoutComplete"]
    if done["errors"]:
        return str(done["errors"][0]["__typename"])
    return str(done["order"]["number"])


def _must(holds: bool, otherwise: str) -> None:
    if not holds:
        raise Untrue(otherwise)
