"""``answer`` and ``stream``: the request's way, a line a step.

Refusals are raised (``RequestError``) up to the moment execution starts; from then on whatever goes wrong is in the
response's ``errors``. ``refusal`` turns a raised error into the response that may be shown.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from itertools import product
from types import TracebackType
from typing import Any, NamedTuple, TypeAlias

from prometheus_client import Counter, Gauge

from gateway.config import Settings
from gateway.errors import (
    ClientLeft,
    ContractUnknown,
    DocumentInvalid,
    GatewayError,
    KeysUnavailable,
    LimitExceeded,
    MediaTypeNotAcceptable,
    MethodNotAllowed,
    RequestError,
    SubgraphError,
    VariableInvalid,
)
from gateway.exchange import GraphQLRequest, GraphQLResponse, encode
from gateway.execution.incremental import execute_incrementally
from gateway.execution.subscription import Subscribed, Subscriptions
from gateway.execution.transport import FetchContext, Transport
from gateway.incremental import Payload, has_errors
from gateway.pipeline.authentication import Authenticator, request_context
from gateway.pipeline.sharing import UnderWay
from gateway.pipeline.snapshot import Planned, Snapshot
from gateway.plan import OperationKind
from gateway.supergraph import Supergraph
from subgraphs.chassis.identity import ANONYMOUS, IDENTITY_HEADER, IdentitySigner, Principal, RequestContext
from subgraphs.chassis.telemetry import logger, note, one_more, outgoing_headers

CONTRACT_HEADER = "x-galleria-contract"
"""Names the contract for a token without the claim ``contract``, and for nobody."""

Left: TypeAlias = Callable[[], Awaitable[None]]
"""Awaited, it returns when the client has closed its connection."""
HEADERS_S = 5.0
"""How long the headers of a request's fetches are sent again as they are. A signed identity is good for much longer, and a
subscription, which outlives many identities, has fresh ones for each event that comes later."""

PLANS_FOLLOWED_MAX = 200
"""Of a snapshot that is replaced, made again for the next one before it serves."""

QUERIES = frozenset({OperationKind.QUERY})
ONE_ANSWER = frozenset({OperationKind.QUERY, OperationKind.MUTATION})
HARMLESS = frozenset({OperationKind.QUERY, OperationKind.SUBSCRIPTION})
ANY = frozenset(OperationKind)

OPERATIONS = Counter("galleria_operations", "Operations by kind and outcome.", ("kind", "outcome"))
_counted: dict[tuple[OperationKind, str], Callable[[], None]] = {}
SUBSCRIPTIONS_NOW = Gauge("galleria_subscriptions_now", "Subscriptions open now.", multiprocess_mode="livesum")


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who is asking, as proved, and where they say they stand."""

    principal: Principal
    context: RequestContext
    contract: str | None = None
    """The contract whose view they get; None is the whole API schema."""
    expires_at: float | None = None
    """Until when the proof is good, in seconds since 1970; whoever serves a stream ends it then."""
    keys_generation: int = 0
    """Of the keys by which they are proved."""
    identity: str = ""
    """Everything about them that may change a subgraph's answer; empty where subgraphs are not told."""


class _Ready(NamedTuple):
    """A request that may run: everything but the running is done."""

    snapshot: Snapshot
    planned: Planned
    variables: Mapping[str, Any]
    caller: Caller
    errors: tuple[Mapping[str, Any], ...]
    """Known before anything runs: the refused fields the client really asked for."""


_Alike: TypeAlias = tuple[Planned, bytes, str]
"""A plan, the variables' values, and whatever of the asker may change a subgraph's answer."""


