"""Mandates in GraphQL: the type, what customers ask and say about theirs, and what orders asks for. No decisions.

(No ``from __future__ import annotations``: Strawberry reads annotations at run time.)
"""

from collections.abc import Sequence
from typing import Annotated, Self

import strawberry

from subgraphs.chassis.graphql import (
    DateTime,
    IdempotencyKey,
    Info,
    MoneyInput,
    MoneyType,
    require_authenticated,
    to_graphql_error,
)
from subgraphs.customers.model.mandates import SCOPES, Mandate, NotCovered
from subgraphs.customers.schema.refusals import CustomerError
from subgraphs.customers.service.mandates import Mandates
from subgraphs.kernel.errors import DomainError
from subgraphs.kernel.money import Money

Key = Annotated[IdempotencyKey, strawberry.argument(description="Names this intention.")]


def _mandates(info: Info) -> Mandates:
    mandates: Mandates = info.context.services.mandates
    return mandates


@strawberry.federation.type(keys=["id"], description="What a customer lets an agent spend for them.")
class AgentMandate:
    entry: strawberry.Private[Mandate]
    id: strawberry.ID = strawberry.field(description="Identity, man_….")
    agent_id: str = strawberry.field(description="The agent it was given to.")
    scopes: list[str] = strawberry.field(description="What the agent may do.")
    per_order_limit: MoneyType = strawberry.field(description="The most it may spend on one order.")
    period_limit: MoneyType = strawberry.field(description="The most it may spend in one period.")
    period_days: int = strawberry.field(description="How long a period is, counted from when it was given.")
    categories: list[str] | None = strawberry.field(description="The categories it may buy; null means all.")
    human_approval_above: MoneyType | None = strawberry.field(
        description="Above this the customer completes the purchase themselves; null means it never asks."
    )
    expires_at: DateTime = strawberry.field(description="When it ends.")
    revoked_at: DateTime | None = strawberry.field(description="When the customer took it back.")

    @strawberry.field(description="What orders hold and have spent of it in the present period.")
    async def spent(self, info: Info) -> MoneyType:
        return MoneyType.of(Money(await self._taken(info), self.entry.period_limit.currency))

    @strawberry.field(description="What is left of the present period's limit.")
    async def remaining(self, info: Info) -> MoneyType:
        return MoneyType.of(self.entry.remaining(await self._taken(info)))

    async def _taken(self, info: Info) -> int:
        taken: int = await info.context.loaders.get("mandates' spending", _mandates(info).taken).load(self.entry)
        return taken

    @classmethod
    def of(cls, entry: Mandate) -> Self:
        human = entry.human_approval_above
        return cls(
            entry=entry,
            id=strawberry.ID(entry.id),
            agent_id=entry.agent_id,
            scopes=list(entry.scopes),
            per_order_limit=MoneyType.of(entry.per_order_limit),
            period_limit=MoneyType.of(entry.period_limit),
            period_days=entry.period_days,
            categories=list(entry.categories) if entry.categories is not None else None,
            human_approval_above=MoneyType.of(human) if human is not None else None,
            expires_at=entry.expires_at,
            revoked_at=entry.revoked_at,
        )

    @classmethod
    async def resolve_reference(cls, info: Info, id: strawberry.ID) -> Self | None:
        principal, mandates = info.context.principal, _mandates(info)

        async def visible(ids: Sequence[str]) -> list[Mandate | None]:
            return await mandates.visible(principal, ids)

        found = await info.context.loaders.get("mandates", visible).load(str(id))
        return cls.of(found) if found is not None else None


@strawberry.input(description="What an agent is to be allowed.")
class MandateInput:
    agent_id: str = strawberry.field(description="The agent.")
    scopes: list[str] = strawberry.field(description=f"What it may do: some of {', '.join(SCOPES)}.")
    per_order_limit: MoneyInput = strawberry.field(description="The most it may spend on one order.")
    period_limit: MoneyInput = strawberry.field(description="The most it may spend in one period.")
    period_days: int = strawberry.field(description="How long a period is, 1 to 366 days.")
    expires_at: DateTime = strawberry.field(description="When it ends, at most two years from now.")
    categories: list[str] | None = strawberry.field(default=None, description="Slugs of categories; absent means all.")
    human_approval_above: MoneyInput | None = strawberry.field(
        default=None, description="Above this the customer completes the purchase themselves."
    )


@strawberry.type(description="A mandate after a change, or why there was none.")
class MandatePayload:
    mandate: AgentMandate | None = strawberry.field(default=None, description="As it is now.")
    errors: list[CustomerError] = strawberry.field(default_factory=list, description="Why nothing was changed.")


