"""What a resolver takes from the request: its services, and the question an input asks in it.

(No ``from __future__ import annotations``: Strawberry reads annotations at run time.)
"""

from subgraphs.chassis.graphql import GeoPointInput, Info, asked
from subgraphs.inventory.model.availability import METHODS_DEFAULT, WITHIN_KM_DEFAULT, AvailabilityQuestion
from subgraphs.inventory.model.places import Point
from subgraphs.inventory.schema.inputs import AvailabilityInput
from subgraphs.inventory.service.inventory import Inventory


def services_of(info: Info) -> Inventory:
    """The use cases this request may call."""
    services: Inventory = info.context.services
    return services


def point(given: GeoPointInput | None) -> Point | None:
    """The model's form of a place on Earth."""
    return Point(given.lat, given.lng) if given is not None else None


def question(info: Info, given: AvailabilityInput | None) -> AvailabilityQuestion:
    """What is asked, with the request's own channel and currency where the input is silent; of methods and of places
    nearby only where the operation selects them."""
    stands = info.context.request_context
    wanted = asked(info, ("byMethod", "nearby"))
    nearby, methods = "nearby" in wanted, METHODS_DEFAULT if "byMethod" in wanted else ()
    if given is None:
        return AvailabilityQuestion(channel=stands.channel, currency=stands.currency, nearby=nearby, methods=methods)
    return AvailabilityQuestion(
        channel=given.channel,
        near=point(given.near),
        within_km=given.within_km if given.within_km is not None else WITHIN_KM_DEFAULT,
        location_ids=tuple(sorted(set(given.location_ids))) if given.location_ids is not None else None,
        methods=tuple(dict.fromkeys(given.methods)) if methods and given.methods is not None else methods,
        nearby=nearby,
        quantity=given.quantity if given.quantity is not None else 1,
        include_inbound=bool(given.include_inbound),
        currency=stands.currency,
    )
