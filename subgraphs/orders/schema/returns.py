"""Returns and refunds in GraphQL.

(No ``from __future__ import annotations``: Strawberry reads annotations at run time.)
"""

from collections.abc import Awaitable, Callable
from typing import Annotated, Self

import strawberry
from strawberry.federation.schema_directives import Authenticated

from subgraphs.chassis.graphql import (
    Date,
    IdempotencyKey,
    Info,
    MoneyInput,
    MoneyType,
    require_authenticated,
    require_scopes,
    to_graphql_error,
)
from subgraphs.kernel.errors import DomainError
from subgraphs.orders.model import returns as model
from subgraphs.orders.schema.context import services_of
from subgraphs.orders.schema.entities import Location, Order, Return
from subgraphs.orders.schema.enums import Disposition, ReturnChannel
from subgraphs.orders.schema.payloads import OrderPayload
from subgraphs.orders.schema.refusals import OrderError
from subgraphs.orders.service.returns import ORIGINAL, RECEIVE, REFUND, Eligibility

Idempotently = Annotated[
    IdempotencyKey, strawberry.argument(description="The same key with the same arguments is done once.")
]


@strawberry.type(description="How many units of a line may come back.")
class ReturnEligibleLine:
    order_line_id: strawberry.ID = strawberry.field(description="The order's line.")
    max_quantity: int = strawberry.field(description="Units that may.")
    refund_estimate: MoneyType = strawberry.field(description="What they would bring.")
    reasons: list[str] = strawberry.field(description="Reasons to choose from.")
    blocked_by: str | None = strawberry.field(description="The rule, if none may.")


@strawberry.type(description="What of an order may come back.")
class ReturnEligibility:
    order_id: strawberry.ID = strawberry.field(description="The order.")
    lines: list[ReturnEligibleLine] = strawberry.field(description="Its lines.")
    locations: list[Location] = strawberry.field(description="Where it may be brought.")
    deadline: Date | None = strawberry.field(description="The last day; none while nothing has left.")

    @classmethod
    def of(cls, order_id: str, found: Eligibility) -> Self:
        return cls(
            order_id=strawberry.ID(order_id),
            lines=[
                ReturnEligibleLine(
                    order_line_id=strawberry.ID(each.line.id),
                    max_quantity=each.units,
                    refund_estimate=MoneyType.of(each.estimate),
                    reasons=list(model.REASONS) if each.units else [],
                    blocked_by=each.blocked_by,
                )
                for each in found.lines
            ],
            locations=[Location(id=strawberry.ID(location_id)) for location_id in found.location_ids],
            deadline=found.deadline,
        )


@strawberry.type(description="What came of a command on a return.")
class ReturnPayload:
    return_: Return | None = strawberry.field(default=None, name="return", description="The return, unless refused.")
    replayed: bool = strawberry.field(default=False, description="Whether it had been done before.")
    errors: list[OrderError] = strawberry.field(default_factory=list, description="Why it was refused.")


@strawberry.input(description="Units to give back.")
class ReturnLineInput:
    order_line_id: strawberry.ID = strawberry.field(description="The order's line.")
    quantity: int = strawberry.field(description="Units.")
    reason: str = strawberry.field(description="Why, such as CHANGED_MIND.")


@strawberry.input(description="A return to announce.")
class ReturnRequestInput:
    order_id: strawberry.ID = strawberry.field(description="ord_….")
    lines: list[ReturnLineInput] = strawberry.field(description="What comes back, each order line once.")
    via: ReturnChannel = strawberry.field(description="How.")
    location_id: strawberry.ID | None = strawberry.field(default=None, description="Where to, if the buyer knows.")


@strawberry.input(description="Units that came, with what becomes of them.")
class ReturnReceiveLineInput:
    order_line_id: strawberry.ID = strawberry.field(description="The order's line.")
    quantity: int = strawberry.field(description="Units that came.")
    disposition: Disposition = strawberry.field(description="What becomes of them.")


