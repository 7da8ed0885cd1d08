"""What generated functions call: nothing of this knows a plan."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

from gateway.execution.representations import copy_fields
from gateway.plan import RequiredField


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


def fill(of: Struct, answer: Struct) -> None:
    """Give an object what an entity's answer has."""
    for name in answer.__struct_fields__:
        setattr(of, name, getattr(answer, name))


def shape_any(of: Any, shapes: Mapping[type, Callable[[Any], Any]]) -> Any:
    """An object of one of several types, as the client sees it."""
    shape = shapes.get(of.__class__)
    return of if shape is None else shape(of)
