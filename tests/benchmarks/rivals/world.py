"""The graph of this bench, its data and its operations: deep, repetitive, cheap to answer. No sockets in here.

Four subgraphs; users write reviews of products and everything leads to everything else, so that a deep answer holds the
same few objects many times over. An object is a dict with every field of its type, whoever owns it. All of it follows
from rules, therefore any key has an object: that is what lets no two requests ask for the same one.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway.composition import SubgraphSource, compose
from gateway.supergraph import Supergraph
from tests.kit.monolith import answer_whole

USERS = 6
PRODUCTS = 9
REVIEWS_OF_USER = 3
REVIEWS_OF_PRODUCT = 4
HEAVY = 1000
"""Dearer than this is sent for nothing."""

LINK = (
    'extend schema @link(url: "https://specs.apollo.dev/federation/v2.3",'
    ' import: ["@key", "@requires", "@external", "@provides", "@shareable"])\n'
)
SUBGRAPHS: Mapping[str, str] = {
    "accounts": LINK
    + """
type Query { users: [User!]! user(id: ID!): User }
type User @key(fields: "id") { id: ID! name: String! username: String! @shareable }
""",
    "products": LINK
    + """
type Query { topProducts(first: Int): [Product!]! product(upc: ID!): Product }
type Product @key(fields: "upc") { upc: ID! name: String! price: Int! weight: Int! }
""",
    "reviews": LINK
    + """
type Review @key(fields: "id") { id: ID! body: String! author: User! @provides(fields: "username") product: Product! }
type User @key(fields: "id") { id: ID! username: String! @external reviews: [Review!]! }
type Product @key(fields: "upc") { upc: ID! reviews: [Review!]! }
""",
    "inventory": LINK
    + """
type Product @key(fields: "upc") {
  upc: ID! price: Int! @external weight: Int! @external
  inStock: Boolean! shippingEstimate: Int! @requires(fields: "price weight")
}
""",
}


class Object(dict[str, Any]):
    """Fields that lead on are looked up when they are asked for: the data has no end."""

    def __missing__(self, name: str) -> Any:
        return _LEADING[self["__typename"], name](self)

    def get(self, name: str, default: Any = None) -> Any:
        return self[name]


@functools.cache
def product(upc: str) -> Object:
    number = int(upc)
    price, weight = 100 + 199 * number % 1500, 50 + 70 * number % 900
    return Object(
        __typename="Product",
        upc=upc,
        name=f"Product number {number}",
        price=price,
        weight=weight,
        inStock=number % 3 != 0,
        shippingEstimate=shipping(price, weight),
    )


def shipping(price: int, weight: int) -> int:
    return 0 if price > HEAVY else weight // 2


@functools.lru_cache(maxsize=10_000)
def user(id: str) -> Object:
    return Object(__typename="User", id=id, name=f"Name of user {id}", username=f"@user-{id}")


@functools.cache
def review(id: str) -> Object:
    return Object(
        __typename="Review",
        id=id,
        body=f"Review {id}: it does what it says and then some; the second one of mine still works.",
    )


def _reviews(*of: int) -> list[Object]:
    return [review(str(number)) for number in of]


def _of_user(id: str) -> list[Object]:
    # Who is not numbered (a key drawn for one request) writes what the first user writes.
    number = int(id) if id.isdigit() else 1
    return _reviews(*(number + USERS * each for each in range(REVIEWS_OF_USER)))


def _of_product(upc: str) -> list[Object]:
    return _reviews(*(int(upc) + PRODUCTS * each for each in range(REVIEWS_OF_PRODUCT)))


_LEADING: Mapping[tuple[str, str], Any] = {
    ("User", "reviews"): lambda of: _of_user(of["id"]),
    ("Product", "reviews"): lambda of: _of_product(of["upc"]),
    ("Review", "author"): lambda of: user(str(1 + (int(of["id"]) - 1) % USERS)),
    ("Review", "product"): lambda of: product(str(1 + (int(of["id"]) - 1) % PRODUCTS)),
}


def _numbered(count: int) -> list[str]:
    return [str(1 + number) for number in range(count)]


ROOTS: Mapping[str, Any] = {
    "users": lambda: [user(id) for id in _numbered(USERS)],
    "user": lambda id: user(id),
    "topProducts": lambda first=PRODUCTS: [product(upc) for upc in _numbered(first)],
    "product": lambda upc: product(upc),
}


def entity(representation: Mapping[str, Any]) -> Object:
    """The object a subgraph resolves; what it requires comes from the representation, so a wrong one shows."""
    match representation["__typename"]:
        case "User":
            return user(representation["id"])
        case "Review":
            return review(representation["id"])
        case _ if "price" in representation and "weight" in representation:
            estimate = shipping(representation["price"], representation["weight"])
            return Object({**product(representation["upc"]), "shippingEstimate": estimate})
        case _:
            return Object({**product(representation["upc"]), "shippingEstimate": None})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Graph:
    """Subgraphs, what they answer, and who serves them. Equal only to itself."""

    sdls: Mapping[str, str]
    """By name, in the order of their ports."""
    roots: Mapping[str, Any]
    """By root field, a function of its arguments."""
    entity: Callable[[Mapping[str, Any]], Object]
    served_by: tuple[str, ...]
    """What Python is told to run, before the ports."""

    def supergraph(self, urls: Mapping[str, str]) -> str:
        """The supergraph SDL with these addresses. Composed once, however many ask."""
        sdl = _composed(self)
        for name, url in urls.items():
            sdl = sdl.replace(f'"{_nowhere(name)}"', f'"{url}"')
        return sdl


def _nowhere(name: str) -> str:
    return f"http://{name}.invalid"


@functools.cache
def _composed(graph: Graph) -> str:
    result = compose([SubgraphSource(name, _nowhere(name), sdl) for name, sdl in graph.sdls.items()])
    assert result.supergraph is not None, result.errors
    return result.supergraph


REVIEWS = Graph(sdls=SUBGRAPHS, roots=ROOTS, entity=entity, served_by=("-m", "tests.benchmarks.rivals.subgraphs"))

PLACEHOLDER = "000000000"
"""Stands in a document, in its variables and in its answer, where each request has a number of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    name: str
    what: str
    document: str
    variables: Mapping[str, Any] = field(default_factory=dict)
    graph: Graph = REVIEWS

    async def answer(self) -> dict[str, Any]:
        """What one server with all the data answers."""
        schema = Supergraph.parse(self.graph.supergraph({})).api_schema
        roots = {name: lambda _, call=call, **given: call(**given) for name, call in self.graph.roots.items()}
        answer = await answer_whole(schema, self.document, self.variables, {"query": roots})
        assert "errors" not in answer, answer
        return answer


