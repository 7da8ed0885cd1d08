"""Where the client sees a place of the merged tree, so that an error can be told there. No I/O, no plan.

What belongs here: paths. What does not: values (``nodes``), and which errors there are (``trouble``).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gateway.execution.errors import ResponsePath
from gateway.execution.nodes import AbstractNode, ListNode, Node, ObjectNode


def client_paths(node: Node, value: Any, path: ResponsePath) -> list[ResponsePath]:
    """Where the client sees a place of the merged tree: its canonical keys as response keys, once for every alias.

    Where the client selected it nowhere (a key or a required field that the planner added), what leads there: the
    longest path it did select. Nothing where the client selected it for objects of other types alone: the subgraph was
    asked for it because it does not know them apart.
    """
    return list(dict.fromkeys(_client_paths(node, value, path, ())))


def _selected(node: Node | None, path: ResponsePath) -> bool:
    """Whether a place of the merged tree is selected whole, for objects of some types at least."""
    if isinstance(node, ListNode):
        return _selected(node.item, path[1:] if path and isinstance(path[0], int) else path)
    if not path:
        return node is not None
    if isinstance(node, AbstractNode):
        return any(_selected(each, path) for each in node.nodes())
    if isinstance(node, ObjectNode):
        return any(key == path[0] and _selected(below, path[1:]) for _, key, below, _, _ in node.fields)
    return False


def _client_paths(node: Node, value: Any, path: ResponsePath, so_far: ResponsePath) -> Iterator[ResponsePath]:
    if not path:
        yield so_far
        return
    step, rest = path[0], path[1:]
    if isinstance(node, AbstractNode):
        # What is null has no type: the error that nulled it is told at the field that the client selected.
        chosen = node.node(value) if value.__class__ is dict else node.selecting(step)
        if chosen is None:
            yield so_far
            return
        if value.__class__ is dict and not _selected(chosen, path):
            if not chosen.selects(step) and node.selecting(step) is not None:
                return
            if any(_selected(each, path) for each in node.nodes()):
                return
        node = chosen
    if isinstance(node, ListNode) and isinstance(step, int):
        if value.__class__ is list and not 0 <= step < len(value):
            yield so_far
            return
        inside = value[step] if value.__class__ is list else None
        yield from _client_paths(node.item, inside, rest, (*so_far, step))
        return
    selected = False
    if isinstance(node, ObjectNode):
        inside = value.get(step) if value.__class__ is dict else None
        for response_key, key, below, _, _ in node.fields:
            if key == step and below is not None:
                selected = True
                yield from _client_paths(below, inside, rest, (*so_far, response_key))
    if not selected:
        yield so_far
