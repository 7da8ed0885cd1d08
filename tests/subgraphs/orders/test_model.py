"""What orders decides, without a database: sums, taxes, numbers, delivery, and the tables of states and steps."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subgraphs.kernel.errors import InvalidInput
from subgraphs.kernel.money import Money
from subgraphs.orders.model import checkout as checkouts
from subgraphs.orders.model import delivery
from subgraphs.orders.model.budget import AGENT_ORDER_LIMIT, check_agent_budget
from subgraphs.orders.model.lines import Line, LineRequest, Offer, changed, merged, priced, requoted
from subgraphs.orders.model.numbering import ALPHABET, order_number, read_number
from subgraphs.orders.model.order import receipt_totals
from subgraphs.orders.model.refusals import (
    BudgetExceeded,
    Failure,
    OutOfStock,
    PaymentActionRequired,
    PaymentDeclined,
    shown_available,
)
from subgraphs.orders.model.saga import (
    STEPS,
    AnswerLost,
    BuyerActs,
    Done,
    GiveBack,
    HoldLapsed,
    Nothing,
    Outcome,
    Perform,
    Progress,
    Refused,
    SagaState,
    Step,
    Undo,
    after,
    next_action,
)
from subgraphs.orders.model.tax import TABLE_2026, rate_text, taxes
from subgraphs.orders.model.totals import add_up

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
PLACES = sorted(TABLE_2026.places)
DECLINED = Failure("PaymentDeclined", {"decline_code": "no", "retryable": True})
GONE = Failure("OutOfStock", {"sku": "A", "available": 0})


def line(sku: str = "TEE", quantity: int = 1, minor: int = 1000, tax_class: str = "standard") -> Line:
    return Line(
        id=f"line:{sku}",
        sku=sku,
        title=sku,
        product_id="prd",
        category_slug="things",
        tax_class=tax_class,
        quantity=quantity,
        unit=Money(minor, "EUR"),
        list_unit=None,
        price_version="1",
        quote_token="q",
        quote_valid_until=NOW + timedelta(minutes=15),
    )


def offer(minor: int | None = 1000, *, purchasable: bool = True) -> Offer:
    return Offer(
        sku="TEE",
        title="Tee",
        product_id="prd",
        category_slug="things",
        tax_class="standard",
        unit=None if minor is None else Money(minor, "EUR"),
        list_unit=None,
        price_version="2",
        quote_token="q2",
        quote_valid_until=NOW + timedelta(minutes=30),
        purchasable=purchasable,
    )


priced_lines = st.lists(
    st.builds(
        lambda quantity, minor, tax_class: (quantity, minor, tax_class),
        st.integers(1, 999),
        st.integers(0, 10_000_000),
        st.sampled_from(["standard", "reduced", "food", "books", "zero"]),
    ),
    min_size=1,
    max_size=8,
)


@given(priced_lines, st.integers(0, 100_000), st.sampled_from(PLACES))
def test_the_total_is_the_sum_of_its_parts_everywhere(
    drawn: list[tuple[int, int, str]], delivery_minor: int, place: str
) -> None:
    lines = [line(f"SKU{n}", quantity, minor, kind) for n, (quantity, minor, kind) in enumerate(drawn)]
    rule = TABLE_2026.rule(*place.split("-")) if "-" in place else TABLE_2026.rule(place)
    cost = Money(delivery_minor, "EUR")
    totals = add_up(lines, cost, rule, "EUR")
    added = sum(tax.amount.minor for tax in totals.tax_lines if not tax.included)
    assert totals.total.minor == sum(one.total.minor for one in lines) + delivery_minor + added
    for one in lines:
        own = [tax for tax in totals.tax_lines if tax.line_id == one.id]
        assert len(own) == len(rule.jurisdictions)
        if rule.included:
            assert own[0].base + Money(sum(tax.amount.minor for tax in own), "EUR") == one.total


@given(st.integers(0, 10**9), st.sampled_from(PLACES))
def test_jurisdictions_share_one_rounding_of_the_whole(minor: int, place: str) -> None:
    rule = TABLE_2026.places[place]
    together = sum(authority.rate_ppm("standard") for authority in rule.jurisdictions)
    whole = Money(minor, "EUR").share(together, 1_000_000 + together if rule.included else 1_000_000)
    assert sum(tax.amount.minor for tax in taxes(Money(minor, "EUR"), "standard", rule, None)) == whole.minor


def test_included_tax_is_taken_out_of_the_price_and_added_tax_put_on_top() -> None:
    german = add_up([line(minor=11900)], None, TABLE_2026.rule("DE"), "EUR")
    assert (german.total.minor, german.tax_lines[0].amount.minor, german.tax_lines[0].base.minor) == (
        11900,
        1900,
        10000,
    )
    new_york = add_up([line(minor=10000)], None, TABLE_2026.rule("US", "NY"), "EUR")
    assert new_york.total.minor == 10888
    assert [tax.amount.minor for tax in new_york.tax_lines] == [400, 450, 38]
    assert add_up([line()], None, TABLE_2026.rule("US"), "EUR").total.minor == 1000


def test_a_rate_is_an_exact_decimal() -> None:
    assert [rate_text(ppm) for ppm in (190_000, 88_750, 0)] == ["0.19", "0.08875", "0"]


def test_requests_are_merged_by_sku_and_bounded() -> None:
    wanted = merged([LineRequest("TEE", 1), LineRequest("MUG", 2), LineRequest("TEE", 3)])
    assert wanted == (LineRequest("TEE", 4), LineRequest("MUG", 2))
    for bad in (LineRequest("tee", 1), LineRequest("TEE", 0), LineRequest("TEE", 1000)):
        with pytest.raises(InvalidInput):
            merged([bad])
    assert changed([line("TEE"), line("MUG")], [LineRequest("TEE", 0)]) == (LineRequest("MUG", 1),)


@pytest.mark.parametrize("bad", [None, offer(None), offer(purchasable=False)])
def test_what_is_not_sold_here_has_no_line(bad: Offer | None) -> None:
    with pytest.raises(InvalidInput):
        priced([LineRequest("TEE", 1)], {"TEE": bad} if bad else {}, "EUR")


@pytest.mark.parametrize(
    ("current", "minutes", "sold_for"), [(1200, 5, 1000), (1200, 20, 1200), (900, 5, 900), (900, 20, 900)]
)
def test_a_valid_quote_keeps_a_rise_away_and_a_fall_always_passes(current: int, minutes: int, sold_for: int) -> None:
    now = NOW + timedelta(minutes=minutes)
    assert requoted([line()], {"TEE": offer(current)}, now)[0].unit.minor == sold_for


@given(st.integers(0, 2**25 - 1), st.integers(0, 2**20 - 1), st.data())
def test_an_order_number_survives_a_telephone(minutes: int, chance: int, data: st.DataObject) -> None:
    number = order_number(datetime(2024, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes), chance)
    assert read_number(number) == number
    assert read_number(f" {number.lower().replace('-', ' ')} ".replace("0", "o")) == number
    place = data.draw(st.sampled_from([2, 3, 4, 5, 6, 8, 9, 10, 11]))
    wrong = data.draw(st.sampled_from([letter for letter in ALPHABET if letter != number[place]]))
    difference = abs(ALPHABET.index(wrong) - ALPHABET.index(number[place]))
    # Letters 31 apart (0 and Z) are the one pair the check cannot tell apart.
    assert (read_number(number[:place] + wrong + number[place + 1 :]) is None) == (difference != 31)


def test_a_receipt_s_tenders_are_the_truth_where_tax_is_added_and_checked_where_it_is_included() -> None:
    german, texan = TABLE_2026.rule("DE"), TABLE_2026.rule("US", "TX")
    assert receipt_totals([line()], Money(1000, "EUR"), german, "DE").total.minor == 1000
    with pytest.raises(InvalidInput):
        receipt_totals([line()], Money(1001, "EUR"), german, "DE")
    charged = receipt_totals([line()], Money(1083, "EUR"), texan, "US")
    assert (charged.total.minor, charged.tax_lines[0].amount.minor) == (1083, 83)
    with pytest.raises(InvalidInput):
        receipt_totals([line()], Money(999, "EUR"), texan, "US")


@given(st.lists(st.integers(1, 9), min_size=1, max_size=6), st.sampled_from(["EUR", "JPY", "KWD"]))
def test_one_delivery_is_shared_out_over_its_parcels_exactly(quantities: list[int], currency: str) -> None:
    lines = [replace(line(f"SKU{n}", q), unit=Money(5, currency)) for n, q in enumerate(quantities)]
    held = tuple(delivery.HeldLine(one.sku, one.quantity, f"loc_{n % 3}") for n, one in enumerate(lines))
    hold = delivery.Hold(reservation_id="rsv", expires_at=NOW, lines=held)
    parts = delivery.groups(lines, hold, "SHIP", None, "ship-express", NOW)
    cost = delivery.delivery_cost("SHIP", "ship-express", currency)
    assert cost is not None
    assert sum(group.options[1].cost.minor for group in parts) == cost.minor
    assert {line_id for group in parts for line_id in group.line_ids} == {one.id for one in lines}


def test_the_table_of_states_names_only_states() -> None:
    table = checkouts.TRANSITIONS
    assert {target for targets in table.values() for target in targets} <= set(table)


def test_a_refusal_survives_its_record() -> None:
    for error in (
        OutOfStock("TEE", 3, ["MUG"]),
        PaymentDeclined("no", retryable=True),
        PaymentActionRequired("https://x"),
    ):
        again = Failure.of(error).error()
        assert type(again) is type(error)
        assert again.__dict__ == error.__dict__
    assert (shown_available(20), shown_available(21)) == (20, None)


def fresh(*also: Step) -> Progress:
    return Progress(wants=frozenset({Step.AUTHORIZE, *also}), due_at=NOW)


def run(progress: Progress, *outcomes: Outcome) -> Progress:
    for outcome in outcomes:
        progress = after(progress, outcome, NOW)
    return progress


def test_stock_is_committed_before_the_order_and_after_the_money_is_promised() -> None:
    order = [rule.step for rule in STEPS]
    assert order.index(Step.AUTHORIZE) < order.index(Step.COMMIT) < order.index(Step.CONFIRM)
    pivot = [rule.step for rule in STEPS if rule.pivot]
    assert pivot == [Step.COMMIT]
    assert all((rule.undo is None) == (order.index(rule.step) >= order.index(Step.COMMIT)) for rule in STEPS)


def test_four_effects_end_a_saga_and_five_if_it_takes_the_money() -> None:
    assert run(fresh(), *[Done()] * 4).state is SagaState.COMPLETED
    assert run(fresh(Step.CAPTURE), *[Done()] * 4).state is SagaState.RUNNING
    assert run(fresh(Step.CAPTURE), *[Done()] * 5).state is SagaState.COMPLETED
    assert run(Progress(wants=frozenset(), due_at=NOW), *[Done()] * 3).state is SagaState.COMPLETED


def test_points_and_budget_are_held_before_the_money_and_given_back_with_it() -> None:
    progress = run(fresh(Step.BUDGET, Step.POINTS), *[Done()] * 3)
    assert progress.done == (Step.RESERVE, Step.BUDGET, Step.POINTS)
    declined = run(progress, Refused(DECLINED, keep_hold=True))
    assert declined.undoing == (Step.BUDGET, Step.POINTS)
    unsure = run(fresh(Step.POINTS), Done(), *[AnswerLost()] * 4)
    assert unsure.undoing == (Step.RESERVE, Step.POINTS), "what may have been held is given back"


def test_a_decline_keeps_the_hold_and_a_lost_hold_gives_the_money_back() -> None:
    declined = run(fresh(), Done(), Refused(DECLINED, keep_hold=True))
    assert next_action(declined) == GiveBack()
    lapsed = run(fresh(), Done(), Done(), HoldLapsed(GONE))
    assert (next_action(lapsed), lapsed.reserved_again) == (Perform(Step.RESERVE), True)
    again = run(lapsed, Done())
    assert next_action(again) == Perform(Step.COMMIT)
    lost = run(again, HoldLapsed(GONE))
    assert next_action(lost) == Undo(Step.AUTHORIZE)
    assert next_action(run(lost, Done())) == Undo(Step.RESERVE)
    assert run(lost, Done(), Done(), Done()).state is SagaState.COMPENSATED
    assert run(lost, Done(), Done()).failure == GONE


def test_a_commit_without_an_answer_is_tried_for_ever() -> None:
    progress = run(fresh(), Done(), Done(), *[AnswerLost()] * 500)
    assert next_action(progress) == Perform(Step.COMMIT)
    assert progress.due_at - NOW == timedelta(seconds=5)


def test_an_authorization_nobody_can_tell_of_is_voided_in_the_end() -> None:
    progress = run(fresh(), Done(), *[AnswerLost()] * 61)
    assert next_action(progress) == Undo(Step.AUTHORIZE)


def test_a_buyer_who_does_not_act_in_time_is_declined() -> None:
    acting = BuyerActs(Failure("PaymentActionRequired", {"action_url": "u"}), NOW + timedelta(minutes=10))
    waiting = run(fresh(), Done(), acting)
    assert waiting.waits_until == NOW + timedelta(minutes=10)
    late = after(waiting, acting, NOW + timedelta(minutes=11))
    assert next_action(late) == Undo(Step.AUTHORIZE)
    assert late.failure is not None
    assert late.failure.code == "PaymentDeclined"


OUTCOMES = st.sampled_from(["done", "lost", "no"])


@given(st.lists(OUTCOMES, max_size=80), st.booleans())
def test_past_the_pivot_nothing_is_undone_and_before_it_everything_is(drawn: list[str], more: bool) -> None:
    progress = fresh(Step.CAPTURE, Step.BUDGET, Step.POINTS) if more else fresh()
    effects: list[Step] = []
    for word in drawn:
        action = next_action(progress)
        outcome: Outcome = AnswerLost() if word == "lost" else Done()
        match action:
            case Nothing():
                break
            case Perform(step):
                if word == "no" and step in (Step.RESERVE, Step.BUDGET, Step.POINTS, Step.AUTHORIZE):
                    outcome = Refused(DECLINED)
                elif word == "no" and step is Step.COMMIT:
                    outcome = HoldLapsed(GONE)
                if isinstance(outcome, Done):
                    effects.append(step)
                if isinstance(outcome, HoldLapsed):
                    effects.remove(Step.RESERVE)
            case Undo(step):
                assert Step.COMMIT not in effects
                if isinstance(outcome, Done) and step in effects:
                    effects.remove(step)
            case GiveBack():
                assert [step for step in effects if step is not Step.RESERVE] == []
                outcome = Done()
        progress = after(progress, outcome, NOW)
    if progress.state is SagaState.COMPENSATED:
        assert effects == []
    if progress.state is SagaState.COMPLETED:
        assert {Step.RESERVE, Step.AUTHORIZE, Step.COMMIT, Step.CONFIRM} <= set(effects)


def test_an_agent_buys_up_to_its_limit_and_not_a_unit_more() -> None:
    limit = AGENT_ORDER_LIMIT["EUR"]
    check_agent_budget(Money(limit, "EUR"))
    with pytest.raises(BudgetExceeded) as refused:
        check_agent_budget(Money(limit + 1, "EUR"))
    assert refused.value.remaining == Money(limit, "EUR")


def test_an_agent_buys_nothing_in_a_currency_without_a_limit() -> None:
    with pytest.raises(BudgetExceeded):
        check_agent_budget(Money(1, "CHF"))
