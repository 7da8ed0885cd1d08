"""Input objects that are built once a request, however many fields are given the same variable.

A gateway asks for a hundred entities in one request, each with the same ``$where``. The library would turn that one value
into a hundred equal objects, which was a quarter of what such a request cost.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING
from typing import Any, TypeVar

from strawberry.types.arguments import InputContext
from strawberry.types.base import StrawberryObjectDefinition

T = TypeVar("T", bound=type)


def built_once(input_type: T) -> T:
    """Decorates a ``strawberry.input``. Who is given such an object does not change it."""
    definition: StrawberryObjectDefinition = input_type.__strawberry_definition__  # type: ignore[attr-defined]
    definition.from_input = _known
    return input_type


def _known(input_type: type, value: Mapping[str, Any], context: InputContext) -> Any:
    if context.info is None:
        return _built(input_type, value, context)
    return context.info.context.once(input_type, value, lambda: _built(input_type, value, context))


def _built(input_type: type, value: Mapping[str, Any], context: InputContext) -> Any:
    """As the library builds it: what is left out and has no default is None."""
    definition: StrawberryObjectDefinition = input_type.__strawberry_definition__  # type: ignore[attr-defined]
    given: dict[str, Any] = {}
    for field in definition.fields:
        name = context.config.name_converter.from_field(field)
        if name in value:
            given[field.python_name] = context.convert(
                value[name], field.resolve_type(type_definition=definition), name
            )
        elif field.default_value is MISSING and field.default_factory is MISSING:
            given[field.python_name] = None
    return input_type(**given)
