"""A soak tells what grows from what is flat, and its mixture is answered as it should be."""

from __future__ import annotations

import pytest

from tests.benchmarks.pinning import Cores
from tests.benchmarks.rivals.questions import WrongAnswer
from tests.benchmarks.soak import HELD_MB_MAX, MISTAKES, MIXTURE, Mistake, soak, verdict

ANYWHERE = Cores(frozenset(), frozenset())


def test_caches_that_fill_in_the_first_half_are_no_leak() -> None:
    found = verdict([75, 85, 95, 100, 101, 101.2, 100.9, 101.1], 1_000_000)
    assert found.flat
    assert found.text.startswith("Flat: ")


def test_what_rises_by_the_same_in_each_part_is_one() -> None:
    found = verdict([100.0 + 2 * part for part in range(20)], 100_000)
    assert not found.flat
    # Two megabytes in each twentieth.
    assert "+400.0 MB a million" in found.text


def test_a_fall_at_the_very_end_hides_no_rise() -> None:
    assert not verdict([80, 90, 100, 110, 120, 130, 140, 139], 1_000).flat


def test_a_mistake_is_an_answer_with_its_one_error() -> None:
    mistake = Mistake("{ no }", {}, code="NO")
    mistake.check(b'{"errors":[{"message":"no","extensions":{"code":"NO"}}]}', b"")
    for reply in (b'{"data":{"no":1}}', b'{"errors":[{"message":"no","extensions":{"code":"OTHER"}}]}'):
        with pytest.raises(WrongAnswer):
            mistake.check(reply, b"")


async def test_a_wrong_answer_ends_it_and_says_to_what(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.benchmarks.soak.MIXTURE", ("tiny", "a field there is not"))
    monkeypatch.setitem(MISTAKES, "a field there is not", Mistake("{ no }", {}, code="ANOTHER"))
    with pytest.raises(WrongAnswer, match=r"a field there is not: .*GRAPHQL_VALIDATION_FAILED"):
        await soak(40, parts=1, division=ANYWHERE, say=str)


async def test_a_worker_answers_the_whole_mixture_and_stays_small() -> None:
    said: list[str] = []
    held = await soak(4 * len(MIXTURE), parts=4, division=ANYWHERE, say=said.append)
    assert len(held) == 4
    assert max(held) < HELD_MB_MAX
    assert said[-1].startswith(f"{4 * len(MIXTURE):,} requests: ")
