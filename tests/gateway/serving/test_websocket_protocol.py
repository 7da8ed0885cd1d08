"""The WebSocket protocol as a machine: every row that matters, and a random walk that may never leave the table."""

import json
from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from gateway.exchange import GraphQLRequest
from gateway.serving.websocket_protocol import (
    TABLE,
    Close,
    CloseCode,
    Effects,
    Input,
    Machine,
    News,
    Prove,
    Send,
    Start,
    State,
    Stop,
    shortened,
)


def message(kind: str, **members: object) -> str:
    return json.dumps({"type": kind, **members})


def subscribe(id: str, query: str = "subscription { tick }") -> str:
    return message("subscribe", id=id, payload={"query": query})


def ready(operations_max: int = 10) -> Machine:
    machine = Machine(operations_max=operations_max)
    machine.receive(message("connection_init"))
    machine.happen(Input.PROVED)
    return machine


def closed_with(effects: Effects) -> CloseCode:
    closes = [effect for effect in effects if isinstance(effect, Close)]
    assert len(closes) == 1
    assert effects[-1] is closes[0]
    return closes[0].code


def sent(effects: Effects) -> list[dict[str, object]]:
    return [json.loads(effect.text) for effect in effects if isinstance(effect, Send)]


def test_the_table_answers_every_input_in_every_state() -> None:
    assert set(TABLE) == set(product(State, Input))


def test_init_is_proved_before_it_is_acknowledged() -> None:
    machine = Machine(operations_max=1)
    assert machine.receive(message("connection_init", payload={"a": 1})) == (Prove({"a": 1}),)
    assert sent(machine.happen(Input.PROVED)) == [{"type": "connection_ack"}]


def test_a_subscription_starts_and_its_results_carry_its_id() -> None:
    machine = ready()
    (start,) = machine.receive(subscribe("a"))
    assert isinstance(start, Start)
    assert start.request == GraphQLRequest(query="subscription { tick }")
    (result,) = sent(machine.happen(Input.RESULT, News(id="a", number=start.number, body=b'{"data":{"tick":1}}')))
    assert result == {"id": "a", "type": "next", "payload": {"data": {"tick": 1}}}
    (end,) = sent(machine.happen(Input.ENDED, News(id="a", number=start.number)))
    assert end == {"id": "a", "type": "complete"}


def test_a_failure_is_told_as_a_list_of_errors_and_frees_the_id() -> None:
    machine = ready()
    (start,) = machine.receive(subscribe("a"))
    assert isinstance(start, Start)
    (error,) = sent(machine.happen(Input.FAILED, News(id="a", number=start.number, body=b'[{"message":"no"}]')))
    assert error == {"id": "a", "type": "error", "payload": [{"message": "no"}]}
    assert isinstance(machine.receive(subscribe("a"))[0], Start)


def test_results_after_the_client_completed_are_dropped() -> None:
    machine = ready()
    (start,) = machine.receive(subscribe("a"))
    assert isinstance(start, Start)
    assert machine.receive(message("complete", id="a")) == (Stop(start.number),)
    assert machine.happen(Input.RESULT, News(id="a", number=start.number, body=b"{}")) == ()


def test_news_of_an_earlier_use_of_an_id_does_not_reach_the_later_one() -> None:
    machine = ready()
    (first,) = machine.receive(subscribe("a"))
    machine.receive(message("complete", id="a"))
    (second,) = machine.receive(subscribe("a"))
    assert isinstance(first, Start)
    assert isinstance(second, Start)
    assert machine.happen(Input.ENDED, News(id="a", number=first.number)) == ()
    assert machine.is_open("a", second.number)


def test_completing_what_is_not_open_is_a_race_and_no_breach() -> None:
    assert ready().receive(message("complete", id="gone")) == ()


def test_an_id_in_use_closes_with_4409_and_stops_what_runs() -> None:
    machine = ready()
    (start,) = machine.receive(subscribe("a"))
    assert isinstance(start, Start)
    effects = machine.receive(subscribe("a"))
    assert effects[0] == Stop(start.number)
    assert closed_with(effects) is CloseCode.SUBSCRIBER_EXISTS


def test_subscribing_before_the_acknowledgement_closes_with_4401() -> None:
    machine = Machine(operations_max=1)
    assert closed_with(machine.receive(subscribe("a"))) is CloseCode.UNAUTHORIZED
    machine = Machine(operations_max=1)
    machine.receive(message("connection_init"))
    assert closed_with(machine.receive(subscribe("a"))) is CloseCode.UNAUTHORIZED


