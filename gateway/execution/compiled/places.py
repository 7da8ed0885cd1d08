"""The notes of a layout: the objects that a plan's answers are made of, and which fetch brings what of them.

What belongs here: data, and what follows from it alone. What does not: how it is read off a plan (``layout``), and what
becomes of it (``source``).
"""

from __future__ import annotations

import keyword
from dataclasses import dataclass, field
from typing import Final

from gateway.execution.nodes import ObjectNode
from gateway.plan import EntityInput, Fetch, Representation

TYPENAME: Final = "__typename"


@dataclass(slots=True, kw_only=True, eq=False)
class Slot:
    """One field of a place."""

    key: str
    """Canonical: as the documents ask for it."""
    attribute: str
    names: dict[int, str]
    """Fetch → what the field is called in its answers. The first brings it, any other says the same or knows better."""
    leaf: str = "Any"
    """The type of a leaf's value as msgspec reads it, null aside."""
    levels: tuple[bool, ...] = (True,)
    """Whether null is allowed: of the value itself, then of the items at each depth of lists."""
    places: tuple[Place, ...] = ()
    """Of a composite: one place for each object type it may be."""
    shown: bool = False
    """The client sees it."""
    read: bool = False
    """A representation is made of it."""

    @property
    def source(self) -> int:
        """The fetch that brings it."""
        return next(iter(self.names))

    @property
    def nullable(self) -> bool:
        return self.levels[0]

    def annotation(self, fetch: int) -> str:
        """The type as msgspec reads it in a fetch's answer; a composite's names the classes of its places."""
        text = " | ".join(each.class_in(fetch) for each in self.places) or self.leaf
        for at in range(len(self.levels) - 1, -1, -1):
            if self.levels[at] and text != "Any":
                text = f"{text} | None"
            if at:
                text = f"list[{text}]"
        return text


@dataclass(slots=True, kw_only=True, eq=False)
class Place:
    """The objects of one type at one position."""

    number: int
    path: tuple[str, ...]
    type_name: str
    node: ObjectNode
    base: int
    """The fetch that creates the objects. -1: the root of an answer that several fetches fill."""
    parent: tuple[Place, Slot] | None = None
    tagged: bool = False
    """One of several types: which one, ``__typename`` tells."""
    told: bool = False
    """Its document asks for ``__typename``."""
    surplus: bool = False
    """Its document asks for what nobody takes."""
    slots: dict[str, Slot] = field(default_factory=dict)
    """By canonical key."""

    @property
    def class_name(self) -> str:
        return f"{self.type_name.strip('_') or 'Object'}{self.number}"

    @property
    def variable(self) -> str:
        """What one of its objects is called in a function."""
        return f"{attribute(self.parent[1].key) if self.parent else 'root'}_{self.number}"

    @property
    def where(self) -> str:
        """For people."""
        return f"{self.type_name} at {'.'.join(self.path) or 'the root'}"

    def class_in(self, fetch: int) -> str:
        """The class of its objects in a fetch's answer: another one where the fetch adds to what is there."""
        return self.class_name if fetch == self.base else f"{self.class_name}From{fetch}"

    def brought(self, fetch: int) -> list[Slot]:
        """What a fetch tells of its objects."""
        return [each for each in self.slots.values() if fetch in each.names]

    @property
    def converted(self) -> bool:
        """Whether the client sees another object than the subgraph sent: other names, or ``__typename`` elsewhere."""
        keys = [key for _, key, node, _, _ in self.node.fields if node is not None]
        if len(set(keys)) != len(keys):
            return True
        if any(response_key != key for response_key, key, node, _, _ in self.node.fields if node is not None):
            return True
        if any(node is None and response_key != TYPENAME for response_key, _, node, _, _ in self.node.fields):
            return True
        if any(each.shown and each.names.get(self.base, each.key) != each.key for each in self.slots.values()):
            return True
        return self.tagged and [at for at, each in enumerate(self.node.fields) if each[2] is None] != [0]

    @property
    def as_sent(self) -> bool:
        """Whether the client sees what the subgraph sent, and all of it."""
        names_type = any(node is None for _, _, node, _, _ in self.node.fields)
        return not (self.converted or self.hidden or self.surplus) and self.told is names_type

    @property
    def hidden(self) -> list[Slot]:
        """What is there for representations alone."""
        return [each for each in self.slots.values() if not each.shown]

    def loops(self) -> int:
        above = self.parent
        return 0 if above is None else len(above[1].levels) - 1 + above[0].loops()


@dataclass(slots=True, kw_only=True)
class Gathering:
    """One ``_entities`` selection of a fetch."""

    entity: EntityInput
    stations: list[tuple[Place, Representation]]
    """Where its objects are, one place a type, each with what is sent of them; in the order of the paths."""


@dataclass(slots=True, kw_only=True)
class Layout:
    """Everything known of a plan's answers before there are any."""

    fetches: list[Fetch]
    """Those that these conditions do not leave out; the upstream of a subscription is the first."""
    root: Place
    places: list[Place]
    gatherings: dict[int, list[Gathering]]
    """Fetch id → what it asks of entities; a fetch that asks a root type is not in it."""
    roots: dict[int, Place]
    """Fetch id → of which objects it asks a root type; where there are none, it is not sent."""
    after: dict[int, set[int]]
    """Fetch id → those whose answers it adds to, and which may yet be under way when its own is there."""

    @property
    def verbatim(self) -> bool:
        """Whether the whole answer is the one reply there is."""
        alone = len(self.fetches) == 1 and self.root.base in self.roots
        return alone and all(each.as_sent for each in self.places)


_TAKEN: Final = frozenset({"field", "bool", "dict", "float", "int", "list", "str"})
"""What a class's own text means by these."""


def attribute(key: str) -> str:
    """A canonical key or a response key as the name of an attribute."""
    taken = keyword.iskeyword(key) or key in _TAKEN or key.startswith(("_", "f_")) or key[0].isupper()
    return f"f_{key}" if taken else key
