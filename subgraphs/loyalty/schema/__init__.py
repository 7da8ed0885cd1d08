"""Loyalty's GraphQL: types, resolvers, reference resolvers through loaders. No decisions, no queries.

(No ``from __future__ import annotations``: Strawberry reads annotations at run time.)
"""

import math
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Annotated, Any, Self

import strawberry
from strawberry.federation.schema_directives import Authenticated

from subgraphs.chassis.graphql import (
    CurrencyCode,
    DateTime,
    Decimal,
    IdempotencyKey,
    Info,
    Live,
    MinorUnits,
    MoneyInput,
    MoneyType,
    PageInfo,
    StreamEventKind,
    build_schema,
    require_authenticated,
    to_graphql_error,
)
from subgraphs.kernel.errors import DomainError
from subgraphs.kernel.errors import InvalidInput as InvalidInputRefusal
from subgraphs.kernel.money import Money
from subgraphs.kernel.pages import Page
from subgraphs.loyalty import model
from subgraphs.loyalty.model import EarningLine, LedgerKind
from subgraphs.loyalty.schema.redemptions import RedemptionMutation, RedemptionQuery
from subgraphs.loyalty.schema.refusals import LoyaltyError
from subgraphs.loyalty.service import Loyalty, PointsNews, earned, may_see, require, require_sight, reversed_points

EARN_BASIS = "earnBasis { minor currency categorySlug }"
PREVIEW_LINES_MAX = 100

strawberry.enum(
    LedgerKind,
    description="Why points moved: an order's accrual, its confirmation, its reversal; points that pay for an order, held,"
    " taken, given back; or a person's adjustment.",
)


def _services(info: Info) -> Loyalty:
    services: Loyalty = info.context.services
    return services


async def _own_account(info: Info) -> model.Account | None:
    """The account of whoever asks."""
    customer = info.context.principal.customer_id
    if customer is None:
        return None
    return await info.context.loaders.get("accounts of customers", _services(info).accounts_of).load(customer)


@strawberry.federation.type(name="EarnBasis", inaccessible=True, description="What catalog says a unit is sold for.")
class EarnBasis:
    minor: MinorUnits = strawberry.federation.field(external=True, description="Price of one unit, in minor units.")
    currency: CurrencyCode = strawberry.federation.field(external=True, description="The price's currency.")
    category_slug: str = strawberry.federation.field(external=True, description="The product's category.")


@strawberry.type(name="Tier", description="A standing of members, reached by points and kept once reached.")
class TierType:
    code: str = strawberry.field(description="Code.")
    name: str = strawberry.field(description="Name to show.")
    qualifying_points: int = strawberry.field(description="Earned points that reach it.")
    multiplier: Decimal = strawberry.field(description="What everything earned is multiplied by.")
    benefits: list[str] = strawberry.field(description="What it brings, a sentence each.")

    @classmethod
    def of(cls, tier: model.Tier) -> Self:
        return cls(
            code=tier.code,
            name=tier.name,
            qualifying_points=tier.qualifying_points,
            multiplier=tier.multiplier,
            benefits=list(tier.benefits),
        )


@strawberry.type(name="EarnRule", description="What earns how much. Of the rules that fit a line, the best one counts.")
class EarnRuleType:
    code: str = strawberry.field(description="Code.")
    description: str = strawberry.field(description="What it is, for people.")
    points_per_unit: Decimal = strawberry.field(description="Points per unit of money, before the tier's multiplier.")
    category: str | None = strawberry.field(description="Slug of the category it is for; null for all.")
    channels: list[str] | None = strawberry.field(description="Codes of the channels it is for; null for all.")
    starts_at: DateTime | None = strawberry.field(description="From when it counts; null for always.")
    ends_at: DateTime | None = strawberry.field(description="Until when it counts; null for ever.")

    @classmethod
    def of(cls, rule: model.EarnRule) -> Self:
        return cls(
            code=rule.code,
            description=rule.description,
            points_per_unit=rule.points_per_unit,
            category=rule.category,
            channels=list(rule.channels) if rule.channels is not None else None,
            starts_at=rule.starts_at,
            ends_at=rule.ends_at,
        )


