"""What a client reads: carts, checkouts, orders and their parts, and our fields on others' entities.

One file, since they lead to each other all around: a variant to its purchases, those to orders, those to variants.

(No ``from __future__ import annotations``: Strawberry reads annotations at run time.)
"""

from collections.abc import Callable, Sequence
from typing import Annotated, Self

import strawberry
from strawberry.federation.schema_directives import Key
from strawberry.federation.types import FieldSet

from subgraphs.chassis.graphql import (
    CurrencyCode,
    DateTime,
    Decimal,
    ErrorSeverity,
    Info,
    MoneyType,
    PageInfo,
    require_authenticated,
)
from subgraphs.kernel.pages import Page
from subgraphs.orders.model import delivery, lines, tax, totals
from subgraphs.orders.model.cart import Cart as CartModel
from subgraphs.orders.model.checkout import CheckoutSession as CheckoutModel
from subgraphs.orders.model.order import RETURN_POLICY_DAYS
from subgraphs.orders.model.order import Order as OrderModel
from subgraphs.orders.model.order import Payment as PaymentModel
from subgraphs.orders.model.returns import Return as ReturnModel
from subgraphs.orders.model.returns import points_of
from subgraphs.orders.schema.context import services_of
from subgraphs.orders.schema.enums import (
    CheckoutStatus,
    Disposition,
    FulfilmentMethod,
    FulfilmentState,
    MessageLevel,
    OrderStatus,
    PaperKind,
    PaymentState,
    ReturnChannel,
    ReturnState,
    TotalKind,
)
from subgraphs.orders.service.access import owns, require_customer
from subgraphs.orders.service.orders import Purchase
from subgraphs.orders.store import OrderQuery
from subgraphs.orders.store.books import Paper as PaperModel

_PURCHASES_MAX = 50


@strawberry.federation.type(
    keys=[Key(fields=FieldSet("id"), resolvable=False)], description="A place with stock; inventory's."
)
class Location:
    id: strawberry.ID = strawberry.field(description="Identity, loc_….")


@strawberry.federation.type(
    keys=[Key(fields=FieldSet("code"), resolvable=False)], description="Where goods are sold; catalog's."
)
class Channel:
    code: str = strawberry.field(description="The channel's code.")


@strawberry.federation.type(
    keys=[Key(fields=FieldSet("id"), resolvable=False)], description="Stock kept aside; inventory's."
)
class Reservation:
    id: strawberry.ID = strawberry.field(description="Identity, rsv_….")


First = Annotated[int, strawberry.argument(description="How many, 1 to 100.")]
After = Annotated[str | None, strawberry.argument(description="Cursor to go on after.")]


@strawberry.federation.type(keys=["sku"], description="What can be bought, with what this caller has bought of it.")
class ProductVariant:
    sku: str = strawberry.field(description="The SKU.")

    @classmethod
    async def resolve_reference(cls, sku: str) -> Self:
        return cls(sku=sku)

    @strawberry.federation.field(
        description="The caller's purchases of it, newest first; none for who is no customer.",
        authenticated=True,
        tags=["personal"],
    )
    async def my_purchases(
        self, info: Info, first: Annotated[int, strawberry.argument(description="How many, 1 to 50.")] = 5
    ) -> list["PurchaseRecord"] | None:
        customer_id = require_authenticated(info).customer_id
        if customer_id is None or not 1 <= first <= _PURCHASES_MAX:
            return []
        orders = services_of(info).orders

        async def batch(skus: Sequence[str]) -> Sequence[list[Purchase]]:
            return await orders.purchases(customer_id, skus)

        found = await info.context.loaders.get(f"purchases {customer_id}", batch).load(self.sku)
        return [PurchaseRecord.of(purchase) for purchase in found[:first]]

    @strawberry.field(description="Days after the sale within which it may be returned.")
    def return_policy_days(self) -> int | None:
        return RETURN_POLICY_DAYS


