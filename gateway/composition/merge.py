"""Merging: several subgraphs become one ``Merged``. It never fails; what cannot be merged is marked, and a rule reports it.

The order matters. Which interfaces a type implements and which members a union has come first, since whether two field types
are compatible depends on them. Fields come next, and while they are merged the use of each enum is noted. Enums come last:
their values are joined when only answers use them, intersected when only inputs do, and must agree when both do. Fields that a
subgraph contributes through ``@interfaceObject`` are copied to the implementations at the end.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLScalarType,
    GraphQLType,
    GraphQLUnionType,
    get_named_type,
    print_ast,
)

from gateway.composition.directives import merge_directives
from gateway.composition.field_sets import context_use
from gateway.composition.merged import (
    Context,
    FieldSource,
    InputSource,
    Kind,
    Merged,
    MergedField,
    MergedInput,
    MergedType,
    MergedValue,
)
from gateway.composition.overrides import settle_overrides
from gateway.composition.result import Hint
from gateway.composition.subgraph import ROOTS, Subgraph, string_argument
from gateway.composition.type_relations import common_type

_KINDS: tuple[tuple[type[GraphQLNamedType], Kind], ...] = (
    (GraphQLObjectType, Kind.OBJECT),
    (GraphQLInterfaceType, Kind.INTERFACE),
    (GraphQLUnionType, Kind.UNION),
    (GraphQLEnumType, Kind.ENUM),
    (GraphQLInputObjectType, Kind.INPUT),
    (GraphQLScalarType, Kind.SCALAR),
)


def merge(subgraphs: Sequence[Subgraph]) -> Merged:
    """The merged graph of subgraphs that are valid each by itself; ``subgraphs`` must be in a stable order."""
    merged = Merged(subgraphs=tuple(subgraphs), types={}, kind_conflicts={}, directives={}, hints=[])
    _gather_types(merged)
    for merged_type in merged.types.values():
        _merge_relations(merged_type, merged.hints)
    for merged_type in merged.types.values():
        if merged_type.kind in (Kind.OBJECT, Kind.INTERFACE):
            _merge_fields(merged, merged_type)
        elif merged_type.kind is Kind.INPUT:
            _merge_input_object(merged, merged_type)
    _merge_enums(merged)
    _complete_from_interface_objects(merged)
    merge_directives(merged)
    return merged


def kind_of(subgraph: Subgraph, found: GraphQLNamedType) -> Kind:
    """What the type is in the supergraph: an ``@interfaceObject`` is an interface there."""
    if isinstance(found, GraphQLObjectType) and subgraph.is_interface_object(found.name):
        return Kind.INTERFACE
    return next(kind for python_type, kind in _KINDS if isinstance(found, python_type))


def _gather_types(merged: Merged) -> None:
    sources: dict[str, list[tuple[Subgraph, GraphQLNamedType]]] = {}
    for subgraph in merged.subgraphs:
        for name, found in subgraph.types.items():
            sources.setdefault(name, []).append((subgraph, found))
    for name in sorted(sources):
        kinds: dict[Kind, list[Subgraph]] = {}
        for subgraph, found in sources[name]:
            kinds.setdefault(kind_of(subgraph, found), []).append(subgraph)
        if len(kinds) > 1:
            merged.kind_conflicts[name] = {kind.value: holders for kind, holders in kinds.items()}
        else:
            merged.types[name] = MergedType(name=name, kind=next(iter(kinds)), sources=sources[name])


def _merge_relations(merged_type: MergedType, hints: list[Hint]) -> None:
    for subgraph, found in merged_type.sources:
        if isinstance(found, GraphQLObjectType | GraphQLInterfaceType):
            for interface in found.interfaces:
                merged_type.interfaces.setdefault(interface.name, []).append(subgraph)
        elif isinstance(found, GraphQLUnionType):
            for member in found.types:
                merged_type.members.setdefault(member.name, []).append(subgraph)
    for member_name, holders in merged_type.members.items():
        if len(holders) < len(merged_type.sources):
            hints.append(
                Hint(
                    "INCONSISTENT_UNION_MEMBER",
                    f'union "{merged_type.name}" includes "{member_name}" only in {names_of(holders)}',
                    merged_type.name,
                )
            )


def names_of(subgraphs: Iterable[Subgraph]) -> str:
    """Subgraph names for a message: ``"a", "b" and "c"``."""
    quoted = [f'"{subgraph.name}"' for subgraph in subgraphs]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} and {quoted[-1]}"


def _merge_fields(merged: Merged, merged_type: MergedType) -> None:
    names: dict[str, None] = {}
    for _, found in merged_type.sources:
        assert isinstance(found, GraphQLObjectType | GraphQLInterfaceType)
        names.update(dict.fromkeys(found.fields))
    keyless = [subgraph for subgraph in merged_type.subgraphs if merged_type.name not in subgraph.keys]
    is_entity = len(keyless) < len(merged_type.subgraphs)
    if is_entity and keyless and merged_type.kind is Kind.OBJECT:
        text = f'"{merged_type.name}" has no @key in {names_of(keyless)}, and is an entity elsewhere'
        merged.hints.append(Hint("INCONSISTENT_ENTITY", text, merged_type.name))
    for name in sorted(names):
        sources: list[FieldSource] = []
        lacking: list[Subgraph] = []
        for subgraph, found in merged_type.sources:
            assert isinstance(found, GraphQLObjectType | GraphQLInterfaceType)
            field = found.fields.get(name)
            if field is None:
                lacking.append(subgraph)
            else:
                external = (merged_type.name, name) in subgraph.externals
                sources.append(FieldSource(subgraph=subgraph, holder=found, field=field, external=external))
        coordinate = f"{merged_type.name}.{name}"
        settle_overrides(merged, coordinate, sources)
        owned = [source for source in sources if not source.external]
        typed, differ = common_type((source.field.type for source in owned), merged.types, narrowest=False)
        if differ and typed is not None:
            merged.hints.append(
                Hint(
                    "INCONSISTENT_BUT_COMPATIBLE_FIELD_TYPE",
                    f'"{coordinate}" has types {_types_by_subgraph(owned)}; the supergraph uses "{typed}"',
                    coordinate,
                )
            )
        if lacking and owned and not is_entity and merged_type.name not in ROOTS.values():
            code = "OBJECT" if merged_type.kind is Kind.OBJECT else "INTERFACE"
            merged.hints.append(
                Hint(
                    f"INCONSISTENT_{code}_VALUE_TYPE_FIELD",
                    f'"{coordinate}" is missing in {names_of(lacking)}, which define "{merged_type.name}" too',
                    coordinate,
                )
            )
        for source in sources:
            source.contexts = tuple(_contexts(source))
        merged_type.fields[name] = MergedField(
            name=name,
            coordinate=coordinate,
            sources=sources,
            lacking=lacking,
            type=typed,
            types_differ=differ,
            arguments=_merge_arguments(merged, coordinate, owned),
        )


def _types_by_subgraph(sources: Sequence[FieldSource]) -> str:
    return ", ".join(f'"{source.field.type}" in "{source.subgraph.name}"' for source in sources)


def _contexts(source: FieldSource) -> Iterable[Context]:
    for name, argument in source.field.args.items():
        for directive in source.subgraph.applied(argument.ast_node, "fromContext"):
            use = context_use(string_argument(directive, "field") or "")
            if use is not None:
                yield Context(name, str(argument.type), f"{source.subgraph.name}__{use[0]}", use[1])


def _merge_arguments(merged: Merged, coordinate: str, owned: Sequence[FieldSource]) -> dict[str, MergedInput]:
    arguments: dict[str, MergedInput] = {}
    for name in sorted({name for source in owned for name in source.field.args}):
        sources = [
            InputSource(subgraph=source.subgraph, value=source.field.args[name])
            for source in owned
            if name in source.field.args and not source.subgraph.has(source.field.args[name].ast_node, "fromContext")
        ]
        if not sources:
            continue
        lacking = [source.subgraph for source in owned if name not in source.field.args]
        arguments[name] = _merge_input(merged, f"{coordinate}({name}:)", name, sources, lacking)
        if lacking and not any(is_required(source.value) for source in sources):
            merged.hints.append(
                Hint(
                    "INCONSISTENT_ARGUMENT_PRESENCE",
                    f'optional argument "{coordinate}({name}:)" is left out: {names_of(lacking)} lack it',
                    f"{coordinate}({name}:)",
                )
            )
    return arguments


def is_required(value: GraphQLArgument | GraphQLInputField) -> bool:
    """Non-null without a default."""
    has_default = value.ast_node is not None and value.ast_node.default_value is not None
    return isinstance(value.type, GraphQLNonNull) and not has_default


def _merge_input(
    merged: Merged, coordinate: str, name: str, sources: list[InputSource], lacking: list[Subgraph]
) -> MergedInput:
    typed, differ = common_type((source.value.type for source in sources), merged.types, narrowest=True)
    if differ and typed is not None:
        merged.hints.append(
            Hint(
                "INCONSISTENT_BUT_COMPATIBLE_ARGUMENT_TYPE",
                f'"{coordinate}" has different types; the supergraph uses "{typed}"',
                coordinate,
            )
        )
    defaults = [None if source.default is None else print_ast(source.default) for source in sources]
    present = {default for default in defaults if default is not None}
    if len(present) == 1 and None in defaults:
        merged.hints.append(
            Hint(
                "INCONSISTENT_DEFAULT_VALUE_PRESENCE",
                f'"{coordinate}" has a default value in some subgraphs only; the supergraph has none',
                coordinate,
            )
        )
    return MergedInput(
        name=name,
        coordinate=coordinate,
        sources=sources,
        lacking=lacking,
        type=typed,
        types_differ=differ,
        default=defaults[0] if len(set(defaults)) == 1 else None,
        defaults_conflict=len(present) > 1,
        kept=not lacking,
    )


def _merge_input_object(merged: Merged, merged_type: MergedType) -> None:
    names: dict[str, None] = {}
    for _, found in merged_type.sources:
        assert isinstance(found, GraphQLInputObjectType)
        names.update(dict.fromkeys(found.fields))
    for name in sorted(names):
        sources: list[InputSource] = []
        lacking: list[Subgraph] = []
        for subgraph, found in merged_type.sources:
            assert isinstance(found, GraphQLInputObjectType)
            if name in found.fields:
                sources.append(InputSource(subgraph=subgraph, value=found.fields[name]))
            else:
                lacking.append(subgraph)
        coordinate = f"{merged_type.name}.{name}"
        value = _merge_input(merged, coordinate, name, sources, lacking)
        # What clients never see may differ: each subgraph gets only what it knows.
        value.kept = value.kept or any(source.subgraph.has(source.node, "inaccessible") for source in sources)
        merged_type.inputs[name] = value
        if not value.kept and not any(is_required(source.value) for source in sources):
            merged.hints.append(
                Hint(
                    "INCONSISTENT_INPUT_OBJECT_FIELD",
                    f'optional input field "{coordinate}" is left out: {names_of(lacking)} lack it',
                    coordinate,
                )
            )


def enum_uses(merged: Merged) -> tuple[set[str], set[str]]:
    """Names of types used in inputs, and of types used in answers."""
    inputs: set[str] = set()
    outputs: set[str] = set()

    def note(found: GraphQLType | None, names: set[str]) -> None:
        if found is not None:
            names.add(get_named_type(found).name)

    for merged_type in merged.types.values():
        for field in merged_type.fields.values():
            note(field.type, outputs)
            for argument in field.arguments.values():
                if argument.kept:
                    note(argument.type, inputs)
        for value in merged_type.inputs.values():
            if value.kept:
                note(value.type, inputs)
    return inputs, outputs


def _merge_enums(merged: Merged) -> None:
    inputs, outputs = enum_uses(merged)
    for merged_type in merged.types.values():
        if merged_type.kind is not Kind.ENUM:
            continue
        in_inputs = merged_type.name in inputs
        in_outputs = merged_type.name in outputs or not in_inputs
        values: dict[str, None] = {}
        for _, found in merged_type.sources:
            assert isinstance(found, GraphQLEnumType)
            values.update(dict.fromkeys(found.values))
        for name in sorted(values):
            value = MergedValue(name=name, coordinate=f"{merged_type.name}.{name}", sources=[], lacking=[])
            for subgraph, found in merged_type.sources:
                assert isinstance(found, GraphQLEnumType)
                if name in found.values:
                    value.sources.append((subgraph, found.values[name].ast_node))
                else:
                    value.lacking.append(subgraph)
            hidden = any(subgraph.has(node, "inaccessible") for subgraph, node in value.sources)
            if value.lacking and in_inputs and not in_outputs and not hidden:
                value.kept = False
            if value.lacking and not (in_inputs and in_outputs):
                merged.hints.append(
                    Hint(
                        f"INCONSISTENT_ENUM_VALUE_FOR_{'INPUT' if in_inputs else 'OUTPUT'}_ENUM",
                        f'"{value.coordinate}" is missing in {names_of(value.lacking)}',
                        value.coordinate,
                    )
                )
            merged_type.values[name] = value


def _complete_from_interface_objects(merged: Merged) -> None:
    for interface in merged.types.values():
        if interface.kind is not Kind.INTERFACE:
            continue
        objects = [subgraph for subgraph in interface.subgraphs if subgraph.is_interface_object(interface.name)]
        if not objects:
            continue
        for holder in merged.types.values():
            if holder.kind is not Kind.OBJECT or interface.name not in holder.interfaces:
                continue
            for name, field in interface.fields.items():
                contributed = any(
                    source.subgraph in objects and not source.external and source.resolves for source in field.sources
                )
                if not contributed:
                    continue
                own = holder.fields.get(name)
                if own is not None:
                    own.from_interface_object = own.from_interface_object or _adds(own, objects, field)
                    if own.from_interface_object and not own.owned:
                        # Arguments come from subgraphs that resolve the field for this very type, and none does.
                        external, _ = common_type((s.field.type for s in own.sources), merged.types, narrowest=False)
                        own.type = external or field.type
                    continue
                holder.fields[name] = MergedField(
                    name=name,
                    coordinate=f"{holder.name}.{name}",
                    sources=[],
                    lacking=list(holder.subgraphs),
                    type=field.type,
                    types_differ=False,
                    arguments=field.arguments,
                    from_interface_object=True,
                )
                merged.types[holder.name].fields = dict(sorted(holder.fields.items()))


def _adds(own: MergedField, objects: Sequence[Subgraph], field: MergedField) -> bool:
    """Whether an interface object resolves a field beside the holder's own subgraphs; a bare key field adds nothing."""
    return any(
        source.subgraph in objects
        and source.resolves
        and not source.external
        and not source.subgraph.is_shareable(source.holder.name, own.name)
        for source in field.sources
    )
