"""Subgraphs made from an SDL and a few resolvers, served over real HTTP on the loopback.

A fake resolves a field by the entry ``"Type.field"`` of its resolvers (``(source, info, **arguments) -> value``), else by
looking the name up in the source dict. Entities come from ``entities["Type"]``: a function from a representation to a
dict or None. Every request is written down, and a behaviour may be put in front of the answers: slow, broken, dead.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import uvicorn
from graphql import (
    GraphQLSchema,
    GraphQLUnionType,
    build_ast_schema,
    execute,
    parse,
    subscribe,
    validate,
)
from graphql.language import (
    DocumentNode,
    ObjectTypeDefinitionNode,
    ObjectTypeExtensionNode,
    OperationDefinitionNode,
    ast,
)
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route

Resolver: TypeAlias = Callable[..., Any]
Behaviour: TypeAlias = Callable[[Request], Awaitable[Response | None]]

_MACHINERY = """
directive @key(fields: String!, resolvable: Boolean = true) repeatable on OBJECT | INTERFACE
directive @external on FIELD_DEFINITION | OBJECT
directive @requires(fields: String!) on FIELD_DEFINITION
directive @provides(fields: String!) on FIELD_DEFINITION
directive @shareable repeatable on OBJECT | FIELD_DEFINITION
directive @inaccessible on FIELD_DEFINITION | OBJECT | INTERFACE | UNION | ARGUMENT_DEFINITION | SCALAR | ENUM | ENUM_VALUE | INPUT_OBJECT | INPUT_FIELD_DEFINITION
directive @override(from: String!, label: String) on FIELD_DEFINITION
directive @interfaceObject on OBJECT
directive @link(url: String!, as: String, for: String, import: [String]) repeatable on SCHEMA
directive @tag(name: String!) repeatable on FIELD_DEFINITION | OBJECT | INTERFACE | UNION
scalar _Any
"""


@dataclass(slots=True)
class FakeSubgraph:
    """One subgraph; ``url`` is set while it is served."""

    name: str
    sdl: str
    resolvers: Mapping[str, Resolver] = field(default_factory=dict)
    entities: Mapping[str, Resolver] = field(default_factory=dict)
    url: str = ""
    roots: Mapping[str, Any] = field(default_factory=dict)
    """Operation kind → the object its root fields are read from."""
    requests: list[dict[str, Any]] = field(default_factory=list)
    """The decoded bodies, in order of arrival."""
    headers: list[dict[str, str]] = field(default_factory=list)
    behaviour: Behaviour | None = None
    """Asked first; a response it gives is sent instead of the real one."""
    streams_open: int = 0
    stream_ended: asyncio.Event = field(default_factory=asyncio.Event)

    def schema(self) -> GraphQLSchema:
        """The executable schema, with ``_entities`` and ``_service``."""
        document = parse(self.sdl, no_location=True)
        keyed = sorted(_keyed(document))
        query = _root(document, "query")
        machinery = _MACHINERY
        fields = "_service: _Service! " + ("_entities(representations: [_Any!]!): [_Entity]!" if keyed else "")
        if keyed:
            machinery += f"union _Entity = {' | '.join(keyed)}\n"
        exists = any(
            isinstance(each, ast.ObjectTypeDefinitionNode) and each.name.value == query for each in document.definitions
        )
        machinery += f"type _Service {{ sdl: String }}\n{'extend ' if exists else ''}type {query} {{ {fields} }}\n"
        definitions = (*document.definitions, *parse(machinery, no_location=True).definitions)
        schema = build_ast_schema(DocumentNode(definitions=_folded(definitions)), assume_valid_sdl=True)
        self._bind(schema)
        return schema

    def _bind(self, schema: GraphQLSchema) -> None:
        for coordinate, resolver in self.resolvers.items():
            type_name, field_name = coordinate.split(".")
            of = schema.type_map[type_name].fields[field_name]  # type: ignore[attr-defined]
            if schema.subscription_type is not None and type_name == schema.subscription_type.name:
                of.subscribe = resolver
                of.resolve = lambda event, _info, **_: event
            else:
                of.resolve = resolver
        query = schema.query_type
        assert query is not None
        query.fields["_service"].resolve = lambda *_: {"sdl": self.sdl}
        if "_entities" in query.fields:
            query.fields["_entities"].resolve = self._resolve_entities
            union = schema.type_map["_Entity"]
            assert isinstance(union, GraphQLUnionType)
            union.resolve_type = lambda value, *_: value["__typename"]

    async def _resolve_entities(self, _source: Any, info: Any, representations: list[dict[str, Any]]) -> list[Any]:
        return [self._resolve_entity(each, info) for each in representations]

    def _resolve_entity(self, representation: dict[str, Any], info: Any) -> Any:
        typename = representation["__typename"]
        found = self.entities[typename](representation)
        if inspect.isawaitable(found):

            async def later() -> Any:
                value = await found
                return None if value is None else {"__typename": typename, **value}

            return later()
        if isinstance(found, Exception):
            return found
        return None if found is None else {"__typename": typename, **found}

    def app(self) -> Starlette:
        schema = self.schema()

        async def endpoint(request: Request) -> Response:
            body = json.loads(await request.body())
            self.requests.append(body)
            self.headers.append(dict(request.headers))
            if self.behaviour is not None and (instead := await self.behaviour(request)) is not None:
                return instead
            document = parse(body["query"])
            errors = validate(schema, document)
            if errors:
                return JSONResponse({"errors": [each.formatted for each in errors]}, status_code=400)
            values = body.get("variables") or {}
            if "text/event-stream" in request.headers.get("accept", ""):
                return StreamingResponse(self._events(schema, document, values), media_type="text/event-stream")
            kind = next(
                each.operation.value for each in document.definitions if isinstance(each, OperationDefinitionNode)
            )
            result = execute(schema, document, self.roots.get(kind), variable_values=values)
            if inspect.isawaitable(result):
                result = await result
            return JSONResponse(result.formatted)  # type: ignore[union-attr]

        return Starlette(routes=[Route("/graphql", endpoint, methods=["POST"])])

    async def _events(
        self, schema: GraphQLSchema, document: DocumentNode, values: dict[str, Any]
    ) -> AsyncIterator[str]:
        self.streams_open += 1
        try:
            source = subscribe(schema, document, self.roots.get("subscription"), variable_values=values)
            if inspect.isawaitable(source):
                source = await source
            if not hasattr(source, "__aiter__"):
                yield f"event: next\ndata: {json.dumps(source.formatted)}\n\n"  # type: ignore[union-attr]
            else:
                yield ":\n\n"
                async for result in source:
                    yield f"event: next\ndata: {json.dumps(result.formatted)}\n\n"
            yield "event: complete\ndata:\n\n"
        except ConnectionAbortedError:
            # A source that raises it cuts the stream: it ends without its "complete".
            return
        finally:
            self.streams_open -= 1
            self.stream_ended.set()

    @property
    def entity_requests(self) -> list[list[dict[str, Any]]]:
        """The representations of each ``_entities`` request."""
        return [each["variables"]["representations"] for each in self.requests if "_entities" in each["query"]]


def _keyed(document: DocumentNode) -> set[str]:
    return {
        node.name.value
        for node in document.definitions
        if isinstance(node, ObjectTypeDefinitionNode | ObjectTypeExtensionNode)
        and any(directive.name.value == "key" for directive in node.directives or ())
    }


def _root(document: DocumentNode, operation: str) -> str:
    for node in document.definitions:
        if isinstance(node, ast.SchemaDefinitionNode | ast.SchemaExtensionNode):
            for each in node.operation_types or ():
                if each.operation.value == operation:
                    return each.type.name.value
    return operation.capitalize()


def _folded(definitions: tuple[Any, ...]) -> tuple[Any, ...]:
    """``extend type`` folded into its type (or made one), since a subgraph's SDL may extend what it does not define."""
    extensions = [each for each in definitions if isinstance(each, ObjectTypeExtensionNode)]
    kept: list[Any] = []
    for each in definitions:
        if isinstance(each, ObjectTypeExtensionNode | ast.SchemaExtensionNode):
            continue
        if isinstance(each, ObjectTypeDefinitionNode):
            for extension in [one for one in extensions if one.name.value == each.name.value]:
                extensions.remove(extension)
                each = _with_fields(each, extension)
        kept.append(each)
    for extension in extensions:
        kept.append(
            ObjectTypeDefinitionNode(
                name=extension.name,
                interfaces=extension.interfaces or (),
                directives=extension.directives or (),
                fields=extension.fields or (),
            )
        )
    return tuple(kept)


