"""One generation of the gateway: a supergraph and everything derived from it. Immutable but for its caches.

A request takes the current snapshot once and keeps it to its end, so a new supergraph is taken up by making a new
snapshot and swapping one reference; requests under way finish on the old one.
"""

from __future__ import annotations

from concurrent.futures import Executor as ThreadExecutor
from dataclasses import dataclass, replace
from typing import TypeAlias

from gateway.config import Settings
from gateway.execution.executor import Executable, Executor
from gateway.execution.transport import Transport
from gateway.incremental import with_directives
from gateway.operation import Operation, normalise
from gateway.pipeline.authorization import Access, Refusal, Rule, Shape
from gateway.pipeline.cache import SingleFlightCache
from gateway.pipeline.documents import Document, Documents
from gateway.pipeline.views import ContractId, View, views_of
from gateway.plan import QueryPlan
from gateway.planning.planner import Planner
from gateway.supergraph import Supergraph
from subgraphs.chassis.identity import Principal


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """An operation of a document, known as far as it can be without variables or a principal."""

    operation: Operation
    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """An operation as principals of one authorization shape get it."""

    operation: Operation
    """The client's whole operation: its shape is the answer's."""
    plan: QueryPlan
    """Of what is left when the refused fields are out."""
    executable: Executable
    refusals: tuple[Refusal, ...]


OperationKey: TypeAlias = tuple[ContractId, str, str | None, bool]
PlanKey: TypeAlias = tuple[ContractId, str, str | None, bool, Shape]


class Snapshot:
    """Raises ContractInvalid when a contract of the settings leaves no valid schema of this supergraph.

    Planning and validation run on ``worker``, a thread of its own: new documents queue there, known ones do not.
    What is cached is cached by contract; the planner is one for all, for it works on the whole supergraph.
    """

    def __init__(
        self, supergraph: Supergraph, settings: Settings, transport: Transport, worker: ThreadExecutor
    ) -> None:
        self.supergraph = supergraph
        self.views = views_of(supergraph, settings.contracts)
        if settings.incremental_delivery:
            self.views = {name: replace(view, schema=with_directives(view.schema)) for name, view in self.views.items()}
        self.access = Access(supergraph)
        self.planner = Planner(supergraph)
        self._deferred_max = settings.limits.deferred_max
        self.executor = Executor(supergraph, transport, settings, worker)
        self.documents = Documents(
            {contract: view.schema for contract, view in self.views.items()},
            settings.limits,
            worker,
            cache_bytes_max=settings.document_cache_bytes_max,
            introspection=settings.introspection,
        )
        self._prepared: SingleFlightCache[OperationKey, Prepared] = SingleFlightCache(
            worker, weight_max=settings.plan_cache_max
        )
        self._planned: SingleFlightCache[PlanKey, Planned] = SingleFlightCache(
            worker, weight_max=settings.plan_cache_max
        )

    async def prepare(self, document: Document, operation_name: str | None, *, incremental: bool) -> Prepared:
        """The normalised operation and the rules it meets; with what is deferred as such only if ``incremental``."""
        return await self._prepared.get(
            (document.contract, document.text, operation_name, incremental and document.incremental),
            lambda: self._prepare(document, operation_name, self._deferred_max if incremental else 0),
        )

    def _prepare(self, document: Document, operation_name: str | None, deferred_max: int) -> Prepared:
        schema = self.views[document.contract].schema
        operation = normalise(document.tree, operation_name, schema, deferred_max=deferred_max)
        return Prepared(operation=operation, rules=self.access.rules(operation))

    async def plan(
        self, document: Document, operation_name: str | None, prepared: Prepared, principal: Principal
    ) -> Planned:
        """The plan for principals like this one. Raises PlanningFailed when the supergraph cannot answer."""
        shape = tuple(rule.allows(principal) for rule in prepared.rules)
        view = self.views[document.contract]
        key = (document.contract, document.text, operation_name, prepared.operation.incremental, shape)
        return await self._planned.get(key, lambda: self._plan(prepared, shape, view))

    def _plan(self, prepared: Prepared, shape: Shape, view: View) -> Planned:
        whole = prepared.operation
        # The planner gives keys to the fields it adds; those of one shape's plan are no business of another's.
        allowed = replace(whole, keys=whole.keys.copy())
        refusals: tuple[Refusal, ...] = ()
        if not all(shape):
            denied = frozenset(rule for rule, satisfied in zip(prepared.rules, shape, strict=True) if not satisfied)
            allowed, refusals = self.access.without(whole, denied)
        # With everything refused there is nothing to plan; the answer is nulls and errors.
        asked = view.telling(allowed, self.supergraph)
        plan = self.planner.plan(asked) if asked.selections else QueryPlan(kind=whole.kind, fetches=())
        executable = self.executor.prepare(plan, whole, view.schema)
        return Planned(operation=whole, plan=plan, executable=executable, refusals=refusals)
