"""Customers' GraphQL: types, resolvers, reference resolvers through loaders. No decisions, no queries.

(No ``from __future__ import annotations``: Strawberry reads annotations at run time.)
"""

from typing import Annotated, Self

import strawberry
from strawberry.federation.schema_directives import Key
from strawberry.federation.types import FieldSet

from subgraphs.chassis.graphql import (
    DateTime,
    IdempotencyKey,
    Info,
    build_schema,
    require_authenticated,
    require_scopes,
    to_graphql_error,
)
from subgraphs.customers import model
from subgraphs.customers.model import ConsentPurpose, RecommendationKind
from subgraphs.customers.schema.mandates import AgentMandate, MandateMutation, MandateQuery
from subgraphs.customers.schema.refusals import CustomerError
from subgraphs.customers.service import READ, RECOMMENDED_MAX, Customers
from subgraphs.kernel.errors import DomainError
from subgraphs.kernel.errors import InvalidInput as Invalid
from subgraphs.kernel.pages import page_size

strawberry.enum(ConsentPurpose, description="What a customer may say yes or no to.")
strawberry.enum(
    RecommendationKind,
    description="ALSO_BOUGHT: with this product; PERSONAL: with what the customer bought; POPULAR: by everybody.",
)


def _services(info: Info) -> Customers:
    services: Customers = info.context.services
    return services


@strawberry.federation.type(keys=[Key(fields=FieldSet("id"), resolvable=False)])
class Location:
    """A place with stock, inventory's to describe."""

    id: strawberry.ID = strawberry.field(description="Identity, loc_….")


@strawberry.federation.type(description="How many orders a recommendation rests on.", tags=["partner"])
class RecommendationEvidence:
    online_orders: int = strawberry.field(description="Orders from web, app, social, marketplace and agents.")
    store_orders: int = strawberry.field(description="Orders over a store's counter.")


@strawberry.federation.type(description="A product worth a look, with the evidence.", tags=["partner"])
class Recommendation:
    product: "Product | None" = strawberry.field(description="The product.")
    kind: RecommendationKind = strawberry.field(description="Where it comes from.")
    score: float = strawberry.field(description="How strong the evidence is; comparable within one list only.")
    reason: str = strawberry.field(description="Why, in a sentence that is true.")
    evidence: RecommendationEvidence = strawberry.field(description="What it rests on.")

    @classmethod
    def of(cls, entry: model.Recommendation) -> Self:
        return cls(
            product=Product(id=strawberry.ID(entry.product_id)),
            kind=entry.kind,
            score=entry.score,
            reason=entry.reason,
            evidence=RecommendationEvidence(online_orders=entry.evidence.online, store_orders=entry.evidence.store),
        )


@strawberry.federation.type(keys=["id"], description="A product, as buyers know it.")
class Product:
    id: strawberry.ID = strawberry.field(description="Identity, prd_….")

    @strawberry.field(description="What goes with it, best first.")
    async def recommendations(
        self,
        info: Info,
        kind: Annotated[RecommendationKind, strawberry.argument(description="Which kind.")] = (
            RecommendationKind.ALSO_BOUGHT
        ),
        first: Annotated[int, strawberry.argument(description=f"How many, at most {RECOMMENDED_MAX}.")] = 8,
    ) -> list[Recommendation] | None:
        size = page_size(first, RECOMMENDED_MAX)
        if kind is not RecommendationKind.ALSO_BOUGHT:
            raise Invalid("a product has recommendations of kind ALSO_BOUGHT", path=("kind",))
        found = await info.context.loaders.get("also bought", _services(info).also_bought_with).load(str(self.id))
        return [Recommendation.of(each) for each in found[:size]]

    @classmethod
    async def resolve_reference(cls, id: strawberry.ID) -> Self:
        return cls(id=id)


@strawberry.type(description="A yes or no to a purpose.")
class Consent:
    purpose: ConsentPurpose = strawberry.field(description="To what.")
    granted: bool = strawberry.field(description="Yes or no.")
    at: DateTime = strawberry.field(description="When it was said.")
    channel: str = strawberry.field(description="Where it was said.")


@strawberry.type(description="A group of customers, for campaigns.")
class Segment:
    code: str = strawberry.field(description="Stable code.")
    name: str = strawberry.field(description="Name to show.")


