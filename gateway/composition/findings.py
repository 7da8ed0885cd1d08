"""How a finding is worded: subgraph in brackets, then where, what is wrong and the smallest fix. One shape for every rule."""

from __future__ import annotations

from collections.abc import Iterable

from gateway.composition.subgraph import Subgraph
from gateway.errors import CompositionError


def in_subgraph(subgraph: Subgraph, code: str, coordinate: str, text: str) -> CompositionError:
    """A fault of one subgraph by itself."""
    message = f'[{subgraph.name}] "{coordinate}": {text}'
    return CompositionError(code, message, coordinate=coordinate, subgraphs=(subgraph.name,))


def across(subgraphs: Iterable[Subgraph], code: str, coordinate: str, text: str) -> CompositionError:
    """A fault that shows only when subgraphs are put together."""
    names = tuple(dict.fromkeys(subgraph.name for subgraph in subgraphs))
    return CompositionError(code, f'"{coordinate}": {text}', coordinate=coordinate, subgraphs=names)
