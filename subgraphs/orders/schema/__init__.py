"""The orders subgraph in GraphQL: types, resolvers, reference resolvers through loaders.

Takes: requests, as Strawberry reads them. Gives: ``SCHEMA``. Never: decisions or queries; those are the services'.
"""

from subgraphs.chassis.graphql import build_schema
from subgraphs.orders.schema.entities import Customer, Fulfilment, ProductVariant
from subgraphs.orders.schema.roots import Mutation, Query, Subscription

SCHEMA = build_schema(Query, Mutation, Subscription, [ProductVariant, Customer, Fulfilment])
