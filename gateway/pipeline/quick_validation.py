"""Whether a document is valid beyond doubt, told in a hundredth of the time that validation takes.

Theory of operation
-------------------
graphql-core validates by some thirty rules, each a visitor. ``QuickValidation`` knows the same rules and walks once; it
answers *sure* or *do not know*, and where it does not know, graphql-core decides and words the errors. So all that
matters is that it is never sure of what graphql-core refuses. What is rare it does not look at: it does not know.

An operation is walked in *merged* form, as it will be answered: a level is every selection of one place of the answer,
inline fragments and spreads followed, and below a field is the level of all selection sets of that response key. Where
a selection stands in the document, its parent type is the same however it is come by, so the rules about one field, its
arguments, values and directives, and about a fragment's type, are asked when it is met. Of the rest:

* *Overlapping fields*: of one response key in a level, all must have the same name, arguments written the same, and a
  type written the same; then no two of them conflict, exclusive parents or not. graphql-core compares two fields only
  where both are in one level here.
* *Variables*: declared once, each used, each use declared and allowed in its position; asked of every operation, with
  the fragments that it reaches.
* *Fragments*: each is reached. A cycle within a level ends at the first fragment met again, as repeating adds nothing
  there; one through a field passes ``NESTING_MAX``. Either is found by ``_cyclic``, or not known.
* *Work*: graphql-core gives up a document that needs too many comparisons. What it may need is bounded by the product of
  what is selected and of how often it is compared (fields of one response key, fragments); near the bound we do not know.

Not known: subscriptions of more than one plain field, introspection, any directive but ``@skip`` and ``@include``, empty
selection sets, ``@oneOf``, lists and objects for scalars, definitions other than operations and fragments.

What does not belong here: wording, and the gateway's own limits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NoReturn

from graphql import (
    ArgumentNode,
    DirectiveNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLArgument,
    GraphQLCompositeType,
    GraphQLError,
    GraphQLIncludeDirective,
    GraphQLInputField,
    GraphQLInputType,
    GraphQLSchema,
    GraphQLSkipDirective,
    InlineFragmentNode,
    ListValueNode,
    NullValueNode,
    ObjectValueNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    Undefined,
    ValueNode,
    VariableDefinitionNode,
    VariableNode,
    assert_valid_schema,
    get_named_type,
    is_composite_type,
    is_input_object_type,
    is_input_type,
    is_list_type,
    is_non_null_type,
    is_required_argument,
    is_required_input_field,
    print_ast,
    type_from_ast,
)
from graphql.utilities import do_types_overlap, is_type_sub_type_of, validate_input_literal

NESTING_MAX: Final = 50
"""Selection sets within each other, fragments followed. graphql-core stops at 200."""
COMPARED_MAX: Final = 40_000
"""What is selected, times how often it may be compared; graphql-core stops where this is above 60,000 at the worst."""
FOLLOWED_MAX: Final = 12_000
"""What is selected, times the operations that may reach it; graphql-core stops where this is above 16,000 at the worst."""
_NOT_LEAVES: Final = frozenset((ListValueNode, ObjectValueNode))


class _Unsure(Exception):
    """It takes graphql-core to know."""


@dataclass(frozen=True, slots=True)
class _Input:
    """An argument or an input object's field."""

    type: GraphQLInputType
    has_default: bool


class _Composite:
    """An object type, an interface or a union, as far as documents have asked for it."""

    __slots__ = ("fields", "overlaps", "type")

    def __init__(self, type: GraphQLCompositeType) -> None:
        self.type = type
        self.fields: dict[str, _Field] = {}
        self.overlaps: dict[str, bool] = {}
        """Type condition → whether an object can be of both."""


@dataclass(frozen=True, slots=True)
class _Field:
    type: str
    """Printed."""
    below: _Composite | None
    """None: a leaf."""
    arguments: Mapping[str, _Input]
    required: frozenset[str]


_TYPENAME: Final = _Field("String!", None, {}, frozenset())


