"""Ours agrees with cases whose answers are known; skipped where none are at hand."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.known_cases import cases


@pytest.fixture
def folder(request: pytest.FixtureRequest) -> Path:
    named = request.config.getoption("--known-cases", default=None) or os.environ.get("KNOWN_CASES")
    if not named:
        pytest.skip("no folder of known cases: --known-cases DIR or KNOWN_CASES=DIR")
    return Path(named)


@pytest.mark.timeout(600)
def test_composition_agrees(folder: Path) -> None:
    for path in cases.files(folder, "composition"):
        tally = cases.composition(path)
        assert tally.share("outcome") >= 0.98, (str(tally), tally.differences)
        assert tally.share("codes") >= 0.96, (str(tally), tally.differences)
        assert tally.share("api") == 1, (str(tally), tally.differences)


@pytest.mark.timeout(600)
def test_plans_are_no_longer(folder: Path) -> None:
    for path in cases.files(folder, "plans"):
        tally = cases.planning(path)
        assert tally.share("fetches") >= 0.98, (str(tally), tally.differences)
        assert tally.share("rounds") >= 0.99, (str(tally), tally.differences)