@strawberry.federation.type(description="Whether a mandate covers an order. For orders.", inaccessible=True)
class SpendingPayload:
    held: bool = strawberry.field(default=False, description="Whether the sum is set aside.")
    reason: str | None = strawberry.field(default=None, description="Why the mandate does not cover it, as a word.")
    message: str | None = strawberry.field(default=None, description="The same for people.")
    limit: MoneyType | None = strawberry.field(default=None, description="The most it allows for an order.")
    remaining: MoneyType | None = strawberry.field(default=None, description="The most it would allow for one now.")
    errors: list[CustomerError] = strawberry.field(default_factory=list, description="Why nothing was decided.")


@strawberry.type
class MandateQuery:
    @strawberry.federation.field(authenticated=True, description="A mandate: your own, or the one you act under.")
    async def mandate(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="Identity, man_….")]
    ) -> AgentMandate | None:
        require_authenticated(info)
        return await AgentMandate.resolve_reference(info, id)


@strawberry.type
class MandateMutation:
    @strawberry.federation.mutation(
        authenticated=True, description="Let an agent buy for you, within limits. Only you can; no agent can."
    )
    async def mandate_grant(
        self,
        info: Info,
        input: Annotated[MandateInput, strawberry.argument(description="What it may.")],
        idempotency_key: Key,
    ) -> MandatePayload:
        principal = require_authenticated(info)
        given = {
            "agent_id": input.agent_id,
            "scopes": input.scopes,
            "per_order_limit": input.per_order_limit.to_money(),
            "period_limit": input.period_limit.to_money(),
            "period_days": input.period_days,
            "categories": input.categories,
            "human_approval_above": input.human_approval_above.to_money() if input.human_approval_above else None,
            "expires_at": input.expires_at,
        }
        try:
            found = await _mandates(info).grant(principal, given, idempotency_key, {"input": strawberry.asdict(input)})
        except DomainError as refusal:
            return MandatePayload(errors=[to_graphql_error(refusal)])
        return MandatePayload(mandate=AgentMandate.of(found))

    @strawberry.federation.mutation(authenticated=True, description="Take a mandate of yours back, at once.")
    async def mandate_revoke(
        self,
        info: Info,
        id: Annotated[strawberry.ID, strawberry.argument(description="Identity, man_….")],
        idempotency_key: Key,
    ) -> MandatePayload:
        principal = require_authenticated(info)
        try:
            found = await _mandates(info).revoke(principal, id, idempotency_key, {"id": id})
        except DomainError as refusal:
            return MandatePayload(errors=[to_graphql_error(refusal)])
        return MandatePayload(mandate=AgentMandate.of(found))

    @strawberry.federation.mutation(
        inaccessible=True, description="Sets a part of a mandate aside for an order. For services; once an order."
    )
    async def mandate_hold(
        self,
        info: Info,
        id: Annotated[strawberry.ID, strawberry.argument(description="The mandate.")],
        agent_id: Annotated[str, strawberry.argument(description="The agent that spends.")],
        customer_id: Annotated[strawberry.ID, strawberry.argument(description="For whom.")],
        order_id: Annotated[strawberry.ID, strawberry.argument(description="The order to be.")],
        amount: Annotated[MoneyInput, strawberry.argument(description="Its total.")],
        categories: Annotated[list[str], strawberry.argument(description="Its goods' categories, slugs.")],
        idempotency_key: Key,
    ) -> SpendingPayload:
        arguments = {
            "id": id,
            "agentId": agent_id,
            "customerId": customer_id,
            "orderId": order_id,
            "amount": strawberry.asdict(amount),
            "categories": categories,
        }
        try:
            await _mandates(info).hold(
                require_authenticated(info),
                mandate_id=id,
                agent_id=agent_id,
                customer_id=customer_id,
                order_id=order_id,
                amount=amount.to_money(),
                categories=categories,
                key=idempotency_key,
                arguments=arguments,
            )
        except NotCovered as refusal:
            return SpendingPayload(
                reason=refusal.reason.value,
                message=refusal.message,
                limit=MoneyType.of(refusal.limit),
                remaining=MoneyType.of(refusal.remaining),
            )
        except DomainError as refusal:
            return SpendingPayload(errors=[to_graphql_error(refusal)])
        return SpendingPayload(held=True)

    @strawberry.federation.mutation(
        inaccessible=True, description="Gives back what was set aside for an order that will not be. For services."
    )
    async def mandate_release(
        self,
        info: Info,
        id: Annotated[strawberry.ID, strawberry.argument(description="The mandate.")],
        order_id: Annotated[strawberry.ID, strawberry.argument(description="The order that will not be.")],
        idempotency_key: Key,
    ) -> SpendingPayload:
        arguments = {"id": id, "orderId": order_id}
        try:
            await _mandates(info).release(require_authenticated(info), id, order_id, idempotency_key, arguments)
        except DomainError as refusal:
            return SpendingPayload(errors=[to_graphql_error(refusal)])
        return SpendingPayload()