class QuickValidation:
    """For one schema; it keeps what it looked up there."""

    def __init__(self, schema: GraphQLSchema) -> None:
        self.schema = schema
        self._composites: dict[str, _Composite] = {}
        self.conditional: Mapping[str, _Input] = {
            directive.name: _input(directive.args["if"])
            for directive in (GraphQLSkipDirective, GraphQLIncludeDirective)
            if schema.get_directive(directive.name) is directive
        }

    def accepts(self, document: DocumentNode) -> bool:
        """Whether ``graphql.validate`` finds nothing wrong, for sure, by all specified rules and the one that forbids
        introspection. Raises TypeError for an invalid schema, as that does."""
        assert_valid_schema(self.schema)
        try:
            self._check(document)
        except _Unsure:
            return False
        return True

    def _check(self, document: DocumentNode) -> None:
        operations: list[OperationDefinitionNode] = []
        fragments: dict[str, FragmentDefinitionNode] = {}
        for node in document.definitions:
            if node.__class__ is OperationDefinitionNode:
                operations.append(node)
            elif node.__class__ is FragmentDefinitionNode and node.name.value not in fragments:
                if node.directives or node.variable_definitions:
                    _unsure()
                fragments[node.name.value] = node
            else:
                _unsure()
        if len(operations) > 1 and len({node.name.value for node in operations if node.name}) < len(operations):
            _unsure()
        walks = [_Walk(self, fragments) for _ in operations]
        for walk, operation in zip(walks, operations, strict=True):
            walk.operation(operation)
        if fragments and (set().union(*[walk.spread for walk in walks]) != fragments.keys() or _cyclic(fragments)):
            _unsure()
        size = sum([walk.size for walk in walks])
        compared = len(fragments) + sum([walk.pairs for walk in walks])
        if size * compared > COMPARED_MAX or size * len(operations) > FOLLOWED_MAX:
            _unsure()

    def composite(self, name: str) -> _Composite:
        found = self._composites.get(name)
        if found is None:
            type = self.schema.get_type(name)
            if not is_composite_type(type):
                _unsure()
            found = self._composites[name] = _Composite(type)
        return found

    def field(self, parent: _Composite, name: str) -> _Field:
        if name == "__typename":
            return _TYPENAME
        definition = getattr(parent.type, "fields", {}).get(name)
        if definition is None or name.startswith("__"):
            _unsure()
        named = get_named_type(definition.type)
        found = parent.fields[name] = _Field(
            str(definition.type),
            self.composite(named.name) if is_composite_type(named) else None,
            {key: _input(each) for key, each in definition.args.items()},
            frozenset([key for key, each in definition.args.items() if is_required_argument(each)]),
        )
        return found

    def overlap(self, parent: _Composite, condition: _Composite) -> bool:
        name = condition.type.name
        found = parent.overlaps.get(name)
        if found is None:
            found = parent.overlaps[name] = do_types_overlap(self.schema, parent.type, condition.type)
        return found


