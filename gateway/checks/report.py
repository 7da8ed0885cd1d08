"""A check for people and for programs: text and JSON. No judgement of its own."""

from __future__ import annotations

from typing import Any

from gateway.checks.changes import Change, Severity
from gateway.checks.check import Check, OperationChange, PlanSize

OPERATIONS_SHOWN = 5


def render_text(check: Check) -> str:
    """Grouped by severity, worst first; then the operations; the last line sums up."""
    lines: list[str] = []
    for severity in Severity:
        found = [change for change in check.changes if change.severity is severity]
        if found:
            lines += [f"{severity.value}", *(line for change in found for line in _change_lines(change)), ""]
    for word, names in (("added", check.subgraphs_added), ("removed", check.subgraphs_removed)):
        if names:
            lines += [f"subgraphs {word}: {', '.join(names)}", ""]
    told = [line for each in check.operations for line in _operation_lines(each)]
    if told:
        lines += ["operations", *told, ""]
    lines.append(_summary(check))
    return "\n".join(lines) + "\n"


def _change_lines(change: Change) -> list[str]:
    lines = [f"  {change.coordinate}: {change.text}"]
    if change.operations:
        shown = ", ".join(change.operations[:OPERATIONS_SHOWN])
        more = len(change.operations) - OPERATIONS_SHOWN
        lines.append(f"      hits {shown}" + (f" and {more} more" if more > 0 else ""))
    if change.fix and change.severity is not Severity.SAFE:
        lines.append(f"      instead: {change.fix}")
    return lines


def _operation_lines(operation: OperationChange) -> list[str]:
    if operation.invalid_before:
        return [f"  {operation.name}: was not valid before, either: {operation.invalid_before[0]}"]
    if operation.invalid:
        return [f"  {operation.name}: no longer valid", *(f"      {reason}" for reason in operation.invalid)]
    before, after = operation.before, operation.after
    if before is None or after is None or before == after:
        return []
    text = f"  {operation.name}: {_cost(before)} → {_cost(after)}"
    gone, come = before.subgraphs - after.subgraphs, after.subgraphs - before.subgraphs
    parts = [
        f"{sign}{count} {name}" for sign, found in (("-", gone), ("+", come)) for name, count in sorted(found.items())
    ]
    return [text + (f" ({', '.join(parts)})" if parts else "")]


def _cost(size: PlanSize) -> str:
    fetches = f"{size.fetches} fetch{'' if size.fetches == 1 else 'es'}"
    return f"{fetches} in {size.rounds} round{'' if size.rounds == 1 else 's'}" + (
        " (search cut short)" if size.truncated else ""
    )


def _summary(check: Check) -> str:
    counts = {severity: sum(change.severity is severity for change in check.changes) for severity in Severity}
    text = ", ".join(f"{count} {severity.value}" for severity, count in counts.items())
    if not check.weighed:
        return f"{text}; no operations were given, so every client is thought of"
    known = [each for each in check.operations if not each.invalid_before]
    invalid = sum(bool(each.invalid) for each in known)
    plans = "".join(f", {what} {before} → {after}" for what, (before, after) in _totals(check).items())
    return f"{text}; {len(check.operations)} operations, {invalid} broken{plans}"


def _totals(check: Check) -> dict[str, tuple[int, int]]:
    """Before and after, of the operations that have a plan on both graphs; empty without any."""
    both = [
        (each.before, each.after) for each in check.operations if each.before is not None and each.after is not None
    ]
    if not both:
        return {}
    return {
        "fetches": (sum(before.fetches for before, _ in both), sum(after.fetches for _, after in both)),
        "rounds": (sum(before.rounds for before, _ in both), sum(after.rounds for _, after in both)),
    }


def render_json(check: Check) -> dict[str, Any]:
    """``{"severity", "weighed", "changes", "operations", "totals", "subgraphs"}``."""
    return {
        "severity": check.severity.value,
        "weighed": check.weighed,
        "changes": [
            {
                "coordinate": change.coordinate,
                "text": change.text,
                "severity": change.severity.value,
                "severityToAnybody": (change.to_anybody or change.severity).value,
                "operations": list(change.operations),
                "fix": change.fix,
            }
            for change in check.changes
        ],
        "operations": [
            {
                "name": each.name,
                "invalidBefore": list(each.invalid_before),
                "invalid": list(each.invalid),
                "before": _size_json(each.before),
                "after": _size_json(each.after),
            }
            for each in check.operations
        ],
        "totals": {what: {"before": before, "after": after} for what, (before, after) in _totals(check).items()},
        "subgraphs": {"added": list(check.subgraphs_added), "removed": list(check.subgraphs_removed)},
    }


def _size_json(size: PlanSize | None) -> dict[str, Any] | None:
    if size is None:
        return None
    return {
        "fetches": size.fetches,
        "rounds": size.rounds,
        "truncated": size.truncated,
        "subgraphs": dict(sorted(size.subgraphs.items())),
    }
