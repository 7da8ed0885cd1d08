"""Doing a thing once, however often it is asked for: idempotency records, kept in the transaction of the work.

Theory of operation. A record's identity is *principal, mutation field, key*; its fingerprint is the SHA-256 of the
canonical JSON of the coerced arguments (the order of keys does not matter, null differs from absent, lists are
ordered). The record is written in the same transaction as the work, so either both exist or neither:

    no record                       do the work, keep its payload               replayed = False
    record, same print, DONE        give the kept payload back                  replayed = True
    record, same print, IN_FLIGHT   lease alive: ``RequestInFlight``; dead: take over where it stopped
    record, other print             ``IdempotencyConflict``

Two equal requests at the same instant collide on the record's identity; the loser runs again and finds the winner's.
Faults and ``DomainError``s are not kept: what failed may be tried again under the same key. A refusal that should be
remembered is *returned* by the work, inside its payload.

Guests all are the same principal, so a guest's key is the only thing that keeps one guest's answers from another, and
the answer to a new cart or session is the identity that opens it. Hence a guest's key must be one that nobody chooses
by chance; short ones are refused.

Opening and abandoning a record is a write of its own, outside the work's transaction. What many requests open or abandon
at the same time is written together, since such a write costs as much for sixty as for one.

Keys expire (a TTL index on ``exp``); uniqueness that must not expire, such as a register's receipt number, belongs to
the domain's own indexes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any

from subgraphs.chassis.group_commit import GroupCommit
from subgraphs.chassis.identity import ANONYMOUS
from subgraphs.chassis.mongo import Database, Document, DuplicateKey, Index, Session
from subgraphs.kernel.clock import Clock, SystemClock, iso
from subgraphs.kernel.errors import IdempotencyConflict, InvalidInput, RequestInFlight

IDEM = "idem"
KEY_CHARACTERS_MAX = 255
GUEST_KEY_CHARACTERS_MIN = 16
TTL_S = 24 * 3600
MONEY_TTL_S = 30 * 24 * 3600
LEASE_S = 30.0

# The second index carries the guard {_id, state}, which the embedded server answers by reading everything otherwise.
INDEXES: dict[str, Sequence[Index]] = {IDEM: (Index(["exp"], expire_after_s=0), Index(["_id", "state"]))}

Payload = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Claim:
    """One request's identity and fingerprint."""

    id: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Started:
    """The caller holds the request's lease. ``point`` is what a dead predecessor had saved, if there was one."""

    claim: Claim
    point: Payload | None = None


@dataclass(frozen=True, slots=True)
class Replay:
    """The request was answered before, with this payload."""

    payload: Payload


