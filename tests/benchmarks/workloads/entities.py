"""Entities straight from each subgraph: what a request costs it, and what a representation more.

A gateway asks a subgraph little else. The requests are such as it sends, by hand: one field or few of 1, 10 and 100
entities. The cost of a representation is the slope between 10 and 100, that of a request what is left of 10 without it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from subgraphs.chassis.identity import ANONYMOUS, Principal
from tests.benchmarks.load import Ask, compare
from tests.benchmarks.results import Cell, Table
from tests.benchmarks.site import Site
from tests.kit.running_house import CONTEXT, WHERE

COUNTS = (1, 10, 100)
CONNECTIONS = 4
REQUESTS = 240
"""At most, of each kind and count."""
EARN_BASIS = {"minor": 4999, "currency": "EUR", "categorySlug": "boots"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    subgraph: str
    type_name: str
    key: str
    selection: str
    variables: Mapping[str, tuple[str, Any]] = field(default_factory=dict)
    """Name → type and value."""
    required: Mapping[str, Any] = field(default_factory=dict)
    principal: Principal = ANONYMOUS

    def body(self, keys: list[str]) -> bytes:
        declared = "".join(f", ${name}: {type_name}" for name, (type_name, _) in self.variables.items())
        representations = [{"__typename": self.type_name, self.key: each, **self.required} for each in keys]
        return orjson.dumps(
            {
                "query": f"query($representations: [_Any!]!{declared}) {{ _entities(representations: $representations)"
                f" {{ ... on {self.type_name} {{ {self.selection} }} }} }}",
                "variables": {
                    "representations": representations,
                    **{name: value for name, (_, value) in self.variables.items()},
                },
            }
        )


KINDS = (
    Kind(subgraph="catalog", type_name="ProductVariant", key="sku", selection="title"),
    Kind(subgraph="catalog", type_name="Product", key="id", selection="title handle media { url }"),
    Kind(
        subgraph="catalog",
        type_name="ProductVariant",
        key="sku",
        selection="price(context: $price) { current { amount currency } }",
        variables={"price": ("PriceContextInput!", CONTEXT)},
    ),
    Kind(
        subgraph="inventory",
        type_name="ProductVariant",
        key="sku",
        selection="availability(input: $where) { status quantityBand version }",
        variables={"where": ("AvailabilityInput!", WHERE)},
    ),
    Kind(
        subgraph="orders",
        type_name="ProductVariant",
        key="sku",
        selection="myPurchases(first: 1) { at quantity }",
        principal=Principal("bench", "customer", customer_id="cus_bench"),
    ),
    Kind(
        subgraph="customers",
        type_name="Product",
        key="id",
        selection="recommendations(first: 6) { reason product { id } }",
    ),
    Kind(
        subgraph="loyalty",
        type_name="ProductVariant",
        key="sku",
        selection="pointsEarned",
        required={"earnBasis": EARN_BASIS},
    ),
)


async def measure(site: Site) -> tuple[Table, ...]:
    keys = await _keys(site)
    rows: list[tuple[Cell, ...]] = []
    for kind in KINDS:
        site.say(f"entities of {kind.subgraph}: {kind.selection}")
        known = keys[kind.type_name]
        asks: dict[str, Ask] = {}
        for count in COUNTS:
            bodies = [kind.body([known[(at * count + each) % len(known)] for each in range(count)]) for at in range(16)]

            async def ask(number: int, kind: Kind = kind, bodies: list[bytes] = bodies) -> None:
                headers = site.direct.headers(kind.principal)
                url = f"{site.house.subgraph_url(kind.subgraph)}/graphql"
                await site.client.post(url, bodies[number % len(bodies)], headers)

            asks[str(count)] = ask
        loads = await compare(asks, connections=CONNECTIONS, requests=REQUESTS, processes=site.processes)
        ms = {count: loads[str(count)].cpu_ms(kind.subgraph) for count in COUNTS}
        slope = (ms[100] - ms[10]) / 90
        rows.append(
            (kind.subgraph, f"{kind.type_name} {{ {kind.selection} }}", *ms.values(), ms[10] - 10 * slope, slope * 1000)
        )
    return (
        Table(
            name="entities",
            title="Entities, straight from each subgraph",
            note=f"CPU of the subgraph's process for a request with so many representations, {CONNECTIONS} requests at"
            " once, each of other entities as far as there are others. All keys of a request are one query a collection."
            " A representation is the slope from 10 to 100, a request what is left of 10. A running subgraph says the"
            " same of itself at `/metrics`: `process_cpu_seconds_total`, `galleria_request_seconds_count`,"
            " `galleria_representations_total`.",
            columns=(
                "subgraph",
                "entity",
                *(f"{count} CPU ms" for count in COUNTS),
                "a request ms",
                "a representation µs",
            ),
            rows=tuple(rows),
        ),
    )


async def _keys(site: Site) -> dict[str, list[str]]:
    """Everything of the tiny catalog that can be found."""
    found = await site.client.data(
        "query($c: PriceContextInput!) { searchProducts(context: $c, first: 50) { edges { node {"
        " id variants(first: 100) { edges { node { sku } } } } } } }",
        {"c": CONTEXT},
    )
    products = [edge["node"] for edge in found["searchProducts"]["edges"]]
    skus = [edge["node"]["sku"] for each in products for edge in each["variants"]["edges"]]
    return {"Product": [each["id"] for each in products], "ProductVariant": skus}
