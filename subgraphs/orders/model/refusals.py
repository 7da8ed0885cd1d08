"""What orders refuses, with the facts a buyer or an agent needs to go on. No GraphQL types here.

A refusal met inside the completion saga must outlive the process, so each can be kept as a plain record
(``Failure``) and raised again from it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from subgraphs.kernel.errors import DomainError, InvalidInput, NotFound, RequestInFlight, Severity
from subgraphs.kernel.money import Money


class OutOfStock(DomainError):
    """Fewer units of ``sku`` can be promised than were asked for.

    ``available`` is a number only when it is small (at most ``AVAILABLE_SHOWN_MAX``); more would disclose exact stock.
    ``alternatives`` are SKUs of other variants of the same product.
    """

    severity: ClassVar[Severity] = "REQUIRES_BUYER_INPUT"

    def __init__(
        self, sku: str, available: int | None, alternatives: Sequence[str] = (), *, path: Sequence[str] = ("lines",)
    ) -> None:
        super().__init__(f"{sku} is not available in the quantity asked for", path=path)
        self.sku = sku
        self.available = available
        self.alternatives: tuple[str, ...] = tuple(alternatives)


class PriceChanged(DomainError):
    """The total the buyer agreed to is not what the order would cost now. Nothing was charged."""

    severity: ClassVar[Severity] = "REQUIRES_BUYER_REVIEW"

    def __init__(self, quoted: Money, current: Money) -> None:
        super().__init__(
            f"the total is {current.amount} {current.currency}, not {quoted.amount} {quoted.currency}",
            path=("input", "expectedTotal"),
        )
        self.quoted = quoted
        self.current = current


class BudgetExceeded(DomainError):
    """An agent may not spend that much on its own. ``remaining`` is what it still could. Nothing was charged."""

    severity: ClassVar[Severity] = "UNRECOVERABLE"

    def __init__(self, limit: Money, remaining: Money, message: str | None = None) -> None:
        text = message or f"an agent may spend {limit.amount} {limit.currency} on an order without a person"
        super().__init__(text, path=("input", "expectedTotal"))
        self.limit = limit
        self.remaining = remaining


class ConsentRequired(DomainError):
    """A person must agree to ``purpose`` first, at ``continue_url``. Nothing was charged."""

    severity: ClassVar[Severity] = "REQUIRES_BUYER_REVIEW"

    def __init__(self, message: str, purpose: str, continue_url: str) -> None:
        super().__init__(message, path=("input", "mandate"))
        self.purpose = purpose
        self.continue_url = continue_url


class PaymentDeclined(DomainError):
    """The provider said no. ``retryable`` means another card, or the same one later, may work."""

    severity: ClassVar[Severity] = "REQUIRES_BUYER_INPUT"

    def __init__(self, decline_code: str, retryable: bool) -> None:
        super().__init__(f"the payment was declined: {decline_code}", path=("input", "payment"))
        self.decline_code = decline_code
        self.retryable = retryable


class PaymentActionRequired(DomainError):
    """The buyer must do something at ``action_url`` before the payment can go through."""

    severity: ClassVar[Severity] = "REQUIRES_BUYER_INPUT"

    def __init__(self, action_url: str) -> None:
        super().__init__("the payment needs the buyer's confirmation", path=("input", "payment"))
        self.action_url = action_url


class IllegalTransition(DomainError):
    """The thing is in a state from which ``target`` cannot be reached; ``allowed`` can."""

    severity: ClassVar[Severity] = "RECOVERABLE"

    def __init__(self, current: str, target: str, allowed: Sequence[str]) -> None:
        super().__init__(f"{current} does not go to {target}")
        self.current = current
        self.target = target
        self.allowed: tuple[str, ...] = tuple(allowed)


class NotReturnable(DomainError):
    """A line that may not come back, or not in that quantity; ``rule`` says by which rule, as a stable word."""

    severity: ClassVar[Severity] = "UNRECOVERABLE"

    def __init__(self, order_line_id: str, rule: str) -> None:
        super().__init__(f"{order_line_id} may not be returned: {rule}", path=("input", "lines"))
        self.order_line_id = order_line_id
        self.rule = rule


AVAILABLE_SHOWN_MAX = 20


def shown_available(available: int) -> int | None:
    """The number to show for what is left, or nothing when it is too large to disclose."""
    return available if available <= AVAILABLE_SHOWN_MAX else None


@dataclass(frozen=True, slots=True)
class Failure:
    """A refusal as plain data: ``code`` is the class's name, ``facts`` its constructor's arguments, JSON-able."""

    code: str
    facts: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, error: DomainError) -> Failure:
        """The record of ``error``; refusals without facts of their own keep their message."""
        match error:
            case OutOfStock():
                alternatives = list(error.alternatives)
                return cls("OutOfStock", {"sku": error.sku, "available": error.available, "alternatives": alternatives})
            case PaymentDeclined():
                return cls("PaymentDeclined", {"decline_code": error.decline_code, "retryable": error.retryable})
            case PaymentActionRequired():
                return cls("PaymentActionRequired", {"action_url": error.action_url})
            case BudgetExceeded():
                limit, remaining = error.limit, error.remaining
                amounts = [limit.minor, remaining.minor, limit.currency]
                return cls("BudgetExceeded", {"amounts": amounts, "message": error.message})
            case ConsentRequired():
                facts = {"message": error.message, "purpose": error.purpose, "continue_url": error.continue_url}
                return cls("ConsentRequired", facts)
            case RequestInFlight():
                return cls("RequestInFlight", {"message": error.message, "retry_after_ms": error.retry_after_ms})
            case NotFound():
                return cls("NotFound", {"message": error.message})
            case _:
                return cls("InvalidInput", {"message": error.message})

    def error(self) -> DomainError:
        """The refusal, ready to raise."""
        return _REFUSALS[self.code](**self.facts)


def _budget_exceeded(amounts: Sequence[Any], message: str) -> BudgetExceeded:
    limit, remaining, currency = amounts
    return BudgetExceeded(Money(limit, currency), Money(remaining, currency), message)


_REFUSALS: dict[str, Callable[..., DomainError]] = {
    "OutOfStock": OutOfStock,
    "BudgetExceeded": _budget_exceeded,
    "ConsentRequired": ConsentRequired,
    "PaymentDeclined": PaymentDeclined,
    "PaymentActionRequired": PaymentActionRequired,
    "RequestInFlight": RequestInFlight,
    "NotFound": NotFound,
    "InvalidInput": InvalidInput,
}
