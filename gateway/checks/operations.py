"""Registered operations and what each of them uses, by coordinate. Not here: what a change means to them.

Coordinates are those of the schema: ``Type.field``, ``Type.field(argument:)``, ``Input.field``, ``Enum.VALUE``, ``Type``. A
field selected through an interface or a union counts for the objects it may be asked of, too.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from graphql import (
    ArgumentNode,
    DocumentNode,
    EnumValueNode,
    FieldNode,
    FragmentDefinitionNode,
    GraphQLEnumType,
    GraphQLError,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    InlineFragmentNode,
    NullValueNode,
    ObjectFieldNode,
    OperationDefinitionNode,
    TypeInfo,
    TypeInfoVisitor,
    VariableNode,
    get_named_type,
    is_input_type,
    parse,
    separate_operations,
    type_from_ast,
    visit,
)
from graphql.language import Visitor


@dataclass(slots=True)
class Uses:
    """What one operation relies on."""

    coordinates: set[str] = field(default_factory=set)
    """Fields, arguments given, input fields given, enum values written, and types named or returned."""
    left_out: set[str] = field(default_factory=set)
    """Arguments and input fields that were not given where they might have been."""
    maybe_null: set[str] = field(default_factory=set)
    """Arguments and input fields given as null, or as a variable that may be."""
    returned_enums: set[str] = field(default_factory=set)
    sent: set[str] = field(default_factory=set)
    """Input types whose values come in variables, with all they contain: any of their fields and values may be there."""
    narrowed: set[tuple[str, str]] = field(default_factory=set)
    """(abstract type, type named in a fragment inside it)."""
    abstract: set[str] = field(default_factory=set)
    """Interfaces and unions that something is selected from."""


@dataclass(slots=True, kw_only=True)
class RegisteredOperation:
    """One operation of a registered file, with the fragments it needs."""

    name: str
    """The file and, where it has several, the operation's name."""
    document: DocumentNode
    operation_name: str | None


def registered(directory: Path) -> list[RegisteredOperation]:
    """Every operation of every ``.graphql`` file below the directory.

    Raises ``ValueError``, naming the file, for one that cannot be read or does not parse.
    """
    found: list[RegisteredOperation] = []
    for path in sorted(directory.rglob("*.graphql")):
        where = path.relative_to(directory).as_posix()
        try:
            document = parse(path.read_text(), no_location=True)
        except (GraphQLError, UnicodeDecodeError, OSError) as wrong:
            raise ValueError(f"{path}: {wrong}") from None
        several = separate_operations(document)
        for name, alone in several.items():
            label = f"{where} {name}" if len(several) > 1 else where
            found.append(RegisteredOperation(name=label, document=alone, operation_name=name or None))
    return found


def uses(document: DocumentNode, schema: GraphQLSchema) -> Uses:
    """What a valid document of one operation uses."""
    reader = _Reader(document, schema)
    visit(document, TypeInfoVisitor(reader.types, reader))
    return reader.found


class _Reader(Visitor):
    def __init__(self, document: DocumentNode, schema: GraphQLSchema) -> None:
        super().__init__()
        self.schema = schema
        self.types = TypeInfo(schema)
        self.found = Uses()
        operation = next(each for each in document.definitions if isinstance(each, OperationDefinitionNode))
        self.variables = {each.variable.name.value: each for each in operation.variable_definitions or ()}
        for each in self.variables.values():
            of = type_from_ast(schema, each.type)
            if of is not None and is_input_type(of):
                self.send(of)

    def enter_field(self, node: FieldNode, *_: Any) -> None:
        parent, defined = self.types.get_parent_type(), self.types.get_field_def()
        if parent is None or defined is None or node.name.value.startswith("__"):
            return
        name = node.name.value
        holders = [parent.name]
        if isinstance(parent, GraphQLInterfaceType | GraphQLUnionType):
            self.found.abstract.add(parent.name)
            holders += [each.name for each in self.schema.get_possible_types(parent)]
        returned = get_named_type(defined.type)
        self.found.coordinates.add(returned.name)
        if isinstance(returned, GraphQLEnumType):
            self.found.returned_enums.add(returned.name)
        given = {each.name.value: each for each in node.arguments or ()}
        for holder in holders:
            self.found.coordinates |= {holder, f"{holder}.{name}"}
            for argument in defined.args:
                self.value(f"{holder}.{name}({argument}:)", given.get(argument))

    def enter_object_field(self, node: ObjectFieldNode, *_: Any) -> None:
        of = get_named_type(self.types.get_parent_input_type())
        if isinstance(of, GraphQLInputObjectType):
            self.value(f"{of.name}.{node.name.value}", node)

    def enter_object_value(self, node: Any, *_: Any) -> None:
        of = get_named_type(self.types.get_input_type())
        if isinstance(of, GraphQLInputObjectType):
            self.found.coordinates.add(of.name)
            given = {each.name.value for each in node.fields}
            self.found.left_out |= {f"{of.name}.{name}" for name in of.fields if name not in given}

    def enter_enum_value(self, node: EnumValueNode, *_: Any) -> None:
        of = get_named_type(self.types.get_input_type())
        if isinstance(of, GraphQLEnumType):
            self.found.coordinates |= {of.name, f"{of.name}.{node.value}"}

    def enter_inline_fragment(self, node: InlineFragmentNode, *_: Any) -> None:
        if node.type_condition is not None:
            self.narrow(node.type_condition.name.value)

    def enter_fragment_definition(self, node: FragmentDefinitionNode, *_: Any) -> None:
        self.narrow(node.type_condition.name.value)

    def narrow(self, name: str) -> None:
        self.found.coordinates.add(name)
        of = self.schema.type_map.get(name)
        if isinstance(of, GraphQLObjectType):
            # Whichever abstract type the fragment stands in, it relies on the object being one of that.
            self.found.narrowed |= {
                (each.name, name)
                for each in self.schema.type_map.values()
                if isinstance(each, GraphQLInterfaceType | GraphQLUnionType) and self.schema.is_sub_type(each, of)
            }

    def value(self, coordinate: str, node: ArgumentNode | ObjectFieldNode | None) -> None:
        if node is None:
            self.found.left_out.add(coordinate)
            return
        self.found.coordinates.add(coordinate)
        if isinstance(node.value, NullValueNode):
            self.found.maybe_null.add(coordinate)
        elif isinstance(node.value, VariableNode):
            declared = self.variables.get(node.value.name.value)
            if declared is not None and declared.type.kind != "non_null_type":
                self.found.maybe_null.add(coordinate)
                if declared.default_value is None:
                    self.found.left_out.add(coordinate)

    def send(self, of: GraphQLInputType) -> None:
        named = get_named_type(of)
        if named.name in self.found.sent:
            return
        self.found.sent.add(named.name)
        self.found.coordinates.add(named.name)
        if isinstance(named, GraphQLInputObjectType):
            for each in named.fields.values():
                self.send(each.type)
