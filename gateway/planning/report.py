"""``plan --jsonl``: one JSON line in, one JSON line out. Only sizes are reported; no plan is executed."""

from __future__ import annotations

import json
from functools import lru_cache

from graphql import GraphQLError, parse

from gateway.errors import GatewayError
from gateway.operation import normalise
from gateway.plan import depth, fetch_count
from gateway.planning.planner import Planner
from gateway.supergraph import Supergraph


@lru_cache(maxsize=8)
def _planner(sdl: str) -> tuple[Supergraph, Planner]:
    supergraph = Supergraph.parse(sdl)
    return supergraph, Planner(supergraph)


def plan_jsonl_line(line: str) -> str:
    """``{"supergraph", "query", "operationName"?}`` → ``{"ok": true, "fetch_count", "depth"}`` or ``{"ok": false, "error"}``."""
    try:
        request = json.loads(line)
        supergraph, planner = _planner(request["supergraph"])
        operation = normalise(parse(request["query"]), request.get("operationName"), supergraph.api_schema)
        plan = planner.plan(operation)
    except (GatewayError, GraphQLError, ValueError, KeyError) as error:
        return json.dumps({"ok": False, "error": f"{type(error).__name__}: {error}"})
    return json.dumps({"ok": True, "fetch_count": fetch_count(plan), "depth": depth(plan)})
