"""What a run came to: what buyers were told against what the books say, the invariants, and the report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from subgraphs.audit.books import Books, Finding
from subgraphs.audit.invariants import audit
from tests.chaos.faults import Kill
from tests.chaos.traffic import UNKNOWN, Trail


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A run's figures; ``violations`` is empty if nothing was lost, sold twice, or left lying about."""

    seconds: float
    trails: tuple[Trail, ...]
    kills: tuple[Kill, ...]
    harm: dict[str, int]
    settled_s: float
    undecided: dict[str, int]
    findings: tuple[Finding, ...]
    violations: tuple[str, ...]

    @property
    def ok(self) -> bool:
        return not self.violations

    def lines(self) -> list[str]:
        """The report."""
        buyers = [trail for trail in self.trails if trail.kind == "buyer"]
        told = Counter(trail.told for trail in buyers)
        decided = sorted(trail.decided_s for trail in buyers if trail.decided_s is not None)
        declined, unknown = told.pop("PaymentDeclined", 0), told.pop(UNKNOWN, 0)
        others = Counter(f"{trail.kind}: {trail.told}" for trail in self.trails if trail.kind != "buyer")
        completed = told.pop("order", 0)
        refused = ", ".join(f"{count} {name}" for name, count in sorted(told.items())) or "none"
        facts = sum(finding.facts for finding in self.findings)
        return [
            f"checkouts   {len(buyers)} tried in {self.seconds:.0f} s ({len(buyers) / self.seconds:.1f} a second):"
            f" {completed} completed, {declined} declined, {unknown} unknown to the buyer; refused: {refused}",
            f"beside them {', '.join(f'{count} {name}' for name, count in sorted(others.items())) or 'nobody'}",
            f"decided in  p50 {_quantile(decided, 0.5):.2f} s, p99 {_quantile(decided, 0.99):.2f} s, most {_quantile(decided, 1):.2f} s",
            f"asked again {', '.join(f'{count} {said}' for said, count in sorted(self.undecided.items())) or 'never'}",
            f"kill -9     {', '.join(f'{n} times {name}' for name, n in Counter(kill.victim for kill in self.kills).items())}",
            f"harm done   {', '.join(f'{count} {name}' for name, count in sorted(self.harm.items())) or 'none'}",
            f"at rest     {self.settled_s:.1f} s after the last buyer left",
            f"audited     {facts:,} facts: " + " ".join(one.number for one in self.findings if one.kept and one.ok),
            *(f"VIOLATION   {violation}" for violation in self.violations),
            f"{len(self.violations)} violations",
        ]


def judge(books: Books, trails: Sequence[Trail]) -> tuple[tuple[Finding, ...], tuple[str, ...]]:
    """The findings, and every violation: of an invariant, or of what somebody was told."""
    findings = audit(books)
    broken = [f"{finding.number} {text}" for finding in findings for text in finding.violations]
    return findings, (*broken, *_promises(books, trails))


def _promises(books: Books, trails: Sequence[Trail]) -> list[str]:
    orders = books.by_id("orders", "orders")
    of_checkout = {row["origin"].removeprefix("checkout:"): row for row in orders.values()}
    receipts = Counter(row["receipt"]["no"] for row in orders.values() if row.get("receipt"))
    broken = []
    for trail in trails:
        made = of_checkout.get(trail.checkout_id or "")
        if trail.told == "order" and trail.order_id not in orders:
            broken.append(f"told {trail.order_id} ({trail.checkout_id or trail.receipt}), and it is not there")
        if trail.kind == "buyer" and trail.told == "order" and (made is None or made["_id"] != trail.order_id):
            broken.append(f"told {trail.order_id}, and {trail.checkout_id} made {made and made['_id']}")
        if trail.kind == "buyer" and trail.told not in ("order", UNKNOWN) and made is not None:
            broken.append(f"told {trail.told}, and {trail.checkout_id} made {made['_id']}")
        if trail.kind == "register":
            count = receipts[trail.receipt or ""]
            if count > 1 or (trail.told == "order" and count != 1):
                broken.append(f"receipt {trail.receipt} is recorded {count} times, its register was told {trail.told}")
    return broken


def _quantile(values: Sequence[float], share: float) -> float:
    return values[min(len(values) - 1, int(share * len(values)))] if values else 0.0
