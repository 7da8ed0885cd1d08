"""What orders asks of a payment provider, whoever it is. Every call is keyed by our attempt's identity.

A call may also end in ``AnswerMissing``: nobody knows what the provider did, and only ``fetch`` can tell. A provider
that is asked twice for the same attempt answers the same and charges once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from subgraphs.kernel.money import Money

AttemptState = Literal["AUTHORIZED", "CAPTURED", "VOIDED", "DECLINED", "REQUIRES_ACTION"]


class AnswerMissing(Exception):
    """The provider did not answer in time; what was asked may have happened or not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What the provider knows of one attempt; ``ref`` is its own name for it."""

    id: str
    ref: str
    state: AttemptState
    amount: Money
    captured: Money
    decline_code: str | None = None
    retryable: bool = False
    action_url: str | None = None


class PaymentProvider(Protocol):
    """A provider."""

    async def authorize(self, attempt_id: str, amount: Money, token: str) -> Attempt:
        """Promises the money, or says why not; at most once for an attempt."""

    async def capture(self, attempt_id: str) -> Attempt:
        """Takes what was authorized; a second time changes nothing."""

    async def void(self, attempt_id: str, amount: Money) -> None:
        """Gives up an authorization. An attempt the provider has not seen is closed, so that it can never succeed."""

    async def refund(self, refund_id: str, attempt_id: str, amount: Money) -> None:
        """Gives back part of what was taken; the same refund a second time changes nothing."""

    async def fetch(self, attempt_id: str) -> Attempt | None:
        """What became of the attempt, or nothing if the provider never got it."""
