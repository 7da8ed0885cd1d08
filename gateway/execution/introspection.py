"""``__schema`` and ``__type``, answered from the API schema by graphql-core. Nothing here is asked of a subgraph.

The answer has canonical keys and no conditions, like a subgraph's: the projection does the rest. Since a schema does not
change, the answer of an operation whose introspection uses no variables is made once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from graphql import GraphQLSchema, execute_sync, parse

from gateway.operation import Field, Operation, Selection
from gateway.plan import OperationKind

FIELDS: Final = frozenset({"__schema", "__type"})


class Introspection:
    """The introspection part of one operation; ``wanted`` is False for nearly all."""

    def __init__(self, operation: Operation, schema: GraphQLSchema) -> None:
        fields = list(_root_fields(operation.selections)) if operation.kind is OperationKind.QUERY else []
        used = sorted({name for field in fields for name in _variables(field)})
        self.wanted = bool(fields)
        self._schema = schema
        self._variables = used
        self._document = _document(operation, fields, used)
        self._answer: dict[str, Any] | None = None

    def answer(self, variables: Mapping[str, Any]) -> dict[str, Any]:
        """Root fields of the merged tree. Not to be changed by the caller: it may be given out again."""
        if self._answer is not None:
            return self._answer
        result = execute_sync(
            self._schema,
            parse(self._document, no_location=True),
            variable_values={name: variables[name] for name in self._variables if name in variables},
        )
        assert result.data is not None, f"introspection of a valid schema failed: {result.errors}"
        if not self._variables:
            self._answer = result.data
        return result.data


def _root_fields(selections: tuple[Selection, ...]) -> Iterator[Field]:
    for each in selections:
        if isinstance(each, Field):
            if each.name in FIELDS:
                yield each
        else:
            yield from _root_fields(each.selections)


def _variables(field: Field) -> set[str]:
    names = set(field.variables)
    for each in _fields(field.selections):
        names.update(each.variables)
    return names


def _fields(selections: tuple[Selection, ...]) -> Iterator[Field]:
    for each in selections:
        if isinstance(each, Field):
            yield each
        yield from _fields(each.selections)


def _document(operation: Operation, fields: list[Field], used: list[str]) -> str:
    declared = [
        f"${each.name}: {each.type}" + (f" = {each.default}" if each.default is not None else "")
        for each in operation.variables
        if each.name in used
    ]
    return f"query{' (' + ', '.join(declared) + ')' if declared else ''} {{ {_text(tuple(fields))} }}"


def _text(selections: tuple[Selection, ...]) -> str:
    parts = []
    for each in selections:
        if isinstance(each, Field):
            text = f"{each.key}: {each.name}" + (f"({each.arguments})" if each.arguments else "")
            parts.append(f"{text} {{ {_text(each.selections)} }}" if each.selections else text)
        else:
            parts.append(f"... {'on ' + each.on + ' ' if each.on else ''}{{ {_text(each.selections)} }}")
    # A selection whose every field was left out by a literal condition still needs something to select.
    return " ".join(parts) or "__typename"
