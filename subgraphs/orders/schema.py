"""The orders subgraph in GraphQL: types, resolvers, reference resolvers through loaders. No decisions.

(No ``from __future__ import annotations``: Strawberry reads annotations at run time.)
"""

import enum
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Annotated, Any, Self

import strawberry
from strawberry.federation.schema_directives import Authenticated, Key
from strawberry.federation.types import FieldSet

from subgraphs.chassis.graphql import (
    CountryCode,
    CurrencyCode,
    DateTime,
    Decimal,
    ErrorSeverity,
    Forbidden,
    IdempotencyConflict,
    IdempotencyKey,
    Info,
    InvalidInput,
    MoneyInput,
    MoneyType,
    NotFound,
    PageInfo,
    RequestInFlight,
    StreamEventKind,
    UserError,
    VersionConflict,
    build_schema,
    register_error,
    require_authenticated,
    require_scopes,
    to_graphql_error,
)
from subgraphs.kernel import errors as kernel
from subgraphs.kernel.errors import DomainError
from subgraphs.kernel.pages import Page
from subgraphs.orders.model import delivery, lines, refusals, tax, totals
from subgraphs.orders.model.cart import Cart as CartModel
from subgraphs.orders.model.checkout import CheckoutSession as CheckoutModel
from subgraphs.orders.model.order import RETURN_POLICY_DAYS
from subgraphs.orders.model.order import Order as OrderModel
from subgraphs.orders.model.order import Payment as PaymentModel
from subgraphs.orders.service.access import POS_WRITE, READ, require_customer
from subgraphs.orders.service.checkouts import Wishes
from subgraphs.orders.service.live import OrderNews
from subgraphs.orders.service.orders import Purchase, Sale, SoldLine, Tender
from subgraphs.orders.service.services import Services
from subgraphs.orders.store import OrderQuery

_PURCHASES_MAX = 50


def _services(info: Info) -> Services:
    services: Services = info.context.services
    return services


def _value(value: str, description: str) -> Any:
    return strawberry.enum_value(value, description=description)


# Enums


@strawberry.enum(description="How goods reach the buyer. PICKUP and CURBSIDE take everything from one named location.")
class FulfilmentMethod(enum.Enum):
    SHIP = "SHIP"
    SHIP_FROM_STORE = "SHIP_FROM_STORE"
    PICKUP = "PICKUP"
    CURBSIDE = "CURBSIDE"
    SAME_DAY = "SAME_DAY"
    DIGITAL = "DIGITAL"


@strawberry.enum(description="What a row of a sum is. TOTAL is what is paid.")
class TotalKind(enum.Enum):
    SUBTOTAL = _value("SUBTOTAL", "The lines together.")
    FULFILMENT = _value("FULFILMENT", "The delivery.")
    TAX = _value("TAX", "All tax; already in the other rows where prices include it, see the label and tax lines.")
    TOTAL = _value("TOTAL", "What is paid.")


@strawberry.enum(description="How serious a message is.")
class MessageLevel(enum.Enum):
    INFO = _value("INFO", "Good to know.")
    WARNING = _value("WARNING", "The buyer should see it.")
    ERROR = _value("ERROR", "It must be put right before the checkout can complete.")


@strawberry.enum(description="Where a checkout stands.")
class CheckoutStatus(enum.Enum):
    INCOMPLETE = _value("INCOMPLETE", "Something is missing; see messages.")
    REQUIRES_ESCALATION = _value("REQUIRES_ESCALATION", "The buyer must act at continueUrl.")
    READY_FOR_COMPLETE = _value("READY_FOR_COMPLETE", "Nothing is missing: it may be completed.")
    COMPLETE_IN_PROGRESS = _value("COMPLETE_IN_PROGRESS", "Being completed: poll, do not complete again.")
    COMPLETED = _value("COMPLETED", "There is an order. Final.")
    CANCELED = _value("CANCELED", "Given up; nothing is held. Final.")


@strawberry.enum(description="Where an order stands.")
class OrderStatus(enum.Enum):
    PENDING = "PENDING"
    CONFIRMED = _value("CONFIRMED", "Paid for, stock committed.")
    PROCESSING = "PROCESSING"
    PARTIALLY_FULFILLED = "PARTIALLY_FULFILLED"
    FULFILLED = _value("FULFILLED", "The buyer has everything.")
    CANCELED = "CANCELED"
    CLOSED = "CLOSED"


