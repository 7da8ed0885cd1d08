"""The page that says which test would notice what names tests that exist, and every golden plan."""

from __future__ import annotations

import re
from pathlib import Path

HERE = Path(__file__).parent
NAMED = re.findall(r"`([\w./]+\.(?:py|plan|txt)(?:::\w+)?)`", (HERE / "README.md").read_text())


def test_every_test_that_is_named_exists() -> None:
    missing = []
    for each in NAMED:
        file, _, test = each.partition("::")
        path = HERE / file
        if not path.is_file() or (test and f"def {test}(" not in path.read_text()):
            missing.append(each)
    assert missing == []


def test_every_test_of_a_pitfall_is_named() -> None:
    found = re.findall(r"^def (test_\w+)", (HERE / "test_requirements.py").read_text(), flags=re.MULTILINE)
    assert {f"test_requirements.py::{each}" for each in found} <= set(NAMED)