@strawberry.type(description="A loyalty program.")
class LoyaltyProgram:
    code: str = strawberry.field(description="Code.")
    name: str = strawberry.field(description="Name to show.")
    tiers: list[TierType] = strawberry.field(description="Its standings, lowest first.")
    earn_rules: list[EarnRuleType] = strawberry.field(description="What earns how much.")
    earn_units: list[MoneyType] = strawberry.field(
        description="The amount that is one unit of money, in each currency that earns; others earn nothing."
    )
    point_value: MoneyType = strawberry.field(description="What one point is worth.")

    @classmethod
    def of(cls, program: model.Program) -> Self:
        return cls(
            code=program.code,
            name=program.name,
            tiers=[TierType.of(tier) for tier in program.tiers],
            earn_rules=[EarnRuleType.of(rule) for rule in program.rules],
            earn_units=[MoneyType.of(Money(minor, code)) for code, minor in sorted(program.units.items())],
            point_value=MoneyType.of(program.point_value),
        )


@strawberry.type(name="LedgerEntry", description="One movement of points. Entries are never changed or removed.")
class LedgerEntryType:
    id: strawberry.ID = strawberry.field(description="Identity, ldg_….")
    account_id: strawberry.ID = strawberry.field(description="The account.")
    seq: int = strawberry.field(description="The entry's number in its account, from 1 without gaps.")
    kind: LedgerKind = strawberry.field(description="Why points moved.")
    points: int = strawberry.field(description="Points given, or taken (below zero); 0 where only pending moved.")
    balance_after: int = strawberry.field(description="The account's balance after this entry.")
    order: "Order | None" = strawberry.field(description="The order they are for; null if it was not an order.")
    idempotency_key: IdempotencyKey = strawberry.field(description="What keeps the entry from being made twice.")
    at: DateTime = strawberry.field(description="When it was made.")

    @classmethod
    def of(cls, entry: model.LedgerEntry) -> Self:
        return cls(
            id=strawberry.ID(entry.id),
            account_id=strawberry.ID(entry.account_id),
            seq=entry.seq,
            kind=entry.kind,
            points=entry.points,
            balance_after=entry.balance_after,
            order=Order(id=strawberry.ID(entry.order_id)) if entry.order_id is not None else None,
            idempotency_key=IdempotencyKey(entry.idempotency),
            at=entry.at,
        )


@strawberry.type(description="A ledger entry in a list.")
class LedgerEdge:
    cursor: str = strawberry.field(description="Where this item stands in the list.")
    node: LedgerEntryType = strawberry.field(description="The entry.")


@strawberry.type(description="A page of ledger entries, newest first.")
class LedgerConnection:
    edges: list[LedgerEdge] = strawberry.field(description="The entries of the page.")
    page_info: PageInfo = strawberry.field(description="Where the page stands.")

    @classmethod
    def of(cls, page: Page[tuple[model.LedgerEntry, str]]) -> Self:
        return cls(
            edges=[LedgerEdge(cursor=cursor, node=LedgerEntryType.of(entry)) for entry, cursor in page.items],
            page_info=PageInfo.of(page),
        )


First = Annotated[int, strawberry.argument(description="How many, 1 to 100.")]
After = Annotated[str | None, strawberry.argument(description="Cursor of the item to go on after.")]
Key = Annotated[IdempotencyKey, strawberry.argument(description="The same key with the same arguments is done once.")]


