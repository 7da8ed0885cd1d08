"""Composing small subgraphs in tests: federation 2 is linked unless a subgraph says otherwise."""

from __future__ import annotations

from gateway.composition import CompositionResult, SubgraphSource, compose

IMPORTS = [
    "@key",
    "@requires",
    "@provides",
    "@external",
    "@shareable",
    "@override",
    "@inaccessible",
    "@tag",
    "@interfaceObject",
    "@extends",
    "@composeDirective",
    "@authenticated",
    "@requiresScopes",
    "@policy",
    "@cost",
    "@listSize",
    "@context",
    "@fromContext",
]


def federation_2(version: str = "v2.9", imports: list[str] | None = None) -> str:
    """The ``extend schema @link`` line."""
    listed = ", ".join(f'"{name}"' for name in (IMPORTS if imports is None else imports))
    return f'extend schema @link(url: "https://specs.apollo.dev/federation/{version}", import: [{listed}])\n'


def composed(**subgraphs: str) -> CompositionResult:
    """Compose federation 2 subgraphs, given by name; one that has its own ``@link`` keeps it."""
    return compose([source(name, sdl if "@link" in sdl else federation_2() + sdl) for name, sdl in subgraphs.items()])


def composed_1(**subgraphs: str) -> CompositionResult:
    """Compose the SDLs exactly as given, so that those without ``@link`` are federation 1."""
    return compose([source(name, sdl) for name, sdl in subgraphs.items()])


def source(name: str, sdl: str) -> SubgraphSource:
    return SubgraphSource(name, f"http://{name}.test/graphql", sdl)


def codes(result: CompositionResult) -> list[str]:
    return sorted({error.published_code for error in result.errors})


def supergraph(result: CompositionResult) -> str:
    assert result.supergraph is not None, [error.message for error in result.errors]
    return result.supergraph


def api(result: CompositionResult) -> str:
    assert result.api is not None, [error.message for error in result.errors]
    return result.api