@strawberry.federation.type(keys=["id"], description="A customer, with their orders; customers'.")
class Customer:
    id: strawberry.ID = strawberry.field(description="Identity, cus_….")

    @classmethod
    async def resolve_reference(cls, id: strawberry.ID) -> Self:
        return cls(id=id)

    @strawberry.field(description="Their orders of all channels, newest first; for themselves and customer care.")
    async def orders(self, info: Info, first: First = 20, after: After = None) -> "OrderConnection | None":
        require_customer(info.context.principal, self.id)
        orders = services_of(info).orders
        return OrderConnection.of(await orders.page(OrderQuery(customer_id=self.id), first, after), orders.cursor)

    @strawberry.field(
        description="What they have spent in all orders, in the currency most of them are in; zero EUR without orders."
    )
    async def lifetime_value(self, info: Info) -> MoneyType | None:
        require_customer(info.context.principal, self.id)
        loader = info.context.loaders.get("lifetime values", services_of(info).orders.lifetime_values)
        return MoneyType.of(await loader.load(str(self.id)))


def _customer(customer_id: str | None) -> Customer | None:
    return None if customer_id is None else Customer(id=strawberry.ID(customer_id))


def _location(location_id: str | None) -> Location | None:
    return None if location_id is None else Location(id=strawberry.ID(location_id))


@strawberry.type(description="A row of a sum, to be shown in this order.")
class TotalLine:
    kind: TotalKind = strawberry.field(description="What the row is.")
    amount: MoneyType = strawberry.field(description="How much.")
    label: str = strawberry.field(description="For people.")

    @classmethod
    def of(cls, row: totals.TotalLine) -> Self:
        return cls(kind=TotalKind(row.kind), amount=MoneyType.of(row.amount), label=row.label)


@strawberry.type(description="What one jurisdiction takes of one line, or of the delivery.")
class TaxLine:
    jurisdiction: str = strawberry.field(description="Who takes it: a country, a state, a local authority.")
    rate: Decimal = strawberry.field(description="The rate as a fraction: 0.19 is 19 %.")
    base: MoneyType = strawberry.field(description="The amount without tax it is taken of.")
    amount: MoneyType = strawberry.field(description="The tax.")
    included: bool = strawberry.field(description="Whether the price contains it already.")
    line_id: strawberry.ID | None = strawberry.field(description="The line; none for the delivery.")

    @classmethod
    def of(cls, line: tax.TaxLine) -> Self:
        return cls(
            jurisdiction=line.jurisdiction,
            rate=Decimal(line.rate),
            base=MoneyType.of(line.base),
            amount=MoneyType.of(line.amount),
            included=line.included,
            line_id=None if line.line_id is None else strawberry.ID(line.line_id),
        )


@strawberry.type(description="Something the buyer should know.")
class CommerceMessage:
    level: MessageLevel = strawberry.field(description="How serious it is.")
    code: str = strawberry.field(description="Stable code, such as PRICE_CHANGED.")
    text: str = strawberry.field(description="For people.")
    path: str | None = strawberry.field(description="JSON path of what it is about.")
    severity: ErrorSeverity | None = strawberry.field(description="Who can do something about it.")

    @classmethod
    def of(cls, message: lines.Message) -> Self:
        return cls(
            level=MessageLevel(message.level),
            code=message.code,
            text=message.text,
            path=message.path,
            severity=None if message.severity is None else ErrorSeverity(message.severity),
        )


@strawberry.type(description="A priced line of a cart or checkout.")
class CartLine:
    id: strawberry.ID = strawberry.field(description="Identity within the cart; stays while the SKU stays.")
    variant: ProductVariant | None = strawberry.field(description="What is bought.")
    quantity: int = strawberry.field(description="Units.")
    unit_price: MoneyType = strawberry.field(description="What one costs.")
    total: MoneyType = strawberry.field(description="What the line costs.")

    @classmethod
    def of(cls, line: lines.Line) -> Self:
        return cls(
            id=strawberry.ID(line.id),
            variant=ProductVariant(sku=line.sku),
            quantity=line.quantity,
            unit_price=MoneyType.of(line.unit),
            total=MoneyType.of(line.total),
        )


@strawberry.type(description="One way and speed of delivery.")
class FulfilmentOption:
    id: strawberry.ID = strawberry.field(description="To choose it by.")
    title: str = strawberry.field(description="For people.")
    cost: MoneyType = strawberry.field(description="This group's part of what the whole delivery costs.")
    earliest: DateTime | None = strawberry.field(description="Not before.")
    latest: DateTime | None = strawberry.field(description="Promised by.")


