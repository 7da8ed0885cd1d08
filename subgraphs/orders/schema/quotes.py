"""Quotes in GraphQL.

(No ``from __future__ import annotations``: Strawberry reads annotations at run time.)
"""

from typing import Annotated, Self

import strawberry

from subgraphs.chassis.graphql import CountryCode, CurrencyCode, DateTime, Info
from subgraphs.orders.model.lines import LineRequest
from subgraphs.orders.schema.context import services_of
from subgraphs.orders.schema.entities import CommerceMessage, TaxLine, TotalLine
from subgraphs.orders.schema.enums import FulfilmentMethod
from subgraphs.orders.schema.inputs import CartLineInput
from subgraphs.orders.service.quotes import Asked
from subgraphs.orders.service.quotes import Quote as Model


@strawberry.type(description="What lines would cost, promised until a time. Holds no stock.")
class Quote:
    id: strawberry.ID = strawberry.field(description="Identity, qte_….")
    totals: list[TotalLine] = strawberry.field(description="The sum.")
    tax_lines: list[TaxLine] = strawberry.field(description="Tax by line and jurisdiction.")
    messages: list[CommerceMessage] = strawberry.field(description="What the buyer should know.")
    valid_until: DateTime = strawberry.field(description="Until when no more than this is asked.")
    signature: str = strawberry.field(description="The quote itself: open a checkout with it to have its prices.")

    @classmethod
    def of(cls, found: Model) -> Self:
        return cls(
            id=strawberry.ID(found.id),
            totals=[TotalLine.of(row) for row in found.totals.rows],
            tax_lines=[TaxLine.of(line) for line in found.totals.tax_lines],
            messages=[CommerceMessage.of(message) for message in found.messages],
            valid_until=found.valid_until,
            signature=found.signature,
        )


@strawberry.input(description="What a quote is wanted for.")
class QuoteInput:
    channel: str = strawberry.field(description="The channel's code.")
    currency: CurrencyCode | None = strawberry.field(default=None, description="One the channel sells in.")
    lines: list[CartLineInput] = strawberry.field(description="What would be bought, at most 100 SKUs.")
    country: CountryCode | None = strawberry.field(default=None, description="Where it would go; decides tax.")
    postal_code: str | None = strawberry.field(default=None, description="Where exactly; no tax depends on it yet.")
    method: FulfilmentMethod | None = strawberry.field(default=None, description="SHIP (default), PICKUP or CURBSIDE.")
    pickup_location_id: strawberry.ID | None = strawberry.field(default=None, description="For PICKUP and CURBSIDE.")
    promo_codes: list[str] | None = strawberry.field(default=None, description="Codes to try.")

    def to_model(self) -> Asked:
        return Asked(
            channel=self.channel,
            currency=self.currency,
            lines=tuple(LineRequest(line.sku, line.quantity) for line in self.lines),
            country=self.country,
            method=(self.method or FulfilmentMethod.SHIP).value,
            pickup_location_id=None if self.pickup_location_id is None else str(self.pickup_location_id),
            promo_codes=tuple(self.promo_codes or ()),
        )


@strawberry.type
class QuoteQuery:
    @strawberry.field(
        description="What lines would cost, signed. A checkout opened with it asks for no more until it ends."
    )
    async def quote(
        self, info: Info, input: Annotated[QuoteInput, strawberry.argument(description="What for.")]
    ) -> Quote:
        context = info.context
        found = await services_of(info).quotes.quote(context.principal, context.request_context, input.to_model())
        return Quote.of(found)
