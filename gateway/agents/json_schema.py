"""GraphQL types as JSON Schema: variables as a tool's input, a selection as its output. Pure; no MCP here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLList,
    GraphQLNamedType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLScalarType,
    GraphQLSchema,
    GraphQLString,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    is_abstract_type,
    is_composite_type,
    type_from_ast,
    value_from_ast_untyped,
)

JSONSchema = dict[str, Any]

SCALARS: Mapping[str, JSONSchema] = {
    "Int": {"type": "integer"},
    "Float": {"type": "number"},
    "String": {"type": "string"},
    "ID": {"type": "string"},
    "Boolean": {"type": "boolean"},
    "MinorUnits": {"type": "integer"},
    "Decimal": {"type": "string"},
    "DateTime": {"type": "string", "format": "date-time"},
    "Date": {"type": "string", "format": "date"},
    "CurrencyCode": {"type": "string", "pattern": "^[A-Z]{3}$"},
    "CountryCode": {"type": "string", "pattern": "^[A-Z]{2}$"},
    "IdempotencyKey": {"type": "string", "minLength": 1, "maxLength": 255},
}
"""What we know of a scalar's JSON form. Any other may be any value: a schema must not promise what it does not know."""


def input_schema(operation: OperationDefinitionNode, schema: GraphQLSchema) -> JSONSchema:
    """An object with one property a variable. Input object types become ``$defs``, so recursion is no problem."""
    properties: dict[str, JSONSchema] = {}
    required: list[str] = []
    definitions: dict[str, JSONSchema] = {}
    for definition in operation.variable_definitions or ():
        name = definition.variable.name.value
        variable_type: Any = type_from_ast(schema, definition.type)
        has_default = definition.default_value is not None
        if isinstance(variable_type, GraphQLNonNull):
            properties[name] = _input(variable_type.of_type, definitions)
            if not has_default:
                required.append(name)
        else:
            properties[name] = _nullable(_input(variable_type, definitions))
        if definition.default_value is not None:
            properties[name] = {**properties[name], "default": value_from_ast_untyped(definition.default_value)}
    built: JSONSchema = {"type": "object", "properties": properties, "additionalProperties": False}
    if required:
        built["required"] = required
    if definitions:
        built["$defs"] = dict(sorted(definitions.items()))
    return built


def output_schema(
    operation: OperationDefinitionNode, fragments: Mapping[str, FragmentDefinitionNode], schema: GraphQLSchema
) -> JSONSchema:
    """What ``data`` looks like when the operation succeeds."""
    root = schema.get_root_type(operation.operation)
    assert root is not None, "a validated operation has a root type"
    return _object(root, [operation.selection_set], fragments, schema)


def _input(kind: GraphQLInputType, definitions: dict[str, JSONSchema]) -> JSONSchema:
    """The schema of a value that is not null."""
    if isinstance(kind, GraphQLNonNull):
        return _input(kind.of_type, definitions)
    if isinstance(kind, GraphQLList):
        item: GraphQLInputType = kind.of_type
        inner = _input(item, definitions)
        return {"type": "array", "items": inner if isinstance(item, GraphQLNonNull) else _nullable(inner)}
    if isinstance(kind, GraphQLEnumType):
        return _described({"type": "string", "enum": list(kind.values)}, kind.description)
    if isinstance(kind, GraphQLInputObjectType):
        if kind.name not in definitions:
            definitions[kind.name] = {}  # claimed before its fields, which may mention it again
            properties: dict[str, JSONSchema] = {}
            required: list[str] = []
            for name, field in kind.fields.items():
                must = isinstance(field.type, GraphQLNonNull)
                inner = _input(field.type, definitions)
                properties[name] = _described(inner if must else _nullable(inner), field.description)
                if must and field.ast_node is not None and field.ast_node.default_value is None:
                    required.append(name)
            built: JSONSchema = {"type": "object", "properties": properties, "additionalProperties": False}
            if required:
                built["required"] = required
            definitions[kind.name] = _described(built, kind.description)
        return {"$ref": f"#/$defs/{kind.name}"}
    return dict(SCALARS.get(kind.name, {}))