@strawberry.type(description="Lines that leave together from one location.")
class FulfilmentGroup:
    id: strawberry.ID = strawberry.field(description="Identity within the checkout.")
    method: FulfilmentMethod = strawberry.field(description="How they reach the buyer.")
    location: Location | None = strawberry.field(description="From where; unknown while no stock is held.")
    line_ids: list[strawberry.ID] = strawberry.field(description="The lines; one may be in several groups.")
    options: list[FulfilmentOption] = strawberry.field(description="What may be chosen.")
    selected_option_id: strawberry.ID | None = strawberry.field(description="What is chosen.")

    @classmethod
    def of(cls, group: delivery.Group) -> Self:
        chosen = group.selected_option_id
        return cls(
            id=strawberry.ID(group.id),
            method=FulfilmentMethod(group.method),
            location=_location(group.location_id),
            line_ids=[strawberry.ID(line_id) for line_id in group.line_ids],
            options=[
                FulfilmentOption(
                    id=strawberry.ID(option.id),
                    title=option.title,
                    cost=MoneyType.of(option.cost),
                    earliest=option.earliest,
                    latest=option.latest,
                )
                for option in group.options
            ],
            selected_option_id=None if chosen is None else strawberry.ID(chosen),
        )


@strawberry.federation.type(keys=["id"], description="What a buyer has gathered. Holds no stock, promises no price.")
class Cart:
    id: strawberry.ID = strawberry.field(description="Identity, crt_…; a guest's cart belongs to who knows it.")
    version: int = strawberry.field(description="Grows with every change.")
    channel: Channel | None = strawberry.field(description="Where it is sold.")
    currency: CurrencyCode = strawberry.field(description="Of all its amounts.")
    customer: Customer | None = strawberry.field(description="Whose it is, if known.")
    lines: list[CartLine] = strawberry.field(description="What is in it.")
    totals: list[TotalLine] = strawberry.field(description="The sum; delivery and added tax come at checkout.")
    messages: list[CommerceMessage] = strawberry.field(description="What changed since it was last priced.")
    expires_at: DateTime = strawberry.field(description="30 days after its last change.")

    @classmethod
    def of(cls, cart: CartModel) -> Self:
        rows = totals.add_up(cart.lines, None, None, cart.currency).rows
        return cls(
            id=strawberry.ID(cart.id),
            version=cart.version,
            channel=Channel(code=cart.channel),
            currency=CurrencyCode(cart.currency),
            customer=_customer(cart.customer_id),
            lines=[CartLine.of(line) for line in cart.lines],
            totals=[TotalLine.of(row) for row in rows],
            messages=[CommerceMessage.of(message) for message in cart.messages],
            expires_at=cart.expires_at,
        )

    @classmethod
    async def resolve_reference(cls, info: Info, id: strawberry.ID) -> Self | None:
        principal, carts = info.context.principal, services_of(info).carts

        async def batch(ids: Sequence[str]) -> Sequence[CartModel | None]:
            return await carts.visible(principal, ids)

        found = await info.context.loaders.get("carts", batch).load(str(id))
        return cls.of(found) if found is not None else None