@strawberry.enum(description="Where a fulfilment stands.")
class FulfilmentState(enum.Enum):
    PLANNED = _value("PLANNED", "The location has been chosen; nobody there has seen it yet.")
    ACCEPTED = "ACCEPTED"
    PICKING = "PICKING"
    PACKED = "PACKED"
    READY_FOR_PICKUP = _value("READY_FOR_PICKUP", "Waiting at the counter.")
    CUSTOMER_ARRIVED = _value("CUSTOMER_ARRIVED", "The buyer is at the kerb.")
    HANDED_OVER = _value("HANDED_OVER", "The buyer has it. Final.")
    SHIPPED = _value("SHIPPED", "On its way.")
    DELIVERED = _value("DELIVERED", "The buyer has it. Final.")
    REJECTED = _value("REJECTED", "The location cannot do it. Final.")
    CANCELED = _value("CANCELED", "Given up. Final.")


@strawberry.enum(description="Where a payment stands.")
class PaymentState(enum.Enum):
    REQUIRES_ACTION = _value("REQUIRES_ACTION", "The buyer must confirm at the provider.")
    AUTHORIZED = _value("AUTHORIZED", "The money is promised, not taken.")
    CAPTURED = _value("CAPTURED", "The money is taken.")
    VOIDED = _value("VOIDED", "The promise was given back.")
    FAILED = _value("FAILED", "Declined.")


@strawberry.enum(description="When an authorized payment is taken.")
class CaptureMode(enum.Enum):
    IMMEDIATE = _value("IMMEDIATE", "As soon as the order is confirmed.")
    ON_FULFILMENT = _value("ON_FULFILMENT", "When the goods leave.")


# Inputs


@strawberry.input(description="Units of a SKU.")
class CartLineInput:
    sku: str = strawberry.field(description="The SKU.")
    quantity: int = strawberry.field(description="Units, 1 to 999; in cartLinesUpdate 0 takes the line out.")


@strawberry.input(description="A new cart.")
class CartCreateInput:
    channel: str = strawberry.field(description="The channel's code, such as web-eu.")
    currency: CurrencyCode | None = strawberry.field(default=None, description="One the channel sells in.")
    customer_id: strawberry.ID | None = strawberry.field(default=None, description="For staff: whose cart it is.")
    lines: list[CartLineInput] = strawberry.field(description="What is in it, at most 100 SKUs.")


@strawberry.input(description="Where to ship to.")
class AddressInput:
    name: str = strawberry.field(description="Who receives it.")
    line1: str = strawberry.field(description="Street and number.")
    line2: str | None = strawberry.field(default=None, description="The rest of the street address.")
    city: str = strawberry.field(description="Town.")
    region: str | None = strawberry.field(
        default=None, description="Second half of the ISO 3166-2 code, such as CA for California; decides sales tax."
    )
    postal_code: str = strawberry.field(description="Postal code.")
    country: CountryCode = strawberry.field(description="ISO 3166-1 alpha-2.")

    def to_model(self) -> delivery.Address:
        return delivery.Address(
            name=self.name,
            line1=self.line1,
            line2=self.line2,
            city=self.city,
            region=self.region,
            postal_code=self.postal_code,
            country=self.country,
        )


@strawberry.input(
    description="A new checkout: over a cart or over lines. It may carry all it needs to be ready at once."
)
class CheckoutCreateInput:
    cart_id: strawberry.ID | None = strawberry.field(default=None, description="The cart to buy.")
    lines: list[CartLineInput] | None = strawberry.field(default=None, description="Or the lines to buy.")
    channel: str = strawberry.field(description="The channel's code.")
    currency: CurrencyCode | None = strawberry.field(default=None, description="One the channel sells in.")
    email: str | None = strawberry.field(default=None, description="Where the confirmation goes.")
    address: AddressInput | None = strawberry.field(default=None, description="Where to ship to.")
    method: FulfilmentMethod | None = strawberry.field(default=None, description="SHIP (default), PICKUP or CURBSIDE.")
    pickup_location_id: strawberry.ID | None = strawberry.field(default=None, description="The store to collect at.")
    option_id: str | None = strawberry.field(default=None, description="A delivery option; the first by default.")
    hold_stock: bool = strawberry.field(
        default=True, description="Keep the stock aside: 10 minutes, 5 for agents, 15 at a counter."
    )


