"""What changed between two client schemas, by coordinate, and whom each change hits. graphql-core only, no planning.

graphql-core finds breaking changes too, but says them in prose, without a coordinate, and knows nothing of who uses what;
here each change says by itself which uses of an operation it breaks. The tests hold it against graphql-core's. Severity is first what it is without knowing any
operation; ``judge`` then weighs it by those that are registered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum

from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNamedType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLType,
    GraphQLUnionType,
    OperationType,
    print_ast,
)

from gateway.checks.operations import Uses

Hit = Callable[[Uses], bool]
InputValue = GraphQLArgument | GraphQLInputField


class Severity(StrEnum):
    BREAKING = "breaking"
    DANGEROUS = "dangerous"
    SAFE = "safe"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One change of the client schema."""

    coordinate: str
    text: str
    severity: Severity
    """Without knowing any operation; after ``judge``, with the registered ones."""
    to_anybody: Severity | None = None
    """After ``judge``: what it was before."""
    breaks: Hit | None = None
    """Whether an operation with these uses breaks; None where no operation can."""
    endangers: Hit | None = None
    """Whether it may be surprised."""
    fix: str = ""
    operations: tuple[str, ...] = field(default=())
    """Registered operations that are hit."""


def judge(change: Change, used: dict[str, Uses]) -> Change:
    """The change as it is to these operations: nobody hit, nothing broken."""
    change = replace(change, to_anybody=change.severity)
    broken = tuple(name for name, uses in used.items() if change.breaks is not None and change.breaks(uses))
    if broken:
        return replace(change, severity=Severity.BREAKING, operations=broken)
    surprised = tuple(name for name, uses in used.items() if change.endangers is not None and change.endangers(uses))
    if surprised:
        return replace(change, severity=Severity.DANGEROUS, operations=surprised)
    if change.severity is Severity.BREAKING or change.endangers is not None:
        return replace(change, severity=Severity.SAFE, text=f"{change.text} (no registered operation relies on it)")
    return change


def changes(old: GraphQLSchema, new: GraphQLSchema) -> list[Change]:
    """Every change, sorted by coordinate."""
    found: list[Change] = [*_root_changes(old, new)]
    for name in sorted({*old.type_map, *new.type_map}):
        if name.startswith("__"):
            continue
        before, after = old.type_map.get(name), new.type_map.get(name)
        if before is None:
            found.append(_safe(name, "type added"))
        elif after is None:
            found.append(_broken(name, "type removed", _used(name), "keep it, deprecated, until nobody uses it"))
        elif type(before) is not type(after):
            text = f"was {_kind(before)}, is {_kind(after)}"
            found.append(_broken(name, text, _used(name), "give the new kind a name of its own"))
        else:
            found += _type_changes(before, after)
    return sorted(found, key=lambda change: change.coordinate)


def _root_changes(old: GraphQLSchema, new: GraphQLSchema) -> Iterator[Change]:
    for kind in OperationType:
        before, after = old.get_root_type(kind), new.get_root_type(kind)
        if before is not None and after is None:

            def hit(uses: Uses, kind: str = kind.value) -> bool:
                return uses.operation_type == kind

            yield _broken(before.name, f"no longer the {kind.value} type", hit, f"keep a {kind.value} type")
        elif after is not None and before is None:
            yield _safe(after.name, f"is the {kind.value} type")


def _type_changes(before: GraphQLNamedType, after: GraphQLNamedType) -> Iterator[Change]:
    match before, after:
        case GraphQLObjectType() | GraphQLInterfaceType(), GraphQLObjectType() | GraphQLInterfaceType():
            yield from _field_changes(before, after)
            yield from _interface_changes(before, after)
        case GraphQLUnionType(), GraphQLUnionType():
            yield from _member_changes(before.name, {t.name for t in before.types}, {t.name for t in after.types})
        case GraphQLEnumType(), GraphQLEnumType():
            yield from _value_changes(before, after)
        case GraphQLInputObjectType(), GraphQLInputObjectType():
            if after.is_one_of and not before.is_one_of:
                text = "takes exactly one of its fields now"
                yield _broken(before.name, text, _used(before.name), "add an input of that kind beside it")
            elif before.is_one_of and not after.is_one_of:
                yield _safe(before.name, "takes any of its fields now")
            for name in sorted({*before.fields, *after.fields}):
                was, is_ = before.fields.get(name), after.fields.get(name)
                owner = before.name
                yield from _input_changes(f"{owner}.{name}", was, is_, _used(owner), "input field")


