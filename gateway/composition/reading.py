"""Reading one SDL into a ``Subgraph``, or into the errors that keep it from being read.

Reading undoes everything that is only spelling: ``extend type`` joins its type, root types get their default names, imports
and prefixes of ``@link`` are looked through, definitions federation adds by itself are supplied where the SDL leaves them out
and taken away where it prints them. What federation directives ask for is not judged here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import replace
from typing import Any

from graphql import (
    DirectiveDefinitionNode,
    DocumentNode,
    EnumTypeDefinitionNode,
    EnumTypeExtensionNode,
    EnumValueNode,
    FieldDefinitionNode,
    GraphQLEnumType,
    GraphQLError,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    InputObjectTypeDefinitionNode,
    InputObjectTypeExtensionNode,
    InputValueDefinitionNode,
    InterfaceTypeDefinitionNode,
    InterfaceTypeExtensionNode,
    ListTypeNode,
    NamedTypeNode,
    NameNode,
    NonNullTypeNode,
    ObjectTypeDefinitionNode,
    ObjectTypeExtensionNode,
    ScalarTypeDefinitionNode,
    ScalarTypeExtensionNode,
    SchemaDefinitionNode,
    SchemaExtensionNode,
    StringValueNode,
    TypeDefinitionNode,
    TypeExtensionNode,
    TypeNode,
    Undefined,
    UnionTypeDefinitionNode,
    UnionTypeExtensionNode,
    build_ast_schema,
    get_named_type,
    parse,
    print_ast,
    specified_scalar_types,
    validate_schema,
    value_from_ast,
)
from graphql.language import Node
from graphql.validation import PossibleTypeExtensionsRule
from graphql.validation.specified_rules import specified_sdl_rules
from graphql.validation.validate import validate_sdl

from gateway.composition.links import Link, read_links
from gateway.composition.result import SubgraphSource
from gateway.composition.subgraph import ROOTS, Subgraph
from gateway.composition.vocabulary import (
    DIRECTIVES,
    FEATURES,
    FEDERATION_1,
    FEDERATION_IDENTITY,
    LINK_IDENTITY,
    MACHINERY_FIELDS,
    MACHINERY_TYPES,
    NEWEST_FEDERATION,
    SCALARS,
    SPECS,
    Version,
)
from gateway.errors import CompositionError

_SDL_RULES = [rule for rule in specified_sdl_rules if rule is not PossibleTypeExtensionsRule]

_LINK_DEFINITIONS = """
directive @link(url: String!, as: String, for: link__Purpose, import: [link__Import]) repeatable on SCHEMA
scalar link__Import
enum link__Purpose { SECURITY EXECUTION }
"""


def read_subgraph(source: SubgraphSource) -> tuple[Subgraph | None, list[CompositionError]]:
    """The subgraph, or None with the errors that keep its SDL from being read at all."""
    return _Reader(source).read()


_DEFINITION_OF: dict[type[TypeExtensionNode], type[TypeDefinitionNode]] = {
    ObjectTypeExtensionNode: ObjectTypeDefinitionNode,
    InterfaceTypeExtensionNode: InterfaceTypeDefinitionNode,
    UnionTypeExtensionNode: UnionTypeDefinitionNode,
    EnumTypeExtensionNode: EnumTypeDefinitionNode,
    InputObjectTypeExtensionNode: InputObjectTypeDefinitionNode,
    ScalarTypeExtensionNode: ScalarTypeDefinitionNode,
}

_KIND_WORDS: dict[type[TypeDefinitionNode], str] = {
    ObjectTypeDefinitionNode: "type",
    InterfaceTypeDefinitionNode: "interface",
    UnionTypeDefinitionNode: "union",
    EnumTypeDefinitionNode: "enum",
    InputObjectTypeDefinitionNode: "input",
    ScalarTypeDefinitionNode: "scalar",
}


class _Reader:
    """The steps of reading one SDL, sharing the list of errors found so far. Lives for one call of ``read_subgraph``."""

    def __init__(self, source: SubgraphSource) -> None:
        self.source = source
        self.errors: list[CompositionError] = []

    def complain(self, code: str, text: str, coordinate: str | None = None) -> None:
        message = f"[{self.source.name}] {text}"
        self.errors.append(CompositionError(code, message, coordinate=coordinate, subgraphs=(self.source.name,)))

    def read(self) -> tuple[Subgraph | None, list[CompositionError]]:
        if self.source.name == "_" or not self.source.name.strip():
            self.complain(
                "INVALID_SUBGRAPH_NAME", f'the subgraph name "{self.source.name}" is reserved: choose another'
            )
            return None, self.errors
        try:
            document = parse(self.source.sdl, no_location=True)
        except GraphQLError as unreadable:
            self.complain("INVALID_GRAPHQL", unreadable.message)
            return None, self.errors
        schema_directives = [
            directive
            for node in document.definitions
            if isinstance(node, SchemaDefinitionNode | SchemaExtensionNode)
            for directive in node.directives or ()
        ]
        links, link_errors = read_links(self.source.name, schema_directives)
        self.errors += link_errors
        version = self.federation_version(links)
        if self.errors or version is None:
            return None, self.errors
        local_names, scalars = self.local_names(document, links, version)
        added = self.added_definitions(document, links, version, local_names, scalars)
        if self.errors:
            return None, self.errors
        whole = DocumentNode(definitions=(*document.definitions, *added))
        for error in validate_sdl(_with_bases(whole), rules=_SDL_RULES):
            self.complain("INVALID_GRAPHQL", error.message)
        roots = self.root_names(document)
        if self.errors:
            return None, self.errors
        hidden = self.hidden_types(links, scalars.values())
        definitions, extensions, extended_fields = self.normalised(whole, roots, local_names, version)
        if self.errors:
            return None, self.errors
        try:
            schema = build_ast_schema(DocumentNode(definitions=tuple(definitions)), assume_valid_sdl=True)
        except (GraphQLError, TypeError) as unbuildable:
            self.complain("INVALID_GRAPHQL", str(unbuildable))
            return None, self.errors
        for error in validate_schema(schema):
            if not error.message.startswith("Query root type must be provided"):
                self.complain("INVALID_GRAPHQL", error.message)
        self.check_values(schema, hidden)
        if self.errors:
            return None, self.errors
        return (
            Subgraph(
                name=self.source.name,
                url=self.source.url,
                version=version,
                schema=schema,
                links=tuple(links),
                local_names=local_names,
                schema_node=SchemaExtensionNode(directives=tuple(schema_directives)),
                extension_types=frozenset(extensions),
                extended_fields=frozenset(extended_fields),
                hidden_types=frozenset(hidden),
            ),
            [],
        )

    def federation_version(self, links: list[Link]) -> Version | None:
        for link in links:
            if link.identity != FEDERATION_IDENTITY:
                continue
            if not (2, 0) <= link.version <= NEWEST_FEDERATION:
                self.complain(
                    "UNKNOWN_FEDERATION_LINK_VERSION",
                    f"federation v{link.version[0]}.{link.version[1]} is unknown: link v2.0 to"
                    f" v{NEWEST_FEDERATION[0]}.{NEWEST_FEDERATION[1]}",
                )
                return None
            for element in link.imports:
                known = (
                    (word := DIRECTIVES.get(element[1:])) is not None and word.definition(link.version) is not None
                    if element.startswith("@")
                    else element in SCALARS and SCALARS[element] <= link.version
                )
                if not known:
                    self.complain(
                        "INVALID_LINK_DIRECTIVE_USAGE",
                        f'cannot import "{element}": federation v{link.version[0]}.{link.version[1]} has no such element',
                    )
            return link.version
        return FEDERATION_1

    def local_names(
        self, document: DocumentNode, links: list[Link], version: Version
    ) -> tuple[dict[str, str], dict[str, str]]:
        """Local names of federation's directives and scalars; directives this version lacks are absent.

        Federation 1 has no links: a directive it defines under a name of federation 2 means that one.
        """
        own = {node.name.value for node in document.definitions if isinstance(node, DirectiveDefinitionNode)}
        names: dict[str, str] = {}
        scalars: dict[str, str] = {"FieldSet": "_FieldSet"}
        federation = next((link for link in links if link.identity == FEDERATION_IDENTITY), None)
        for word in DIRECTIVES.values():
            if word.definition(version) is not None or (version == FEDERATION_1 and word.name in own):
                names[word.name] = federation.local_directive(word.name) if federation else word.name
        if federation:
            scalars = {name: federation.local_type(name) for name, since in SCALARS.items() if since <= version}
        for link in links:
            feature = FEATURES.get(link.name)
            if feature is None or link.identity != SPECS + link.name:
                continue
            for word in DIRECTIVES.values():
                if word.feature == feature.name and (
                    word.name not in names or "@" + word.name not in (federation.imports if federation else {})
                ):
                    names[word.name] = link.local_directive(word.name)
        return names, scalars

    def added_definitions(
        self,
        document: DocumentNode,
        links: list[Link],
        version: Version,
        local_names: Mapping[str, str],
        scalars: Mapping[str, str],
    ) -> list[Any]:
        """What federation defines by itself and the SDL does not; the SDL's own definitions of the same are compared."""
        own_directives = {d.name.value: d for d in document.definitions if isinstance(d, DirectiveDefinitionNode)}
        own_types = {d.name.value: d for d in document.definitions if isinstance(d, TypeDefinitionNode)}
        added: list[Any] = []
        names = {**{name: name for name in SCALARS}, **scalars}
        names.setdefault("Scope", "federation__Scope")
        needed_scalars: dict[str, None] = dict.fromkeys(scalars.values())
        for word, local in local_names.items():
            text = DIRECTIVES[word].definition(
                max(version, (2, 0)) if version == FEDERATION_1 else version
            ) or DIRECTIVES[word].definition(NEWEST_FEDERATION)
            assert text is not None
            definition = parse(f"directive @{local}{text.format(**names)}", no_location=True).definitions[0]
            assert isinstance(definition, DirectiveDefinitionNode)
            own = own_directives.get(local)
            if own is None:
                added.append(definition)
                for argument in definition.arguments or ():
                    needed_scalars.setdefault(_type_name(argument.type))
            else:
                self.compare_definitions(own, definition, set(names.values()) | {"_FieldSet", "FieldSet"})
        for name in needed_scalars:
            defined = own_types.get(name)
            if defined is None:
                if name not in specified_scalar_types:
                    added += parse(f"scalar {name}", no_location=True).definitions
            elif not isinstance(defined, ScalarTypeDefinitionNode) and name in scalars.values():
                self.complain(
                    "TYPE_DEFINITION_INVALID",
                    f'"{name}" is federation\'s scalar: define it as a scalar or leave it out',
                    name,
                )
        for definition in parse(_LINK_DEFINITIONS, no_location=True).definitions:
            name = definition.name.value  # type: ignore[attr-defined]
            if name not in (own_directives if isinstance(definition, DirectiveDefinitionNode) else own_types):
                added.append(definition)
        for link in links:
            if link.identity == LINK_IDENTITY and link.local_directive("link") not in {"link", *own_directives}:
                renamed = _LINK_DEFINITIONS.splitlines()[1].replace("@link", "@" + link.local_directive("link"))
                added += parse(renamed, no_location=True).definitions
        return added

    def compare_definitions(
        self, own: DirectiveDefinitionNode, expected: DirectiveDefinitionNode, field_set_names: set[str]
    ) -> None:
        """A subgraph may print a federation directive's definition, narrower if it wants, but not another one."""
        name = own.name.value

        def wrong(text: str) -> None:
            self.complain(
                "DIRECTIVE_DEFINITION_INVALID",
                f'the definition of "@{name}" {text}: leave it out, it is supplied',
                f"@{name}",
            )

        allowed = {location.value for location in expected.locations}
        beyond = sorted({location.value for location in own.locations} - allowed)
        if beyond:
            wrong(f"allows {', '.join(beyond)}, where federation allows only {', '.join(sorted(allowed))}")
        if own.repeatable and not expected.repeatable:
            wrong("must not be repeatable")
        expected_arguments = {argument.name.value: argument for argument in (expected.arguments or ())}
        for argument in own.arguments or ():
            wanted = expected_arguments.pop(argument.name.value, None)
            if wanted is None:
                wrong(f'has an unknown argument "{argument.name.value}"')
            elif not _same_type(argument.type, wanted.type, field_set_names):
                wrong(f'gives argument "{argument.name.value}" another type')
            elif _value_text(argument.default_value) != _value_text(wanted.default_value):
                wrong(f'gives argument "{argument.name.value}" another default value')
        for argument_name, wanted in expected_arguments.items():
            if isinstance(wanted.type, NonNullTypeNode) and wanted.default_value is None:
                wrong(f'lacks the required argument "{argument_name}"')

    def root_names(self, document: DocumentNode) -> dict[str, str]:
        """Declared root type names mapped to the default ones."""
        roots: dict[str, str] = {}
        declared = False
        for node in document.definitions:
            if isinstance(node, SchemaDefinitionNode | SchemaExtensionNode):
                declared = declared or isinstance(node, SchemaDefinitionNode)
                for operation_type in node.operation_types or ():
                    roots[operation_type.operation.value] = operation_type.type.name.value
        if not declared:
            for operation, default in ROOTS.items():
                roots.setdefault(operation, default)
        defined = {
            node.name.value for node in document.definitions if isinstance(node, TypeDefinitionNode | TypeExtensionNode)
        }
        for operation, default in ROOTS.items():
            if default in defined and roots.get(operation) not in (None, default):
                self.complain(
                    f"ROOT_{operation.upper()}_USED",
                    f'type "{default}" is not the {operation} root ("{roots[operation]}" is): rename "{default}"',
                    default,
                )
        return {name: ROOTS[operation] for operation, name in roots.items()}

    def hidden_types(self, links: list[Link], scalars: Iterable[str]) -> set[str]:
        hidden = {*MACHINERY_TYPES, *scalars, "link__Import", "link__Purpose", "federation__Scope"}
        for link in links:
            if link.identity.startswith(SPECS):
                hidden |= {local for element, local in link.imports.items() if not element.startswith("@")}
                if link.identity == LINK_IDENTITY:
                    hidden |= {link.local_type("Import"), link.local_type("Purpose")}
        return hidden

    def normalised(
        self, document: DocumentNode, roots: Mapping[str, str], local_names: Mapping[str, str], version: Version
    ) -> tuple[list[Any], set[str], set[tuple[str, str]]]:
        """One definition a type, root types by their default names; also the types that are only extended, and the fields
        that extensions add to a type defined beside them."""
        parts: dict[str, list[TypeDefinitionNode | TypeExtensionNode]] = {}
        others: list[Any] = []
        for node in document.definitions:
            if isinstance(node, TypeDefinitionNode | TypeExtensionNode):
                parts.setdefault(node.name.value, []).append(node)
            elif isinstance(node, DirectiveDefinitionNode):
                others.append(node)
        definitions: list[Any] = []
        extensions: set[str] = set()
        extended_fields: set[tuple[str, str]] = set()
        for name, nodes in parts.items():
            if name in MACHINERY_TYPES and name != "_FieldSet" and name != "_Any":
                continue
            kinds = {_DEFINITION_OF.get(type(node), type(node)) for node in nodes}  # type: ignore[arg-type]
            if len(kinds) > 1:
                words = " and ".join(sorted(_KIND_WORDS[kind] for kind in kinds))
                self.complain("INVALID_GRAPHQL", f'"{name}" is extended as another kind of type ({words})', name)
                continue
            merged = _joined(nodes, kinds.pop(), local_names, version)
            default = roots.get(name)
            if default is not None:
                kept = tuple(field for field in merged.fields if field.name.value not in MACHINERY_FIELDS)
                if not kept:
                    continue
                merged = replace(merged, name=NameNode(value=default), fields=kept)
            if all(isinstance(node, TypeExtensionNode) for node in nodes) and default is None:
                extensions.add(name)
            elif default is None:
                added = (node for node in nodes if isinstance(node, TypeExtensionNode))
                extended_fields |= {
                    (name, item.name.value) for node in added for item in getattr(node, "fields", None) or ()
                }
            definitions.append(merged)
        renames = {name: default for name, default in roots.items() if name != default}
        if renames:
            definitions = [_renamed(definition, renames) for definition in definitions]
        enums = {
            node.name.value: {value.name.value for value in node.values or ()}
            for node in definitions
            if isinstance(node, EnumTypeDefinitionNode)
        }
        return [*(_with_enum_defaults(node, enums) for node in definitions), *others], extensions, extended_fields

    def check_values(self, schema: GraphQLSchema, hidden: set[str]) -> None:
        """Argument values of applied directives, which SDL validation leaves unchecked."""
        directives = {directive.name: directive for directive in schema.directives}
        for coordinate, node in described_nodes(schema):
            for applied in getattr(node, "directives", None) or ():
                definition = directives.get(applied.name.value)
                for argument in (applied.arguments or ()) if definition else ():
                    assert definition is not None
                    declared = definition.args.get(argument.name.value)
                    if (
                        declared is not None
                        and not (
                            argument.name.value == "fields"
                            and get_named_type(declared.type).name in hidden | {"String"}
                        )
                        and value_from_ast(argument.value, declared.type) is Undefined
                    ):
                        self.complain(
                            "INVALID_GRAPHQL",
                            f'"{coordinate}": argument "{argument.name.value}" of "@{applied.name.value}" must be of type'
                            f" {declared.type}",
                            coordinate,
                        )


