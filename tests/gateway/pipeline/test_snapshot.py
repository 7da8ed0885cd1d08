"""What a snapshot remembers of plans."""

from __future__ import annotations

import gc
from concurrent.futures import ThreadPoolExecutor

import pytest
from graphql import FieldNode

from gateway.config import Settings
from gateway.execution.transport import Transport
from gateway.operation import Operation
from gateway.pipeline.snapshot import Snapshot
from gateway.plan import QueryPlan
from subgraphs.chassis.identity import ANONYMOUS
from tests.kit.running_gateway import supergraph


@pytest.fixture
def snapshot() -> Snapshot:
    settings = Settings()
    return Snapshot(supergraph(), settings, Transport(settings.limits), ThreadPoolExecutor(1))


@pytest.mark.parametrize(
    ("second", "plans"),
    [
        ("query Other { things { called: name id } }", 1),
        ("query { things { id name } }", 2),
        ("query { things(first: 1) { name id } }", 2),
        ("query ($p: Boolean = true) { things { name @include(if: $p) id } }", 2),
        ("query { a: things { name } b: things { id } }", 2),
    ],
    ids=["names", "order", "arguments", "conditions", "an object twice"],
)
async def test_operations_that_differ_in_names_alone_are_planned_once(
    snapshot: Snapshot, monkeypatch: pytest.MonkeyPatch, second: str, plans: int
) -> None:
    made: list[QueryPlan] = []
    plan = snapshot.planner.plan

    def counted(operation: Operation) -> QueryPlan:
        made.append(plan(operation))
        return made[-1]

    monkeypatch.setattr(snapshot.planner, "plan", counted)
    for text in ("query First { things { name id } }", second):
        await snapshot.plan(await snapshot.prepare(text, None, incremental=False), ANONYMOUS)
    assert len(made) == plans


async def test_an_operation_that_is_remembered_does_not_keep_its_documents_tree() -> None:
    settings = Settings(document_cache_bytes_max=1)
    snapshot = Snapshot(supergraph(), settings, Transport(settings.limits), ThreadPoolExecutor(1))
    text = "query ($first: Int) { things(first: $first) { rarelyCalledThis: name } }"
    prepared = await snapshot.prepare(text, None)
    await snapshot.plan(prepared, ANONYMOUS)
    gc.collect()
    aliases = {node.alias.value for node in gc.get_objects() if type(node) is FieldNode and node.alias is not None}
    assert await snapshot.prepare(text, None) is prepared
    assert "rarelyCalledThis" not in aliases
