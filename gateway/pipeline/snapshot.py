"""One generation of the gateway: a supergraph and everything derived from it. Immutable but for its caches.

A request takes the current snapshot once and keeps it to its end, so a new supergraph is taken up by making a new
snapshot and swapping one reference; requests under way finish on the old one.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Executor as ThreadExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from graphql import OperationDefinitionNode

from gateway.config import Settings
from gateway.errors import GatewayError
from gateway.exchange import GraphQLResponse
from gateway.execution.executable import Executable
from gateway.execution.executor import Executor
from gateway.execution.transport import Transport
from gateway.incremental import with_directives
from gateway.operation import Operation, normalise
from gateway.pipeline.authorization import Access, Refusal, Rule, Shape
from gateway.pipeline.cache import Cache, SingleFlightCache
from gateway.pipeline.documents import Document, Documents, may_defer
from gateway.pipeline.variables import Declared
from gateway.pipeline.views import ContractId, views_of
from gateway.plan import OperationKind, QueryPlan
from gateway.planning.planner import Planner
from gateway.supergraph import Supergraph
from subgraphs.chassis.identity import Principal

NAME_CHARACTERS_MAX: Final = 64
"""Of an operation's name, where it is told: it is the client's text."""


OperationKey: TypeAlias = tuple[ContractId, str, str | None, bool]
"""Its contract, its document, its name there, and whether parts of its answer may come later."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Prepared:
    """An operation of a document, known as far as it can be without variables or a principal. Equal only to itself."""

    key: OperationKey
    kind: OperationKind
    operation: Operation
    rules: tuple[Rule, ...]
    variables: Declared
    facts: Mapping[str, str]
    """What is told of every request for it."""
    weight: int
    """In the caches, as its plans have it."""

    @property
    def contract(self) -> ContractId:
        return self.key[0]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Planned:
    """An operation as principals of one authorization shape get it. Equal only to itself."""

    operation: Operation
    """The client's whole operation: its shape is the answer's."""
    plan: QueryPlan
    """Of what is left when the refused fields are out."""
    executable: Executable
    refusals: tuple[Refusal, ...]
    constant: bool
    """Its answer is the same for all who get this plan, whenever they ask: it knows no variables and asks no subgraph."""


PlanKey: TypeAlias = tuple[Prepared, Shape]


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
        # Many small operations are bounded by their number, few large ones by their text.
        self._weight_min = weight_min = settings.operation_cache_bytes_max // settings.plan_cache_max
        self._prepared: SingleFlightCache[OperationKey, Prepared] = SingleFlightCache(
            "operations",
            worker,
            weight_max=settings.operation_cache_bytes_max,
            weigh=lambda key: max(len(key[1]), weight_min),
        )
        self._structures: Cache[tuple[object, ...], QueryPlan] = Cache(
            "plans_by_structure", weight_max=settings.plan_cache_max
        )
        """Only ``worker`` touches it."""
        self.plans: SingleFlightCache[PlanKey, Planned] = SingleFlightCache(
            "plans", worker, weight_max=settings.operation_cache_bytes_max, weigh=lambda key: key[0].weight
        )
        self.constants: Cache[Planned, GraphQLResponse] = Cache(
            "constant answers", weight_max=settings.constant_answers_bytes_max
        )
        """Answers of constant plans, as JSON already: one contract's, one document's, one authorization shape's."""

    async def prepare(
        self, text: str, operation_name: str | None, contract: ContractId = None, *, incremental: bool = False
    ) -> Prepared:
        """The operation of this document in this view; with what is deferred as such only if ``incremental``.

        Raises the refusals of the document, and OperationUnknown.
        """
        incremental = incremental and may_defer(text)
        key = (contract, text, operation_name, incremental)
        known = self._prepared.find(key)
        if known is not None:
            return known
        document = await self.documents.get(text, contract)
        # What names no operation is refused before the cache: it would be remembered by every name there is.
        definition = document.operation(operation_name)
        return await self._prepared.make(key, lambda: self._prepare(key, document, definition))

    def _prepare(self, key: OperationKey, document: Document, definition: OperationDefinitionNode) -> Prepared:
        contract, _, operation_name, incremental = key
        schema = self.views[contract].schema
        deferred_max = self._deferred_max if incremental else 0
        operation = normalise(document.tree, operation_name, schema, deferred_max=deferred_max)
        name = definition.name.value[:NAME_CHARACTERS_MAX] if definition.name else ""
        facts = {"operation": name, "kind": operation.kind.value}
        return Prepared(
            key=key,
            kind=operation.kind,
            operation=operation,
            rules=self.access.rules(operation),
            variables=Declared(schema, definition, document.text),
            facts=facts | ({"contract": contract} if contract else {}),
            weight=max(len(document.text), self._weight_min),
        )

    async def follow(self, before: Snapshot, most: int) -> int:
        """Plan, and compile, what that snapshot was asked last, for the same shapes; how many plans were made.

        What does not fit this supergraph is left for a client to hear of.
        """
        made = 0
        for prepared, shape in before.plans.recent(most):
            contract, text, name, incremental = prepared.key
            with suppress(GatewayError):
                anew = await self.prepare(text, name, contract, incremental=incremental)
                if anew.rules == prepared.rules:
                    self.executor.warm((await self._plan_for(anew, shape)).executable)
                    made += 1
        return made

    async def plan(self, prepared: Prepared, principal: Principal) -> Planned:
        """The plan for principals like this one. Raises PlanningFailed when the supergraph cannot answer."""
        shape = tuple([rule.allows(principal) for rule in prepared.rules]) if prepared.rules else ()
        return await self._plan_for(prepared, shape)

    async def _plan_for(self, prepared: Prepared, shape: Shape) -> Planned:
        return await self.plans.get((prepared, shape), lambda: self._plan(prepared, shape))

    def _plan(self, prepared: Prepared, shape: Shape) -> Planned:
        whole, view = prepared.operation, self.views[prepared.contract]
        # The planner gives keys to the fields it adds; those of one shape's plan are no business of another's.
        allowed = replace(whole, keys=whole.keys.copy())
        refusals: tuple[Refusal, ...] = ()
        if not all(shape):
            denied = frozenset(rule for rule, satisfied in zip(prepared.rules, shape, strict=True) if not satisfied)
            allowed, refusals = self.access.without(whole, denied)
        # With everything refused there is nothing to plan; the answer is nulls and errors.
        asked = view.telling(allowed, self.supergraph)
        plan = self._plan_of(asked) if asked.selections else QueryPlan(kind=whole.kind, fetches=())
        executable = self.executor.prepare(plan, whole, view.schema)
        constant = whole.kind is OperationKind.QUERY and not (whole.variables or plan.fetches or refusals)
        return Planned(operation=whole, plan=plan, executable=executable, refusals=refusals, constant=constant)

    def _plan_of(self, operation: Operation) -> QueryPlan:
        """The plan; operations that differ in nothing but names have one."""
        structure = operation.structure()
        plan = self._structures.find(structure)
        if plan is None:
            plan = self.planner.plan(operation)
            self._structures.keep(structure, plan)
        return plan
