"""The normalised operation: fragments inlined, conditions kept, arguments canonical, fields with canonical keys.

What belongs here: the notes, and the pure function ``normalise`` from a validated document to them. What does not:
which subgraph answers what (planning), and the client's values (execution).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from graphql import (
    DirectiveNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    ListValueNode,
    ObjectValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    StringValueNode,
    ValueNode,
    VariableNode,
    print_ast,
)
from graphql.language import BooleanValueNode

from gateway.errors import LimitExceeded, OperationUnknown
from gateway.plan import Condition, OperationKind
from gateway.selection import FieldSet, print_arguments


@dataclass(frozen=True, slots=True, kw_only=True)
class Deferral:
    """One ``@defer`` at one place of the nesting of ``@defer``s; the plan calls what is under it a *block*."""

    id: int
    """From 1, a block after the one it is nested in; 0 is the primary block, what is under no ``@defer``."""
    parent: int
    label: str | None = None
    variable: str | None = None
    """``@defer(if: $variable)``: it has no effect where the variable is given and not true."""

    def active(self, variables: Mapping[str, Any]) -> bool:
        return self.variable is None or variables.get(self.variable, True) is True


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """One ``@stream``."""

    id: int
    """From 1."""
    block: int
    """The block its field is in."""
    label: str | None = None
    variable: str | None = None
    """As a deferral's."""
    count: int | str = 0
    """``initialCount``, or the variable that says it. Fewer than no items is none."""

    def initial_count(self, variables: Mapping[str, Any]) -> int | None:
        """How many items come first; None where these variables switch it off."""
        if self.variable is not None and variables.get(self.variable, True) is not True:
            return None
        count = variables.get(self.count, 0) if isinstance(self.count, str) else self.count
        return max(count, 0) if isinstance(count, int) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One selected field. ``arguments`` is the printed argument list without parentheses, ``""`` for none."""

    name: str
    response_key: str
    """What the client calls it: the alias, or the name."""
    key: str
    """Its canonical key in the merged tree (see ``gateway.plan``)."""
    arguments: str = ""
    variables: tuple[str, ...] = ()
    """The client's variables its arguments mention, sorted."""
    conditions: tuple[Condition, ...] = ()
    """All must hold. Literal conditions were decided while normalising."""
    selections: tuple[Selection, ...] = ()
    stream: Stream | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fragment:
    """An inline fragment; ``on`` is None when it only carries conditions."""

    on: str | None = None
    conditions: tuple[Condition, ...] = ()
    selections: tuple[Selection, ...] = ()
    deferral: Deferral | None = None


Selection: TypeAlias = "Field | Fragment"


@dataclass(frozen=True, slots=True, kw_only=True)
class VariableDefinition:
    name: str
    type: str
    """Printed, for example ``[String!]!``."""
    default: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    kind: OperationKind
    name: str | None
    root_type: str
    variables: tuple[VariableDefinition, ...]
    selections: tuple[Selection, ...]
    keys: ResponseKeys
    """Which canonical key each (field name, arguments) has; the planner asks it for the fields it adds itself."""
    deferrals: tuple[Deferral, ...] = ()
    """By id, from 1. Empty where nothing is deferred, or nothing may be."""
    streams: tuple[Stream, ...] = ()

    @property
    def incremental(self) -> bool:
        """Whether a part of the answer may come later."""
        return bool(self.deferrals or self.streams)

    def structure(self) -> tuple[object, ...]:
        """All of it that a plan depends on: not its name, and not what the client calls things."""
        return (self.kind, self.root_type, self.variables, self.deferrals, self.streams, _structure(self.selections))

    def block(self, id: int) -> Operation:
        """The operation with nothing but one block, and the fields that lead there."""
        return replace(self, selections=_block(self.selections, id, 0)) if self.deferrals else self

    def visible(self, id: int) -> frozenset[int]:
        """The blocks that are delivered before this one, and itself."""
        found = {id}
        while id:
            id = self.deferrals[id - 1].parent
            found.add(id)
        return frozenset(found)


