"""The points of the failure matrix (README.md) that no other test kills at: before the freeze, on a refusal, in a challenge."""

from __future__ import annotations

from typing import Any

import pytest

from subgraphs.orders.payments.sandbox import SandboxProvider
from tests.subgraphs.orders.conftest import Shop
from tests.subgraphs.orders.test_api import CANCEL, complete, key, opened
from tests.subgraphs.orders.test_recovery import assert_all_or_nothing, killed_at


async def checkout_of(shop: Shop, checkout: dict[str, Any]) -> dict[str, Any]:
    """The checkout as it is stored."""
    found = await shop.database.collection("checkouts").find_one({"_id": checkout["id"]})
    assert found is not None
    return dict(found)


async def test_killed_before_the_freeze_is_written_nothing_is_left_and_the_same_key_runs(shop: Shop) -> None:
    checkout = await opened(shop)
    await killed_at(shop, "in_freeze", checkout)
    assert await shop.count("sagas") == 0
    assert (await checkout_of(shop, checkout))["status"] == "READY_FOR_COMPLETE"
    payload = await complete(shop, checkout, key="k")
    assert payload["order"] is not None
    assert await assert_all_or_nothing(shop)


@pytest.mark.parametrize("point", ["after_reserve", "recorded_reserve"])
async def test_killed_when_stock_was_short_the_checkout_comes_back_and_nothing_is_held(shop: Shop, point: str) -> None:
    checkout = await opened(shop, holdStock=False)
    shop.peer.stock["TEE-RED-M"] = 0
    await killed_at(shop, point, checkout)
    await shop.recover_all()
    assert not await assert_all_or_nothing(shop)
    assert shop.peer.live() == []
    found = await checkout_of(shop, checkout)
    assert (found["status"], found["messages"][-1]["code"]) == ("INCOMPLETE", "OUT_OF_STOCK")


@pytest.mark.parametrize("point", ["after_authorize", "recorded_authorize"])
async def test_killed_when_the_card_was_declined_the_hold_is_kept_for_another_card(shop: Shop, point: str) -> None:
    checkout = await opened(shop)
    await killed_at(shop, point, checkout, "tok_decline_funds")
    await shop.recover_all()
    assert not await assert_all_or_nothing(shop)
    assert (await checkout_of(shop, checkout))["status"] == "READY_FOR_COMPLETE"
    assert len(shop.peer.live()) == 1
    assert (await complete(shop, checkout))["order"] is not None
    assert len(shop.peer.held) == 1


@pytest.mark.parametrize("point", ["after_authorize", "recorded_authorize"])
@pytest.mark.parametrize("passed", [True, False], ids=["passed", "failed"])
async def test_killed_while_the_buyer_is_asked_the_answer_still_decides(shop: Shop, point: str, passed: bool) -> None:
    checkout = await opened(shop)
    await killed_at(shop, point, checkout, "tok_3ds")
    attempt = await shop.database.collection("sandbox_ledger").find_one({})
    assert attempt is not None
    assert await SandboxProvider(shop.database).answer_challenge(attempt["_id"], passed=passed)
    await shop.recover_all()
    assert await assert_all_or_nothing(shop) is passed


@pytest.mark.parametrize("token", ["tok_timeout_after_auth", "tok_timeout_before_auth"])
@pytest.mark.parametrize("point", ["after_authorize", "recorded_authorize"])
async def test_killed_not_knowing_what_the_provider_did_there_is_one_authorization(
    shop: Shop, point: str, token: str
) -> None:
    checkout = await opened(shop)
    await killed_at(shop, point, checkout, token)
    await shop.recover_all()
    assert await assert_all_or_nothing(shop)
    assert await shop.count("sandbox_ledger") == 1


@pytest.mark.parametrize("point", ["after_freeze", "recorded_authorize", "recorded_commit"])
async def test_a_checkout_that_is_being_completed_is_not_cancelled(shop: Shop, point: str) -> None:
    checkout = await opened(shop)
    await killed_at(shop, point, checkout)
    refused = (await shop.ask(CANCEL, {"id": checkout["id"], "key": key()}))["checkoutCancel"]
    assert [error["__typename"] for error in refused["errors"]] == ["RequestInFlight"]
    await shop.recover_all()
    assert await assert_all_or_nothing(shop)
