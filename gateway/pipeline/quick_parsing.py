"""Documents as clients write them, read in a fifth of the time that graphql-core's parser takes.

``parse_quickly`` gives the tree that graphql-core gives without locations, or None, and then graphql-core has to decide,
and to word what is wrong. It knows executable documents; of strings, those that stand for themselves.

One regular expression cuts the text into names, numbers, strings, ``...``, comments and, of all else, single characters,
punctuators among them. The reader takes a token only where it expects that very one, so what the expression does not know
(half a number, the quote of a string with escapes) ends the reading. Without locations a node is the same wherever it
stands: fields that are a name and nothing else, which most are, are made once for all documents. What does not belong
here: errors.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final, NoReturn, TypeVar

from graphql import (
    ArgumentNode,
    BooleanValueNode,
    DefinitionNode,
    DirectiveNode,
    DocumentNode,
    EnumValueNode,
    FieldNode,
    FloatValueNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    IntValueNode,
    ListTypeNode,
    ListValueNode,
    NamedTypeNode,
    NameNode,
    NonNullTypeNode,
    NullValueNode,
    ObjectFieldNode,
    ObjectValueNode,
    OperationDefinitionNode,
    OperationType,
    SelectionNode,
    SelectionSetNode,
    StringValueNode,
    TypeNode,
    ValueNode,
    VariableDefinitionNode,
    VariableNode,
)

T = TypeVar("T")

NESTING_MAX: Final = 100
"""Of selection sets, lists and objects; graphql-core refuses 200."""
KEPT_CHARACTERS_MAX: Final = 64
_IGNORED: Final = " \t\n\r,\ufeff"
_TOKEN: Final = re.compile(
    r"[A-Za-z_][0-9A-Za-z_]*"
    r"|\.\.\."
    r"|-?[0-9][-+.0-9A-Za-z_]*"
    r'|"[^"\\\n\r\ud800-\udfff]*"(?!")'
    r"|#[^\n\r\ud800-\udfff]*"
    rf"|[^{_IGNORED}]"
)
_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_MORE: Final = frozenset("(@{")
"""What makes a field more than its name."""
_NAME_START: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_")
_END: Final = "\n"
"""No token is this."""


class _Unknown(Exception):
    """It takes graphql-core to read."""


def parse_quickly(text: str, *, max_tokens: int) -> DocumentNode | None:
    """The tree, without locations; None for a text that is not known to be a document of so many tokens at most."""
    tokens = _TOKEN.findall(text)
    if len(tokens) > max_tokens:
        return None
    if "#" in text:
        tokens = [token for token in tokens if token[0] != "#"]
    try:
        return _Reader([*tokens, _END]).document()
    except _Unknown:
        return None


class _Reader:
    """Each method takes what it is named after, from ``at`` on, and leaves ``at`` behind it."""

    __slots__ = ("at", "nesting", "tokens")

    def __init__(self, tokens: list[str]) -> None:
        self.tokens = tokens
        self.at = 0
        self.nesting = 0

    def document(self) -> DocumentNode:
        definitions: list[DefinitionNode] = []
        while not definitions or self.tokens[self.at] != _END:
            definitions.append(self.definition())
        return DocumentNode(definitions=tuple(definitions))

    def definition(self) -> DefinitionNode:
        if self.takes("{"):
            return OperationDefinitionNode(operation=OperationType.QUERY, selection_set=self.selections())
        match self.tokens[self.at]:
            case "query" | "mutation" | "subscription" as kind:
                self.at += 1
                return OperationDefinitionNode(
                    operation=OperationType(kind),
                    name=self.name() if self.tokens[self.at][0] in _NAME_START else None,
                    variable_definitions=self.many(self.variable_definition, ")") if self.takes("(") else None,
                    directives=self.directives(const=False),
                    selection_set=self.selection_set(),
                )
            case "fragment":
                self.at += 1
                return FragmentDefinitionNode(
                    name=self.fragment_name(),
                    variable_definitions=(),
                    type_condition=self.type_condition(),
                    directives=self.directives(const=False),
                    selection_set=self.selection_set(),
                )
        raise _Unknown

    def variable_definition(self) -> VariableDefinitionNode:
        self.expect("$")
        variable = VariableNode(name=self.name())
        self.expect(":")
        return VariableDefinitionNode(
            variable=variable,
            type=self.type(),
            default_value=self.value(const=True) if self.takes("=") else None,  # type: ignore[arg-type]
            directives=self.directives(const=True),  # type: ignore[arg-type]
        )

    def type(self) -> TypeNode:
        found: NamedTypeNode | ListTypeNode
        if self.takes("["):
            self.enter()
            found = ListTypeNode(type=self.type())
            self.nesting -= 1
            self.expect("]")
        else:
            found = NamedTypeNode(name=self.name())
        return NonNullTypeNode(type=found) if self.takes("!") else found

    def selection_set(self) -> SelectionSetNode:
        self.expect("{")
        return self.selections()

    def selections(self) -> SelectionSetNode:
        """Behind the brace that opens them. Most tokens are here, so this is written without calls where it can be."""
        self.enter()
        tokens = self.tokens
        found: list[SelectionNode] = []
        while (word := tokens[self.at]) != "}":
            self.at += 1
            if word[0] not in _NAME_START:
                if word != "...":
                    _unknown()
                found.append(self.fragment())
                continue
            alias = None
            following = tokens[self.at]
            if following == ":":
                self.at += 1
                alias, word = _name(word), self.name().value
                following = tokens[self.at]
            if alias is None and following not in _MORE:
                found.append(_plain_field(word))
                continue
            arguments = directives = below = None
            if following == "(":
                self.at += 1
                arguments = self.many(self.argument, ")")
                following = tokens[self.at]
            if following == "@":
                directives = self.directives(const=False)
                following = tokens[self.at]
            if following == "{":
                self.at += 1
                below = self.selections()
            found.append(
                FieldNode(
                    alias=alias, name=_name(word), arguments=arguments, directives=directives, selection_set=below
                )
            )
        self.at += 1
        self.nesting -= 1
        return SelectionSetNode(selections=tuple(found))

    def fragment(self) -> FragmentSpreadNode | InlineFragmentNode:
        """Behind the dots."""
        word = self.tokens[self.at]
        if word[0] in _NAME_START and word != "on":
            return FragmentSpreadNode(name=self.name(), directives=self.directives(const=False))
        return InlineFragmentNode(
            type_condition=self.type_condition() if word == "on" else None,
            directives=self.directives(const=False),
            selection_set=self.selection_set(),
        )

    def fragment_name(self) -> NameNode:
        if self.tokens[self.at] == "on":
            _unknown()
        return self.name()

    def type_condition(self) -> NamedTypeNode:
        self.expect("on")
        return NamedTypeNode(name=self.name())

    def directives(self, *, const: bool) -> tuple[DirectiveNode, ...] | None:
        found: list[DirectiveNode] = []
        while self.takes("@"):
            name = self.name()
            argument = self.const_argument if const else self.argument
            found.append(DirectiveNode(name=name, arguments=self.many(argument, ")") if self.takes("(") else None))
        return tuple(found) or None

    def argument(self) -> ArgumentNode:
        name = self.name()
        self.expect(":")
        return ArgumentNode(name=name, value=self.value(const=False))

    def const_argument(self) -> ArgumentNode:
        name = self.name()
        self.expect(":")
        return ArgumentNode(name=name, value=self.value(const=True))

    def value(self, *, const: bool) -> ValueNode:
        word = self.tokens[self.at]
        self.at += 1
        first = word[0]
        if first in _NAME_START:
            match word:
                case "true" | "false":
                    return BooleanValueNode(value=word == "true")
                case "null":
                    return NullValueNode()
            return EnumValueNode(value=word)
        if first == "$" and not const:
            return VariableNode(name=self.name())
        if first == '"' and len(word) > 1:
            return StringValueNode(value=word[1:-1], block=False)
        if first == "[":
            self.enter()
            values: list[ValueNode] = []
            while not self.takes("]"):
                values.append(self.value(const=const))
            self.nesting -= 1
            return ListValueNode(values=tuple(values))
        if first == "{":
            self.enter()
            fields: list[ObjectFieldNode] = []
            while not self.takes("}"):
                name = self.name()
                self.expect(":")
                fields.append(ObjectFieldNode(name=name, value=self.value(const=const)))
            self.nesting -= 1
            return ObjectValueNode(fields=tuple(fields))
        number = _NUMBER.fullmatch(word)
        if number is None:
            _unknown()
        return IntValueNode(value=word) if number.lastindex is None else FloatValueNode(value=word)

    def name(self) -> NameNode:
        token = self.tokens[self.at]
        if token[0] not in _NAME_START:
            _unknown()
        self.at += 1
        return _name(token)

    def many(self, item: Callable[[], T], end: str) -> tuple[T, ...]:
        """One at least, and what ends them."""
        found = [item()]
        while not self.takes(end):
            found.append(item())
        return tuple(found)

    def takes(self, token: str) -> bool:
        if self.tokens[self.at] != token:
            return False
        self.at += 1
        return True

    def expect(self, token: str) -> None:
        if self.tokens[self.at] != token:
            _unknown()
        self.at += 1

    def enter(self) -> None:
        self.nesting += 1
        if self.nesting > NESTING_MAX:
            _unknown()


def _name(token: str) -> NameNode:
    return _plain_field(token).name


def _plain_field(token: str) -> FieldNode:
    # Who makes names up shall not fill the memory with long ones.
    return _kept_field(token) if len(token) <= KEPT_CHARACTERS_MAX else FieldNode(name=NameNode(value=token))


@lru_cache(maxsize=4096)
def _kept_field(token: str) -> FieldNode:
    return FieldNode(name=NameNode(value=token))


def _unknown() -> NoReturn:
    raise _Unknown
