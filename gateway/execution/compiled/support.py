"""What generated functions call: nothing of this knows a plan."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import UNSET

from gateway.execution.representations import copy_fields, merged
from gateway.plan import RequiredField

__all__ = ["Astray", "copied", "is_alone", "join", "merged", "on_one_line", "shape_any"]


class Astray(Exception):
    """Something is not as it is when nothing is wrong."""


def copied(value: Any, fields: tuple[RequiredField, ...]) -> Any:
    """What is required of a value that the client does not see, as JSON has it. Raises Astray where it is not there."""
    if value.__class__ is list:
        return [copied(each, fields) for each in value]
    if value.__class__ is not dict:
        return value
    found: dict[str, Any] = {}
    if not copy_fields(value, fields, found):
        raise Astray("something required is not there")
    return found


def join(known: Any, given: Any, adds: Mapping[tuple[type, type], Callable[[Any, Any], None]]) -> None:
    """Add what a fetch tells of objects that another one brought, by the classes of both. Raises Astray where the two do
    not tell of the same objects."""
    if known is None and given is None:
        return
    if known.__class__ is list and given.__class__ is list and len(known) == len(given):
        for one, other in zip(known, given, strict=True):
            join(one, other, adds)
        return
    add = adds.get((known.__class__, given.__class__))
    if add is None:
        raise Astray("two fetches do not tell of the same objects")
    add(known, given)


def on_one_line(reply: bytes) -> bool:
    return b"\n" not in reply and b"\r" not in reply


def is_alone(answered: Any) -> bool:
    """Whether a subgraph's response is its ``data`` and nothing else."""
    return answered.errors is UNSET and answered.extensions is UNSET


def shape_any(of: Any, shapes: Mapping[type, Callable[[Any], Any]]) -> Any:
    """An object of one of several types, as the client sees it."""
    shape = shapes.get(of.__class__)
    return of if shape is None else shape(of)
