"""Graphs that grow, and what is asked of them: ever more subgraphs for one page, ever more types around it. No sockets in here.

An object knows its type and its id; what its fields hold follows from both, so that every answer can be told.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from tests.benchmarks.rivals.world import Graph, Object, Operation

LINK = 'extend schema @link(url: "https://specs.apollo.dev/federation/v2.3", import: ["@key"])'
SUBGRAPHS_OF_TYPES = 5
FIELDS = 10
IN_A_ROW = 10
_SERVED_BY = ("-m", "tests.benchmarks.curves.subgraphs")


class Thing(Object):
    """One entity; the next one is of the next type."""

    def __missing__(self, name: str) -> Any:
        number = int(self["id"])
        match name:
            case "next":
                return _thing(number + 1)
            case "extra":
                return number
            case _:
                return f"{name} of {self['__typename']}"


def _thing(number: int) -> Thing:
    return Thing(__typename=f"T{number}", id=str(number))


def _entity(representation: Mapping[str, Any]) -> Thing:
    return Thing(__typename=representation["__typename"], id=representation["id"])


def _graph(kind: str, size: int, sdls: Mapping[str, str]) -> Graph:
    return Graph(
        sdls=sdls, roots={"first": lambda: _thing(0)}, entity=_entity, served_by=(*_SERVED_BY, kind, str(size))
    )


@functools.cache
def wide(size: int) -> Graph:
    """One entity, of which each of so many subgraphs has a field; one more leads to it."""
    sdls = {"root": f'{LINK}\ntype Query {{ first: T0 }}\ntype T0 @key(fields: "id") {{ id: ID! f0: String }}'}
    for number in range(1, size + 1):
        sdls[f"s{number}"] = f'{LINK}\ntype T0 @key(fields: "id") {{ id: ID! f{number}: String }}'
    return _graph("wide", size, sdls)


def page(size: int) -> Operation:
    """A field from everywhere: one fetch for the entity, then one to each of the others, all at once."""
    fields = " ".join(f"f{number}" for number in range(1, size + 1))
    return Operation(
        name=f"{size} subgraphs",
        what="a page with a field of each subgraph",
        document=f"query Page {{ first {{ {fields} }} }}",
        graph=wide(size),
    )


@functools.cache
def types(size: int) -> Graph:
    """So many entities, each of two subgraphs, with ten fields and a link to the next, so that composition has to prove ever
    more reachable."""
    sdls = {number: [LINK] for number in range(SUBGRAPHS_OF_TYPES)}
    sdls[0].append("type Query { first: T0 }")
    for number in range(size):
        home, other = number % SUBGRAPHS_OF_TYPES, (number + 1) % SUBGRAPHS_OF_TYPES
        fields = " ".join(f"f{each}: String" for each in range(FIELDS))
        following = f"next: T{number + 1}" if number + 1 < size else ""
        sdls[home].append(f'type T{number} @key(fields: "id") {{ id: ID! {fields} {following} }}')
        sdls[other].append(f'type T{number} @key(fields: "id") {{ id: ID! extra: Int }}')
        if following and other != home and (number + 2) % SUBGRAPHS_OF_TYPES != home:
            sdls[home].append(f'type T{number + 1} @key(fields: "id", resolvable: false) {{ id: ID! }}')
    return _graph("types", size, {f"s{number}": "\n".join(lines) for number, lines in sdls.items()})


def row(size: int) -> Operation:
    """The same, whatever else is in the graph: ten entities in a row."""
    text = "{ f0 f1 f2 extra }"
    for _ in range(IN_A_ROW):
        text = f"{{ f0 f1 f2 extra next {text} }}"
    return Operation(
        name=f"{size} types", what="entities in a row", document=f"query Row {{ first {text} }}", graph=types(size)
    )


def first(graph: Graph) -> Operation:
    """Asks next to nothing, to hear whether a gateway is ready."""
    return Operation(name="first", what="the first entity's type", document="{ first { __typename } }", graph=graph)


MAKE = {"wide": wide, "types": types}