def test_a_second_init_closes_with_4429() -> None:
    assert closed_with(ready().receive(message("connection_init"))) is CloseCode.TOO_MANY_INITS


def test_silence_before_init_closes_with_4408_and_later_is_no_matter() -> None:
    assert closed_with(Machine(operations_max=1).happen(Input.INIT_TIMED_OUT)) is CloseCode.INIT_TIMEOUT
    assert ready().happen(Input.INIT_TIMED_OUT) == ()


def test_refused_credentials_close_with_4403_and_expired_ones_with_4401() -> None:
    machine = Machine(operations_max=1)
    machine.receive(message("connection_init"))
    assert closed_with(machine.happen(Input.REFUSED)) is CloseCode.FORBIDDEN
    assert closed_with(ready().happen(Input.EXPIRED)) is CloseCode.UNAUTHORIZED


def test_pings_are_answered_in_every_open_state() -> None:
    machine = Machine(operations_max=1)
    assert sent(machine.receive(message("ping"))) == [{"type": "pong"}]
    assert sent(ready().receive(message("ping", payload={"n": 1}))) == [{"type": "pong"}]


def test_what_is_not_a_message_closes_with_4400() -> None:
    for frame in (
        "",
        "not json",
        "[]",
        "null",
        b"\xff\xfe",
        message("subscribe"),
        message("subscribe", id="", payload={"query": "{ a }"}),
        message("subscribe", id="a"),
        message("subscribe", id="a", payload={"query": 3}),
        message("subscribe", id="a", payload={"query": "{ a }", "variables": []}),
        message("complete"),
        message("connection_init", payload=[]),
        message("next", id="a"),
        message("no such thing"),
    ):
        assert closed_with(ready().receive(frame)) is CloseCode.INVALID_MESSAGE, frame


def test_more_operations_than_allowed_are_refused_one_by_one() -> None:
    machine = ready(operations_max=1)
    machine.receive(subscribe("a"))
    (refusal,) = sent(machine.receive(subscribe("b")))
    assert refusal["type"] == "error"
    assert refusal["id"] == "b"
    assert machine.state is State.READY


def test_a_close_reason_fits_its_frame_whatever_the_id() -> None:
    machine = ready()
    machine.receive(subscribe("ü" * 300))
    close = machine.receive(subscribe("ü" * 300))[-1]
    assert isinstance(close, Close)
    assert len(close.reason.encode()) <= 123
    assert len(shortened("ü" * 300).encode()) == 122


ids = st.sampled_from(["a", "b", "c"])
frames = st.one_of(
    st.builds(subscribe, ids),
    st.builds(lambda id: message("complete", id=id), ids),
    st.sampled_from([message("connection_init"), message("ping"), message("pong"), message("nonsense"), "{", ""]),
    st.text(max_size=20),
    st.binary(max_size=20),
)
happenings = st.tuples(
    st.sampled_from([kind for kind in Input if kind is not Input.SUBSCRIBE]),
    st.builds(News, id=ids, number=st.integers(0, 4), body=st.just(b"{}")),
)


@given(st.lists(st.one_of(frames, happenings), max_size=40))
def test_no_sequence_of_events_leaves_the_table(steps: list[str | bytes | tuple[Input, News]]) -> None:
    machine = Machine(operations_max=2)
    running: set[int] = set()
    for step in steps:
        was = machine.state
        effects = machine.happen(*step) if isinstance(step, tuple) else machine.receive(step)
        for effect in effects:
            match effect:
                case Start(_, number, _):
                    assert was is State.READY
                    assert number not in running
                    running.add(number)
                case Stop(number):
                    running.remove(number)
                case Close():
                    assert effect is effects[-1]
                    assert machine.state is State.CLOSED
                case Prove():
                    assert was is State.WAITING
                case Send(text):
                    told = json.loads(text)
                    assert told["type"] in {"connection_ack", "pong", "next", "error", "complete"}
                    if told["type"] in {"error", "complete"} and isinstance(step, tuple):
                        running.discard(step[1].number)
        if was is State.CLOSED:
            assert effects == ()
            assert machine.state is State.CLOSED
        assert set(machine.open.values()) == running
        assert len(running) <= 2
