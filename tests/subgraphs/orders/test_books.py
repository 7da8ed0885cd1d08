"""Books: the journal balances and has no gaps, papers are numbered, and a provider's file is held against our payments."""

from __future__ import annotations

import base64
import csv
import io
import json
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subgraphs.chassis.identity import Principal
from subgraphs.chassis.mongo import DuplicateKey
from subgraphs.kernel.errors import InvalidInput
from subgraphs.kernel.money import Money
from subgraphs.orders.model import journal, settlement
from subgraphs.orders.model.settlement import Expected, Row
from subgraphs.orders.payments.mismatches import plant
from subgraphs.orders.payments.sandbox import SandboxProvider
from tests.subgraphs.orders.conftest import TILL, Shop
from tests.subgraphs.orders.test_api import POS, key, receipt
from tests.subgraphs.orders.test_fulfilment import SHIPPED, bought, caught_up, move
from tests.subgraphs.orders.test_returns import receive, request

FINANCE = Principal("finance", "staff", frozenset({"finance:read", "finance:write", "ops:read", "orders:read"}))
DAY = "2026-06-01"

REPORT = """
  provider matched gross { minor } fees { minor } net { minor } amountMismatch { providerRef }
  unmatchedProvider { providerRef } unmatchedLedger { id captured { minor } }
"""
IMPORT = f"""
mutation($sha: String!, $rows: [SettlementRowInput!]!, $key: IdempotencyKey!) {{
  settlementImport(provider: "sandbox", fileSha256: $sha, rows: $rows, idempotencyKey: $key) {{ {REPORT} }}
}}"""
ASK = f"""
query($from: Date!, $to: Date!) {{ settlementReport(provider: "sandbox", from: $from, to: $to) {{ {REPORT} }} }}
"""
EXPORT = """
query($from: Date!, $to: Date!, $format: JournalFormat!) {
  journalExport(from: $from, to: $to, format: $format) {
    batchId entries balanced debits { minor } credits { minor } url
  }
}"""
PAPERS = """
query($id: ID!) { order(id: $id) { papers { id kind total { minor } tax { minor } invoiceId } payments { settledIn } } }
"""


async def sold_and_returned(shop: Shop) -> list[dict[str, Any]]:
    """Three orders delivered, one unit of the first returned, and a receipt paid in cash; all booked."""
    orders = [await bought(shop, lines=[{"sku": "TEE-RED-M", "quantity": 1}]) for _ in range(3)]
    for order in orders:
        await move(shop, order["fulfilments"][0]["id"], *SHIPPED)
    await shop.settle()
    given = (await request(shop, orders[0], 1))["return"]
    assert (await receive(shop, given["id"], 1))["errors"] == []
    assert (await shop.ask(POS, {"input": receipt(), "key": key()}, TILL))["posOrderRecord"]["errors"] == []
    await kept(shop)
    return orders


async def kept(shop: Shop) -> None:
    await caught_up(shop)
    while await shop.services.books.keep():
        pass


def file_of(rows: list[Row]) -> dict[str, Any]:
    return {
        "sha": settlement.digest(settlement.as_csv(rows)),
        "rows": [
            {
                "providerRef": row.provider_ref,
                "kind": row.kind,
                "gross": {"minor": row.gross.minor, "currency": "EUR"},
                "fee": {"minor": row.fee.minor, "currency": "EUR"},
            }
            for row in rows
        ],
        "key": key(),
    }


async def settled(shop: Shop) -> list[Row]:
    return await SandboxProvider(shop.database).settlement(date.fromisoformat(DAY))


async def exported(shop: Shop, form: str = "CSV") -> dict[str, Any]:
    variables = {"from": DAY, "to": DAY, "format": form}
    found: dict[str, Any] = (await shop.ask(EXPORT, variables, FINANCE))["journalExport"]
    return found


