"""The query graph as Mermaid text, for people. Nothing reads it back."""

from __future__ import annotations

from gateway.query_graph.graph import QueryGraph
from gateway.selection import print_field_set


def describe(graph: QueryGraph, type_name: str) -> str:
    """How one type hangs together: a node a subgraph that knows it, an edge a way in, fields listed in the node."""
    lines = ["flowchart LR"]
    for subgraph in graph.subgraphs:
        known = graph.fields[subgraph].get(type_name)
        if known is None:
            continue
        names = []
        for move in known.values():
            note = " (external)" if move.external else ""
            note += f" (requires {print_field_set(move.requires)})" if move.requires else ""
            names.append(f"{move.name}: {move.type.text}{note}")
        label = "<br/>".join([f"<b>{type_name} in {subgraph}</b>", *names]).replace('"', "'")
        lines.append(f'  {subgraph}["{label}"]')
    for subgraph, ways in graph.entries.get(type_name, {}).items():
        for way in dict.fromkeys((way.typename, print_field_set(way.key)) for way in ways):
            text = f"{way[0]} {{ {way[1]} }}".replace('"', "'")
            lines.append(f'  anywhere(("anywhere")) -- "{text}" --> {subgraph}')
    return "\n".join(lines) + "\n"
