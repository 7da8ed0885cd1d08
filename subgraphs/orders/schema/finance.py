"""Books in GraphQL: settlement, the journal, invoices, daily totals, and how completions run.

(No ``from __future__ import annotations``: Strawberry reads annotations at run time.)
"""

import enum
from collections.abc import Sequence
from typing import Annotated, Self

import strawberry

from subgraphs.chassis.graphql import (
    CurrencyCode,
    Date,
    DateTime,
    IdempotencyKey,
    Info,
    MoneyInput,
    MoneyType,
    PageInfo,
    require_scopes,
)
from subgraphs.orders.model import settlement
from subgraphs.orders.model.saga import Saga
from subgraphs.orders.schema.context import services_of
from subgraphs.orders.schema.entities import After, Channel, First, Location, Payment
from subgraphs.orders.schema.enums import SagaState
from subgraphs.orders.service.books import READ_BOOKS, READ_RUNS, WRITE_BOOKS, DayTotal, Export, Report
from subgraphs.orders.service.runs import Runs, state_of, step_of

_EUR = CurrencyCode("EUR")
_READ, _WRITE, _RUNS = [[READ_BOOKS]], [[WRITE_BOOKS]], [[READ_RUNS]]
From = Annotated[Date, strawberry.argument(name="from", description="The first day, UTC.")]
To = Annotated[Date, strawberry.argument(description="The last day, UTC.")]
InCurrency = Annotated[CurrencyCode, strawberry.argument(description="Sums are in this currency.")]


@strawberry.type(description="A line of a provider's file.")
class SettlementRow:
    provider_ref: str = strawberry.field(description="The provider's name for it.")
    gross: MoneyType = strawberry.field(description="What was taken; below zero, what was given back.")
    fee: MoneyType = strawberry.field(description="What the provider kept.")
    kind: str = strawberry.field(description="CAPTURE or REFUND.")

    @classmethod
    def of(cls, row: settlement.Row) -> Self:
        return cls(
            provider_ref=row.provider_ref, gross=MoneyType.of(row.gross), fee=MoneyType.of(row.fee), kind=row.kind
        )


@strawberry.type(description="A provider's files held against our payments.")
class SettlementReport:
    provider: str = strawberry.field(description="The provider.")
    matched: int = strawberry.field(description="Lines that we know, with that amount.")
    unmatched_provider: list[SettlementRow] = strawberry.field(description="Lines that we do not know.")
    unmatched_ledger: list[Payment] = strawberry.field(description="What we took that no file tells of.")
    amount_mismatch: list[SettlementRow] = strawberry.field(description="Lines that we know with another amount.")
    gross: MoneyType = strawberry.field(description="The files' own sum.")
    fees: MoneyType = strawberry.field(description="What the provider kept, by the files.")
    net: MoneyType = strawberry.field(description="What it paid out.")

    @classmethod
    def of(cls, found: Report) -> Self:
        return cls(
            provider=found.provider,
            matched=found.matched,
            unmatched_provider=[SettlementRow.of(row) for row in found.theirs_alone],
            unmatched_ledger=[Payment.of(payment) for payment in found.ours_alone],
            amount_mismatch=[SettlementRow.of(row) for row in found.mismatches],
            gross=MoneyType.of(found.gross),
            fees=MoneyType.of(found.fees),
            net=MoneyType.of(found.gross - found.fees),
        )


@strawberry.enum(description="How the journal is written.")
class JournalFormat(enum.Enum):
    CSV = "CSV"
    JSONL = "JSONL"


@strawberry.type(description="A batch of the journal. The same days, once they are over, are the same bytes.")
class JournalExport:
    batch_id: strawberry.ID = strawberry.field(description="The batch, by its content.")
    entries: int = strawberry.field(description="Entries in it.")
    debits: MoneyType = strawberry.field(description="Sum of one side, in the currency asked for.")
    credits: MoneyType = strawberry.field(description="Sum of the other.")
    balanced: bool = strawberry.field(description="Whether each entry's sides are equal.")
    url: str = strawberry.field(description="The file, as a data: URL.")

    @classmethod
    def of(cls, found: Export) -> Self:
        return cls(
            batch_id=strawberry.ID(found.batch_id),
            entries=found.entries,
            debits=MoneyType.of(found.debits),
            credits=MoneyType.of(found.credits),
            balanced=found.balanced,
            url=found.url,
        )


@strawberry.type(description="What was sold and given back on a day, on a channel, at a counter if at one.")
class DailyTotal:
    day: Date = strawberry.field(description="The day, UTC.")
    channel: Channel | None = strawberry.field(description="The channel.")
    location: Location | None = strawberry.field(description="The counter, if at one.")
    orders: int = strawberry.field(description="Orders placed.")
    gross: MoneyType = strawberry.field(description="What they came to.")
    refunded: MoneyType = strawberry.field(description="What was given back that day, whenever it was sold.")
    net: MoneyType = strawberry.field(description="The difference.")

    @classmethod
    def of(cls, found: DayTotal) -> Self:
        return cls(
            day=found.day,
            channel=Channel(code=found.channel),
            location=None if found.location_id is None else Location(id=strawberry.ID(found.location_id)),
            orders=found.orders,
            gross=MoneyType.of(found.gross),
            refunded=MoneyType.of(found.refunded),
            net=MoneyType.of(found.gross - found.refunded),
        )


