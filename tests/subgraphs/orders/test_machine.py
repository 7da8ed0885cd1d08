"""Buying, stocking, killing and waiting in any order, over the real database, against a model of a few integers.

Theory of operation. Hypothesis draws a sequence of moves: buyers open checkouts, pay, are declined, cancel; a completion
is killed at one of its points and recovered; goods arrive, are written off, are sold over a counter (a receipt twice, if it
likes); time passes and the sweeper runs. ``Goods`` predicts each outcome: whether there is a hold, an order or a refusal.
After each move the level must be exactly what the model says, and at the end the audit, which knows neither the services
nor the model, must find nothing. When something differs hypothesis shows the shortest sequence that makes it differ.

The model is short because one warehouse holds all there is, one SKU is sold, and moves follow each other. What happens
when they do not is the concern of the saga's model checker, the races of the stories, and of chaos.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule, run_state_machine_as_test

from subgraphs.audit.books import read
from subgraphs.audit.invariants import audit, unrest
from subgraphs.inventory.service.book import Desk
from subgraphs.inventory.service.inventory import CounterSale
from subgraphs.kernel.clock import FixedClock, SystemClock
from subgraphs.kernel.errors import DomainError
from subgraphs.orders.model.checkout import HOLD_S_WEB
from tests.subgraphs.inventory.stockroom import STAFF
from tests.subgraphs.orders.small_house import SmallHouse, small_house
from tests.subgraphs.orders.test_api import CANCEL, CHECKOUT, complete, key, ready
from tests.subgraphs.orders.test_recovery import BARE, killed_at

pytestmark = [pytest.mark.story, pytest.mark.timeout(300)]

HOLD = timedelta(seconds=HOLD_S_WEB)
POINTS = [point for point in BARE if not point.endswith("_capture")]
T = TypeVar("T")


@dataclass
class Case:
    """A checkout, as the model sees it. ``held_until`` is None when nothing is held for it."""

    checkout: dict[str, Any]
    quantity: int
    held_until: datetime | None
    state: str = "open"
    paid_with: str | None = None
    order: str | None = None


@dataclass
class Goods:
    """One SKU in one warehouse."""

    on_hand: int
    cases: list[Case] = field(default_factory=list)

    @property
    def reserved(self) -> int:
        return sum(case.quantity for case in self.cases if case.held_until is not None)

    @property
    def allocated(self) -> int:
        return sum(case.quantity for case in self.cases if case.order is not None)

    @property
    def free(self) -> int:
        return self.on_hand - self.reserved - self.allocated

    def lapse(self, now: datetime) -> None:
        """What the sweeper does."""
        for case in self.cases:
            if case.held_until is not None and case.held_until <= now:
                case.held_until = None


class Buying(RuleBasedStateMachine):
    """One sequence of moves, on a SKU of its own. ``house``, ``loop`` and ``skus`` are set for the class by the test."""

    house: SmallHouse
    loop: asyncio.AbstractEventLoop
    skus: itertools.cycle[str]
    warehouse: str

    cases = Bundle("cases")

    def __init__(self) -> None:
        super().__init__()
        self.sku = next(self.skus)
        self.receipts = 0
        self.safety = self.owned_before = 0
        self.run(self.emptied())
        self.goods = Goods(0)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    @property
    def clock(self) -> FixedClock:
        clock = self.house.shop.clock
        assert isinstance(clock, FixedClock)
        return clock

    async def emptied(self) -> None:
        """Leaves nothing for sale: no holds of an earlier sequence, and at the warehouse what is owned or safety."""
        self.clock.advance(3 * HOLD_S_WEB)
        await self.house.inventory.sweep()
        for level in (await self.house.inventory.levels_of([self.sku]))[0]:
            here = level.location_id == self.warehouse
            keep = level.allocated + (level.safety if here else 0)
            if here:
                self.safety, self.owned_before = level.safety, level.allocated
            if level.on_hand != keep:
                await self.adjust(keep - level.on_hand, level.location_id)

    async def adjust(self, delta: int, location_id: str | None = None) -> None:
        await self.house.inventory.adjust(
            STAFF,
            location_id=location_id or self.warehouse,
            sku=self.sku,
            delta=delta,
            reason="machine",
            expected_version=None,
            key=key(),
            arguments={},
        )

    @rule(units=st.integers(1, 6))
    def goods_arrive(self, units: int) -> None:
        self.run(self.adjust(units))
        self.goods.on_hand += units

    @rule(units=st.integers(1, 4))
    def goods_are_written_off(self, units: int) -> None:
        try:
            self.run(self.adjust(-units))
        except DomainError:
            assert self.goods.free + self.safety < units
        else:
            assert self.goods.free + self.safety >= units
            self.goods.on_hand -= units

    @rule(units=st.integers(1, 3), again=st.booleans())
    def a_register_sells(self, units: int, again: bool) -> None:
        self.receipts += 1
        sale = CounterSale(f"{self.sku}-{self.receipts}", self.clock.now(), ((self.sku, units),))
        for _ in range(1 + again):
            self.run(
                self.house.inventory.ingest(
                    STAFF,
                    register_id=f"till-{self.sku}",
                    location_id=self.warehouse,
                    sequence=self.receipts,
                    sales=[sale],
                    key=key(),
                    arguments={},
                )
            )
        self.goods.on_hand -= units

    @rule(target=cases, quantity=st.integers(1, 3))
    def a_buyer_opens_a_checkout(self, quantity: int) -> Case:
        given = ready(lines=[{"sku": self.sku, "quantity": quantity}])
        payload = self.run(self.house.shop.ask(CHECKOUT, {"input": given, "key": key()}))["checkoutCreate"]
        if quantity > self.goods.free:
            assert [error["__typename"] for error in payload["errors"]] == ["OutOfStock"]
            return Case({}, quantity, None, state="refused")
        assert payload["errors"] == []
        case = Case(payload["checkout"], quantity, self.clock.now() + HOLD)
        self.goods.cases.append(case)
        return case

    @rule(case=cases, token=st.sampled_from(("tok_ok", "tok_ok", "tok_decline_funds", "tok_timeout_after_auth")))
    def a_buyer_pays(self, case: Case, token: str) -> None:
        if case.state != "open":
            return
        used = key()
        payload = self.run(complete(self.house.shop, case.checkout, token, key=used))
        names = [error["__typename"] for error in payload["errors"]]
        if case.held_until is None and case.quantity > self.goods.free:
            assert names == ["OutOfStock"]
            case.state = "out of stock"
        elif token == "tok_decline_funds":
            assert names == ["PaymentDeclined"]
            case.held_until = max(case.held_until or self.clock.now(), self.clock.now() + HOLD)
        else:
            assert names == []
            self.sold(case, payload["order"]["id"], used)

    @rule(case=cases)
    def a_buyer_asks_again(self, case: Case) -> None:
        """The same key, after the order: the same order, and nothing more."""
        if case.paid_with is not None:
            payload = self.run(complete(self.house.shop, case.checkout, "tok_ok", key=case.paid_with))
            assert [error["__typename"] for error in payload["errors"]] in ([], ["IdempotencyConflict"])
            assert payload["order"] is None or payload["order"]["id"] == case.order

    @rule(case=consumes(cases))
    def a_buyer_cancels(self, case: Case) -> None:
        if case.state == "refused":
            return
        variables = {"id": case.checkout["id"], "key": key()}
        payload = self.run(self.house.shop.ask(CANCEL, variables))["checkoutCancel"]
        if case.state == "sold":
            assert [error["__typename"] for error in payload["errors"]] == ["IllegalTransition"]
            return
        assert payload["errors"] == []
        case.state, case.held_until = "canceled", None

    @rule(case=cases, point=st.sampled_from(POINTS))
    def a_completion_is_killed_and_recovered(self, case: Case, point: str) -> None:
        now = self.clock.now()
        lasts = case.held_until is not None and case.held_until > now + timedelta(seconds=60)
        if case.state != "open" or not (lasts or (case.held_until is None and case.quantity <= self.goods.free)):
            return
        used = key()
        self.run(killed_at(self.house.shop, point, case.checkout, key_=used, captures=False))
        case.held_until = None
        self.run(self.house.shop.recover_all())
        self.swept()
        checkout = self.run(self.house.shop.database.collection("checkouts").find_one({"_id": case.checkout["id"]}))
        assert checkout is not None
        assert checkout["status"] == "COMPLETED"
        self.sold(case, checkout["order"], None)

    @rule(seconds=st.sampled_from((1, 30, 299, 600, 601)))
    def time_passes(self, seconds: int) -> None:
        self.clock.advance(seconds)
        self.swept()

    def swept(self) -> None:
        self.run(self.house.inventory.sweep())
        self.goods.lapse(self.clock.now())

    def sold(self, case: Case, order: str, used: str | None) -> None:
        case.state, case.held_until, case.order, case.paid_with = "sold", None, order, used

    @invariant()
    def the_level_is_what_the_model_says(self) -> None:
        levels = self.run(self.house.inventory.levels_of([self.sku]))[0]
        level = next(level for level in levels if level.location_id == self.warehouse)
        allocated = level.allocated - self.owned_before
        told = (level.on_hand - level.safety - self.owned_before, level.reserved, allocated)
        assert told == (self.goods.on_hand, self.goods.reserved, self.goods.allocated)

    def teardown(self) -> None:
        books = self.run(read(self.house.mongo, self.house.prefix, at=self.clock.now()))
        assert [violation for finding in audit(books) for violation in finding.violations] == []
        assert [line for line in unrest(books) if "on its way" not in line] == []


def test_whatever_is_done_in_whatever_order_the_books_say_what_the_model_says(mongodb_uri: str) -> None:
    play(mongodb_uri, examples=20)


def test_the_machine_sees_a_receipt_that_counts_twice(mongodb_uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the test above is known to see."""
    monkeypatch.setattr(Desk, "take_receipt", lambda desk, receipt: True)
    with pytest.raises(AssertionError):
        play(mongodb_uri, examples=20, phases=[Phase.generate])