@strawberry.federation.type(name="Customer", keys=["id"], description="A person who buys.")
class CustomerType:
    entry: strawberry.Private[model.Customer]
    id: strawberry.ID = strawberry.field(description="Identity, cus_….")
    display_name: str = strawberry.field(description="Name to greet by.")
    email: str | None = strawberry.federation.field(authenticated=True, description="Email address, in lower case.")
    phone: str | None = strawberry.federation.field(
        authenticated=True, description="Phone number in international form."
    )
    loyalty_number: str | None = strawberry.field(description="The number on the loyalty card.")
    home_location: Location | None = strawberry.field(description="The customer's own store.")
    consents: list[Consent] = strawberry.field(description="What they last said about each purpose.")

    @strawberry.field(description="The groups they are in.")
    async def segments(self, info: Info) -> list[Segment]:
        names = await info.context.loaders.get("segments", _services(info).segment_names).load("")
        return [Segment(code=code, name=names.get(code, code)) for code in self.entry.segments]

    @strawberry.field(description="Products for them: personal if they agreed to it, otherwise what everybody buys.")
    async def recommendations(
        self,
        info: Info,
        first: Annotated[int, strawberry.argument(description=f"How many, at most {RECOMMENDED_MAX}.")] = 8,
    ) -> list[Recommendation]:
        found = await _services(info).recommended_for(self.entry, page_size(first, RECOMMENDED_MAX))
        return [Recommendation.of(each) for each in found]

    @strawberry.field(description="What they let agents spend for them, the oldest first; theirs alone to see.")
    async def mandates(self, info: Info) -> list[AgentMandate]:
        principal = info.context.principal
        if principal.customer_id != self.entry.id and not principal.has(READ):
            return []
        found = await info.context.loaders.get("customers' mandates", _services(info).mandates.of_customers).load(
            self.entry.id
        )
        return [
            AgentMandate.of(each) for each in found if principal.kind != "agent" or principal.agent_id == each.agent_id
        ]

    @classmethod
    def of(cls, entry: model.Customer) -> Self:
        home = entry.home_location_id
        return cls(
            entry=entry,
            id=strawberry.ID(entry.id),
            display_name=entry.display_name,
            email=entry.email,
            phone=entry.phone,
            loyalty_number=entry.loyalty_number,
            home_location=Location(id=strawberry.ID(home)) if home is not None else None,
            consents=[
                Consent(purpose=each.purpose, granted=each.granted, at=each.at, channel=each.channel)
                for each in entry.consents_now
            ],
        )

    @classmethod
    async def resolve_reference(cls, info: Info, id: strawberry.ID) -> Self | None:
        services = _services(info)
        if not services.may_see(info.context.principal, str(id)):
            return None
        found = await info.context.loaders.get("customers", services.customers_of).load(str(id))
        return cls.of(found) if found is not None else None


@strawberry.type(description="A customer after a change, or why there was none.")
class CustomerPayload:
    customer: CustomerType | None = strawberry.field(description="As they are now.")
    errors: list[CustomerError] = strawberry.field(description="Why nothing was changed; empty when it was.")


@strawberry.input(description="A customer: what is given is set, what is not is kept.")
class CustomerUpsertInput:
    id: strawberry.ID | None = strawberry.field(default=None, description="Whom to change; absent registers anew.")
    email: str | None = strawberry.field(default=None, description="Email address.")
    phone: str | None = strawberry.field(default=None, description="Phone number in international form.")
    display_name: str | None = strawberry.field(default=None, description="Name to greet by; needed for a new one.")
    home_location_id: strawberry.ID | None = strawberry.field(default=None, description="Their own store.")


@strawberry.type
class Query(MandateQuery):
    @strawberry.federation.field(authenticated=True, description="Who you are, if you are a customer.")
    async def me(self, info: Info) -> CustomerType | None:
        identity = require_authenticated(info).customer_id
        return await CustomerType.resolve_reference(info, strawberry.ID(identity)) if identity is not None else None

    @strawberry.federation.field(requires_scopes=[["customers:read"]], tags=["staff"], description="One customer.")
    async def customer(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="Identity, cus_….")]
    ) -> CustomerType | None:
        require_scopes(info, READ)
        return await CustomerType.resolve_reference(info, id)

    @strawberry.federation.field(
        requires_scopes=[["customers:read"]], tags=["staff"], description="One customer, by exactly one thing they say."
    )
    async def customer_lookup(
        self,
        info: Info,
        email: Annotated[str | None, strawberry.argument(description="Email address.")] = None,
        phone: Annotated[str | None, strawberry.argument(description="Phone number.")] = None,
        loyalty_number: Annotated[str | None, strawberry.argument(description="Number on the card.")] = None,
    ) -> CustomerType | None:
        found = await _services(info).look_up(
            info.context.principal, email=email, phone=phone, loyalty_number=loyalty_number
        )
        return CustomerType.of(found) if found is not None else None


@strawberry.type
class Mutation(MandateMutation):
    @strawberry.federation.mutation(authenticated=True, description="Register a customer, or change one.")
    async def customer_upsert(
        self,
        info: Info,
        input: Annotated[CustomerUpsertInput, strawberry.argument(description="What is to be true.")],
        idempotency_key: Annotated[IdempotencyKey, strawberry.argument(description="Names this intention.")],
    ) -> CustomerPayload:
        principal = require_authenticated(info)
        given = strawberry.asdict(input)
        try:
            found = await _services(info).upsert(principal, given, idempotency_key, {"input": given})
        except DomainError as refusal:
            return CustomerPayload(customer=None, errors=[to_graphql_error(refusal)])
        return CustomerPayload(customer=CustomerType.of(found), errors=[])

    @strawberry.federation.mutation(authenticated=True, description="Say yes or no to a purpose, for yourself.")
    async def consent_record(
        self,
        info: Info,
        purpose: Annotated[ConsentPurpose, strawberry.argument(description="To what.")],
        granted: Annotated[bool, strawberry.argument(description="Yes or no.")],
        channel: Annotated[str, strawberry.argument(description="Where you say it.")],
        idempotency_key: Annotated[IdempotencyKey, strawberry.argument(description="Names this intention.")],
    ) -> CustomerPayload:
        arguments = {"purpose": purpose.value, "granted": granted, "channel": channel}
        try:
            found = await _services(info).consent(
                require_authenticated(info), purpose, granted, channel, idempotency_key, arguments
            )
        except DomainError as refusal:
            return CustomerPayload(customer=None, errors=[to_graphql_error(refusal)])
        return CustomerPayload(customer=CustomerType.of(found), errors=[])


SCHEMA = build_schema(Query, Mutation)
