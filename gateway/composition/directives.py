"""Which directive definitions the supergraph keeps: executable ones all subgraphs share, and those ``@composeDirective`` names."""

from __future__ import annotations

from collections.abc import Sequence

from graphql import DirectiveDefinitionNode, DirectiveLocation, print_ast

from gateway.composition.findings import across, in_subgraph
from gateway.composition.links import Link
from gateway.composition.merged import Merged, MergedDirective
from gateway.composition.result import Hint
from gateway.composition.subgraph import Subgraph, string_argument
from gateway.composition.vocabulary import SPECS
from gateway.errors import CompositionError

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
BUILT_IN = {"skip", "include", "deprecated", "specifiedBy", "oneOf", "defer", "stream"}


def composed(merged: Merged) -> tuple[list[MergedDirective], list[CompositionError]]:
    """The directives ``@composeDirective`` carries to the supergraph, and what is wrong with such requests.

    A directive is known by its specification, not by its name: subgraphs that compose the same one must agree on the major
    version and on the local name, and no other specification may claim that name.
    """
    errors: list[CompositionError] = []
    requests: dict[tuple[str, str], list[tuple[Subgraph, Link, str]]] = {}
    for subgraph in merged.subgraphs:
        for directive in subgraph.applied(subgraph.schema_node, "composeDirective"):
            asked = string_argument(directive, "name") or ""
            link = next((link for link in subgraph.links if link.element_of(asked.removeprefix("@"))), None)
            problem = _request_problem(subgraph, asked, link)
            if problem is not None:
                errors.append(in_subgraph(subgraph, "DIRECTIVE_COMPOSITION_ERROR", asked, problem))
            elif link is not None and not link.identity.startswith(SPECS) and asked[1:] not in BUILT_IN:
                element = link.element_of(asked[1:])
                assert element is not None
                requests.setdefault((link.identity, element), []).append((subgraph, link, asked[1:]))
    names: dict[str, str] = {}
    majors: dict[str, set[int]] = {}
    for (identity, element), asking in requests.items():
        subgraphs = [subgraph for subgraph, _, _ in asking]
        majors.setdefault(identity, set()).update(link.version[0] for _, link, _ in asking)
        if len({local for _, _, local in asking}) > 1:
            errors.append(
                across(
                    subgraphs,
                    "DIRECTIVE_COMPOSITION_ERROR",
                    f"@{element}",
                    "is composed under different names: use one",
                )
            )
        elif not _locations(asking):
            text = "is defined with locations that have none in common: use the same definition in every subgraph"
            errors.append(across(subgraphs, "DIRECTIVE_COMPOSITION_ERROR", f"@{element}", text))
        for local in sorted({local for _, _, local in asking}):
            if names.setdefault(local, identity) != identity:
                text = f'comes from "{names[local]}" and from "{identity}": rename one of them on import'
                errors.append(across(subgraphs, "DIRECTIVE_COMPOSITION_ERROR", f"@{local}", text))
    for identity, versions in majors.items():
        if len(versions) > 1:
            listed = " and ".join(f"v{major}" for major in sorted(versions))
            text = f'the composed specification "{identity}" is linked in {listed}: link one major version'
            errors.append(CompositionError("DIRECTIVE_COMPOSITION_ERROR", text))
    return ([] if errors else [_carried(element, asking) for (_, element), asking in requests.items()]), errors


def _locations(asking: Sequence[tuple[Subgraph, Link, str]]) -> set[str]:
    """The locations every subgraph allows."""
    found = [other.schema.get_directive(name) for other, _, name in asking]
    return set.intersection(*({location.name for location in d.locations} for d in found if d is not None))


def _request_problem(subgraph: Subgraph, asked: str, link: Link | None) -> str | None:
    if not asked.startswith("@"):
        return f'@composeDirective(name: "{asked}") must begin with "@"'
    if subgraph.schema.get_directive(asked[1:]) is None:
        return "@composeDirective names a directive this subgraph does not define: define it, or correct the name"
    if link is None:
        return "@composeDirective needs a directive of a linked specification: @link one that imports it"
    if link.identity.startswith(SPECS) and link.element_of(asked[1:]) not in ("tag", "inaccessible"):
        return "@composeDirective cannot carry federation's own directives: remove it"
    return None


def _carried(element: str, asking: Sequence[tuple[Subgraph, Link, str]]) -> MergedDirective:
    """The definition of the newest version asked for; locations any of the subgraphs allows."""
    subgraph, link, local = max(asking, key=lambda request: request[1].version)
    found = subgraph.schema.get_directive(local)
    assert found is not None
    assert found.ast_node is not None
    locations = sorted(
        {
            location.name
            for other, _, name in asking
            if (directive := other.schema.get_directive(name)) is not None
            for location in directive.locations
        }
    )
    arguments = ", ".join(sorted(print_ast(argument) for argument in found.ast_node.arguments or ()))
    inputs = f"({arguments})" if arguments else ""
    imported = f'"@{element}"' if element == local else f'{{name: "@{element}", as: "@{local}"}}'
    return MergedDirective(
        name=local,
        definition=f"directive @{local}{inputs}{' repeatable' if found.is_repeatable else ''} on {' | '.join(locations)}",
        link=link,
        imported=imported,
        composed_from={other.name: name for other, _, name in asking},
        repeatable=found.is_repeatable,
    )


def merge_directives(merged: Merged) -> None:
    """Both kinds; a composed directive wins over an executable one of the same name."""
    _merge_executable(merged)
    merged.directives.update((directive.name, directive) for directive in composed(merged)[0])


def _merge_executable(merged: Merged) -> None:
    """Executable directives: the intersection of definitions, of their locations and of their arguments."""
    names = sorted({d.name for subgraph in merged.subgraphs for d in subgraph.schema.directives} - BUILT_IN)
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
