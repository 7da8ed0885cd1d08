"""What one may do with points: who may, what is needed, what it comes to. Points move only together with their entry."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from cachetools import LRUCache, TTLCache

from subgraphs.chassis.idempotency import Idempotency, Payload
from subgraphs.chassis.identity import Principal
from subgraphs.chassis.mongo import DuplicateKey, Session
from subgraphs.chassis.outbox import EventHub, Lagged, Outbox, Subscription
from subgraphs.kernel.clock import Clock
from subgraphs.kernel.errors import Forbidden, InvalidInput, NotFound
from subgraphs.kernel.events import (
    Envelope,
    OrderCancelled,
    OrderConfirmed,
    OrderedLine,
    PointsAccrued,
    PointsAdjusted,
    PosOrderRecorded,
    RefundIssued,
)
from subgraphs.kernel.ids import has_prefix, new_id, ulid_time_ms
from subgraphs.kernel.money import Money
from subgraphs.kernel.pages import CursorCodec, Page, page_size
from subgraphs.loyalty.model import (
    Account,
    EarnedPart,
    EarningLine,
    LedgerEntry,
    LedgerKind,
    Program,
    Tier,
    accrual_key,
    faults,
    to_reverse,
)
from subgraphs.loyalty.service.redemptions import Redemptions
from subgraphs.loyalty.store import MAIN_PROGRAM, Store, account_from_doc, account_to_doc

READ, ADMIN = "loyalty:read", "loyalty:admin"
PROGRAM_FRESH_S = 5.0
HEARTBEAT_S = 15.0
REPLAYED_ENTRIES_MAX = 200
POINTS_ADJUSTED_MAX = 10_000_000
# An order this young may have points that are still on their way; a reader waits for them this long at most.
YOUNG_ORDER_MS = 5_000
POINTS_AWAITED_S = 0.8
_STREAM = "loyalty.points"

NewsKind = Literal["SNAPSHOT", "DELTA", "HEARTBEAT", "RESYNC"]


@dataclass(frozen=True, slots=True)
class PointsNews:
    """One event of an account's stream."""

    kind: NewsKind
    account: Account
    entry: LedgerEntry | None
    resume_token: str
    at: datetime


@dataclass(frozen=True, slots=True)
class LedgerAudit:
    """What was added up, and the accounts that do not add up."""

    accounts: int
    entries: int
    mismatches: tuple[str, ...]
    sum_of_entries: int
    sum_of_balances: int

    @property
    def ok(self) -> bool:
        return not self.mismatches and self.sum_of_entries == self.sum_of_balances