_USER, _PRODUCT = "id username name", "upc name price weight inStock shippingEstimate"
_AUTHOR = f"author {{ {_USER} reviews {{ id body product {{ {_PRODUCT} }} }} }}"
_MEDIUM = f"topProducts(first: 6) {{ {_PRODUCT} reviews {{ id body author {{ {_USER} }} }} }}"

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        name="deep",
        what="users, their reviews, the products, their reviews, the authors, theirs; the same from the top products",
        document=f"query Deep {{ users {{ {_USER} reviews {{ id body product {{ {_PRODUCT} reviews {{ id body {_AUTHOR} }} }} }} }}"
        f" topProducts {{ {_PRODUCT} reviews {{ id body {_AUTHOR} }} }} }}",
    ),
    Operation(name="medium", what="six products, their reviews and authors", document=f"query Medium {{ {_MEDIUM} }}"),
    Operation(name="tiny", what="one field of one product", document='query Tiny { product(upc: "1") { name } }'),
    Operation(
        name="cold plan",
        what="medium, every request a document nobody has seen",
        document=f"query Cold {{ {_MEDIUM.replace('name price', f'n{PLACEHOLDER}: name price', 1)} }}",
    ),
    Operation(
        name="unique variables",
        what="one user, the reviews and products; every request another user",
        document=f"query Unique($id: ID!) {{ user(id: $id) {{ {_USER} reviews {{ id body product {{ {_PRODUCT} }} }} }} }}",
        variables={"id": f"u{PLACEHOLDER}"},
    ),
)


def products(count: int) -> Operation:
    """So many entities, each fetched from another subgraph with what that requires."""
    return Operation(
        name=f"{count} products",
        what=f"{count} products",
        document=f"query Products($first: Int!) {{ topProducts(first: $first) {{ {_PRODUCT} }} }}",
        variables={"first": count},
    )