def play(mongodb_uri: str, examples: int, phases: Sequence[Phase] = tuple(Phase)) -> None:
    """That many sequences, always the same, in one house; the first that goes wrong raises."""
    loop = asyncio.new_event_loop()
    running = small_house(mongodb_uri, FixedClock(SystemClock().now()), recovers=False)
    try:
        house = loop.run_until_complete(running.__aenter__())
        try:
            skus, warehouse = loop.run_until_complete(_for_sale(house))
            given = {"house": house, "loop": loop, "skus": itertools.cycle(skus), "warehouse": warehouse}
            bound = settings(
                max_examples=examples,
                stateful_step_count=20,
                phases=phases,
                derandomize=True,
                deadline=None,
                database=None,
                suppress_health_check=list(HealthCheck),
            )
            run_state_machine_as_test(type("BuyingHere", (Buying,), given), settings=bound)
        finally:
            loop.run_until_complete(running.__aexit__(None, None, None))
    finally:
        loop.close()


async def _for_sale(house: SmallHouse) -> tuple[list[str], str]:
    """SKUs the warehouse has and the web sells."""
    places = {place.id for place in await house.inventory.store.locations() if place.kind.value == "WAREHOUSE"}
    levels = await house.stock.collection("stock").find({"free": {"$gt": 0}})
    skus, at = [], sorted(places)[0]
    for sku in sorted({level["sku"] for level in levels if level["loc"] == at}):
        given = ready(lines=[{"sku": sku, "quantity": 1}], holdStock=False)
        if not (await house.shop.ask(CHECKOUT, {"input": given, "key": key()}))["checkoutCreate"]["errors"]:
            skus.append(sku)
    return skus, at
