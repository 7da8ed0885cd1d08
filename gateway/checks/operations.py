"""Registered operations and what each of them uses, by coordinate. Not here: what a change means to them.

Coordinates are those of the schema: ``Type.field``, ``Type.field(argument:)``, ``Input.field``, ``Enum.VALUE``, ``Type``. A
field selected through an interface or a union counts for the objects it may be asked of, too.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from graphql import (
    ArgumentNode,
    DocumentNode,
    EnumValueNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLEnumType,
    GraphQLError,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLInterfaceType,
    GraphQLSchema,
    GraphQLUnionType,
    InlineFragmentNode,
    NullValueNode,
    ObjectFieldNode,
    OperationDefinitionNode,
    SelectionSetNode,
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

FILES_MAX = 10_000
FILE_BYTES_MAX = 1_000_000
FILE_TOKENS_MAX = 100_000
OPERATIONS_MAX = 20_000


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
    relied: set[tuple[str, str]] = field(default_factory=set)
    """(abstract type, object type): something is asked of the object only because it is one of the abstract type."""
    operation_type: str = ""
    """``query``, ``mutation`` or ``subscription``."""


@dataclass(slots=True, kw_only=True)
class RegisteredOperation:
    """One operation of a registered file, with the fragments it needs."""

    name: str
    """The file and, where it has several, the operation's name."""
    document: DocumentNode
    operation_name: str | None


def registered(directory: Path) -> list[RegisteredOperation]:
    """Every operation of every ``.graphql`` file below the directory.

    Raises ``ValueError``, naming the file, for one that cannot be read, is too big, does not parse, or gives two
    operations one name: one of them would go unchecked.
    """
    found: list[RegisteredOperation] = []
    paths = sorted(islice(directory.rglob("*.graphql"), FILES_MAX + 1))
    if len(paths) > FILES_MAX:
        raise ValueError(f"{directory} has more than {FILES_MAX} .graphql files.")
    for path in paths:
        where = path.relative_to(directory).as_posix()
        document = _read(path)
        names = Counter(
            each.name.value if each.name is not None else ""
            for each in document.definitions
            if isinstance(each, OperationDefinitionNode)
        )
        twice = next((name for name, count in names.items() if count > 1), None)
        if twice is not None:
            raise ValueError(f"{path}: several operations {f'are named {twice}' if twice else 'have no name'}.")
        if "" in names and len(names) > 1:
            raise ValueError(f"{path}: an operation without a name must be alone in its file.")
        several = separate_operations(document)
        for name, alone in several.items():
            label = f"{where} {name}" if len(several) > 1 else where
            found.append(RegisteredOperation(name=label, document=alone, operation_name=name or None))
        if len(found) > OPERATIONS_MAX:
            raise ValueError(f"{directory} has more than {OPERATIONS_MAX} operations.")
    return found


def _read(path: Path) -> DocumentNode:
    try:
        with path.open("rb") as file:
            content = file.read(FILE_BYTES_MAX + 1)
        if len(content) > FILE_BYTES_MAX:
            raise ValueError(f"{path}: more than {FILE_BYTES_MAX} bytes.")
        return parse(content.decode(), no_location=True, max_tokens=FILE_TOKENS_MAX)
    except (GraphQLError, UnicodeDecodeError, OSError) as wrong:
        raise ValueError(f"{path}: {wrong}") from None


def uses(document: DocumentNode, schema: GraphQLSchema) -> Uses:
    """What a valid document of one operation uses."""
    reader = _Reader(document, schema)
    visit(document, TypeInfoVisitor(reader.types, reader))
    reader.found.relied = _Relations(document, schema).found
    return reader.found


class _Reader(Visitor):
    def __init__(self, document: DocumentNode, schema: GraphQLSchema) -> None:
        super().__init__()
        self.schema = schema
        self.types = TypeInfo(schema)
        self.found = Uses()
        operation = next(each for each in document.definitions if isinstance(each, OperationDefinitionNode))
        self.found.operation_type = operation.operation.value
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
            self.found.coordinates.add(node.type_condition.name.value)

    def enter_fragment_definition(self, node: FragmentDefinitionNode, *_: Any) -> None:
        self.found.coordinates.add(node.type_condition.name.value)

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


class _Relations:
    """Which objects are reached through which abstract types: a fragment narrows what the fragments around it left."""

    def __init__(self, document: DocumentNode, schema: GraphQLSchema) -> None:
        self.schema = schema
        self.found: set[tuple[str, str]] = set()
        self.fragments = {
            each.name.value: each for each in document.definitions if isinstance(each, FragmentDefinitionNode)
        }
        # A fragment spread twice in the same surroundings says nothing new; without this, nesting doubles the work.
        self.seen: set[tuple[str, str, frozenset[str], frozenset[str]]] = set()
        operation = next(each for each in document.definitions if isinstance(each, OperationDefinitionNode))
        root = schema.get_root_type(operation.operation)
        if root is not None:
            self.enter(root.name, operation.selection_set)

    def enter(self, name: str, selections: SelectionSetNode) -> None:
        """What a field returns starts anew."""
        self.walk(name, self.abstract(name), self.objects(name), selections)

    def walk(self, parent: str, through: frozenset[str], objects: frozenset[str], selections: SelectionSetNode) -> None:
        for node in selections.selections:
            if isinstance(node, FieldNode):
                fields = getattr(self.schema.type_map[parent], "fields", {})
                defined = fields.get(node.name.value)
                if defined is None:
                    continue  # __typename, which any object answers
                self.rely(through, objects)
                if node.selection_set is not None:
                    self.enter(get_named_type(defined.type).name, node.selection_set)
            elif isinstance(node, InlineFragmentNode):
                condition = node.type_condition.name.value if node.type_condition is not None else parent
                self.narrow(parent, condition, through, objects, node.selection_set)
            elif isinstance(node, FragmentSpreadNode):
                fragment = self.fragments[node.name.value]
                key = (node.name.value, parent, through, objects)
                if key not in self.seen:
                    self.seen.add(key)
                    condition = fragment.type_condition.name.value
                    self.narrow(parent, condition, through, objects, fragment.selection_set)

    def narrow(
        self,
        parent: str,
        condition: str,
        through: frozenset[str],
        objects: frozenset[str],
        selections: SelectionSetNode,
    ) -> None:
        through, objects = through | self.abstract(condition), objects & self.objects(condition)
        if condition != parent:
            self.rely(through, objects)  # even if it only asks for __typename: the fragment has to be possible
        self.walk(condition, through, objects, selections)

    def rely(self, through: frozenset[str], objects: frozenset[str]) -> None:
        self.found |= {(abstract, each) for abstract in through for each in objects}

    def abstract(self, name: str) -> frozenset[str]:
        of = self.schema.type_map[name]
        return frozenset({name} if isinstance(of, GraphQLInterfaceType | GraphQLUnionType) else ())

    def objects(self, name: str) -> frozenset[str]:
        of = self.schema.type_map[name]
        if isinstance(of, GraphQLInterfaceType | GraphQLUnionType):
            return frozenset(each.name for each in self.schema.get_possible_types(of))
        return frozenset({name})
