"""A group's followers, each a number: who comes late, who is slow, who was away."""

from __future__ import annotations

from typing import Any

import pytest
from graphql import build_schema, parse
from hypothesis import given
from hypothesis import strategies as st

from gateway.exchange import GraphQLResponse
from gateway.execution.folding import Folding
from gateway.execution.group import Follower, Gap, Group
from gateway.operation import normalise
from gateway.supergraph import Live

SCHEMA = build_schema("""
type Query { x: Int }
type Subscription { stock(skus: [ID!], resumeToken: String): News }
type News { kind: String items: [Level!] resumeToken: String at: Int }
type Level { sku: ID! left: Int }
""")
LIVE = Live(items="items", key="sku", kind="kind", resume="resumeToken")
WHOLE = "subscription($since: String) { s: stock(resumeToken: $since) { what: kind levels: items { id: sku left } resumeToken at } }"


def folding(document: str = WHOLE) -> Folding | None:
    return Folding.of(LIVE, normalise(parse(document), None, SCHEMA))


def event(kind: str, at: int, **levels: int) -> GraphQLResponse:
    items = [{"id": sku, "left": left} for sku, left in levels.items()]
    return GraphQLResponse(data={"s": {"what": kind, "levels": items, "resumeToken": f"t{at}", "at": at}})


def group(by: Folding | None, *, events_max: int = 3, join_late: bool = False) -> Group:
    return Group(events_max=events_max, folding=by, join_late=join_late, on_empty=lambda: None)


def joined(on: Group, token: str | None = None) -> Follower:
    follower = on.join(token)
    assert follower is not None
    return follower


def told(follower: Follower) -> Any:
    """What the follower gets next: kind, levels by SKU, time."""
    response = follower.poll()
    if response is None or response.data is None:
        return None
    said = response.data["s"]
    return said["what"], {each["id"]: each["left"] for each in said["levels"]}, said["at"]


def test_the_clients_names_say_where_things_are() -> None:
    assert folding() == Folding(field="s", items="levels", key="id", kind="what", token="resumeToken", resume="since")


@pytest.mark.parametrize(
    "selected", ["items { left }", "at", "items @include(if: $c) { sku }", "items { sku @skip(if: $c) }"]
)
def test_without_the_items_or_their_key_nothing_folds(selected: str) -> None:
    found = folding(f"subscription($c: Boolean = true) {{ stock {{ kind {selected} }} }}")
    assert found is not None
    assert (found.items, found.key) == (None, None)


def test_who_comes_late_gets_all_that_is_known_as_a_snapshot() -> None:
    on = group(folding())
    early = joined(on)
    on.deliver(event("SNAPSHOT", 1, a=5, b=6))
    on.deliver(event("DELTA", 2, b=0))
    assert told(early) == ("SNAPSHOT", {"a": 5, "b": 0}, 2)
    late = joined(on)
    assert told(late) == ("SNAPSHOT", {"a": 5, "b": 0}, 2)
    assert told(late) is None
    on.deliver(event("DELTA", 3, a=4))
    assert told(early) == told(late) == ("DELTA", {"a": 4}, 3)


def test_who_is_slow_gets_the_newest_of_each_item_once_and_the_same_bytes_as_others_there() -> None:
    on = group(folding())
    slow, slower = joined(on), joined(on)
    on.deliver(event("SNAPSHOT", 1, a=9, b=9, c=9))
    assert told(slow) == told(slower) == ("SNAPSHOT", {"a": 9, "b": 9, "c": 9}, 1)
    for at, level in enumerate(({"a": 8}, {"b": 7}, {"a": 6}, {}, {"a": 5}), 2):
        on.deliver(event("DELTA" if level else "HEARTBEAT", at, **level))
    one, other = slow.poll(), slower.poll()
    assert one is other
    assert one is not None
    assert one.data == event("DELTA", 6, b=7, a=5).data or one.data == event("DELTA", 6, a=5, b=7).data
    assert slow.poll() is None


