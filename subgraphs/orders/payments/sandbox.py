"""The sandbox provider: behaves as the token says, remembers in a ledger of its own, and takes nobody's money.

    tok_ok                    authorized
    tok_decline_funds         declined, insufficient_funds; another card may work
    tok_decline_stolen        declined, stolen_card; do not try again
    tok_3ds                   the buyer must answer a challenge first (``answer_challenge``)
    tok_timeout_after_auth    authorized, but the first answer is lost
    tok_timeout_before_auth   the first request is lost; the second is authorized
    tok_refund_lost           authorized; of each refund the first answer is lost

Any other token is declined as unknown. The ledger (collection ``sandbox_ledger``: {_id: attempt, ref, state, amount,
captured, captured_at, refunded, refunds: {name: {id, minor, at}}, loses_refunds, decline_code, retryable, action_url}) belongs to the provider alone, as if it were far away: orders
never reads it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from subgraphs.chassis.mongo import Database, Document, DuplicateKey, Index, money_from_doc, money_to_doc
from subgraphs.kernel.clock import Clock, SystemClock
from subgraphs.kernel.money import Money
from subgraphs.orders.model.settlement import Row
from subgraphs.orders.payments.port import AnswerMissing, Attempt

NAME = "sandbox"
LEDGER = "sandbox_ledger"
FEE_PPT, FEE_FIXED = 14, 25
INDEXES: dict[str, tuple[Index, ...]] = {LEDGER: (Index(["_id", "state"]),)}

_DECLINES: Mapping[str, tuple[str, bool]] = {
    "tok_decline_funds": ("insufficient_funds", True),
    "tok_decline_stolen": ("stolen_card", False),
}
_AUTHORIZES = frozenset({"tok_ok", "tok_timeout_after_auth", "tok_timeout_before_auth", "tok_refund_lost"})
_LOST_REQUEST = "LOST"


class SandboxProvider:
    """The provider over its ledger. Its challenge page would be at ``challenge_url``."""

    def __init__(
        self,
        database: Database,
        challenge_url: str = "https://sandbox.invalid/challenge",
        clock: Clock | None = None,
    ) -> None:
        self._clock = clock or SystemClock()
        self._ledger = database.collection(LEDGER)
        self._challenge_url = challenge_url

    async def authorize(self, attempt_id: str, amount: Money, token: str) -> Attempt:
        loses = token == "tok_timeout_before_auth"  # noqa: S105 (a sandbox token's name is no secret)
        row = self._row(attempt_id, amount, _LOST_REQUEST) if loses else self._decided(attempt_id, amount, token)
        try:
            # Nearly every attempt is a new one, and that takes one write.
            await self._ledger.insert_one(row)
        except DuplicateKey:
            known = await self._known(attempt_id)
            if known["state"] != _LOST_REQUEST:
                return _attempt(known)
            row = self._decided(attempt_id, amount, token)
            await self._ledger.replace_one({"_id": attempt_id, "state": _LOST_REQUEST}, row)
        else:
            if loses:
                raise AnswerMissing
        if token == "tok_timeout_after_auth":  # noqa: S105
            raise AnswerMissing
        return _attempt(row)

    async def capture(self, attempt_id: str) -> Attempt:
        known = await self._known(attempt_id)
        if known["state"] == "AUTHORIZED":
            await self._ledger.update_one(
                {"_id": attempt_id, "state": "AUTHORIZED"},
                {"$set": {"state": "CAPTURED", "captured": known["amount"], "captured_at": self._clock.now()}},
            )
            known = await self._known(attempt_id)
        assert known["state"] == "CAPTURED", "only an authorization is captured"
        return _attempt(known)

    async def void(self, attempt_id: str, amount: Money) -> None:
        for state in ("AUTHORIZED", "REQUIRES_ACTION", _LOST_REQUEST):
            await self._ledger.update_one({"_id": attempt_id, "state": state}, {"$set": {"state": "VOIDED"}})
        if await self._ledger.find_one({"_id": attempt_id}) is None:
            # Closed before it came: a request still on its way is then answered with this row.
            await self._write(self._row(attempt_id, amount, "VOIDED"))

    async def refund(self, refund_id: str, attempt_id: str, amount: Money) -> None:
        known = await self._known(attempt_id)
        name = refund_id.replace(".", "_")
        if name in known.get("refunds", {}):
            return
        captured, refunded = money_from_doc(known["captured"]), int(known.get("refunded", 0))
        assert refunded + amount.minor <= captured.minor, "never more than was taken"
        written = await self._ledger.update_one(
            {"_id": attempt_id, f"refunds.{name}": {"$exists": False}},
            {
                "$set": {f"refunds.{name}": {"id": refund_id, "minor": amount.minor, "at": self._clock.now()}},
                "$inc": {"refunded": amount.minor},
            },
        )
        if written.modified and known.get("loses_refunds"):
            raise AnswerMissing

    async def fetch(self, attempt_id: str) -> Attempt | None:
        known = await self._ledger.find_one({"_id": attempt_id})
        return None if known is None or known["state"] == _LOST_REQUEST else _attempt(known)

    async def settlement(self, day: date) -> list[Row]:
        """What the provider's file for a day (UTC) says: what it took and gave back, less its fee of 1.4 % and 25 minor
        units of what it took. By reference, so that a day has one file."""
        begin = datetime.combine(day, time(), UTC)
        end = begin + timedelta(days=1)
        rows = []
        for entry in await self._ledger.find({"captured.m": {"$gt": 0}}, sort=[("ref", 1)]):
            currency = entry["amount"]["c"]
            if begin <= entry.get("captured_at", begin) < end:
                gross = money_from_doc(entry["captured"])
                fee = gross.share(FEE_PPT, 1000) + Money(FEE_FIXED, currency)
                rows.append(Row(entry["ref"], gross, fee, "CAPTURE"))
            for refund in entry.get("refunds", {}).values():
                if begin <= refund["at"] < end:
                    back = Money(-int(refund["minor"]), currency)
                    rows.append(Row(f"{entry['ref']}/{refund['id']}", back, Money.zero(currency), "REFUND"))
        return rows

    async def answer_challenge(self, attempt_id: str, *, passed: bool) -> bool:
        """What the page behind the challenge does; whether there was a challenge to answer."""
        outcome = (
            {"state": "AUTHORIZED"}
            if passed
            else {"state": "DECLINED", "decline_code": "authentication_failed", "retryable": True}
        )
        written = await self._ledger.update_one(
            {"_id": attempt_id, "state": "REQUIRES_ACTION"}, {"$set": {**outcome, "action_url": None}}
        )
        return written.modified == 1

    def _decided(self, attempt_id: str, amount: Money, token: str) -> Document:
        if token in _AUTHORIZES:
            return self._row(attempt_id, amount, "AUTHORIZED") | {"loses_refunds": token == "tok_refund_lost"}  # noqa: S105
        if token == "tok_3ds":  # noqa: S105
            row = self._row(attempt_id, amount, "REQUIRES_ACTION")
            return row | {"action_url": f"{self._challenge_url}/{attempt_id}"}
        code, retryable = _DECLINES.get(token, ("unknown_token", False))
        return self._row(attempt_id, amount, "DECLINED") | {"decline_code": code, "retryable": retryable}

    def _row(self, attempt_id: str, amount: Money, state: str) -> Document:
        return {
            "_id": attempt_id,
            "ref": f"sbx_{attempt_id.removeprefix('pay_')}",
            "state": state,
            "amount": money_to_doc(amount),
            "captured": money_to_doc(Money.zero(amount.currency)),
            "refunded": 0,
            "refunds": {},
            "loses_refunds": False,
            "decline_code": None,
            "retryable": False,
            "action_url": None,
        }

    async def _write(self, row: Document) -> None:
        try:
            await self._ledger.insert_one(row)
        except DuplicateKey:
            await self._ledger.replace_one({"_id": row["_id"], "state": _LOST_REQUEST}, row)

    async def _known(self, attempt_id: str) -> Document:
        known = await self._ledger.find_one({"_id": attempt_id})
        assert known is not None, "what was asked for is in the ledger"
        return known


def _attempt(row: Mapping[str, Any]) -> Attempt:
    return Attempt(
        id=row["_id"],
        ref=row["ref"],
        state=row["state"],
        amount=money_from_doc(row["amount"]),
        captured=money_from_doc(row["captured"]),
        decline_code=row["decline_code"],
        retryable=row["retryable"],
        action_url=row["action_url"],
    )
