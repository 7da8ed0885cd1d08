"""Hypothesis strategies: random valid operations over a supergraph's API schema."""

from __future__ import annotations

from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputType,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNamedType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    get_named_type,
    is_required_argument,
)
from hypothesis import strategies as st

FLAGS = ("p", "q", "r")
DEPTH_MAX = 4


@st.composite
def operations(draw: st.DrawFn, schema: GraphQLSchema) -> str:
    """A query or mutation with aliases, fragments and conditions; not yet checked for fields that cannot merge."""
    roots = [("query", schema.query_type)]
    if schema.mutation_type is not None:
        roots.append(("mutation", schema.mutation_type))
    kind, root = draw(st.sampled_from(roots))
    assert root is not None
    body = draw(selections(schema, root, DEPTH_MAX))
    flags = ", ".join(f"${flag}: Boolean!" for flag in FLAGS if f"${flag})" in body)
    return f"{kind}{f' ({flags})' if flags else ''} {body}"


@st.composite
def selections(draw: st.DrawFn, schema: GraphQLSchema, parent: GraphQLNamedType, depth: int) -> str:
    parts = [draw(selection(schema, parent, depth)) for _ in range(draw(st.integers(1, 3)))]
    return "{ " + " ".join(parts) + " }"


@st.composite
def selection(draw: st.DrawFn, schema: GraphQLSchema, parent: GraphQLNamedType, depth: int) -> str:
    conditions = draw(directives())
    if depth and draw(st.integers(0, 3)) == 0:
        narrowed = draw(st.sampled_from(overlapping(schema, parent)))
        return f"... on {narrowed.name}{conditions} {draw(selections(schema, narrowed, depth - 1))}"
    fields = [
        (name, field)
        for name, field in (parent.fields.items() if not isinstance(parent, GraphQLUnionType) else ())  # type: ignore[attr-defined]
        if depth
        or not isinstance(get_named_type(field.type), GraphQLObjectType | GraphQLInterfaceType | GraphQLUnionType)
    ]
    if not fields or draw(st.integers(0, 9)) == 0:
        return f"__typename{conditions}"
    name, field = draw(st.sampled_from(fields))
    alias = draw(st.sampled_from(["", "", "x: ", "y: ", "id: "]))
    text = f"{alias}{name}{draw(arguments(field))}{conditions}"
    result = get_named_type(field.type)
    if isinstance(result, GraphQLObjectType | GraphQLInterfaceType | GraphQLUnionType):
        text += " " + draw(selections(schema, result, depth - 1))
    return text


@st.composite
def directives(draw: st.DrawFn) -> str:
    chosen = draw(st.sampled_from(["", "", "", "", "include", "skip", "both", "literal"]))
    flag, other = draw(st.sampled_from(FLAGS)), draw(st.sampled_from(FLAGS))
    return {
        "": "",
        "include": f" @include(if: ${flag})",
        "skip": f" @skip(if: ${flag})",
        "both": f" @skip(if: ${flag}) @include(if: ${other})",
        "literal": " @include(if: false)",
    }[chosen]


@st.composite
def arguments(draw: st.DrawFn, field: GraphQLField) -> str:
    given = [
        f"{name}: {draw(literals(argument.type))}"
        for name, argument in field.args.items()
        if is_required_argument(argument) or draw(st.booleans())
    ]
    return f"({', '.join(given)})" if given else ""


@st.composite
def literals(draw: st.DrawFn, of: GraphQLInputType) -> str:
    if isinstance(of, GraphQLNonNull):
        return draw(literals(of.of_type))
    if isinstance(of, GraphQLList):
        return f"[{draw(literals(of.of_type))}]"
    if isinstance(of, GraphQLEnumType):
        return draw(st.sampled_from(sorted(of.values)))
    return {
        "Int": draw(st.sampled_from(["1", "2"])),
        "Float": "1.5",
        "Boolean": "true",
    }.get(get_named_type(of).name, draw(st.sampled_from(['"a"', '"b"'])))


def overlapping(schema: GraphQLSchema, parent: GraphQLNamedType) -> list[GraphQLNamedType]:
    """The types that a fragment inside the parent may name."""
    mine = {each.name for each in possible(schema, parent)}
    return [
        of
        for name, of in sorted(schema.type_map.items())
        if isinstance(of, GraphQLObjectType | GraphQLInterfaceType | GraphQLUnionType)
        and not name.startswith("__")
        and mine & {each.name for each in possible(schema, of)}
    ]


def possible(schema: GraphQLSchema, of: GraphQLNamedType) -> list[GraphQLObjectType]:
    if isinstance(of, GraphQLInterfaceType | GraphQLUnionType):
        return list(schema.get_possible_types(of))
    assert isinstance(of, GraphQLObjectType)
    return [of]
