"""The words a client may choose from or is told: methods, states, kinds.

(No ``from __future__ import annotations``: Strawberry reads annotations at run time.)
"""

import enum
from typing import Any

import strawberry


def _value(value: str, description: str) -> Any:
    return strawberry.enum_value(value, description=description)


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
    LOYALTY = _value("LOYALTY", "What points pay for; it is taken off.")
    TOTAL = _value("TOTAL", "What is left to pay with money.")


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
    PARTIALLY_REFUNDED = _value("PARTIALLY_REFUNDED", "Some of the money was given back.")
    REFUNDED = _value("REFUNDED", "All of the money was given back.")
    VOIDED = _value("VOIDED", "The promise was given back.")
    FAILED = _value("FAILED", "Declined.")


@strawberry.enum(description="When an authorized payment is taken.")
class CaptureMode(enum.Enum):
    IMMEDIATE = _value("IMMEDIATE", "As soon as the order is confirmed.")
    ON_FULFILMENT = _value("ON_FULFILMENT", "When the goods leave.")


@strawberry.enum(description="Where a return stands.")
class ReturnState(enum.Enum):
    REQUESTED = "REQUESTED"
    APPROVED = _value("APPROVED", "It may be brought or sent.")
    IN_TRANSIT = "IN_TRANSIT"
    RECEIVED = "RECEIVED"
    INSPECTED = _value("INSPECTED", "The goods are in hand; the money is on its way.")
    REFUNDED = _value("REFUNDED", "The buyer has the money. Final.")
    EXCHANGED = _value("EXCHANGED", "The buyer has other goods. Final.")
    REJECTED = _value("REJECTED", "Not taken back. Final.")


@strawberry.enum(description="How goods come back.")
class ReturnChannel(enum.Enum):
    MAIL = "MAIL"
    IN_STORE = _value("IN_STORE", "Over the counter of any store, wherever they were bought.")
    CURBSIDE = "CURBSIDE"


@strawberry.enum(description="What becomes of goods that came back.")
class Disposition(enum.Enum):
    RESTOCK = _value("RESTOCK", "As new: sold again.")
    REFURBISH = _value("REFURBISH", "To be put in order first.")
    DAMAGED = _value("DAMAGED", "Not to be sold.")
    VENDOR_RETURN = _value("VENDOR_RETURN", "Goes back to who made it.")


@strawberry.enum(description="Where a completion stands.")
class SagaState(enum.Enum):
    RUNNING = "RUNNING"
    COMPENSATING = _value("COMPENSATING", "It gives back what it took.")
    COMPLETED = _value("COMPLETED", "There is an order.")
    COMPENSATED = _value("COMPENSATED", "Nothing is left of it.")
    STUCK = _value("STUCK", "It should have ended long ago: somebody must look.")


@strawberry.enum(description="What a paper is.")
class PaperKind(enum.Enum):
    INVOICE = "INVOICE"
    CREDIT_NOTE = "CREDIT_NOTE"