class _Walk:
    """One operation with the fragments it reaches."""

    __slots__ = ("declared", "facts", "fragments", "pairs", "size", "spread", "used")

    def __init__(self, facts: QuickValidation, fragments: Mapping[str, FragmentDefinitionNode]) -> None:
        self.facts = facts
        self.fragments = fragments
        self.spread: set[str] = set()
        self.declared: dict[str, tuple[GraphQLInputType, bool]] = {}
        """Name → type, and whether there is a default other than null."""
        self.used: set[str] = set()
        self.size = 0
        """Fields, arguments, spreads and uses of variables, as often as they are met."""
        self.pairs = 0
        """Fields of one response key in one level, each with each."""

    def operation(self, node: OperationDefinitionNode) -> None:
        root = self.facts.schema.get_root_type(node.operation)
        if root is None or node.directives:
            _unsure()
        if node.operation is OperationType.SUBSCRIPTION:
            only, *others = node.selection_set.selections or [None]
            if others or not isinstance(only, FieldNode) or only.directives or only.name.value.startswith("__"):
                _unsure()
        for definition in node.variable_definitions or ():
            self.declare(definition)
        self.level([(self.facts.composite(root.name), node.selection_set, 0)])
        if len(self.used) < len(self.declared):
            _unsure()

    def declare(self, node: VariableDefinitionNode) -> None:
        name = node.variable.name.value
        type = type_from_ast(self.facts.schema, node.type)
        if name in self.declared or not is_input_type(type) or node.directives:
            _unsure()
        default = node.default_value
        if default is not None:
            self.value(default, _Input(type, False))
        self.declared[name] = type, default is not None and default.__class__ is not NullValueNode

    def level(self, places: list[tuple[_Composite, SelectionSetNode, int]]) -> None:
        """The selection sets of one place of the answer, each with its parent type and nesting."""
        fields: dict[str, tuple[FieldNode, _Field, int]] = {}
        again: dict[str, list[tuple[FieldNode, _Field, int]]] = {}
        followed: set[str] = set()
        facts = self.facts
        for parent, selection_set, nesting in places:
            if nesting > NESTING_MAX or self.size > FOLLOWED_MAX or not selection_set.selections:
                _unsure()
            for node in selection_set.selections:
                if node.directives:
                    self.directives(node.directives)
                self.size += 1
                if node.__class__ is FieldNode:
                    name = node.name.value
                    field = parent.fields.get(name) or facts.field(parent, name)
                    if node.arguments or field.required:
                        self.arguments(node.arguments or (), field)
                    if (node.selection_set is None) is not (field.below is None):
                        _unsure()
                    key = node.alias.value if node.alias else name
                    here = node, field, nesting
                    first = fields.setdefault(key, here)
                    if first is not here:
                        self.same(first, here)
                        others = again.setdefault(key, [])
                        others.append(here)
                        self.pairs += len(others)
                    continue
                if node.__class__ is InlineFragmentNode:
                    condition = facts.composite(node.type_condition.name.value) if node.type_condition else parent
                    below: SelectionSetNode | None = node.selection_set
                elif node.__class__ is FragmentSpreadNode:
                    name = node.name.value
                    fragment = self.fragments.get(name)
                    if fragment is None:
                        _unsure()
                    condition = facts.composite(fragment.type_condition.name.value)
                    below = None if name in followed else fragment.selection_set
                    followed.add(name)
                else:
                    _unsure()
                if condition is not parent and not facts.overlap(parent, condition):
                    _unsure()
                if below is not None:
                    # The list grows while it is walked.
                    places.append((condition, below, nesting + 1))
        self.spread |= followed
        for key, first in fields.items():
            if first[1].below is not None:
                self.level(
                    [
                        (field.below, node.selection_set, nesting + 1)
                        for node, field, nesting in (first, *again.get(key, ()))
                        if field.below is not None and node.selection_set is not None
                    ]
                )

    def same(self, first: tuple[FieldNode, _Field, int], other: tuple[FieldNode, _Field, int]) -> None:
        if (
            first[0].name.value != other[0].name.value
            or first[1].type != other[1].type
            or _written(first[0].arguments) != _written(other[0].arguments)
        ):
            _unsure()

    def directives(self, nodes: tuple[DirectiveNode, ...]) -> None:
        if len({node.name.value for node in nodes}) < len(nodes):
            _unsure()
        for node in nodes:
            condition = self.facts.conditional.get(node.name.value)
            if condition is None or node.arguments is None or [each.name.value for each in node.arguments] != ["if"]:
                _unsure()
            self.value(node.arguments[0].value, condition)

    def arguments(self, nodes: tuple[ArgumentNode, ...], field: _Field) -> None:
        given = {node.name.value for node in nodes}
        if len(given) < len(nodes) or not field.required <= given:
            _unsure()
        self.size += len(nodes)
        for node in nodes:
            expected = field.arguments.get(node.name.value)
            if expected is None:
                _unsure()
            self.value(node.value, expected)

    def value(self, node: ValueNode, expected: _Input) -> None:
        if node.__class__ is VariableNode:
            self.variable(node.name.value, expected)
            return
        type = expected.type
        if is_non_null_type(type):
            type = type.of_type
            if node.__class__ is NullValueNode:
                _unsure()
        elif node.__class__ is NullValueNode:
            return
        if is_list_type(type):
            item = _Input(type.of_type, False)
            for one in node.values if isinstance(node, ListValueNode) else (node,):
                self.value(one, item)
        elif is_input_object_type(type):
            if not isinstance(node, ObjectValueNode) or type.is_one_of:
                _unsure()
            given = {each.name.value for each in node.fields}
            required = [name for name, each in type.fields.items() if is_required_input_field(each)]
            if len(given) < len(node.fields) or not given.issuperset(required) or not given <= type.fields.keys():
                _unsure()
            for each in node.fields:
                self.value(each.value, _input(type.fields[each.name.value]))
        elif node.__class__ in _NOT_LEAVES:
            _unsure()
        else:
            validate_input_literal(node, type, _refuse)

    def variable(self, name: str, expected: _Input) -> None:
        declared = self.declared.get(name)
        if declared is None:
            _unsure()
        self.used.add(name)
        self.size += 1
        given, has_default = declared
        wanted = expected.type
        if is_non_null_type(wanted) and not is_non_null_type(given):
            if not has_default and not expected.has_default:
                _unsure()
            wanted = wanted.of_type
        if not is_type_sub_type_of(self.facts.schema, given, wanted):
            _unsure()


def _unsure() -> NoReturn:
    raise _Unsure


def _refuse(error: GraphQLError, path: list[str | int]) -> None:
    _unsure()


def _input(definition: GraphQLArgument | GraphQLInputField) -> _Input:
    default = definition.default if definition.default is not None else definition.default_value
    return _Input(definition.type, default is not Undefined)


def _written(arguments: tuple[ArgumentNode, ...] | None) -> list[str]:
    return [print_ast(each) for each in arguments or ()]


def _cyclic(fragments: Mapping[str, FragmentDefinitionNode]) -> bool:
    """Whether a fragment leads to itself."""
    left = {name: _spreads(node.selection_set) for name, node in fragments.items()}
    while left:
        # What spreads nothing that is left is on no cycle.
        free = [name for name, spreads in left.items() if not spreads & left.keys()]
        if not free:
            return True
        for name in free:
            del left[name]
    return False


def _spreads(selection_set: SelectionSetNode) -> set[str]:
    found: set[str] = set()
    waiting = [selection_set]
    for each in waiting:
        for node in each.selections:
            if isinstance(node, FragmentSpreadNode):
                found.add(node.name.value)
            elif isinstance(node, FieldNode | InlineFragmentNode) and node.selection_set is not None:
                waiting.append(node.selection_set)
    return found