def _with_bases(document: DocumentNode) -> DocumentNode:
    """The document with a definition for each type that is only extended, as federation allows."""
    defined = {node.name.value for node in document.definitions if isinstance(node, TypeDefinitionNode)}
    definitions: list[Any] = []
    for node in document.definitions:
        kind = _DEFINITION_OF.get(type(node))  # type: ignore[arg-type]
        if kind is not None and isinstance(node, TypeExtensionNode) and node.name.value not in defined:
            defined.add(node.name.value)
            members: dict[str, Any] = {key: getattr(node, key, None) for key in kind.keys}
            definitions.append(kind(**members))
        else:
            definitions.append(node)
    return DocumentNode(definitions=tuple(definitions))


def described_nodes(schema: GraphQLSchema) -> Iterator[tuple[str, Node]]:
    """Every element of a schema that can carry directives, with its coordinate."""
    for name, found in schema.type_map.items():
        if found.ast_node is None:
            continue
        yield name, found.ast_node
        if isinstance(found, GraphQLObjectType | GraphQLInterfaceType):
            for field_name, field in found.fields.items():
                if field.ast_node is not None:
                    yield f"{name}.{field_name}", field.ast_node
                for argument_name, argument in field.args.items():
                    if argument.ast_node is not None:
                        yield f"{name}.{field_name}({argument_name}:)", argument.ast_node
        elif isinstance(found, GraphQLInputObjectType):
            for field_name, input_field in found.fields.items():
                if input_field.ast_node is not None:
                    yield f"{name}.{field_name}", input_field.ast_node
        elif isinstance(found, GraphQLEnumType):
            for value_name, value in found.values.items():
                if value.ast_node is not None:
                    yield f"{name}.{value_name}", value.ast_node


