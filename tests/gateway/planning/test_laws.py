"""Laws of planning: whatever the operation, the plan is sound, and always the same."""

from __future__ import annotations

import re

import pytest
from graphql import parse, validate
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from gateway.incremental import with_directives
from gateway.operation import normalise
from gateway.planning.planner import Planner
from gateway.planning.verify import verify
from tests.gateway.planning.generated import FLAGS, operations
from tests.gateway.planning.simulated import Interpreter, World, answered_by_one_server
from tests.gateway.planning.small_worlds import WORLDS, planner_of, supergraph_of


@pytest.mark.parametrize("world", WORLDS)
@given(data=st.data())
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_plan_passes_the_verifier(world: str, data: st.DataObject) -> None:
    supergraph = supergraph_of(world)
    document = parse(data.draw(operations(supergraph.api_schema)))
    assume(not validate(supergraph.api_schema, document))
    operation = normalise(document, None, supergraph.api_schema)
    plan = planner_of(world).plan(operation)
    assert verify(plan, operation, supergraph) == []


@pytest.mark.parametrize("world", WORLDS)
@given(data=st.data())
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_plan_with_deferred_blocks_passes_the_verifier(world: str, data: st.DataObject) -> None:
    supergraph = supergraph_of(world)
    schema = with_directives(supergraph.api_schema)
    text = re.sub(
        r"(\.\.\. on \w+)",
        lambda found: found[1] + data.draw(st.sampled_from([" @defer", ""])),
        data.draw(operations(schema)),
    )
    document = parse(text)
    assume(not validate(schema, document))
    operation = normalise(document, None, schema, deferred_max=20)
    assert verify(planner_of(world).plan(operation), operation, supergraph) == []


@pytest.mark.parametrize("world", WORLDS)
@given(data=st.data(), flags=st.fixed_dictionaries(dict.fromkeys(FLAGS, st.booleans())))
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_the_subgraphs_together_answer_what_one_server_would(
    world: str, data: st.DataObject, flags: dict[str, bool]
) -> None:
    supergraph = supergraph_of(world)
    document = parse(data.draw(operations(supergraph.api_schema)))
    assume(not validate(supergraph.api_schema, document))
    operation = normalise(document, None, supergraph.api_schema)
    plan = planner_of(world).plan(operation)
    imaginary = World(supergraph)
    expected = answered_by_one_server(imaginary, operation, flags)
    assert Interpreter(imaginary, operation, flags).run(plan) == expected


@pytest.mark.parametrize("world", WORLDS)
@given(data=st.data())
@settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_plan_depends_on_nothing_but_its_operation(world: str, data: st.DataObject) -> None:
    supergraph = supergraph_of(world)
    document = parse(data.draw(operations(supergraph.api_schema)))
    assume(not validate(supergraph.api_schema, document))
    used = planner_of(world).plan(normalise(document, None, supergraph.api_schema))
    fresh = Planner(supergraph).plan(normalise(document, None, supergraph.api_schema))
    assert used == fresh
