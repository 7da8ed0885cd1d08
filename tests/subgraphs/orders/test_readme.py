"""The README's table has every point once, and names tests that exist: what was renamed or removed is noticed here."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
TESTS = HERE.parents[1]
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in (HERE / "README.md").read_text().splitlines()
    if line.startswith("|")
][2:]
TEST = re.compile(r"`([\w/]+\.py::[^`]+)`")
POINTS = 27


def test_every_point_is_there_once_and_has_its_tests_or_is_open() -> None:
    assert len({point for point, _, _ in ROWS}) == len(ROWS) == POINTS
    assert [point for point, what, tests in ROWS if (what == "open") == bool(TEST.findall(tests))] == []


def test_every_test_it_names_is_collected() -> None:
    named = {test for _, _, tests in ROWS for test in TEST.findall(tests)}
    files = sorted({each.partition("::")[0] for each in named})
    collected = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:randomly", *files],
        cwd=TESTS,
        capture_output=True,
        check=True,
        text=True,
    )
    existing = {line.removeprefix("tests/") for line in collected.stdout.splitlines()}
    existing |= {each.partition("[")[0] for each in existing}  # a test named without its cases stands for all of them
    assert named - existing == set()
