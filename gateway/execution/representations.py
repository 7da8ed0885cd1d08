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

from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, Final, TypeAlias

from gateway.exchange import encode, nests_too_deep
from gateway.execution.errors import ResponsePath
from gateway.plan import EACH, ContextVariable, EntityInput, Path, Rename, Representation, RequiredField, TypeFilter

Object: TypeAlias = dict[str, Any]
Window: TypeAlias = Mapping[int, slice]
"""Of the lists at these segments of a path only so many items."""
EVERYTHING: Final[Window] = {}
_MISSING: Final = object()
_DISTINCT: Final = frozenset({str, int, type(None)})


@dataclass(slots=True)
class Gathered:
    """What one ``_entities`` selection sends, and who waits for each answer."""

    representations: list[Object]
    slots: list[list[Object]]


class Specification:
    """One ``Representation``, ready to build."""

    __slots__ = ("_needed", "_pick", "fields", "names", "typename")

    def __init__(self, given: Representation) -> None:
        self.typename = given.typename
        self.fields = given.fields
        self.names = tuple(each.name for each in given.fields)
        self._needed = tuple(at for at, each in enumerate(given.fields) if not each.nullable)
        keys = [each.key for each in given.fields]
        plain = keys and not any(each.fields or each.only_types for each in given.fields)
        # With one key, itemgetter gives a bare value; asked for it twice, it gives a tuple.
        self._pick = itemgetter(*keys, keys[-1]) if plain else None

    def identity(self, of: Object) -> tuple[Any, ...] | None:
        """What makes two representations equal, or None where something needed is not there."""
        if self._pick is None:
            representation = self.build(of)
            if representation is None or nests_too_deep(representation):
                return None
            return (self, encode(representation))
        try:
            values = self._pick(of)
        except KeyError:
            return None
        if None in values and any(values[at] is None for at in self._needed):
            return None
        # Text, integers and nulls are told apart by their tuple. To a dict, 1 and true would be the same key.
        if _DISTINCT.issuperset(map(type, values)):
            return (self, *values)
        return None if nests_too_deep(values) else (self, encode(values))

    def build(self, of: Object) -> Object | None:
        """The representation of an object that has what is needed; otherwise None."""
        built: Object = {"__typename": self.typename}
        return built if copy_fields(of, self.fields, built) else None


class Entities:
    """One ``EntityInput``, ready to gather."""

    __slots__ = ("_any", "_by_type", "alias", "path", "paths", "recurs", "variable")

    def __init__(self, given: EntityInput) -> None:
        self.path = given.path
        self.paths = given.paths
        self.variable = given.variable
        self.alias = given.alias
        self.recurs = given.recurs
        self._by_type: dict[str, Specification] = {}
        self._any: Specification | None = None
        for each in given.representations:
            specification = Specification(each)
            if self._any is None:
                # The first that fits is used: nothing after one that fits all is ever reached.
                for name in each.runtime_types:
                    self._by_type.setdefault(name, specification)
                if not each.runtime_types:
                    self._any = specification

    def gather(self, tree: Object, window: Window = EVERYTHING) -> Gathered:
        """The representations of all objects at the paths that have what theirs needs, each once."""
        return self.gather_of(each for path in self.paths for each in objects_at(tree, path, window))

    def gather_of(self, objects: Iterable[Object]) -> Gathered:
        """The same of some of the objects."""
        gathered = Gathered([], [])
        index: dict[tuple[Any, ...], list[Object]] = {}
        for each in objects:
            typename = each.get("__typename")
            specification = self._by_type.get(typename, self._any) if typename.__class__ is str else self._any
            identity = None if specification is None else specification.identity(each)
            if specification is None or identity is None:
                continue
            slot = index.get(identity)
            if slot is not None:
                slot.append(each)
                continue
            representation = specification.build(each)
            assert representation is not None, "an object with an identity has a representation"
            slot = index[identity] = [each]
            gathered.representations.append(representation)
            gathered.slots.append(slot)
        return gathered


def copy_fields(source: Object, fields: tuple[RequiredField, ...], into: Object) -> bool:
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
    return copied if copy_fields(value, fields, copied) else _MISSING


def by_context(
    tree: Object, path: Path, contexts: tuple[ContextVariable, ...]
) -> list[tuple[dict[str, Any], list[Object]]]:
    """The objects at a path, those with equal values of the context variables together; without those that lack one."""
    found: dict[str, tuple[dict[str, Any], list[Object]]] = {}
    lengths = {source.path_length for context in contexts for source in context.sources}
    for enclosing, each in _enclosed(tree, path, lengths, 0, {}):
        values: dict[str, Any] = {}
        for context in contexts:
            value = _context_value(context, enclosing)
            if value is _MISSING or (value is None and not context.nullable) or nests_too_deep(value):
                break
            values[context.name] = value
        else:
            found.setdefault(encode(values).decode(), (values, []))[1].append(each)
    return list(found.values())


def _context_value(context: ContextVariable, enclosing: Mapping[int, Object]) -> Any:
    for source in context.sources:
        holder = enclosing[source.path_length]
        if not source.runtime_types or holder.get("__typename") in source.runtime_types:
            return _leaf(holder, source.fields)
    return _MISSING


def _leaf(value: Any, fields: tuple[RequiredField, ...]) -> Any:
    """The one leaf below a value; a list of them where a list lies between."""
    if value.__class__ is list:
        items = [_leaf(each, fields) for each in value]
        return _MISSING if any(each is _MISSING for each in items) else items
    if value is None or not fields:
        return value
    if value.__class__ is not dict:
        return _MISSING
    for field in fields:
        if field.name != "__typename" and (not field.only_types or value.get("__typename") in field.only_types):
            return _leaf(value.get(field.key, _MISSING), field.fields)
    return _MISSING


def _enclosed(
    value: Any, path: Path, lengths: Set[int], depth: int, enclosing: Mapping[int, Object]
) -> Iterator[tuple[Mapping[int, Object], Object]]:
    """The objects at the rest of a path, each with the objects it was reached through at the path's ``lengths``."""
    if value.__class__ is dict and depth in lengths:
        enclosing = {**enclosing, depth: value}
    if depth == len(path):
        if value.__class__ is dict:
            yield enclosing, value
        return
    segment = path[depth]
    if segment == EACH:
        for each in value if value.__class__ is list else ():
            yield from _enclosed(each, path, lengths, depth + 1, enclosing)
    elif value.__class__ is dict:
        if isinstance(segment, TypeFilter):
            if value.get("__typename") in segment.types:
                yield from _enclosed(value, path, lengths, depth + 1, enclosing)
        elif segment in value:
            yield from _enclosed(value[segment], path, lengths, depth + 1, enclosing)


def objects_at(tree: Object, path: Path, window: Window = EVERYTHING) -> list[Object]:
    """The objects at a path, in document order; nulls and whatever else is no object are left out."""
    current: list[Any] = [tree]
    for at, segment in enumerate(path):
        if at in window:
            current = [item for each in current if each.__class__ is list for item in each[window[at]]]
        elif segment == EACH:
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
