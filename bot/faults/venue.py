"""The hedge account as the engine reaches it: the exchange behind a line with faults."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace

from bot.faults.arrivals import OrderDoor, Told
from bot.faults.line import READS, Line
from bot.faults.wire import CANARY, VENUE, WIRE, Taken, WireFault
from bot.faults.world import ACCOUNT
from bot.ports import VenueAccount
from bot.trading.ledger import FundingReceipt
from bot.trading.orders import (
    Fill,
    OrderOutcome,
    OrderRequest,
    UnknownOutcome,
)
from bot.venues.outcomes import Meaning, Reply, classify, describe, meaning_of
from bot.venues.paper import PaperVenue, acknowledged
from bot.venues.sim.errors import Code, VenueReject
from bot.venues.sim.records import SimOrder
from risk.errors import DataError

_LAG_MS = 30_000
_FORGETS_AFTER_MS = 5_000
_NEED_A_LOST_REPLY = ("not_found_lag", "history_expired")  # or nobody would ask for the order
_TIMEOUT = Reply(True, None, "", "RequestTimeout")


class FaultyVenue:
    """The venue port over the simulated exchange, by the rules of the adapter for real ones."""

    def __init__(self, line: Line, door: OrderDoor, told: Callable[[], Told]) -> None:
        self._line = line
        self._door = door
        self._told = told
        self._world = line.world
        self._faults = line.faults
        self._inner = PaperVenue(line.world.exchange, line.world.hedge)
        self._stale_ids: frozenset[str] = frozenset()
        self.last_account: VenueAccount | None = None

    @property
    def account_name(self) -> str:
        """As the config calls it."""
        return ACCOUNT

    async def account(self) -> VenueAccount:
        """Positions and money, as of the request."""
        self._line.ask("account")
        found = await self._inner.account()
        if self._faults.strikes("stale_open_orders"):
            found = replace(found, open_order_client_ids=self._stale_ids)
        else:
            self._stale_ids = found.open_order_client_ids
        if "wrong_contract_size" in self._faults.active and found.base_quantity:
            self._faults.count("wrong_contract_size")
            key = min(found.base_quantity)
            wrong = {**found.base_quantity, key: found.base_quantity[key] * 10}
            found = replace(found, base_quantity=wrong)
        self._line.answered("account")
        self.last_account = found
        return found

    async def place(self, order: OrderRequest) -> OrderOutcome:
        """Send once; whatever happens is the outcome."""
        told, world = self._told(), self._world
        self._line.process.cross("network.place.before")
        fault = self._line.post_fault()
        if self._faults.strikes("sigterm_in_send", 0.5):
            return await self._cut_short(order, told)
        world.advance(self._faults.die.randint(5, 60))
        outcome = self._sent(order, told, fault)
        self._line.process.cross("network.place.after")
        if isinstance(outcome, str):
            found = await self.find(order.symbol, order.client_id)
            return found or UnknownOutcome(order.client_id, f"{outcome}, yet it is not found")
        return outcome

    def _sent(self, order: OrderRequest, told: Told, fault: WireFault | None) -> OrderOutcome | str:
        """The outcome; a text where the venue says that the order is there already."""
        reply = None if fault is None else fault.reply
        if fault is not None and not self._takes(fault, order, told):
            self._world.advance(fault.wait_ms)
            return classify(VENUE, order.client_id, fault.reply)
        try:
            taken = self._door.arrive(order, told)
        except VenueReject as refusal:
            body = f'{{"code":{refusal.code},"msg":"{refusal.message} {CANARY}"}}'
            answer = reply or Reply(True, refusal.http_status, body, "ExchangeError")
            if reply is None and meaning_of(VENUE, str(refusal.code)) is Meaning.EXISTS:
                return describe(answer)
            return classify(VENUE, order.client_id, answer)
        self._maybe_copied(order, told, filled=taken.filled_quantity > 0)
        return self._answer(taken, fault)

    def _answer(self, taken: SimOrder, fault: WireFault | None) -> OrderOutcome | str:
        """What comes back of an order that was taken."""
        if fault is not None:
            self._world.advance(fault.wait_ms)
            return classify(VENUE, taken.client_id, fault.reply)
        if self._faults.strikes("duplicate_id_reject", 0.5):
            return "code -4116: ClientOrderId is duplicated."
        if self._faults.one_of(_NEED_A_LOST_REPLY, 0.5) is not None:
            self._world.advance(10_000)
            return classify(VENUE, taken.client_id, _TIMEOUT)
        return acknowledged(taken)

    def _takes(self, fault: WireFault, order: OrderRequest, told: Told) -> bool:
        """Whether the order reaches the exchange now; one that is late does so by itself."""
        if fault.taken is Taken.LATE:
            milliseconds = self._faults.die.randint(1_000, 60_000)
            self._world.later(milliseconds, lambda: self._late(order, told))
            return False
        if fault.taken is Taken.COIN:
            return self._faults.die.random() < 0.5
        return fault.taken is Taken.ALWAYS

    def _late(self, order: OrderRequest, told: Told, actor: str = "engine") -> None:
        try:
            self._door.arrive(order, told, actor)
        except VenueReject:
            return
        if actor == "network":
            self._faults.count("same_id_after_fill")

    def _maybe_copied(self, order: OrderRequest, told: Told, *, filled: bool) -> None:
        """A proxy on the way sends the request once more, after the order has filled."""
        if filled and "same_id_after_fill" in self._faults.active:
            die = self._faults.die
            if die.random() < 0.5:
                self._world.later(
                    die.randint(10, 5_000), lambda: self._late(order, told, "network")
                )

    async def _cut_short(self, order: OrderRequest, told: Told) -> OrderOutcome:
        """The process is told to stop in the middle of the send, which may have arrived."""
        if self._faults.die.random() < 0.5:
            self._late(order, told)
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(0)
        raise AssertionError("a cancelled task went on")

    async def find(self, symbol: str, client_id: str) -> OrderOutcome | None:
        """The order by its client id; None when the venue says that it has none."""
        process, faults, world = self._line.process, self._faults, self._world
        process.cross("network.find.before")
        world.advance(faults.die.randint(2, 30))
        kind = self._read_fault()
        if kind is not None:
            world.advance(kind.wait_ms)
            return UnknownOutcome(client_id, describe(kind.reply))
        found = await self._inner.find(symbol, client_id)
        order_id = world.hedge.ids_by_client_id.get((symbol, client_id))
        if order_id is not None:
            order = world.hedge.orders[order_id]
            age_ms = world.now_ms - order.created_ms
            if age_ms < _LAG_MS and faults.strikes("not_found_lag"):
                found = None
            ended_ms = world.now_ms - order.updated_ms
            old = not order.status.open and ended_ms > _FORGETS_AFTER_MS
            if old and faults.strikes("history_expired"):
                found = None
        process.cross("network.find.after")
        return found

    async def cancel(self, symbol: str, client_id: str) -> bool:
        """Ends one order; True where it is surely over."""
        process, faults, world = self._line.process, self._faults, self._world
        process.cross("network.cancel.before")
        world.advance(faults.die.randint(5, 60))
        fault = self._line.post_fault()
        arrives = fault is None or fault.taken in (Taken.ALWAYS, Taken.LATE)
        over = False
        if arrives:
            try:
                over = self._door.cancel(symbol, client_id)
            except VenueReject as refusal:
                over = refusal.code in (Code.NO_SUCH_ORDER, Code.CANCEL_REJECTED)
        if fault is not None or (over and faults.strikes("cancel_timeout", 0.7)):
            over = False  # nobody hears of it
        process.cross("network.cancel.after")
        return over

    def _read_fault(self) -> WireFault | None:
        kind = self._faults.one_of(READS, 0.3)
        if kind is None:
            return None
        self._faults.count(kind)
        return WIRE[kind]

    async def fills(self, symbol: str, since_ms: int) -> Sequence[Fill]:
        """Executions since then, oldest first."""
        self._line.ask("fills")
        fills = list(await self._inner.fills(symbol, since_ms))
        faults, now_ms = self._faults, self._world.now_ms
        if "not_found_lag" in faults.active:
            fills = [one for one in fills if now_ms - one.timestamp_ms >= _LAG_MS]
        if fills and faults.strikes("duplicate_paged_fills", 0.5):
            fills = [*fills[len(fills) // 2 :], *fills]
        if fills and faults.strikes("null_fee_or_price", 0.5):
            if faults.die.random() < 0.5:
                raise DataError(f"{symbol}: trade {fills[-1].trade_id}: price: missing")
            fills = [replace(one, fee_usd=None) for one in fills]
        self._line.answered("fills")
        return fills

    async def funding_receipts(self, since_ms: int) -> Sequence[FundingReceipt]:
        """Funding paid since then, oldest first."""
        self._line.ask("funding")
        receipts = await self._inner.funding_receipts(since_ms)
        self._line.answered("funding")
        return receipts

    async def close(self) -> None:
        """Nothing is held open."""
