"""Named operations read from files and made into tools: name, description, schemas, document. No network, no SDK."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from graphql import (
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    parse,
    validate,
)

from gateway.agents.json_schema import input_schema, output_schema

MONEY_MOVING = frozenset({"complete_checkout"})
"""Tools an agent's host should ask a person about first."""


class ToolInvalid(Exception):
    """An operation file cannot become a tool; the text names the file and the cause."""


class ToolUnfit(ToolInvalid):
    """The operation does not fit the schema; it may fit another view's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    name: str
    description: str
    document: str
    read_only: bool
    destructive: bool
    idempotent: bool
    """True for reads, and for writes that take an idempotency key."""
    input_schema: dict[str, Any]
    output_schema: dict[str, Any]


Toolsets: TypeAlias = Mapping[str | None, Sequence[Tool]]
"""By contract; None is without one."""


def load_tools(directory: Path, schema: GraphQLSchema) -> tuple[Tool, ...]:
    """Every ``*.graphql`` file of the directory as a tool, sorted by name. Raises ToolInvalid for the first bad one."""
    tools = tuple(_tool(file, schema) for file in sorted(directory.glob("*.graphql")))
    return tuple(sorted(tools, key=lambda tool: tool.name))


def load_toolsets(directory: Path, schemas: Mapping[str | None, GraphQLSchema], contract: str | None) -> Toolsets:
    """The tools of each view. All must fit that of ``contract``; the others have those that fit them."""
    found: dict[str | None, Sequence[Tool]] = {contract: load_tools(directory, schemas[contract])}
    for name, schema in schemas.items():
        if name not in found:
            fitting: list[Tool] = []
            for file in directory.glob("*.graphql"):
                with suppress(ToolUnfit):
                    fitting.append(_tool(file, schema))
            found[name] = tuple(sorted(fitting, key=lambda tool: tool.name))
    return found


def _tool(file: Path, schema: GraphQLSchema) -> Tool:
    text = file.read_text()
    try:
        document = parse(text)
    except GraphQLError as error:
        raise ToolInvalid(f"{file.name} does not parse: {error.message}") from None
    errors = validate(schema, document)
    if errors:
        raise ToolUnfit(f"{file.name} does not fit the graph: {errors[0].message}")
    operations = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
    if len(operations) != 1 or operations[0].name is None:
        raise ToolInvalid(f"{file.name} must hold exactly one named operation")
    operation = operations[0]
    if operation.operation is OperationType.SUBSCRIPTION:
        raise ToolInvalid(f"{file.name} holds a subscription; a tool is a query or a mutation")
    assert operation.name is not None
    fragments = {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}
    description = leading_comment(text)
    if not description:
        raise ToolInvalid(f"{file.name} needs a comment above the operation: it is the tool's description")
    name = operation.name.value
    read_only = operation.operation is OperationType.QUERY
    keyed = any(definition.variable.name.value == "key" for definition in operation.variable_definitions or ())
    return Tool(
        name=name,
        description=description,
        document=text,
        read_only=read_only,
        destructive=name in MONEY_MOVING,
        idempotent=read_only or keyed,
        input_schema=input_schema(operation, schema),
        output_schema=output_schema(operation, fragments, schema),
    )


def leading_comment(text: str) -> str:
    """The comment lines before the operation, as one paragraph."""
    lines: list[str] = []
    for line in text.splitlines():
        if not line.startswith("#"):
            break
        lines.append(line.lstrip("#").strip())
    return " ".join(lines).strip()
