"""The subgraphs of worlds as HTTP services, and the one server that has everything. Both answer from the world's data.

A subgraph here is strict: it answers what its own schema says and nothing more. What a careful service would rather not
notice is written down as a *violation*: a document that is not valid here, a field asked of a subgraph that has it as
``@external`` or lost it to an ``@override``, a representation without a whole key, or without what a field requires, or
with other values than the world has.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import orjson
from graphql import (
    DocumentNode,
    GraphQLAbstractType,
    GraphQLError,
    GraphQLField,
    GraphQLObjectType,
    GraphQLResolveInfo,
    GraphQLSchema,
    OperationDefinitionNode,
    SelectionSetNode,
    assert_valid_schema,
    build_ast_schema,
    build_schema,
    execute_sync,
    parse,
    validate,
)
from graphql.execution.values import get_argument_values
from graphql.language import ast
from starlette.requests import Request
from starlette.responses import Response

from tests.properties.world import CLOCK, ROOTS, Broken, Declared, Key, Thing, World, flat

JSON = dict[str, Any]


@dataclass(slots=True)
class History:
    """What happened while an operation ran: the mutations in order, and what should not have."""

    mutations: list[str] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    requests: int = 0


@dataclass(frozen=True, slots=True)
class Seen:
    """A thing as an executing server has it in hand."""

    thing: Thing
    representation: JSON | None = None
    provided: SelectionSetNode | None = None


class Whole:
    """One server with everything: the API schema over the world's data."""

    def __init__(self, world: World, api: str) -> None:
        self.world = world
        self.schema = build_schema(api)
        self.history = History()
        for of in self.schema.type_map.values():
            if isinstance(of, GraphQLObjectType) and not of.name.startswith("__"):
                for each in of.fields.values():
                    each.resolve = self._resolve
            elif isinstance(of, GraphQLAbstractType):  # type: ignore[misc,arg-type]
                of.resolve_type = _type_of  # type: ignore[union-attr]

    def answer(self, document: DocumentNode, variables: JSON, operation_name: str | None) -> JSON:
        self.history = History()
        operation = next(
            each
            for each in document.definitions
            if isinstance(each, OperationDefinitionNode)
            and (operation_name is None or (each.name is not None and each.name.value == operation_name))
        )
        root = Seen(self.world.root(operation.operation.value))
        result = execute_sync(self.schema, document, root, variable_values=variables, operation_name=operation_name)
        return dict(result.formatted)

    def _resolve(self, source: Seen, info: GraphQLResolveInfo, **arguments: Any) -> Any:
        note_mutation(self.history, source, info, arguments)
        return read(self.world, source, info, arguments, self.history)


