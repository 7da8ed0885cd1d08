"""Several subgraphs' applications of one directive to one element, combined into what the supergraph says.

The strategies are the table ``Carry`` of ``vocabulary.py``; authorization is joined by AND so that composing never weakens it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import product

from graphql import DirectiveNode, InputObjectTypeDefinitionNode, ListValueNode, StringValueNode, print_ast
from graphql.language import Node
from graphql.language.print_string import print_string

from gateway.composition.merged import FieldSource, Kind, Merged, MergedField, MergedType
from gateway.composition.subgraph import Subgraph, integer_argument, string_argument, string_list_argument
from gateway.composition.vocabulary import AUTHORIZATION, DIRECTIVES, FEATURES, Carry, Feature

Sources = Sequence[tuple[Subgraph, Node | None]]
Alternatives = frozenset[frozenset[str]]
"""A condition in disjunctive form: one of the outer alternatives must hold, each needing all of its inner names."""


class Applications:
    """Combines applications for one merged graph and remembers which features the supergraph must therefore link."""

    def __init__(self, merged: Merged) -> None:
        self.merged = merged
        self.used: set[str] = set()
        """Names of the directive words applied so far."""

    @cached_property
    def names(self) -> dict[str, str]:
        """Each carried directive's name in the supergraph: its own, unless every subgraph that imports it agrees on another."""
        return {
            word: next(iter(found)) if len(found := imported_names(self.merged, word)) == 1 else word
            for word in DIRECTIVES
        }

    def features(self) -> list[Feature]:
        """The features to link, by name."""
        wanted = {DIRECTIVES[word].feature for word in self.used}
        return [feature for name, feature in sorted(FEATURES.items()) if name in wanted]

    def on(self, sources: Sources, *, protection: Sequence[Sources] = ()) -> list[str]:
        """The directives of one element, as text.

        ``protection`` names further elements whose authorization this one takes on: an interface's implementations.
        """
        texts: list[str] = []
        for word, definition in sorted(DIRECTIVES.items()):
            if definition.carry is None:
                continue
            contributing = [*sources, *(pair for others in protection for pair in others if word in AUTHORIZATION)]
            applied = [d for subgraph, node in contributing for d in subgraph.applied(node, word)]
            if not applied:
                continue
            self.used.add(word)
            name = self.names[word]
            match definition.carry:
                case Carry.ONCE:
                    texts.append(f"@{name}")
                case Carry.UNION if word == "context":
                    values = sorted(
                        {
                            f"{s.name}__{string_argument(d, 'name')}"
                            for s, node in contributing
                            for d in s.applied(node, word)
                        }
                    )
                    texts += [f"@{name}(name: {print_string(value)})" for value in values]
                case Carry.UNION:
                    texts += sorted({f"@{name}{_arguments(directive)}" for directive in applied})
                case Carry.CONJUNCTION:
                    argument = "scopes" if word == "requiresScopes" else "policies"
                    texts.append(
                        f"@{name}({argument}: {_print(conjunction(alternatives(d, argument) for d in applied))})"
                    )
                case Carry.MAXIMUM:
                    texts.append(f"@{name}(weight: {max(integer_argument(d, 'weight') or 0 for d in applied)})")
                case Carry.WIDEST:
                    texts.append(f"@{name}{_widest_list_size(applied)}")
        for name in ("deprecated", "specifiedBy", "oneOf"):
            texts += self._most_used(name, sources)
        for name, directive in self.merged.directives.items():
            if not directive.composed_from:
                continue
            found = {
                f"@{name}{_arguments(applied)}": None
                for subgraph, node in sources
                for applied in getattr(node, "directives", None) or ()
                if directive.composed_from.get(subgraph.name) == applied.name.value
            }
            texts += sorted(found) if directive.repeatable else sorted(found)[:1]
        return texts

    def _most_used(self, name: str, sources: Sources) -> list[str]:
        counts: dict[str, int] = {}
        for _, node in sources:
            for directive in getattr(node, "directives", None) or ():
                if directive.name.value == name and (
                    name != "oneOf" or isinstance(node, InputObjectTypeDefinitionNode)
                ):
                    text = f"@{name}{_arguments(directive)}"
                    counts[text] = counts.get(text, 0) + 1
        return [max(counts, key=lambda text: counts[text])] if counts else []

    def type_condition(self, word: str, merged_type: MergedType) -> Alternatives:
        """What ``word`` demands of whoever reads this type; empty when nothing."""
        return self._condition(word, [type_sources(merged_type), *self.protection_of_type(merged_type)])

    def field_condition(self, word: str, holder: MergedType, field: MergedField) -> Alternatives:
        return self._condition(word, [field_sources(field.sources), *self.protection_of_field(holder, field)])

    def _condition(self, word: str, elements: Sequence[Sources]) -> Alternatives:
        applied = [d for sources in elements for subgraph, node in sources for d in subgraph.applied(node, word)]
        if not applied:
            return frozenset()
        if word == "authenticated":
            return frozenset({frozenset({word})})
        argument = "scopes" if word == "requiresScopes" else "policies"
        return conjunction(alternatives(directive, argument) for directive in applied)

    def protection_of_type(self, merged_type: MergedType) -> list[Sources]:
        """For an interface, the implementations' applications, whose conditions it must carry too."""
        if merged_type.kind is not Kind.INTERFACE:
            return []
        return [type_sources(holder) for holder in self._implementations(merged_type)]

    def protection_of_field(self, merged_type: MergedType, field: MergedField) -> list[Sources]:
        if merged_type.kind is not Kind.INTERFACE:
            return []
        holders = self._implementations(merged_type)
        return [field_sources(holder.fields[field.name].sources) for holder in holders if field.name in holder.fields]

    def _implementations(self, interface: MergedType) -> Iterator[MergedType]:
        return (holder for holder in self.merged.types.values() if interface.name in holder.interfaces)


