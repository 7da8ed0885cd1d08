"""Which directive definitions the supergraph keeps: executable ones all subgraphs share, and those ``@composeDirective`` names."""

from __future__ import annotations

from graphql import DirectiveDefinitionNode, DirectiveLocation, print_ast

from gateway.composition.merged import Merged, MergedDirective
from gateway.composition.result import Hint

_EXECUTABLE = {
    DirectiveLocation.QUERY,
    DirectiveLocation.MUTATION,
    DirectiveLocation.SUBSCRIPTION,
    DirectiveLocation.FIELD,
    DirectiveLocation.FRAGMENT_DEFINITION,
    DirectiveLocation.FRAGMENT_SPREAD,
    DirectiveLocation.INLINE_FRAGMENT,
    DirectiveLocation.VARIABLE_DEFINITION,
}
_BUILT_IN = {"skip", "include", "deprecated", "specifiedBy", "oneOf", "defer", "stream"}


def merge_directives(merged: Merged) -> None:
    """Executable directives: the intersection of definitions, of their locations and of their arguments."""
    names = sorted({d.name for subgraph in merged.subgraphs for d in subgraph.schema.directives} - _BUILT_IN)
    for name in names:
        definitions: list[DirectiveDefinitionNode] = []
        somewhere = False
        for subgraph in merged.subgraphs:
            directive = subgraph.schema.get_directive(name)
            if directive is None or directive.ast_node is None:
                continue
            if any(location in _EXECUTABLE for location in directive.locations):
                somewhere = True
                definitions.append(directive.ast_node)
        if not somewhere:
            continue
        if len(definitions) < len(merged.subgraphs):
            merged.hints.append(
                Hint(
                    "INCONSISTENT_EXECUTABLE_DIRECTIVE_PRESENCE",
                    f'directive "@{name}" is left out: not every subgraph defines it',
                    f"@{name}",
                )
            )
            continue
        shared = set.intersection(*({node.value for node in d.locations} for d in definitions))
        locations = sorted(shared & {location.name for location in _EXECUTABLE})
        if not locations:
            merged.hints.append(
                Hint(
                    "NO_EXECUTABLE_DIRECTIVE_INTERSECTION",
                    f'directive "@{name}" is left out: its locations have none in common',
                    f"@{name}",
                )
            )
            continue
        kept = set.intersection(*({argument.name.value for argument in d.arguments or ()} for d in definitions))
        arguments = [print_ast(a) for a in definitions[0].arguments or () if a.name.value in kept]
        repeatable = all(d.repeatable for d in definitions)
        inputs = f"({', '.join(sorted(arguments))})" if arguments else ""
        merged.directives[name] = MergedDirective(
            name=name,
            definition=f"directive @{name}{inputs}{' repeatable' if repeatable else ''} on {' | '.join(locations)}",
            repeatable=repeatable,
        )
