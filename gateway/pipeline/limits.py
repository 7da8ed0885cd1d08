"""How large an operation may be, counted on the document before validation and planning spend time on it.

Fragments are counted where they are spread, without spreading them: each definition is measured once, so a document
whose fragments double at every level costs no more to refuse than to read. What does not belong here: the body's size
(serving) and the number of tokens (the parser, in ``documents``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

from graphql import (
    DocumentNode,
    ExecutableDefinitionNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
)

from gateway.config import Limits
from gateway.errors import LimitExceeded

_Counts: TypeAlias = tuple[int, int, int, int]
"""A ``Size`` while it is counted, for it is made for every selection set: depth, aliases, fields, selections."""
_NOTHING: Final[_Counts] = (0, 0, 0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """What one selection set amounts to, fragments followed. ``fields`` are those of its own level."""

    depth: int
    aliases: int
    fields: int
    selections: int


def measure(document: DocumentNode, operation: OperationDefinitionNode) -> Size:
    """The operation's size. A fragment that is unknown or spreads itself counts nothing: validation refuses it."""
    fragments = {
        definition.name.value: definition
        for definition in document.definitions
        if isinstance(definition, FragmentDefinitionNode)
    }
    sizes: dict[str, _Counts] = {}

    def of_fragment(name: str) -> _Counts:
        if name not in sizes:
            sizes[name] = _NOTHING  # stands while the fragment is measured, so that a cycle ends
            if name in fragments:
                sizes[name] = of_selections(fragments[name].selection_set)
        return sizes[name]

    def of_selections(selection_set: SelectionSetNode) -> _Counts:
        depth = aliases = fields = selections = 0
        for node in selection_set.selections:
            if isinstance(node, FieldNode):
                fields += 1
                selections += 1
                if node.alias is not None:
                    aliases += 1
                below = of_selections(node.selection_set) if node.selection_set else _NOTHING
                own_depth = 1 + below[0]
            else:
                if isinstance(node, FragmentSpreadNode):
                    below = of_fragment(node.name.value)
                else:
                    assert isinstance(node, InlineFragmentNode)
                    below = of_selections(node.selection_set)
                own_depth = below[0]
                fields += below[2]
            if own_depth > depth:
                depth = own_depth
            aliases += below[1]
            selections += below[3]
        return depth, aliases, fields, selections

    depth, aliases, fields, selections = of_selections(operation.selection_set)
    return Size(depth=depth, aliases=aliases, fields=fields, selections=selections)


def enforce(document: DocumentNode, limits: Limits) -> None:
    """Raises LimitExceeded for the first limit that any operation of the document passes."""
    directives = _directives(document)
    if directives > limits.directives_max:
        raise _exceeded("MAX_DIRECTIVES_EXCEEDED", "directives", directives, limits.directives_max)
    for definition in document.definitions:
        if isinstance(definition, OperationDefinitionNode):
            size = measure(document, definition)
            for code, what, value, maximum in (
                ("MAX_DEPTH_EXCEEDED", "levels of fields", size.depth, limits.depth_max),
                ("MAX_ROOT_FIELDS_EXCEEDED", "root fields", size.fields, limits.root_fields_max),
                ("MAX_ALIASES_EXCEEDED", "aliases", size.aliases, limits.aliases_max),
                ("MAX_SELECTIONS_EXCEEDED", "selected fields", size.selections, limits.selections_max),
            ):
                if value > maximum:
                    raise _exceeded(code, what, value, maximum)


def _directives(document: DocumentNode) -> int:
    count = 0
    waiting: list[SelectionSetNode] = []
    for definition in document.definitions:
        count += len(getattr(definition, "directives", None) or ())
        if isinstance(definition, ExecutableDefinitionNode):
            count += sum([len(each.directives or ()) for each in definition.variable_definitions or ()])
            waiting.append(definition.selection_set)
    for selection_set in waiting:
        for node in selection_set.selections:
            if node.directives:
                count += len(node.directives)
            if isinstance(node, FieldNode | InlineFragmentNode) and node.selection_set:
                # The list grows while it is walked.
                waiting.append(node.selection_set)
    return count


def _exceeded(code: str, what: str, value: int, maximum: int) -> LimitExceeded:
    # Doubling fragments reach numbers of hundreds of digits; nobody needs to read them.
    shown = str(value) if value < 10**9 else "more than 1000000000"
    return LimitExceeded(code, f"The document has {shown} {what}; at most {maximum} are allowed.")
