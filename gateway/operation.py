"""The normalised operation: fragments inlined, conditions kept, arguments canonical, fields with canonical keys.

What belongs here: the notes, and the pure function ``normalise`` from a validated document to them. What does not:
which subgraph answers what (planning), and the client's values (execution).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from gateway.plan import Condition, OperationKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One selected field. ``arguments`` is the printed argument list without parentheses, ``""`` for none."""

    name: str
    response_key: str
    """What the client calls it: the alias, or the name."""
    key: str
    """Its canonical key in the merged tree (see ``gateway.plan``)."""
    arguments: str = ""
    variables: tuple[str, ...] = ()
    """The client's variables its arguments mention, sorted."""
    conditions: tuple[Condition, ...] = ()
    """All must hold. Literal conditions were decided while normalising."""
    selections: tuple[Selection, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Fragment:
    """An inline fragment; ``on`` is None when it only carries conditions."""

    on: str | None = None
    conditions: tuple[Condition, ...] = ()
    selections: tuple[Selection, ...] = ()


Selection: TypeAlias = "Field | Fragment"


@dataclass(frozen=True, slots=True, kw_only=True)
class VariableDefinition:
    name: str
    type: str
    """Printed, for example ``[String!]!``."""
    default: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    kind: OperationKind
    name: str | None
    root_type: str
    variables: tuple[VariableDefinition, ...]
    selections: tuple[Selection, ...]
    keys: ResponseKeys
    """Which canonical key each (field name, arguments) has; the planner asks it for the fields it adds itself."""


@dataclass(slots=True)
class ResponseKeys:
    """(field name, printed arguments) → canonical key, in order of first asking: ``price``, ``price__2`` …"""

    known: dict[tuple[str, str], str] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def key(self, name: str, arguments: str) -> str:
        found = self.known.get((name, arguments))
        if found is None:
            count = self.counts.get(name, 0) + 1
            self.counts[name] = count
            found = name if count == 1 else f"{name}__{count}"
            self.known[name, arguments] = found
        return found

    def copy(self) -> ResponseKeys:
        return ResponseKeys(dict(self.known), dict(self.counts))
