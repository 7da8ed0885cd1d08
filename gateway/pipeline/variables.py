"""The client's variables: checked against the API schema, and handed on as the JSON they came as.

Subgraphs coerce again, so they get what the client wrote, not Python's idea of it (an enum's internal value, a parsed
scalar). Defaults of the operation are filled in, because conditions (``@skip``/``@include``) are decided here and the
subgraphs' documents need not repeat them. A variable the client left out, without default, stays left out: absent and
null are different things to a resolver.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any, Final

from graphql import (
    GraphQLSchema,
    NamedTypeNode,
    NonNullTypeNode,
    OperationDefinitionNode,
    VariableDefinitionNode,
    get_variable_values,
    parse,
    value_from_ast_untyped,
)

from gateway.errors import VariableInvalid


def coerce(
    schema: GraphQLSchema, definitions: Sequence[VariableDefinitionNode], given: Mapping[str, Any], *, errors_max: int
) -> dict[str, Any]:
    """The declared variables in input form. Raises VariableInvalid, which names every variable that is wrong."""
    outcome = get_variable_values(schema, definitions, dict(given), max_errors=errors_max)
    if isinstance(outcome, list):
        raise VariableInvalid(
            outcome[0].message,
            errors=[{**error.formatted, "extensions": {"code": VariableInvalid.code}} for error in outcome],
        )
    values: dict[str, Any] = {}
    for definition in definitions:
        name = definition.variable.name.value
        if name in given:
            values[name] = given[name]
        elif definition.default_value is not None:
            values[name] = value_from_ast_untyped(definition.default_value)
    return values


class Declared:
    """The variables one operation declares.

    Values of the built-in scalars are looked at here, which is what most operations have, at a tenth of the time; whatever
    else is declared, and every value that is not plainly right, is for ``coerce`` to decide.
    """

    __slots__ = ("_definitions", "_name", "_plain", "_schema", "_text")

    def __init__(self, schema: GraphQLSchema, operation: OperationDefinitionNode, text: str) -> None:
        """``text`` is the document's: its places are looked up there when they are to be told."""
        self._schema = schema
        # Not the operation: it would keep all of its document's tree.
        self._definitions = definitions = tuple(operation.variable_definitions or ())
        self._name = operation.name.value if operation.name else None
        self._text = text if definitions else ""
        self._plain = all(
            _scalar(each) in _PLAIN and _scalar(each) in schema.type_map for each in definitions
        ) and tuple(map(_plain, definitions))

    def values(self, given: Mapping[str, Any], *, errors_max: int) -> dict[str, Any]:
        """As ``coerce`` has it."""
        if self._plain is not False:
            values = _looked_at(self._plain, given)
            if values is not None:
                return values
        try:
            return coerce(self._schema, self._definitions, given, errors_max=errors_max)
        except VariableInvalid:
            if self._definitions[0].loc is not None:
                raise
        return coerce(self._schema, self._located(), given, errors_max=errors_max)

    def _located(self) -> Sequence[VariableDefinitionNode]:
        """The same definitions, with their places in the document."""
        operations = [node for node in parse(self._text).definitions if isinstance(node, OperationDefinitionNode)]
        named = (node for node in operations if self._name in (None, node.name and node.name.value))
        return next(named).variable_definitions or ()


_INT_MAX: Final = 2**31 - 1
_PLAIN: Final[Mapping[str, tuple[type, ...]]] = {
    "ID": (str,),
    "String": (str,),
    "Boolean": (bool,),
    "Int": (int,),
    "Float": (float, int),
}
_Plain = tuple[str, tuple[type, ...], bool, bool, Any]
"""Name, classes of a value that is plainly right, whether null is, whether it may be left out, the default."""
_NO_DEFAULT: Final = object()


def _scalar(definition: VariableDefinitionNode) -> str:
    """The name of its type; empty for a list."""
    named = definition.type.type if isinstance(definition.type, NonNullTypeNode) else definition.type
    return named.name.value if isinstance(named, NamedTypeNode) else ""


def _plain(definition: VariableDefinitionNode) -> _Plain:
    nullable = not isinstance(definition.type, NonNullTypeNode)
    default = (
        _NO_DEFAULT if definition.default_value is None else value_from_ast_untyped(definition.default_value)
    )  # fmt: skip
    optional = nullable or default is not _NO_DEFAULT
    return definition.variable.name.value, _PLAIN[_scalar(definition)], nullable, optional, default


def _looked_at(declared: tuple[_Plain, ...], given: Mapping[str, Any]) -> dict[str, Any] | None:
    """The values, or None where one is not plainly right."""
    values: dict[str, Any] = {}
    for name, classes, nullable, optional, default in declared:
        if name in given:
            value = given[name]
            if value is None:
                if not nullable:
                    return None
            elif value.__class__ not in classes or not _in_range(value):
                return None
            values[name] = value
        elif not optional:
            return None
        elif default is not _NO_DEFAULT:
            values[name] = default
    return values


def _in_range(value: Any) -> bool:
    if value.__class__ is int:
        return -_INT_MAX <= value <= _INT_MAX
    return value.__class__ is not float or isfinite(value)