@dataclass(slots=True)
class ResponseKeys:
    """(field name, printed arguments) → canonical key, in order of first asking: ``price``, ``price__2`` …"""

    known: dict[tuple[str, str], str] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    repeated: dict[tuple[str, str], dict[str, str]] = field(default_factory=dict)
    """(field name, printed arguments) of an object or of a mutation's root field → response key → canonical key."""
    fragile: dict[tuple[str, str], frozenset[str]] = field(default_factory=dict)
    """(field name, printed arguments) of an object the client wants → names of fields below it that null it when they fail."""

    def key(self, name: str, arguments: str) -> str:
        found = self.known.get((name, arguments))
        if found is None:
            count = self.counts.get(name, 0) + 1
            self.counts[name] = count
            found = name if count == 1 else f"{name}__{count}"
            self.known[name, arguments] = found
        return found

    def apart_key(self, name: str, arguments: str, response_key: str) -> str:
        """Of what is two things under two names: a mutation's root field is done twice, and an object may be null under one
        name alone, because of what is wanted below it there."""
        names = self.repeated.setdefault((name, arguments), {})
        if response_key not in names:
            names[response_key] = self.key(name, f"{arguments} as {response_key}" if names else arguments)
        return names[response_key]

    def required_key(self, name: str, arguments: str, fields: FieldSet) -> str:
        """Of what a key or a requirement takes: another object than the client's where that may be null for the sake of
        fields that are not required."""
        if fields and self.fragile.get((name, arguments), frozenset()) - _names(fields):
            return self.apart_key(name, arguments, "")
        return self.key(name, arguments)

    def all(self, name: str, arguments: str) -> frozenset[str]:
        """Every canonical key these have: several for what was asked for under several names."""
        first = self.known.get((name, arguments))
        return frozenset((*self.repeated.get((name, arguments), {}).values(), *([first] if first else ())))

    def same(self, key: str, other: str) -> bool:
        """Whether two canonical keys are those of one thing under several names."""
        return key == other or any({key, other} <= set(names.values()) for names in self.repeated.values())

    def copy(self) -> ResponseKeys:
        repeated = {each: dict(names) for each, names in self.repeated.items()}
        return ResponseKeys(dict(self.known), dict(self.counts), repeated, self.fragile)


def _names(fields: FieldSet) -> set[str]:
    return {name for each in fields for name in (each.name, *_names(each.fields))}


def _structure(selections: tuple[Selection, ...]) -> tuple[object, ...]:
    return tuple(
        [
            (
                each.name,
                each.key,
                each.arguments,
                each.variables,
                each.conditions,
                each.stream,
                _structure(each.selections),
            )
            if isinstance(each, Field)
            else (each.on, each.conditions, each.deferral, _structure(each.selections))
            for each in selections
        ]
    )


def _block(selections: tuple[Selection, ...], wanted: int, current: int) -> tuple[Selection, ...]:
    found: list[Selection] = []
    for each in selections:
        here = each.deferral.id if isinstance(each, Fragment) and each.deferral else current
        below = _block(each.selections, wanted, here)
        if below or (isinstance(each, Field) and current == wanted):
            found.append(replace(each, selections=below))
    return tuple(found)


def normalise(
    document: DocumentNode, operation_name: str | None, schema: GraphQLSchema, *, deferred_max: int = 0
) -> Operation:
    """The operation of a *validated* document that is to run, in normal form.

    Raises ``OperationUnknown`` when the name fits none, or when there are several and no name was given. Fragments are
    inlined, literal ``@skip``/``@include`` are decided, and every field gets its canonical key in document order.
    ``deferred_max`` is how many fragments and lists may come later before ``LimitExceeded`` is raised; with 0, ``@defer``
    and ``@stream`` have no effect, and they never have one in a subscription.
    """
    definition = _operation(document, operation_name)
    kind = OperationKind(definition.operation.value)
    root = {
        OperationKind.QUERY: schema.query_type,
        OperationKind.MUTATION: schema.mutation_type,
        OperationKind.SUBSCRIPTION: schema.subscription_type,
    }[kind]
    if root is None:
        raise OperationUnknown(f"The schema has no {kind.value} operations.")
    keys = ResponseKeys()
    mutation = kind is OperationKind.MUTATION
    deferred_max = 0 if kind is OperationKind.SUBSCRIPTION else deferred_max
    fragments = {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}
    normaliser = _Normaliser(fragments, keys, deferred_max)
    selections = normaliser.selections(definition.selection_set, apart=mutation)
    return Operation(
        kind=kind,
        name=definition.name.value if definition.name else None,
        root_type=root.name,
        variables=tuple(
            VariableDefinition(
                name=node.variable.name.value,
                type=print_ast(node.type),
                default=print_ast(node.default_value) if node.default_value is not None else None,
            )
            for node in definition.variable_definitions or ()
        ),
        selections=_in_turn(selections, keys) if mutation else selections,
        keys=keys,
        deferrals=tuple(normaliser.deferrals),
        streams=tuple(normaliser.streams),
    )


