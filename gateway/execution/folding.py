"""Folding: what the events of a live view come to, for who comes late, reads slowly, or was away.

Theory of operation
-------------------
A subscription field that carries ``@live`` tells the state of things, not their history: each event has ``items``, and of
an item only the newest matters. So a subscriber need not be sent every event: ``State`` holds, of each item, the newest
that any event told, and when. What somebody has missed since an event is then one event: the items that are newer. It
says ``DELTA``, or ``SNAPSHOT`` with all items to who has nothing yet, or missed one.

The events are taken as the client gets them, enriched and under the client's names. A client that does not select the
items or their key gets no folding: its events stand each for itself.

What does not belong here: who is where (``group``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from gateway.exchange import GraphQLResponse
from gateway.operation import Field, Operation, Selection
from gateway.supergraph import Live

SNAPSHOT, DELTA = "SNAPSHOT", "DELTA"


@dataclass(frozen=True, slots=True, kw_only=True)
class Folding:
    """A live field as one operation selects it: response keys. ``items`` and ``key`` are both there or neither."""

    field: str
    items: str | None
    key: str | None
    kind: str | None
    token: str | None
    """Where an event says what to resume by."""
    resume: str | None
    """The client's variable that says where to resume."""

    @classmethod
    def of(cls, live: Live, operation: Operation) -> Folding | None:
        """None where the operation has anything but one root field, which may be conditional."""
        roots = list(_fields(operation.selections))
        if len(roots) != 1:
            return None
        root = roots[0]
        items = _selected(root, live.items)
        key = _selected(items, live.key) if items is not None else None
        kind, token = _selected(root, live.kind), _selected(root, live.resume)
        return cls(
            field=root.response_key,
            items=items.response_key if items is not None and key is not None else None,
            key=key.response_key if key is not None else None,
            kind=kind.response_key if kind is not None else None,
            token=token.response_key if token is not None else None,
            resume=_variable(root, live.resume),
        )

    def event(self, response: GraphQLResponse) -> Mapping[str, Any] | None:
        """What the response says of the field; None if nothing."""
        found = response.data.get(self.field) if response.data is not None else None
        return found if isinstance(found, dict) else None

    def token_of(self, response: GraphQLResponse) -> str | None:
        event = self.event(response) if self.token is not None else None
        token = event.get(self.token) if event is not None and self.token is not None else None
        return token if isinstance(token, str) else None


class State:
    """The newest of each item. Events are numbered from 1."""

    def __init__(self, folding: Folding) -> None:
        assert folding.items is not None
        self._folding = folding
        self._list = folding.items
        self._items: dict[Any, tuple[int, Any]] = {}
        self._snapshot = 0
        self._latest: GraphQLResponse | None = None
        self._folded: dict[int, GraphQLResponse] = {}
        """For the present, by the number of the event after which it is asked for."""

    @property
    def whole(self) -> bool:
        """Whether somebody who has nothing can be told all of it."""
        return self._snapshot > 0

    def take(self, number: int, response: GraphQLResponse) -> None:
        folding, event = self._folding, self._folding.event(response)
        self._folded.clear()
        if event is None:
            return
        self._latest = response
        # A client that does not ask for the kind of its events has the snapshot first, and what follows are changes.
        if event.get(folding.kind, DELTA) == SNAPSHOT if folding.kind is not None else number == 1:
            self._items.clear()
            self._snapshot = number
        for item in event.get(self._list) or ():
            if isinstance(item, dict) and item.get(folding.key) is not None:
                self._items[item[folding.key]] = (number, item)

    def since(self, number: int) -> GraphQLResponse | None:
        """All that events after that one told, as one; None if nothing has been told of the items."""
        found = self._folded.get(number)
        if found is None and self._latest is not None:
            found = self._folded[number] = self._fold(number, self._latest)
        return found

    def _fold(self, number: int, latest: GraphQLResponse) -> GraphQLResponse:
        folding, event = self._folding, self._folding.event(latest)
        assert event is not None
        anew = number < self._snapshot
        items = [item for changed, item in self._items.values() if anew or changed > number]
        told = {**event, self._list: items}
        if folding.kind is not None:
            told[folding.kind] = SNAPSHOT if anew else DELTA if items else event.get(folding.kind)
        return GraphQLResponse(data={**(latest.data or {}), folding.field: told})


def _fields(selections: tuple[Selection, ...]) -> Iterator[Field]:
    for each in selections:
        if isinstance(each, Field):
            yield each
        else:
            yield from _fields(each.selections)


def _selected(field: Field, name: str | None) -> Field | None:
    """The selection of that name below a field, if it is there whatever the variables are."""
    for each in field.selections:
        if isinstance(each, Field) and each.name == name and not each.conditions:
            return each
    return None


def _variable(field: Field, argument: str | None) -> str | None:
    if argument is None:
        return None
    given = re.search(rf"(?:^|[\s,]){re.escape(argument)}:\s*\$(\w+)", field.arguments)
    return given[1] if given else None
