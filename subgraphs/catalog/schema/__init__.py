"""Catalog in GraphQL: types, resolvers, reference resolvers through loaders.

Takes: requests, as Strawberry reads them. Gives: ``SCHEMA``. Never: decisions or queries; those are the services'.
"""

from subgraphs.catalog.schema.roots import Mutation, Query, Subscription
from subgraphs.chassis.graphql import build_schema

SCHEMA = build_schema(Query, Mutation, Subscription)
