"""The client's variables: checked against the API schema, and handed on as the JSON they came as.

Subgraphs coerce again, so they get what the client wrote, not Python's idea of it (an enum's internal value, a parsed
scalar). Defaults of the operation are filled in, because conditions (``@skip``/``@include``) are decided here and the
subgraphs' documents need not repeat them. A variable the client left out, without default, stays left out: absent and
null are different things to a resolver.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphql import GraphQLSchema, OperationDefinitionNode, get_variable_values, value_from_ast_untyped

from gateway.errors import VariableInvalid


def coerce(
    schema: GraphQLSchema, operation: OperationDefinitionNode, given: Mapping[str, Any], *, errors_max: int
) -> dict[str, Any]:
    """The declared variables in input form. Raises VariableInvalid, which names every variable that is wrong."""
    definitions = operation.variable_definitions or ()
    if not definitions:
        return {}
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
