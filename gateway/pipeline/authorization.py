"""``@authenticated`` and ``@requiresScopes``: fields the principal may not see are left out of what is planned.

Theory
------
A refused field is removed from the normalised operation *before* planning, so no subgraph is ever asked for it; the
projection still follows the client's whole operation and finds nothing there, which is null, with the usual null
propagation; and one ``UNAUTHORIZED_FIELD_OR_TYPE`` error says where. Everything else of the operation is answered.

Which plan results depends only on which of the operation's *rules* the principal satisfies, not on who it is. That
tuple of booleans is the operation's ``Shape`` and part of the plan cache's key; most operations meet no rule at all.

A field is under the rules of: itself, the type it stands on, and the type it returns. On an interface or union it is
also under those of every object type it may turn out to be, and of that type's field: a query written against the
interface must not see what the same query written against the type may not.

``@policy`` is decided by an outside service that this gateway does not have: nobody satisfies it (the supergraph note
reads it as a requirement without alternatives).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from gateway.operation import Field, Fragment, Operation, Selection
from gateway.plan import EACH, Condition
from gateway.supergraph import Supergraph
from subgraphs.chassis.identity import Principal

Shape: TypeAlias = tuple[bool, ...]
"""For each rule the operation meets, in the order of meeting: whether the principal satisfies it."""

_CODE = "UNAUTHORIZED_FIELD_OR_TYPE"
_TYPENAME = Field(name="__typename", response_key="__typename", key="__typename")


@dataclass(frozen=True, slots=True)
class Rule:
    """What one coordinate asks of a principal."""

    authenticated: bool
    scopes: tuple[tuple[str, ...], ...] | None
    """Any of these lists, all scopes of it; None asks for no scope, the empty tuple is satisfied by nobody."""

    def allows(self, principal: Principal) -> bool:
        if self.authenticated and not principal.authenticated:
            return False
        return self.scopes is None or any(all(map(principal.has, every)) for every in self.scopes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """One selected field that the principal may not see."""

    path: tuple[str, ...]
    """Response keys, with ``@`` for each list level: whatever item it is, the field is refused."""
    coordinate: str
    conditions: tuple[Condition, ...]
    """Of the field and of all it stands in; when they do not hold, the client did not ask for it after all."""

    def as_graphql(self) -> dict[str, Any]:
        return {
            "message": f"Not allowed to see {self.coordinate}.",
            "path": list(self.path),
            "extensions": {"code": _CODE},
        }

    def applies(self, variables: Mapping[str, Any]) -> bool:
        return all(variables.get(name) is wanted for name, wanted in self.conditions)


class Access:
    """The supergraph's rules, looked up by field."""

    def __init__(self, supergraph: Supergraph) -> None:
        self._supergraph = supergraph
        self._rules = {
            coordinate: Rule(coordinate in supergraph.authenticated, supergraph.required_scopes.get(coordinate))
            for coordinate in {*supergraph.authenticated, *supergraph.required_scopes}
        }
        self._of_field: dict[tuple[str, str], frozenset[Rule]] = {}

    def rules(self, operation: Operation) -> tuple[Rule, ...]:
        """The distinct rules the operation meets, in the order of meeting."""
        met: dict[Rule, None] = {}
        if self._rules:
            self._meet(operation.selections, operation.root_type, met)
        return tuple(met)

    def _meet(self, selections: tuple[Selection, ...], parent: str, met: dict[Rule, None]) -> None:
        for selection in selections:
            match selection:
                case Field():
                    met.update(dict.fromkeys(sorted(self.of_field(parent, selection.name), key=repr)))
                    if selection.selections:
                        self._meet(selection.selections, self._type(parent, selection.name), met)
                case Fragment():
                    self._meet(selection.selections, selection.on or parent, met)

    def without(self, operation: Operation, denied: frozenset[Rule]) -> tuple[Operation, tuple[Refusal, ...]]:
        """The operation without the fields under any of these rules, and the fields that were taken out."""
        refusals: list[Refusal] = []
        kept = self._keep(operation.selections, operation.root_type, denied, (), (), refusals)
        return replace(operation, selections=kept, keys=operation.keys.copy()), tuple(refusals)

    def _keep(
        self,
        selections: tuple[Selection, ...],
        parent: str,
        denied: frozenset[Rule],
        path: tuple[str, ...],
        conditions: tuple[Condition, ...],
        refusals: list[Refusal],
    ) -> tuple[Selection, ...]:
        kept: list[Selection] = []
        for selection in selections:
            here = conditions + selection.conditions
            match selection:
                case Field():
                    place = (*path, selection.response_key)
                    if self.of_field(parent, selection.name) & denied:
                        coordinate = f"{parent}.{selection.name}"
                        refusals.append(Refusal(path=place, coordinate=coordinate, conditions=here))
                    elif selection.selections:
                        reference = self._supergraph.fields[parent][selection.name]
                        place += (EACH,) * reference.list_depth
                        below = self._keep(selection.selections, reference.name, denied, place, here, refusals)
                        # An object of which nothing may be seen is still an object: {} with nulls, not null.
                        kept.append(replace(selection, selections=below or (_TYPENAME,)))
                    else:
                        kept.append(selection)
                case Fragment():
                    below = self._keep(selection.selections, selection.on or parent, denied, path, here, refusals)
                    if below:
                        kept.append(replace(selection, selections=below))
        return tuple(kept)

    def of_field(self, parent: str, name: str) -> frozenset[Rule]:
        known = self._of_field.get((parent, name))
        if known is None:
            known = self._of_field[parent, name] = self._find(parent, name)
        return known

    def _find(self, parent: str, name: str) -> frozenset[Rule]:
        if name.startswith("__"):
            return frozenset()
        holders = {parent, *self._supergraph.possible.get(parent, ())}
        coordinates = {self._type(parent, name), *holders, *(f"{holder}.{name}" for holder in holders)}
        return frozenset(self._rules[coordinate] for coordinate in coordinates if coordinate in self._rules)

    def _type(self, parent: str, name: str) -> str:
        reference = self._supergraph.fields.get(parent, {}).get(name)
        return "" if reference is None else reference.name
