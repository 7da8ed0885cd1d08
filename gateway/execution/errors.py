"""The errors of one response: collected, placed on the client's paths, masked, and used to excuse nulls.

What belongs here: what an error may say and which nulls it explains. What does not: finding the places (projection and
executor), and the error classes (``gateway.errors``).

Codes made here, beside those of ``SubgraphError``: ``DOWNSTREAM_SERVICE_ERROR`` for a subgraph's error that has none of
its own, ``NULL_NOT_ALLOWED`` for a null that nothing else explains, ``VALUE_INVALID`` for a value not of its type, and
``ERRORS_OMITTED`` where there are more errors than are told.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from gateway.errors import SubgraphError
from gateway.exchange import encode, nests_too_deep
from gateway.plan import EACH

ResponsePath: TypeAlias = "tuple[str | int, ...]"
"""A place in a response, written out."""
Place: TypeAlias = "tuple[Place, str | int] | None"
"""The same, linked upwards: free to make while walking down, written out only when something is wrong."""

DEFAULT_CODE: Final = "DOWNSTREAM_SERVICE_ERROR"
PLACES_MAX: Final = 20
"""Entries one subgraph error makes; a failed fetch of 500 entities is one thing to know, not 500."""
ERRORS_MAX: Final = 100
"""Entries a response has of what went wrong while it was made; one more says that they are not all."""
MESSAGE_CHARACTERS_MAX: Final = 1_000
EXTENSIONS_BYTES_MAX: Final = 4_000
"""A subgraph's own extensions, as JSON; larger ones are left out, for half of them would mean something else."""
_CODE: Final = re.compile(r"[A-Z][A-Z0-9_]{0,63}")


class Report:
    """The errors of one response while it is made."""

    __slots__ = ("_development", "_explained", "_pool", "deferred", "entries")

    def __init__(self, *, development: bool, known: Sequence[Mapping[str, Any]] = ()) -> None:
        self._development = development
        self.entries: list[Mapping[str, Any]] = []
        self._explained: _Places = {}
        self._pool: dict[Any, Any] = {}
        """Of a response in parts: the entries no part has shown yet, by the steps of their paths."""
        self.deferred: list[Any] = []
        """What the projection met and left for later."""
        for error in known:
            self.entries.append(error)
            self._explain(tuple(error.get("path") or ()))

    def part(self, here: ResponsePath, shows: Callable[[ResponsePath], bool]) -> Report:
        """The report of a part of the response: the entries whose place, from ``here`` on, it shows leave this one for it.

        Both know of the same explained places; no two parts have a null in common. An entry without a place goes to the
        part that comes next. Thousands of parts may each look for their entries, so these are kept by their place.
        """
        for entry in self.entries:
            at = self._pool
            for step in entry.get("path") or ():
                at = at.setdefault(step, {})
            at.setdefault(_END, []).append(entry)
        self.entries = []
        found = Report(development=self._development)
        found._explained = self._explained
        found.entries += self._pool.pop(_END, ())
        reached = [self._pool]
        for step in here:
            steps = (step, EACH) if isinstance(step, int) else (step,)
            reached = [at[each] for at in reached for each in steps if each in at]
        for at in reached:
            _take(at, (), shows, found.entries)
        return found

    def failure(self, error: SubgraphError, places: Sequence[ResponsePath]) -> None:
        """A fetch that failed as a whole, and the client's places that stay empty for it."""
        extensions = {**error.extensions, "code": error.code}
        if self._development and error.detail:
            extensions["detail"] = error.detail
        self._add(error.message, extensions, places)

    def answered(self, service: str, error: Any, places: Sequence[ResponsePath]) -> None:
        """An entry of a subgraph's own ``errors``, and the client's places it is about."""
        given = _object(error)
        extensions = _object(given.get("extensions"))
        code = extensions.get("code")
        message = given.get("message")
        own = {"code": code if isinstance(code, str) and _CODE.fullmatch(code) else DEFAULT_CODE, "service": service}
        if self._development and isinstance(message, str):
            shown = not nests_too_deep(extensions) and len(encode(extensions)) <= EXTENSIONS_BYTES_MAX
            self._add(message[:MESSAGE_CHARACTERS_MAX], {**(extensions if shown else {}), **own}, places)
        else:
            self._add(f"The subgraph {service!r} could not answer.", own, places)

    def excuse(self, places: Sequence[ResponsePath]) -> None:
        """Places that are null because of an error that was told at another one."""
        for path in places:
            self._explain(path)

    def null(self, place: Place, coordinate: str | None = None) -> None:
        """A null where the client's schema has none: an error, unless one is known that explains it."""
        path = written(place)
        if self._is_explained(self._explained, path):
            return
        where = f"non-nullable field {coordinate}" if coordinate else "non-nullable list item"
        self._add(f"Cannot return null for {where}.", {"code": "NULL_NOT_ALLOWED"}, [path])

    def wrong(self, place: Place, expected: str) -> None:
        """A value that is not of its type; it becomes null. The value itself is not repeated: it may be nobody's business."""
        path = written(place)
        if self._is_explained(self._explained, path):
            return
        self._add(f"A subgraph's answer is not a valid {expected}.", {"code": "VALUE_INVALID"}, [path])

    def _add(self, message: str, extensions: dict[str, Any], places: Sequence[ResponsePath]) -> None:
        distinct = list(dict.fromkeys(places))
        for path in distinct:
            self._explain(path)
        if len(distinct) > PLACES_MAX:
            extensions = {**extensions, "places": len(distinct)}
        for path in distinct[:PLACES_MAX] or [()]:
            if len(self.entries) >= ERRORS_MAX:
                if len(self.entries) == ERRORS_MAX:
                    self.entries.append({"message": "There are more errors.", "extensions": {"code": "ERRORS_OMITTED"}})
                return
            entry: dict[str, Any] = {"message": message}
            if path:
                entry["path"] = list(path)
            self.entries.append({**entry, "extensions": extensions})

    def _explain(self, path: ResponsePath) -> None:
        at = self._explained
        if not path:
            return
        for step in path:
            at = at.setdefault(step, {})
        at[_END] = {}

    def _is_explained(self, at: _Places, path: ResponsePath) -> bool:
        """Whether an error is known at the path, above it, or below it."""
        if _END in at or (not path and at):
            return True
        if not path:
            return False
        step = path[0]
        after = (at.get(step), at.get(EACH) if isinstance(step, int) else None)
        return any(each is not None and self._is_explained(each, path[1:]) for each in after)


_Places: TypeAlias = "dict[str | int | None, _Places]"
_END: Final = None


def _take(
    at: dict[Any, Any], path: ResponsePath, shows: Callable[[ResponsePath], bool], into: list[Mapping[str, Any]]
) -> None:
    for step, below in at.items():
        if step is not _END:
            _take(below, (*path, step), shows, into)
        elif shows(path):
            into += below
            at[_END] = []


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def written(place: Place) -> ResponsePath:
    """The linked place as a path from the root."""
    steps: list[str | int] = []
    while place is not None:
        place, step = place
        steps.append(step)
    return tuple(reversed(steps))
