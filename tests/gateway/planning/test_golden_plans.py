"""Golden plans are documents, and each is the plan of its operation, in whatever process it is made."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.gateway.planning.golden import PLANS, accepted, plan_now, read


@pytest.mark.parametrize("path", PLANS, ids=lambda path: path.stem)
def test_the_plan_is_the_one_in_the_document(path: Path, accept: bool) -> None:
    plan = plan_now(path)
    if accept:
        accepted(path, plan)
    assert plan == read(path).plan


@pytest.mark.parametrize("seed", ["1", "2"])
def test_every_plan_is_the_same_whatever_the_hash_seed(seed: str) -> None:
    program = (
        "import json; from tests.gateway.planning.golden import PLANS, plan_now;"
        "print(json.dumps({path.stem: plan_now(path) for path in PLANS}))"
    )
    said = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        check=True,
        text=True,
    )
    assert json.loads(said.stdout) == {path.stem: read(path).plan for path in PLANS}
