"""One subgraph as composition sees it: a normalised schema in which federation's directives are asked for by their own names.

``applied(node, "key")`` finds ``@federation__key`` and ``@k`` alike. Everything here is derived from one subgraph alone. How the
note comes about is ``reading.py``; what a directive means across subgraphs belongs in ``merge.py``, whether its use is right in
``rules``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from graphql import (
    BooleanValueNode,
    DirectiveNode,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    IntValueNode,
    ListValueNode,
    SchemaExtensionNode,
    SelectionSetNode,
    StringValueNode,
    get_named_type,
    specified_scalar_types,
)
from graphql.language import Node

from gateway.composition.field_sets import Coordinate, context_use, is_known, selected_fields, selection_or_none
from gateway.composition.links import Link
from gateway.composition.vocabulary import (
    Version,
)

ROOTS: Mapping[str, str] = {"query": "Query", "mutation": "Mutation", "subscription": "Subscription"}


@dataclass(frozen=True, slots=True)
class Key:
    """One ``@key`` of a type in one subgraph."""

    fields: str
    selection: SelectionSetNode | None
    resolvable: bool


@dataclass(frozen=True, kw_only=True, eq=False)
class Subgraph:
    """One subgraph, normalised. Everything derived from it is computed once, when first asked."""

    name: str
    url: str
    version: Version
    schema: GraphQLSchema
    links: tuple[Link, ...]
    local_names: Mapping[str, str]
    schema_node: SchemaExtensionNode
    """The directives of the schema definition and of all its extensions."""
    extension_types: frozenset[str]
    """Types it only extends."""
    extended_fields: frozenset[tuple[str, str]]
    """Fields (type, name) that an extension adds to a type it also defines."""
    hidden_types: frozenset[str]

    @property
    def is_federation_2(self) -> bool:
        return self.version >= (2, 0)

    def applied(self, node: Node | None, word: str) -> list[DirectiveNode]:
        """The applications of federation's directive ``word`` on ``node``, whatever the subgraph calls it."""
        local = self.local_names.get(word)
        if local is None or node is None:
            return []
        directives: Iterable[DirectiveNode] = getattr(node, "directives", None) or ()
        return [directive for directive in directives if directive.name.value == local]

    def has(self, node: Node | None, word: str) -> bool:
        return bool(self.applied(node, word))

    @cached_property
    def types(self) -> dict[str, GraphQLNamedType]:
        """The types that take part in composition: neither built in nor federation's own."""
        return {
            name: found
            for name, found in self.schema.type_map.items()
            if not name.startswith("__") and name not in specified_scalar_types and name not in self.hidden_types
        }

    @cached_property
    def composites(self) -> dict[str, GraphQLObjectType | GraphQLInterfaceType]:
        return {
            name: found
            for name, found in self.types.items()
            if isinstance(found, GraphQLObjectType | GraphQLInterfaceType)
        }

    def is_interface_object(self, type_name: str) -> bool:
        found = self.types.get(type_name)
        return isinstance(found, GraphQLObjectType) and self.has(found.ast_node, "interfaceObject")

    @cached_property
    def keys(self) -> dict[str, tuple[Key, ...]]:
        return {
            name: tuple(self._keys_of(found))
            for name, found in self.composites.items()
            if self.has(found.ast_node, "key")
        }

    def _keys_of(self, found: GraphQLNamedType) -> Iterator[Key]:
        for directive in self.applied(found.ast_node, "key"):
            fields = string_argument(directive, "fields")
            if fields is not None:
                yield Key(fields, selection_or_none(fields), boolean_argument(directive, "resolvable", default=True))

    def is_extension(self, type_name: str) -> bool:
        """Whether this subgraph only extends the type: ``extend type`` without a definition, or ``@extends``."""
        found = self.types.get(type_name)
        return type_name in self.extension_types or (found is not None and self.has(found.ast_node, "extends"))

    def field_sets(self, word: str) -> Iterator[tuple[GraphQLNamedType, str | None, DirectiveNode]]:
        """Each application of ``@key``, ``@requires`` or ``@provides``: the type its fields are looked up in, the field it is on."""
        for found in self.composites.values():
            if word == "key":
                for directive in self.applied(found.ast_node, word):
                    yield found, None, directive
                continue
            for name, field in found.fields.items():
                for directive in self.applied(field.ast_node, word):
                    target = get_named_type(field.type) if word == "provides" else found
                    yield target, name, directive

    def _selected(self, word: str, *, implementations: bool) -> Iterator[Coordinate]:
        for target, _, directive in self.field_sets(word):
            selection = selection_or_none(string_argument(directive, "fields") or "")
            # A field set with a fault uses nothing: a rule reports it, and what it alone would have used.
            if selection is not None and is_known(self.schema, target, selection):
                yield from selected_fields(self.schema, target, selection, implementations=implementations)

    @cached_property
    def nominal_externals(self) -> frozenset[Coordinate]:
        """Fields marked ``@external`` that are not: key fields of an extension, which older schemas had to mark."""
        fake: set[Coordinate] = set()
        for name, keys in self.keys.items():
            if not self.is_extension(name):
                continue
            for key in keys:
                if key.selection is not None:
                    fake.update(selected_fields(self.schema, self.types[name], key.selection, implementations=False))
        return frozenset(fake)

    @cached_property
    def externals(self) -> frozenset[Coordinate]:
        """The fields this subgraph mentions and does not resolve."""
        return frozenset(
            (name, field_name)
            for name, found in self.composites.items()
            for field_name, field in found.fields.items()
            if self.has(field.ast_node, "external") and (name, field_name) not in self.nominal_externals
        )

    @cached_property
    def provided(self) -> frozenset[Coordinate]:
        """Fields that some ``@provides`` of this subgraph makes resolvable along one path."""
        return frozenset(self._selected("provides", implementations=True))

    @cached_property
    def used(self) -> frozenset[Coordinate]:
        """Fields some key, requirement, provision, context or interface of this subgraph relies on."""
        coordinates = set(self.provided)
        for word in ("key", "requires"):
            coordinates.update(self._selected(word, implementations=True))
        for name, found in self.composites.items():
            for interface in found.interfaces:
                coordinates.update((name, field) for field in interface.fields if field in found.fields)
        coordinates.update(self._from_context)
        return frozenset(coordinates)

    @cached_property
    def _from_context(self) -> frozenset[Coordinate]:
        """Fields selected by ``@fromContext``: ``$name { selection }``, looked up in every type that sets that context."""
        setters: dict[str, list[GraphQLNamedType]] = {}
        for found in self.types.values():
            for directive in self.applied(found.ast_node, "context"):
                setters.setdefault(string_argument(directive, "name") or "", []).append(found)
        coordinates: set[Coordinate] = set()
        for composite in self.composites.values():
            for field in composite.fields.values():
                for argument in field.args.values():
                    for directive in self.applied(argument.ast_node, "fromContext"):
                        use = context_use(string_argument(directive, "field") or "")
                        selection = selection_or_none(use[1]) if use else None
                        if use is None or selection is None:
                            continue
                        for setter in setters.get(use[0], ()):
                            coordinates.update(selected_fields(self.schema, setter, selection, implementations=True))
        return frozenset(coordinates)

    @cached_property
    def _key_fields(self) -> frozenset[Coordinate]:
        return frozenset(self._selected("key", implementations=True))

    def is_shareable(self, type_name: str, field_name: str) -> bool:
        """Whether other subgraphs may resolve the field too: marked so, or part of a key."""
        if (type_name, field_name) in self._key_fields:
            return True
        found = self.composites.get(type_name)
        return found is not None and self.has(found.fields[field_name].ast_node, "shareable")


def string_argument(directive: DirectiveNode, name: str) -> str | None:
    for argument in directive.arguments or ():
        if argument.name.value == name and isinstance(argument.value, StringValueNode):
            return argument.value.value
    return None


def boolean_argument(directive: DirectiveNode, name: str, *, default: bool) -> bool:
    for argument in directive.arguments or ():
        if argument.name.value == name and isinstance(argument.value, BooleanValueNode):
            return argument.value.value
    return default


def integer_argument(directive: DirectiveNode, name: str) -> int | None:
    for argument in directive.arguments or ():
        if argument.name.value == name and isinstance(argument.value, IntValueNode):
            return int(argument.value.value)
    return None


def string_list_argument(directive: DirectiveNode, name: str) -> list[str] | None:
    for argument in directive.arguments or ():
        if argument.name.value == name and isinstance(argument.value, ListValueNode):
            return [value.value for value in argument.value.values if isinstance(value, StringValueNode)]
    return None
