"""Golden plans are documents: why the case matters, the operation, the plan."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gateway.plan import render_text
from tests.gateway.planning.small_worlds import planned

PLANS = sorted((Path(__file__).parent / "plans").glob("*.plan"))


@pytest.mark.parametrize("path", PLANS, ids=lambda path: path.stem)
def test_the_plan_is_the_one_in_the_document(path: Path, accept: bool) -> None:
    text = path.read_text()
    sections = dict(re.findall(r"^# (\w+)\n(.*?)(?=^# \w+\n|\Z)", text, flags=re.MULTILINE | re.DOTALL))
    plan = render_text(planned(sections["world"].strip(), sections["operation"]))
    if accept:
        path.write_text(text[: text.index("# plan\n")] + "# plan\n" + plan)
    assert plan == sections["plan"] or accept
