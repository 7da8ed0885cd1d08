"""Runs a plan: each fetch starts when *its* inputs are there, all write into one tree, the projection shapes the answer.

What belongs here: one request on its way, the pieces of what is sent and of what is answered put where they go. What does
not: which step comes when (executable), how bytes travel (transport), how objects are found and merged (representations),
what the client sees (projection) and where it is told of errors (trouble).

A fetch that fails leaves its part of the tree empty and stops nobody. Its errors are placed at the very end, when the
tree knows all the runtime types it ever will, so that a fetch and the one beside it need not agree on who comes first.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Executor as ThreadExecutor
from copy import deepcopy
from typing import Any, TypeAlias

from graphql import GraphQLSchema

from gateway.config import Settings
from gateway.errors import SubgraphError, SubgraphReplyInvalid
from gateway.exchange import GraphQLResponse, encode
from gateway.execution.compiled import CHUNKS_AT_ONCE_MAX, Heat, Programs
from gateway.execution.errors import ERRORS_MAX, Report
from gateway.execution.executable import Course, Executable, Step, Variables, holds
from gateway.execution.folding import Folding
from gateway.execution.introspection import Introspection
from gateway.execution.projection import Projection
from gateway.execution.replies import response_in
from gateway.execution.representations import (
    Entities,
    Gathered,
    Object,
    Window,
    by_context,
    merge,
    objects_at,
    rename,
)
from gateway.execution.transport import FetchContext, SubgraphAddress, Transport
from gateway.execution.trouble import Trouble, place
from gateway.operation import Field, Operation
from gateway.plan import OperationKind, QueryPlan
from gateway.supergraph import Live, Supergraph

Windows: TypeAlias = Mapping[int, "tuple[Window | None, ...]"]
"""Fetch id → of which objects each of its entity inputs is gathered; None: of none. Of all, where it is not named."""


class Executor:
    """Executes over one supergraph. One a snapshot; it keeps nothing of a request."""

    def __init__(
        self,
        supergraph: Supergraph,
        transport: Transport,
        settings: Settings,
        worker: ThreadExecutor | None = None,
    ) -> None:
        """Plans that prove hot are compiled on ``worker``; without one, where they are run."""
        self.schema = supergraph.api_schema
        self._live = supergraph.live
        self.programs = Programs(supergraph, after=settings.compile_after, worker=worker)
        self.transport = transport
        self.development = settings.development
        self.representations_max = settings.limits.representations_max
        self.addresses = {
            name: SubgraphAddress(
                name=name,
                url=settings.subgraph_urls.get(name) or subgraph.url,
                streams=settings.subgraph_streams.get(name, "auto"),
            )
            for name, subgraph in supergraph.subgraphs.items()
        }

    def prepare(self, plan: QueryPlan, operation: Operation, schema: GraphQLSchema | None = None) -> Executable:
        """What all executions of a plan have in common. ``operation`` shapes the answer; the plan may fetch less.

        ``schema`` is what the client may know, by default the supergraph's API schema.
        """
        schema = schema or self.schema
        followers: dict[int, list[int]] = {fetch.id: [] for fetch in plan.fetches}
        position = {fetch.id: index for index, fetch in enumerate(plan.fetches)}
        for fetch in plan.fetches:
            for earlier in fetch.depends_on:
                # What a subscription's fetches take from the event is there before any of them starts.
                if earlier in followers:
                    followers[earlier].append(position[fetch.id])
        projection = Projection(operation, schema)
        live = self._live_field(operation) if plan.subscription is not None else None
        return Executable(
            plan=plan,
            operation=operation,
            steps=tuple(Step(fetch, tuple(followers[fetch.id])) for fetch in plan.fetches),
            upstream=Step(plan.subscription, ()) if plan.subscription is not None else None,
            live=live,
            folding=Folding.of(live, operation) if live is not None else None,
            projection=projection,
            introspection=Introspection(operation, schema),
            has_contexts=any(fetch.contexts for fetch in plan.fetches),
            heat=Heat(plan, projection, operation.name or "without a name"),
        )

    def _live_field(self, operation: Operation) -> Live | None:
        names = {each.name for each in operation.selections if isinstance(each, Field)}
        return next((self._live[name] for name in names if name in self._live), None)

    def warm(self, executable: Executable) -> None:
        """Compile a plan before it is run, if it will ever be."""
        self.programs.warm(executable.heat)

    async def execute(
        self,
        executable: Executable,
        variables: Variables,
        context: FetchContext,
        *,
        errors: Sequence[Mapping[str, Any]] = (),
    ) -> GraphQLResponse:
        """Runs a query or a mutation to its response. Only a bug raises; whatever a subgraph does is in ``errors``."""
        return await Execution(self, executable, variables, context, errors).answer()

    async def execute_event(
        self,
        executable: Executable,
        event: bytes,
        variables: Variables,
        context: FetchContext,
        *,
        errors: Sequence[Mapping[str, Any]] = (),
    ) -> GraphQLResponse:
        """The response to one event of a subscription: the upstream's GraphQL response, enriched by the plan's fetches.

        An event that is no such response raises SubgraphReplyInvalid.
        """
        return await Execution(self, executable, variables, context, errors).answer(event)


class Execution:
    """One request on its way."""

    __slots__ = (
        "context",
        "executable",
        "executor",
        "recalled",
        "replies",
        "report",
        "tree",
        "trouble",
        "variables",
        "windows",
    )

    def __init__(
        self,
        executor: Executor,
        executable: Executable,
        variables: Variables,
        context: FetchContext,
        errors: Sequence[Mapping[str, Any]],
    ) -> None:
        self.executor = executor
        self.executable = executable
        self.variables = variables
        self.context = context
        self.report = Report(development=executor.development, known=errors)
        self.tree: Object = {}
        self.trouble: list[Trouble] = []
        self.windows: Windows = {}
        self.recalled: dict[int | None, dict[bytes, Object]] = {}
        """Of selections that recur in the plan: representation → answer."""
        self.replies: dict[tuple[int, bytes], bytes | SubgraphError] | None = None
        """What a compiled plan was answered, by fetch and body."""

    def tail(self, windows: Windows) -> Execution:
        """The same request, the same tree, for other objects."""
        found = Execution(self.executor, self.executable, self.variables, self.context, ())
        found.tree, found.report, found.windows = self.tree, self.report, windows
        return found

    def introspect(self) -> None:
        if self.executable.introspection.wanted:
            merge(self.tree, self.executable.introspection.answer(self.variables))

    async def answer(self, event: bytes | None = None) -> GraphQLResponse:
        """The response; of a subscription to this event of its upstream."""
        if not self.report.entries and not self.executable.introspection.wanted:
            program = self.executor.programs.get(self.executable.heat, self.variables)
            if program is not None:
                # What is interpreted after all starts from the replies that are there.
                self.replies = {}
                encoded = await program.run(self, self.executor.representations_max, event)
                if encoded is not None:
                    self.replies = None
                    return GraphQLResponse.written(encoded)
        if event is not None:
            upstream = self.executable.upstream
            assert upstream is not None
            # Each answer decodes for itself: the event becomes part of its merged tree.
            self.take_root(upstream, response_in(upstream.fetch.subgraph, event))
        return await self.run()

    async def run(self) -> GraphQLResponse:
        self.introspect()
        if self.executable.steps:
            await self.run_graph(self.fetch)
        shape = self.executable.projection.shape(self.variables)
        for trouble in self.trouble:
            place(trouble, self.tree, shape, self.report)
        data = shape.complete(self.tree, None, self.report)
        return GraphQLResponse(data=data, errors=tuple(self.report.entries))

    async def run_graph(self, do: Callable[[Step], Awaitable[None]], steps: tuple[Step, ...] | None = None) -> None:
        """Do every step when those before it are done."""
        steps = self.executable.steps if steps is None else steps
        if len(steps) == 1:
            await do(steps[0])
            return
        await Course(steps, do).run()

    async def fetch(self, step: Step) -> None:
        """Sends one fetch, if it has anything to ask, and merges what comes back. Never raises a ``SubgraphError``."""
        if not holds(step.fetch.guard, self.variables):
            return
        if step.entities:
            await self.fetch_entities(step)
        elif objects_at(self.tree, step.fetch.path):
            try:
                self.take_root(step, await self.send(step, step.sent(self.variables)))
            except SubgraphError as error:
                self.trouble.append(Trouble(step, error))
            except RecursionError:
                self.trouble.append(Trouble(step, _too_deep(step)))

    async def fetch_entities(self, step: Step) -> None:
        if step.fetch.id in self.windows:
            windows = self.windows[step.fetch.id]
            parts = zip(step.entities, windows, strict=True)
            nothing = Gathered([], [])
            await self.fetch_gathered(
                step, [nothing if some is None else each.gather(self.tree, some) for each, some in parts], {}
            )
            return
        if not step.fetch.contexts:
            await self.fetch_gathered(step, [each.gather(self.tree) for each in step.entities], {})
            return
        (entities,) = step.entities
        together = asyncio.Semaphore(CHUNKS_AT_ONCE_MAX)

        async def one(values: Object, objects: list[Object]) -> None:
            async with together:
                await self.fetch_gathered(step, [entities.gather_of(objects)], values)

        async with asyncio.TaskGroup() as group:
            for values, objects in by_context(self.tree, entities.path, step.fetch.contexts):
                group.create_task(one(values, objects))

    async def fetch_gathered(self, step: Step, gathered: list[Gathered], values: Object) -> None:
        """Asks for what was gathered, in as many requests as its size takes, with the values of context variables."""
        if self.recalled:
            gathered = [self.recall(*each) for each in zip(step.entities, gathered, strict=True)]
        most = max(len(each.representations) for each in gathered)
        limit = self.executor.representations_max
        if most <= limit:
            if most:
                await self.fetch_chunk(step, gathered, values)
            return
        chunks = [
            [Gathered(each.representations[at : at + limit], each.slots[at : at + limit]) for each in gathered]
            for at in range(0, most, limit)
        ]
        together = asyncio.Semaphore(CHUNKS_AT_ONCE_MAX)

        async def one(chunk: list[Gathered]) -> None:
            async with together:
                await self.fetch_chunk(step, chunk, values)

        async with asyncio.TaskGroup() as group:
            for chunk in chunks:
                group.create_task(one(chunk))

    async def fetch_chunk(self, step: Step, gathered: list[Gathered], values: Object) -> None:
        variables = step.sent(self.variables) | values
        for entities, each in zip(step.entities, gathered, strict=True):
            variables[entities.variable] = each.representations
        try:
            reply = await self.send(step, variables)
            self.take_entities(step, reply, gathered)
        except SubgraphError as error:
            self.trouble.append(Trouble(step, error, gathered))
        except RecursionError:
            self.trouble.append(Trouble(step, _too_deep(step), gathered))

    async def send(self, step: Step, variables: Variables) -> Object:
        return response_in(step.fetch.subgraph, await self.ask(step, variables))

    async def ask(self, step: Step, variables: Variables) -> bytes:
        """A subgraph's reply to a step, asked for once in a request. Raises SubgraphError."""
        body = step.body(variables)
        if self.replies is None:
            return await self.post(step, body)
        known = self.replies.get((step.fetch.id, body))
        if known is None:
            try:
                known = await self.post(step, body)
            except SubgraphError as error:
                known = error
            self.replies[step.fetch.id, body] = known
        if isinstance(known, SubgraphError):
            raise known
        return known

    async def post(self, step: Step, body: bytes) -> bytes:
        fetch = step.fetch
        return await self.executor.transport.reply(
            self.executor.addresses[fetch.subgraph],
            body,
            self.context,
            repeatable=fetch.kind is OperationKind.QUERY,
        )

    def take_root(self, step: Step, reply: Object) -> None:
        data = reply.get("data")
        if data:
            rename([data], step.fetch.renames)
            for each in objects_at(self.tree, step.fetch.path):
                merge(each, self.own(data))
        self.trouble += [Trouble(step, error, whole=data is None) for error in _errors(reply)]

    def take_entities(self, step: Step, reply: Object, gathered: list[Gathered]) -> None:
        data, errors = reply.get("data") or {}, _errors(reply)
        for entities, each in zip(step.entities, gathered, strict=True):
            answers = data.get(entities.alias)
            if answers is None and errors:
                continue
            if answers.__class__ is not list or len(answers) != len(each.slots):
                name = step.fetch.subgraph
                raise SubgraphReplyInvalid(name, f"The subgraph {name!r} did not answer every representation.")
            known = [
                (answer, slot) for answer, slot in zip(answers, each.slots, strict=True) if answer.__class__ is dict
            ]
            if step.fetch.renames:
                rename([answer for answer, _ in known], step.fetch.renames)
            for answer, slot in known:
                for target in slot:
                    merge(target, self.own(answer))
            if entities.recurs is not None and not errors:
                recalled = self.recalled.setdefault(entities.recurs, {})
                for answer, representation in zip(answers, each.representations, strict=True):
                    if answer.__class__ is dict:
                        recalled[encode(representation)] = answer
            if len(known) != len(answers) and not errors:
                # The subgraph has nothing to tell of these: what was asked of them is null, as the client sees it, and
                # whoever requires it is sent the null.
                nothing = dict.fromkeys(step.filled(entities.alias))
                for answer, slot in zip(answers, each.slots, strict=True):
                    if answer is None:
                        for target in slot:
                            merge(target, nothing)
            self.trouble += [
                Trouble(step, {"message": "This entity is no object.", "path": [entities.alias, at]}, gathered)
                for at, answer in enumerate(answers)
                if answer is not None and answer.__class__ is not dict
            ]
        self.trouble += [Trouble(step, error, gathered, whole=reply.get("data") is None) for error in errors]

    def recall(self, entities: Entities, gathered: Gathered) -> Gathered:
        """What is still to be asked when the objects of which the answer is known have it."""
        known = self.recalled.get(entities.recurs)
        if known is None:
            return gathered
        left = Gathered([], [])
        for representation, slot in zip(gathered.representations, gathered.slots, strict=True):
            answer = known.get(encode(representation))
            if answer is None:
                left.representations.append(representation)
                left.slots.append(slot)
                continue
            for target in slot:
                merge(target, answer)
        return left

    def own(self, answer: Object) -> Object:
        """An answer for one more place: what lies below may differ by what encloses it, if the plan has contexts."""
        return deepcopy(answer) if self.executable.has_contexts else answer


def _too_deep(step: Step) -> SubgraphReplyInvalid:
    """Two replies that nest deeper at one place than they can be merged."""
    name = step.fetch.subgraph
    return SubgraphReplyInvalid(name, f"The subgraph {name!r} nests its answer too deeply.")


def _errors(reply: Object) -> list[Any]:
    """The subgraph's own errors, no more of them than there will be places to look for."""
    return (reply.get("errors") or [])[: ERRORS_MAX + 1]
