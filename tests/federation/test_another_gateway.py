"""The house's supergraph in somebody else's gateway: what we compose is the join spec, not a dialect of ours."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.kit.prerequisites import FOREIGN_GATEWAY, foreign_gateway, why_no_foreign_gateway

ROOT = Path(__file__).parents[2]
SUPERGRAPH = (ROOT / "schema" / "supergraph.graphql").read_text()
OPERATIONS = ROOT / "schema" / "operations"


@pytest.fixture(autouse=True)
def _foreign_gateway() -> None:
    if foreign_gateway() is None:
        pytest.skip(why_no_foreign_gateway())


def asked(supergraph: str) -> dict[str, Any]:
    """What @apollo/gateway says to this supergraph and the product page."""
    given = {
        "supergraph": supergraph,
        "query": (OPERATIONS / "product_page.graphql").read_text(),
        "variables": json.loads((OPERATIONS / "product_page.variables.json").read_text()),
    }
    done = subprocess.run(
        ["node", str(ROOT / "tests" / "kit" / "foreign_gateway.cjs")],
        env={**os.environ, "NODE_PATH": str(FOREIGN_GATEWAY / "node_modules")},
        input=json.dumps(given),
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def fetches(node: dict[str, Any]) -> Iterator[str]:
    """The subgraphs of a plan's fetches."""
    if node["kind"] == "Fetch":
        yield node["serviceName"]
    for below in (
        *node.get("nodes", ()),
        *(node[name] for name in ("node", "ifClause", "elseClause") if node.get(name)),
    ):
        yield from fetches(below)


def test_it_loads_and_plans_the_product_page() -> None:
    # @apollo/gateway enforces no scopes; the test takes the demand away, which no operator should.
    unprotected = re.sub(
        r"(specs\.apollo\.dev/(?:authenticated|requiresScopes)/[^)]*), for: SECURITY", r"\1", SUPERGRAPH
    )
    answer = asked(unprotected)
    assert "refused" not in answer, answer
    found = list(fetches(answer["plan"]["node"]))
    assert set(found) >= {"catalog", "inventory"}
    assert len(found) <= 6


def test_a_gateway_that_enforces_no_scopes_is_told_to_refuse_it() -> None:
    refused = asked(SUPERGRAPH)["refused"]
    assert sorted(re.findall(r"dev/(\w+)/\S+ is for: SECURITY but is unsupported", " ".join(refused))) == [
        "authenticated",
        "requiresScopes",
    ]
