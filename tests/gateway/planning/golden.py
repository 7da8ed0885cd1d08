"""Golden plans as documents: why a case matters, its subgraphs, the operation, and the plan it should have.

::

    # why
    What goes wrong where a planner does not see to it, in a sentence or two.
    # world
    store
    # operation
    { … }
    # variables
    {"p": true}
    # plan
    query: 2 fetches, 2 rounds …

A document names one of the ``worlds``, or brings its own subgraphs: ``# subgraph NAME`` instead of ``# world``. Variables
are there only where the operation has some, a line for each set of values it is to be asked with.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.plan import render_text
from tests.gateway.planning.small_worlds import SubgraphTexts, planned_over, subgraphs_of

PLANS = sorted((Path(__file__).parent / "plans").glob("*.plan"))


@dataclass(frozen=True, slots=True, kw_only=True)
class GoldenPlan:
    """One document, read."""

    subgraphs: SubgraphTexts
    operation: str
    variables: tuple[dict[str, Any], ...]
    """Each set of values to ask the operation with."""
    plan: str


def read(path: Path) -> GoldenPlan:
    sections = re.findall(r"^# ([a-z]+(?: \w+)?)\n(.*?)(?=^# |\Z)", path.read_text(), flags=re.MULTILINE | re.DOTALL)
    said = dict(sections)
    own = tuple((name.removeprefix("subgraph "), text) for name, text in sections if name.startswith("subgraph "))
    lines = said.get("variables", "{}").strip().splitlines()
    return GoldenPlan(
        subgraphs=own or subgraphs_of(said["world"].strip()),
        operation=said["operation"],
        variables=tuple(json.loads(line) for line in lines),
        plan=said["plan"],
    )


def accepted(path: Path, plan: str) -> None:
    """Puts this plan into the document."""
    text = path.read_text()
    path.write_text(text[: text.index("# plan\n")] + "# plan\n" + plan)


def plan_now(path: Path) -> str:
    """The text of the plan as the planner makes it now; one that ``verify`` finds fault with fails the test."""
    golden = read(path)
    return render_text(planned_over(golden.subgraphs, golden.operation))
