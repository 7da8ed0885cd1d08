"""Settlement files gone wrong, as they come in real life, planted by seed; and the truth about what was planted.

Of the rows of a file a share is hit: an amount is off by one, a row is missing, or a row is there that nobody here knows.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

from subgraphs.kernel.money import Money
from subgraphs.orders.model.settlement import Row


@dataclass(frozen=True, slots=True)
class Planted:
    """The rows as the file has them, and the references that were hit."""

    rows: tuple[Row, ...]
    amount: tuple[str, ...]
    missing: tuple[str, ...]
    unknown: tuple[str, ...]


def plant(rows: Sequence[Row], share: float, seed: int) -> Planted:
    """Hits each row with that chance; the same seed hits the same rows."""
    found, amount, missing, unknown = list[Row](), list[str](), list[str](), list[str]()
    for row in rows:
        draw = random.Random(f"{seed}:{row.provider_ref}")  # noqa: S311 -- data, not secrets
        kind = draw.choice(("amount", "missing", "unknown")) if draw.random() < share else None
        if kind == "missing":
            missing.append(row.provider_ref)
            continue
        if kind == "amount":
            amount.append(row.provider_ref)
            found.append(replace(row, gross=row.gross - Money(1, row.gross.currency)))
            continue
        found.append(row)
        if kind == "unknown":
            stranger = f"sbx_stranger_{draw.randrange(10**12):012}"
            unknown.append(stranger)
            found.append(replace(row, provider_ref=stranger))
    return Planted(tuple(found), tuple(amount), tuple(missing), tuple(unknown))