@strawberry.input(description="What to change in a checkout; what is left out stays.")
class CheckoutUpdateInput:
    lines: list[CartLineInput] | None = strawberry.field(default=None, description="All lines anew.")
    email: str | None = strawberry.field(default=None, description="Where the confirmation goes.")
    address: AddressInput | None = strawberry.field(default=None, description="Where to ship to.")
    method: FulfilmentMethod | None = strawberry.field(default=None, description="SHIP, PICKUP or CURBSIDE.")
    pickup_location_id: strawberry.ID | None = strawberry.field(default=None, description="The store to collect at.")
    option_id: str | None = strawberry.field(default=None, description="A delivery option of the groups.")


@strawberry.input(description="How to pay.")
class PaymentInput:
    provider: str = strawberry.field(description="The provider's name, such as sandbox.")
    token: str = strawberry.field(description="What the provider gave for the buyer's card; usable once.")
    capture_mode: CaptureMode = strawberry.field(
        default=CaptureMode.ON_FULFILMENT, description="When the money is taken."
    )


@strawberry.input(description="The buyer's word.")
class CheckoutCompleteInput:
    payment: PaymentInput = strawberry.field(description="How to pay.")
    expected_total: MoneyInput = strawberry.field(
        description="The total the buyer agreed to; with any other total nothing is charged."
    )


@strawberry.input(description="Why something is done.")
class IntentTraceInput:
    reason_code: str = strawberry.field(description="A short code.")
    detail: str | None = strawberry.field(default=None, description="For people.")


@strawberry.input(description="A line of a receipt.")
class PosOrderLineInput:
    sku: str = strawberry.field(description="The SKU.")
    quantity: int = strawberry.field(description="Units sold.")
    unit_price: MoneyInput = strawberry.field(description="What one cost, as on the receipt.")


@strawberry.input(description="One way a receipt was paid.")
class PosTenderInput:
    kind: str = strawberry.field(description="CASH, CARD and the like.")
    amount: MoneyInput = strawberry.field(description="How much.")
    ref: str | None = strawberry.field(default=None, description="The terminal's reference.")


@strawberry.input(description="A sale that has already happened at a register.")
class PosOrderInput:
    location_id: strawberry.ID = strawberry.field(description="Where.")
    register_id: str = strawberry.field(description="At which register.")
    receipt_no: str = strawberry.field(description="The receipt; unique for the register for ever.")
    occurred_at: DateTime = strawberry.field(description="When, by the register's clock.")
    customer_id: strawberry.ID | None = strawberry.field(default=None, description="Who bought, if known.")
    lines: list[PosOrderLineInput] = strawberry.field(description="What was sold, each SKU once.")
    tenders: list[PosTenderInput] = strawberry.field(description="How it was paid; must cover the lines.")
    staff_id: str | None = strawberry.field(default=None, description="Who sold it.")


@strawberry.input(description="Which orders; what is left out means any.")
class OrderFilter:
    status: list[OrderStatus] | None = strawberry.field(default=None, description="In one of these states.")
    channel: list[str] | None = strawberry.field(default=None, description="Of one of these channels.")
    placed_from: DateTime | None = strawberry.field(default=None, description="Placed then or later.")
    placed_to: DateTime | None = strawberry.field(default=None, description="Placed then or before.")
    customer_id: strawberry.ID | None = strawberry.field(default=None, description="Of this customer.")
    sold_at_location_id: strawberry.ID | None = strawberry.field(default=None, description="Sold at this counter.")

    def to_query(self) -> OrderQuery:
        return OrderQuery(
            statuses=tuple(status.value for status in self.status or ()),
            channels=tuple(self.channel or ()),
            placed_from=self.placed_from,
            placed_to=self.placed_to,
            customer_id=self.customer_id,
            sold_at_location_id=self.sold_at_location_id,
        )