def _field_changes(
    before: GraphQLObjectType | GraphQLInterfaceType, after: GraphQLObjectType | GraphQLInterfaceType
) -> Iterator[Change]:
    for name in sorted({*before.fields, *after.fields}):
        coordinate = f"{before.name}.{name}"
        was, is_ = before.fields.get(name), after.fields.get(name)
        if was is None or is_ is None:
            if was is None:
                yield _safe(coordinate, "field added")
            else:
                yield _broken(
                    coordinate, "field removed", _used(coordinate), "keep it, deprecated, until nobody asks for it"
                )
            continue
        if str(was.type) != str(is_.type):
            text = f"type {was.type} became {is_.type}"
            if _answers_fit(was.type, is_.type):
                yield _safe(coordinate, text)
            elif _answers_fit(is_.type, was.type) and _base(was.type) == _base(is_.type):
                yield _broken(coordinate, f"{text}: it may be null now", _used(coordinate), "keep it non-null")
            else:
                yield _broken(coordinate, text, _used(coordinate), "add a field of the new type beside it")
        if was.deprecation_reason is None and is_.deprecation_reason is not None:
            yield _safe(coordinate, f"deprecated: {is_.deprecation_reason}")
        for argument in sorted({*was.args, *is_.args}):
            place = f"{coordinate}({argument}:)"
            yield from _input_changes(
                place, was.args.get(argument), is_.args.get(argument), _used(coordinate), "argument"
            )


def _interface_changes(
    before: GraphQLObjectType | GraphQLInterfaceType, after: GraphQLObjectType | GraphQLInterfaceType
) -> Iterator[Change]:
    were, are = {each.name for each in before.interfaces}, {each.name for each in after.interfaces}
    for interface in sorted(were - are):
        # An interface that leaves another hits nobody by itself: what is asked is asked of its objects, each a change.
        def hit(uses: Uses, interface: str = interface) -> bool:
            return (interface, before.name) in uses.relied

        yield _broken(
            before.name, f"no longer implements {interface}", hit, f"keep it an implementation of {interface}"
        )
    for interface in sorted(are - were):
        yield _grown(before.name, f"implements {interface}, too", interface)


def _member_changes(union: str, were: set[str], are: set[str]) -> Iterator[Change]:
    for member in sorted(were - are):

        def hit(uses: Uses, member: str = member) -> bool:
            return (union, member) in uses.relied

        yield _broken(union, f"member {member} removed", hit, "keep the member, and stop returning it")
    for member in sorted(are - were):
        yield _grown(union, f"member {member} added", union)


def _value_changes(before: GraphQLEnumType, after: GraphQLEnumType) -> Iterator[Change]:
    name = before.name
    for value in sorted({*before.values} - {*after.values}):
        coordinate = f"{name}.{value}"

        def hit(uses: Uses, coordinate: str = coordinate) -> bool:
            return coordinate in uses.coordinates or name in uses.sent

        yield Change(
            coordinate=coordinate,
            text="value removed",
            severity=Severity.BREAKING,
            breaks=hit,
            endangers=lambda uses: name in uses.returned_enums,
            fix="keep the value, deprecated, until nobody sends it",
        )
    for value in sorted({*after.values} - {*before.values}):
        yield Change(
            coordinate=f"{name}.{value}",
            text="value added: clients that list all values meet a new one",
            severity=Severity.DANGEROUS,
            endangers=lambda uses: name in uses.returned_enums,
        )


