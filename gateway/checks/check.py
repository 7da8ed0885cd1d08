"""The check: changes weighed by the registered operations, and each operation planned on both graphs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from graphql import validate

from gateway.checks.changes import Change, Severity, changes, judge
from gateway.checks.operations import RegisteredOperation, Uses, uses
from gateway.errors import GatewayError
from gateway.operation import normalise
from gateway.plan import QueryPlan, depth, fetch_count
from gateway.planning.planner import Planner
from gateway.supergraph import Supergraph


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanSize:
    """What a plan costs."""

    fetches: int
    rounds: int
    truncated: bool
    subgraphs: Counter[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationChange:
    """What becomes of one operation."""

    name: str
    invalid_before: tuple[str, ...] = ()
    """Why it was not valid even in the old graph; then the change is not to blame."""
    invalid: tuple[str, ...] = ()
    """Why it is not valid in the new one."""
    before: PlanSize | None = None
    after: PlanSize | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """All there is to say about going from one graph to the other."""

    changes: tuple[Change, ...]
    operations: tuple[OperationChange, ...]
    weighed: bool
    """Whether registered operations were given: severities are then those to them."""
    subgraphs_added: tuple[str, ...]
    subgraphs_removed: tuple[str, ...]

    @property
    def severity(self) -> Severity:
        """The worst there is."""
        if any(operation.invalid for operation in self.operations):
            return Severity.BREAKING
        found = {change.severity for change in self.changes}
        return next(each for each in Severity if each in found or each is Severity.SAFE)

    @property
    def more_fetches(self) -> tuple[OperationChange, ...]:
        """Operations whose plan became longer."""
        return tuple(
            each
            for each in self.operations
            if each.before
            and each.after
            and (each.after.fetches, each.after.rounds) > (each.before.fetches, each.before.rounds)
        )


def check(old: Supergraph, new: Supergraph, operations: Sequence[RegisteredOperation] | None) -> Check:
    """Compare two graphs; without operations (None), severities are those for unknown clients."""
    found = changes(old.api_schema, new.api_schema)
    planners = Planner(old), Planner(new)
    used: dict[str, Uses] = {}
    outcomes: list[OperationChange] = []
    for each in operations or ():
        outcome = _outcome(each, old, new, *planners)
        outcomes.append(outcome)
        if not outcome.invalid_before:
            used[each.name] = uses(each.document, old.api_schema)
    weighed = operations is not None
    return Check(
        changes=tuple(judge(change, used) for change in found) if weighed else tuple(found),
        operations=tuple(outcomes),
        weighed=weighed,
        subgraphs_added=tuple(name for name in new.subgraphs if name not in old.subgraphs),
        subgraphs_removed=tuple(name for name in old.subgraphs if name not in new.subgraphs),
    )


def _outcome(
    operation: RegisteredOperation, old: Supergraph, new: Supergraph, before: Planner, after: Planner
) -> OperationChange:
    invalid_before = tuple(error.message for error in validate(old.api_schema, operation.document))
    if invalid_before:
        return OperationChange(name=operation.name, invalid_before=invalid_before)
    try:
        sizes = _size(operation, old, before)
    except GatewayError as unplanned:
        return OperationChange(name=operation.name, invalid_before=(unplanned.message,))
    invalid = tuple(error.message for error in validate(new.api_schema, operation.document))
    if invalid:
        return OperationChange(name=operation.name, invalid=invalid, before=sizes)
    try:
        return OperationChange(name=operation.name, before=sizes, after=_size(operation, new, after))
    except GatewayError as unplanned:
        return OperationChange(name=operation.name, invalid=(unplanned.message,), before=sizes)


def _size(operation: RegisteredOperation, graph: Supergraph, planner: Planner) -> PlanSize:
    plan: QueryPlan = planner.plan(normalise(operation.document, operation.operation_name, graph.api_schema))
    fetches = (*plan.fetches, *((plan.subscription,) if plan.subscription is not None else ()))
    return PlanSize(
        fetches=fetch_count(plan),
        rounds=depth(plan),
        truncated=plan.truncated,
        subgraphs=Counter(fetch.subgraph for fetch in fetches),
    )
