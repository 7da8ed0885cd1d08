"""Queries, mutations and subscriptions: each hands what it was given to one use case.

(No ``from __future__ import annotations``: Strawberry reads annotations at run time.)
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Annotated

import strawberry
from strawberry.federation.schema_directives import Authenticated

from subgraphs.chassis.graphql import (
    IdempotencyKey,
    Info,
    Live,
    require_authenticated,
    require_scopes,
    to_graphql_error,
)
from subgraphs.kernel import errors as kernel
from subgraphs.kernel.errors import DomainError
from subgraphs.orders.model import lines
from subgraphs.orders.model.cart import Cart as CartModel
from subgraphs.orders.model.checkout import CheckoutSession as CheckoutModel
from subgraphs.orders.schema.context import services_of
from subgraphs.orders.schema.entities import (
    After,
    Cart,
    CheckoutSession,
    CommerceMessage,
    First,
    Order,
    OrderConnection,
)
from subgraphs.orders.schema.enums import CaptureMode
from subgraphs.orders.schema.finance import FinanceMutation, FinanceQuery
from subgraphs.orders.schema.fulfilment import FulfilmentMutation, FulfilmentQuery, FulfilmentSubscription
from subgraphs.orders.schema.ingestion import IngestionMutation
from subgraphs.orders.schema.inputs import (
    CartCreateInput,
    CartLineInput,
    CheckoutCompleteInput,
    CheckoutCreateInput,
    CheckoutUpdateInput,
    IntentTraceInput,
    OrderFilter,
    PosOrderInput,
)
from subgraphs.orders.schema.payloads import (
    CartPayload,
    CheckoutCompletePayload,
    CheckoutPayload,
    OrderEvent,
    OrderPayload,
    OrdersAudit,
)
from subgraphs.orders.schema.quotes import QuoteQuery
from subgraphs.orders.schema.returns import ReturnMutation, ReturnQuery
from subgraphs.orders.service.access import POS_WRITE, READ
from subgraphs.orders.service.checkouts import Wishes
from subgraphs.orders.service.orders import Sale, SoldLine, Tender

Idempotently = Annotated[
    IdempotencyKey, strawberry.argument(description="The same key with the same arguments is done once.")
]


@strawberry.type
class Query(FulfilmentQuery, ReturnQuery, FinanceQuery, QuoteQuery):
    @strawberry.field(description="A cart; nothing if there is none, or none for this caller.")
    async def cart(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="crt_….")]
    ) -> Cart | None:
        return await Cart.resolve_reference(info, id)

    @strawberry.field(description="A checkout session; nothing if there is none, or none for this caller.")
    async def checkout(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="chk_….")]
    ) -> CheckoutSession | None:
        return await CheckoutSession.resolve_reference(info, id)

    @strawberry.federation.field(
        description="An order by identity or by number, for its buyer and for orders:read.", authenticated=True
    )
    async def order(
        self,
        info: Info,
        id: Annotated[strawberry.ID | None, strawberry.argument(description="ord_….")] = None,
        number: Annotated[str | None, strawberry.argument(description="As a person types it.")] = None,
    ) -> Order | None:
        principal = require_authenticated(info)
        if (id is None) == (number is None):
            raise kernel.InvalidInput("give an id or a number", path=("id",))
        if id is not None:
            return await Order.resolve_reference(info, id)
        found = await services_of(info).orders.numbered(principal, number or "")
        return Order.of(found) if found is not None else None

    @strawberry.federation.field(
        description="Orders of all channels, newest first.", requires_scopes=[[READ]], tags=["staff"]
    )
    async def orders(
        self,
        info: Info,
        filter: Annotated[OrderFilter | None, strawberry.argument(description="Which.")] = None,
        first: First = 20,
        after: After = None,
    ) -> OrderConnection:
        require_scopes(info, READ)
        orders = services_of(info).orders
        return OrderConnection.of(await orders.page((filter or OrderFilter()).to_query(), first, after), orders.cursor)

    @strawberry.federation.field(
        description="Whether orders, payments and sagas agree. Reads everything: for operations.",
        requires_scopes=[[READ]],
        tags=["staff"],
    )
    async def orders_audit(self, info: Info) -> OrdersAudit:
        require_scopes(info, READ)
        found = await services_of(info).orders.audit()
        return OrdersAudit(
            ok=found.ok, problems=list(found.problems[:100]), orders=found.orders, payments=found.payments
        )


@strawberry.type
class Mutation(FulfilmentMutation, ReturnMutation, FinanceMutation, IngestionMutation):
    @strawberry.mutation(description="Starts a cart.")
    async def cart_create(
        self,
        info: Info,
        input: Annotated[CartCreateInput, strawberry.argument(description="The cart.")],
        idempotency_key: Idempotently,
    ) -> CartPayload:
        return await _cart(
            lambda: services_of(info).carts.create(
                info.context.principal,
                info.context.request_context,
                channel=input.channel,
                currency=input.currency,
                customer_id=input.customer_id,
                lines=_requests(input.lines),
                key=idempotency_key,
                arguments={"input": strawberry.asdict(input)},
            )
        )

    @strawberry.mutation(description="Sets quantities in a cart and prices all of it anew.")
    async def cart_lines_update(
        self,
        info: Info,
        cart_id: Annotated[strawberry.ID, strawberry.argument(description="crt_….")],
        lines: Annotated[list[CartLineInput], strawberry.argument(description="New quantities by SKU; 0 removes.")],
        idempotency_key: Idempotently,
        expected_version: Annotated[int | None, strawberry.argument(description="What the buyer saw.")] = None,
    ) -> CartPayload:
        return await _cart(
            lambda: services_of(info).carts.update_lines(
                info.context.principal,
                cart_id,
                _requests(lines),
                expected_version,
                idempotency_key,
                {
                    "cartId": cart_id,
                    "lines": [strawberry.asdict(line) for line in lines],
                    "expectedVersion": expected_version,
                },
            )
        )

    @strawberry.federation.mutation(
        description="A guest who has signed in keeps the cart: it becomes theirs, or goes into the cart they have.",
        authenticated=True,
    )
    async def cart_merge(
        self,
        info: Info,
        guest_cart_id: Annotated[strawberry.ID, strawberry.argument(description="The guest's, crt_….")],
        idempotency_key: Idempotently,
        cart_id: Annotated[
            strawberry.ID | None, strawberry.argument(description="The cart they have, if they have one.")
        ] = None,
        expected_version: Annotated[
            int | None, strawberry.argument(description="What the buyer saw of the cart that stays.")
        ] = None,
    ) -> CartPayload:
        principal = require_authenticated(info)
        arguments = {"guestCartId": guest_cart_id, "cartId": cart_id, "expectedVersion": expected_version}
        return await _cart(
            lambda: services_of(info).carts.merge(
                principal, guest_cart_id, cart_id, expected_version, idempotency_key, arguments
            )
        )

    @strawberry.mutation(description="Opens a checkout and keeps its stock aside.")
    async def checkout_create(
        self,
        info: Info,
        input: Annotated[CheckoutCreateInput, strawberry.argument(description="The checkout.")],
        idempotency_key: Idempotently,
    ) -> CheckoutPayload:
        return await _checkout(
            lambda: services_of(info).checkouts.create(
                info.context.principal,
                info.context.request_context,
                cart_id=input.cart_id,
                channel=input.channel,
                currency=input.currency,
                hold_stock=input.hold_stock,
                wishes=_wishes(input),
                quote=input.quote,
                key=idempotency_key,
                arguments={"input": strawberry.asdict(input)},
            )
        )

    @strawberry.mutation(description="Changes a checkout; the stock kept aside follows.")
    async def checkout_update(
        self,
        info: Info,
        id: Annotated[strawberry.ID, strawberry.argument(description="chk_….")],
        input: Annotated[CheckoutUpdateInput, strawberry.argument(description="What changes.")],
        expected_version: Annotated[int, strawberry.argument(description="What the buyer saw.")],
        idempotency_key: Idempotently,
    ) -> CheckoutPayload:
        return await _checkout(
            lambda: services_of(info).checkouts.update(
                info.context.principal,
                id,
                _wishes(input),
                expected_version,
                idempotency_key,
                {"id": id, "input": strawberry.asdict(input), "expectedVersion": expected_version},
            )
        )

    @strawberry.mutation(
        description="Pays and places the order, once. Waits up to 15 seconds; after that poll the checkout."
    )
    async def checkout_complete(
        self,
        info: Info,
        id: Annotated[strawberry.ID, strawberry.argument(description="chk_….")],
        input: Annotated[CheckoutCompleteInput, strawberry.argument(description="The buyer's word.")],
        idempotency_key: Idempotently,
    ) -> CheckoutCompletePayload:
        try:
            completed = await services_of(info).checkouts.complete(
                info.context.principal,
                id,
                provider=input.payment.provider,
                token=input.payment.token,
                captures=input.payment.capture_mode is CaptureMode.IMMEDIATE,
                expected_total=input.expected_total.to_money(),
                mandate_id=input.mandate,
                key=idempotency_key,
                arguments={"id": id, "input": strawberry.asdict(input)},
            )
        except DomainError as refusal:
            return CheckoutCompletePayload(errors=[to_graphql_error(refusal)])
        return CheckoutCompletePayload(
            checkout=CheckoutSession.of(completed.checkout),
            order=None if completed.order is None else Order.of(completed.order),
            saga_id=strawberry.ID(completed.saga_id),
            replayed=completed.replayed,
            errors=[] if completed.refusal is None else [to_graphql_error(completed.refusal)],
        )

    @strawberry.mutation(description="Gives a checkout up; its stock is for sale again.")
    async def checkout_cancel(
        self,
        info: Info,
        id: Annotated[strawberry.ID, strawberry.argument(description="chk_….")],
        idempotency_key: Idempotently,
        intent: Annotated[IntentTraceInput | None, strawberry.argument(description="Why.")] = None,
    ) -> CheckoutPayload:
        return await _checkout(
            lambda: services_of(info).checkouts.cancel(
                info.context.principal,
                id,
                intent.reason_code if intent else None,
                idempotency_key,
                {"id": id, "intent": strawberry.asdict(intent) if intent else None},
            )
        )

    @strawberry.federation.mutation(
        description="Records a register's sale. A receipt counts once, under however many keys it comes.",
        requires_scopes=[[POS_WRITE]],
        tags=["staff"],
    )
    async def pos_order_record(
        self,
        info: Info,
        input: Annotated[PosOrderInput, strawberry.argument(description="The receipt.")],
        idempotency_key: Idempotently,
    ) -> OrderPayload:
        try:
            principal = require_scopes(info, POS_WRITE)
            found, replayed = await services_of(info).orders.record(
                principal, _sale(input), idempotency_key, {"input": strawberry.asdict(input)}
            )
        except DomainError as refusal:
            return OrderPayload(errors=[to_graphql_error(refusal)])
        return OrderPayload(order=Order.of(found), replayed=replayed)


@strawberry.type
class Subscription(FulfilmentSubscription):
    @strawberry.subscription(
        description="An order as it is, then every change of it; for its buyer and for orders:read.",
        directives=[Authenticated(), Live(kind="kind", resume="resumeToken")],
    )
    async def order_updated(
        self,
        info: Info,
        order_id: Annotated[strawberry.ID, strawberry.argument(description="ord_….")],
        resume_token: Annotated[
            str | None, strawberry.argument(description="From the last event seen, to miss nothing since.")
        ] = None,
    ) -> AsyncIterator[OrderEvent]:
        principal = require_authenticated(info)
        async for news in services_of(info).live.follow(principal, order_id, resume_token):
            yield OrderEvent.of(news)


def _requests(given: Sequence[CartLineInput]) -> tuple[lines.LineRequest, ...]:
    return tuple(lines.LineRequest(line.sku, line.quantity) for line in given)


def _wishes(given: CheckoutCreateInput | CheckoutUpdateInput) -> Wishes:
    return Wishes(
        lines=None if given.lines is None else _requests(given.lines),
        email=given.email,
        address=None if given.address is None else given.address.to_model(),
        method=None if given.method is None else given.method.value,
        pickup_location_id=given.pickup_location_id,
        option_id=given.option_id,
        points=given.redeem_points if isinstance(given, CheckoutUpdateInput) else None,
    )


def _sale(given: PosOrderInput) -> Sale:
    return Sale(
        location_id=given.location_id,
        register_id=given.register_id,
        receipt_no=given.receipt_no,
        occurred_at=given.occurred_at,
        customer_id=given.customer_id,
        staff_id=given.staff_id,
        lines=tuple(SoldLine(line.sku, line.quantity, line.unit_price.to_money()) for line in given.lines),
        tenders=tuple(Tender(tender.kind, tender.amount.to_money(), tender.ref) for tender in given.tenders),
    )


async def _cart(work: Callable[[], Awaitable[CartModel]]) -> CartPayload:
    try:
        cart = await work()
    except DomainError as refusal:
        return CartPayload(errors=[to_graphql_error(refusal)])
    return CartPayload(cart=Cart.of(cart), warnings=[CommerceMessage.of(message) for message in cart.messages])


async def _checkout(work: Callable[[], Awaitable[tuple[CheckoutModel, bool]]]) -> CheckoutPayload:
    try:
        session, replayed = await work()
    except DomainError as refusal:
        return CheckoutPayload(errors=[to_graphql_error(refusal)])
    warnings = [CommerceMessage.of(message) for message in session.messages if message.level == "WARNING"]
    return CheckoutPayload(checkout=CheckoutSession.of(session), warnings=warnings, replayed=replayed)
