"""Composition: the subgraphs' SDLs become one supergraph, or every reason why they cannot.

*Takes* ``SubgraphSource`` notes: name, URL and SDL of each subgraph (federation 1 or 2).

*Gives* a ``CompositionResult``: supergraph SDL in the join specification and the API schema, or all ``CompositionError``s with
their published codes; hints either way. The same sources give the same bytes, in whatever order they come.

*Never* reads files or the network, plans, or executes; never stops at the first error; knows nothing of this house's subgraphs.

*Theory*: reading removes spelling (``reading.py`` → ``subgraph.py``), upgrading removes federation 1 (``upgrade.py``), merging is total and
keeps for each element where it came from (``merge.py`` → ``merged.py``), rules judge (``rules``), rendering prints
(``render.py``), and satisfiability proves that every client path can be answered (``satisfiability.py``, which explains itself).
"""

from __future__ import annotations

from gateway.composition.api import api_schema_sdl
from gateway.composition.compose import compose
from gateway.composition.result import CompositionResult, Hint, SubgraphSource

__all__ = ["CompositionResult", "Hint", "SubgraphSource", "api_schema_sdl", "compose"]