@strawberry.federation.type(keys=["id"], description="A buyer's way from lines to an order.")
class CheckoutSession:
    id: strawberry.ID = strawberry.field(description="Identity, chk_….")
    version: int = strawberry.field(description="Grows with every change; give it back when you change something.")
    status: CheckoutStatus = strawberry.field(description="Where it stands.")
    channel: Channel | None = strawberry.field(description="Where it is sold.")
    currency: CurrencyCode = strawberry.field(description="Of all its amounts.")
    customer: Customer | None = strawberry.field(description="Who buys, if known.")
    lines: list[CartLine] = strawberry.field(description="What is bought.")
    totals: list[TotalLine] = strawberry.field(description="The sum; its TOTAL is the expectedTotal to complete with.")
    tax_lines: list[TaxLine] = strawberry.field(description="Tax by line and jurisdiction.")
    fulfilment: list[FulfilmentGroup] = strawberry.field(description="Where the lines leave from, and how.")
    reservation: Reservation | None = strawberry.field(description="The stock kept aside.")
    messages: list[CommerceMessage] = strawberry.field(description="What is missing or has changed.")
    continue_url: str | None = strawberry.field(description="Where the buyer must act, when escalated.")
    expires_at: DateTime = strawberry.field(description="When the session ends; its hold may end before.")
    order_id: strawberry.Private[str | None]
    model: strawberry.Private[CheckoutModel]

    @strawberry.field(description="The buyer's points that are to pay for a part; null when none are.")
    async def points_to_redeem(self) -> int | None:
        return self.model.points or None

    @strawberry.field(description="Points it would earn the buyer; null when loyalty cannot say right now.")
    async def points_to_earn(self, info: Info) -> int | None:
        loyalty = services_of(info).loyalty
        return await loyalty.points_to_earn(
            self.model.lines, self.model.paid_by_line, self.model.channel, info.context.principal
        )

    @strawberry.field(description="The order, once completed.")
    async def order(self, info: Info) -> "Order | None":
        return None if self.order_id is None else await Order.resolve_reference(info, strawberry.ID(self.order_id))

    @classmethod
    def of(cls, session: CheckoutModel) -> Self:
        summed = session.totals
        hold = session.hold
        return cls(
            id=strawberry.ID(session.id),
            version=session.version,
            status=CheckoutStatus(session.status),
            channel=Channel(code=session.channel),
            currency=CurrencyCode(session.currency),
            customer=_customer(session.customer_id),
            lines=[CartLine.of(line) for line in session.lines],
            totals=[TotalLine.of(row) for row in summed.rows],
            tax_lines=[TaxLine.of(line) for line in summed.tax_lines],
            fulfilment=[FulfilmentGroup.of(group) for group in session.groups],
            reservation=None if hold is None else Reservation(id=strawberry.ID(hold.reservation_id)),
            messages=[CommerceMessage.of(message) for message in session.messages],
            continue_url=session.continue_url,
            expires_at=session.expires_at,
            order_id=session.order_id,
            model=session,
        )

    @classmethod
    async def resolve_reference(cls, info: Info, id: strawberry.ID) -> Self | None:
        principal, checkouts = info.context.principal, services_of(info).checkouts

        async def batch(ids: Sequence[str]) -> Sequence[CheckoutModel | None]:
            return await checkouts.visible(principal, ids)

        found = await info.context.loaders.get("checkouts", batch).load(str(id))
        return cls.of(found) if found is not None else None


@strawberry.type(description="Something that happened.")
class OrderEventRecord:
    at: DateTime = strawberry.field(description="When.")
    type: str = strawberry.field(description="What, as a stable word.")
    actor: str = strawberry.field(description="Who did it.")
    detail: str | None = strawberry.field(description="For people.")

    @classmethod
    def of(cls, happening: delivery.Happening) -> Self:
        return cls(at=happening.at, type=happening.type, actor=happening.actor, detail=happening.detail)


@strawberry.type(description="Money that moved after the sale.")
class OrderAdjustment:
    id: strawberry.ID = strawberry.field(description="Identity.")
    kind: str = strawberry.field(description="What it was, such as REFUND_RETURN.")
    at: DateTime = strawberry.field(description="When.")
    amount: MoneyType = strawberry.field(description="What went back to the buyer.")
    line_id: strawberry.ID | None = strawberry.field(default=None, description="The line, if it is about one.")
    quantity: int | None = strawberry.field(default=None, description="Units, if it is about some.")


@strawberry.type(description="The agent that placed the order.")
class AgentAttribution:
    agent_id: str = strawberry.field(description="The agent.")
    mandate_id: str | None = strawberry.field(description="The customer's mandate it bought under, man_….")
    principal: str = strawberry.field(description="On whose behalf.")


@strawberry.type(description="A line as it was sold.")
class OrderLine:
    id: strawberry.ID = strawberry.field(description="Identity within the order.")
    variant: ProductVariant | None = strawberry.field(description="What was sold.")
    quantity_ordered: int = strawberry.field(description="Units sold.")
    quantity_current: int = strawberry.field(description="Units sold and not cancelled.")
    quantity_fulfilled: int = strawberry.field(description="Units the buyer has or that are on their way.")
    quantity_returned: int = strawberry.field(description="Units that came back.")
    unit_price: MoneyType = strawberry.field(description="What one cost.")
    total: MoneyType = strawberry.field(description="What the line cost.")
    tax_lines: list[TaxLine] = strawberry.field(description="The line's tax.")