class Loyalty:
    """The services object of the loyalty subgraph."""

    def __init__(
        self,
        store: Store,
        outbox: Outbox,
        hub: EventHub,
        idempotency: Idempotency,
        clock: Clock,
        cursors: CursorCodec,
        redemptions: Redemptions,
        heartbeat_s: float = HEARTBEAT_S,
    ) -> None:
        self.store = store
        self.redemptions = redemptions
        self.clock = clock
        self._outbox = outbox
        self._hub = hub
        self._idempotency = idempotency
        self._cursors = cursors
        self._heartbeat_s = heartbeat_s
        self._programs: TTLCache[str, Program] = TTLCache(16, PROGRAM_FRESH_S)
        # Orders this process heard of that earn nothing: whoever waits for their points need not.
        self._pointless: LRUCache[str, bool] = LRUCache(10_000)
        self._heard = asyncio.Event()

    async def program(self, code: str = "main") -> Program:
        """A program; the house's own when the database has none."""
        known = self._programs.get(code)
        if known is None:
            known = await self.store.program(code) or (MAIN_PROGRAM if code == MAIN_PROGRAM.code else None)
            if known is None:
                raise NotFound(f"there is no program {code}", path=("code",))
            self._programs[code] = known
        return known

    async def accounts(self, ids: Sequence[str]) -> list[Account | None]:
        """Accounts by identity. One query."""
        found = await self.store.accounts(ids)
        return [found.get(identity) for identity in ids]

    async def accounts_of(self, customers: Sequence[str]) -> list[Account | None]:
        """Accounts by customer. One query."""
        found = await self.store.accounts_of(customers)
        return [found.get(customer) for customer in customers]

    async def entries_of_orders(self, orders: Sequence[str]) -> list[tuple[LedgerEntry, ...]]:
        """Entries by order; for a very young order without any, after waiting a moment for them. One query, or two."""
        found = await self.store.entries_of_orders(orders)
        missing = [order for order in orders if not has_earned(found[order]) and self._may_still_earn(order)]
        if missing:
            await self._await_points(missing)
            found |= await self.store.entries_of_orders(missing)
        return [found[order] for order in orders]

    async def ledger(
        self, principal: Principal, account: Account, first: int | None, after: str | None
    ) -> Page[tuple[LedgerEntry, str]]:
        """An account's entries, newest first."""
        require_sight(principal, account.customer_id)
        values = self._cursors.decode(after) if after is not None else None
        if values is not None and (values[0] != account.id or not isinstance(values[1], int)):
            raise InvalidInput("not a cursor of this list", path=("after",))
        size = page_size(first)
        before = values[1] if values is not None and isinstance(values[1], int) else None
        entries = await self.store.entries_before(account.id, before, size + 1)
        items = tuple((entry, self._cursors.encode(account.id, entry.seq)) for entry in entries[:size])
        return Page(
            items=items,
            start_cursor=items[0][1] if items else None,
            end_cursor=items[-1][1] if items else None,
            has_next=len(entries) > size,
            has_previous=after is not None,
        )

    async def account(self, principal: Principal, identity: str) -> Account:
        """An account, for its customer and for those who may read accounts; ``NotFound`` for everybody else."""
        account = (await self.store.accounts([identity])).get(identity)
        if account is None or not may_see(principal, account.customer_id):
            raise NotFound(f"there is no account {identity}", path=("accountId",))
        return account

    async def preview(
        self, customer_id: str | None, lines: Sequence[EarningLine], currency: str, channel: str | None
    ) -> tuple[int, tuple[EarnedPart, ...]]:
        """What lines would earn now, for a customer's tier or, unknown, the lowest."""
        program, tier = await self.program(), await self._tier_of(customer_id)
        at = self.clock.now()
        return (
            program.points(lines, currency, tier, channel, at),
            program.parts(lines, currency, tier, channel, at),
        )

    async def points_for(self, account: Account | None, line: EarningLine, currency: str, channel: str | None) -> int:
        """What a line would earn an account, or a new member."""
        program = await self.program()
        tier = program.tier(account.tier) if account is not None else program.tiers[0]
        return program.points([line], currency, tier, channel, self.clock.now())

    async def member_price(
        self, account: Account | None, line: EarningLine, currency: str, channel: str | None
    ) -> Money | None:
        """What a price comes to for a member once the points it earns are taken at their worth."""
        if account is None:
            return None
        points = await self.points_for(account, line, currency, channel)
        worth = (await self.program()).worth(points, currency)
        return Money(line.minor, currency) - worth if worth is not None else None

    async def audit(self, principal: Principal, account_id: str | None) -> LedgerAudit:
        """Adds up every account, or one, from its entries, all at one moment."""
        require(principal, ADMIN)

        async def body(session: Session) -> LedgerAudit:
            accounts = await self.store.audit_accounts(account_id, session=session)
            entries = list(await self.store.audit_entries(account_id, session=session))
            by_account: dict[str, list[LedgerEntry]] = {}
            for entry in entries:
                by_account.setdefault(entry.account_id, []).append(entry)
            wrong = [account.id for account in accounts if faults(account, by_account.pop(account.id, []))]
            # What is left belongs to no account.
            return LedgerAudit(
                len(accounts),
                len(entries),
                (*wrong, *by_account),
                sum(entry.points for entry in entries),
                sum(account.balance for account in accounts),
            )

        return await self.store.database.transact(body)

    async def enrol(
        self, principal: Principal, customer_id: str, key: str, arguments: Mapping[str, Any]
    ) -> tuple[Account, bool]:
        """Opens a customer's account; one who has an account keeps it."""
        if not has_prefix(customer_id, "cus"):
            raise InvalidInput("not the identity of a customer", path=("customerId",))
        require_sight(principal, customer_id)
        program = await self.program()

        async def work(session: Session) -> Payload:
            known = (await self.store.accounts_of([customer_id], session=session)).get(customer_id)
            if known is None:
                identity = new_id("loy")
                known = Account(
                    id=identity,
                    # The end of the identity is its chance part: short enough to read out, and never given twice.
                    number=f"L{identity[-12:]}",
                    customer_id=customer_id,
                    tier=program.tiers[0].code,
                    created_at=self.clock.now(),
                )
                await self.store.add_account(known, session=session)
            return account_to_doc(known)

        try:
            payload, replayed = await self._idempotency.run(principal.key, "loyaltyEnrol", key, arguments, work)
        except DuplicateKey:
            # Somebody else opened the account between our look and our write; now it is there to be found.
            payload, replayed = await self._idempotency.run(principal.key, "loyaltyEnrol", key, arguments, work)
        return account_from_doc(payload), replayed

    async def adjust(
        self, principal: Principal, account_id: str, points: int, reason: str, key: str, arguments: Mapping[str, Any]
    ) -> tuple[Account, bool]:
        """Gives or takes points by hand."""
        require(principal, ADMIN)
        if points == 0 or abs(points) > POINTS_ADJUSTED_MAX:
            raise InvalidInput(f"points are not 0 and at most {POINTS_ADJUSTED_MAX} in size", path=("points",))
        if not 1 <= len(reason) <= 200:
            raise InvalidInput("reason has 1 to 200 characters", path=("reason",))
        claim = self._idempotency.claim(principal.key, "pointsAdjust", key, arguments)

        async def work(session: Session) -> Payload:
            account = (await self.store.accounts([account_id], session=session)).get(account_id)
            if account is None:
                raise NotFound(f"there is no account {account_id}", path=("accountId",))
            after, entry = account.adjust(
                points, reason, entry_id=new_id("ldg"), idempotency=f"adjust:{claim.id}", at=self.clock.now()
            )
            await self.store.move(account, after, entry, session=session)
            news = PointsAdjusted(
                account_id=after.id,
                customer_id=after.customer_id,
                points=points,
                balance=after.balance,
                reason=reason,
            )
            await self._outbox.append(session, news, aggregate=f"account:{after.id}", aggregate_version=after.version)
            return account_to_doc(after)

        payload, replayed = await self._idempotency.run(principal.key, "pointsAdjust", key, arguments, work)
        return account_from_doc(payload), replayed

    async def hear_order(self, session: Session, envelope: Envelope) -> None:
        """An order was confirmed: its points, once."""
        order = OrderConfirmed.from_data(envelope.data)
        await self.redemptions.confirmed(session, order.order_id)
        await self._accrue(
            session, order.order_id, order.customer_id, order.channel, order.currency, order.lines, envelope.id
        )

    async def hear_counter_sale(self, session: Session, envelope: Envelope) -> None:
        """A register sold something: its points, once."""
        sale = PosOrderRecorded.from_data(envelope.data)
        await self._accrue(session, sale.order_id, sale.customer_id, "pos", sale.currency, sale.lines, envelope.id)

    async def _accrue(
        self,
        session: Session,
        order_id: str,
        customer_id: str | None,
        channel: str,
        currency: str,
        lines: Sequence[OrderedLine],
        causation: str,
    ) -> None:
        account = None
        if customer_id is not None:
            account = (await self.store.accounts_of([customer_id], session=session)).get(customer_id)
        points, now = 0, self.clock.now()
        program = await self.program()
        if account is not None:
            earning = [EarningLine(line.total_minor, line.category_slug, line.sku) for line in lines]
            points = program.points(earning, currency, program.tier(account.tier), channel, now)
        if account is None or points == 0:
            self._pointless[order_id] = True
            heard, self._heard = self._heard, asyncio.Event()
            heard.set()
            return
        if await self.store.entry_done(accrual_key(order_id), session=session):
            return
        after, entry = account.accrue(points, program, entry_id=new_id("ldg"), order_id=order_id, at=now)
        await self.store.move(account, after, entry, session=session)
        news = PointsAccrued(
            account_id=after.id,
            customer_id=after.customer_id,
            order_id=order_id,
            points=points,
            balance=after.balance,
        )
        await self._outbox.append(
            session, news, aggregate=f"account:{after.id}", aggregate_version=after.version, causation=causation
        )

    async def hear_refund(self, session: Session, envelope: Envelope) -> None:
        """Money of an order went back: its points go with the goods that did."""
        refund = RefundIssued.from_data(envelope.data)
        await self.redemptions.came_back(session, refund.order_id, refund.points, refund.refund_id)
        await self._reverse(
            session, refund.order_id, refund.goods_minor, refund.goods_total_minor, refund.refund_id, envelope.id
        )

    async def hear_cancelled(self, session: Session, envelope: Envelope) -> None:
        """An order will not be delivered: it earns nothing."""
        order = OrderCancelled.from_data(envelope.data)
        await self.redemptions.came_back(session, order.order_id, None, order.order_id)
        await self._reverse(session, order.order_id, 1, 1, order.order_id, envelope.id)

    async def _reverse(
        self, session: Session, order_id: str, part: int, whole: int, cause: str, causation: str
    ) -> None:
        entries = (await self.store.entries_of_orders([order_id], session=session)).get(order_id, ())
        points = to_reverse(entries, part, whole)
        key = f"reverse:{cause}"
        if points == 0 or await self.store.entry_done(key, session=session):
            return
        account_id = entries[0].account_id
        account = (await self.store.accounts([account_id], session=session))[account_id]
        after, entry = account.reverse(
            points, entry_id=new_id("ldg"), order_id=order_id, idempotency=key, at=self.clock.now()
        )
        await self.store.move(account, after, entry, session=session)
        news = PointsAdjusted(
            account_id=after.id,
            customer_id=after.customer_id,
            points=-points,
            balance=after.balance,
            reason=f"order {order_id} came back",
        )
        await self._outbox.append(
            session, news, aggregate=f"account:{after.id}", aggregate_version=after.version, causation=causation
        )

    async def watch(
        self, principal: Principal, account_id: str, resume_token: str | None = None
    ) -> AsyncIterator[PointsNews]:
        """An account, then every entry as it is written. The ledger is the stream's own history, so a resumed stream
        gets the very entries it missed; after too many of them, ``RESYNC`` and a snapshot."""
        since = self._seq_of(resume_token, account_id) if resume_token is not None else None
        subscription = self._hub.subscribe([PointsAccrued.TYPE, PointsAdjusted.TYPE])
        account = await self.account(principal, account_id)
        if since is None or since > account.version:
            if since is not None:
                yield self._news("RESYNC", account, None)
            yield self._news("SNAPSHOT", account, None)
            since = account.version
        while True:
            entries = await self.store.entries_after(account_id, since, REPLAYED_ENTRIES_MAX + 1)
            account = await self.account(principal, account_id)
            if len(entries) > REPLAYED_ENTRIES_MAX:
                yield self._news("RESYNC", account, None)
                yield self._news("SNAPSHOT", account, None)
                since = account.version
                continue
            for entry in entries:
                since = entry.seq
                yield self._news("DELTA", account, entry)
            while not (news := await self._next(subscription, account_id)):
                if news is None:
                    return
                yield self._news("HEARTBEAT", account, None)

    async def _next(self, subscription: Subscription, account_id: str) -> bool | None:
        """True when the account may have a new entry, False when it is time for a heartbeat, None at the end."""
        try:
            async with asyncio.timeout(self._heartbeat_s):
                async for news in subscription:
                    if isinstance(news, Lagged) or news.data["account_id"] == account_id:
                        return True
        except TimeoutError:
            return False
        return None

    def _news(self, kind: NewsKind, account: Account, entry: LedgerEntry | None) -> PointsNews:
        reached = entry.seq if entry is not None else account.version
        token = self._cursors.encode(_STREAM, account.id, reached)
        return PointsNews(kind, account, entry, token, self.clock.now())

    def _seq_of(self, token: str, account_id: str) -> int:
        try:
            stream, account, seq = self._cursors.decode(token)
        except (InvalidInput, ValueError):
            raise InvalidInput("not a resume token of this stream", path=("resumeToken",)) from None
        if stream != _STREAM or account != account_id or not isinstance(seq, int):
            raise InvalidInput("the resume token belongs to another account", path=("resumeToken",))
        return seq

    # Waiting for an order's points

    def _may_still_earn(self, order_id: str) -> bool:
        if order_id in self._pointless or not has_prefix(order_id, "ord"):
            return False
        return self.clock.now().timestamp() * 1000 - ulid_time_ms(order_id) < YOUNG_ORDER_MS

    async def _await_points(self, orders: Sequence[str]) -> None:
        """Returns when each order has had its points or is known to earn none, or the time is up."""
        subscription = self._hub.subscribe([PointsAccrued.TYPE])
        # Between the first look and this subscription an entry may have come: look again before waiting.
        found = await self.store.entries_of_orders(orders)
        waiting = {order for order in orders if not has_earned(found[order])}

        async def accrued() -> None:
            async for news in subscription:
                if isinstance(news, Lagged):
                    return
                waiting.discard(str(news.data["order_id"]))
                if not waiting:
                    return

        async def pointless() -> None:
            while waiting:
                heard = self._heard
                waiting.difference_update([order for order in waiting if order in self._pointless])
                if waiting:
                    await heard.wait()

        if not waiting:
            return
        tasks = [asyncio.create_task(accrued()), asyncio.create_task(pointless())]
        try:
            await asyncio.wait(tasks, timeout=POINTS_AWAITED_S, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task

    async def _tier_of(self, customer_id: str | None) -> Tier:
        program = await self.program()
        account = None
        if customer_id is not None:
            account = (await self.store.accounts_of([customer_id])).get(customer_id)
        return program.tier(account.tier) if account is not None else program.tiers[0]


def has_earned(entries: Sequence[LedgerEntry]) -> bool:
    """Whether an order's points are there; points that paid for it are there before."""
    return any(entry.kind is LedgerKind.EARN_PENDING for entry in entries)


def earned(entries: Sequence[LedgerEntry]) -> int:
    """Points an order was given."""
    return sum(entry.points for entry in entries if entry.kind is LedgerKind.EARN_PENDING)


def reversed_points(entries: Sequence[LedgerEntry]) -> int:
    """Points an order was given and that were taken back."""
    return -sum(entry.points for entry in entries if entry.kind is LedgerKind.EARN_REVERSE)


def require(principal: Principal, scope: str) -> None:
    """Refuses a principal without the scope; services need none among themselves."""
    if principal.kind != "service" and not principal.has(scope):
        raise Forbidden(f"missing scopes: {scope}", [scope])


def may_see(principal: Principal, customer_id: str) -> bool:
    """Whether a customer's points are this principal's business: one's own, or by scope."""
    return principal.kind == "service" or principal.customer_id == customer_id or principal.has(READ)


def require_sight(principal: Principal, customer_id: str) -> None:
    """Refuses a principal whose business the customer's points are not."""
    if not may_see(principal, customer_id):
        raise Forbidden(f"missing scopes: {READ}", [READ])
