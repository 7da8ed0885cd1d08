"""Nodes, edges, moves: the tables a planner asks. Building them is in ``build``, choosing among them in ``planning``.

A node is a pair (subgraph, type). Edges to entities are not stored from every other subgraph (that would be quadratic):
a way in is stored at its target, and whoever can gather its field set may use it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from gateway.plan import OperationKind
from gateway.selection import FieldSet
from gateway.supergraph import FromContext, Supergraph, TypeRef

View: TypeAlias = FieldSet
"""What the visit may take although it is external there, because a ``@provides`` on the way in says so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldMove:
    """Follow a field inside one subgraph."""

    name: str
    type: TypeRef
    """The subgraph's own type for it."""
    external: bool
    requires: FieldSet
    provides: View
    contexts: tuple[FromContext, ...] = ()
    """Arguments filled from enclosing objects; whoever takes the move has to gather them first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EntityMove:
    """Enter an entity in a subgraph by one of its keys."""

    typename: str
    """What the representation says; differs from the object's type for interfaces and ``@interfaceObject``."""
    key: FieldSet
    generic: bool
    """The representation names an interface, and the subgraph itself finds the object's type."""
    nullable: bool
    """Some field of the key may be null, and an object where it is cannot be entered this way."""


@dataclass(frozen=True, slots=True)
class Strictness:
    """The subgraphs that resolve a field of an object type, and those of them in which it may not be null."""

    owners: frozenset[str]
    strict: frozenset[str]
    strict_throughout: frozenset[str]
    """Nor any item of it: there an item that fails takes the object with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryGraph:
    """The tables. Keys are names; every container iterates in a fixed order."""

    supergraph: Supergraph
    subgraphs: tuple[str, ...]
    fields: Mapping[str, Mapping[str, Mapping[str, FieldMove]]]
    """Subgraph → type → field → move; interfaces too, and an ``@interfaceObject`` under the interface's name."""
    entries: Mapping[str, Mapping[str, tuple[EntityMove, ...]]]
    """Object type → subgraph → ways in."""
    objects: Mapping[str, Mapping[str, tuple[str, ...]]]
    """Subgraph → type → object types it may be there."""
    stand_ins: Mapping[str, Mapping[str, str]]
    """Subgraph → object type → the ``@interfaceObject`` that stands for it there."""
    roots: Mapping[str, OperationKind]
    """Root type → kind."""
    entered: Mapping[OperationKind, tuple[str, ...]]
    """Kind → the subgraphs with such a root."""

    strictness: Mapping[tuple[str, str], Strictness]
    """(Object type, field) → where it may not be null."""
    key_names: frozenset[str]
    """The names of all fields that occur in keys."""

    def is_stand_in(self, subgraph: str, type_name: str) -> bool:
        known = self.supergraph.subgraphs[subgraph].types.get(type_name)
        return known is not None and known.interface_object

    def follow(self, subgraph: str, view: View, type_name: str, name: str) -> tuple[FieldMove, View, bool] | None:
        """The move for a field, the view it leads to, and whether the visit may take it with nothing required first.

        None when the field is not there, or only as external.
        """
        move = self.fields[subgraph].get(type_name, {}).get(name)
        if move is None:
            return None
        if not view:
            return None if move.external else (move, move.provides, not move.requires and not move.contexts)
        provided = False
        below = move.provides
        for item in view:
            if item.name == name and self.supergraph.matches(type_name, item.on):
                provided = True
                below += item.fields
        if move.external and not provided:
            return None
        return move, below, (provided or not move.requires) and not move.contexts