@strawberry.federation.type(name="LoyaltyAccount", keys=["id"], description="A customer's standing with the program.")
class LoyaltyAccountType:
    account: strawberry.Private[model.Account]
    id: strawberry.ID = strawberry.field(description="Identity, loy_….")
    number: str = strawberry.field(description="The number on the member's card.")
    balance: int = strawberry.field(description="All points on the account, those pending included.")
    pending: int = strawberry.field(description="Of those, points that can not be spent yet.")
    lifetime: int = strawberry.field(description="Points ever earned; never falls.")

    @strawberry.field(description="The member.")
    def customer(self) -> "Customer | None":
        return Customer(id=strawberry.ID(self.account.customer_id))

    @strawberry.field(description="The member's standing.")
    async def tier(self, info: Info) -> TierType:
        return TierType.of((await _services(info).program()).tier(self.account.tier))

    @strawberry.field(description="The next standing up; null at the top.")
    async def next_tier(self, info: Info) -> TierType | None:
        program = await _services(info).program()
        above = program.tier_above(program.tier(self.account.tier))
        return TierType.of(above) if above is not None else None

    @strawberry.field(description="Points still to be earned for the next standing; null at the top.")
    async def points_to_next_tier(self, info: Info) -> int | None:
        program = await _services(info).program()
        above = program.tier_above(program.tier(self.account.tier))
        return max(0, above.qualifying_points - self.account.qualifying) if above is not None else None

    @strawberry.field(description="The account's entries, newest first.")
    async def ledger(self, info: Info, first: First = 20, after: After = None) -> LedgerConnection:
        page = await _services(info).ledger(info.context.principal, self.account, first, after)
        return LedgerConnection.of(page)

    @classmethod
    def of(cls, account: model.Account) -> Self:
        return cls(
            account=account,
            id=strawberry.ID(account.id),
            number=account.number,
            balance=account.balance,
            pending=account.pending,
            lifetime=account.lifetime,
        )

    @classmethod
    async def resolve_reference(cls, info: Info, id: strawberry.ID) -> Self | None:
        found = await info.context.loaders.get("accounts", _services(info).accounts).load(str(id))
        return cls.of(found) if found is not None and may_see(info.context.principal, found.customer_id) else None


@strawberry.federation.type(keys=["id"], description="A person who buys, as loyalty knows them.")
class Customer:
    id: strawberry.ID = strawberry.field(description="Identity, cus_….")

    @classmethod
    async def resolve_reference(cls, id: strawberry.ID) -> Self:
        return cls(id=id)

    @strawberry.field(description="Their account; null if they are no member. For themselves, or by loyalty:read.")
    async def loyalty(self, info: Info) -> LoyaltyAccountType | None:
        require_sight(info.context.principal, self.id)
        loader = info.context.loaders.get("accounts of customers", _services(info).accounts_of)
        found = await loader.load(str(self.id))
        return LoyaltyAccountType.of(found) if found is not None else None


@strawberry.federation.type(keys=["sku"], description="A thing that can be sold, as loyalty knows it.")
class ProductVariant:
    basis: strawberry.Private[Mapping[str, Any] | None] = None
    sku: str = strawberry.field(description="The stock keeping unit.")
    earn_basis: EarnBasis | None = strawberry.federation.field(
        default=None, external=True, description="What catalog says a unit is sold for."
    )

    @classmethod
    async def resolve_reference(cls, sku: str, **given: Any) -> Self:
        # What @requires asked for arrives under its GraphQL name, as plain data.
        return cls(sku=sku, basis=given.get("earnBasis"))

    @strawberry.federation.field(
        requires=[EARN_BASIS],
        description="Points it would earn at the price of the request's context, at the asker's tier if a member; "
        "a preview: what counts is what is paid.",
    )
    async def points_earned(
        self, info: Info, quantity: Annotated[int, strawberry.argument(description="Units bought, at least 1.")] = 1
    ) -> int | None:
        if not 1 <= quantity <= 10_000:
            raise InvalidInputRefusal("quantity is 1 to 10000", path=("quantity",))
        if self.basis is None:
            return 0
        line = EarningLine(int(self.basis["minor"]) * quantity, self.basis.get("categorySlug"), self.sku)
        return await _services(info).points_for(
            await _own_account(info), line, str(self.basis["currency"]), info.context.request_context.channel
        )

    @strawberry.federation.field(
        requires=[EARN_BASIS],
        authenticated=True,
        description="What a unit comes to for the asking member once the points it earns are taken at their worth; "
        "null for who is no member, or where there is no price.",
        tags=["personal"],
    )
    async def member_price(self, info: Info) -> MoneyType | None:
        require_authenticated(info)
        if self.basis is None:
            return None
        line = EarningLine(int(self.basis["minor"]), self.basis.get("categorySlug"), self.sku)
        price = await _services(info).member_price(
            await _own_account(info), line, str(self.basis["currency"]), info.context.request_context.channel
        )
        return MoneyType.of(price) if price is not None else None


