"""What makes the field set of a ``@key``, ``@requires`` or ``@provides`` wrong. The three rules differ only in what they allow."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from graphql import (
    DirectiveNode,
    FieldNode,
    GraphQLError,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLUnionType,
    InlineFragmentNode,
    SelectionSetNode,
    StringValueNode,
    Undefined,
    get_named_type,
    is_abstract_type,
    is_composite_type,
    is_required_argument,
    value_from_ast,
)

from gateway.composition.field_sets import parse_field_set
from gateway.composition.findings import in_subgraph
from gateway.composition.subgraph import Subgraph
from gateway.errors import CompositionError


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """What one directive allows in its field set."""

    word: str
    arguments: bool
    own_leaves: bool
    """Whether leaves this subgraph resolves itself make sense; if not, they must be ``@external``."""
    abstract_fields: bool

    @property
    def prefix(self) -> str:
        return self.word.upper()


KEY = Allowance(word="key", arguments=False, own_leaves=True, abstract_fields=False)
REQUIRES = Allowance(word="requires", arguments=True, own_leaves=False, abstract_fields=True)
PROVIDES = Allowance(word="provides", arguments=False, own_leaves=False, abstract_fields=True)


def check_field_set(
    subgraph: Subgraph, allowance: Allowance, target: GraphQLNamedType, coordinate: str, directive: DirectiveNode
) -> Iterator[CompositionError]:
    """Every fault of one application's field set, looked up in ``target``."""
    prefix, word = allowance.prefix, f"@{allowance.word}"
    value = next((argument.value for argument in directive.arguments or () if argument.name.value == "fields"), None)
    if not isinstance(value, StringValueNode):
        yield in_subgraph(subgraph, f"{prefix}_INVALID_FIELDS_TYPE", coordinate, f"{word}(fields:) must be a string")
        return
    try:
        selection = parse_field_set(value.value)
    except GraphQLError as error:
        yield in_subgraph(
            subgraph,
            f"{prefix}_INVALID_FIELDS",
            coordinate,
            f'{word}(fields: "{value.value}") cannot be read: {error.message}',
        )
        return
    yield from _Check(subgraph, allowance, coordinate, value.value).selections(target, selection, False)


class _Check:
    """One field set being checked; holds what every message needs."""

    def __init__(self, subgraph: Subgraph, allowance: Allowance, coordinate: str, text: str) -> None:
        self.subgraph = subgraph
        self.allowance = allowance
        self.coordinate = coordinate
        self.text = text

    def fault(self, suffix: str, text: str) -> CompositionError:
        where = f'@{self.allowance.word}(fields: "{self.text}")'
        return in_subgraph(self.subgraph, f"{self.allowance.prefix}_{suffix}", self.coordinate, f"{where}: {text}")

    def selections(
        self, parent: GraphQLNamedType, selection_set: SelectionSetNode, under_external: bool
    ) -> Iterator[CompositionError]:
        for selection in selection_set.selections:
            if selection.directives:
                name = selection.directives[0].name.value
                if self.subgraph.schema.get_directive(name) is None:
                    yield self.fault("INVALID_FIELDS", f'unknown directive "@{name}": remove it')
                else:
                    yield self.fault("DIRECTIVE_IN_FIELDS_ARG", f'directives are not allowed here, remove "@{name}"')
            if isinstance(selection, InlineFragmentNode):
                yield from self.fragment(parent, selection, under_external)
            elif isinstance(selection, FieldNode):
                yield from self.field(parent, selection, under_external)

    def fragment(
        self, parent: GraphQLNamedType, fragment: InlineFragmentNode, under_external: bool
    ) -> Iterator[CompositionError]:
        narrowed = parent
        if fragment.type_condition is not None:
            name = fragment.type_condition.name.value
            found = self.subgraph.types.get(name)
            if found is None or not is_composite_type(found):
                yield self.fault(
                    "INVALID_FIELDS", f'"... on {name}" needs an object, interface or union type of that name'
                )
                return
            narrowed = found
            if not self.overlap(parent, narrowed):
                yield self.fault("INVALID_FIELDS", f'no "{parent.name}" can be a "{name}": remove the fragment')
                return
        yield from self.selections(narrowed, fragment.selection_set, under_external)

    def overlap(self, one: GraphQLNamedType, other: GraphQLNamedType) -> bool:
        return bool(self.possible(one) & self.possible(other)) or one is other

    def possible(self, found: GraphQLNamedType) -> set[str]:
        if isinstance(found, GraphQLInterfaceType | GraphQLUnionType) and is_abstract_type(found):
            return {member.name for member in self.subgraph.schema.get_possible_types(found)}
        return {found.name}

    def field(self, parent: GraphQLNamedType, node: FieldNode, under_external: bool) -> Iterator[CompositionError]:
        name = node.name.value
        if name == "__typename":
            return
        field = parent.fields.get(name) if isinstance(parent, GraphQLObjectType | GraphQLInterfaceType) else None
        if field is None:
            yield self.fault(
                "INVALID_FIELDS",
                f'"{parent.name}" has no field "{name}": correct the name, or declare the field here, @external if another'
                " subgraph resolves it",
            )
            return
        here = f'"{parent.name}.{name}"'
        target = get_named_type(field.type)
        composite = is_composite_type(target)
        if composite != (node.selection_set is not None):
            what = "needs a selection of its fields" if composite else "has no fields to select"
            yield self.fault("INVALID_FIELDS", f"{here} {what}")
            return
        if field.args and not self.allowance.arguments:
            yield self.fault(
                "FIELDS_HAS_ARGS", f"{here} takes arguments, which cannot be given here: choose a field without"
            )
        for argument in node.arguments or ():
            declared = field.args.get(argument.name.value)
            if declared is None:
                yield self.fault("INVALID_FIELDS", f'{here} has no argument "{argument.name.value}"')
            elif value_from_ast(argument.value, declared.type) is Undefined:
                yield self.fault(
                    "INVALID_FIELDS", f'argument "{argument.name.value}" of {here} must be of type {declared.type}'
                )
        given = {argument.name.value for argument in node.arguments or ()}
        for argument_name, declared in field.args.items():
            if self.allowance.arguments and is_required_argument(declared) and argument_name not in given:
                yield self.fault("INVALID_FIELDS", f'{here} needs its argument "{argument_name}"')
        if not self.allowance.abstract_fields and isinstance(target, GraphQLInterfaceType | GraphQLUnionType):
            yield in_subgraph(
                self.subgraph,
                "KEY_FIELDS_SELECT_INVALID_TYPE",
                self.coordinate,
                f'@key(fields: "{self.text}"): {here} is of {target}, an interface or union, which cannot be part of a key',
            )
        external = (parent.name, name) in self.subgraph.externals
        if node.selection_set is not None:
            below = under_external or external or self.external_in_implementation(parent, name)
            yield from self.selections(target, node.selection_set, below)
        elif not (self.allowance.own_leaves or external or under_external):
            if isinstance(parent, GraphQLInterfaceType) and self.external_in_implementation(parent, name):
                return
            yield self.fault(
                "FIELDS_MISSING_EXTERNAL",
                f"{here} is resolved by this subgraph itself: mark it @external, or leave it out of @{self.allowance.word}",
            )

    def external_in_implementation(self, parent: GraphQLNamedType, name: str) -> bool:
        return isinstance(parent, GraphQLInterfaceType) and any(
            (possible, name) in self.subgraph.externals for possible in self.possible(parent)
        )
