"""Federation = monolith: planner, executor and real HTTP subgraphs together answer what one server would, byte for byte.

Data is compared as JSON text (the order of fields is part of an answer), errors by the nulls they explain.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import pytest
from graphql import parse, validate
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from gateway.config import Settings
from gateway.exchange import GraphQLResponse
from gateway.execution.executor import Executor
from gateway.execution.subscription import Subscribed, Subscriptions
from gateway.execution.transport import FetchContext, Transport
from gateway.operation import normalise
from gateway.planning.planner import Planner
from tests.federation.shop_world import subgraphs, supergraph, world
from tests.gateway.planning.generated import FLAGS, operations
from tests.kit.fake_subgraphs import FakeSubgraph, served
from tests.kit.monolith import answer_whole, events_whole

OPERATIONS = {
    "leaves of four subgraphs": "{ top { sku name stock price { amount currency } rating } }",
    "a list with a null and a repeated product": "{ products { sku safe rating reviews { id } } }",
    "a list of lists": "{ grid { sku safe shelf } }",
    "a compound key": "{ top { reviews { text of { name stock } } } }",
    "requires": "{ products { shipping } }",
    "requires with an argument and without": "{ products { a: shipping(zone: 1) shipping b: shipping(zone: 2) } }",
    "requires of a field that itself requires": "{ products { offer } }",
    "requires where the asking starts": "{ lowest { shipping offer safe } }",
    "required fields beside the client's own with arguments": "{ products { shipping(zone: 1) offer size: weight } }",
    "the client's names for other fields are those of required ones": "{ products { size: sku shipping: name offer s: shipping } }",
    "requires beside the client's own alias of the field": "{ products { width: sku size { h: height } shipping } }",
    "a null that may not be": "{ products { stock } }",
    "a null below that may not be": "{ products { price { amount } } }",
    "a null in a list of non-nulls": "{ products { reviews { text } } }",
    "an error in a nullable field": "{ products { price { currency } name } }",
    "an error in a non-null field of an entity": "{ search { ... on Brand { name score } } }",
    "a union": "{ search { __typename ... on Brand { id score } ... on Product { sku brand { score } } } }",
    "an interface": "{ media { __typename id url } }",
    "an interface object's fields": "{ media { id likes praised } }",
    "an interface object's fields below a type": "{ media { ... on Film { likes length } ... on Photo { praised } } }",
    "an interface object's typename": "{ media { likes __typename } top { cover { likes __typename } } }",
    "fields of one name and two types": "{ media { ... on Film { length } ... on Photo { size: length } } }",
    "an interface inside a concrete type": "{ media { ... on Film { ... on Media { url likes } } } }",
    "an interface inside a concrete type across subgraphs": "{ latest { author { ... on Person { name } } } }",
    "a non-null that an interface object lacks": "{ products { cover { id likes } } }",
    "an inaccessible enum value": "{ products { kind } }",
    "the key under another name": "{ products { id: sku sku: name stock: safe } }",
    "one field, several arguments": '{ top { weight kg: weight(unit: "kg") g: weight(unit: "g") other: weight(unit: "?") } }',
    "siblings that select different parts": "{ top { level { atp } ... on Product { level { at { code } } } } }",
    "one object under two names": "{ products { a: level { atp at { city } } b: level { atp } } }",
    "a non-null of a nested entity": "{ products { level { atp at { city } } } }",
    "query again": "{ again { now top { sku } again { lowest { name safe } } } }",
    "query again across subgraphs": "{ again { lowest { sku } latest { id } } }",
    "root typenames": "{ __typename ... on Query { r: __typename } again { __typename now } }",
    "a renamed root under fragments": "{ ... on Query { top { sku } ... on Query { now } } again { ... on Query { top { name } } } }",
    "nothing but a typename": "{ __typename }",
    "all skipped": "{ now @skip(if: true) }",
    "all skipped below": "{ top { sku @skip(if: true) stock @include(if: false) } }",
    "an unknown entity": '{ product(sku: "zzz") { name stock } }',
    "introspection beside data": '{ __type(name: "Product") { name fields { name } } now __schema { queryType { name } } }',
    "introspection alone": '{ __type(name: "Kind") { enumValues { name } } }',
    "a mutation and what it changed": 'mutation { rename(sku: "a", name: "New") { name safe } restock(sku: "a") { name safe } }',
    "a mutation of nothing": 'mutation { rename(sku: "zzz", name: "New") { name stock } touch }',
    "one mutation twice": "mutation { a: touch b: touch ... on Mutation { c: touch a: touch t: __typename } }",
    "deep and wide": "{ products { brand { score name } related { sku rating related { safe cover { __typename likes } } } } }",
}


class Gateway:
    """Planner and executor over the shop's fakes, which are served while a test runs."""

    def __init__(self, fakes: list[FakeSubgraph]) -> None:
        self.settings = Settings(development=True, subgraph_urls={each.name: each.url for each in fakes})
        self.transport = Transport(self.settings.limits)
        self.executor = Executor(supergraph(), self.transport, self.settings)
        self.planner = Planner(supergraph())

    async def answer(self, document: str, variables: Mapping[str, Any]) -> GraphQLResponse:
        operation = normalise(parse(document), None, supergraph().api_schema)
        executable = self.executor.prepare(self.planner.plan(operation), operation)
        return await self.executor.execute(executable, variables, FetchContext())