@strawberry.federation.type(keys=["id"], description="An order, as loyalty knows it.")
class Order:
    id: strawberry.ID = strawberry.field(description="Identity, ord_….")

    @classmethod
    async def resolve_reference(cls, id: strawberry.ID) -> Self:
        return cls(id=id)

    @strawberry.field(
        description="Points it was given. Right after a purchase they may still be on their way: this waits a moment."
    )
    async def points_earned(self, info: Info) -> int | None:
        return earned(await self._entries(info))

    @strawberry.field(description="Points that were taken back for returns.")
    async def points_reversed(self, info: Info) -> int | None:
        return reversed_points(await self._entries(info))

    @strawberry.field(description="All that moved points for it, oldest first.")
    async def ledger_entries(self, info: Info) -> list[LedgerEntryType] | None:
        return [LedgerEntryType.of(entry) for entry in await self._entries(info)]

    async def _entries(self, info: Info) -> Sequence[model.LedgerEntry]:
        loader = info.context.loaders.get("entries of orders", _services(info).entries_of_orders)
        return await loader.load(str(self.id))


@strawberry.type(description="Accounts compared with their entries, all at one moment.")
class LedgerAudit:
    accounts: int = strawberry.field(description="Accounts looked at.")
    entries: int = strawberry.field(description="Entries added up.")
    mismatches: list[strawberry.ID] = strawberry.field(description="Accounts that do not add up; at most 100.")
    sum_of_entries: MinorUnits = strawberry.field(description="Points of all entries.")
    sum_of_balances: MinorUnits = strawberry.field(description="Points of all balances.")
    ok: bool = strawberry.field(description="Whether everything adds up.")


@strawberry.input(description="What would be bought.")
class EarnLineInput:
    sku: str = strawberry.field(description="The variant's SKU.")
    quantity: int = strawberry.field(description="Units, at least 1.")
    amount: MoneyInput = strawberry.field(description="What would be paid for all of them together.")


@strawberry.type(description="What one rule gives for one line.")
class EarnBreakdown:
    rule: EarnRuleType = strawberry.field(description="The rule.")
    points: int = strawberry.field(
        description="Whole points, rounded down; they may add up to less than the total, which is rounded once."
    )
    sku: str | None = strawberry.field(description="The line's SKU.")


@strawberry.type(description="What a purchase would earn.")
class EarnPreview:
    points: int = strawberry.field(description="Points in all.")
    breakdown: list[EarnBreakdown] = strawberry.field(description="Line by line.")


@strawberry.type(description="What came of a command on an account.")
class LoyaltyPayload:
    account: LoyaltyAccountType | None = strawberry.field(
        default=None, description="The account as the command left it; null if it was refused."
    )
    replayed: bool = strawberry.field(
        default=False, description="Whether the same command was done before, and this is its answer of then."
    )
    errors: list[LoyaltyError] = strawberry.field(default_factory=list, description="Why not.")


@strawberry.type(description="One event of a live stream of points.")
class PointsEvent:
    kind: StreamEventKind = strawberry.field(description="What the event is.")
    account: LoyaltyAccountType = strawberry.field(description="The account as it now is.")
    entry: LedgerEntryType | None = strawberry.field(description="The new entry, in a DELTA.")
    resume_token: str = strawberry.field(description="Give it back to go on from here after losing the stream.")
    at: DateTime = strawberry.field(description="When it was sent.")

    @classmethod
    def of(cls, news: PointsNews) -> Self:
        return cls(
            kind=StreamEventKind[news.kind],
            account=LoyaltyAccountType.of(news.account),
            entry=LedgerEntryType.of(news.entry) if news.entry is not None else None,
            resume_token=news.resume_token,
            at=news.at,
        )


