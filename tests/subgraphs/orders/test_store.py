"""Documents and queries of orders, and the sandbox provider's ledger, on both drivers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from subgraphs.chassis.mongo import Database, DriverName, DuplicateKey, Session
from subgraphs.kernel.money import Money
from subgraphs.orders.model.cart import Cart
from subgraphs.orders.model.checkout import CheckoutSession
from subgraphs.orders.model.delivery import Address, HeldLine, Hold
from subgraphs.orders.model.lines import Message
from subgraphs.orders.model.order import Order, Payment, place
from subgraphs.orders.model.refusals import Failure
from subgraphs.orders.model.saga import Progress, Saga, SagaState, Step
from subgraphs.orders.payments.port import AnswerMissing
from subgraphs.orders.payments.sandbox import SandboxProvider
from subgraphs.orders.store import INDEXES, OrderQuery, Store
from tests.subgraphs.orders.test_model import line

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
EUROS = Money(4490, "EUR")


@pytest.fixture(params=["motor", "pymongo"])
def mongo_driver(request: pytest.FixtureRequest) -> DriverName:
    """Both drivers."""
    driver: DriverName = request.param
    return driver


@pytest.fixture
async def store(database: Database) -> Store:
    await database.ensure_indexes(INDEXES)
    return Store(database)


def checkout(**changes: object) -> CheckoutSession:
    session = CheckoutSession(
        id="chk_1",
        version=1,
        status="READY_FOR_COMPLETE",
        channel="web-eu",
        currency="EUR",
        country="DE",
        owner="customer:anna",
        customer_id="cus_anna",
        agent_id=None,
        hold_wanted=True,
        hold_s=600,
        email="a@b.c",
        address=Address(name="A", line1="1", line2=None, city="B", region=None, postal_code="1", country="DE"),
        method="SHIP",
        pickup_location_id=None,
        pickup_country=None,
        option_id="ship-standard",
        lines=(line("TEE", 2), line("MUG", 1)),
        hold=Hold(
            reservation_id="rsv_1",
            expires_at=NOW,
            lines=(HeldLine("TEE", 2, "loc_a"), HeldLine("MUG", 1, "loc_b")),
        ),
        messages=(Message(level="INFO", code="X", text="x"),),
        continue_url=None,
        created_at=NOW,
        expires_at=NOW + timedelta(hours=6),
        order_id=None,
        saga_id=None,
    )
    return replace(session, **changes)  # type: ignore[arg-type]


def order(number: int, **changes: object) -> Order:
    session = checkout(id=f"chk_{number}")
    assert session.hold is not None
    placed = place(session, session.hold, order_id=f"ord_{number}", number=f"G-{number}", placed_at=NOW)
    return replace(placed, **changes)  # type: ignore[arg-type]


async def written(store: Store, work: Callable[[Session], Awaitable[None]]) -> None:
    await store.database.transact(work)


def saga(**changes: object) -> Saga:
    made = Saga(
        id="sag_1",
        version=1,
        checkout_id="chk_1",
        request_id="anna|checkoutComplete|k",
        request_print="p",
        order_id="ord_1",
        number="G-1",
        attempt_id="pay_1",
        provider="sandbox",
        token="tok_ok",
        amount=EUROS,
        hold=checkout().hold,
        provider_ref=None,
        progress=Progress(
            done=(Step.RESERVE,), failure=Failure("OutOfStock", {"sku": "TEE", "available": 1}), due_at=NOW
        ),
        started_at=NOW,
    )
    return replace(made, **changes)  # type: ignore[arg-type]


async def test_what_is_written_is_read_back_equal(store: Store) -> None:
    cart = Cart(
        id="crt_1",
        version=1,
        channel="web-eu",
        currency="EUR",
        country="DE",
        owner="anonymous:anonymous",
        customer_id=None,
        lines=(line(),),
        messages=(),
        created_at=NOW,
        # Far away, since the server's own clock ends carts.
        expires_at=datetime(2099, 1, 1, tzinfo=UTC),
    )
    payment = Payment(
        id="pay_1",
        order_id="ord_1",
        checkout_id="chk_1",
        provider="sandbox",
        provider_ref="r",
        state="AUTHORIZED",
        authorized=EUROS,
        captured=Money.zero("EUR"),
        refunded=Money.zero("EUR"),
        at=NOW,
    )

    async def body(session: Session) -> None:
        await store.add_cart(cart, session)
        await store.add_checkout(checkout(), session)
        await store.add_order(order(1), session)
        await store.put_payment(payment, session)
        await store.add_saga(saga(), NOW, session)

    await written(store, body)
    assert await store.cart("crt_1") == cart
    assert await store.checkouts(["chk_1", "chk_2"]) == {"chk_1": checkout()}
    assert await store.orders(["ord_1"]) == {"ord_1": order(1)}
    assert await store.order_numbered("G-1") == order(1)
    assert await store.payments_of(["ord_1"]) == {"ord_1": [payment]}
    assert await store.saga_of_request("anna|checkoutComplete|k") == saga()
    found = await store.orders_with_fulfilments([order(1).fulfilments[0].id])
    assert [one.id for one in found] == ["ord_1"]
    assert [part.location_id for part in found[0].fulfilments] == ["loc_a", "loc_b"]


@pytest.mark.parametrize("same", ["origin", "number"])
async def test_one_order_for_each_origin_and_number(store: Store, same: str) -> None:
    await written(store, lambda session: store.add_order(order(1), session))
    second = replace(order(2), **{same: getattr(order(1), same)})
    with pytest.raises(DuplicateKey) as refused:
        await written(store, lambda session: store.add_order(second, session))
    assert same in refused.value.key


async def test_a_version_that_has_passed_is_not_written_over(store: Store) -> None:
    async def body(session: Session) -> None:
        await store.add_checkout(checkout(), session)
        await store.add_saga(saga(), NOW, session)

    await written(store, body)
    saved: list[bool] = []

    async def change(session: Session) -> None:
        saved.append(await store.save_checkout(checkout(version=2, status="CANCELED"), 1, session))

    await written(store, change)
    await written(store, change)
    assert saved == [True, False]
    assert await store.save_saga(saga(), NOW)
    assert not await store.save_saga(saga(), NOW)


async def test_sagas_come_due_when_their_lease_ends_and_not_when_they_have_ended(store: Store) -> None:
    await written(store, lambda session: store.add_saga(saga(), NOW + timedelta(seconds=20), session))
    assert await store.due_sagas(NOW, 10) == []
    later = NOW + timedelta(seconds=20)
    assert [one.id for one in await store.due_sagas(later, 10)] == ["sag_1"]
    ended = replace(saga(), progress=replace(saga().progress, state=SagaState.COMPENSATED))
    assert await store.save_saga(ended, NOW)
    assert await store.due_sagas(later, 10) == []


async def test_orders_are_listed_by_filter_and_summed_by_customer(store: Store) -> None:
    orders = [
        order(number, placed_at=NOW + timedelta(minutes=number // 2), channel="web" if number % 2 else "app")
        for number in range(6)
    ]

    async def body(session: Session) -> None:
        for one in orders:
            await store.add_order(one, session)

    await written(store, body)
    query = OrderQuery(channels=("web",), placed_to=NOW + timedelta(minutes=2), customer_id="cus_anna")
    first = await store.newest_orders(query, 2)
    assert [one.id for one in first] == ["ord_5", "ord_3"]
    rest = await store.newest_orders(query, 2, (first[-1].placed_at, first[-1].id))
    assert [one.id for one in rest] == ["ord_1"]
    assert await store.count_orders(query) == 3
    assert await store.spent(["cus_anna", "cus_bert"]) == {"cus_anna": [(orders[0].total + orders[0].total * 5, 6)]}
    bought = await store.purchases("cus_anna", ["MUG"], 2)
    assert [one.id for one in bought] == ["ord_5", "ord_4"]


async def test_the_sandbox_does_what_its_tokens_say_once_for_each_attempt(database: Database) -> None:
    sandbox = SandboxProvider(database)
    assert (await sandbox.authorize("pay_1", EUROS, "tok_ok")).state == "AUTHORIZED"
    # Another token under the same attempt changes nothing.
    assert (await sandbox.authorize("pay_1", EUROS, "tok_decline_funds")).state == "AUTHORIZED"
    assert (await sandbox.capture("pay_1")).captured == EUROS
    assert (await sandbox.capture("pay_1")).captured == EUROS
    declined = await sandbox.authorize("pay_2", EUROS, "tok_decline_stolen")
    assert (declined.state, declined.decline_code, declined.retryable) == ("DECLINED", "stolen_card", False)
    assert (await sandbox.authorize("pay_3", EUROS, "tok_unheard_of")).decline_code == "unknown_token"
    with pytest.raises(AnswerMissing):
        await sandbox.authorize("pay_4", EUROS, "tok_timeout_after_auth")
    lost = await sandbox.fetch("pay_4")
    assert lost is not None
    assert lost.state == "AUTHORIZED"
    with pytest.raises(AnswerMissing):
        await sandbox.authorize("pay_5", EUROS, "tok_timeout_before_auth")
    assert await sandbox.fetch("pay_5") is None
    assert (await sandbox.authorize("pay_5", EUROS, "tok_timeout_before_auth")).state == "AUTHORIZED"
    challenged = await sandbox.authorize("pay_6", EUROS, "tok_3ds")
    assert challenged.action_url
    assert await sandbox.answer_challenge("pay_6", passed=False)
    assert not await sandbox.answer_challenge("pay_6", passed=True)
    failed = await sandbox.fetch("pay_6")
    assert failed is not None
    assert failed.decline_code == "authentication_failed"


async def test_a_void_closes_even_an_attempt_that_never_came(database: Database) -> None:
    sandbox = SandboxProvider(database)
    await sandbox.authorize("pay_1", EUROS, "tok_ok")
    for attempt in ("pay_1", "pay_2"):
        await sandbox.void(attempt, EUROS)
        assert (await sandbox.authorize(attempt, EUROS, "tok_ok")).state == "VOIDED"