def comparable(data: Any, errors: Any) -> tuple[str, list[str]]:
    return json.dumps(data, indent=1), sorted(
        {json.dumps(null_of(data, each.get("path") or [])) for each in errors or ()}
    )


def null_of(data: Any, path: list[str | int]) -> list[str | int]:
    """The null that an error explains: a server may stop at the first of several errors below one null."""
    for depth, step in enumerate(path):
        if data is None:
            return path[:depth]
        data = data[step]
    assert data is None, f"an error at {path}, where the data is {data!r}"
    return path


async def both(document: str, variables: Mapping[str, Any]) -> tuple[Any, Any, GraphQLResponse]:
    """The monolith's answer and the gateway's, each over a world of its own."""
    schema = supergraph().api_schema
    assert validate(schema, parse(document)) == []
    _, roots = world()
    whole = await answer_whole(schema, document, variables, roots)
    fakes = subgraphs(*world())
    async with served(*fakes):
        gateway = Gateway(fakes)
        try:
            response = await gateway.answer(document, variables)
        finally:
            await gateway.transport.aclose()
    return comparable(whole["data"], whole.get("errors")), comparable(response.data, response.errors), response


@pytest.mark.parametrize("document", OPERATIONS.values(), ids=OPERATIONS.keys())
async def test_the_graph_answers_as_one_server(document: str) -> None:
    whole, federated, response = await both(document, {})
    assert federated == whole, response.errors


@pytest.mark.parametrize("flags", [{"p": True, "q": False}, {"p": False, "q": True}, {"p": True, "q": True}])
async def test_conditions_on_a_required_field_leave_its_neighbours_alone(flags: dict[str, bool]) -> None:
    document = """query($p: Boolean!, $q: Boolean!) {
      products { size @include(if: $p) { width } shipping @skip(if: $q) safe rating
        ... @include(if: $q) { offer price @skip(if: $p) { currency } } } }"""
    whole, federated, response = await both(document, flags)
    assert federated == whole, response.errors


@pytest.mark.parametrize(
    "document",
    [
        "subscription { counted { sku safe } }",
        "subscription { c: counted { name stock price { amount } rating reviews { text } } }",
        "subscription { counted { shipping offer cover { __typename likes } } }",
    ],
)
async def test_each_event_of_a_subscription_is_what_one_server_would_send(document: str) -> None:
    _, roots = world()
    schema = supergraph().api_schema
    whole = [comparable(each["data"], each.get("errors")) async for each in events_whole(schema, document, roots)]
    fakes = subgraphs(*world())
    async with served(*fakes):
        gateway = Gateway(fakes)
        subscriptions = Subscriptions(gateway.transport, gateway.settings)
        operation = normalise(parse(document), None, schema)
        executable = gateway.executor.prepare(gateway.planner.plan(operation), operation)
        ready = Subscribed(executor=gateway.executor, executable=executable, variables={}, context=FetchContext())
        responses = subscriptions.subscribe(ready)
        federated = [comparable(each.data, each.errors) async for each in responses]
        await gateway.transport.aclose()
    assert len(whole) == 5
    assert federated == whole


@given(data=st.data())
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_operation_is_answered_as_by_one_server(data: st.DataObject) -> None:
    schema = supergraph().api_schema
    document = data.draw(operations(schema))
    assume(validate(schema, parse(document)) == [])
    flags = {flag: data.draw(st.booleans()) for flag in FLAGS if f"${flag}" in document}
    whole, federated, response = asyncio.run(both(document, flags))
    assert federated == whole, (document, flags, response.errors)
