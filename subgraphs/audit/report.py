"""Findings as text for people and as JSON for machines. Nothing is checked here."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

from subgraphs.audit.books import Finding

SHOWN_MAX = 20


def as_text(findings: Sequence[Finding], waiting: Sequence[str]) -> str:
    """A line an invariant, with the first violations below it; what is under way; the verdict."""
    lines = []
    for finding in findings:
        if not finding.kept:
            lines.append(f"{finding.number:<4} not kept                  {finding.says}")
            continue
        verdict = "holds" if finding.ok else f"{len(finding.violations)} VIOLATIONS"
        lines.append(f"{finding.number:<4} {verdict:<14} {finding.facts:>9,}  {finding.says}")
        lines += _some(finding.violations)
    if waiting:
        lines += [f"under way: {len(waiting)}", *_some(waiting)]
    violations = sum(len(finding.violations) for finding in findings)
    facts = sum(finding.facts for finding in findings)
    return "\n".join([*lines, f"{violations} violations in {facts:,} facts"])


def as_json(findings: Sequence[Finding], waiting: Sequence[str]) -> str:
    """``{"findings": [{number, says, facts, violations, kept}], "under_way": [text]}``."""
    return json.dumps({"findings": [asdict(finding) for finding in findings], "under_way": list(waiting)})


def _some(lines: Sequence[str]) -> list[str]:
    shown = [f"       {line}" for line in lines[:SHOWN_MAX]]
    return shown if len(lines) <= SHOWN_MAX else [*shown, f"       and {len(lines) - SHOWN_MAX} more"]