def test_who_missed_a_snapshot_is_told_it_is_one() -> None:
    on = group(folding())
    slow = joined(on)
    on.deliver(event("SNAPSHOT", 1, a=1, b=1))
    assert told(slow) is not None
    on.deliver(event("RESYNC", 2))
    on.deliver(event("SNAPSHOT", 3, b=2))
    on.deliver(event("DELTA", 4, b=3))
    assert told(slow) == ("SNAPSHOT", {"b": 3}, 4)


def test_who_comes_back_with_a_token_gets_what_changed_since() -> None:
    on = group(folding())
    stays = joined(on)
    on.deliver(event("SNAPSHOT", 1, a=1, b=1))
    on.deliver(event("DELTA", 2, a=2))
    on.deliver(event("DELTA", 3, b=3))
    assert told(joined(on, "t2")) == ("DELTA", {"b": 3}, 3)
    assert told(joined(on, "t1")) == ("DELTA", {"a": 2, "b": 3}, 3)
    assert told(joined(on, "t3")) is None
    assert on.join("another group's") is None
    stays.leave()


def test_a_beginning_that_was_no_snapshot_lets_nobody_in_late() -> None:
    on = group(folding())
    joined(on)
    on.deliver(event("DELTA", 1, a=1))
    assert on.join() is None


def test_an_event_without_data_is_passed_on_and_changes_nothing_that_is_known() -> None:
    on = group(folding())
    follower = joined(on)
    on.deliver(event("SNAPSHOT", 1, a=1))
    assert told(follower) is not None
    failed = GraphQLResponse(data={"s": None}, errors=({"message": "no"},))
    on.deliver(failed)
    assert follower.poll() is failed
    assert told(joined(on)) == ("SNAPSHOT", {"a": 1}, 1)


def test_where_events_stand_for_themselves_the_oldest_are_lost_and_counted() -> None:
    on = group(None)
    slow = joined(on)
    for at in range(1, 7):
        on.deliver(event("NEWS", at), Gap(reconnected=at == 2))
    found = slow.poll()
    assert found is not None
    assert found.extensions == {"gap": {"dropped": 3, "reconnected": True}}
    assert [told(slow), told(slow), told(slow)] == [("NEWS", {}, 5), ("NEWS", {}, 6), None]


def test_nobody_joins_what_has_ended_and_its_last_word_reaches_everyone_once() -> None:
    on = group(folding())
    follower = joined(on)
    on.deliver(event("SNAPSHOT", 1, a=1))
    farewell = GraphQLResponse(errors=({"message": "over"},), has_data=False)
    on.end(farewell)
    assert on.join() is None
    assert told(follower) == ("SNAPSHOT", {"a": 1}, 1)
    assert follower.poll() is farewell
    assert follower.poll() is None
    assert follower.over


levels = st.dictionaries(st.sampled_from("abc"), st.integers(0, 9), max_size=3)
events = st.tuples(st.sampled_from(("DELTA", "DELTA", "DELTA", "SNAPSHOT", "HEARTBEAT", "RESYNC")), levels)


@given(st.lists(events, max_size=20), st.lists(st.booleans(), min_size=20, max_size=20), st.integers(0, 20))
def test_however_seldom_one_looks_and_whenever_one_comes_the_end_is_the_same(
    news: list[tuple[str, dict[str, int]]], looks: list[bool], comes_at: int
) -> None:
    def take(known: dict[str, int], follower: Follower) -> None:
        while (found := told(follower)) is not None:
            if found[0] == "SNAPSHOT":
                known.clear()
            known |= found[1]

    on = group(folding())
    always, sometimes, late = joined(on), joined(on), None
    seen: tuple[dict[str, int], ...] = ({}, {}, {})
    on.deliver(event("SNAPSHOT", 0, a=1))
    take(seen[0], always)
    for at, (kind, changed) in enumerate(news, 1):
        if at - 1 == comes_at:
            late = joined(on)
        on.deliver(event(kind, at, **(changed if kind in ("DELTA", "SNAPSHOT") else {})))
        take(seen[0], always)
        if looks[at - 1]:
            take(seen[1], sometimes)
    take(seen[1], sometimes)
    take(seen[2], late or joined(on))
    assert seen[0] == seen[1] == seen[2]
