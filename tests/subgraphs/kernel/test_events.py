"""Events survive the journey through JSON, and unknown fields do not disturb older readers."""

from __future__ import annotations

import dataclasses
import json
import typing
from typing import Any

import pytest

from subgraphs.kernel.events import EVENTS, Envelope, Event, OrderConfirmed, OrderedLine, StockChanged, event_from


def example(cls: type[Any]) -> Any:
    """An instance with a value of the right kind in every field."""

    def value(hint: Any) -> Any:
        if typing.get_origin(hint) is tuple:
            return (example(typing.get_args(hint)[0]),)
        return 3 if hint in (int, int | None) else "text"

    hints = typing.get_type_hints(cls)
    return cls(**{field.name: value(hints[field.name]) for field in dataclasses.fields(cls)})


@pytest.mark.parametrize("type_", sorted(EVENTS))
def test_every_event_comes_back_from_json_as_it_was(type_: str) -> None:
    event: Event = example(EVENTS[type_])
    back = event_from(type_, json.loads(json.dumps(event.to_data())))
    assert back == event
    assert type(back) is type(event)


@pytest.mark.parametrize("type_", sorted(EVENTS))
def test_every_event_is_registered_under_its_own_type_and_says_what_it_means(type_: str) -> None:
    assert type_ == EVENTS[type_].TYPE
    assert EVENTS[type_].__doc__


def test_a_field_of_a_newer_producer_is_passed_over() -> None:
    event: Event = example(StockChanged)
    assert event_from("stock.changed", event.to_data() | {"colour": "red"}) == event


def test_a_missing_field_is_an_error() -> None:
    data = example(StockChanged).to_data()
    del data["sku"]
    with pytest.raises(TypeError, match="sku"):
        event_from("stock.changed", data)


def test_lines_come_back_typed() -> None:
    order: OrderConfirmed = example(OrderConfirmed)
    assert isinstance(OrderConfirmed.from_data(order.to_data()).lines[0], OrderedLine)


def test_an_envelope_comes_back_from_json_and_opens() -> None:
    event: Event = example(StockChanged)
    envelope = Envelope(
        id="evt_1",
        type=event.TYPE,
        version=1,
        seq=7,
        aggregate="stock:A|L",
        aggregate_version=2,
        occurred_at="2026-03-01T12:00:00.000Z",
        causation=None,
        correlation="r-1",
        traceparent=None,
        data=event.to_data(),
    )
    back = Envelope.from_data(json.loads(json.dumps(envelope.to_data())))
    assert back == envelope
    assert back.event() == event


def test_an_unknown_type_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        event_from("nothing.happened", {})
