"""Runs a plan: each fetch starts when *its* inputs are there, all write into one tree, the projection shapes the answer.

What belongs here: the order of fetches, and putting the pieces of a request and of its reply where they go. What does
not: how bytes travel (transport), how objects are found and merged (representations), what the client sees (projection).

A fetch that fails leaves its part of the tree empty and stops nobody. Its errors are placed at the very end, when the
tree knows all the runtime types it ever will, so that a fetch and the one beside it need not agree on who comes first.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor as ThreadExecutor
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from graphql import FieldNode, GraphQLSchema, InlineFragmentNode, OperationDefinitionNode, SelectionSetNode, parse

from gateway.config import Settings
from gateway.errors import SubgraphError, SubgraphReplyInvalid
from gateway.exchange import GraphQLResponse, encode
from gateway.execution.compiled import CHUNKS_AT_ONCE_MAX, Heat, Programs
from gateway.execution.errors import ERRORS_MAX, Report, ResponsePath
from gateway.execution.introspection import Introspection
from gateway.execution.projection import ObjectNode, Projection, client_paths
from gateway.execution.replies import response_in
from gateway.execution.representations import (
    Entities,
    Gathered,
    Object,
    Window,
    by_context,
    merge,
    objects_at,
    places_at,
    rename,
)
from gateway.execution.transport import FetchContext, SubgraphAddress, Transport
from gateway.operation import Operation
from gateway.plan import Fetch, Guard, OperationKind, QueryPlan
from gateway.supergraph import Supergraph

Variables: TypeAlias = Mapping[str, Any]
Windows: TypeAlias = Mapping[int, "tuple[Window | None, ...]"]
"""Fetch id → of which objects each of its entity inputs is gathered; None: of none. Of all, where it is not named."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Executable:
    """A plan and its operation, read once for all requests that run them. Equal only to itself."""

    plan: QueryPlan
    operation: Operation
    steps: tuple[Step, ...]
    upstream: Step | None
    """The subscription at the source, for a plan that has one."""
    projection: Projection
    introspection: Introspection
    has_contexts: bool
    heat: Heat


class Step:
    """One fetch, as far as it is the same for all requests."""

    __slots__ = ("_filled", "entities", "fetch", "followers", "prefix")

    def __init__(self, fetch: Fetch, followers: tuple[int, ...]) -> None:
        self.fetch = fetch
        self.followers = followers
        self.entities = tuple(Entities(each) for each in fetch.entities)
        head = {"query": fetch.document}
        if fetch.operation_name is not None:
            head["operationName"] = fetch.operation_name
        self.prefix = encode(head)[:-1]
        self._filled: dict[str, tuple[str, ...]] | None = None

    def sent(self, variables: Variables) -> dict[str, Any]:
        """Those of the client's variables that the fetch names; one that was left out is left out here too."""
        return {name: variables[name] for name in self.fetch.variables if name in variables}

    def body(self, variables: Variables) -> bytes:
        if not variables:
            return self.prefix + b"}"
        return self.prefix + b',"variables":' + encode(variables) + b"}"

    def filled(self, alias: str | None) -> tuple[str, ...]:
        """The canonical keys that this fetch fills in each of its objects; of one ``_entities`` selection, by alias.

        Asked when the fetch has failed, hence only then read from its document.
        """
        if self._filled is None:
            self._filled = self._read_filled()
        return self._filled.get(alias or "", ())

    def _read_filled(self) -> dict[str, tuple[str, ...]]:
        definition = parse(self.fetch.document, no_location=True).definitions[0]
        assert isinstance(definition, OperationDefinitionNode)
        canonical = {each.source: each.target for each in self.fetch.renames if not each.path}
        if not self.entities:
            return {"": _keys(definition.selection_set, canonical)}
        return {
            _response_key(node): _keys(node.selection_set, canonical)
            for node in definition.selection_set.selections
            if isinstance(node, FieldNode) and node.selection_set is not None
        }