def _object(
    parent: GraphQLNamedType,
    sets: Iterable[SelectionSetNode],
    fragments: Mapping[str, FragmentDefinitionNode],
    schema: GraphQLSchema,
) -> JSONSchema:
    """Fields under a type condition or ``@include`` are optional; the rest are required."""
    found: dict[str, tuple[GraphQLOutputType, list[FieldNode], bool]] = {}
    for selection_set in sets:
        _collect(parent, selection_set, fragments, schema, always=True, found=found)
    properties: dict[str, JSONSchema] = {}
    required: list[str] = []
    for key, (kind, nodes, always) in found.items():
        properties[key] = _output(kind, nodes, fragments, schema)
        if always:
            required.append(key)
    built: JSONSchema = {"type": "object", "properties": properties}
    if required:
        built["required"] = required
    return built


def _collect(
    parent: GraphQLNamedType,
    selection_set: SelectionSetNode,
    fragments: Mapping[str, FragmentDefinitionNode],
    schema: GraphQLSchema,
    *,
    always: bool,
    found: dict[str, tuple[GraphQLOutputType, list[FieldNode], bool]],
) -> None:
    for node in selection_set.selections:
        certain = always and not any(d.name.value in ("skip", "include") for d in node.directives or ())
        if isinstance(node, FieldNode):
            key = node.alias.value if node.alias else node.name.value
            kind = _field_type(parent, node.name.value, schema)
            known = found.get(key)
            if known is None:
                found[key] = (kind, [node], certain)
            else:
                found[key] = (known[0], [*known[1], node], known[2] or certain)
            continue
        if isinstance(node, InlineFragmentNode):
            condition = node.type_condition.name.value if node.type_condition else parent.name
            inner = node.selection_set
        else:
            assert isinstance(node, FragmentSpreadNode)
            fragment = fragments[node.name.value]
            condition, inner = fragment.type_condition.name.value, fragment.selection_set
        target = schema.type_map[condition]
        covers = condition == parent.name or (
            is_abstract_type(target) and isinstance(parent, GraphQLObjectType) and schema.is_sub_type(target, parent)
        )
        _collect(target, inner, fragments, schema, always=certain and covers, found=found)


def _field_type(parent: GraphQLNamedType, name: str, schema: GraphQLSchema) -> GraphQLOutputType:
    if name == "__typename":
        return GraphQLNonNull(GraphQLString)
    kind: GraphQLOutputType = parent.fields[name].type  # type: ignore[attr-defined]
    return kind


def _output(
    kind: GraphQLOutputType,
    nodes: list[FieldNode],
    fragments: Mapping[str, FragmentDefinitionNode],
    schema: GraphQLSchema,
) -> JSONSchema:
    if isinstance(kind, GraphQLNonNull):
        return _output_value(kind.of_type, nodes, fragments, schema)
    return _nullable(_output_value(kind, nodes, fragments, schema))


def _output_value(
    kind: GraphQLOutputType,
    nodes: list[FieldNode],
    fragments: Mapping[str, FragmentDefinitionNode],
    schema: GraphQLSchema,
) -> JSONSchema:
    if isinstance(kind, GraphQLList):
        return {"type": "array", "items": _output(kind.of_type, nodes, fragments, schema)}
    if isinstance(kind, GraphQLEnumType):
        return {"type": "string", "enum": list(kind.values)}
    if is_composite_type(kind):
        sets = [node.selection_set for node in nodes if node.selection_set is not None]
        return _object(kind, sets, fragments, schema)
    assert isinstance(kind, GraphQLScalarType)
    return dict(SCALARS.get(kind.name, {}))


def _nullable(inner: JSONSchema) -> JSONSchema:
    return {"anyOf": [inner, {"type": "null"}]} if inner else {}


def _described(built: JSONSchema, description: str | None) -> JSONSchema:
    return {**built, "description": description} if description else built
