"""Who waits for whom, and for how long: no one gives up on somebody who may still be working for it."""

from gateway.config import Limits
from subgraphs.orders.service.completion import CLIENT_WAITS_S


def test_the_gateway_waits_longer_than_a_completion_may_take() -> None:
    limits = Limits()
    assert CLIENT_WAITS_S + 2 < limits.subgraph_ms_max / 1000 < limits.request_ms_max / 1000