@strawberry.type(description="Units of an order line in a fulfilment.")
class FulfilmentLine:
    order_line_id: strawberry.ID = strawberry.field(description="The order's line.")
    variant: ProductVariant | None = strawberry.field(description="What it is.")
    quantity: int = strawberry.field(description="Units.")


@strawberry.type(description="Where a parcel can be followed.")
class Tracking:
    carrier: str = strawberry.field(description="The carrier.")
    number: str = strawberry.field(description="The carrier's number.")
    url: str | None = strawberry.field(description="A page to look at.")


@strawberry.type(description="One attempt to be paid.")
class Payment:
    id: strawberry.ID = strawberry.field(description="Identity, pay_…; the provider knows the attempt by it.")
    provider: str = strawberry.field(description="The provider, or pos:<tender> for a register.")
    state: PaymentState = strawberry.field(description="Where it stands.")
    authorized: MoneyType = strawberry.field(description="What is promised.")
    captured: MoneyType = strawberry.field(description="What is taken; never more than promised.")
    refunded: MoneyType = strawberry.field(description="What was given back; never more than taken.")
    provider_ref: str = strawberry.field(description="The provider's own name for it.")
    settled_in: strawberry.ID | None = strawberry.field(description="The provider's file that told of it.")

    @classmethod
    def of(cls, payment: PaymentModel) -> Self:
        return cls(
            id=strawberry.ID(payment.id),
            provider=payment.provider,
            state=PaymentState(payment.state),
            authorized=MoneyType.of(payment.authorized),
            captured=MoneyType.of(payment.captured),
            refunded=MoneyType.of(payment.refunded),
            provider_ref=payment.provider_ref,
            settled_in=None if payment.settled_in is None else strawberry.ID(payment.settled_in),
        )


@strawberry.federation.type(keys=["id"], description="The part of an order that one location carries out.")
class Fulfilment:
    id: strawberry.ID = strawberry.field(description="Identity, ful_….")
    method: FulfilmentMethod = strawberry.field(description="How it reaches the buyer.")
    state: FulfilmentState = strawberry.field(description="Where it stands.")
    location: Location | None = strawberry.field(description="Who carries it out.")
    lines: list[FulfilmentLine] = strawberry.field(description="What is in it.")
    promised_by: DateTime = strawberry.field(description="When the buyer was promised to have it, or to collect it.")
    tracking: Tracking | None = strawberry.field(description="Where to follow it, once shipped.")
    events: list[OrderEventRecord] = strawberry.field(description="What happened to it, oldest first.")
    whole: strawberry.Private[OrderModel]
    code: strawberry.Private[str | None]

    @strawberry.field(description="The order it is part of.")
    def order(self) -> "Order":
        return Order.of(self.whole)

    @strawberry.federation.field(
        description="What the buyer shows at the counter, once it waits there; for the buyer alone.", tags=["personal"]
    )
    def pickup_code(self, info: Info) -> str | None:
        return self.code if owns(info.context.principal, self.whole.owner, self.whole.customer_id) else None

    @classmethod
    def of(cls, whole: OrderModel, part: delivery.Fulfilment) -> Self:
        return cls(
            id=strawberry.ID(part.id),
            method=FulfilmentMethod(part.method),
            state=FulfilmentState(part.state),
            location=Location(id=strawberry.ID(part.location_id)),
            lines=[
                FulfilmentLine(
                    order_line_id=strawberry.ID(line.order_line_id),
                    variant=ProductVariant(sku=line.sku),
                    quantity=line.quantity,
                )
                for line in part.lines
            ],
            promised_by=part.promised_by,
            tracking=None
            if part.tracking is None
            else Tracking(carrier=part.tracking.carrier, number=part.tracking.number, url=part.tracking.url),
            events=[OrderEventRecord.of(happening) for happening in part.happenings],
            whole=whole,
            code=part.pickup_code,
        )

    @classmethod
    async def resolve_reference(cls, info: Info, id: strawberry.ID) -> Self | None:
        principal, orders = info.context.principal, services_of(info).orders

        async def batch(ids: Sequence[str]) -> Sequence[tuple[OrderModel, delivery.Fulfilment] | None]:
            return await orders.fulfilments(principal, ids)

        found = await info.context.loaders.get("fulfilments", batch).load(str(id))
        return cls.of(*found) if found is not None else None


