"""The workbench of these tests: an executor over fake subgraphs, and plans written by hand.

The API schema is given as SDL and the supergraph holds nothing else, so that neither composer nor planner has a part in
what is tested here.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from graphql import build_schema, parse, validate

from gateway.config import Limits, Settings
from gateway.exchange import GraphQLResponse
from gateway.execution.executable import Executable
from gateway.execution.executor import Executor
from gateway.execution.transport import FetchContext, Transport
from gateway.operation import normalise
from gateway.plan import EntityInput, Fetch, OperationKind, Path, QueryPlan, Representation, RequiredField
from gateway.supergraph import Live, Subgraph, Supergraph
from tests.kit.fake_subgraphs import FakeSubgraph, served


def required(name: str, *, key: str | None = None, nullable: bool = True, **rest: Any) -> RequiredField:
    return RequiredField(name=name, key=key or name, nullable=nullable, **rest)


def representation(typename: str, *fields: str | RequiredField, runtime_types: tuple[str, ...] = ()) -> Representation:
    """Plain names are non-null key fields."""
    return Representation(
        typename=typename,
        runtime_types=runtime_types,
        fields=tuple(each if isinstance(each, RequiredField) else required(each, nullable=False) for each in fields),
    )


def entity_fetch(
    id: int,
    subgraph: str,
    path: Path,
    selections: str,
    *representations: Representation,
    depends_on: tuple[int, ...] = (0,),
    **rest: Any,
) -> Fetch:
    return Fetch(
        id=id,
        subgraph=subgraph,
        kind=OperationKind.QUERY,
        document=f"query($representations: [_Any!]!) {{ _entities(representations: $representations) {{ {selections} }} }}",
        entities=(EntityInput(path=path, representations=representations),),
        depends_on=depends_on,
        **rest,
    )


def root_fetch(id: int, subgraph: str, document: str, **rest: Any) -> Fetch:
    kind = OperationKind.MUTATION if document.lstrip().startswith("mutation") else OperationKind.QUERY
    return Fetch(id=id, subgraph=subgraph, kind=kind, document=document, **rest)


def plan_of(*fetches: Fetch, kind: OperationKind = OperationKind.QUERY, subscription: Fetch | None = None) -> QueryPlan:
    return QueryPlan(kind=kind, fetches=fetches, subscription=subscription)


class Bench:
    """One gateway's execution over one set of fakes."""

    def __init__(
        self,
        api: str,
        subgraphs: Sequence[FakeSubgraph],
        settings: Settings,
        live: Mapping[str, Live] | None = None,
    ) -> None:
        self.transport = Transport(settings.limits)
        self.settings = settings
        schema = build_schema(api)
        self.supergraph = Supergraph(
            subgraphs={
                each.name: Subgraph(graph=each.name, name=each.name, url=each.url, types={}, possible={}, roots={})
                for each in subgraphs
            },
            roots={},
            fields={},
            possible={},
            abstract=frozenset(),
            implements={},
            authenticated=frozenset(),
            required_scopes={},
            live=live or {},
            api_schema=schema,
            sdl="",
        )
        self.executor = Executor(self.supergraph, self.transport, settings)

    def prepare(self, document: str, plan: QueryPlan) -> Executable:
        tree = parse(document)
        assert not validate(self.executor.schema, tree)
        return self.executor.prepare(plan, normalise(tree, None, self.executor.schema))

    async def run(
        self,
        document: str,
        plan: QueryPlan,
        variables: Mapping[str, Any] | None = None,
        *,
        context: FetchContext | None = None,
        errors: Sequence[Mapping[str, Any]] = (),
    ) -> GraphQLResponse:
        async with asyncio.timeout(20):
            executable = self.prepare(document, plan)
            return await self.executor.execute(executable, variables or {}, context or FetchContext(), errors=errors)


@asynccontextmanager
async def bench(
    api: str,
    *subgraphs: FakeSubgraph,
    development: bool = True,
    live: Mapping[str, Live] | None = None,
    **limits: int,
) -> AsyncIterator[Bench]:
    """Serves the fakes and gives the workbench over them."""
    async with served(*subgraphs):
        found = Bench(api, subgraphs, Settings(development=development, limits=Limits(**limits)), live)
        try:
            yield found
        finally:
            await found.transport.aclose()
