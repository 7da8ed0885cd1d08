"""A small shop of our own that uses most of federation, its data, and the fakes over it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import lru_cache
from itertools import count
from typing import Any

from gateway.composition.compose import SubgraphSource, compose
from gateway.supergraph import Supergraph
from tests.kit.fake_subgraphs import FakeSubgraph
from tests.kit.monolith import Object, subgraph_over

LINK = """extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key", "@shareable", "@external",
  "@requires", "@provides", "@override", "@interfaceObject", "@inaccessible"])
"""
SDL = {
    "catalog": """
        schema { query: CatalogQuery mutation: Mutation }
        type CatalogQuery {
          products: [Product]! top: Product! grid: [[Product!]] search: [Hit] media: [Media!] again: CatalogQuery now: Int @shareable
          product(sku: ID!): Product
        }
        type Mutation { rename(sku: ID!, name: String!): Product touch: Int }
        type Product @key(fields: "sku") @key(fields: "brand { id } model") {
          sku: ID! model: String! name: String brand: Brand! size: Size weight(unit: String): Float tags: [String!]
          kind: Kind cover: Media related: [Product]
        }
        type Size @shareable { width: Int! height: Int }
        type Brand @key(fields: "id") { id: ID! name: String }
        enum Kind { TOOL TOY SECRET @inaccessible }
        interface Media @key(fields: "id") { id: ID! url: String }
        type Film implements Media @key(fields: "id") { id: ID! url: String length: Int }
        type Photo implements Media @key(fields: "id") { id: ID! url: String length: String }
        union Hit = Product | Brand
    """,
    "inventory": """
        type Query { now: Int @shareable lowest: Product }
        type Mutation { restock(sku: ID!): Product }
        type Subscription { counted: Product }
        type Product @key(fields: "sku") {
          sku: ID! size: Size @external
          stock: Int! safe: Int shelf: [[Int]] level: Level
          shipping(zone: Int): Int @requires(fields: "size { width height }")
        }
        type Size @external { width: Int! height: Int }
        type Level { atp: Int! at: Store }
        type Store @key(fields: "code") { code: ID! city: String! }
    """,
    "reviews": """
        type Query { latest: [Review!] }
        type Product @key(fields: "brand { id } model") { brand: Brand! model: String! reviews: [Review!]! rating: Float }
        type Brand @key(fields: "id") { id: ID! score: Int! }
        type Review @key(fields: "id") { id: ID! text: String! of: Product author: User }
        interface Person { name: String }
        type User implements Person { name: String }
        type Media @key(fields: "id") @interfaceObject { id: ID! likes: Int! praised: Boolean }
    """,
    "pricing": """
        type Product @key(fields: "sku") { sku: ID! price: Money shipping(zone: Int): Int @external offer: String @requires(fields: "shipping") }
        type Money { amount: Int! currency: String! }
    """,
}


def world() -> tuple[list[Object], dict[str, Object]]:
    """Everything there is, and the roots by operation kind. Made anew each time: mutations change it."""
    film: Object = {
        "__typename": "Film",
        "__interfaces": ["Media"],
        "id": "m1",
        "url": "/f",
        "length": 90,
        "likes": 3,
        "praised": True,
    }
    photo: Object = {
        "__typename": "Photo",
        "__interfaces": ["Media"],
        "id": "m2",
        "url": None,
        "length": "2x3",
        "likes": 0,
        "praised": None,
    }
    lost: Object = {
        "__typename": "Photo",
        "__interfaces": ["Media"],
        "id": "m3",
        "url": "/l",
        "length": None,
        "likes": None,
        "praised": False,
    }
    xi: Object = {"__typename": "Brand", "id": "x", "name": "Xi", "score": 7}
    yo: Object = {"__typename": "Brand", "id": "y", "name": None, "score": ValueError("no score")}
    ada: Object = {"__typename": "User", "name": "Ada"}
    berlin: Object = {"__typename": "Store", "code": "b", "city": "Berlin"}
    nowhere: Object = {"__typename": "Store", "code": "n", "city": None}

    def product(sku: str, brand: Object, **rest: Any) -> Object:
        return {
            "__typename": "Product", "sku": sku, "model": f"model-{sku}", "brand": brand, "name": f"Product {sku}",
            "weight": lambda _info, unit="kg": {"kg": 1.5, "g": 1500.0}.get(unit),
            "shipping": 4, "offer": "two for one", "reviews": [], "tags": ["new"], "kind": "TOOL", **rest,
        }  # fmt: skip

    a = product(
        "a", xi, size={"__typename": "Size", "width": 3, "height": None}, stock=5, safe=None, shelf=[[1, None], None],
        level={"__typename": "Level", "atp": 4, "at": berlin}, price={"__typename": "Money", "amount": 100, "currency": "EUR"},
        rating=4.5, cover=film,
    )  # fmt: skip
    b = product(
        "b", yo, size=None, stock=ValueError("not counted"), safe=1, shelf=[], level={"__typename": "Level", "atp": 1, "at": nowhere},
        price=ValueError("no price"), rating=None, cover=photo, kind="SECRET", tags=None, shipping=None,
    )  # fmt: skip
    c = product(
        "c", xi, size={"__typename": "Size", "width": 1, "height": 2}, stock=None, safe=0, shelf=None, level=None,
        price={"__typename": "Money", "amount": None, "currency": "EUR"}, rating=1.0, cover=lost, offer=None,
    )  # fmt: skip
    reviews: list[Object] = [
        {"__typename": "Review", "id": "r1", "text": "good", "of": a, "author": ada},
        {"__typename": "Review", "id": "r2", "text": None, "of": b, "author": None},
        {"__typename": "Review", "id": "r3", "text": "fair", "of": c, "author": {"__typename": "User", "name": None}},
    ]
    a["reviews"], b["reviews"] = [reviews[0], reviews[2]], [reviews[1]]
    a["related"], b["related"], c["related"] = [b, None, c], [a], []
    products = {"a": a, "b": b, "c": c}

    query: Object = {
        "products": [a, b, None, c, a], "top": a, "grid": [[a, c], None, [b], []], "search": [xi, a, None, yo],
        "media": [film, photo], "now": 7, "lowest": c, "latest": reviews[:1],
        "product": lambda _info, sku: products.get(sku),
    }  # fmt: skip
    query["again"] = query

    def rename(_info: Any, sku: str, name: str) -> Object | None:
        if sku in products:
            products[sku]["name"] = name
        return products.get(sku)

    def restock(_info: Any, sku: str) -> Object | None:
        products[sku]["safe"] = 99
        return products[sku]

    touched = count(1)
    mutation: Object = {"rename": rename, "restock": restock, "touch": lambda _info: next(touched)}

    async def counted(_info: Any) -> AsyncIterator[Object]:
        for each in (a, b, c, None, a):
            yield {"counted": each}

    roots = {"query": query, "mutation": mutation, "subscription": {"counted": counted}}
    return [a, b, c, xi, yo, film, photo, lost, *reviews, berlin, nowhere], roots


def subgraphs(objects: list[Object], roots: dict[str, Object]) -> list[FakeSubgraph]:
    return [subgraph_over(name, LINK + sdl, objects, roots) for name, sdl in SDL.items()]


@lru_cache
def supergraph() -> Supergraph:
    composed = compose([SubgraphSource(name, f"http://{name}.invalid", LINK + sdl) for name, sdl in SDL.items()])
    assert composed.supergraph is not None, [f"{each.published_code}: {each}" for each in composed.errors]
    return Supergraph.parse(composed.supergraph)