def _operation(document: DocumentNode, name: str | None) -> OperationDefinitionNode:
    operations = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
    if name:
        for node in operations:
            if node.name and node.name.value == name:
                return node
        raise OperationUnknown(f'Unknown operation named "{name}".')
    if not operations:
        raise OperationUnknown("The document has no operation.")
    if len(operations) > 1:
        raise OperationUnknown("The document has several operations: operationName must say which one to run.")
    return operations[0]


class _Normaliser:
    """One normalisation; keeps what fragments became, so that each is walked once in each block it is spread in."""

    def __init__(self, fragments: dict[str, FragmentDefinitionNode], keys: ResponseKeys, deferred_max: int) -> None:
        self.fragments = fragments
        self.keys = keys
        self.deferred_max = deferred_max
        self.deferrals: list[Deferral] = []
        self.streams: list[Stream] = []
        self.inlined: dict[tuple[str, bool, int], tuple[Selection, ...]] = {}

    def selections(
        self, node: SelectionSetNode | None, block: int = 0, *, apart: bool = False
    ) -> tuple[Selection, ...]:
        """``apart``: these are a mutation's root fields; the same one under two names is to be done twice."""
        found: list[Selection] = []
        for item in node.selections if node else ():
            conditions = _conditions(item.directives) if item.directives else ()
            if conditions is None:
                continue
            match item:
                case FieldNode():
                    found.append(self.field(item, block, conditions, apart))
                case InlineFragmentNode():
                    on = item.type_condition.name.value if item.type_condition else None
                    deferral = self.deferral(item, block)
                    below = self.selections(item.selection_set, deferral.id if deferral else block, apart=apart)
                    found.append(Fragment(on=on, conditions=conditions, selections=below, deferral=deferral))
                case FragmentSpreadNode():
                    name = item.name.value
                    on = self.fragments[name].type_condition.name.value
                    deferral = self.deferral(item, block)
                    inner = deferral.id if deferral else block
                    if (name, apart, inner) not in self.inlined:
                        self.inlined[name, apart, inner] = self.selections(
                            self.fragments[name].selection_set, inner, apart=apart
                        )
                    below = self.inlined[name, apart, inner]
                    found.append(Fragment(on=on, conditions=conditions, selections=below, deferral=deferral))
        return tuple(found)

    def field(self, node: FieldNode, block: int, conditions: tuple[Condition, ...], apart: bool) -> Field:
        name, arguments = node.name.value, print_arguments(node.arguments)
        response_key = node.alias.value if node.alias else name
        return Field(
            name=name,
            response_key=response_key,
            key=self.keys.apart_key(name, arguments, response_key)
            if apart or node.selection_set
            else self.keys.key(name, arguments),
            arguments=arguments,
            variables=_variables(node),
            conditions=conditions,
            selections=self.selections(node.selection_set, block),
            stream=self.stream(node, block) if node.directives else None,
        )

    def stream(self, node: FieldNode, block: int) -> Stream | None:
        given = self.arguments(node.directives, "stream")
        if given is None:
            return None
        count = given.get("initialCount")
        self.check_limit()
        found = Stream(
            id=len(self.streams) + 1,
            block=block,
            label=_label(given),
            variable=_name(given.get("if")),
            count=int(count.value) if isinstance(count, IntValueNode) else _name(count) or 0,
        )
        self.streams.append(found)
        return found

    def arguments(self, directives: tuple[DirectiveNode, ...] | None, name: str) -> dict[str, ValueNode] | None:
        """A directive's, or None where it is not there, or says that it is to have no effect."""
        directive = next((each for each in directives or () if each.name.value == name), None)
        if directive is None or not self.deferred_max:
            return None
        given = {each.name.value: each.value for each in directive.arguments or ()}
        condition = given.get("if")
        return None if isinstance(condition, BooleanValueNode) and not condition.value else given

    def check_limit(self) -> None:
        if len(self.deferrals) + len(self.streams) >= self.deferred_max:
            raise LimitExceeded(
                "MAX_DEFERRED_EXCEEDED",
                f"At most {self.deferred_max} fragments and lists of an operation may be delivered later.",
            )

    def deferral(self, node: InlineFragmentNode | FragmentSpreadNode, block: int) -> Deferral | None:
        given = self.arguments(node.directives, "defer")
        if given is None:
            return None
        self.check_limit()
        found = Deferral(id=len(self.deferrals) + 1, parent=block, label=_label(given), variable=_name(given.get("if")))
        self.deferrals.append(found)
        return found