def _with_fields(node: ObjectTypeDefinitionNode, extension: ObjectTypeExtensionNode) -> ObjectTypeDefinitionNode:
    return ObjectTypeDefinitionNode(
        name=node.name,
        description=node.description,
        interfaces=(*(node.interfaces or ()), *(extension.interfaces or ())),
        directives=(*(node.directives or ()), *(extension.directives or ())),
        fields=(*(node.fields or ()), *(extension.fields or ())),
    )


class _QuietServer(uvicorn.Server):
    """A server that leaves the process's signals alone."""

    def install_signal_handlers(self) -> None:
        pass


@asynccontextmanager
async def listening(app: Any, *, port: int = 0) -> AsyncIterator[str]:
    """Serves an ASGI app on the loopback, on a port of the system's choice; gives ``http://127.0.0.1:port``."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen(128)
        config = uvicorn.Config(
            app, log_level="critical", lifespan="off", ws="websockets-sansio", timeout_graceful_shutdown=0
        )
        server = _QuietServer(config)
        task = asyncio.create_task(server.serve(sockets=[listener]))
        async with asyncio.timeout(10):
            while not server.started:
                await asyncio.sleep(0.005)
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = server.force_exit = True
            await task


@asynccontextmanager
async def served(*subgraphs: FakeSubgraph) -> AsyncIterator[None]:
    """Serves all of them by one server, each under a path of its own; sets their ``url``."""
    async with listening(Starlette(routes=[Mount(f"/{each.name}", each.app()) for each in subgraphs])) as base:
        for each in subgraphs:
            each.url = f"{base}/{each.name}/graphql"
        yield
