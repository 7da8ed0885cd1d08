"""The supergraph: a typed, indexed view of a supergraph SDL in the join spec (v0.2 to v0.5), and its API schema.

What belongs here: reading the file, and answering who owns, keys, requires and provides what. What does not: which of
several subgraphs to prefer (planning), and how the file came to be (composition).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from graphql import (
    DirectiveDefinitionNode,
    DirectiveNode,
    DocumentNode,
    EnumTypeDefinitionNode,
    FieldDefinitionNode,
    GraphQLError,
    GraphQLSchema,
    GraphQLSyntaxError,
    InputObjectTypeDefinitionNode,
    InterfaceTypeDefinitionNode,
    ListTypeNode,
    NamedTypeNode,
    NonNullTypeNode,
    ObjectTypeDefinitionNode,
    ScalarTypeDefinitionNode,
    SchemaDefinitionNode,
    TypeDefinitionNode,
    TypeNode,
    UnionTypeDefinitionNode,
    build_ast_schema,
    parse,
    print_ast,
    value_from_ast_untyped,
)

from gateway.errors import SupergraphInvalid
from gateway.plan import OperationKind
from gateway.selection import FieldSet, parse_field_set

_API_DIRECTIVES: Final = frozenset({"deprecated", "specifiedBy", "oneOf"})
_BUILT_IN_DIRECTIVES: Final = frozenset({"skip", "include", *_API_DIRECTIVES})
_EXECUTABLE: Final = frozenset(
    {"QUERY", "MUTATION", "SUBSCRIPTION", "FIELD", "FRAGMENT_DEFINITION", "FRAGMENT_SPREAD", "INLINE_FRAGMENT"}
)


@dataclass(frozen=True, slots=True)
class TypeRef:
    """An output type taken apart: ``[Product!]!`` is ``("Product", 1, "[Product!]!")``."""

    name: str
    list_depth: int
    text: str

    @property
    def nullable(self) -> bool:
        return not self.text.endswith("!")


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One ``@key`` of a type in one subgraph."""

    fields: FieldSet
    text: str
    resolvable: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class FromContext:
    """An argument that only the subgraph knows: the gateway fills it from the nearest enclosing object of a context."""

    argument: str
    type: str
    """The argument's type as written."""
    context: str
    """The context's name in the supergraph, which begins with its subgraph's."""
    selection: FieldSet
    """What to take of the enclosing object: one leaf, for each of the types that set the context."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SubgraphField:
    """A field as one subgraph knows it."""

    name: str
    type: TypeRef
    external: bool = False
    """Mentioned, but not resolved there (also: overridden by another subgraph)."""
    requires: FieldSet = ()
    provides: FieldSet = ()
    contexts: tuple[FromContext, ...] = ()
    override_label: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SubgraphType:
    """A composite type as one subgraph knows it."""

    name: str
    keys: tuple[Key, ...] = ()
    fields: Mapping[str, SubgraphField]
    interface_object: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Subgraph:
    """One subgraph: its graph enum value, its name, its address, and the types it knows."""

    graph: str
    name: str
    url: str
    types: Mapping[str, SubgraphType]
    possible: Mapping[str, tuple[str, ...]]
    """Interface or union → the object types it may be there. An ``@interfaceObject`` is not in it."""
    roots: Mapping[OperationKind, str]
    """The root types it takes part in, by the supergraph's names (its own names may differ and are never needed)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """``@live`` on a subscription field: which fields of its event make it a live view. What is not said is None."""

    items: str | None = None
    """The list of items, of which only the newest of each key matters."""
    key: str | None = None
    kind: str | None = None
    """Says whether an event is a ``SNAPSHOT``."""
    resume: str | None = None
    """The token to resume by: the event's field of that name, and the argument."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Supergraph:
    """The composed whole. Names are the supergraph's; subgraphs are keyed by name, in the file's order."""

    subgraphs: Mapping[str, Subgraph]
    roots: Mapping[OperationKind, str]
    fields: Mapping[str, Mapping[str, TypeRef]]
    """Composite type → field → type, ``@inaccessible`` ones included: the planner may need them."""
    possible: Mapping[str, tuple[str, ...]]
    """Any composite type → its object types (an object type has itself)."""
    abstract: frozenset[str]
    implements: Mapping[str, tuple[str, ...]]
    """Object or interface → the interfaces it implements in any subgraph."""
    authenticated: frozenset[str]
    """Coordinates (``Type`` or ``Type.field``) that carry ``@authenticated``."""
    required_scopes: Mapping[str, tuple[tuple[str, ...], ...]]
    """Coordinate → any of these lists, all scopes of it."""
    contexts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Context → the object types that set it."""
    live: Mapping[str, Live] = field(default_factory=dict)
    """Subscription field → what makes its events a live view."""
    api_schema: GraphQLSchema = field(repr=False)
    sdl: str = field(repr=False)

    @classmethod
    def parse(cls, sdl: str, *, active_labels: frozenset[str] = frozenset()) -> Supergraph:
        """Read a supergraph SDL, or raise ``SupergraphInvalid`` saying what is wrong with it.

        A labelled ``@override`` moves its field only when the label is among the active ones.
        """
        try:
            document = parse(sdl, no_location=True)
        except GraphQLSyntaxError as error:
            raise SupergraphInvalid(f"The supergraph SDL does not parse: {error.message}") from error
        return _Reader(document, sdl, active_labels).read()

    def matches(self, type_name: str, condition: str | None) -> bool:
        """Whether an object (or an ``@interfaceObject``) of this type passes a fragment's type condition."""
        return (
            condition is None
            or condition == type_name
            or type_name in self.possible.get(condition, ())
            or condition in self.implements.get(type_name, ())
        )

    def owners(self, type_name: str, field_name: str) -> tuple[str, ...]:
        """The subgraphs that resolve the field, whatever they require for it."""
        found = []
        for subgraph in self.subgraphs.values():
            for name in (type_name, *self.implements.get(type_name, ())):
                known = subgraph.types.get(name)
                if known is None or (name != type_name and not known.interface_object):
                    continue
                of = known.fields.get(field_name)
                if of is not None and not of.external:
                    found.append(subgraph.name)
                    break
        return tuple(found)


