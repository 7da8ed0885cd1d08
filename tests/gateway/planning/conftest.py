"""``--accept``: rewrite the golden plans with what the planner says now; the diff is the review."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--accept", action="store_true", default=False, help="rewrite the golden plans")


@pytest.fixture
def accept(request: pytest.FixtureRequest) -> bool:
    """Whether golden plans are to be rewritten (never when the whole suite runs, which does not know the option)."""
    return bool(request.config.getoption("--accept", default=False))
