"""Carrying orders out in GraphQL: the store's queue, moves, the kerb, cancelling, and the two streams of it.

(No ``from __future__ import annotations``: Strawberry reads annotations at run time.)
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Annotated, Self

import strawberry
from strawberry.federation.schema_directives import Authenticated, RequiresScopes, Tag

from subgraphs.chassis.graphql import (
    DateTime,
    IdempotencyKey,
    Info,
    Live,
    PageInfo,
    StreamEventKind,
    require_authenticated,
    require_scopes,
    to_graphql_error,
)
from subgraphs.kernel.errors import DomainError
from subgraphs.kernel.pages import Page
from subgraphs.orders.model import delivery
from subgraphs.orders.schema.context import services_of
from subgraphs.orders.schema.entities import After, First, Fulfilment, Order
from subgraphs.orders.schema.enums import FulfilmentState
from subgraphs.orders.schema.payloads import OrderEvent, OrderPayload
from subgraphs.orders.schema.refusals import OrderError
from subgraphs.orders.service.fulfilments import READ_TASKS, WRITE_TASKS, Part
from subgraphs.orders.service.live import TaskNews

Idempotently = Annotated[
    IdempotencyKey, strawberry.argument(description="The same key with the same arguments is done once.")
]
ResumeToken = Annotated[str | None, strawberry.argument(description="From the last event seen, to miss nothing since.")]
_READ, _WRITE = [[READ_TASKS]], [[WRITE_TASKS]]


@strawberry.input(description="Units of an order's line.")
class OrderLineQuantityInput:
    order_line_id: strawberry.ID = strawberry.field(description="The order's line.")
    quantity: int = strawberry.field(description="Units.")


@strawberry.input(description="How a parcel can be followed.")
class TrackingInput:
    carrier: str = strawberry.field(description="The carrier.")
    number: str = strawberry.field(description="The carrier's number.")
    url: str | None = strawberry.field(default=None, description="A page to look at.")


@strawberry.type(description="A task in a list.")
class FulfilmentEdge:
    cursor: str = strawberry.field(description="To go on after it.")
    node: Fulfilment = strawberry.field(description="The fulfilment.")


@strawberry.type(description="A page of tasks, what is promised soonest first.")
class FulfilmentConnection:
    edges: list[FulfilmentEdge] = strawberry.field(description="The tasks of the page.")
    page_info: PageInfo = strawberry.field(description="Where the page stands.")
    total_count: int = strawberry.field(description="Tasks in the whole list.")

    @classmethod
    def of(cls, page: Page[Part], cursor: Callable[[Part], str]) -> Self:
        return cls(
            edges=[FulfilmentEdge(cursor=cursor(found), node=Fulfilment.of(*found)) for found in page.items],
            page_info=PageInfo.of(page),
            total_count=page.total or 0,
        )


@strawberry.type(description="What came of a move.")
class FulfilmentPayload:
    fulfilment: Fulfilment | None = strawberry.field(default=None, description="The fulfilment, unless refused.")
    replayed: bool = strawberry.field(default=False, description="Whether the key had been used for this before.")
    errors: list[OrderError] = strawberry.field(default_factory=list, description="Why it was refused.")


@strawberry.type(description="An event of a location's queue.")
class FulfilmentEvent:
    kind: StreamEventKind = strawberry.field(description="What the event is; SNAPSHOT once a task at the start.")
    fulfilment: Fulfilment | None = strawberry.field(description="The task as it is now; none in a HEARTBEAT.")
    resume_token: str = strawberry.field(description="To take the stream up again from here.")
    at: DateTime = strawberry.field(description="When it happened.")

    @classmethod
    def of(cls, news: TaskNews) -> Self:
        return cls(
            kind=StreamEventKind(news.kind),
            fulfilment=None if news.task is None else Fulfilment.of(*news.task),
            resume_token=news.resume_token,
            at=news.at,
        )


@strawberry.type
class FulfilmentQuery:
    @strawberry.federation.field(
        description="What a location has to do, what is promised soonest first; without states what is not finished.",
        requires_scopes=_READ,
        tags=["staff"],
    )
    async def fulfilment_tasks(
        self,
        info: Info,
        location_id: Annotated[strawberry.ID, strawberry.argument(description="loc_….")],
        states: Annotated[list[FulfilmentState] | None, strawberry.argument(description="In one of these.")] = None,
        first: First = 50,
        after: After = None,
    ) -> FulfilmentConnection:
        require_scopes(info, READ_TASKS)
        wanted = None if states is None else [state.value for state in states]
        tasks = services_of(info).fulfilments
        return FulfilmentConnection.of(await tasks.tasks(str(location_id), wanted, first, after), tasks.cursor)


@strawberry.type
class FulfilmentMutation:
    @strawberry.federation.mutation(
        description="Moves a fulfilment on. Lines move a part of it, what is left stays as it was.",
        requires_scopes=_WRITE,
        tags=["staff"],
    )
    async def fulfilment_transition(
        self,
        info: Info,
        id: Annotated[strawberry.ID, strawberry.argument(description="ful_….")],
        to: Annotated[FulfilmentState, strawberry.argument(description="Where it goes.")],
        idempotency_key: Idempotently,
        lines: Annotated[
            list[OrderLineQuantityInput] | None, strawberry.argument(description="All of it, if left out.")
        ] = None,
        tracking: Annotated[TrackingInput | None, strawberry.argument(description="For SHIPPED.")] = None,
        pickup_code: Annotated[
            str | None, strawberry.argument(description="For HANDED_OVER: what the buyer shows; at most 5 tries.")
        ] = None,
    ) -> FulfilmentPayload:
        require_scopes(info, WRITE_TASKS)
        fulfilments = services_of(info).fulfilments
        wanted = None if lines is None else {str(line.order_line_id): line.quantity for line in lines}
        parcel = None if tracking is None else delivery.Tracking(tracking.carrier, tracking.number, tracking.url)
        return await _moved(
            lambda: fulfilments.transition(
                info.context.principal,
                str(id),
                to.value,
                lines=wanted,
                tracking=parcel,
                pickup_code=pickup_code,
                key=idempotency_key,
                arguments={
                    "id": str(id),
                    "to": to.value,
                    "lines": wanted,
                    "tracking": tracking and strawberry.asdict(tracking),
                    "pickupCode": pickup_code,
                },
            )
        )

    @strawberry.federation.mutation(
        description="The buyer is at the kerb and waits for what is ready.", directives=[Authenticated()]
    )
    async def curbside_arrive(
        self,
        info: Info,
        order_id: Annotated[strawberry.ID, strawberry.argument(description="ord_….")],
        idempotency_key: Idempotently,
        bay: Annotated[str | None, strawberry.argument(description="Where they stand.")] = None,
        vehicle: Annotated[str | None, strawberry.argument(description="How to know the car.")] = None,
    ) -> FulfilmentPayload:
        principal = require_authenticated(info)
        fulfilments = services_of(info).fulfilments
        arguments = {"orderId": str(order_id), "bay": bay, "vehicle": vehicle}
        return await _moved(
            lambda: fulfilments.arrive(principal, str(order_id), bay, vehicle, idempotency_key, arguments)
        )

    @strawberry.federation.mutation(
        description="Gives an order up while all of it is still there. Lines cannot be cancelled one by one.",
        directives=[Authenticated()],
    )
    async def order_cancel(
        self,
        info: Info,
        order_id: Annotated[strawberry.ID, strawberry.argument(description="ord_….")],
        reason: Annotated[str, strawberry.argument(description="Why, for people.")],
        idempotency_key: Idempotently,
    ) -> OrderPayload:
        principal = require_authenticated(info)
        arguments = {"orderId": str(order_id), "reason": reason}
        try:
            order, replayed = await services_of(info).fulfilments.cancel(
                principal, str(order_id), reason, idempotency_key, arguments
            )
        except DomainError as refusal:
            return OrderPayload(errors=[to_graphql_error(refusal)])
        return OrderPayload(order=Order.of(order), replayed=replayed)


@strawberry.type
class FulfilmentSubscription:
    @strawberry.subscription(
        description="The caller's orders as each becomes ready to be collected.",
        directives=[Authenticated(), Live(kind="kind", resume="resumeToken")],
    )
    async def pickup_ready(
        self,
        info: Info,
        customer_id: Annotated[strawberry.ID | None, strawberry.argument(description="For staff: whose.")] = None,
        resume_token: ResumeToken = None,
    ) -> AsyncIterator[OrderEvent]:
        principal = require_authenticated(info)
        whose = None if customer_id is None else str(customer_id)
        async for news in services_of(info).live.pickups(principal, whose, resume_token):
            yield OrderEvent.of(news)

    @strawberry.subscription(
        description="What a location has to do, then every change of it.",
        directives=[RequiresScopes(scopes=_READ), Tag(name="staff"), Live(kind="kind", resume="resumeToken")],
    )
    async def fulfilment_queue(
        self,
        info: Info,
        location_id: Annotated[strawberry.ID, strawberry.argument(description="loc_….")],
        resume_token: ResumeToken = None,
    ) -> AsyncIterator[FulfilmentEvent]:
        require_scopes(info, READ_TASKS)
        async for news in services_of(info).live.queue(info.context.principal, str(location_id), resume_token):
            yield FulfilmentEvent.of(news)


async def _moved(work: Callable[[], Awaitable[tuple[Part, bool]]]) -> FulfilmentPayload:
    try:
        found, replayed = await work()
    except DomainError as refusal:
        return FulfilmentPayload(errors=[to_graphql_error(refusal)])
    return FulfilmentPayload(fulfilment=Fulfilment.of(*found), replayed=replayed)
