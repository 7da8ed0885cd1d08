"""Inventory in GraphQL: types, resolvers, reference resolvers through loaders.

Takes: requests, as Strawberry reads them. Gives: ``SCHEMA``. Never: decisions or queries; those are the services'.
"""

from subgraphs.chassis.graphql import build_schema
from subgraphs.inventory.schema.entities import Channel, ProductVariant, ReservationType
from subgraphs.inventory.schema.places import LocationType
from subgraphs.inventory.schema.roots import Mutation, Query, Subscription

SCHEMA = build_schema(Query, Mutation, Subscription, [ProductVariant, Channel, LocationType, ReservationType])