# Others' entities


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
        description="The caller's purchases of it, newest first; none for who is no customer.", authenticated=True
    )
    async def my_purchases(
        self, info: Info, first: Annotated[int, strawberry.argument(description="How many, 1 to 50.")] = 5
    ) -> list["PurchaseRecord"] | None:
        customer_id = require_authenticated(info).customer_id
        if customer_id is None or not 1 <= first <= _PURCHASES_MAX:
            return []
        orders = _services(info).orders

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
        orders = _services(info).orders
        return OrderConnection.of(await orders.page(OrderQuery(customer_id=self.id), first, after), orders.cursor)

    @strawberry.field(
        description="What they have spent in all orders, in the currency most of them are in; zero EUR without orders."
    )
    async def lifetime_value(self, info: Info) -> MoneyType | None:
        require_customer(info.context.principal, self.id)
        loader = info.context.loaders.get("lifetime values", _services(info).orders.lifetime_values)
        return MoneyType.of(await loader.load(str(self.id)))


def _customer(customer_id: str | None) -> Customer | None:
    return None if customer_id is None else Customer(id=strawberry.ID(customer_id))


def _location(location_id: str | None) -> Location | None:
    return None if location_id is None else Location(id=strawberry.ID(location_id))


# Parts


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
        principal, carts = info.context.principal, _services(info).carts

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

    @strawberry.field(description="Points it would earn the buyer; null when loyalty cannot say right now.")
    async def points_to_earn(self, info: Info) -> int | None:
        loyalty = _services(info).loyalty
        return await loyalty.points_to_earn(self.model.lines, self.model.channel, info.context.principal)

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
        principal, checkouts = info.context.principal, _services(info).checkouts

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


@strawberry.type(description="The agent that placed the order.")
class AgentAttribution:
    agent_id: str = strawberry.field(description="The agent.")
    principal: str = strawberry.field(description="On whose behalf.")


@strawberry.type(description="A line as it was sold.")
class OrderLine:
    id: strawberry.ID = strawberry.field(description="Identity within the order.")
    variant: ProductVariant | None = strawberry.field(description="What was sold.")
    quantity_ordered: int = strawberry.field(description="Units sold.")
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

    @strawberry.field(description="The order it is part of.")
    def order(self) -> "Order":
        return Order.of(self.whole)

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
        )

    @classmethod
    async def resolve_reference(cls, info: Info, id: strawberry.ID) -> Self | None:
        principal, orders = info.context.principal, _services(info).orders

        async def batch(ids: Sequence[str]) -> Sequence[tuple[OrderModel, delivery.Fulfilment] | None]:
            return await orders.fulfilments(principal, ids)

        found = await info.context.loaders.get("fulfilments", batch).load(str(id))
        return cls.of(*found) if found is not None else None


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

    @strawberry.field(description="How it is paid, oldest attempt first.")
    async def payments(self, info: Info) -> list[Payment]:
        loader = info.context.loaders.get("payments", _services(info).orders.payments)
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
            agent=None if found.agent_id is None else AgentAttribution(agent_id=found.agent_id, principal=found.owner),
            lines=[
                OrderLine(
                    id=strawberry.ID(line.id),
                    variant=ProductVariant(sku=line.sku),
                    quantity_ordered=line.quantity,
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
        )

    @classmethod
    async def resolve_reference(cls, info: Info, id: strawberry.ID) -> Self | None:
        principal, orders = info.context.principal, _services(info).orders

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
            page_info=PageInfo(
                has_next_page=page.has_next,
                has_previous_page=page.has_previous,
                start_cursor=page.start_cursor,
                end_cursor=page.end_cursor,
            ),
            total_count=page.total or 0,
        )


# Refusals


@strawberry.type(description="Fewer units can be had than were asked for. Take fewer, or an alternative.")
class OutOfStock(UserError):
    sku: str = strawberry.field(description="The SKU.")
    available: int | None = strawberry.field(description="Units left; not told when it is more than 20 or unknown.")
    alternatives: list[ProductVariant] = strawberry.field(description="Variants of the product that can be had.")