def _keys(selections: SelectionSetNode, canonical: Mapping[str, str]) -> tuple[str, ...]:
    found = [canonical.get(key, key) for key in (_response_key(node) for node in _fields(selections))]
    return tuple(key for key in dict.fromkeys(found) if key != "__typename")


def _fields(selections: SelectionSetNode) -> Iterator[FieldNode]:
    for node in selections.selections:
        if isinstance(node, FieldNode):
            yield node
        elif isinstance(node, InlineFragmentNode):
            yield from _fields(node.selection_set)


def _response_key(node: FieldNode) -> str:
    return node.alias.value if node.alias else node.name.value


@dataclass(slots=True)
class Trouble:
    """Something that went wrong with a fetch, kept until the tree is complete."""

    step: Step
    error: SubgraphError | Object
    """The failure of the whole, or an entry of the subgraph's own ``errors``."""
    sent: list[Gathered] = field(default_factory=list)
    """Of an entity fetch: what was sent, an item a selection."""
    whole: bool = False
    """The reply had errors alone: whatever the fetch was to bring is missing because of them."""


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
        return Executable(
            plan=plan,
            operation=operation,
            steps=tuple(Step(fetch, tuple(followers[fetch.id])) for fetch in plan.fetches),
            upstream=Step(plan.subscription, ()) if plan.subscription is not None else None,
            projection=projection,
            introspection=Introspection(operation, schema),
            has_contexts=any(fetch.contexts for fetch in plan.fetches),
            heat=Heat(plan, projection, operation.name or "without a name"),
        )

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


