"""The merged tree: find the objects of a path, build their representations once each, put the answers back, merge.

Theory of operation
-------------------
The tree is plain dicts and lists under canonical keys, as the JSON came. ``Entities.gather`` walks to the objects of a
path level by level and builds for each the representation of its runtime type. Equal representations are sent once:
``Gathered.slots`` has, in the order they are sent, the objects that wait for the answer. Equal objects may then share
one answer by reference; what is merged into it later is true of all of them, since they are one entity.

Merging only ever adds. Objects merge by key, lists item by item, a null gives way to a value and never the other way
round, and a value that is there stays: in particular ``__typename``, which an ``@interfaceObject`` would tell wrongly.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from gateway.exchange import encode
from gateway.execution.errors import ResponsePath
from gateway.plan import EACH, EntityInput, Path, Rename, RequiredField, TypeFilter

Object: TypeAlias = dict[str, Any]
_MISSING: Final = object()


@dataclass(slots=True)
class Gathered:
    """What one ``_entities`` selection sends, and who waits for each answer."""

    representations: list[Object]
    slots: list[list[Object]]


class Entities:
    """One ``EntityInput``, ready to gather."""

    __slots__ = ("_specifications", "alias", "path", "variable")

    def __init__(self, given: EntityInput) -> None:
        self.path = given.path
        self.variable = given.variable
        self.alias = given.alias
        self._specifications = [
            (frozenset(each.runtime_types), each, _is_flat(each.fields)) for each in given.representations
        ]

    def gather(self, tree: Object) -> Gathered:
        """The representations of all objects at the path that have what theirs needs, each once."""
        gathered = Gathered([], [])
        index: dict[bytes, int] = {}
        for each in objects_at(tree, self.path):
            representation = self._representation(each)
            if representation is None:
                continue
            # The JSON is the identity: to a dict, 1 and true would be the same key.
            identity = encode(representation)
            at = index.get(identity)
            if at is None:
                index[identity] = len(gathered.slots)
                gathered.representations.append(representation)
                gathered.slots.append([each])
            else:
                gathered.slots[at].append(each)
        return gathered

    def _representation(self, of: Object) -> Object | None:
        typename = of.get("__typename")
        for types, specification, flat in self._specifications:
            if types and typename not in types:
                continue
            built: Object = {"__typename": specification.typename}
            if not flat:
                return built if _copy_fields(of, specification.fields, built) else None
            for field in specification.fields:
                value = of.get(field.key, _MISSING)
                if value is _MISSING or (value is None and not field.nullable):
                    return None
                built[field.name] = value
            return built
        return None


def _is_flat(fields: tuple[RequiredField, ...]) -> bool:
    return not any(field.fields or field.only_types for field in fields)


def _copy_fields(source: Object, fields: tuple[RequiredField, ...], into: Object) -> bool:
    """Copies what is required; False where something is not to be had, so that nothing must be sent."""
    for field in fields:
        if field.only_types and source.get("__typename") not in field.only_types:
            continue
        value = source.get(field.key, _MISSING)
        if value is _MISSING or (value is None and not field.nullable):
            return False
        copied = _copied(value, field.fields) if field.fields else value
        if copied is _MISSING:
            return False
        # Fragments of one field set may each ask for a part of the same object.
        into[field.name] = merged(into.get(field.name), copied)
    return True


def _copied(value: Any, fields: tuple[RequiredField, ...]) -> Any:
    if value.__class__ is list:
        items = [_copied(each, fields) for each in value]
        return _MISSING if any(each is _MISSING for each in items) else items
    if value.__class__ is not dict:
        return value
    copied: Object = {}
    return copied if _copy_fields(value, fields, copied) else _MISSING


def objects_at(tree: Object, path: Path) -> list[Object]:
    """The objects at a path, in document order; nulls and whatever else is no object are left out."""
    current: list[Any] = [tree]
    for segment in path:
        if segment == EACH:
            current = [item for each in current if each.__class__ is list for item in each]
        elif isinstance(segment, TypeFilter):
            current = [each for each in current if each.__class__ is dict and each.get("__typename") in segment.types]
        else:
            current = [each[segment] for each in current if each.__class__ is dict and segment in each]
    return [each for each in current if each.__class__ is dict]


def places_at(tree: Object, path: Path) -> Iterator[tuple[ResponsePath, Object]]:
    """The same objects, each with its own path in the tree: indices written out, type filters gone."""
    return _places(tree, path, ())


def _places(value: Any, path: Path, so_far: ResponsePath) -> Iterator[tuple[ResponsePath, Object]]:
    if not path:
        if value.__class__ is dict:
            yield so_far, value
        return
    segment, rest = path[0], path[1:]
    if segment == EACH:
        if value.__class__ is list:
            for index, each in enumerate(value):
                yield from _places(each, rest, (*so_far, index))
    elif value.__class__ is dict:
        if isinstance(segment, TypeFilter):
            if value.get("__typename") in segment.types:
                yield from _places(value, rest, so_far)
        elif segment in value:
            yield from _places(value[segment], rest, (*so_far, segment))


def merge(target: Object, source: Object) -> None:
    """Adds to ``target`` what ``source`` knows. Parts of the source may become parts of the target."""
    for key, value in source.items():
        known = target.get(key)
        if known is None:
            # Also a null is worth keeping: the field was asked for and answered.
            target[key] = value
        elif known.__class__ is dict or known.__class__ is list:
            target[key] = merged(known, value)


def merged(known: Any, value: Any) -> Any:
    """One of two values of one place, with what both know in it."""
    if known is None or known is value:
        return value
    if known.__class__ is dict and value.__class__ is dict:
        merge(known, value)
    elif known.__class__ is list and value.__class__ is list:
        for index in range(min(len(known), len(value))):
            known[index] = merged(known[index], value[index])
    return known


def rename(answers: list[Object], renames: tuple[Rename, ...]) -> None:
    """Gives fields that a document had to alias their canonical keys; outer places come before inner ones."""
    for each in renames:
        for answer in answers:
            for of in objects_at(answer, each.path):
                typename = of.get("__typename")
                if each.source in of and (not each.only_types or typename is None or typename in each.only_types):
                    of[each.target] = merged(of.get(each.target), of.pop(each.source))