class Idempotency:
    """The idempotency records of one service."""

    def __init__(self, database: Database, clock: Clock | None = None) -> None:
        self._database = database
        self._records = database.collection(IDEM)
        self._clock = clock or SystemClock()
        self._opened = GroupCommit(self._insert)
        self._abandoned_ones = GroupCommit(self._delete)

    def claim(self, principal_key: str, field: str, key: str, arguments: Mapping[str, Any]) -> Claim:
        """The identity and fingerprint of a request; ``InvalidInput`` for a key that is empty, too long, or a guest's
        and easily chosen twice."""
        if not 1 <= len(key) <= KEY_CHARACTERS_MAX:
            raise InvalidInput(
                f"an idempotency key has 1 to {KEY_CHARACTERS_MAX} characters, not {len(key)}", path=("idempotencyKey",)
            )
        if principal_key == ANONYMOUS.key and len(key) < GUEST_KEY_CHARACTERS_MIN:
            raise InvalidInput(
                f"without signing in, an idempotency key has at least {GUEST_KEY_CHARACTERS_MIN} characters that nobody"
                " else would choose: a UUID, for example",
                path=("idempotencyKey",),
            )
        return Claim(f"{principal_key}|{field}|{key}", fingerprint(arguments))

    async def run(
        self,
        principal_key: str,
        field: str,
        key: str,
        arguments: Mapping[str, Any],
        work: Callable[[Session], Awaitable[Payload]],
        ttl: timedelta = timedelta(seconds=TTL_S),
    ) -> tuple[Payload, bool]:
        """The payload of ``work``, done at most once for this key, and whether it is a replay.

        ``work`` runs in a transaction (so possibly more than once) and returns JSON-able data.
        """
        claim = self.claim(principal_key, field, key, arguments)

        async def body(session: Session) -> tuple[Payload, bool]:
            known = (await self.recall(session, [claim])).get(claim.id)
            if known is not None:
                return known, True
            payload = await work(session)
            await self.remember(session, [(claim, payload)], ttl)
            return payload, False

        try:
            return await self._database.transact(body)
        except DuplicateKey as error:
            if error.collection != IDEM:
                raise
            # An equal request committed between our look and our write; now its record is there to be seen.
            return await self._database.transact(body)

    async def recall(self, session: Session, claims: Sequence[Claim]) -> dict[str, Payload]:
        """Kept payloads by claim id, for use inside a transaction that decides many requests at once.

        Raises ``IdempotencyConflict`` or ``RequestInFlight`` for the first claim that asks for it; a caller that
        decides for many uses ``verdicts`` instead.
        """
        kept: dict[str, Payload] = {}
        for claim_id, verdict in (await self.verdicts(session, claims)).items():
            if isinstance(verdict, Exception):
                raise verdict
            kept[claim_id] = verdict
        return kept

    async def verdicts(
        self, session: Session, claims: Sequence[Claim]
    ) -> dict[str, Payload | IdempotencyConflict | RequestInFlight]:
        """What is on record for each claim, by its id: a kept payload, or the refusal it deserves. One query."""
        if len(claims) == 1:
            found = await self._records.find_one({"_id": claims[0].id}, session=session)
            records = [] if found is None else [found]
        else:
            records = await self._records.find({"_id": {"$in": [claim.id for claim in claims]}}, session=session)
        by_id = {record["_id"]: record for record in records}
        return {
            claim.id: self._verdict(claim, by_id[claim.id])
            for claim in claims
            if claim.id in by_id and not self._abandoned(claim, by_id[claim.id])
        }

    async def remember(
        self,
        session: Session,
        answers: Sequence[tuple[Claim, Payload]],
        ttl: timedelta = timedelta(seconds=TTL_S),
    ) -> None:
        """Keeps the payloads of requests that had no record, in the transaction that did their work."""
        until = self._clock.now() + ttl
        await self._records.insert_many(
            [
                {"_id": claim.id, "fp": claim.fingerprint, "state": "DONE", "payload": payload, "exp": until}
                for claim, payload in answers
            ],
            session=session,
        )

    async def begin(
        self,
        principal_key: str,
        field: str,
        key: str,
        arguments: Mapping[str, Any],
        *,
        lease_s: float = LEASE_S,
        ttl: timedelta = timedelta(seconds=MONEY_TTL_S),
        point: Payload | None = None,
    ) -> Started | Replay:
        """Opens a request whose work spans several transactions or services.

        The caller then saves its way with ``save`` and ends with ``finish``, or gives up with ``abandon``. If it
        dies, the next equal request after ``lease_s`` takes over at the point saved last; ``point`` is the first.
        """
        claim = self.claim(principal_key, field, key, arguments)
        # Nearly every request is a new one, and that takes one write: a second record of one identity cannot be.
        now = self._clock.now()
        record = self._open_record(claim, now + timedelta(seconds=lease_s), now + ttl, point)
        if await self._opened.submit(IDEM, record):
            return Started(claim, point)
        return await self._begin_again(claim, lease_s, ttl, point)

    async def _insert(self, records: Sequence[Document]) -> list[bool]:
        """Whether each is now open; those that come at the same time share one write."""
        refused = await self._records.insert_each(records)
        return [place not in refused for place in range(len(records))]

    async def _begin_again(
        self, claim: Claim, lease_s: float, ttl: timedelta, point: Payload | None
    ) -> Started | Replay:
        """What a request is that has been begun before."""

        async def body(session: Session) -> Started | Replay:
            now = self._clock.now()
            lease = now + timedelta(seconds=lease_s)
            record = await self._records.find_one({"_id": claim.id}, session=session)
            if record is None:
                # It was abandoned meanwhile.
                fresh = self._open_record(claim, lease, now + ttl, point)
                await self._records.insert_one(fresh, session=session)
                return Started(claim, point)
            if self._abandoned(claim, record):
                await self._records.update_one({"_id": claim.id}, {"$set": {"lease": lease}}, session=session)
                return Started(claim, record.get("point"))
            verdict = self._verdict(claim, record)
            if isinstance(verdict, Exception):
                raise verdict
            return Replay(verdict)

        try:
            return await self._database.transact(body)
        except DuplicateKey:
            return await self._database.transact(body)

    def _open_record(self, claim: Claim, lease: datetime, until: datetime, point: Payload | None) -> Document:
        return {
            "_id": claim.id,
            "fp": claim.fingerprint,
            "state": "IN_FLIGHT",
            "lease": lease,
            "point": point,
            "exp": until,
        }

    async def save(
        self, claim: Claim, point: Payload, *, session: Session | None = None, lease_s: float = LEASE_S
    ) -> None:
        """Notes how far an open request has come, and renews its lease."""
        lease = self._clock.now() + timedelta(seconds=lease_s)
        await self._records.update_one(
            {"_id": claim.id, "state": "IN_FLIGHT"}, {"$set": {"point": point, "lease": lease}}, session=session
        )

    async def finish(self, session: Session, claim: Claim, payload: Payload) -> None:
        """Keeps an open request's payload, in the transaction of its last step."""
        await self._records.update_one(
            {"_id": claim.id},
            {"$set": {"state": "DONE", "payload": payload}, "$unset": {"lease": "", "point": ""}},
            session=session,
        )

    async def abandon(self, claim: Claim) -> None:
        """Forgets an open request that changed nothing, so that it may be tried again under the same key."""
        await self._abandoned_ones.submit(IDEM, claim.id)

    async def _delete(self, ids: Sequence[str]) -> list[None]:
        await self._records.delete_many({"_id": {"$in": list(ids)}, "state": "IN_FLIGHT"})
        return [None] * len(ids)

    def _abandoned(self, claim: Claim, record: Document) -> bool:
        return bool(
            record["fp"] == claim.fingerprint
            and record["state"] == "IN_FLIGHT"
            and record["lease"] <= self._clock.now()
        )

    def _verdict(self, claim: Claim, record: Document) -> Payload | IdempotencyConflict | RequestInFlight:
        if record["fp"] != claim.fingerprint:
            return IdempotencyConflict("this idempotency key was used with other arguments", record["fp"])
        if record["state"] == "IN_FLIGHT":
            left_ms = (record["lease"] - self._clock.now()) / timedelta(milliseconds=1)
            return RequestInFlight(
                "the same request is being worked on", max(1, int(left_ms)), path=("idempotencyKey",)
            )
        payload: Payload = record["payload"]
        return payload


def fingerprint(arguments: Mapping[str, Any]) -> str:
    """SHA-256, in hexadecimal, of the canonical JSON of coerced arguments."""
    text = json.dumps(_canonical(arguments), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _canonical(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, Mapping):
        return {str(name): _canonical(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_canonical(item) for item in value]
    if isinstance(value, datetime):
        return iso(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    assert value is None or isinstance(value, str | int | float | bool), f"no argument: {type(value).__name__}"
    return value