class Service:
    """One subgraph."""

    def __init__(self, world: World, declared: Declared, history: History) -> None:
        self.world = world
        self.declared = declared
        self.history = history
        self.schema = executable(declared)
        self._known: dict[str, DocumentNode | list[GraphQLError]] = {}
        for name, of in self.schema.type_map.items():
            if isinstance(of, GraphQLObjectType) and not name.startswith("_"):
                known_as = declared.roots.get(name, name)
                for field_name, each in of.fields.items():
                    if not field_name.startswith("_"):
                        each.resolve = partial(self._resolve, known_as)
            elif isinstance(of, GraphQLAbstractType):  # type: ignore[misc,arg-type]
                of.resolve_type = self._entity_type if name == "_Entity" else self._runtime_type  # type: ignore[union-attr]
        entities = self.schema.query_type.fields.get("_entities") if self.schema.query_type else None
        if entities is not None:
            entities.resolve = lambda _, info, representations: [self._entity(each) for each in representations]

    def answer(self, request: JSON) -> JSON:
        self.history.requests += 1
        text = request["query"]
        known = self._known.get(text)
        if known is None:
            document = parse(text, no_location=True)
            known = validate(self.schema, document) or document
            self._known[text] = known
        if isinstance(known, list):
            self._violation(f"was sent an invalid document: {known[0].message} in {text}")
            return {"errors": [each.formatted for each in known]}
        operation = next(each for each in known.definitions if isinstance(each, OperationDefinitionNode))
        result = execute_sync(
            self.schema,
            known,
            Seen(self.world.root(operation.operation.value)),
            variable_values=request.get("variables") or {},
            operation_name=request.get("operationName"),
        )
        if result.data is None and result.errors and not result.errors[0].path:
            self._violation(f"could not run {text}: {result.errors[0].message}")
        return dict(result.formatted)

    def _violation(self, text: str) -> str:
        text = f"{self.declared.name} {text}"
        self.history.violations.append(text)
        return text

    def _resolve(self, known_as: str, source: Seen, info: GraphQLResolveInfo, **arguments: Any) -> Any:
        name = info.field_name
        declared = self.declared.types[known_as]
        rules = declared.fields[name]
        thing = source.thing
        provided = (
            next((node for _, node in flat(source.provided) if node.name.value == name), None)
            if source.provided is not None
            else None
        )
        if name != CLOCK:
            owners = self.world.resolvers(thing.type, name)
            if self.declared.name not in owners and provided is None and not self._labelled(thing.type, name):
                raise Broken(self._violation(f"was asked for {known_as}.{name}, which is not its own"))
        if rules.requires is not None:
            self._check_given(thing, rules.requires, source.representation, f"{known_as}.{name}")
        note_mutation(self.history, source, info, arguments)
        found = read(self.world, source, info, arguments, self.history)
        below = rules.provides if rules.provides is not None else (provided.selection_set if provided else None)
        return found if below is None else providing(found, below)

    def _labelled(self, type_name: str, name: str) -> bool:
        return any(rules.label for _, _, rules in self.world.declared(type_name, name))

    def _check_given(self, thing: Thing, required: SelectionSetNode, given: JSON | None, coordinate: str) -> None:
        if given is None:
            raise Broken(self._violation(f"was asked for {coordinate} without a representation"))
        for on, node in flat(required):
            if on is not None and on != thing.type and thing.type not in self.world.possible.get(on, ()):
                continue
            name = node.name.value
            if name == "__typename":
                continue
            if name not in given:
                raise Broken(self._violation(f"was not given {thing.type}.{name} for {coordinate}: {given}"))
            arguments = _literal_arguments(self.schema, self.declared, thing.type, node)
            try:
                real = self.world.value(thing, name, arguments, len(self.history.mutations))
            except Broken:
                real = None
            self._check_value(real, node.selection_set, given[name], coordinate)

    def _check_value(self, real: Any, required: SelectionSetNode | None, given: Any, coordinate: str) -> None:
        match real:
            case list() if isinstance(given, list) and len(given) == len(real):
                for one, other in zip(real, given, strict=True):
                    self._check_value(one, required, other, coordinate)
            case Broken() | None if given is None:
                pass
            case Thing() if required is not None and isinstance(given, dict):
                self._check_given(real, required, given, coordinate)
            case _ if not isinstance(real, Thing) and real == given:
                pass
            case _:
                raise Broken(self._violation(f"was given {given!r} instead of {real!r} for {coordinate}"))

    # --- entities ---------------------------------------------------------------------------------------------------

    def _entity(self, representation: JSON) -> Any:
        typename = representation.get("__typename")
        rules = self.declared.types.get(str(typename))
        if rules is None or not any(key.resolvable for key in rules.keys):
            return Broken(self._violation(f"resolves no {typename}: {representation}"))
        if any(key.resolvable and self._has_null(key.fields, representation, str(typename)) for key in rules.keys):
            return None
        usable = [key for key in rules.keys if key.resolvable and self._is_whole(key.fields, representation)]
        if not usable:
            return Broken(self._violation(f"was given no whole key: {representation}"))
        for real in sorted(self.world.possible.get(rules.name, {rules.name})):
            for thing in self.world.pool(real):
                if any(self._agrees(thing, key.fields, representation) for key in usable):
                    return self._as_known(thing, usable, representation)
        return Broken(self._violation(f"knows nobody like {representation}"))

    def _as_known(self, thing: Thing, usable: list[Key], representation: JSON) -> Seen | None:
        """Nobody, where there is nothing to tell beyond the representation."""
        concrete = representation["__typename"] == thing.type
        if concrete and thing.type in self.world.hollow and thing == self.world.pool(thing.type)[-1]:
            own = self.declared.types.get(thing.type)
            mine = set(own.fields) if own is not None else set()
            keys = {name for of, name in self.world.key_fields if of == thing.type}
            # A key's field that leads to another entity is worth more than what the representation says of it.
            told = {name for name in representation if not isinstance(representation[name], dict | list)}
            if not (mine & keys) - told:
                return None
        return Seen(thing, representation)

    def _has_null(self, fields: SelectionSetNode, given: Any, type_name: str) -> bool:
        if given is None:
            return True
        if isinstance(given, list):
            return any(self._has_null(fields, each, type_name) for each in given)
        return any(
            node.name.value in given
            and (
                given[node.name.value] is None
                or (node.selection_set is not None and self._has_null(node.selection_set, given[node.name.value], ""))
            )
            for _, node in flat(fields)
        )

    def _is_whole(self, fields: SelectionSetNode, given: Any) -> bool:
        if isinstance(given, list):
            return all(self._is_whole(fields, each) for each in given)
        return isinstance(given, dict) and all(
            node.name.value in given
            and (node.selection_set is None or self._is_whole(node.selection_set, given[node.name.value]))
            for _, node in flat(fields)
            if node.name.value != "__typename"
        )

    def _agrees(self, thing: Any, fields: SelectionSetNode, given: Any) -> bool:
        for _, node in flat(fields):
            if node.name.value == "__typename":
                continue
            real = self.world.value(thing, node.name.value, {})
            other = given[node.name.value]
            if isinstance(real, list):
                if len(real) != len(other) or not all(
                    self._agrees(one, node.selection_set, each) if node.selection_set else one == each
                    for one, each in zip(real, other, strict=True)
                ):
                    return False
            elif node.selection_set is not None:
                if not isinstance(real, Thing) or not self._agrees(real, node.selection_set, other):
                    return False
            elif real != other and str(real) != str(other):
                return False
        return True

    def _entity_type(self, seen: Seen, info: GraphQLResolveInfo, of: Any) -> str:
        assert seen.representation is not None
        typename = str(seen.representation["__typename"])
        return typename if self.declared.types[typename].is_interface_object else seen.thing.type

    def _runtime_type(self, seen: Seen, info: GraphQLResolveInfo, of: Any) -> str:
        return seen.thing.type


