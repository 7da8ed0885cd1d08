"""Federation 1 subgraphs, brought to federation 2. Pure: a new ``Subgraph`` comes out, federation 2 ones pass untouched.

Federation 1 was lenient: it shared value types without saying so, marked the key fields of an extension external, and ignored
directives where they mean nothing. The steps below say the first explicitly and take the others away, so that the rules need
to know one federation only. Sharing is decided last, since it depends on what the other subgraphs resolve.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from graphql import (
    ConstArgumentNode,
    ConstDirectiveNode,
    DirectiveNode,
    DocumentNode,
    FieldDefinitionNode,
    FieldNode,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    InterfaceTypeDefinitionNode,
    NameNode,
    SelectionSetNode,
    StringValueNode,
    build_ast_schema,
    get_named_type,
    is_composite_type,
)

from gateway.composition.field_sets import print_field_set, selection_or_none
from gateway.composition.subgraph import Subgraph, string_argument

FieldEdit = Callable[[str, FieldDefinitionNode], FieldDefinitionNode | None]
"""From a type's name and one of its fields to the field as it should be, or None to drop it."""

Definition = TypeVar("Definition", FieldDefinitionNode, InterfaceTypeDefinitionNode)

_SHARED = ConstDirectiveNode(name=NameNode(value="shareable"))


def upgrade(subgraphs: Sequence[Subgraph]) -> list[Subgraph]:
    """The same subgraphs, all as federation 2."""
    cleaned = [subgraph if subgraph.is_federation_2 else _cleaned(subgraph) for subgraph in subgraphs]
    return [
        subgraph
        if subgraph.is_federation_2
        else _shared(subgraph, [other for other in cleaned if other is not subgraph])
        for subgraph in cleaned
    ]


def _cleaned(subgraph: Subgraph) -> Subgraph:
    without = _edited(subgraph, _without_ineffective(subgraph), interfaces_without=("key",))
    narrowed = _edited(without, _with_effective_field_sets(without))
    return _edited(narrowed, _without_unused_externals(narrowed))


def _without_ineffective(subgraph: Subgraph) -> FieldEdit:
    """Drops directives federation 1 ignored: all on interface fields, provisions of leaves, externals that are keys."""

    def edit(type_name: str, field: FieldDefinitionNode) -> FieldDefinitionNode:
        holder = subgraph.composites[type_name]
        name = field.name.value
        dropped: set[str] = set()
        if isinstance(holder, GraphQLInterfaceType):
            dropped |= {"external", "requires", "provides"}
        if not is_composite_type(get_named_type(holder.fields[name].type)):
            dropped.add("provides")
        if (type_name, name) in subgraph.nominal_externals:
            dropped.add("external")
        elif subgraph.has(field, "external"):
            dropped.add("tag")
        return _without(subgraph, field, dropped)

    return edit


def _with_effective_field_sets(subgraph: Subgraph) -> FieldEdit:
    """Keeps in ``@requires`` and ``@provides`` only what is external; what the subgraph resolves itself had no effect."""

    def edit(type_name: str, field: FieldDefinitionNode) -> FieldDefinitionNode:
        holder = subgraph.composites[type_name]
        directives: list[DirectiveNode] = []
        for directive in field.directives or ():
            word = next((word for word in ("requires", "provides") if directive in subgraph.applied(field, word)), None)
            selection = selection_or_none(string_argument(directive, "fields") or "") if word else None
            if selection is None:
                directives.append(directive)
                continue
            target = holder if word == "requires" else get_named_type(holder.fields[field.name.value].type)
            kept = _external_part(subgraph, target, selection, False)
            if kept is not None:
                value = StringValueNode(value=print_field_set(kept))
                directives.append(
                    replace(directive, arguments=(ConstArgumentNode(name=NameNode(value="fields"), value=value),))
                )
        return replace(field, directives=tuple(directives))  # type: ignore[arg-type]

    return edit