async def test_the_journal_balances_has_no_gaps_and_is_the_same_bytes_again(shop: Shop) -> None:
    await sold_and_returned(shop)
    first, again = await exported(shop), await exported(shop)
    assert first == again
    assert (first["balanced"], first["debits"] == first["credits"], first["entries"]) == (True, True, 5)
    text = base64.b64decode(first["url"].partition(",")[2]).decode()
    rows = list(csv.DictReader(io.StringIO(text)))
    assert sorted({int(row["number"]) for row in rows}) == [1, 2, 3, 4, 5]
    for number in range(1, 6):
        own = [row for row in rows if int(row["number"]) == number]
        assert sum(float(row["debit"] or 0) for row in own) == pytest.approx(
            sum(float(row["credit"] or 0) for row in own)
        )
    accounts = {row["account"] for row in rows}
    assert {journal.RECEIVABLE, journal.TILL, journal.SALES, journal.TAX, journal.DELIVERY, journal.RETURNS} == accounts
    lines = base64.b64decode((await exported(shop, "JSONL"))["url"].partition(",")[2]).decode().splitlines()
    assert [json.loads(line)["account"] for line in lines] == [row["account"] for row in rows]


async def test_a_bookkeeper_that_is_beaten_to_it_books_nothing_twice(shop: Shop) -> None:
    await sold_and_returned(shop)
    books, state = shop.services.books, await shop.services.books._books.state()
    await shop.database.collection("bookkeeping").update_one({"_id": "books"}, {"$set": {"seq": 0, "v": state.version}})
    with pytest.raises(DuplicateKey):
        await books.keep()
    assert await shop.count("journal") == 5


async def test_papers_are_numbered_and_a_credit_note_names_its_invoice(shop: Shop) -> None:
    orders = await sold_and_returned(shop)
    papers = (await shop.ask(PAPERS, {"id": orders[0]["id"]}))["order"]["papers"]
    assert [(one["kind"], one["total"]["minor"], one["invoiceId"]) for one in papers] == [
        ("INVOICE", 2490, None),
        ("CREDIT_NOTE", 2490, papers[0]["id"]),
    ]
    rows = await shop.database.collection("documents").find({})
    assert sorted(row["number"] for row in rows if row["kind"] == "INVOICE") == [1, 2, 3, 4]


async def test_a_file_without_faults_matches_to_the_cent_and_counts_once(shop: Shop) -> None:
    orders = await sold_and_returned(shop)
    rows = await settled(shop)
    assert sorted(row.kind for row in rows) == ["CAPTURE"] * 3 + ["REFUND"]
    file = file_of(rows)
    report = (await shop.ask(IMPORT, file, FINANCE))["settlementImport"]
    assert (report["matched"], report["amountMismatch"], report["unmatchedProvider"], report["unmatchedLedger"]) == (
        4,
        [],
        [],
        [],
    )
    assert report["gross"]["minor"] == sum(row.gross.minor for row in rows) == 2 * 2490
    assert report["fees"]["minor"] == sum(row.fee.minor for row in rows) == 3 * (35 + 25)
    assert report["net"]["minor"] == report["gross"]["minor"] - report["fees"]["minor"]
    again = (await shop.ask(IMPORT, file | {"key": key()}, FINANCE))["settlementImport"]
    assert again == report
    assert await shop.count("settlements") == 1
    assert (await shop.ask(ASK, {"from": DAY, "to": DAY}, FINANCE))["settlementReport"] == report
    assert (await shop.ask(PAPERS, {"id": orders[1]["id"]}))["order"]["payments"][0]["settledIn"] is not None
    await kept(shop)
    assert (await exported(shop))["entries"] == 6


async def test_what_is_planted_in_a_file_is_found(shop: Shop) -> None:
    await sold_and_returned(shop)
    rows = await settled(shop)
    captures = [row for row in rows if row.kind == "CAPTURE"]
    wrong = Row(captures[0].provider_ref, captures[0].gross - Money(1, "EUR"), captures[0].fee, "CAPTURE")
    stranger = Row("sbx_stranger", Money(500, "EUR"), Money(32, "EUR"), "CAPTURE")
    report = (await shop.ask(IMPORT, file_of([wrong, captures[1], stranger]), FINANCE))["settlementImport"]
    assert report["matched"] == 1
    assert [row["providerRef"] for row in report["amountMismatch"]] == [captures[0].provider_ref]
    assert [row["providerRef"] for row in report["unmatchedProvider"]] == ["sbx_stranger"]
    assert [row["captured"]["minor"] for row in report["unmatchedLedger"]] == [2490]
    assert report["gross"]["minor"] == 2489 + 2490 + 500


