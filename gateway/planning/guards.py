"""Guards: under which ``@skip``/``@include`` variables something is wanted. Pure algebra; no fields, no fetches.

A guard is a disjunction of conjunctions. ``()`` always holds. What never holds has no guard: ``both`` returns None.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from gateway.plan import Condition, Guard

ALWAYS: Final[Guard] = ()
CONJUNCTIONS_MAX: Final = 8
"""A guard with more alternatives than this is widened to ``ALWAYS``: fetching too much is sound, and rare."""


def both(guard: Guard, conditions: tuple[Condition, ...]) -> Guard | None:
    """The guard and all these conditions; None when they contradict each other."""
    if not conditions:
        return guard
    found = []
    for conjunction in guard or ((),):
        merged = dict(conjunction)
        if all(merged.setdefault(name, wanted) == wanted for name, wanted in conditions):
            found.append(tuple(sorted(merged.items())))
    return tuple(found) if found else None


def either(first: Guard, second: Guard) -> Guard:
    """What holds when one of them does."""
    if first == second:
        return first
    if first == ALWAYS or second == ALWAYS:
        return ALWAYS
    return _absorbed({*first, *second})


def either_of(guards: Iterable[Guard]) -> Guard:
    """The disjunction of at least one guard."""
    iterator = iter(guards)
    result = next(iterator, ALWAYS)
    for guard in iterator:
        result = either(result, guard)
    return result


def _absorbed(conjunctions: set[tuple[Condition, ...]]) -> Guard:
    changed = True
    while changed:
        changed = False
        for one in sorted(conjunctions):
            for name, wanted in one:
                opposite = tuple(sorted([(name, not wanted), *(item for item in one if item[0] != name)]))
                if opposite in conjunctions:
                    # (a and x) or (not a and x) is x.
                    conjunctions -= {one, opposite}
                    conjunctions.add(tuple(item for item in one if item[0] != name))
                    changed = True
                    break
            if changed:
                break
    kept = [
        one
        for one in sorted(conjunctions)
        if not any(other != one and set(other) <= set(one) for other in conjunctions)
    ]
    return ALWAYS if () in kept or len(kept) > CONJUNCTIONS_MAX else tuple(kept)


def under(guard: Guard, holding: frozenset[Condition]) -> Guard | None:
    """What is left to check where ``holding`` is known to hold; None when the guard cannot hold there."""
    if guard == ALWAYS:
        return ALWAYS
    found: set[tuple[Condition, ...]] = set()
    for conjunction in guard:
        if any((name, not wanted) in holding for name, wanted in conjunction):
            continue
        found.add(tuple(item for item in conjunction if item not in holding))
    return _absorbed(found) if found else None
