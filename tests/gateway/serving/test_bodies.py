"""Bodies without variables are read once, whoever sends them; what was wrong is wrong every time."""

from __future__ import annotations

import pytest

from gateway.errors import RequestMalformed
from gateway.serving.http import Bodies


def test_the_same_bytes_are_the_same_request() -> None:
    bodies = Bodies(10_000)
    found = bodies.read(b'{"query": "{ a }"}')
    assert bodies.read(b'{"query": "{ a }"}') is found
    assert bodies.read(b'{"query": "{ b }"}').query == "{ b }"


@pytest.mark.parametrize("rest", [b'"variables": {"a": [1]}', b'"extensions": {"a": [1]}'])
def test_what_a_client_could_have_changed_is_read_again(rest: bytes) -> None:
    bodies = Bodies(10_000)
    body = b'{"query": "{ a }", ' + rest + b"}"
    assert bodies.read(body) == bodies.read(body)
    assert bodies.read(body) is not bodies.read(body)


def test_a_refusal_is_not_remembered_as_a_request() -> None:
    bodies = Bodies(10_000)
    for _ in range(2):
        with pytest.raises(RequestMalformed):
            bodies.read(b'{"query": 1}')


def test_many_bodies_do_not_take_more_than_their_share() -> None:
    bodies = Bodies(10_000)
    for number in range(1_000):
        bodies.read(b'{"query": "{ a%d }"}' % number)
    assert len(bodies._known) < 10