class _Course:
    """Steps on their way. No closures: each would keep what the request holds until the collector comes."""

    __slots__ = ("do", "group", "steps", "waiting")

    def __init__(self, steps: tuple[Step, ...], do: Callable[[Step], Awaitable[None]]) -> None:
        self.steps = steps
        self.do = do
        self.waiting = [0] * len(steps)
        for step in steps:
            for follower in step.followers:
                self.waiting[follower] += 1

    async def run(self) -> None:
        ready = [step for step, count in zip(self.steps, self.waiting, strict=True) if not count]
        async with asyncio.TaskGroup() as self.group:
            for step in ready:
                self.group.create_task(self.follow(step))

    async def follow(self, step: Step) -> None:
        # What follows goes on in the same task; only what goes on beside it needs one of its own.
        following: Step | None = step
        while following is not None:
            done, following = following, None
            await self.do(done)
            for each in done.followers:
                self.waiting[each] -= 1
                if not self.waiting[each]:
                    if following is None:
                        following = self.steps[each]
                    else:
                        self.group.create_task(self.follow(self.steps[each]))


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
            self.place(trouble, shape)
        data = shape.complete(self.tree, None, self.report)
        return GraphQLResponse(data=data, errors=tuple(self.report.entries))

    async def run_graph(self, do: Callable[[Step], Awaitable[None]], steps: tuple[Step, ...] | None = None) -> None:
        """Do every step when those before it are done."""
        steps = self.executable.steps if steps is None else steps
        if len(steps) == 1:
            await do(steps[0])
            return
        await _Course(steps, do).run()

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

    def place(self, trouble: Trouble, shape: ObjectNode) -> None:
        """Puts one error on the client's paths and into the report."""
        error = trouble.error
        if isinstance(error, SubgraphError):
            self.report.failure(error, self.missing(trouble, shape))
            return
        inside = _path(error)
        paths = (
            self.entity_paths(trouble, inside, shape)
            if trouble.step.entities
            else self.root_paths(trouble, inside, shape)
        )
        if paths is None:
            # An error that says no place, or one we did not ask about, is about the whole request.
            paths = self.missing(trouble, shape)
        elif not paths:
            return
        self.report.answered(trouble.step.fetch.subgraph, error, paths)
        if trouble.whole:
            self.report.excuse(self.missing(trouble, shape))

    def root_paths(self, trouble: Trouble, inside: ResponsePath, shape: ObjectNode) -> list[ResponsePath] | None:
        """The client's paths of an error; empty where the client asked for nothing there, None where it has no place."""
        rest = _renamed(trouble.step, inside) if inside else ()
        places = [(*path, *rest) for path, _ in places_at(self.tree, trouble.step.fetch.path) if rest]
        return [path for place in places for path in client_paths(shape, self.tree, place)] if places else None

    def entity_paths(self, trouble: Trouble, inside: ResponsePath, shape: ObjectNode) -> list[ResponsePath] | None:
        """``_entities/3/price``: the client's ``price`` in every object that representation 3 stands for."""
        if len(inside) < 2 or not isinstance(inside[1], int):
            return None
        for entities, gathered in zip(trouble.step.entities, trouble.sent, strict=True):
            if entities.alias != inside[0] or not 0 <= inside[1] < len(gathered.slots):
                continue
            found = self.waiting(entities, gathered.slots[inside[1] : inside[1] + 1])
            rest = _renamed(trouble.step, inside[2:])
            if rest:
                places = [(*path, *rest) for path, _ in found]
                return [path for place in places for path in client_paths(shape, self.tree, place)]
            keys = trouble.step.filled(entities.alias)
            return [each for path, of in found for each in self.missing_in(path, of, keys, shape)] or None
        return None

    def missing(self, trouble: Trouble, shape: ObjectNode) -> list[ResponsePath]:
        """Where the client misses what this fetch was to bring and nobody else brought."""
        step = trouble.step
        if not step.entities:
            found = list(places_at(self.tree, step.fetch.path))
            return [each for path, of in found for each in self.missing_in(path, of, step.filled(None), shape)]
        return [
            each
            for entities, gathered in zip(step.entities, trouble.sent, strict=True)
            for path, of in self.waiting(entities, gathered.slots)
            for each in self.missing_in(path, of, step.filled(entities.alias), shape)
        ]

    def waiting(self, entities: Entities, slots: list[list[Object]]) -> list[tuple[ResponsePath, Object]]:
        """The objects of these slots with their places; one object may have several."""
        wanted = {id(each) for slot in slots for each in slot}
        return [(path, each) for at in entities.paths for path, each in places_at(self.tree, at) if id(each) in wanted]

    def missing_in(
        self, path: ResponsePath, of: Object, keys: tuple[str, ...], shape: ObjectNode
    ) -> list[ResponsePath]:
        """The client's paths of those keys the object is without; its own path if the client asked for none of them."""
        missing = [(*path, key) for key in keys if of.get(key) is None]
        if not missing:
            return []
        here = client_paths(shape, self.tree, path)
        below = [each for place in missing for each in client_paths(shape, self.tree, place)]
        return [each for each in below if each not in here] or [each for each in here if each]


def holds(guard: Guard, variables: Variables) -> bool:
    """Whether any of the guard's conjunctions does; the empty guard always holds."""
    return not guard or any(
        all((variables.get(name) is True) is wanted for name, wanted in conjunction) for conjunction in guard
    )


def _too_deep(step: Step) -> SubgraphReplyInvalid:
    """Two replies that nest deeper at one place than they can be merged."""
    name = step.fetch.subgraph
    return SubgraphReplyInvalid(name, f"The subgraph {name!r} nests its answer too deeply.")


def _errors(reply: Object) -> list[Any]:
    """The subgraph's own errors, no more of them than there will be places to look for."""
    return (reply.get("errors") or [])[: ERRORS_MAX + 1]


def _path(error: Any) -> ResponsePath:
    path = error.get("path") if isinstance(error, dict) else None
    return tuple(path) if isinstance(path, list) and all(each.__class__ in (str, int) for each in path) else ()


def _renamed(step: Step, path: ResponsePath) -> ResponsePath:
    if not step.fetch.renames:
        return path
    canonical = {each.source: each.target for each in step.fetch.renames}
    return tuple(canonical.get(each, each) if isinstance(each, str) else each for each in path)
