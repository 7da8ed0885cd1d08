"""The README's tables name tests that exist: what was renamed or removed is noticed here."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
TESTS = HERE.parents[1]
README = (HERE / "README.md").read_text()


def test_every_test_it_names_is_collected() -> None:
    named = set(re.findall(r"`([\w/]+\.py::[^`]+)`", README))
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
    assert named
    assert named - existing == set()


def test_every_plan_it_links_to_is_there_and_none_is_left_out() -> None:
    linked = set(re.findall(r"\(plans/(\w+\.plan)\)", README))
    assert linked == {path.name for path in (HERE / "plans").iterdir()}