def _arguments(node: DirectiveNode) -> dict[str, Any]:
    return {argument.name.value: value_from_ast_untyped(argument.value) for argument in node.arguments or ()}


def _uses(node: Any, name: str) -> Iterator[dict[str, Any]]:
    for directive in node.directives or ():
        if directive.name.value == name:
            yield _arguments(directive)


def _type_ref(node: TypeNode) -> TypeRef:
    text, depth = print_ast(node), 0
    while not isinstance(node, NamedTypeNode):
        assert isinstance(node, ListTypeNode | NonNullTypeNode)
        depth += isinstance(node, ListTypeNode)
        node = node.type
    return TypeRef(node.name.value, depth, text)


def _type_ref_of_text(text: str) -> TypeRef:
    return TypeRef(re.sub(r"[\[\]!\s]", "", text), text.count("["), text)


class _Reader:
    """One reading of one document; thrown away afterwards."""

    def __init__(self, document: DocumentNode, sdl: str, active_labels: frozenset[str]) -> None:
        self.document = document
        self.active_labels = active_labels
        self.sdl = sdl
        self.definitions = {
            node.name.value: node for node in document.definitions if isinstance(node, TypeDefinitionNode)
        }

    def read(self) -> Supergraph:
        self.check_version()
        graphs = self.graphs()
        roots = self.roots()
        composites = {
            name: node
            for name, node in self.definitions.items()
            if isinstance(node, ObjectTypeDefinitionNode | InterfaceTypeDefinitionNode | UnionTypeDefinitionNode)
        }
        possible = self.possible(composites)
        subgraphs = {name: self.subgraph(graph, name, url, composites, roots) for graph, (name, url) in graphs.items()}
        authenticated, scopes = self.authorization()
        return Supergraph(
            subgraphs=MappingProxyType(subgraphs),
            roots=MappingProxyType(roots),
            fields={
                name: {item.name.value: _type_ref(item.type) for item in getattr(node, "fields", None) or ()}
                for name, node in composites.items()
            },
            possible=possible,
            abstract=frozenset(
                name for name, node in composites.items() if not isinstance(node, ObjectTypeDefinitionNode)
            ),
            implements={
                name: tuple(interface.name.value for interface in node.interfaces or ())
                for name, node in composites.items()
                if not isinstance(node, UnionTypeDefinitionNode)
            },
            contexts=self.contexts(possible),
            live=self.live(roots),
            authenticated=authenticated,
            required_scopes=scopes,
            api_schema=api_schema(self.document),
            sdl=self.sdl,
        )

    def check_version(self) -> None:
        schema = next((n for n in self.document.definitions if isinstance(n, SchemaDefinitionNode)), None)
        urls = [use.get("url", "") for use in _uses(schema, "link")] if schema else []
        version = next((m for url in urls if (m := re.search(r"/join/v0\.(\d+)$", str(url)))), None)
        if version is None:
            raise SupergraphInvalid("The schema has no @link to the join specification: this is no supergraph SDL.")
        if not 2 <= int(version[1]) <= 5:
            raise SupergraphInvalid(f"Join specification v0.{version[1]} is not supported; v0.2 to v0.5 are.")

    def graphs(self) -> dict[str, tuple[str, str]]:
        node = self.definitions.get("join__Graph")
        if not isinstance(node, EnumTypeDefinitionNode) or not node.values:
            raise SupergraphInvalid("The enum join__Graph, which names the subgraphs, is missing or empty.")
        graphs: dict[str, tuple[str, str]] = {}
        for value in node.values:
            use = next(_uses(value, "join__graph"), None)
            if use is None:
                raise SupergraphInvalid(f"join__Graph.{value.name.value} carries no @join__graph.")
            graphs[value.name.value] = (str(use["name"]), str(use.get("url") or ""))
        return graphs

    def roots(self) -> dict[OperationKind, str]:
        schema = next((n for n in self.document.definitions if isinstance(n, SchemaDefinitionNode)), None)
        assert schema is not None
        roots = {OperationKind(item.operation.value): item.type.name.value for item in schema.operation_types}
        if OperationKind.QUERY not in roots:
            raise SupergraphInvalid("The supergraph has no query root type.")
        for name in roots.values():
            if name not in self.definitions:
                raise SupergraphInvalid(f"The root type {name} is not defined.")
        return roots

    def possible(self, composites: Mapping[str, TypeDefinitionNode]) -> dict[str, tuple[str, ...]]:
        possible: dict[str, list[str]] = {name: [] for name in composites}
        for name, node in composites.items():
            match node:
                case ObjectTypeDefinitionNode():
                    possible[name].append(name)
                    for interface in node.interfaces or ():
                        possible.setdefault(interface.name.value, []).append(name)
                case UnionTypeDefinitionNode():
                    possible[name].extend(member.name.value for member in node.types or ())
        return {name: tuple(sorted(types)) for name, types in possible.items()}

    def subgraph(
        self,
        graph: str,
        name: str,
        url: str,
        composites: Mapping[str, TypeDefinitionNode],
        roots: Mapping[OperationKind, str],
    ) -> Subgraph:
        types: dict[str, SubgraphType] = {}
        possible: dict[str, list[str]] = {}
        for type_name, node in composites.items():
            uses = [use for use in _uses(node, "join__type") if use.get("graph") == graph]
            if not uses:
                continue
            interface_object = any(use.get("isInterfaceObject") for use in uses)
            types[type_name] = SubgraphType(
                name=type_name,
                keys=tuple(
                    Key(
                        fields=self.field_set(use["key"], type_name),
                        text=use["key"],
                        resolvable=use.get("resolvable", True),
                    )
                    for use in uses
                    if use.get("key")
                ),
                fields=dict(self.fields_of(graph, name, node)),
                interface_object=interface_object,
            )
            if not isinstance(node, ObjectTypeDefinitionNode) and not interface_object:
                possible.setdefault(type_name, [])
        for type_name, node in composites.items():
            if isinstance(node, ObjectTypeDefinitionNode) and type_name in types:
                for use in _uses(node, "join__implements"):
                    if use.get("graph") == graph and use["interface"] in possible:
                        possible[use["interface"]].append(type_name)
            if isinstance(node, UnionTypeDefinitionNode) and type_name in types:
                members = list(_uses(node, "join__unionMember"))
                # Join v0.2 does not say which subgraph has which member: then every one that knows the type does.
                possible[type_name] = (
                    [use["member"] for use in members if use.get("graph") == graph]
                    if members
                    else [member.name.value for member in node.types or () if member.name.value in types]
                )
        return Subgraph(
            graph=graph,
            name=name,
            url=url,
            types=types,
            possible={interface: tuple(sorted(set(members))) for interface, members in possible.items()},
            roots={kind: root for kind, root in roots.items() if root in types},
        )

    def fields_of(self, graph: str, subgraph: str, node: TypeDefinitionNode) -> Iterator[tuple[str, SubgraphField]]:
        items: tuple[FieldDefinitionNode, ...] = getattr(node, "fields", None) or ()
        for item in items:
            name = item.name.value
            uses = list(_uses(item, "join__field"))
            if not uses:
                yield name, SubgraphField(name=name, type=_type_ref(item.type))
                continue
            overrides = [use for use in uses if use.get("override")]
            moved = {
                use["override"]
                for use in overrides
                if not use.get("overrideLabel") or use["overrideLabel"] in self.active_labels
            }
            for use in uses:
                if use.get("graph") != graph:
                    continue
                label = use.get("overrideLabel")
                yield (
                    name,
                    SubgraphField(
                        name=name,
                        type=_type_ref_of_text(use["type"]) if use.get("type") else _type_ref(item.type),
                        external=bool(use.get("external") or use.get("usedOverridden"))
                        or subgraph in moved
                        or bool(use.get("override") and use["override"] not in moved),
                        requires=self.field_set(use["requires"], name) if use.get("requires") else (),
                        provides=self.field_set(use["provides"], name) if use.get("provides") else (),
                        contexts=tuple(self.from_context(given, name) for given in use.get("contextArguments") or ()),
                        override_label=label,
                    ),
                )

    def from_context(self, given: Mapping[str, str], where: str) -> FromContext:
        selection = given["selection"].strip()
        if selection.startswith("{"):
            selection = selection[1:].removesuffix("}")
        return FromContext(
            argument=given["name"],
            type=given["type"],
            context=given["context"],
            selection=self.field_set(selection, where),
        )

    def contexts(self, possible: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        found: dict[str, dict[str, None]] = {}
        for name, node in self.definitions.items():
            for use in _uses(node, "context"):
                found.setdefault(use["name"], {}).update(dict.fromkeys(possible.get(name, ())))
        return {context: tuple(types) for context, types in found.items()}

    def live(self, roots: Mapping[OperationKind, str]) -> dict[str, Live]:
        name = linked_name(self.document, "live")
        subscription = self.definitions.get(roots.get(OperationKind.SUBSCRIPTION, ""))
        found: dict[str, Live] = {}
        for node in getattr(subscription, "fields", None) or ():
            for use in _uses(node, name):
                said = {
                    part: use[part] for part in ("items", "key", "kind", "resume") if isinstance(use.get(part), str)
                }
                found[node.name.value] = Live(**said)
        return found

    def field_set(self, text: str, where: str) -> FieldSet:
        try:
            return parse_field_set(text)
        except ValueError as error:
            raise SupergraphInvalid(f"{where}: {error}") from error

    def authorization(self) -> tuple[frozenset[str], dict[str, tuple[tuple[str, ...], ...]]]:
        authenticated: set[str] = set()
        scopes: dict[str, tuple[tuple[str, ...], ...]] = {}
        for name, definition in self.definitions.items():
            places: list[tuple[str, Any]] = [(name, definition)]
            if isinstance(definition, ObjectTypeDefinitionNode | InterfaceTypeDefinitionNode):
                places += [(f"{name}.{item.name.value}", item) for item in definition.fields or ()]
            for coordinate, node in places:
                if any(True for _ in _uses(node, "authenticated")):
                    authenticated.add(coordinate)
                for use in _uses(node, "requiresScopes"):
                    scopes[coordinate] = tuple(tuple(str(s) for s in every) for every in use.get("scopes", ()))
                if any(True for _ in _uses(node, "policy")):
                    # An outside service decides policies, and this gateway has none: no alternative satisfies.
                    scopes[coordinate] = ()
        return frozenset(authenticated), scopes


def linked_name(document: DocumentNode, feature: str) -> str:
    """What a supergraph calls the directive of a linked feature of that name: ``import`` or ``as`` may have renamed it."""
    schema = next((node for node in document.definitions if isinstance(node, SchemaDefinitionNode)), None)
    for given in _uses(schema, "link") if schema else ():
        if f"/{feature}/v" in str(given.get("url", "")):
            for element in given.get("import") or ():
                if isinstance(element, dict) and element.get("name") == f"@{feature}":
                    return str(element.get("as") or feature).removeprefix("@")
            return str(given.get("as") or feature)
    return feature


def _carries(node: Any, directive: str) -> bool:
    return any(applied.name.value == directive for applied in node.directives or ())


def is_executable(node: DirectiveDefinitionNode) -> bool:
    """Whether clients may write this directive, and have to be told of it."""
    locations = {location.value for location in node.locations}
    name = node.name.value
    return bool(locations & _EXECUTABLE) and name not in _BUILT_IN_DIRECTIVES and "__" not in name


def api_schema(document: DocumentNode) -> GraphQLSchema:
    """The schema clients see of a supergraph's document: no federation machinery, nothing ``@inaccessible``."""
    inaccessible = linked_name(document, "inaccessible")
    gone = {
        node.name.value
        for node in document.definitions
        if isinstance(node, TypeDefinitionNode) and ("__" in node.name.value or _carries(node, inaccessible))
    }
    kept: list[Any] = []
    for node in document.definitions:
        match node:
            case SchemaDefinitionNode():
                types = [item for item in node.operation_types if item.type.name.value not in gone]
                kept.append(SchemaDefinitionNode(operation_types=tuple(types), directives=()))
            case DirectiveDefinitionNode() if is_executable(node):
                kept.append(node)
            case TypeDefinitionNode() if node.name.value not in gone:
                kept.append(_visible(node, gone, inaccessible))
            case _:
                continue
    try:
        return build_ast_schema(DocumentNode(definitions=tuple(kept)), assume_valid_sdl=False)
    except (GraphQLError, TypeError) as error:
        raise SupergraphInvalid(f"The API schema of this supergraph is invalid: {error}") from error


def _plain(node: Any, **changes: Any) -> Any:
    """A copy of the node with only the directives clients may see."""
    values = {key: getattr(node, key) for key in node.keys if key != "loc"}
    values["directives"] = tuple(d for d in node.directives or () if d.name.value in _API_DIRECTIVES)
    return type(node)(**{**values, **changes})


def _visible(node: TypeDefinitionNode, gone: set[str], inaccessible: str) -> Any:
    def shown(items: Any) -> tuple[Any, ...]:
        return tuple(item for item in items or () if not _carries(item, inaccessible))

    match node:
        case ObjectTypeDefinitionNode() | InterfaceTypeDefinitionNode():
            fields = tuple(
                _plain(item, arguments=tuple(_plain(argument) for argument in shown(item.arguments)))
                for item in shown(node.fields)
                if _type_ref(item.type).name not in gone
            )
            interfaces = tuple(item for item in node.interfaces or () if item.name.value not in gone)
            return _plain(node, fields=fields, interfaces=interfaces)
        case InputObjectTypeDefinitionNode():
            return _plain(node, fields=tuple(_plain(item) for item in shown(node.fields)))
        case EnumTypeDefinitionNode():
            return _plain(node, values=tuple(_plain(value) for value in shown(node.values)))
        case UnionTypeDefinitionNode():
            return _plain(node, types=tuple(member for member in node.types or () if member.name.value not in gone))
        case ScalarTypeDefinitionNode():
            return _plain(node)
        case _:
            return node
