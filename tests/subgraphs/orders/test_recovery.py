"""Killed at every point of a completion, a saga still ends in exactly one order fully paid and stocked, or in nothing."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from subgraphs.kernel.money import Money
from subgraphs.orders.model.saga import STEPS
from subgraphs.orders.service.audit import audit
from subgraphs.orders.service.faults import Killed
from tests.subgraphs.orders.conftest import AGENT, ANNA, Shop
from tests.subgraphs.orders.test_api import UPDATE, complete, key, opened, total

FORWARD = ["after_freeze"] + [
    f"{when}_{rule.step.value}" for rule, when in itertools.product(STEPS, ("after", "recorded"))
]
BARE = [point for point in FORWARD if not point.endswith(("_budget", "_points"))]
"""Those of a purchase without points and without a mandate."""
COMMANDS = ["OrdersExtend", "OrdersReserve", "OrdersCommit", "OrdersPointsHold", "OrdersMandateHold"]
POINTS = 300


async def killed_at(
    shop: Shop,
    point: str,
    checkout: dict[str, Any],
    token: str = "tok_ok",
    key_: str = "k",
    *,
    captures: bool = True,
    mandate: str | None = None,
) -> None:
    """Completes until the process dies at ``point``, as the client sees nothing of."""
    shop.faults.arm(point)
    arguments = _arguments(shop, checkout, token, key_, mandate) | {"captures": captures}
    with pytest.raises(Killed):
        await shop.services.checkouts.complete(**arguments)


async def opened_by_agent(shop: Shop, **changes: Any) -> dict[str, Any]:
    """A checkout an agent opened for Anna, a part of it to be paid with her points."""
    checkout = await opened(shop, AGENT, **changes)
    variables = {"id": checkout["id"], "v": checkout["version"], "input": {"redeemPoints": POINTS}, "key": key()}
    payload = (await shop.ask(UPDATE, variables, AGENT))["checkoutUpdate"]
    assert payload["errors"] == []
    changed: dict[str, Any] = payload["checkout"]
    assert total(changed)["minor"] == total(checkout)["minor"] - POINTS
    return changed


def _arguments(
    shop: Shop, checkout: dict[str, Any], token: str, key_: str, mandate: str | None = None
) -> dict[str, Any]:
    return {
        "principal": ANNA if mandate is None else AGENT,
        "checkout_id": checkout["id"],
        "provider": "sandbox",
        "token": token,
        "captures": True,
        "expected_total": Money(total(checkout)["minor"], "EUR"),
        "mandate_id": mandate,
        "key": key_,
        "arguments": {"id": checkout["id"]},
    }


async def assert_all_or_nothing(shop: Shop) -> bool:
    """Whether there is an order; fails unless payment, stock, event and checkout agree with that."""
    orders = await shop.count("orders")
    live = await shop.count("sandbox_ledger", state="AUTHORIZED") + await shop.count("sandbox_ledger", state="CAPTURED")
    events = await shop.count("outbox", type="order.confirmed")
    completed = await shop.count("checkouts", status="COMPLETED")
    committed = len(shop.peer.committed())
    assert orders in (0, 1)
    assert (live, events, completed, committed) == (orders,) * 4
    set_aside = [held for held in shop.peer.set_aside.values() if held is not None]
    sagas = await shop.database.collection("sagas").find({"progress.state": "COMPLETED"})
    wanted = sum(step in ("budget", "points") for saga in sagas for step in saga["progress"]["wants"])
    assert len(set_aside) == wanted
    assert await shop.count("sagas", active=True) == 0
    assert await audit(shop.database) == []
    return orders == 1


@pytest.mark.parametrize("point", FORWARD)
async def test_a_worker_killed_anywhere_leaves_one_order_after_recovery(shop: Shop, point: str) -> None:
    checkout = await opened_by_agent(shop)
    await killed_at(shop, point, checkout, mandate="man_1")
    await shop.recover_all()
    assert await assert_all_or_nothing(shop)
    payments = await shop.database.collection("payments").find({})
    assert [payment["state"] for payment in payments] == ["CAPTURED"]
    # The client that never got its answer asks again under the same key.
    replay = await shop.services.checkouts.complete(**_arguments(shop, checkout, "tok_ok", "k", "man_1"))
    assert replay.replayed
    assert replay.order is not None


@pytest.mark.parametrize("point", FORWARD[: FORWARD.index("after_commit")])
async def test_killed_while_the_hold_runs_out_and_the_stock_is_sold_ends_in_nothing(shop: Shop, point: str) -> None:
    checkout = await opened_by_agent(shop)
    await killed_at(shop, point, checkout, mandate="man_1")
    shop.clock.advance(700)
    shop.peer.stock["TEE-RED-M"] = 0
    await shop.recover_all()
    assert not await assert_all_or_nothing(shop)
    found = await shop.database.collection("checkouts").find_one({"_id": checkout["id"]})
    assert found is not None
    assert found["status"] == "INCOMPLETE"
    assert found["messages"][-1]["code"] == "OUT_OF_STOCK"


async def test_a_lapsed_hold_is_taken_again_once_when_there_is_stock(shop: Shop) -> None:
    checkout = await opened(shop)
    await killed_at(shop, "recorded_authorize", checkout)
    shop.clock.advance(700)
    await shop.recover_all()
    assert await assert_all_or_nothing(shop)
    assert len(shop.peer.held) == 2


@pytest.mark.parametrize("point", ["after_void", "after_unpoints", "after_unbudget", "after_release"])
async def test_a_worker_killed_while_undoing_still_gives_the_checkout_back(shop: Shop, point: str) -> None:
    checkout = await opened_by_agent(shop)
    await killed_at(shop, "recorded_authorize", checkout, mandate="man_1")
    shop.clock.advance(700)
    shop.peer.stock["TEE-RED-M"] = 0
    shop.faults.arm(point)
    if point != "after_release":
        with pytest.raises(Killed):
            await shop.services.completion.recover()
    await shop.recover_all()
    assert not await assert_all_or_nothing(shop)


@pytest.mark.parametrize("command", COMMANDS)
async def test_a_lost_answer_of_a_neighbour_makes_no_second_effect(shop: Shop, command: str) -> None:
    checkout = await opened_by_agent(shop, holdStock=command != "OrdersReserve")
    shop.peer.lose_next_answer(command)
    payload = await complete_slowly(shop, checkout, "tok_ok", mandate="man_1", principal=AGENT)
    assert payload["errors"] == []
    assert await assert_all_or_nothing(shop)
    assert len(shop.peer.held) == 1


@pytest.mark.parametrize("token", ["tok_timeout_after_auth", "tok_timeout_before_auth"])
async def test_a_lost_answer_of_the_provider_ends_in_one_authorization(shop: Shop, token: str) -> None:
    checkout = await opened(shop)
    await complete_slowly(shop, checkout, token)
    await shop.recover_all()
    assert await assert_all_or_nothing(shop)
    assert await shop.count("sandbox_ledger") == 1


async def test_a_request_that_cannot_wait_longer_is_told_to_poll(shop: Shop, monkeypatch: Any) -> None:
    monkeypatch.setattr("subgraphs.orders.service.completion.Completion.drive.__defaults__", (0.3,))
    checkout = await opened(shop)
    payload = await complete(shop, checkout, "tok_timeout_before_auth")
    assert payload["checkout"]["status"] == "COMPLETE_IN_PROGRESS"
    assert payload["sagaId"] is not None
    assert payload["order"] is None
    await shop.recover_all()
    assert await assert_all_or_nothing(shop)


async def complete_slowly(shop: Shop, checkout: dict[str, Any], token: str, **more: Any) -> dict[str, Any]:
    """Completes; what the fixed clock keeps from coming due, recovery brings to its end; then asks again."""
    used = key()
    original = shop.services.completion.drive

    async def impatient(saga: Any, wait_s: float = 0.5) -> Any:
        return await original(saga, wait_s)

    shop.services.completion.drive = impatient  # type: ignore[method-assign]
    try:
        await complete(shop, checkout, token, key=used, **more)
    finally:
        shop.services.completion.drive = original  # type: ignore[method-assign]
    await shop.recover_all()
    return await complete(shop, checkout, token, key=used, **more)
