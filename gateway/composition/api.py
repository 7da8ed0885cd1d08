"""From supergraph SDL to the API schema: what clients see. Takes away machinery and everything ``@inaccessible``; adds nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from graphql import (
    DirectiveDefinitionNode,
    DocumentNode,
    NamedTypeNode,
    SchemaDefinitionNode,
    TypeDefinitionNode,
    UnionTypeDefinitionNode,
    build_ast_schema,
    parse,
    print_schema,
)

from gateway.composition.links import Link, read_links

_KEPT_DIRECTIVES = {"deprecated", "specifiedBy", "oneOf"}


def api_schema_sdl(supergraph: str) -> str:
    """The API schema of a supergraph whose ``@inaccessible`` elements are consistent (a composition rule sees to that)."""
    document = parse(supergraph, no_location=True)
    schema = next(node for node in document.definitions if isinstance(node, SchemaDefinitionNode))
    links, _ = read_links("supergraph", schema.directives or ())
    inaccessible = next(
        (link.local_directive(link.name) for link in links if link.name == "inaccessible"), "inaccessible"
    )
    definitions: list[Any] = []
    hidden = {
        node.name.value
        for node in document.definitions
        if isinstance(node, TypeDefinitionNode) and (_is_machinery(node.name.value, links) or _has(node, inaccessible))
    }
    for node in document.definitions:
        if isinstance(node, DirectiveDefinitionNode):
            if not _is_linked(node.name.value, links):
                definitions.append(replace(node, arguments=_visible(node.arguments, inaccessible, hidden)))
        elif isinstance(node, SchemaDefinitionNode):
            kept = tuple(root for root in node.operation_types or () if root.type.name.value not in hidden)
            definitions.append(replace(node, directives=None, operation_types=kept))
        elif isinstance(node, TypeDefinitionNode) and node.name.value not in hidden:
            definitions.append(_cleaned(node, inaccessible, hidden))
    return print_schema(build_ast_schema(DocumentNode(definitions=tuple(definitions)), assume_valid_sdl=True)) + "\n"


def _is_machinery(name: str, links: Iterable[Link]) -> bool:
    prefix, separator, _ = name.partition("__")
    return bool(separator) and any(prefix == link.prefix for link in links)


def _is_linked(directive: str, links: Iterable[Link]) -> bool:
    return any(link.element_of(directive) is not None for link in links)


def _has(node: Any, directive: str) -> bool:
    return any(applied.name.value == directive for applied in node.directives or ())


def _visible(items: Iterable[Any] | None, inaccessible: str, hidden: set[str]) -> tuple[Any, ...]:
    return tuple(_cleaned(item, inaccessible, hidden) for item in items or () if not _has(item, inaccessible))


def _cleaned(node: Any, inaccessible: str, hidden: set[str]) -> Any:
    changes: dict[str, Any] = {}
    if "directives" in node.keys:
        changes["directives"] = tuple(d for d in node.directives or () if d.name.value in _KEPT_DIRECTIVES)
    for attribute in ("fields", "arguments", "values"):
        if attribute in node.keys:
            changes[attribute] = _visible(getattr(node, attribute), inaccessible, hidden)
    if "interfaces" in node.keys:
        changes["interfaces"] = _named(node.interfaces, hidden)
    if isinstance(node, UnionTypeDefinitionNode):
        changes["types"] = _named(node.types, hidden)
    return replace(node, **changes)


def _named(items: Iterable[NamedTypeNode] | None, hidden: set[str]) -> tuple[NamedTypeNode, ...]:
    return tuple(item for item in items or () if item.name.value not in hidden)
