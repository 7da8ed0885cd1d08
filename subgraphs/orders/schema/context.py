"""What a resolver takes from the request: its services.

(No ``from __future__ import annotations``: Strawberry reads annotations at run time.)
"""

from subgraphs.chassis.graphql import Info
from subgraphs.orders.service.services import Services


def services_of(info: Info) -> Services:
    """The use cases this request may call."""
    services: Services = info.context.services
    return services