@strawberry.type(description="The total is not what the buyer agreed to. Nothing was charged: ask the buyer again.")
class PriceChanged(UserError):
    quoted: MoneyType = strawberry.field(description="What the buyer agreed to.")
    current: MoneyType = strawberry.field(description="What it costs now; complete with this and a fresh key.")


@strawberry.type(description="An agent may not spend that much on its own. Nothing was charged: ask the person.")
class BudgetExceeded(UserError):
    limit: MoneyType = strawberry.field(description="The most it may spend.")
    remaining: MoneyType = strawberry.field(description="What it still could.")


@strawberry.type(description="The provider said no. The stock stays aside for as long as it was promised.")
class PaymentDeclined(UserError):
    decline_code: str = strawberry.field(description="The provider's reason.")
    retryable: bool = strawberry.field(description="Whether another card, or the same one later, may work.")


@strawberry.type(description="The buyer must confirm the payment at the provider; then the checkout goes on by itself.")
class PaymentActionRequired(UserError):
    action_url: str = strawberry.field(description="Where to send the buyer.")


@strawberry.type(description="It cannot go there from the state it is in.")
class IllegalTransition(UserError):
    from_: str = strawberry.field(name="from", description="The state it is in.")
    to: str = strawberry.field(description="The state that was asked for.")
    allowed: list[str] = strawberry.field(description="The states it may go to.")


register_error(
    refusals.OutOfStock,
    OutOfStock,
    lambda error: {
        "sku": error.sku,
        "available": error.available,
        "alternatives": [ProductVariant(sku=sku) for sku in error.alternatives],
    },
)
register_error(
    refusals.PriceChanged,
    PriceChanged,
    lambda error: {"quoted": MoneyType.of(error.quoted), "current": MoneyType.of(error.current)},
)
register_error(
    refusals.BudgetExceeded,
    BudgetExceeded,
    lambda error: {"limit": MoneyType.of(error.limit), "remaining": MoneyType.of(error.remaining)},
)
register_error(
    refusals.PaymentDeclined,
    PaymentDeclined,
    lambda error: {"decline_code": error.decline_code, "retryable": error.retryable},
)
register_error(refusals.PaymentActionRequired, PaymentActionRequired, lambda error: {"action_url": error.action_url})
register_error(
    refusals.IllegalTransition,
    IllegalTransition,
    lambda error: {"from_": error.current, "to": error.target, "allowed": list(error.allowed)},
)

OrderError = Annotated[
    InvalidInput
    | NotFound
    | Forbidden
    | IdempotencyConflict
    | RequestInFlight
    | VersionConflict
    | OutOfStock
    | PriceChanged
    | BudgetExceeded
    | PaymentDeclined
    | PaymentActionRequired
    | IllegalTransition,
    strawberry.union("OrderError", description="Why something was refused, with the facts to go on."),
]

# Payloads


@strawberry.type(description="What came of a change of a cart.")
class CartPayload:
    cart: Cart | None = strawberry.field(default=None, description="The cart, unless it was refused.")
    warnings: list[CommerceMessage] = strawberry.field(default_factory=list, description="What the buyer should see.")
    errors: list[OrderError] = strawberry.field(default_factory=list, description="Why it was refused.")


@strawberry.type(description="What came of a change of a checkout.")
class CheckoutPayload:
    checkout: CheckoutSession | None = strawberry.field(default=None, description="The session, unless refused.")
    warnings: list[CommerceMessage] = strawberry.field(default_factory=list, description="What the buyer should see.")
    replayed: bool = strawberry.field(default=False, description="Whether the key had been used for this before.")
    errors: list[OrderError] = strawberry.field(default_factory=list, description="Why it was refused.")


@strawberry.type(description="What came of a completion so far.")
class CheckoutCompletePayload:
    checkout: CheckoutSession | None = strawberry.field(
        default=None, description="The session; COMPLETE_IN_PROGRESS means: poll it."
    )
    order: Order | None = strawberry.field(default=None, description="The order, once there is one.")
    saga_id: strawberry.ID | None = strawberry.field(default=None, description="The completion's own identity.")
    replayed: bool = strawberry.field(default=False, description="Whether the key had been used for this before.")
    errors: list[OrderError] = strawberry.field(default_factory=list, description="Why there is no order.")