class Pipeline:
    """One gateway. An async context manager; ``load`` gives it its first supergraph and every later one."""

    def __init__(self, settings: Settings, authenticator: Authenticator, signer: IdentitySigner | None) -> None:
        self.settings = settings
        self.snapshot: Snapshot | None = None
        authorities = settings.subgraph_authorities
        self._transport = Transport(
            settings.limits,
            share=settings.share_fetches,
            authorities=authorities.read_bytes() if authorities is not None else None,
        )
        self._streams = Subscriptions(self._transport, settings)
        self._authenticator = authenticator
        self._signer = signer
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="planning")
        self._under_way: UnderWay[_Alike, GraphQLResponse] = UnderWay()
        self._open_streams = 0

    async def __aenter__(self) -> Pipeline:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._streams.aclose()
        await self._transport.aclose()
        self._worker.shutdown(wait=False, cancel_futures=True)

    def load(self, supergraph: Supergraph) -> None:
        """Serve this supergraph from the first request on. Raises ContractInvalid."""
        self.snapshot = Snapshot(supergraph, self.settings, self._transport, self._worker)

    async def reload(
        self, supergraph: Supergraph, documents: Iterable[str], *, accept: Callable[[Snapshot], None]
    ) -> int:
        """Serve this supergraph instead, once its plans are made: those of these operations, and of what was asked last.
        How many there are.

        Requests go on all the while; those under way end on the snapshot they began with, open subscriptions go over.
        Raises ContractInvalid, or what ``accept`` does when it is asked last, and goes on as before.
        """
        before = self._current()
        snapshot = await asyncio.to_thread(Snapshot, supergraph, self.settings, self._transport, self._worker)
        made = await self._warm(snapshot, documents) + await snapshot.follow(before, PLANS_FOLLOWED_MAX)
        accept(snapshot)
        self.snapshot = snapshot
        await self._streams.renew()
        self._transport.keep_ways({address.url for address in snapshot.executor.addresses.values()})
        return made

    async def warm(self, documents: Iterable[str]) -> int:
        """Read, plan and compile these operations as whoever is not signed in gets them, so that no client waits for it; how
        many were."""
        return await self._warm(self._current(), documents)

    async def _warm(self, snapshot: Snapshot, documents: Iterable[str]) -> int:
        planned = 0
        for text in documents:
            try:
                document = await snapshot.documents.get(text)
                for definition in document.operations:
                    # Clients with a document of one operation name it or do not.
                    names = {definition.name.value if definition.name else None}
                    names |= {None} if len(document.operations) == 1 else set()
                    for name, incremental in product(names, {False, document.incremental}):
                        prepared = await snapshot.prepare(text, name, incremental=incremental)
                        snapshot.executor.warm((await snapshot.plan(prepared, ANONYMOUS)).executable)
                    planned += 1
            except GatewayError as wrong:
                logger("warm-up").warning("a registered operation cannot be planned", reason=wrong.message)
        return planned

    async def caller(self, headers: Mapping[str, str], *, contract: str | None = None) -> Caller:
        """Who sent these headers (names in lower case). Raises NotAuthenticated for a bad token, ContractUnknown.

        ``contract`` is that of the place they came to: no header may choose another there, but a token's claim does.
        """
        proof = await self._authenticator.prove(headers.get("authorization"))
        chosen = proof.contract
        if chosen is None:
            chosen = contract or headers.get(CONTRACT_HEADER) or None
        if chosen is not None and chosen not in self.settings.contracts:
            raise ContractUnknown(
                f"There is no contract named {chosen[: self.settings.limits.header_characters_max]!r}."
            )
        context = request_context(headers, self.settings.limits)
        return Caller(
            principal=proof.principal,
            contract=chosen,
            context=context,
            expires_at=proof.expires_at,
            keys_generation=self._authenticator.generation,
            # Without a signature subgraphs cannot tell one asker from another, and neither do their answers.
            identity=_identity(proof.principal, context) if self._signer is not None else "",
        )

    def still(self, caller: Caller) -> bool:
        """Whether they would be the same, were the same headers proved again now."""
        if caller.expires_at is None:
            return True
        return time.time() < caller.expires_at and caller.keys_generation == self._authenticator.generation

    async def answer(
        self,
        request: GraphQLRequest,
        caller: Caller,
        *,
        kinds: frozenset[OperationKind] = ONE_ANSWER,
        on_run: Callable[[OperationKind], None] = lambda kind: None,
        left: Left | None = None,
    ) -> GraphQLResponse:
        """Run a query or a mutation. ``kinds`` narrows what may run: HTTP's GET passes queries alone. ``on_run`` hears what
        it is when nothing can refuse it any more.

        A query whose client has ``left`` ends there, with ClientLeft. A mutation goes on to its end: the fields of it
        that were to come are as much the client's wish as the first.
        """
        ready = await self._prepare(request, caller, kinds)
        on_run(ready.planned.operation.kind)
        return await self._execute(ready, left)

    async def stream(
        self,
        request: GraphQLRequest,
        caller: Caller,
        *,
        kinds: frozenset[OperationKind] = ANY,
        incremental: bool = False,
        left: Left | None = None,
    ) -> AsyncGenerator[Payload, None]:
        """Run any operation as a stream of results; a query or a mutation has one, or, if ``incremental``, one more for
        what it defers. Awaiting it raises the refusals; closing it ends the operation."""
        ready = await self._prepare(request, caller, kinds, incremental=incremental)
        if ready.planned.operation.incremental:
            return self._increments(ready)
        if ready.planned.operation.kind is not OperationKind.SUBSCRIPTION:
            return _once(await self._execute(ready, left))
        if self._open_streams >= self.settings.limits.subscriptions_max:
            raise LimitExceeded("MAX_SUBSCRIPTIONS_EXCEEDED", "Too many subscriptions are open on this gateway.")
        return self._events(self._subscribed(request, ready))

    async def plan(self, request: GraphQLRequest, caller: Caller) -> Planned:
        """The plan this caller's request would run by, without running it."""
        snapshot = self._current()
        prepared = await snapshot.prepare(request.query, request.operation_name, caller.contract, incremental=True)
        return await snapshot.plan(prepared, caller.principal)

    def refusal(self, error: Exception) -> GraphQLResponse:
        """The response for a request that was not executed. What may be shown is decided by the branch of the tree."""
        errors: tuple[dict[str, Any], ...]
        match error:
            case DocumentInvalid():
                errors = tuple(error.errors)
            case VariableInvalid() if "errors" in error.extensions:
                errors = tuple(error.extensions["errors"])
            case RequestError() | SubgraphError() | KeysUnavailable():
                errors = (error.as_graphql(),)
            case GatewayError() if self.settings.development:
                errors = (error.as_graphql(),)
            case _:
                message = f"{type(error).__name__}: {error}" if self.settings.development else "Internal server error."
                errors = ({"message": message, "extensions": {"code": GatewayError.code}},)
        return GraphQLResponse(errors=errors, has_data=False)

    def _current(self) -> Snapshot:
        assert self.snapshot is not None, "load() comes before the first request"
        return self.snapshot

    async def _prepare(
        self, request: GraphQLRequest, caller: Caller, kinds: frozenset[OperationKind], *, incremental: bool = False
    ) -> _Ready:
        snapshot = self._current()
        prepared = await snapshot.prepare(
            request.query, request.operation_name, caller.contract, incremental=incremental
        )
        note(**prepared.facts)
        _check_kind(prepared.kind, kinds)
        values = prepared.variables.values(request.variables, errors_max=self.settings.limits.validation_errors_max)
        planned = await snapshot.plan(prepared, caller.principal)
        errors = tuple(refusal.as_graphql() for refusal in planned.refusals if refusal.applies(values))
        return _Ready(snapshot, planned, values, caller, errors)

    def _deadline(self) -> float:
        return asyncio.get_running_loop().time() + self.settings.limits.request_ms_max / 1000

    async def _increments(self, ready: _Ready) -> AsyncGenerator[Payload, None]:
        outcome = "errors"
        try:
            payloads = execute_incrementally(
                ready.snapshot.executor,
                ready.planned.executable,
                ready.variables,
                self._context(ready.caller, self._deadline()),
                errors=ready.errors,
            )
            wrong = False
            async with aclosing(payloads):
                async for payload in payloads:
                    wrong = wrong or has_errors(payload)
                    yield payload
            outcome = "errors" if wrong else "whole"
        finally:
            _count(ready.planned.operation.kind, outcome)

    async def _execute(self, ready: _Ready, left: Left | None) -> GraphQLResponse:
        snapshot, planned = ready.snapshot, ready.planned
        kind = planned.operation.kind
        response = snapshot.constants.find(planned) if planned.constant else None
        if response is None:
            alike = self._alike(ready)
            work = self._run(ready) if alike is None else self._under_way.share(alike, partial(self._run, ready))
            outcome = "left"
            try:
                response = await (_unless(left, work) if left is not None and kind is OperationKind.QUERY else work)
                outcome = "errors" if response.errors else "whole"
            finally:
                _count(kind, outcome)
            if planned.constant and not response.errors:
                snapshot.constants.keep(planned, response, len(response.encode()))
        else:
            _count(kind, "whole")
        return response

    def _run(self, ready: _Ready) -> Coroutine[Any, Any, GraphQLResponse]:
        context = self._context(ready.caller, self._deadline())
        return ready.snapshot.executor.execute(ready.planned.executable, ready.variables, context, errors=ready.errors)

    def _alike(self, ready: _Ready) -> _Alike | None:
        """What this request has in common with others that may share its execution; None where none may.

        The answer must be nobody's own: a query of someone who is not signed in, and stands where the others do.
        """
        planned, caller = ready.planned, ready.caller
        if not self.settings.share_answers or caller.principal != ANONYMOUS:
            return None
        if planned.operation.kind is not OperationKind.QUERY:
            return None
        return planned, encode(dict(ready.variables)), caller.identity

    def _subscribed(self, request: GraphQLRequest, ready: _Ready) -> Subscribed:
        async def renew() -> Subscribed:
            caller = ready.caller
            return self._subscribed(
                request, await self._prepare(request, caller, frozenset({OperationKind.SUBSCRIPTION}))
            )

        return Subscribed(
            executor=ready.snapshot.executor,
            executable=ready.planned.executable,
            variables=ready.variables,
            context=self._context(ready.caller, None),
            errors=ready.errors,
            renew=renew,
        )

    async def _events(self, subscribed: Subscribed) -> AsyncGenerator[Payload, None]:
        self._open_streams += 1
        SUBSCRIPTIONS_NOW.inc()
        outcome = "errors"
        try:
            results = self._streams.subscribe(subscribed)
            # A subscriber leaves by closing us; the stream below must hear of it at once, not from the collector.
            async with aclosing(results):
                async for response in results:
                    yield response
            outcome = "whole"
        finally:
            self._open_streams -= 1
            SUBSCRIPTIONS_NOW.dec()
            _count(OperationKind.SUBSCRIPTION, outcome)

    def _context(self, caller: Caller, deadline: float | None) -> FetchContext:
        signer = self._signer
        now = asyncio.get_running_loop().time
        sent: dict[str, str] = {}
        made_again_at = 0.0

        def headers() -> Mapping[str, str]:
            # The fetches of one request send the same; making it anew costs a quarter of a fetch.
            nonlocal sent, made_again_at
            if now() >= made_again_at:
                made_again_at = now() + HEADERS_S
                sent = outgoing_headers()
                if signer is not None:
                    sent[IDENTITY_HEADER] = signer.sign(caller.principal, caller.context)
            return sent

        return FetchContext(headers=headers, identity=caller.identity, deadline=deadline)


