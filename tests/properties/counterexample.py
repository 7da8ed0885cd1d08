"""A counterexample as a document: why it matters, the subgraphs, the operation. ``counterexamples/`` keeps them for ever.

::

    # why
    What went wrong, in a sentence.
    # subgraph a
    type Query { … }
    # operation
    { … }
    # variables
    {"p": true}
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

from graphql import parse, print_ast

from tests.properties.law import Ask, SubgraphTexts

KEPT = Path(__file__).parent / "counterexamples"


@dataclass(frozen=True, slots=True)
class Counterexample:
    """A world and what to ask of it."""

    why: str
    subgraphs: SubgraphTexts
    ask: Ask

    def __str__(self) -> str:
        parts = [("why", self.why)]
        parts += [(f"subgraph {name}", print_ast(parse(sdl))) for name, sdl in self.subgraphs]
        parts.append(("operation", print_ast(parse(self.ask.query))))
        if self.ask.variables:
            parts.append(("variables", json.dumps(self.ask.variables)))
        return "\n".join(f"# {name}\n{text.strip()}\n" for name, text in parts)


def read(text: str) -> Counterexample:
    """The inverse of ``str``. A line that begins with ``# `` starts a section."""
    sections = re.findall(r"^# ([^\n]+)\n(.*?)(?=^# |\Z)", text, flags=re.MULTILINE | re.DOTALL)
    said = dict(sections)
    subgraphs = tuple((name.removeprefix("subgraph "), sdl) for name, sdl in sections if name.startswith("subgraph "))
    return Counterexample(
        said["why"].strip(), subgraphs, Ask(said["operation"], json.loads(said.get("variables", "{}")))
    )
