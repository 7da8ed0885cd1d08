"""What goes into composition and what comes out. Plain notes; no logic."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.errors import CompositionError


@dataclass(frozen=True, slots=True)
class SubgraphSource:
    """One subgraph as its owner publishes it: ``url`` is where the gateway will send its requests."""

    name: str
    url: str
    sdl: str


@dataclass(frozen=True, slots=True)
class Hint:
    """Advice that does not stop composition; ``code`` is the published hint code."""

    code: str
    message: str
    coordinate: str | None = None


@dataclass(frozen=True, slots=True)
class CompositionResult:
    """Either a supergraph with its API schema, or every error found; ``hints`` in both cases."""

    supergraph: str | None
    api: str | None
    errors: tuple[CompositionError, ...]
    hints: tuple[Hint, ...]

    @property
    def ok(self) -> bool:
        return not self.errors
