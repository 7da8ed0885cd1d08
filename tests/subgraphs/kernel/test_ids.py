"""Identities: sorted by birth, typed by prefix, the same from the same parts when asked."""

from __future__ import annotations

import threading
import time

import pytest

from subgraphs.kernel.ids import deterministic_id, has_prefix, new_id, ulid, ulid_time_ms


def test_ulids_of_one_process_only_ever_grow() -> None:
    made = [ulid() for _ in range(5000)]
    assert made == sorted(set(made))


def test_ulids_stay_distinct_when_threads_make_them_together() -> None:
    made: list[str] = []
    threads = [threading.Thread(target=lambda: made.extend(ulid() for _ in range(1000))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(made)) == 4000


def test_an_identity_tells_its_type_and_its_birth() -> None:
    before = time.time_ns() // 1_000_000
    identity = new_id("prd")
    assert has_prefix(identity, "prd")
    assert not has_prefix(identity, "ord")
    assert before <= ulid_time_ms(identity) <= before + 60_000


def test_a_given_time_is_kept_to_the_millisecond() -> None:
    assert ulid_time_ms(new_id("ord", at_ms=1_700_000_000_123)) == 1_700_000_000_123


@pytest.mark.parametrize("text", ["prd_", "prd", "", "prd_01J", "prd_" + "U" * 26, "prd_" + "8" + "0" * 25])
def test_what_is_malformed_has_no_prefix_and_no_time(text: str) -> None:
    assert not has_prefix(text, "prd")
    with pytest.raises(ValueError, match="not an identity"):
        ulid_time_ms(text)


def test_prefixes_may_hold_underscores() -> None:
    assert has_prefix(new_id("price_list"), "price_list")
    assert not has_prefix(new_id("price_list"), "price")


def test_the_same_parts_make_the_same_identity_and_others_another() -> None:
    first = deterministic_id("cus", 7, "anna", at_ms=1_000)
    assert first == deterministic_id("cus", 7, "anna", at_ms=1_000)
    assert first != deterministic_id("cus", 7, "berta", at_ms=1_000)
    assert deterministic_id("cus", "a", "b", at_ms=1) != deterministic_id("cus", "ab", at_ms=1)
    assert ulid_time_ms(first) == 1_000


@pytest.mark.parametrize("at_ms", [-1, 2**48])
def test_a_time_that_does_not_fit_is_refused(at_ms: int) -> None:
    with pytest.raises(ValueError, match="milliseconds"):
        ulid(at_ms=at_ms)