def _type_name(node: TypeNode) -> str:
    while not isinstance(node, NamedTypeNode):
        node = node.type  # type: ignore[attr-defined]
    return node.name.value


def _type_text(node: TypeNode) -> str:
    return print_ast(node)


def _same_type(own: TypeNode, expected: TypeNode, field_set_names: set[str]) -> bool:
    own_text, expected_text = _type_text(own), _type_text(expected)
    own_name, expected_name = _type_name(own), _type_name(expected)
    if own_text == expected_text:
        return True
    # Federation 1 libraries print field sets as String or _FieldSet, and sometimes nullable or as a list of names.
    if expected_name in field_set_names and own_name in field_set_names | {"String"}:
        own_text = own_text.replace(f"[{own_name}!]", own_name).replace(f"[{own_name}]", own_name)
        return own_text.replace(own_name, "").rstrip("!") == expected_text.replace(expected_name, "").rstrip("!")
    return own_name == expected_name and own_text + "!" == expected_text


def _value_text(node: Node | None) -> str | None:
    return None if node is None else print_ast(node)


def _joined(
    nodes: list[TypeDefinitionNode | TypeExtensionNode],
    kind: type[TypeDefinitionNode],
    local_names: Mapping[str, str],
    version: Version,
) -> Any:
    """One definition from a type's definition and its extensions.

    ``@shareable`` and ``@external`` on a type speak of the fields of that one declaration, so they move down to the fields here.
    """
    pushed = [local_names[word] for word in ("shareable", "external") if word in local_names and version >= (2, 0)]
    collected: dict[str, list[Any]] = {"directives": [], "interfaces": [], "fields": [], "values": [], "types": []}
    description = None
    for node in nodes:
        description = description or getattr(node, "description", None)
        on_type = [directive for directive in node.directives or () if directive.name.value in pushed]
        for attribute, bucket in collected.items():
            for item in getattr(node, attribute, None) or ():
                if attribute == "interfaces" and any(item.name.value == other.name.value for other in bucket):
                    continue
                if attribute == "fields" and on_type and kind is ObjectTypeDefinitionNode:
                    present = {directive.name.value for directive in item.directives or ()}
                    moved = (directive for directive in on_type if directive.name.value not in present)
                    bucket.append(replace(item, directives=(*(item.directives or ()), *moved)))
                else:
                    bucket.append(item)
    members: dict[str, Any] = {key: tuple(bucket) for key, bucket in collected.items() if key in kind.keys}
    return kind(name=NameNode(value=nodes[0].name.value), description=description, **members)


