"""The federation gateway: composes subgraphs into one supergraph, plans every operation, executes the plans.

Files are notes (data and pure functions on it); folders are rooms (they do work). Imports point down:
``__main__ > serving | agents > pipeline > composition | planning | execution > query_graph > notes``.
"""
