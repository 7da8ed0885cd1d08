"""Fetch groups and what each waits for: the one mutable structure of planning.

Theory of operation. The merged tree of a plan is a tree of *places* (an object position: canonical keys from the root).
A fetch group has a *selection* tree; where its tree touches a place, it makes a *visit* there. A place with several
visits is one object put together from several subgraphs. Selections are kept per **object type** (or per stand-in, for
an ``@interfaceObject``), never per interface: whether ``... on Book`` or the bare interface field is printed is decided
when the document is printed, where it is known which types the subgraph has. Types that got a field in one decision
share one ``Selected`` object, and that identity is what folds them together again.

Groups only ever gain selections, inputs and dependencies, so a walk may hold on to what it has seen. One walk builds
one fetch graph; a search that wants another plan walks again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from gateway.plan import EACH, Guard, Path, TypeFilter
from gateway.planning.choices import DeadEnd
from gateway.planning.guards import ALWAYS, either
from gateway.planning.needs import Need, Types
from gateway.query_graph import View
from gateway.selection import FieldSet
from gateway.supergraph import FromContext


@dataclass(slots=True, kw_only=True, eq=False)
class Selected:
    """One field in a group's document."""

    name: str
    key: str
    arguments: str
    variables: tuple[str, ...]
    guard: Guard
    below: SelectionTree | None
    contexts: dict[str, str] = field(default_factory=dict)
    """Argument → the context variable that fills it."""


@dataclass(slots=True, eq=False)
class SelectionTree:
    """What a group asks of the objects at one place: object type (or stand-in) → key → field."""

    fields: dict[str, dict[str, Selected]] = field(default_factory=dict)
    typename: bool = False


@dataclass(slots=True, kw_only=True, eq=False)
class Input:
    """What the representations for one object type carry."""

    typename: str
    generic: bool
    """The name is an interface's, and the subgraph finds the object's type itself."""
    any_type: bool
    """Every object at the place may be sent so, whatever its type, even one whose type nobody knows yet."""
    fields: list[tuple[str, FieldSet]] = field(default_factory=list)
    """Field sets to copy, each with the type they were written for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Enclosing objects that hold a context's value: where, of which types, and what to take of each."""

    place: Place
    types: Types
    selection: FieldSet


@dataclass(slots=True, kw_only=True, eq=False)
class Group:
    """One request to one subgraph at one place."""

    id: int
    subgraph: str
    place: Place
    entity: bool
    block: int = 0
    """For which block of the answer it is wanted; 0 comes first, the others are deferred."""
    tree: SelectionTree = field(default_factory=SelectionTree)
    inputs: dict[str, Input] = field(default_factory=dict)
    """Object type → representation; empty for root groups."""
    contexts: dict[str, tuple[FromContext, tuple[Holder, ...]]] = field(default_factory=dict)
    """Context variable → what it is, and who holds it, nearest first."""
    after: dict[int, Group] = field(default_factory=dict)
    guards: list[Guard] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)


@dataclass(slots=True, kw_only=True, eq=False)
class Visit:
    """A group's presence at a place."""

    group: Group
    tree: SelectionTree
    view: View
    types: Types
    stand_in: str | None
    """The ``@interfaceObject`` as which the subgraph knows every object here; None when it knows their types."""
    entered: bool = False
    """The group begins here, so representations for more types may be added."""
    requiring: bool = False
    """Some field of its document has requirements."""
    changed: int = 0
    """The place's count of changes when the visit was made or last widened."""

    def knows(self, object_type: str) -> str:
        """The name under which the visit's subgraph knows an object of this type."""
        return self.stand_in or object_type


@dataclass(slots=True, kw_only=True, eq=False)
class Place:
    """An object position of the merged tree."""

    static: str
    types: Types
    parent: Place | None = None
    parent_types: Types = ()
    key: str = ""
    list_depth: int = 0
    visits: list[Visit] = field(default_factory=list)
    below: dict[tuple[str, str], Place] = field(default_factory=dict)
    """(object type, key) → the place below."""
    changes: int = 0

    def change(self, visit: Visit) -> None:
        """The visit is new here, or can answer for more types than before."""
        self.changes += 1
        visit.changed = self.changes
        if not any(each is visit for each in self.visits):
            self.visits.append(visit)

    def enclosing(self) -> Iterator[tuple[Place, Types]]:
        """The places above, nearest first, each with the object types there that lead down to here."""
        below = self
        while below.parent is not None:
            yield below.parent, below.parent_types
            below = below.parent

    def told_apart(self) -> bool:
        """Whether another type's objects at the place above have a place of their own under the same key."""
        if self.parent is None or len(self.parent_types) == len(self.parent.types):
            return False
        return any(
            key == self.key and place is not self and each not in self.parent_types
            for (each, key), place in self.parent.below.items()
        )

    def path(self) -> Path:
        """Keys and ``@`` from the root; a type filter only where objects are told apart by their type."""
        if self.parent is None:
            return ()
        path = self.parent.path()
        if self.told_apart():
            path = (*path, TypeFilter(tuple(sorted(self.parent_types))))
        return (*path, self.key, *((EACH,) * self.list_depth))


class FetchGraph:
    """All groups of one walk."""

    def __init__(self) -> None:
        self.groups: list[Group] = []
        self.version = 0
        self._ancestors: dict[int, frozenset[int]] = {}
        self._rounds: dict[int, int] = {}

    def add(self, subgraph: str, place: Place, *, entity: bool, block: int = 0) -> Group:
        group = Group(id=len(self.groups), subgraph=subgraph, place=place, entity=entity, block=block)
        self.groups.append(group)
        return group

    def wait(self, group: Group, earlier: Group) -> None:
        """The group starts after the earlier one."""
        if group is not earlier and earlier.id not in group.after:
            if self.depends(earlier, group):
                raise DeadEnd("fetch groups would wait for each other")
            group.after[earlier.id] = earlier
            self._ancestors.clear()
            self._rounds.clear()

    def depends(self, group: Group, on: Group) -> bool:
        """Whether the group waits for the other, directly or not; a group depends on itself."""
        return group is on or on.id in self.ancestors(group)

    def ancestors(self, group: Group) -> frozenset[int]:
        found = self._ancestors.get(group.id)
        if found is None:
            collected: set[int] = set()
            for earlier in group.after.values():
                collected.add(earlier.id)
                collected |= self.ancestors(earlier)
            found = self._ancestors[group.id] = frozenset(collected)
        return found

    def round(self, group: Group) -> int:
        """1 for groups that wait for nothing."""
        found = self._rounds.get(group.id)
        if found is None:
            found = 1 + max((self.round(earlier) for earlier in group.after.values()), default=0)
            self._rounds[group.id] = found
        return found


def select(trees: SelectionTree, types: Types, need: Need, guard: Guard) -> Selected:
    """Put the need's field under these types (names as the subgraph knows them) and give the shared ``Selected``."""
    fields = [trees.fields.setdefault(each, {}) for each in types]
    selected: Selected | None = None
    for known in fields:
        selected = known.get(need.key)
        if selected is not None:
            selected.guard = either(selected.guard, guard)
            break
    if selected is None:
        selected = Selected(
            name=need.name,
            key=need.key,
            arguments=need.arguments,
            variables=need.variables,
            guard=guard,
            below=SelectionTree() if need.below is not None else None,
        )
    for known in fields:
        known.setdefault(need.key, selected)
    return selected


__all__ = ["ALWAYS", "FetchGraph", "Group", "Input", "Place", "Selected", "SelectionTree", "Visit", "select"]