def _external_part(
    subgraph: Subgraph, parent: GraphQLNamedType, selection_set: SelectionSetNode, under_external: bool
) -> SelectionSetNode | None:
    kept: list[Any] = []
    for selection in selection_set.selections:
        if isinstance(selection, InlineFragmentNode):
            name = selection.type_condition.name.value if selection.type_condition else parent.name
            inner = _external_part(subgraph, subgraph.types.get(name, parent), selection.selection_set, under_external)
            if inner is not None:
                kept.append(replace(selection, selection_set=inner))
        elif isinstance(selection, FieldNode):
            holder = parent if isinstance(parent, GraphQLObjectType | GraphQLInterfaceType) else None
            field = holder.fields.get(selection.name.value) if holder else None
            if field is None:
                kept.append(selection)
                continue
            external = under_external or (parent.name, selection.name.value) in subgraph.externals
            if isinstance(parent, GraphQLInterfaceType):
                possible = subgraph.schema.get_implementations(parent).objects
                external = external or any((one.name, selection.name.value) in subgraph.externals for one in possible)
            if selection.selection_set is None:
                # A composite field without a selection is a fault, and stays for the rule that reports it.
                if external or is_composite_type(get_named_type(field.type)):
                    kept.append(selection)
                continue
            inner = _external_part(subgraph, get_named_type(field.type), selection.selection_set, external)
            if inner is not None:
                kept.append(replace(selection, selection_set=inner))
    return replace(selection_set, selections=tuple(kept)) if kept else None


def _without_unused_externals(subgraph: Subgraph) -> FieldEdit:
    def edit(type_name: str, field: FieldDefinitionNode) -> FieldDefinitionNode | None:
        coordinate = (type_name, field.name.value)
        return None if coordinate in subgraph.externals and coordinate not in subgraph.used else field

    return edit


def _shared(subgraph: Subgraph, others: Iterable[Subgraph]) -> Subgraph:
    """Marks as shareable what federation 1 shared silently: value types, and fields that other subgraphs resolve as well."""
    neighbours = list(others)

    def edit(type_name: str, field: FieldDefinitionNode) -> FieldDefinitionNode:
        if not isinstance(subgraph.types[type_name], GraphQLObjectType) or type_name == "Subscription":
            return field
        name = field.name.value
        if type_name in subgraph.keys or type_name in ("Query", "Mutation"):
            wanted = any(
                type_name in other.composites
                and name in other.composites[type_name].fields
                and ((type_name, name) not in other.externals or (type_name, name) in other.provided)
                for other in neighbours
            )
        else:
            # What federation 1 shared silently is the definition; its extensions in the same subgraph are not value types.
            extended = (type_name, name) in subgraph.extended_fields
            wanted = not extended and any(type_name in other.types for other in neighbours)
        return replace(field, directives=(*(field.directives or ()), _SHARED)) if wanted else field

    return _edited(replace(subgraph, local_names={**subgraph.local_names, "shareable": "shareable"}), edit)


def _without(subgraph: Subgraph, node: Definition, words: Iterable[str]) -> Definition:
    dropped = [directive for word in words for directive in subgraph.applied(node, word)]
    return replace(node, directives=tuple(d for d in node.directives or () if d not in dropped)) if dropped else node


def _edited(subgraph: Subgraph, edit: FieldEdit, *, interfaces_without: Sequence[str] = ()) -> Subgraph:
    """The subgraph with every field of objects and interfaces passed through ``edit``; types left empty disappear."""
    definitions: list[Any] = [d.ast_node for d in subgraph.schema.directives if d.ast_node is not None]
    for name, found in subgraph.schema.type_map.items():
        node: Any = found.ast_node
        if node is None:
            continue
        if name in subgraph.composites:
            fields = tuple(kept for field in node.fields or () if (kept := edit(name, field)) is not None)
            if not fields:
                continue
            node = replace(node, fields=fields)
            if isinstance(found, GraphQLInterfaceType):
                node = _without(subgraph, node, interfaces_without)
        definitions.append(node)
    return replace(subgraph, schema=_schema(definitions))


def _schema(definitions: Sequence[Any]) -> GraphQLSchema:
    return build_ast_schema(DocumentNode(definitions=tuple(definitions)), assume_valid_sdl=True)
