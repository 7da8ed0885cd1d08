"""Field sets (the selection in ``@key``, ``@requires`` and ``@provides``): parse once, walk over a schema. No judgement here."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from graphql import (
    FieldNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    get_named_type,
    parse,
    print_ast,
)

Coordinate = tuple[str, str]


@lru_cache(maxsize=8192)
def parse_field_set(text: str) -> SelectionSetNode:
    """The selection set of a field set, written with or without its outer braces; raises ``GraphQLError`` when it is none."""
    stripped = text.strip()
    document = parse(stripped if stripped.startswith("{") else "{" + text + "}", no_location=True)
    definition = document.definitions[0]
    if len(document.definitions) != 1 or not isinstance(definition, OperationDefinitionNode):
        raise GraphQLError("a field set is one selection")
    for selection in _all_selections(definition.selection_set):
        if isinstance(selection, FragmentSpreadNode):
            raise GraphQLError("a field set cannot use named fragments")
        if isinstance(selection, FieldNode) and selection.alias:
            raise GraphQLError(f'a field set cannot use aliases (found "{selection.alias.value}")')
    return definition.selection_set


def selection_or_none(text: str) -> SelectionSetNode | None:
    try:
        return parse_field_set(text)
    except GraphQLError:
        return None


_CONTEXT_USE = re.compile(r"\s*\$([A-Za-z][A-Za-z0-9]*)\s*(\S.*)", re.DOTALL)


def context_use(text: str) -> tuple[str, str] | None:
    """The context's name and the selection in ``"$name { field }"`` or ``"$name ... on Type { field }"``."""
    match = _CONTEXT_USE.fullmatch(text)
    return (match[1], match[2].strip()) if match else None


def _all_selections(selection_set: SelectionSetNode) -> Iterator[FieldNode | InlineFragmentNode | FragmentSpreadNode]:
    for selection in selection_set.selections:
        assert isinstance(selection, FieldNode | InlineFragmentNode | FragmentSpreadNode)
        yield selection
        if not isinstance(selection, FragmentSpreadNode) and selection.selection_set:
            yield from _all_selections(selection.selection_set)


@lru_cache(maxsize=8192)
def print_field_set(selection_set: SelectionSetNode) -> str:
    """The selection on one line without outer braces, as the join specification writes it."""
    return " ".join(print_ast(selection_set).split())[2:-2]


def is_known(schema: GraphQLSchema, parent: GraphQLNamedType, selection_set: SelectionSetNode) -> bool:
    """Whether all a field set names exists."""
    for selection in selection_set.selections:
        if isinstance(selection, InlineFragmentNode):
            condition = selection.type_condition
            narrowed = parent if condition is None else schema.type_map.get(condition.name.value)
            if narrowed is None or not is_known(schema, narrowed, selection.selection_set):
                return False
        elif isinstance(selection, FieldNode) and selection.name.value != "__typename":
            holder = parent if isinstance(parent, GraphQLObjectType | GraphQLInterfaceType) else None
            field = holder.fields.get(selection.name.value) if holder else None
            if field is None:
                return False
            if selection.selection_set and not is_known(schema, get_named_type(field.type), selection.selection_set):
                return False
    return True


def selected_fields(
    schema: GraphQLSchema, parent: GraphQLNamedType, selection_set: SelectionSetNode, *, implementations: bool
) -> Iterator[Coordinate]:
    """Every field a field set names, nested ones too; what does not exist is passed over (a rule reports it).

    With ``implementations``, a field selected on an interface also names that field of every type that implements it.
    """
    for selection in selection_set.selections:
        if isinstance(selection, InlineFragmentNode):
            narrowed = parent
            if selection.type_condition is not None:
                found = schema.type_map.get(selection.type_condition.name.value)
                if found is None:
                    continue
                narrowed = found
            yield from selected_fields(schema, narrowed, selection.selection_set, implementations=implementations)
        elif isinstance(selection, FieldNode) and isinstance(parent, GraphQLObjectType | GraphQLInterfaceType):
            name = selection.name.value
            field = parent.fields.get(name)
            if field is None:
                continue
            yield parent.name, name
            holders: list[GraphQLObjectType | GraphQLInterfaceType] = [parent]
            if implementations and isinstance(parent, GraphQLInterfaceType):
                possible = schema.get_implementations(parent)
                implementing: list[GraphQLObjectType | GraphQLInterfaceType] = [
                    *possible.objects,
                    *possible.interfaces,
                ]
                for implementation in implementing:
                    if name in implementation.fields:
                        yield implementation.name, name
                        holders.append(implementation)
            if selection.selection_set is None:
                continue
            for target in dict.fromkeys(get_named_type(holder.fields[name].type).name for holder in holders):
                yield from selected_fields(
                    schema, schema.type_map[target], selection.selection_set, implementations=implementations
                )