@strawberry.type(description="Units that came back or are to.")
class ReturnLine:
    order_line_id: strawberry.ID = strawberry.field(description="The order's line.")
    quantity: int = strawberry.field(description="Units.")
    reason: str = strawberry.field(description="Why.")
    disposition: Disposition | None = strawberry.field(description="What becomes of them, once somebody has looked.")


@strawberry.type(description="Goods that come back, by mail or over any store's counter.")
class Return:
    id: strawberry.ID = strawberry.field(description="Identity, ret_….")
    state: ReturnState = strawberry.field(description="Where it stands.")
    via: ReturnChannel = strawberry.field(description="How they come.")
    location: Location | None = strawberry.field(description="Where they came, or are to.")
    lines: list[ReturnLine] = strawberry.field(description="What comes; once received, what came.")
    refund: MoneyType | None = strawberry.field(description="What the buyer gets, once received.")
    model: strawberry.Private[ReturnModel]

    @strawberry.field(description="Points that go with it, once received; null when loyalty cannot say right now.")
    async def points_reversed(self, info: Info) -> int | None:
        principal, loyalty = info.context.principal, services_of(info).loyalty

        async def batch(order_ids: Sequence[str]) -> Sequence[int | None]:
            return await loyalty.points_earned(order_ids, principal)

        if self.model.goods is None:
            return None
        earned = await info.context.loaders.get("points earned", batch).load(self.model.order_id)
        return None if earned is None else points_of(self.model, earned)

    @strawberry.field(description="The order of the goods taken instead; none, for goods are given back for money.")
    def exchange_order(self) -> "Order | None":
        return None

    @classmethod
    def of(cls, given: ReturnModel) -> Self:
        return cls(
            id=strawberry.ID(given.id),
            state=ReturnState(given.state),
            via=ReturnChannel(given.via),
            location=None if given.location_id is None else Location(id=strawberry.ID(given.location_id)),
            lines=[
                ReturnLine(
                    order_line_id=strawberry.ID(line.order_line_id),
                    quantity=line.quantity,
                    reason=line.reason,
                    disposition=None if line.disposition is None else Disposition(line.disposition),
                )
                for line in given.lines
            ],
            refund=None if given.refund is None else MoneyType.of(given.refund),
            model=given,
        )


@strawberry.type(description="An invoice or a credit note: numbered without gaps, never changed.")
class Paper:
    id: strawberry.ID = strawberry.field(description="Its number, as printed: INV-0000001 or CRN-0000001.")
    kind: PaperKind = strawberry.field(description="What it is.")
    issued_at: DateTime = strawberry.field(description="When.")
    total: MoneyType = strawberry.field(description="What it is about.")
    tax: MoneyType = strawberry.field(description="The tax in it.")
    invoice_id: strawberry.ID | None = strawberry.field(description="For a credit note: of which invoice.")

    @classmethod
    def of(cls, paper: PaperModel) -> Self:
        return cls(
            id=strawberry.ID(paper.id),
            kind=PaperKind(paper.kind),
            issued_at=paper.at,
            total=MoneyType.of(paper.total),
            tax=MoneyType.of(paper.tax),
            invoice_id=None if paper.of is None else strawberry.ID(paper.of),
        )