@strawberry.type
class Query(RedemptionQuery):
    @strawberry.field(description="A loyalty program.")
    async def loyalty_program(
        self, info: Info, code: Annotated[str, strawberry.argument(description="Its code.")] = "main"
    ) -> LoyaltyProgram:
        return LoyaltyProgram.of(await _services(info).program(code))

    @strawberry.field(description="What a purchase would earn now, at the asker's tier if a member.")
    async def earn_preview(
        self,
        info: Info,
        lines: Annotated[list[EarnLineInput], strawberry.argument(description="What would be bought; at most 100.")],
        channel: Annotated[str, strawberry.argument(description="Code of the channel that sells.")],
    ) -> EarnPreview:
        currencies = {line.amount.currency for line in lines}
        if not 1 <= len(lines) <= PREVIEW_LINES_MAX or len(currencies) != 1:
            raise InvalidInputRefusal("1 to 100 lines of one currency are needed", path=("lines",))
        points, parts = await _services(info).preview(
            info.context.principal.customer_id,
            [EarningLine(line.amount.minor, None, line.sku) for line in lines],
            currencies.pop(),
            channel,
        )
        breakdown = [
            EarnBreakdown(rule=EarnRuleType.of(part.rule), points=math.floor(part.exact), sku=part.sku)
            for part in parts
        ]
        return EarnPreview(points=points, breakdown=breakdown)

    @strawberry.federation.field(
        description="An account's entries, newest first.", requires_scopes=[["loyalty:read"]], tags=["staff"]
    )
    async def ledger(
        self,
        info: Info,
        account_id: Annotated[strawberry.ID, strawberry.argument(description="loy_….")],
        first: First = 50,
        after: After = None,
    ) -> LedgerConnection:
        services, principal = _services(info), info.context.principal
        require(principal, "loyalty:read")
        account = await services.account(principal, account_id)
        return LedgerConnection.of(await services.ledger(principal, account, first, after))

    @strawberry.federation.field(
        description="Adds up an account, or all of them. Reads everything: for operations.",
        requires_scopes=[["loyalty:admin"]],
        tags=["staff"],
    )
    async def ledger_audit(
        self,
        info: Info,
        account_id: Annotated[strawberry.ID | None, strawberry.argument(description="Only this account.")] = None,
    ) -> LedgerAudit:
        found = await _services(info).audit(info.context.principal, account_id)
        return LedgerAudit(
            accounts=found.accounts,
            entries=found.entries,
            mismatches=[strawberry.ID(identity) for identity in found.mismatches[:100]],
            sum_of_entries=MinorUnits(found.sum_of_entries),
            sum_of_balances=MinorUnits(found.sum_of_balances),
            ok=found.ok,
        )


@strawberry.type
class Mutation(RedemptionMutation):
    @strawberry.federation.mutation(
        description="Makes a customer a member; one who is a member already stays so.", authenticated=True
    )
    async def loyalty_enrol(
        self,
        info: Info,
        customer_id: Annotated[strawberry.ID, strawberry.argument(description="cus_….")],
        idempotency_key: Key,
    ) -> LoyaltyPayload:
        try:
            require_authenticated(info)
            account, replayed = await _services(info).enrol(
                info.context.principal, customer_id, idempotency_key, {"customerId": customer_id}
            )
        except DomainError as refusal:
            return LoyaltyPayload(errors=[to_graphql_error(refusal)])
        return LoyaltyPayload(account=LoyaltyAccountType.of(account), replayed=replayed)

    @strawberry.federation.mutation(
        description="Gives points by hand, or takes such as could be spent.",
        requires_scopes=[["loyalty:admin"]],
        tags=["staff"],
    )
    async def points_adjust(
        self,
        info: Info,
        account_id: Annotated[strawberry.ID, strawberry.argument(description="loy_….")],
        points: Annotated[int, strawberry.argument(description="Points to give, or (below zero) to take.")],
        reason: Annotated[str, strawberry.argument(description="Why, for the ledger; 1 to 200 characters.")],
        idempotency_key: Key,
    ) -> LoyaltyPayload:
        arguments = {"accountId": account_id, "points": points, "reason": reason}
        try:
            account, replayed = await _services(info).adjust(
                info.context.principal, account_id, points, reason, idempotency_key, arguments
            )
        except DomainError as refusal:
            return LoyaltyPayload(errors=[to_graphql_error(refusal)])
        return LoyaltyPayload(account=LoyaltyAccountType.of(account), replayed=replayed)


@strawberry.type
class Subscription:
    @strawberry.subscription(
        directives=[Authenticated(), Live(kind="kind", resume="resumeToken")],
        description="An account as it is, then every entry as it is made; after a resume, those missed.",
    )
    async def points_changed(
        self,
        info: Info,
        account_id: Annotated[strawberry.ID, strawberry.argument(description="loy_….")],
        resume_token: Annotated[
            str | None, strawberry.argument(description="From the last event seen, to go on from there.")
        ] = None,
    ) -> AsyncIterator[PointsEvent]:
        principal = require_authenticated(info)
        async for news in _services(info).watch(principal, account_id, resume_token):
            yield PointsEvent.of(news)


SCHEMA = build_schema(Query, Mutation, Subscription, [Customer, Order, ProductVariant, LoyaltyAccountType])