@strawberry.type(description="A completion on its way, or how it ended.")
class SagaRun:
    id: strawberry.ID = strawberry.field(description="Identity, sag_….")
    kind: str = strawberry.field(description="What it is for.")
    state: SagaState = strawberry.field(description="Where it stands.")
    step: str = strawberry.field(description="The step it is at.")
    attempts: int = strawberry.field(description="Answers lost at this step.")
    started_at: DateTime = strawberry.field(description="When it began.")
    last_error: str | None = strawberry.field(description="Why it turned back, if it did.")

    @classmethod
    def of(cls, saga: Saga, now: DateTime) -> Self:
        failure = saga.progress.failure
        return cls(
            id=strawberry.ID(saga.id),
            kind="checkout",
            state=SagaState(state_of(saga, now)),
            step=step_of(saga),
            attempts=saga.progress.lost,
            started_at=saga.started_at,
            last_error=None if failure is None else failure.code,
        )


@strawberry.type(description="A completion in a list.")
class SagaEdge:
    cursor: str = strawberry.field(description="To go on after it.")
    node: SagaRun = strawberry.field(description="The completion.")


@strawberry.type(description="A page of completions, newest first.")
class SagaConnection:
    edges: list[SagaEdge] = strawberry.field(description="The completions of the page.")
    page_info: PageInfo = strawberry.field(description="Where the page stands.")

    @classmethod
    async def of(cls, runs: Runs, state: str | None, first: int, after: str | None) -> Self:
        page, now = await runs.page(state, first, after), runs.clock.now()
        return cls(
            edges=[SagaEdge(cursor=runs.cursor(saga), node=SagaRun.of(saga, now)) for saga in page.items],
            page_info=PageInfo.of(page),
        )


@strawberry.input(description="A line of a provider's file.")
class SettlementRowInput:
    provider_ref: str = strawberry.field(description="The provider's name for it.")
    gross: MoneyInput = strawberry.field(description="What was taken; below zero, what was given back.")
    fee: MoneyInput = strawberry.field(description="What the provider kept.")
    kind: str = strawberry.field(description="CAPTURE or REFUND.")


@strawberry.type
class FinanceQuery:
    @strawberry.federation.field(
        description="Files taken in on these days, held against our payments.", requires_scopes=_READ, tags=["staff"]
    )
    async def settlement_report(
        self,
        info: Info,
        provider: Annotated[str, strawberry.argument(description="The provider, such as sandbox.")],
        from_: From,
        to: To,
        currency: InCurrency = _EUR,
    ) -> SettlementReport:
        require_scopes(info, READ_BOOKS)
        return SettlementReport.of(await services_of(info).books.report(provider, from_, to, currency))

    @strawberry.federation.field(
        description="The journal of these days, as a file.", requires_scopes=_READ, tags=["staff"]
    )
    async def journal_export(
        self,
        info: Info,
        from_: From,
        to: To,
        format: Annotated[JournalFormat, strawberry.argument(description="How it is written.")] = JournalFormat.CSV,
        currency: InCurrency = _EUR,
    ) -> JournalExport:
        require_scopes(info, READ_BOOKS)
        return JournalExport.of(await services_of(info).books.export(from_, to, format.value, currency))

    @strawberry.federation.field(description="Sums by day, channel and counter.", requires_scopes=_READ, tags=["staff"])
    async def daily_totals(self, info: Info, from_: From, to: To) -> list[DailyTotal]:
        require_scopes(info, READ_BOOKS)
        return [DailyTotal.of(row) for row in await services_of(info).books.days(from_, to)]

    @strawberry.federation.field(
        description="Completions, newest first: for operations.", requires_scopes=_RUNS, tags=["staff"]
    )
    async def saga_runs(
        self,
        info: Info,
        state: Annotated[SagaState | None, strawberry.argument(description="In this state.")] = None,
        first: First = 50,
        after: After = None,
    ) -> SagaConnection:
        require_scopes(info, READ_RUNS)
        return await SagaConnection.of(services_of(info).runs, None if state is None else state.value, first, after)


@strawberry.type
class FinanceMutation:
    @strawberry.federation.mutation(
        description="Takes a provider's file in, and holds it against our payments. The same file again changes nothing.",
        requires_scopes=_WRITE,
        tags=["staff"],
    )
    async def settlement_import(
        self,
        info: Info,
        provider: Annotated[str, strawberry.argument(description="The provider.")],
        file_sha256: Annotated[str, strawberry.argument(description="The file's digest, 64 hexadecimal digits.")],
        rows: Annotated[
            list[SettlementRowInput], strawberry.argument(description="Its lines, at most 10,000, in one currency.")
        ],
        idempotency_key: Annotated[
            IdempotencyKey, strawberry.argument(description="The same key with the same arguments is done once.")
        ],
    ) -> SettlementReport:
        principal = require_scopes(info, WRITE_BOOKS)
        return SettlementReport.of(
            await services_of(info).books.take_in(
                principal,
                provider,
                file_sha256,
                _rows(rows),
                idempotency_key,
                {"provider": provider, "fileSha256": file_sha256, "rows": [strawberry.asdict(row) for row in rows]},
            )
        )


def _rows(given: Sequence[SettlementRowInput]) -> list[settlement.Row]:
    return [settlement.Row(row.provider_ref, row.gross.to_money(), row.fee.to_money(), row.kind) for row in given]