def _with_enum_defaults(node: Any, enums: Mapping[str, Set[str]]) -> Any:
    """A type definition whose enum defaults are enum values, though some were written as strings: others let them pass."""
    value = getattr(node, "default_value", None)
    if isinstance(value, StringValueNode):
        of = node.type.type if isinstance(node.type, NonNullTypeNode) else node.type
        if isinstance(of, NamedTypeNode) and value.value in enums.get(of.name.value, ()):
            return replace(node, default_value=EnumValueNode(value=value.value))
        return node
    changed: dict[str, Any] = {}
    for attribute in ("fields", "arguments"):
        items = getattr(node, attribute, None) or ()
        again = tuple(_with_enum_defaults(item, enums) for item in items)
        if any(old is not new for old, new in zip(items, again, strict=True)):
            changed[attribute] = again
    return replace(node, **changed) if changed else node


def _renamed(node: Any, renames: Mapping[str, str]) -> Any:
    """A type definition, field, argument or type reference with every mention of a renamed root type at its default name."""
    if isinstance(node, NamedTypeNode):
        name = renames.get(node.name.value)
        return node if name is None else NamedTypeNode(name=NameNode(value=name))
    if isinstance(node, ListTypeNode | NonNullTypeNode):
        return replace(node, type=_renamed(node.type, renames))
    changed: dict[str, Any] = {}
    for attribute in ("fields", "interfaces", "types", "arguments"):
        items = getattr(node, attribute, None)
        if items:
            changed[attribute] = tuple(_renamed(item, renames) for item in items)
    if isinstance(node, FieldDefinitionNode | InputValueDefinitionNode):
        changed["type"] = _renamed(node.type, renames)
    return replace(node, **changed)