def _identity(principal: Principal, context: RequestContext) -> str:
    """All of both, so that what differs in anything is different."""
    return repr(
        (
            *(principal.subject, principal.kind, sorted(principal.scopes), principal.customer_id, principal.agent_id),
            *(context.channel, context.currency, context.country, context.location, context.locale),
        )
    )


def _count(kind: OperationKind, outcome: str) -> None:
    counted = _counted.get((kind, outcome))
    if counted is None:
        counted = _counted[kind, outcome] = one_more(OPERATIONS.labels(kind.value, outcome))
    counted()


def _check_kind(kind: OperationKind, kinds: frozenset[OperationKind]) -> None:
    if kind in kinds:
        return
    if kind is OperationKind.SUBSCRIPTION:
        raise MediaTypeNotAcceptable(
            "Subscriptions are served as text/event-stream and over WebSockets (graphql-transport-ws)."
        )
    raise MethodNotAllowed("Mutations run by POST, not by GET.")


async def _unless(left: Left, work: Coroutine[Any, Any, GraphQLResponse]) -> GraphQLResponse:
    """What the work gives, or ClientLeft, and the work cancelled."""
    here = asyncio.current_task()
    assert here is not None

    async def watch() -> None:
        await left()
        here.cancel()

    watching = asyncio.ensure_future(watch())
    try:
        return await work
    except asyncio.CancelledError:
        if watching.done() and not here.uncancel():
            raise ClientLeft("The client closed its connection.") from None
        raise
    finally:
        watching.cancel()


async def _once(response: GraphQLResponse) -> AsyncGenerator[Payload, None]:
    yield response
