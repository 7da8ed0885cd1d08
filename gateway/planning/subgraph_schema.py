"""The schema of one subgraph as far as the supergraph tells it, to validate documents against. For ``verify`` alone."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from graphql import DocumentNode, GraphQLSchema, InterfaceTypeDefinitionNode, build_schema, parse, print_ast, validate

from gateway.plan import Fetch, OperationKind
from gateway.supergraph import Supergraph


def document_errors(fetch: Fetch, supergraph: Supergraph) -> list[str]:
    schema = _subgraph_schema(supergraph.sdl, fetch.subgraph)
    return [error.message for error in validate(schema, parse(fetch.document))]


@lru_cache(maxsize=64)
def _subgraph_schema(sdl: str, name: str) -> GraphQLSchema:
    """The schema of one subgraph as far as the supergraph tells it, with ``_entities``."""
    document = parse(sdl)
    subgraph = Supergraph.parse(sdl).subgraphs[name]
    parts: list[str] = ["scalar _Any"]
    entities: list[str] = []
    for node in document.definitions:
        if getattr(node, "name", None) is None:
            continue
        type_name = node.name.value  # type: ignore[attr-defined]
        match node.kind:
            case "object_type_definition" | "interface_type_definition":
                known = subgraph.types.get(type_name)
                if known is None:
                    continue
                lines = []
                for item in node.fields or ():  # type: ignore[attr-defined]
                    of = known.fields.get(item.name.value)
                    if of is None:
                        continue
                    given = [_bare(argument) for argument in item.arguments or ()]
                    given += [f"{context.argument}: {context.type}" for context in of.contexts]
                    arguments = ", ".join(given)
                    lines.append(f"{of.name}{f'({arguments})' if arguments else ''}: {of.type.text}")
                if type_name == subgraph.roots.get(OperationKind.QUERY):
                    lines.append("_entities(representations: [_Any!]!): [_Entity]!")
                interfaces = [
                    interface
                    for interface, members in subgraph.possible.items()
                    if type_name in members and _is_interface(document, interface)
                ]
                kind = "type" if node.kind == "object_type_definition" or known.interface_object else "interface"
                implements = f" implements {' & '.join(interfaces)}" if interfaces else ""
                parts.append(f"{kind} {type_name}{implements} {{ {' '.join(lines) or '_empty: Int'} }}")
                if kind == "type" and known.keys:
                    entities.append(type_name)
            case "union_type_definition":
                if subgraph.possible.get(type_name):
                    parts.append(f"union {type_name} = {' | '.join(subgraph.possible[type_name])}")
            case "enum_type_definition" | "scalar_type_definition" | "input_object_type_definition":
                if "__" not in type_name and _joined(node, subgraph.graph):
                    parts.append(_bare(node))
            case _:
                continue
    if not any(part.startswith("type Query ") for part in parts) and OperationKind.QUERY not in subgraph.roots:
        parts.append("type Query { _entities(representations: [_Any!]!): [_Entity]! }")
    if not entities:
        parts.append("type _Nothing { _empty: Int }")
    parts.append(f"union _Entity = {' | '.join(entities or ['_Nothing'])}")
    roots = " ".join(f"{kind.value}: {root}" for kind, root in subgraph.roots.items())
    if OperationKind.QUERY not in subgraph.roots:
        roots = f"query: Query {roots}"
    return build_schema(f"schema {{ {roots} }}\n" + "\n".join(parts), assume_valid=True)


def _is_interface(document: DocumentNode, name: str) -> bool:
    return any(
        isinstance(node, InterfaceTypeDefinitionNode) and node.name.value == name for node in document.definitions
    )


def _joined(node: Any, graph: str) -> bool:
    return any(
        directive.name.value == "join__type"
        and any(each.name.value == "graph" and print_ast(each.value) == graph for each in directive.arguments)
        for directive in node.directives or ()
    )


def _bare(node: Any) -> str:
    """The definition's text without directives and descriptions."""
    match node.kind:
        case "input_value_definition":
            default = f" = {print_ast(node.default_value)}" if node.default_value is not None else ""
            return f"{node.name.value}: {print_ast(node.type)}{default}"
        case "enum_type_definition":
            return f"enum {node.name.value} {{ {' '.join(value.name.value for value in node.values)} }}"
        case "scalar_type_definition":
            return f"scalar {node.name.value}"
        case _:
            return f"input {node.name.value} {{ {' '.join(_bare(each) for each in node.fields)} }}"