@strawberry.input(description="Goods received.")
class ReturnReceiveInput:
    location_id: strawberry.ID = strawberry.field(description="Where they came; any store.")
    lines: list[ReturnReceiveLineInput] = strawberry.field(description="What came.")
    refund_to: str = strawberry.field(default=ORIGINAL, description="ORIGINAL: the tender they were paid with.")


@strawberry.type
class ReturnQuery:
    @strawberry.federation.field(
        description="What of an order may come back, until when, and where to.", authenticated=True
    )
    async def return_eligibility(
        self, info: Info, order_id: Annotated[strawberry.ID, strawberry.argument(description="ord_….")]
    ) -> ReturnEligibility:
        principal = require_authenticated(info)
        found = await services_of(info).returns.eligibility(principal, str(order_id))
        return ReturnEligibility.of(str(order_id), found)


@strawberry.type
class ReturnMutation:
    @strawberry.federation.mutation(
        description="Announces a return: approved at once, or refused with the rule.", directives=[Authenticated()]
    )
    async def return_request(
        self,
        info: Info,
        input: Annotated[ReturnRequestInput, strawberry.argument(description="The return.")],
        idempotency_key: Idempotently,
    ) -> ReturnPayload:
        principal = require_authenticated(info)
        lines = [
            model.ReturnLine(order_line_id=str(line.order_line_id), sku="", quantity=line.quantity, reason=line.reason)
            for line in input.lines
        ]
        return await _given(
            lambda: services_of(info).returns.request(
                principal,
                str(input.order_id),
                lines,
                via=input.via.value,
                location_id=None if input.location_id is None else str(input.location_id),
                key=idempotency_key,
                arguments={"input": strawberry.asdict(input)},
            )
        )

    @strawberry.federation.mutation(
        description="Takes goods back over a counter: refunds them to the original tender, restocks or sets aside.",
        requires_scopes=[[RECEIVE]],
        tags=["staff"],
    )
    async def return_receive(
        self,
        info: Info,
        return_id: Annotated[strawberry.ID, strawberry.argument(description="ret_….")],
        input: Annotated[ReturnReceiveInput, strawberry.argument(description="What came.")],
        idempotency_key: Idempotently,
    ) -> ReturnPayload:
        require_scopes(info, RECEIVE)
        lines = {str(line.order_line_id): (line.quantity, line.disposition.value) for line in input.lines}
        return await _given(
            lambda: services_of(info).returns.receive(
                info.context.principal,
                str(return_id),
                location_id=str(input.location_id),
                lines=lines,
                refund_to=input.refund_to,
                key=idempotency_key,
                arguments={"returnId": str(return_id), "input": strawberry.asdict(input)},
            )
        )

    @strawberry.federation.mutation(
        description="Gives money back for no goods: goodwill.", requires_scopes=[[REFUND]], tags=["staff"]
    )
    async def refund_create(
        self,
        info: Info,
        order_id: Annotated[strawberry.ID, strawberry.argument(description="ord_….")],
        amount: Annotated[
            MoneyInput, strawberry.argument(description="How much; at most what was paid and not refunded.")
        ],
        reason: Annotated[str, strawberry.argument(description="Why, for people.")],
        idempotency_key: Idempotently,
    ) -> OrderPayload:
        require_scopes(info, REFUND)
        arguments = {"orderId": str(order_id), "amount": strawberry.asdict(amount), "reason": reason}
        try:
            order, replayed = await services_of(info).returns.goodwill(
                info.context.principal, str(order_id), amount.to_money(), reason, idempotency_key, arguments
            )
        except DomainError as refusal:
            return OrderPayload(errors=[to_graphql_error(refusal)])
        return OrderPayload(order=Order.of(order), replayed=replayed)


async def _given(work: Callable[[], Awaitable[tuple[model.Return, bool]]]) -> ReturnPayload:
    try:
        given, replayed = await work()
    except DomainError as refusal:
        return ReturnPayload(errors=[to_graphql_error(refusal)])
    return ReturnPayload(return_=Return.of(given), replayed=replayed)
