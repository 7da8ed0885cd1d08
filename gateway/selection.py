"""Field sets: the little selections in ``@key``, ``@requires`` and ``@provides``. Parse and print; nothing about who resolves them.

A field set is kept as a tuple of ``SetField``; an inline fragment becomes the ``on`` of each field below it, so nobody
after the parser has to walk fragments.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

from graphql import FieldNode, GraphQLSyntaxError, InlineFragmentNode, OperationDefinitionNode, SelectionSetNode, parse
from graphql.language import ArgumentNode, ValueNode, ast, print_ast

FieldSet: TypeAlias = "tuple[SetField, ...]"


@dataclass(frozen=True, slots=True, kw_only=True)
class SetField:
    """One field of a field set."""

    name: str
    arguments: str = ""
    """The printed argument list without parentheses, canonical as ``print_arguments`` makes it."""
    on: str | None = None
    """The innermost type condition around it; None where there is none."""
    fields: FieldSet = ()


def print_arguments(arguments: tuple[ArgumentNode, ...] | None) -> str:
    """An argument list in one canonical spelling: sorted by name, object fields sorted, ``null`` and defaults kept as written."""
    if not arguments:
        return ""
    return ", ".join(
        f"{argument.name.value}: {print_value(argument.value)}"
        for argument in sorted(arguments, key=lambda argument: argument.name.value)
    )


def print_value(value: ValueNode) -> str:
    match value:
        case ast.VariableNode():
            return f"${value.name.value}"
        case ast.IntValueNode() | ast.FloatValueNode() | ast.EnumValueNode():
            return value.value
        case ast.ObjectValueNode():
            fields = sorted(value.fields, key=lambda field: field.name.value)
            return "{" + ", ".join(f"{field.name.value}: {print_value(field.value)}" for field in fields) + "}"
        case ast.ListValueNode():
            return "[" + ", ".join(print_value(item) for item in value.values) + "]"
        case ast.StringValueNode():
            # A block string and its ordinary spelling are one value, hence one canonical key.
            return print_ast(ast.StringValueNode(value=value.value, block=False))
        case _:
            return print_ast(value)


@lru_cache(maxsize=4096)
def parse_field_set(text: str) -> FieldSet:
    """``"id ref { k }"`` → fields. Raises ``ValueError`` when it is no selection."""
    try:
        document = parse("{" + text + "}", no_location=True)
    except GraphQLSyntaxError as error:
        raise ValueError(f"not a field set: {text!r} ({error.message})") from error
    definition = document.definitions[0]
    if len(document.definitions) != 1 or not isinstance(definition, OperationDefinitionNode):
        raise ValueError(f"not a field set: {text!r}")
    fields = _fields(definition.selection_set, None)
    if not fields:
        raise ValueError("a field set has at least one field")
    return fields


def _fields(selections: SelectionSetNode, on: str | None) -> FieldSet:
    return tuple(_walk(selections, on))


def _walk(selections: SelectionSetNode, on: str | None) -> Iterator[SetField]:
    for node in selections.selections:
        match node:
            case FieldNode():
                yield SetField(
                    name=node.name.value,
                    arguments=print_arguments(node.arguments),
                    on=on,
                    fields=_fields(node.selection_set, None) if node.selection_set else (),
                )
            case InlineFragmentNode():
                inner = node.type_condition.name.value if node.type_condition else on
                yield from _walk(node.selection_set, inner)
            case _:
                raise ValueError("a field set has no named fragments")


def print_field_set(fields: FieldSet) -> str:
    """The field set as GraphQL text without the outer braces."""
    parts = []
    for field in fields:
        text = field.name + (f"({field.arguments})" if field.arguments else "")
        if field.fields:
            text += f" {{ {print_field_set(field.fields)} }}"
        parts.append(f"... on {field.on} {{ {text} }}" if field.on else text)
    return " ".join(parts)
