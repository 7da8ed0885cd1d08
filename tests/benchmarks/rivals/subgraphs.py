"""The four subgraphs in one process, at next to no cost: ``python -m tests.benchmarks.rivals.subgraphs PORT…``.

A port each, in the order of ``world.SUBGRAPHS``; ``serve`` does the same for any graph. ``--after-ms`` lets every answer
wait, so that requests are under way side by side. A body that was seen before has its answer as bytes; a document that was
seen before is a tree; a representation that was seen before has its part of the answer as bytes. ``GET /`` says how many
requests came so far. No validation: a gateway that asks for what a subgraph does not have gets no answer.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import httptools
import orjson
import uvloop
from graphql import parse, value_from_ast_untyped
from graphql.language import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
)

from tests.benchmarks.rivals.world import REVIEWS, Graph, Object

REMEMBERED_MAX = 20_000
"""Of each kind; then everything of that kind is forgotten."""


class Memory(dict[Any, Any]):
    def remember(self, key: Any, value: Any) -> Any:
        if len(self) >= REMEMBERED_MAX:
            self.clear()
        self[key] = value
        return value


class Subgraph:
    """Answers from a graph's data by the fields of its own SDL."""

    def __init__(self, sdl: str, graph: Graph = REVIEWS) -> None:
        self._graph = graph
        self._has: dict[str, set[str]] = {"Query": {"_entities"}}
        for node in parse(sdl).definitions:
            for each in getattr(node, "fields", ()):
                self._has.setdefault(node.name.value, {"__typename"}).add(each.name.value)  # type: ignore[attr-defined]
        self._bodies = Memory()
        self._documents = Memory()
        self._parts = Memory()

    def answer(self, body: bytes) -> bytes:
        found = self._bodies.get(body)
        return found if found is not None else self._bodies.remember(body, self._answer(body))  # type: ignore[no-any-return]

    def _answer(self, body: bytes) -> bytes:
        request = orjson.loads(body)
        text, variables = request["query"], request.get("variables") or {}
        document = self._documents.get(text) or self._documents.remember(text, Document(text))
        parts = []
        for node in document.fields(document.root, "Query"):
            arguments = {
                each.name.value: value_from_ast_untyped(each.value, variables) for each in node.arguments or ()
            }
            name = node.name.value
            if name == "__typename":
                answer = b'"Query"'
            elif name == "_entities":
                answer = b"[%b]" % b",".join(
                    self._part(document, node, representation) for representation in arguments["representations"]
                )
            else:
                value = self._graph.roots[name](**{key: value for key, value in arguments.items() if value is not None})
                answer = orjson.dumps(self._shown(document, node.selection_set, value))
            parts.append(b'"%b":%b' % (_key(node).encode(), answer))
        return b'{"data":{%b}}' % b",".join(parts)

    def _part(self, document: Document, node: FieldNode, representation: Mapping[str, Any]) -> bytes:
        key = (id(node), tuple(representation.values()))
        found = self._parts.get(key)
        if found is not None:
            return found[0]  # type: ignore[no-any-return]
        part = orjson.dumps(self._shown(document, node.selection_set, self._graph.entity(representation)))
        # The node is kept with its part, so that nobody else is given its id.
        return self._parts.remember(key, (part, node))[0]  # type: ignore[no-any-return]

    def _shown(self, document: Document, selection: SelectionSetNode | None, value: Any) -> Any:
        if isinstance(value, list):
            return [self._shown(document, selection, each) for each in value]
        if not isinstance(value, Object) or selection is None:
            return value
        shown: dict[str, Any] = {}
        type_name = value["__typename"]
        for node in document.fields(selection, type_name):
            name = node.name.value
            assert name in self._has[type_name], f"{type_name}.{name} is not ours"
            found = self._shown(document, node.selection_set, value[name])
            key = _key(node)
            shown[key] = _merged(shown[key], found) if key in shown else found
        return shown


class Document:
    """A parsed document; the fields of a selection for a type are collected once."""

    def __init__(self, text: str) -> None:
        definitions = parse(text, no_location=True).definitions
        (operation,) = (each for each in definitions if isinstance(each, OperationDefinitionNode))
        self.root = operation.selection_set
        self._fragments = {each.name.value: each for each in definitions if isinstance(each, FragmentDefinitionNode)}
        self._collected: dict[tuple[int, str], list[FieldNode]] = {}

    def fields(self, selection: SelectionSetNode, type_name: str) -> list[FieldNode]:
        found = self._collected.get((id(selection), type_name))
        if found is None:
            found = self._collected[id(selection), type_name] = list(self._collect(selection, type_name))
        return found

    def _collect(self, selection: SelectionSetNode, type_name: str) -> list[FieldNode]:
        found: list[FieldNode] = []
        for node in selection.selections:
            if isinstance(node, FieldNode):
                found.append(node)
                continue
            assert isinstance(node, (InlineFragmentNode, FragmentSpreadNode))
            fragment = self._fragments[node.name.value] if isinstance(node, FragmentSpreadNode) else node
            if fragment.type_condition is None or fragment.type_condition.name.value == type_name:
                found += self.fields(fragment.selection_set, type_name)
        return found


def _key(node: FieldNode) -> str:
    return node.alias.value if node.alias else node.name.value


def _merged(one: Any, other: Any) -> Any:
    """Two selections of one field, put together."""
    if isinstance(one, list):
        return [_merged(left, right) for left, right in zip(one, other, strict=True)]
    return {**one, **other} if isinstance(one, dict) else one


class Connection(asyncio.Protocol):
    """HTTP/1.1 with connections that stay open, one request after the other."""

    asked = 0
    """Requests of all connections."""

    def __init__(self, subgraph: Subgraph, after_s: float = 0.0) -> None:
        self._subgraph = subgraph
        self._after_s = after_s
        self._parser = httptools.HttpRequestParser(self)
        self._body: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.WriteTransport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        if self._parser.get_method() == b"GET":
            status, reply = b"200 OK", b"%d" % Connection.asked
        else:
            Connection.asked += 1
            try:
                status, reply = b"200 OK", self._subgraph.answer(b"".join(self._body))
            except Exception as wrong:  # noqa: BLE001  whatever it is, the gateway's answer will show it
                status, reply = b"400 Bad Request", orjson.dumps({"errors": [{"message": repr(wrong)}]})
        self._body.clear()
        said = b"HTTP/1.1 %b\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (
            status,
            len(reply),
            reply,
        )
        if self._after_s:
            asyncio.get_running_loop().call_later(self._after_s, self._transport.write, said)
        else:
            self._transport.write(said)


async def _serve(graph: Graph, ports: Sequence[int], after_s: float) -> None:
    loop = asyncio.get_running_loop()
    for sdl, port in zip(graph.sdls.values(), ports, strict=True):
        subgraph = Subgraph(sdl, graph)
        await loop.create_server(
            lambda subgraph=subgraph: Connection(subgraph, after_s),  # type: ignore[misc]
            *("127.0.0.1", port),
            backlog=2048,
        )
    await loop.create_future()


def serve(graph: Graph, ports: Sequence[int], *, after_ms: float = 0.0) -> None:
    """The graph's subgraphs, in the order of its SDLs, until the process is ended."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(graph, ports, after_ms / 1000))


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(prog="python -m tests.benchmarks.rivals.subgraphs")
    arguments.add_argument("ports", type=int, nargs="+")
    arguments.add_argument("--after-ms", type=float, default=0.0)
    given = arguments.parse_args()
    serve(REVIEWS, given.ports, after_ms=given.after_ms)
