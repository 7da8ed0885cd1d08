"""The query graph: what can be reached from where.

Takes: a ``Supergraph``. Gives: a ``QueryGraph`` of nodes (a type as one subgraph knows it) and moves (follow a field, enter
an entity by key, narrow an abstract type). Never: searches, knows an operation, or does I/O.
Theory: a move that only some visits may make (``@provides``) is not a copied node here but a *view*, a field set that a
visit carries along; two visits with equal views are at the same node.
"""

from gateway.query_graph.build import build
from gateway.query_graph.graph import EntityMove, FieldMove, QueryGraph, Strictness, View

__all__ = ["EntityMove", "FieldMove", "QueryGraph", "Strictness", "View", "build"]