def note_mutation(history: History, source: Seen, info: GraphQLResolveInfo, arguments: Mapping[str, Any]) -> None:
    if source.thing.type == "Mutation":
        history.mutations.append(f"{info.field_name} {json.dumps(dict(arguments), sort_keys=True)}")


def read(world: World, source: Seen, info: GraphQLResolveInfo, arguments: Mapping[str, Any], history: History) -> Any:
    return seen(world.value(source.thing, info.field_name, arguments, len(history.mutations)))


def seen(value: Any) -> Any:
    if isinstance(value, list):
        return [seen(each) for each in value]
    return Seen(value) if isinstance(value, Thing) else value


def providing(value: Any, fields: SelectionSetNode) -> Any:
    if isinstance(value, list):
        return [providing(each, fields) for each in value]
    return replace(value, provided=fields) if isinstance(value, Seen) else value


def _type_of(seen: Seen, info: GraphQLResolveInfo, of: Any) -> str:
    return seen.thing.type


def _literal_arguments(schema: GraphQLSchema, declared: Declared, type_name: str, node: ast.FieldNode) -> JSON:
    """The arguments a field of a requirement is meant to be read with: written ones and defaults."""
    for name in (type_name, *declared.types):
        of = schema.type_map.get(name)
        if (
            isinstance(of, GraphQLObjectType)
            and node.name.value in of.fields
            and (name == type_name or declared.types[name].is_interface_object)
        ):
            definition: GraphQLField = of.fields[node.name.value]
            return get_argument_values(definition, node)
    return {}


