"""What a client writes, and the model it stands for. No checks: the model refuses what is wrong.

(No ``from __future__ import annotations``: Strawberry reads annotations at run time.)
"""

import strawberry

from subgraphs.chassis.graphql import CountryCode, CurrencyCode, DateTime, MoneyInput
from subgraphs.orders.model import delivery
from subgraphs.orders.schema.enums import CaptureMode, FulfilmentMethod, OrderStatus
from subgraphs.orders.store import OrderQuery


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
    quote: str | None = strawberry.field(
        default=None, description="A quote's signature: its prices are the most that is asked until it ends."
    )
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
    redeem_points: int | None = strawberry.field(
        default=None, description="How many of the buyer's points pay for a part; 0 takes them out again."
    )


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
    mandate: str | None = strawberry.field(
        default=None, description="For agents: the customer's mandate, man_…; without one there is a small limit."
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
