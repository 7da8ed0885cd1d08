"""``@inaccessible``: what stays visible must not lean on what is hidden.

An element is visible when neither it nor what contains it is marked. Each check below is one way of leaning.
"""

from __future__ import annotations

from collections.abc import Iterator

from graphql import EnumValueNode, GraphQLNonNull, ListValueNode, ObjectValueNode, get_named_type, parse_const_value
from graphql.language import Node, ValueNode

from gateway.composition.findings import across
from gateway.composition.merged import Kind, Merged, MergedField, MergedInput, MergedType
from gateway.composition.subgraph import Subgraph
from gateway.errors import CompositionError

WORD = "inaccessible"


def inaccessible_elements(merged: Merged) -> Iterator[CompositionError]:
    view = _View(merged)
    for merged_type in merged.types.values():
        if view.type_hidden(merged_type):
            if merged_type.name == "Query":
                yield view.fault(
                    merged_type,
                    "QUERY_ROOT_TYPE_INACCESSIBLE",
                    "Query",
                    "the query root cannot be hidden: remove @inaccessible",
                )
            continue
        if view.all_children_hidden(merged_type):
            yield view.fault(
                merged_type,
                "ONLY_INACCESSIBLE_CHILDREN",
                merged_type.name,
                "is visible, but everything in it is @inaccessible: hide it too, or leave something visible",
            )
        for field in merged_type.fields.values():
            yield from view.field(merged_type, field)
        for value in merged_type.inputs.values():
            if value.kept:
                yield from view.input(merged_type, value)


class _View:
    """What clients would see of a merged graph."""

    def __init__(self, merged: Merged) -> None:
        self.merged = merged

    def fault(self, merged_type: MergedType, code: str, coordinate: str, text: str) -> CompositionError:
        return across(merged_type.subgraphs, code, coordinate, text)

    def type_hidden(self, merged_type: MergedType) -> bool:
        return any(subgraph.has(found.ast_node, WORD) for subgraph, found in merged_type.sources)

    def name_hidden(self, name: str) -> bool:
        found = self.merged.types.get(name)
        return found is not None and self.type_hidden(found)

    def field_hidden(self, holder: MergedType, field: MergedField) -> bool:
        sources: list[tuple[Subgraph, Node | None]] = [(source.subgraph, source.node) for source in field.sources]
        if field.from_interface_object:
            for interface in holder.interfaces:
                found = self.merged.types[interface].fields.get(field.name) if interface in self.merged.types else None
                sources += [
                    (source.subgraph, source.node)
                    for source in (found.sources if found else ())
                    if source.subgraph.is_interface_object(interface)
                ]
        return any(subgraph.has(node, WORD) for subgraph, node in sources)

    def input_hidden(self, value: MergedInput) -> bool:
        return any(source.subgraph.has(source.node, WORD) for source in value.sources)

    def all_children_hidden(self, merged_type: MergedType) -> bool:
        match merged_type.kind:
            case Kind.OBJECT | Kind.INTERFACE:
                return all(self.field_hidden(merged_type, field) for field in merged_type.fields.values())
            case Kind.INPUT:
                return all(self.input_hidden(value) for value in merged_type.inputs.values() if value.kept)
            case Kind.ENUM:
                return all(
                    any(subgraph.has(node, WORD) for subgraph, node in value.sources)
                    for value in merged_type.values.values()
                    if value.kept
                )
            case Kind.UNION:
                return all(self.name_hidden(member) for member in merged_type.members)
            case Kind.SCALAR:
                return False

    def field(self, holder: MergedType, field: MergedField) -> Iterator[CompositionError]:
        visible_interfaces = [
            found
            for name in holder.interfaces
            if (found := self.merged.types.get(name)) and not self.type_hidden(found)
        ]
        if self.field_hidden(holder, field):
            for interface in visible_interfaces:
                asked = interface.fields.get(field.name)
                if asked is not None and not self.field_hidden(interface, asked):
                    yield self.fault(
                        holder,
                        "IMPLEMENTED_BY_INACCESSIBLE",
                        field.coordinate,
                        f'is @inaccessible, but implements the visible "{asked.coordinate}": hide that too, or neither',
                    )
            return
        if field.type is not None and self.name_hidden(get_named_type(field.type).name):
            yield self.reference(holder, field.coordinate, get_named_type(field.type).name)
        for argument in field.arguments.values():
            if not argument.kept:
                continue
            yield from self.input(holder, argument)
            if not self.input_hidden(argument):
                continue
            for interface in visible_interfaces:
                asked = interface.fields.get(field.name)
                asked_argument = asked.arguments.get(argument.name) if asked else None
                if asked is None or asked_argument is None or self.field_hidden(interface, asked):
                    continue
                if not self.input_hidden(asked_argument):
                    yield self.fault(
                        holder,
                        "IMPLEMENTED_BY_INACCESSIBLE",
                        argument.coordinate,
                        f'is @inaccessible, but implements the visible "{asked_argument.coordinate}": hide that too, or neither',
                    )

    def input(self, holder: MergedType, value: MergedInput) -> Iterator[CompositionError]:
        if self.input_hidden(value):
            if isinstance(value.type, GraphQLNonNull) and value.default is None:
                yield self.fault(
                    holder,
                    "REQUIRED_INACCESSIBLE",
                    value.coordinate,
                    "is @inaccessible but required, so clients could never give it: make it optional, or give it a default",
                )
            return
        if value.type is None:
            return
        named = get_named_type(value.type).name
        if self.name_hidden(named):
            yield self.reference(holder, value.coordinate, named)
        if value.default is not None:
            for used in self.hidden_in_default(named, parse_const_value(value.default)):
                yield self.fault(
                    holder,
                    "DEFAULT_VALUE_USES_INACCESSIBLE",
                    value.coordinate,
                    f'has a default value that uses the @inaccessible "{used}": choose another default, or make that visible',
                )

    def reference(self, holder: MergedType, coordinate: str, name: str) -> CompositionError:
        return self.fault(
            holder,
            "REFERENCED_INACCESSIBLE",
            coordinate,
            f'is visible, but its type "{name}" is @inaccessible: hide both, or neither',
        )

    def hidden_in_default(self, type_name: str, value: ValueNode) -> Iterator[str]:
        found = self.merged.types.get(type_name)
        if isinstance(value, ListValueNode):
            for item in value.values:
                yield from self.hidden_in_default(type_name, item)
        elif isinstance(value, EnumValueNode) and found is not None and value.value in found.values:
            member = found.values[value.value]
            if any(subgraph.has(node, WORD) for subgraph, node in member.sources):
                yield member.coordinate
        elif isinstance(value, ObjectValueNode) and found is not None:
            for entry in value.fields:
                inner = found.inputs.get(entry.name.value)
                if inner is None or inner.type is None:
                    continue
                if self.input_hidden(inner):
                    yield inner.coordinate
                else:
                    yield from self.hidden_in_default(get_named_type(inner.type).name, entry.value)