@strawberry.type(description="What came of a command on an order.")
class OrderPayload:
    order: Order | None = strawberry.field(default=None, description="The order, unless refused.")
    replayed: bool = strawberry.field(default=False, description="Whether it had been recorded before.")
    errors: list[OrderError] = strawberry.field(default_factory=list, description="Why it was refused.")


@strawberry.type(description="An event of an order's stream.")
class OrderEvent:
    kind: StreamEventKind = strawberry.field(description="What the event is.")
    order: Order = strawberry.field(description="The order as it is now.")
    change: str | None = strawberry.field(description="For a DELTA: the type of the fact behind it.")
    resume_token: str = strawberry.field(description="To take the stream up again from here.")
    at: DateTime = strawberry.field(description="When it happened.")

    @classmethod
    def of(cls, news: OrderNews) -> Self:
        return cls(
            kind=StreamEventKind(news.kind),
            order=Order.of(news.order),
            change=news.change,
            resume_token=news.resume_token,
            at=news.at,
        )


# Roots

Idempotently = Annotated[
    IdempotencyKey, strawberry.argument(description="The same key with the same arguments is done once.")
]


@strawberry.type
class Query:
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
        found = await _services(info).orders.numbered(principal, number or "")
        return Order.of(found) if found is not None else None

    @strawberry.federation.field(description="Orders of all channels, newest first.", requires_scopes=[[READ]])
    async def orders(
        self,
        info: Info,
        filter: Annotated[OrderFilter | None, strawberry.argument(description="Which.")] = None,
        first: First = 20,
        after: After = None,
    ) -> OrderConnection:
        require_scopes(info, READ)
        orders = _services(info).orders
        return OrderConnection.of(await orders.page((filter or OrderFilter()).to_query(), first, after), orders.cursor)


@strawberry.type
class Mutation:
    @strawberry.mutation(description="Starts a cart.")
    async def cart_create(
        self,
        info: Info,
        input: Annotated[CartCreateInput, strawberry.argument(description="The cart.")],
        idempotency_key: Idempotently,
    ) -> CartPayload:
        return await _cart(
            lambda: _services(info).carts.create(
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
            lambda: _services(info).carts.update_lines(
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

    @strawberry.mutation(description="Opens a checkout and keeps its stock aside.")
    async def checkout_create(
        self,
        info: Info,
        input: Annotated[CheckoutCreateInput, strawberry.argument(description="The checkout.")],
        idempotency_key: Idempotently,
    ) -> CheckoutPayload:
        return await _checkout(
            lambda: _services(info).checkouts.create(
                info.context.principal,
                info.context.request_context,
                cart_id=input.cart_id,
                channel=input.channel,
                currency=input.currency,
                hold_stock=input.hold_stock,
                wishes=_wishes(input),
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
            lambda: _services(info).checkouts.update(
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
            completed = await _services(info).checkouts.complete(
                info.context.principal,
                id,
                provider=input.payment.provider,
                token=input.payment.token,
                captures=input.payment.capture_mode is CaptureMode.IMMEDIATE,
                expected_total=input.expected_total.to_money(),
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
            lambda: _services(info).checkouts.cancel(
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
    )
    async def pos_order_record(
        self,
        info: Info,
        input: Annotated[PosOrderInput, strawberry.argument(description="The receipt.")],
        idempotency_key: Idempotently,
    ) -> OrderPayload:
        try:
            principal = require_scopes(info, POS_WRITE)
            found, replayed = await _services(info).orders.record(
                principal, _sale(input), idempotency_key, {"input": strawberry.asdict(input)}
            )
        except DomainError as refusal:
            return OrderPayload(errors=[to_graphql_error(refusal)])
        return OrderPayload(order=Order.of(found), replayed=replayed)


@strawberry.type
class Subscription:
    @strawberry.subscription(
        description="An order as it is, then every change of it; for its buyer and for orders:read.",
        directives=[Authenticated()],
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
        async for news in _services(info).live.follow(principal, order_id, resume_token):
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


SCHEMA = build_schema(Query, Mutation, Subscription, [ProductVariant, Customer, Fulfilment])