_DEFINED_AS: dict[type[Any], type[Any]] = {
    ast.ObjectTypeExtensionNode: ast.ObjectTypeDefinitionNode,
    ast.InterfaceTypeExtensionNode: ast.InterfaceTypeDefinitionNode,
    ast.UnionTypeExtensionNode: ast.UnionTypeDefinitionNode,
    ast.EnumTypeExtensionNode: ast.EnumTypeDefinitionNode,
    ast.InputObjectTypeExtensionNode: ast.InputObjectTypeDefinitionNode,
    ast.ScalarTypeExtensionNode: ast.ScalarTypeDefinitionNode,
    ast.SchemaExtensionNode: ast.SchemaDefinitionNode,
}
_SCHEMA = (ast.SchemaDefinitionNode, ast.SchemaExtensionNode)
_PARTS = ("interfaces", "fields", "types", "values", "operation_types")


def executable(declared: Declared) -> GraphQLSchema:
    """The subgraph's SDL as a schema of its own: extensions are definitions, and there is an entry for entities."""
    query = next(name for name, usual in declared.roots.items() if usual == "Query")
    members = [
        name
        for name, rules in declared.types.items()
        if rules.keys and not rules.is_interface and name not in ROOTS.values()
    ]
    rooted = [each for each in parse(declared.sdl).definitions if isinstance(each, _SCHEMA)]
    roots = {each.operation.value for node in rooted for each in node.operation_types or ()}
    machinery = f"extend schema {{ query: {query} }} " if roots and "query" not in roots else ""
    machinery += f"scalar _Any type _Service {{ sdl: String }} type {query} {{ _service: _Service! }}"
    if members:
        machinery += f" union _Entity = {' | '.join(members)}"
        machinery += f" type {query} {{ _entities(representations: [_Any!]!): [_Entity]! }}"
    parts: dict[str, tuple[type[Any], dict[str, Any]]] = {}
    for node in (*parse(declared.sdl, no_location=True).definitions, *parse(machinery, no_location=True).definitions):
        kind = _DEFINED_AS.get(type(node), type(node))
        if kind is ast.DirectiveDefinitionNode:
            continue
        name = node.name.value if hasattr(node, "name") else "schema"
        mine = {each: getattr(node, each) or () for each in _PARTS if hasattr(node, each)}
        _, known = parts.setdefault(name, (kind, {} if name == "schema" else {"name": node.name}))  # type: ignore[attr-defined]
        for each, value in mine.items():
            known[each] = (*known.get(each, ()), *map(_bare, value))
    if not parts.get("schema", (None, {}))[1].get("operation_types"):
        parts.pop("schema", None)
    definitions = tuple(kind(**given) for kind, given in parts.values())
    schema = build_ast_schema(DocumentNode(definitions=definitions), assume_valid_sdl=True)
    assert_valid_schema(schema)
    return schema


def _bare(node: Any) -> Any:
    """Without directives: they are for composition, and an executable schema would have to define them."""
    if getattr(node, "directives", None):
        node = replace(node, directives=())
    if getattr(node, "arguments", None):
        node = replace(node, arguments=tuple(_bare(each) for each in node.arguments))
    return node


class Host:
    """Serves the subgraphs of one world at a time, at ``/NAME``."""

    def __init__(self) -> None:
        self.history = History()
        self._services: dict[str, Service] = {}

    def load(self, world: World) -> None:
        self.history = History()
        self._services = {name: Service(world, each, self.history) for name, each in world.subgraphs.items()}

    def forget(self) -> None:
        """Begin a new history."""
        self.history.mutations.clear()
        self.history.violations.clear()
        self.history.requests = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """An ASGI application of one endpoint a subgraph."""
        assert scope["type"] == "http"
        request = Request(scope, receive)
        service = self._services[request.url.path.strip("/")]
        body = orjson.loads(await request.body())
        response = Response(orjson.dumps(service.answer(body)), media_type="application/json")
        await response(scope, receive, send)
