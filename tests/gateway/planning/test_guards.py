"""The algebra of guards agrees with truth tables."""

from __future__ import annotations

from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from gateway.plan import Condition, Guard
from gateway.planning.guards import ALWAYS, both, either, either_of, under

NAMES = ("a", "b", "c")
conditions = st.tuples(st.sampled_from(NAMES), st.booleans())
conjunctions = st.dictionaries(st.sampled_from(NAMES), st.booleans(), min_size=1).map(
    lambda d: tuple(sorted(d.items()))
)
guards = st.lists(conjunctions, max_size=3).map(lambda found: tuple(dict.fromkeys(found)))


def holds(guard: Guard | None, values: dict[str, bool]) -> bool:
    if guard is None:
        return False
    return guard == ALWAYS or any(all(values[name] == wanted for name, wanted in each) for each in guard)


def tables() -> list[dict[str, bool]]:
    return [dict(zip(NAMES, values, strict=True)) for values in product((True, False), repeat=len(NAMES))]


@given(guards, guards)
def test_either_holds_when_one_does(first: Guard, second: Guard) -> None:
    for values in tables():
        assert holds(either(first, second), values) == (holds(first, values) or holds(second, values))


@given(guards, st.lists(conditions, max_size=3).map(tuple))
def test_both_holds_when_guard_and_conditions_do(guard: Guard, more: tuple[Condition, ...]) -> None:
    for values in tables():
        expected = holds(guard, values) and all(values[name] == wanted for name, wanted in more)
        assert holds(both(guard, more), values) == expected


@given(guards, conjunctions)
def test_under_is_the_guard_where_the_conditions_hold(guard: Guard, holding: tuple[Condition, ...]) -> None:
    for values in tables():
        if all(values[name] == wanted for name, wanted in holding):
            assert holds(under(guard, frozenset(holding)), values) == holds(guard, values)


def test_many_alternatives_widen_to_always() -> None:
    assert either_of(((f"v{number}", True),) and (((f"v{number}", True),),) for number in range(9)) == ALWAYS