async def test_only_finance_sees_the_books_and_a_bad_row_is_named(shop: Shop) -> None:
    answer = await shop.raw(ASK, {"from": DAY, "to": DAY}, TILL)
    assert answer["errors"][0]["extensions"]["code"] == "FORBIDDEN"
    rows = [Row("a", Money(1, "EUR"), Money(0, "EUR"), "CAPTURE"), Row("b", Money(1, "EUR"), Money(0, "EUR"), "GIFT")]
    refused = await shop.raw(IMPORT, file_of(rows), FINANCE)
    assert refused["errors"][0]["message"].startswith("row 2: kind 'GIFT'")


async def test_daily_totals_add_up_by_channel_and_counter(shop: Shop) -> None:
    await sold_and_returned(shop)
    found = (
        await shop.ask(
            "query($d: Date!) { dailyTotals(from: $d, to: $d) { day channel { code } location { id } orders"
            " gross { minor } refunded { minor } net { minor } } }",
            {"d": DAY},
            FINANCE,
        )
    )["dailyTotals"]
    by_channel = {row["channel"]["code"]: row for row in found}
    assert (by_channel["web-eu"]["orders"], by_channel["web-eu"]["gross"]["minor"]) == (3, 3 * 2490)
    assert (by_channel["web-eu"]["refunded"]["minor"], by_channel["web-eu"]["net"]["minor"]) == (2490, 2 * 2490)
    assert by_channel["pos"]["location"] is not None


async def test_operations_see_how_completions_run(shop: Shop) -> None:
    await bought(shop)
    await bought(shop)
    ask = "query($s: SagaState, $n: Int!, $a: String) { sagaRuns(state: $s, first: $n, after: $a) {"
    ask += " edges { cursor node { id state step attempts } } pageInfo { hasNextPage endCursor } } }"
    first = (await shop.ask(ask, {"n": 1}, FINANCE))["sagaRuns"]
    second = (await shop.ask(ask, {"n": 1, "a": first["pageInfo"]["endCursor"]}, FINANCE))["sagaRuns"]
    assert (first["pageInfo"]["hasNextPage"], second["pageInfo"]["hasNextPage"]) == (True, False)
    assert first["edges"][0]["node"]["id"] != second["edges"][0]["node"]["id"]
    assert first["edges"][0]["node"]["state"] == "COMPLETED"
    assert (await shop.ask(ask, {"s": "STUCK", "n": 5}, FINANCE))["sagaRuns"]["edges"] == []


amounts = st.integers(1, 100_000)


@given(st.lists(amounts, min_size=1, max_size=60), st.floats(0, 1), st.integers(0, 5))
def test_whatever_is_wrong_in_a_file_its_buckets_are_its_rows_and_its_truth(
    sums: list[int], share: float, seed: int
) -> None:
    rows = [Row(f"r{n}", Money(minor, "EUR"), Money(1, "EUR"), "CAPTURE") for n, minor in enumerate(sums)]
    planted = plant(rows, share, seed)
    expected = {row.provider_ref: Expected(f"p{row.provider_ref}", row.gross) for row in rows}
    found = settlement.judged(planted.rows, expected)
    assert [each.row for each in found] == list(planted.rows)
    assert {each.row.provider_ref for each in found if each.bucket == "AMOUNT_MISMATCH"} == set(planted.amount)
    assert {each.row.provider_ref for each in found if each.bucket == "UNMATCHED_PROVIDER"} == set(planted.unknown)
    told = {each.row.provider_ref for each in found}
    assert {row.provider_ref for row in rows} - told == set(planted.missing)


def test_a_file_that_cannot_be_read_is_told_by_its_line() -> None:
    rows = [
        Row("a", Money(1234, "EUR"), Money(42, "EUR"), "CAPTURE"),
        Row("b", Money(7, "JPY"), Money(0, "JPY"), "CAPTURE"),
    ]
    text = settlement.as_csv(rows)
    assert settlement.read_csv(text) == rows
    for spoilt, said in (
        (text.replace(b"12.34", b"12.3456"), "line 2: 12.3456 has more decimals than EUR"),
        (text.replace(b"12.34", b"twelve"), "line 2"),
        (text.replace(b"JPY", b"XXX"), "line 3"),
        (text.replace(b",CAPTURE,", b","), "line 2"),
        (b"nothing", "line 1: the columns are"),
    ):
        with pytest.raises(InvalidInput, match=said):
            settlement.read_csv(spoilt)