def _label(given: Mapping[str, ValueNode]) -> str | None:
    label = given.get("label")
    return label.value if isinstance(label, StringValueNode) else None


def _name(value: ValueNode | None) -> str | None:
    return value.name.value if isinstance(value, VariableNode) else None


TURNS_MAX = 32


def _in_turn(selections: tuple[Selection, ...], keys: ResponseKeys) -> tuple[Selection, ...]:
    """A mutation's root fields such that each is done where the first selection of it that counts stands.

    ``a @skip(if: $p) b a`` is ``a b`` or ``b a``, as ``$p`` will have it: it becomes ``a @skip(if: $p) b a @include(if: $p)``,
    two fields of which one is done. Nothing changes where the order is certain, or beyond ``TURNS_MAX`` such fields.
    """
    flat = list(_flat(selections, ()))
    again: dict[str, list[Field]] = {}
    for each in flat:
        again.setdefault(each.response_key, []).append(each)
    found: dict[str, list[list[Field]]] = {}
    for response_key, fields in again.items():
        if len(fields) > 1 and fields[0].conditions:
            turns = _turns(fields, keys)
            if turns is None:
                return selections
            found[response_key] = turns
    if not found:
        return selections
    ordered: list[Selection] = []
    for each in flat:
        ordered += found[each.response_key].pop(0) if each.response_key in found else [each]
    return tuple(ordered)


def _flat(selections: tuple[Selection, ...], under: tuple[Condition, ...]) -> Iterator[Field]:
    for each in selections:
        conditions = tuple(dict.fromkeys((*under, *each.conditions)))
        if isinstance(each, Field):
            yield replace(each, conditions=conditions)
        else:
            yield from _flat(each.selections, conditions)


def _turns(fields: list[Field], keys: ResponseKeys) -> list[list[Field]] | None:
    """For each selection of one root field: what is done in its place, under conditions of which at most one set holds.

    None when that were too many.
    """
    turns: list[list[Field]] = []
    first = fields[0]
    # Disjoint conjunctions under which no selection so far counted.
    open_yet: list[tuple[Condition, ...]] = [()]
    for place, here in enumerate(fields):
        inside = tuple(Fragment(conditions=each.conditions, selections=each.selections) for each in fields[place:])
        turns.append([])
        for before in open_yet:
            when = _both(before, here.conditions)
            if when is not None:
                turns[-1].append(
                    replace(
                        first,
                        key=keys.apart_key(
                            first.name, first.arguments, f"{first.response_key} {place} {len(turns[-1])}"
                        )
                        if place
                        else first.key,
                        conditions=when,
                        selections=inside if first.selections else (),
                    )
                )
        closed: list[tuple[Condition, ...]] = []
        for before in open_yet:
            for number, (variable, wanted) in enumerate(here.conditions):
                unmet = _both(before, (*here.conditions[:number], (variable, not wanted)))
                if unmet is not None:
                    closed.append(unmet)
        open_yet = closed
        if len(open_yet) + sum(map(len, turns)) > TURNS_MAX:
            return None
    return turns


def _both(first: tuple[Condition, ...], second: tuple[Condition, ...]) -> tuple[Condition, ...] | None:
    """The conjunction of two; None where it can never hold."""
    found = dict(first)
    for variable, wanted in second:
        if found.setdefault(variable, wanted) != wanted:
            return None
    return tuple(found.items())


def _conditions(directives: tuple[DirectiveNode, ...] | None) -> tuple[Condition, ...] | None:
    """What must hold for the selection; None when a literal already says it is out."""
    found: list[Condition] = []
    for directive in directives or ():
        name = directive.name.value
        if name not in ("skip", "include") or not directive.arguments:
            continue
        wanted, value = name == "include", directive.arguments[0].value
        if isinstance(value, VariableNode):
            found.append((value.name.value, wanted))
        elif isinstance(value, BooleanValueNode) and value.value != wanted:
            return None
    return tuple(dict.fromkeys(found))


def _variables(node: FieldNode) -> tuple[str, ...]:
    if not node.arguments:
        return ()
    names: set[str] = set()
    for argument in node.arguments:
        _collect_variables(argument.value, names)
    return tuple(sorted(names))


def _collect_variables(value: ValueNode, names: set[str]) -> None:
    match value:
        case VariableNode():
            names.add(value.name.value)
        case ListValueNode():
            for each in value.values:
                _collect_variables(each, names)
        case ObjectValueNode():
            for field in value.fields:
                _collect_variables(field.value, names)