def _input_changes(
    coordinate: str, was: InputValue | None, is_: InputValue | None, owner_used: Hit, word: str
) -> Iterator[Change]:
    """Of an argument or an input field; ``owner_used`` says whether the field or the input type is used at all."""
    given = _given(coordinate)

    def left_out(uses: Uses) -> bool:
        return owner_used(uses) and (coordinate in uses.left_out or _sent_whole(coordinate, uses))

    if was is None or is_ is None:
        if is_ is None:
            yield _broken(
                coordinate, f"{word} removed", given, "keep it, ignored and deprecated, until nobody sends it"
            )
        elif _required(is_):
            yield _broken(coordinate, f"required {word} added", owner_used, "make it nullable, or give it a default")
        elif is_ is not None:
            yield _safe(coordinate, f"optional {word} added")
        return
    if str(was.type) != str(is_.type):
        text = f"type {was.type} became {is_.type}"
        if _accepts(was.type, is_.type):
            yield _safe(coordinate, text)
        elif isinstance(is_.type, GraphQLNonNull) and _accepts(was.type, is_.type.of_type):
            has_default = _default(is_) is not None

            def unfit(uses: Uses) -> bool:
                null = coordinate in uses.maybe_null or _sent_whole(coordinate, uses)
                return owner_used(uses) and (null or (not has_default and coordinate in uses.left_out))

            yield _broken(coordinate, f"{text}: it is required now", unfit, "give it a default, or leave it nullable")
        else:
            yield _broken(coordinate, text, given, f"add an {word} of the new type beside it")
    if _default(was) is not None and _default(was) != _default(is_):
        gone = _default(is_) is None
        text = "default removed" if gone else f"default {_default(was)} became {_default(is_)}"
        missing = gone and isinstance(is_.type, GraphQLNonNull)
        yield Change(
            coordinate=coordinate,
            text=text,
            severity=Severity.BREAKING if missing else Severity.DANGEROUS,
            breaks=left_out if gone else None,
            endangers=None if gone else left_out,
            fix="keep the default",
        )


def _given(coordinate: str) -> Hit:
    return lambda uses: coordinate in uses.coordinates or _sent_whole(coordinate, uses)


def _sent_whole(coordinate: str, uses: Uses) -> bool:
    """Whether it is an input field of a type that comes in a variable, where anything may be given or left out."""
    return "(" not in coordinate and coordinate.partition(".")[0] in uses.sent


def _used(coordinate: str) -> Hit:
    return lambda uses: coordinate in uses.coordinates


def _broken(coordinate: str, text: str, hit: Hit, fix: str) -> Change:
    return Change(coordinate=coordinate, text=text, severity=Severity.BREAKING, breaks=hit, fix=fix)


def _safe(coordinate: str, text: str) -> Change:
    return Change(coordinate=coordinate, text=text, severity=Severity.SAFE)


def _grown(coordinate: str, text: str, abstract: str) -> Change:
    return Change(
        coordinate=coordinate,
        text=f"{text}: clients that list all types meet a new one",
        severity=Severity.DANGEROUS,
        endangers=lambda uses: abstract in uses.coordinates,
    )


def _required(value: InputValue) -> bool:
    return isinstance(value.type, GraphQLNonNull) and _default(value) is None


def _default(value: InputValue) -> str | None:
    """As it is written."""
    node = value.ast_node.default_value if value.ast_node is not None else None
    return None if node is None else print_ast(node)


def _accepts(was: GraphQLType, is_: GraphQLType) -> bool:
    """Whether every value of the old input type is one of the new."""
    if isinstance(was, GraphQLNonNull):
        return _accepts(was.of_type, is_.of_type if isinstance(is_, GraphQLNonNull) else is_)
    if isinstance(is_, GraphQLNonNull):
        return False
    if isinstance(was, GraphQLList) and isinstance(is_, GraphQLList):
        return _accepts(was.of_type, is_.of_type)
    if isinstance(is_, GraphQLList):
        return not isinstance(was, GraphQLList) and _accepts(was, is_.of_type)  # one value is read as a list of it
    return str(was) == str(is_)


def _answers_fit(was: GraphQLType, is_: GraphQLType) -> bool:
    """Whether every value of the new output type is one of the old, by names."""
    if isinstance(was, GraphQLNonNull):
        return isinstance(is_, GraphQLNonNull) and _answers_fit(was.of_type, is_.of_type)
    if isinstance(is_, GraphQLNonNull):
        return _answers_fit(was, is_.of_type)
    if isinstance(was, GraphQLList):
        return isinstance(is_, GraphQLList) and _answers_fit(was.of_type, is_.of_type)
    return str(was) == str(is_)


def _base(of: GraphQLType) -> str:
    return str(of).replace("!", "")


def _kind(of: GraphQLNamedType) -> str:
    words = {
        GraphQLObjectType: "a type",
        GraphQLInterfaceType: "an interface",
        GraphQLUnionType: "a union",
        GraphQLEnumType: "an enum",
        GraphQLInputObjectType: "an input",
    }
    return words.get(type(of), "a scalar")
