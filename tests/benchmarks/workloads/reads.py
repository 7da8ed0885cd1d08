"""Queries through the gateway beside the same subgraph requests without it: the product page, and one field of one subgraph.

Requests under way at once ask different things, because the gateway shares equal fetches that are under way at the
same time and the direct requests do not; what that sharing saves stands in rows of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.benchmarks.load import Ask, Load, compare
from tests.benchmarks.results import Cell, Table
from tests.benchmarks.site import Site
from tests.kit.running_house import CONTEXT, WHERE

CONNECTIONS = (1, 16)


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """One operation and the different things that it asks."""

    name: str
    document: str
    variables: tuple[dict[str, Any], ...]
    requests: int
    """How often, at most, with each number of connections."""


async def measure(site: Site) -> tuple[Table, ...]:
    rows: list[tuple[Cell, ...]] = []
    by_process: list[tuple[Cell, ...]] = []
    for read in await _reads(site):
        recorded = [await site.direct.rounds(read.document, each) for each in read.variables]
        await _check(site, read, [answer for _, answer in recorded])
        rounds = [requests for requests, _ in recorded]
        fetches, depth = max(sum(map(len, each)) for each in rounds), max(map(len, rounds))
        for connections in CONNECTIONS:
            name = f"{read.name} ({fetches} fetch{'es'[: 2 * (fetches > 1)]}, {depth} round{'s'[: depth > 1]})"
            site.say(f"{name}, {connections} at once")

            async def through(number: int, read: Read = read) -> None:
                await site.client.data(read.document, read.variables[number % len(read.variables)])

            async def same(_number: int, read: Read = read) -> None:
                await site.client.data(read.document, read.variables[0])

            async def direct(number: int, rounds: list[Any] = rounds) -> None:
                await site.direct.replay(site.client, rounds[number % len(rounds)])

            asks: dict[str, Ask] = {"through the gateway": through, "straight to the subgraphs": direct}
            if connections > 1:
                asks["through the gateway, all ask the same"] = same
            loads = await compare(asks, connections=connections, requests=read.requests, processes=site.processes)
            for way, load in loads.items():
                rows.append(_row(site, name, way, load))
                by_process.append((name, connections, way, *(load.cpu_ms(each) for each in site.processes)))
            rows.append(_ratio(site, name, loads["through the gateway"], loads["straight to the subgraphs"]))
    return (
        Table(
            name="reads",
            title="Reads",
            note="Asked by nobody who is signed in. CPU is per request, and all CPU is that of gateway, subgraphs and database together. Straight to the"
            " subgraphs means the documents and representations of the gateway's own plan, sent by the client in the same"
            " rounds to the same subgraphs, in alternating slices of the same run; the ratio is gateway / straight. With"
            " 16 at once each asks something else, except in the row that shows what equal requests save by sharing the"
            " fetches under way. Straight requests leave the gateway's core idle, so their requests/s are those of fewer"
            " cores.",
            columns=(
                *("query", "at once", "way", "requests", "requests/s", "p50 ms", "p99 ms"),
                *("gateway CPU ms", "all CPU ms"),
            ),
            rows=tuple(rows),
        ),
        Table(
            name="reads by process",
            title="Reads: CPU of each process",
            note="Milliseconds per request, of the same requests.",
            columns=("query", "at once", "way", *site.processes),
            rows=tuple(by_process),
        ),
    )


async def _reads(site: Site) -> tuple[Read, ...]:
    """The whole tiny catalog, as far as it can be asked for."""
    found = await site.client.data(
        "query($c: PriceContextInput!) { searchProducts(context: $c, first: 50) { edges { node {"
        " handle variants(first: 1) { edges { node { sku } } } } } } }",
        {"c": CONTEXT},
    )
    products = [edge["node"] for edge in found["searchProducts"]["edges"]]
    skus = [edge["node"]["sku"] for each in products for edge in each["variants"]["edges"]]
    assert len(products) > max(CONNECTIONS) < len(skus), "fewer things to ask for than requests at once"
    return (
        Read(
            name="title of a variant",
            document="query Title($sku: String!) { variant(sku: $sku) { title } }",
            variables=tuple({"sku": sku} for sku in skus),
            requests=600,
        ),
        Read(
            name="product page",
            document=site.client.document("product_page"),
            variables=tuple(
                {"handle": each["handle"], "price": CONTEXT, "where": WHERE, "signedIn": False} for each in products
            ),
            requests=180,
        ),
    )


async def _check(site: Site, read: Read, expected: list[dict[str, Any]]) -> None:
    """The gateway runs the plan that was written down, and gives the answers that it gave."""
    theirs = (await site.client.plan(read.document))["plan"]["fetches"]
    ours = (await site.direct.plan(read.document)).plan.fetches
    assert [each["document"] for each in theirs] == [each.document for each in ours], "the gateway plans otherwise"
    for variables, answer in zip(read.variables, expected, strict=True):
        assert all(value is not None for value in answer.values()), f"nothing found for {variables}"
        through = await site.client.data(read.document, variables)
        different = sorted(_differences(_timeless(through), _timeless(answer)))
        assert not different, f"another answer through the gateway for {variables}, at {different[:5]}"


def _timeless(answer: Any) -> Any:
    """Without what depends on the moment of asking: a quote is signed with its time, a promise counts from now."""
    match answer:
        case dict():
            return {key: _timeless(value) for key, value in answer.items() if key not in MOMENTARY}
        case list():
            return [_timeless(each) for each in answer]
        case _:
            return answer


def _differences(one: Any, other: Any, at: str = "") -> Iterator[str]:
    match one, other:
        case dict(), dict() if one.keys() == other.keys():
            for key in one:
                yield from _differences(one[key], other[key], f"{at}.{key}")
        case list(), list() if len(one) == len(other):
            for number, (left, right) in enumerate(zip(one, other, strict=True)):
                yield from _differences(left, right, f"{at}[{number}]")
        case _ if one != other:
            yield f"{at}: {one!r} and {other!r}"


MOMENTARY = frozenset({"quoteToken", "validUntil", "earliest", "pickupReadyBy", "openNow"})


def _row(site: Site, name: str, way: str, load: Load) -> tuple[Cell, ...]:
    return (
        *(name, load.connections, way, load.requests, load.per_second, load.latencies.p50, load.latencies.p99),
        *(load.cpu_ms("gateway"), load.cpu_ms(*site.processes)),
    )


def _ratio(site: Site, name: str, through: Load, direct: Load) -> tuple[Cell, ...]:
    return (
        *(name, through.connections, "**ratio**", None, through.per_second / direct.per_second),
        *(through.latencies.p50 / direct.latencies.p50, through.latencies.p99 / direct.latencies.p99),
        *(None, through.cpu_ms(*site.processes) / direct.cpu_ms(*site.behind_gateway)),
    )
