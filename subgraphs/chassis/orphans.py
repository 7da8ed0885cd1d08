"""Transactions whose process is gone are ended in seconds, not when the server loses patience.

Theory of operation. A server keeps an open transaction, and with it every document that the transaction has written, for
a minute after it last heard of it (``transactionLifetimeLimitSeconds``), though its client was killed at once. Until then
whoever wants one of those documents meets a conflict; and the documents most wanted are the ones most likely to be held
so. Hence a process writes down the identity of each session before its first transaction in it, in a document that also
says until when the process was certainly alive. Whoever of its service finds that time past has the server end those
sessions, and removes the document.

Ending a session can do no harm. What was committed stays; an open transaction of a process that was merely slow fails as a
conflict does, and is run again. So nothing here needs to be exact, and no clock to agree with another.

A process also ends sessions of its own that it has lost touch with: the connection broke in the middle of a transaction,
or its request was cancelled while a statement was on its way, which may arrive after the abort.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta

from subgraphs.chassis.mongo import Database, Index, MongoError
from subgraphs.chassis.telemetry import logger
from subgraphs.kernel.clock import Clock

SESSIONS = "sessions"
LEASE_S = 3.0
RENEW_S = 1.0
# More than a process has transactions open at once; older ones have left the driver's pool.
KNOWN_MAX = 500

INDEXES: dict[str, Sequence[Index]] = {SESSIONS: ()}
_log = logger(__name__)


class Orphans:
    """One process's sessions, and those of its dead kin: ``sessions`` {_id: process, until, ids: [session identity]}."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._documents = database.collection(SESSIONS)
        self._clock = clock
        self._process = secrets.token_hex(8)
        self._known: dict[bytes, None] = {}
        self._lost: set[bytes] = set()

    async def opened(self, session: bytes) -> None:
        """Writes down a session before its first transaction; nothing is sent for one that is known."""
        if session in self._known:
            return
        # Known before it is written: a renewal meanwhile writes all that are known.
        self._known[session] = None
        try:
            await self._documents.update_one(
                {"_id": self._process}, {"$push": {"ids": session}, "$set": {"until": self._until()}}, upsert=True
            )
        except BaseException:
            self._known.pop(session, None)
            raise

    def lost_touch(self, session: bytes) -> None:
        """Nobody knows whether a transaction of this session is still open."""
        self._lost.add(session)

    async def run(self) -> None:
        """Says that this process lives, and ends what others left behind, until cancelled."""
        try:
            while True:
                await self._renew()
                await self.reap()
                await asyncio.sleep(RENEW_S)
        finally:
            # A database that cannot be told will see the time pass by itself.
            with contextlib.suppress(MongoError):
                await self._documents.delete_one({"_id": self._process})

    async def reap(self) -> int:
        """Ends the sessions of processes that have not been heard of, and our own lost ones, once; how many."""
        lost = self._lost.copy()
        if lost:
            await self._database.end_sessions(sorted(lost))
            self._lost -= lost
        ended = len(lost)
        for dead in await self._documents.find({"until": {"$lt": self._clock.now()}}):
            ids = [bytes(session) for session in dead["ids"]]
            await self._database.end_sessions(ids)
            await self._documents.delete_one({"_id": dead["_id"], "until": dead["until"]})
            _log.info("ended the transactions of a dead process", process=dead["_id"], sessions=len(ids))
            ended += len(ids)
        return ended

    async def _renew(self) -> None:
        for old in list(self._known)[:-KNOWN_MAX]:
            del self._known[old]
        document = {"_id": self._process, "until": self._until(), "ids": list(self._known)}
        await self._documents.replace_one({"_id": self._process}, document, upsert=True)

    def _until(self) -> datetime:
        return self._clock.now() + timedelta(seconds=LEASE_S)