def imported_names(merged: Merged, word: str) -> set[str]:
    """The names under which subgraphs import the directive ``word``."""
    element = f"@{word}"
    return {
        link.imports[element].removeprefix("@") for s in merged.subgraphs for link in s.links if element in link.imports
    }


def type_sources(merged_type: MergedType) -> Sources:
    return [(subgraph, found.ast_node) for subgraph, found in merged_type.sources]


def field_sources(sources: Iterable[FieldSource]) -> Sources:
    """External declarations say nothing about a field; the others do, overridden or not."""
    return [(source.subgraph, source.node) for source in sources if not source.external]


def alternatives(directive: DirectiveNode, argument: str) -> Alternatives:
    """The scopes or policies of one application."""
    for node in directive.arguments or ():
        if node.name.value == argument and isinstance(node.value, ListValueNode):
            return frozenset(
                frozenset(name.value for name in inner.values if isinstance(name, StringValueNode))
                for inner in node.value.values
                if isinstance(inner, ListValueNode)
            )
    return frozenset()


def conjunction(conditions: Iterable[Alternatives]) -> Alternatives:
    """All of the conditions together, again in disjunctive form, without alternatives that ask for more than another does."""
    distinct = sorted(set(conditions), key=_sort_key)
    joined = {frozenset().union(*choice) for choice in product(*distinct)} if distinct else set()
    return frozenset(one for one in joined if not any(other < one for other in joined))


def _sort_key(condition: Alternatives) -> list[list[str]]:
    return sorted(sorted(inner) for inner in condition)


def _print(condition: Alternatives) -> str:
    inner = (f"[{', '.join(print_string(name) for name in names)}]" for names in _sort_key(condition))
    return f"[{', '.join(inner)}]"


def _arguments(directive: DirectiveNode) -> str:
    arguments = sorted(directive.arguments or (), key=lambda argument: argument.name.value)
    return f"({', '.join(print_ast(argument) for argument in arguments)})" if arguments else ""


def _widest_list_size(applied: Sequence[DirectiveNode]) -> str:
    arguments: list[str] = []
    sizes = [size for d in applied if (size := integer_argument(d, "assumedSize")) is not None]
    if sizes:
        arguments.append(f"assumedSize: {max(sizes)}")
    for name in ("slicingArguments", "sizedFields"):
        lists = [values for d in applied if (values := string_list_argument(d, name)) is not None]
        if lists:
            values = sorted({value for found in lists for value in found})
            arguments.append(f"{name}: [{', '.join(print_string(value) for value in values)}]")
    for directive in applied:
        for argument in directive.arguments or ():
            if argument.name.value == "requireOneSlicingArgument" and print_ast(argument.value) == "false":
                arguments.append("requireOneSlicingArgument: false")
                return f"({', '.join(arguments)})"
    return f"({', '.join(arguments)})" if arguments else ""
