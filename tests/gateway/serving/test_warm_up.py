"""Registered operations are ready before the first client is served: read, planned, compiled."""

from __future__ import annotations

from pathlib import Path

from gateway.execution.compiled.program import RUNS
from tests.kit.running_gateway import running_gateway


async def test_the_first_request_for_a_registered_operation_runs_its_compiled_plan(tmp_path: Path) -> None:
    document = "query Things { things { id units } }"
    (tmp_path / "things.graphql").write_text(document)
    (tmp_path / "broken.graphql").write_text("{ nope }")
    before = RUNS.labels("whole")._value.get()
    async with running_gateway(operations=tmp_path) as running:
        answer = await running.http.post("/graphql", json={"query": document})
    assert answer.json()["data"]["things"]
    assert RUNS.labels("whole")._value.get() == before + 1
