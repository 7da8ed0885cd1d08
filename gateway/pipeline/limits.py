"""How large an operation may be, counted on the document before validation and planning spend time on it.

Fragments are counted where they are spread, without spreading them: each definition is measured once, so a document
whose fragments double at every level costs no more to refuse than to read. What does not belong here: the body's size
(serving) and the number of tokens (the parser, in ``documents``).
"""

from __future__ import annotations

from dataclasses import dataclass

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
)

from gateway.config import Limits
from gateway.errors import LimitExceeded


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """What one selection set amounts to, fragments followed. ``fields`` are those of its own level."""

    depth: int = 0
    aliases: int = 0
    fields: int = 0
    selections: int = 0


def measure(document: DocumentNode, operation: OperationDefinitionNode) -> Size:
    """The operation's size. A fragment that is unknown or spreads itself counts nothing: validation refuses it."""
    fragments = {
        definition.name.value: definition
        for definition in document.definitions
        if isinstance(definition, FragmentDefinitionNode)
    }
    sizes: dict[str, Size] = {}

    def of_fragment(name: str) -> Size:
        if name not in sizes:
            sizes[name] = Size()  # stands while the fragment is measured, so that a cycle ends
            if name in fragments:
                sizes[name] = of_selections(fragments[name].selection_set)
        return sizes[name]

    def of_selections(selection_set: SelectionSetNode) -> Size:
        depth = aliases = fields = selections = 0
        for selection in selection_set.selections:
            match selection:
                case FieldNode():
                    below = of_selections(selection.selection_set) if selection.selection_set else Size()
                    own_depth = 1 + below.depth
                    aliases += selection.alias is not None
                    fields += 1
                    selections += 1
                case FragmentSpreadNode():
                    below = of_fragment(selection.name.value)
                    own_depth = below.depth
                    fields += below.fields
                case InlineFragmentNode():
                    below = of_selections(selection.selection_set)
                    own_depth = below.depth
                    fields += below.fields
                case _:
                    raise AssertionError(selection)
            depth = max(depth, own_depth)
            aliases += below.aliases
            selections += below.selections
        return Size(depth=depth, aliases=aliases, fields=fields, selections=selections)

    return of_selections(operation.selection_set)


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
    waiting: list[object] = list(document.definitions)
    while waiting:
        node = waiting.pop()
        count += len(getattr(node, "directives", None) or ())
        selection_set = getattr(node, "selection_set", None)
        if isinstance(selection_set, SelectionSetNode):
            waiting.extend(selection_set.selections)
        waiting.extend(getattr(node, "variable_definitions", None) or ())
    return count


def _exceeded(code: str, what: str, value: int, maximum: int) -> LimitExceeded:
    # Doubling fragments reach numbers of hundreds of digits; nobody needs to read them.
    shown = str(value) if value < 10**9 else "more than 1000000000"
    return LimitExceeded(code, f"The document has {shown} {what}; at most {maximum} are allowed.")
