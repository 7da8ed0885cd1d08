"""Random operations over a schema: seed → document and variables, always the same.

What clients do and planners stumble over: aliases (also onto names of other fields and keys), fragments named, inline,
on interfaces inside concrete types, conditions, variables, one field with different arguments in sibling fragments,
``__typename`` everywhere, introspection beside data.
"""

from __future__ import annotations

import json
from random import Random
from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
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
    parse,
    validate,
)

from tests.properties.law import Ask

COMPOSITE = (GraphQLObjectType, GraphQLInterfaceType, GraphQLUnionType)
TRIES = 40


def operation(schema: GraphQLSchema, seed: str) -> Ask | None:
    """A valid operation; None when none was found after some tries."""
    for attempt in range(TRIES):
        ask = _Writer(schema, Random(f"{seed}/{attempt}")).write()
        if not validate(schema, parse(ask.query)):
            return ask
    return None


class _Writer:
    def __init__(self, schema: GraphQLSchema, random: Random) -> None:
        self.schema = schema
        self.random = random
        self.variables: dict[str, tuple[str, Any]] = {}
        """Name → declaration and value."""
        self.fragments: list[str] = []
        self.budget = random.choice((4, 8, 15, 30, 45))
        self.depth_max = random.choice((2, 3, 4, 5, 6))
        self.conditions = random.choice((0.0, 0.0, 0.1, 0.3))
        self.aliases = random.choice((0.0, 0.15, 0.4))
        self.nested = random.choice((0.1, 0.3, 0.5))

    def write(self) -> Ask:
        kinds = [("query", self.schema.query_type)] * 5
        if self.schema.mutation_type is not None:
            kinds.append(("mutation", self.schema.mutation_type))
        kind, root = self.random.choice(kinds)
        assert root is not None
        body = self.selections(root, 0)
        declared = ", ".join(f"${name}: {declaration}" for name, (declaration, _) in self.variables.items())
        values = {name: value for name, (_, value) in self.variables.items() if value is not _ABSENT}
        name = self.random.choice(("", "", "Asked"))
        query = f"{kind} {name}{f'({declared})' if declared else ''} {body}"
        parts = [query, *self.fragments]
        self.random.shuffle(parts)
        return Ask(" ".join(parts), values, name or None if self.random.random() < 0.5 else None)

    def selections(self, parent: GraphQLNamedType, depth: int) -> str:
        count = self.random.choice((1, 2, 2, 3, 4, 5))
        parts: list[str] = []
        for _ in range(count):
            parts.append(self.selection(parent, depth))
            if self.budget <= 0:
                break
        return "{ " + " ".join(parts) + " }"

    def selection(self, parent: GraphQLNamedType, depth: int) -> str:
        self.budget -= 1
        random = self.random
        abstract = isinstance(parent, GraphQLInterfaceType | GraphQLUnionType)
        if depth < self.depth_max + 2 and random.random() < (0.55 if abstract else self.nested * 0.4):
            return self.fragment(parent, depth)
        fields = dict(parent.fields) if isinstance(parent, GraphQLObjectType | GraphQLInterfaceType) else {}
        if depth >= self.depth_max or self.budget <= 0:
            fields = {
                name: each for name, each in fields.items() if not isinstance(get_named_type(each.type), COMPOSITE)
            }
        if not fields or random.random() < 0.1:
            if depth == 0 and parent is self.schema.query_type and random.random() < 0.2:
                return self.introspection()
            return f"{random.choice(('', '', '', 't: '))}__typename{self.directives()}"
        composite = [name for name, each in fields.items() if isinstance(get_named_type(each.type), COMPOSITE)]
        name = random.choice(composite) if composite and random.random() < self.nested else random.choice(list(fields))
        return self.field(parent, name, fields[name], depth)

    def field(self, parent: GraphQLNamedType, name: str, field: GraphQLField, depth: int) -> str:
        random = self.random
        alias = ""
        if random.random() < self.aliases:
            others = list(getattr(parent, "fields", {}))
            alias = random.choice(("x", "y", "z", "id", "sku", random.choice(others or ["x"]))) + ": "
        text = f"{alias}{name}{self.arguments(field)}{self.directives()}"
        result = get_named_type(field.type)
        if isinstance(result, COMPOSITE):
            text += " " + self.selections(result, depth + 1)
        return text

    def fragment(self, parent: GraphQLNamedType, depth: int) -> str:
        random = self.random
        if random.random() < 0.12:
            return f"...{self.directives()} {self.selections(parent, depth)}"
        choices = self.overlapping(parent)
        target = random.choice(choices)
        body = self.selections(target, depth + (1 if target is not parent else 0))
        if random.random() < 0.3:
            name = f"F{len(self.fragments)}"
            self.fragments.append(f"fragment {name} on {target.name} {body}")
            again = f" ...{name}" if random.random() < 0.1 else ""
            return f"...{name}{self.directives()}{again}"
        return f"... on {target.name}{self.directives()} {body}"

    def overlapping(self, parent: GraphQLNamedType) -> list[GraphQLNamedType]:
        """The types a fragment inside the parent may name; objects more often."""
        mine = {each.name for each in self.possible(parent)}
        found: list[GraphQLNamedType] = []
        for name, of in sorted(self.schema.type_map.items()):
            if isinstance(of, COMPOSITE) and not name.startswith("__"):
                common = mine & {each.name for each in self.possible(of)}
                if common:
                    found += [of] * (2 if isinstance(of, GraphQLObjectType) else 1)
        return found or [parent]

    def possible(self, of: GraphQLNamedType) -> list[GraphQLObjectType]:
        if isinstance(of, GraphQLInterfaceType | GraphQLUnionType):
            return list(self.schema.get_possible_types(of))
        assert isinstance(of, GraphQLObjectType)
        return [of]

    def introspection(self) -> str:
        return self.random.choice(
            (
                "__schema { queryType { name } }",
                '__type(name: "Query") { kind name }',
                '__type(name: "T0") { name fields { name type { kind name } } }',
            )
        )

    # --- conditions and values ------------------------------------------------------------------------------------------

    def directives(self) -> str:
        random = self.random
        if random.random() >= self.conditions:
            return ""
        choice = random.random()
        if choice < 0.4:
            return f" @include(if: {self.condition()})"
        if choice < 0.8:
            return f" @skip(if: {self.condition()})"
        return f" @skip(if: {self.condition()}) @include(if: {self.condition()})"

    def condition(self) -> str:
        random = self.random
        if random.random() < 0.12:
            return random.choice(("true", "false"))
        name = random.choice(("p", "q", "r"))
        if name not in self.variables:
            default = random.choice((None, None, True, False))
            value: Any = random.choice((True, False))
            declaration = "Boolean!" if default is None else f"Boolean! = {json.dumps(default)}"
            self.variables[name] = (declaration, value if default is None or random.random() < 0.5 else _ABSENT)
        return f"${name}"

    def arguments(self, field: GraphQLField) -> str:
        given = []
        for name, argument in field.args.items():
            if is_required_argument(argument) or self.random.random() < 0.6:
                given.append(f"{name}: {self.value(argument.type)}")
        return f"({', '.join(given)})" if given else ""

    def value(self, of: GraphQLInputType) -> str:
        """A literal, or a variable that is declared with a type that fits."""
        random = self.random
        if random.random() < 0.35:
            name = f"v{len(self.variables)}"
            declaration, value = str(of), self.plain(of)
            if not isinstance(of, GraphQLNonNull) and random.random() < 0.2:
                self.variables[name] = (f"{declaration} = {self.literal(of, self.plain(of))}", _ABSENT)
            elif not isinstance(of, GraphQLNonNull) and random.random() < 0.15:
                self.variables[name] = (declaration, _ABSENT)
            else:
                self.variables[name] = (declaration, value)
            return f"${name}"
        return self.literal(of, self.plain(of))

    def plain(self, of: GraphQLInputType) -> Any:
        """A value as JSON."""
        random = self.random
        if isinstance(of, GraphQLNonNull):
            return self.plain_present(of.of_type)
        return None if random.random() < 0.08 else self.plain_present(of)

    def plain_present(self, of: GraphQLInputType) -> Any:
        random = self.random
        if isinstance(of, GraphQLList):
            return [self.plain(of.of_type) for _ in range(random.choice((0, 1, 2)))]
        if isinstance(of, GraphQLEnumType):
            return random.choice(sorted(of.values))
        if isinstance(of, GraphQLInputObjectType):
            return {
                name: self.plain(each.type)
                for name, each in of.fields.items()
                if isinstance(each.type, GraphQLNonNull) or random.random() < 0.6
            }
        known: dict[str, tuple[Any, ...]] = {
            "Int": (1, 2, 3),
            "Float": (1.5, 2.0),
            "Boolean": (True, False),
            "String": ("a", "b"),
            "ID": ("1", "2"),
        }
        return random.choice(known.get(get_named_type(of).name, ("a", 1, None)))

    def literal(self, of: GraphQLInputType, value: Any) -> str:
        if value is None:
            return "null"
        if isinstance(of, GraphQLNonNull):
            return self.literal(of.of_type, value)
        if isinstance(of, GraphQLList):
            return f"[{', '.join(self.literal(of.of_type, each) for each in value)}]"
        if isinstance(of, GraphQLEnumType):
            return str(value)
        if isinstance(of, GraphQLInputObjectType):
            return (
                "{"
                + ", ".join(f"{name}: {self.literal(of.fields[name].type, each)}" for name, each in value.items())
                + "}"
            )
        return json.dumps(value)


_ABSENT = object()