@strawberry.federation.type(keys=["id"], description="What was sold, on whatever channel.")
class Order:
    id: strawberry.ID = strawberry.field(description="Identity, ord_….")
    number: str = strawberry.field(description="For people, such as G-7KX2P-9QW4C; its last letter is a check.")
    status: OrderStatus = strawberry.field(description="Where it stands.")
    channel: Channel | None = strawberry.field(description="Where it was sold.")
    placed_at: DateTime = strawberry.field(description="When it was confirmed, or sold at the counter.")
    customer: Customer | None = strawberry.field(description="Who bought, if known.")
    sold_at: Location | None = strawberry.field(description="At which counter, if at one.")
    agent: AgentAttribution | None = strawberry.field(description="The agent that placed it, if one did.")
    lines: list[OrderLine] = strawberry.field(description="What was sold.")
    totals: list[TotalLine] = strawberry.field(description="The sum.")
    tax_lines: list[TaxLine] = strawberry.field(description="Tax by line and jurisdiction.")
    fulfilments: list[Fulfilment] = strawberry.field(description="How it is carried out, one for each location.")
    timeline: list[OrderEventRecord] = strawberry.field(description="What happened to it, oldest first.")
    adjustments: list[OrderAdjustment] = strawberry.field(description="Money that moved since, oldest first.")

    @strawberry.field(description="What of it came back or is to, oldest first.")
    async def returns(self, info: Info) -> list[Return]:
        loader = info.context.loaders.get("returns", services_of(info).returns.of_orders)
        return [Return.of(given) for given in await loader.load(str(self.id))]

    @strawberry.field(description="Its invoice, and a credit note for each refund, oldest first.")
    async def papers(self, info: Info) -> list[Paper]:
        loader = info.context.loaders.get("papers", services_of(info).books.papers)
        return [Paper.of(paper) for paper in await loader.load(str(self.id))]

    @strawberry.field(description="How it is paid, oldest attempt first.")
    async def payments(self, info: Info) -> list[Payment]:
        loader = info.context.loaders.get("payments", services_of(info).orders.payments)
        return [Payment.of(payment) for payment in await loader.load(str(self.id))]

    @classmethod
    def of(cls, found: OrderModel) -> Self:
        return cls(
            id=strawberry.ID(found.id),
            number=found.number,
            status=OrderStatus(found.status),
            channel=Channel(code=found.channel),
            placed_at=found.placed_at,
            customer=_customer(found.customer_id),
            sold_at=_location(found.sold_at_location_id),
            agent=None
            if found.agent_id is None
            else AgentAttribution(agent_id=found.agent_id, mandate_id=found.mandate_id, principal=found.owner),
            lines=[
                OrderLine(
                    id=strawberry.ID(line.id),
                    variant=ProductVariant(sku=line.sku),
                    quantity_ordered=line.quantity,
                    quantity_current=0 if found.status == "CANCELED" else line.quantity,
                    quantity_fulfilled=line.fulfilled,
                    quantity_returned=line.returned,
                    unit_price=MoneyType.of(line.unit),
                    total=MoneyType.of(line.total),
                    tax_lines=[TaxLine.of(taken) for taken in found.tax_lines if taken.line_id == line.id],
                )
                for line in found.lines
            ],
            totals=[TotalLine.of(row) for row in found.totals],
            tax_lines=[TaxLine.of(line) for line in found.tax_lines],
            fulfilments=[Fulfilment.of(found, part) for part in found.fulfilments],
            timeline=[OrderEventRecord.of(happening) for happening in found.timeline],
            adjustments=[
                OrderAdjustment(id=strawberry.ID(each.id), kind=each.kind, at=each.at, amount=MoneyType.of(each.amount))
                for each in found.adjustments
            ],
        )

    @classmethod
    async def resolve_reference(cls, info: Info, id: strawberry.ID) -> Self | None:
        principal, orders = info.context.principal, services_of(info).orders

        async def batch(ids: Sequence[str]) -> Sequence[OrderModel | None]:
            return await orders.visible(principal, ids)

        found = await info.context.loaders.get("orders", batch).load(str(id))
        return cls.of(found) if found is not None else None


@strawberry.type(description="One purchase of a variant.")
class PurchaseRecord:
    order: Order = strawberry.field(description="The order.")
    quantity: int = strawberry.field(description="Units bought.")
    unit_price: MoneyType = strawberry.field(description="What one cost then.")
    at: DateTime = strawberry.field(description="When.")

    @classmethod
    def of(cls, purchase: Purchase) -> Self:
        return cls(
            order=Order.of(purchase.order),
            quantity=purchase.line.quantity,
            unit_price=MoneyType.of(purchase.line.unit),
            at=purchase.order.placed_at,
        )


@strawberry.type(description="An order in a list.")
class OrderEdge:
    cursor: str = strawberry.field(description="To go on after it.")
    node: Order = strawberry.field(description="The order.")


@strawberry.type(description="A page of orders, newest first.")
class OrderConnection:
    edges: list[OrderEdge] = strawberry.field(description="The orders of the page.")
    page_info: PageInfo = strawberry.field(description="Where the page stands.")
    total_count: int = strawberry.field(description="Orders in the whole list.")

    @classmethod
    def of(cls, page: Page[OrderModel], cursor: Callable[[OrderModel], str]) -> Self:
        return cls(
            edges=[OrderEdge(cursor=cursor(item), node=Order.of(item)) for item in page.items],
            page_info=PageInfo.of(page),
            total_count=page.total or 0,
        )
