"""Watches over trading: what may not be sent, what is halted, who is told, and for how long.

The checks themselves are pure functions beside this file. Here their answers take effect, by the
table of controls, and whatever outlives a moment is kept in the journal. The layers below are
alerts, halts, and what operators ask for.
"""

import contextlib
from collections.abc import Mapping, Sequence
from decimal import Decimal

from bot.alerts import AlertChannel
from bot.controls.books import Booked, Income, unsettled
from bot.controls.facts import Denied, PretradeLimits, SentOrder
from bot.controls.fills import FillReview
from bot.controls.gate import LastGate, MessageRate
from bot.controls.modes import changed_modes, with_new
from bot.controls.recent import rest_of, sent_lately
from bot.controls.resuming import Resuming
from bot.errors import JournalError
from bot.halt import HaltSwitch
from bot.journal.journal import Journal
from bot.journal.reader import FUNDING_WATERMARK
from bot.ports import Clock, VenueAccount
from bot.trading.orders import OrderRequest
from bot.trading.planner import Plan
from bot.trading.reconcile import FUNDING_OVERLAP_MS

_TWICE = 2
_CHECKED = "books_checked_ms:"
"""Before the account's name: when its books were last held against the exchange's list."""


class Guard(Resuming):
    """The state of the controls of one account, around its orders and once a cycle."""

    def __init__(
        self,
        journal: Journal,
        clock: Clock,
        account: str,
        limits: PretradeLimits | None = None,
        *,
        switch: HaltSwitch | None = None,
        channels: Sequence[AlertChannel] = (),
        venue_per_second: float | None = None,
    ) -> None:
        limits = limits or PretradeLimits()
        super().__init__(journal, clock, account, limits, channels=channels, switch=switch)
        self._kept_fill = self._state.now.reviewed_fill
        self._gate = LastGate()
        self._rate = MessageRate(limits, venue_per_second)
        self._fills = FillReview(journal, clock, account, lambda: self.limits)
        self._slices: dict[str, int] = {}
        self._planned: dict[str, Decimal] = {}
        self.clock_offset_ms: int | None = None
        self.under_way: dict[str, str] = {}
        """Symbols of orders that may be open, by client id; known without the journal."""

    # Around one order

    def begin(self, plan: Plan) -> None:
        """A new plan is carried out."""
        self._planned = {one.intent_id: one.trade_quantity for one in plan.intents}
        self._slices = dict.fromkeys(self._planned, 0)
        for order in plan.orders:
            intent_id = order.request.intent_id
            self._slices[intent_id] = self._slices.get(intent_id, 0) + 1
        told = {one.intent_id: one.most_orders for one in plan.intents}
        self._slices |= {name: most for name, most in told.items() if most is not None}
        self._gate.begin({one.intent_id: one.trade_quantity - one.done for one in plan.intents})

    def slices(self, intent_id: str) -> int | None:
        """How many orders the intent was planned to take."""
        return self._slices.get(intent_id)

    def recent(self, symbol: str) -> Sequence[SentOrder]:
        """Orders of the symbol within the windows of the limits, oldest first."""
        since_ms = self._clock.now_ms() - max(
            self.limits.repeat_window_ms, self.limits.duplicate_window_ms
        )
        since_ms = max(since_ms, self._state.now.resumed_ms)
        return sent_lately(self._journal, self._account, symbol, since_ms)

    def rest(self, request: OrderRequest) -> Decimal | None:
        """What the order's intent has left to trade, base units; None outside of any plan."""
        meant = self._planned.get(request.intent_id)
        return None if meant is None else rest_of(self._journal, request, meant)

    def wait_ms(self) -> int:
        """How long the next order has to wait for its turn."""
        return self._rate.wait_ms(self._clock.now_ms())

    def admit(self, request: OrderRequest) -> Denied | None:
        """The last gate; an order that passes is counted as sent."""
        denied = self._rate.admit(request.symbol, self._clock.now_ms())
        return denied or self._gate.admit(request)

    def sending(self, request: OrderRequest, mark: Decimal | None) -> None:
        """The order leaves now, with this mark price."""
        self.under_way[request.client_id] = request.symbol
        if mark is not None:
            self._fills.note_mark(request.client_id, mark)

    def settled(self, request: OrderRequest, filled: Decimal) -> None:
        """The order is over and filled no more than that."""
        self.under_way.pop(request.client_id, None)
        self._gate.settle(request, filled)

    def compared(self, symbol: str, *, agrees: bool, detail: str) -> None:
        """Whether the position moved as our fills say; wrong twice in a row halts the symbol."""
        wrong = self._state.now.mismatches
        if agrees:
            if wrong.pop(symbol, None) is not None:
                self._state.keep()
            return
        wrong[symbol] = wrong.get(symbol, 0) + 1
        self._state.keep()
        if wrong[symbol] >= _TWICE:
            self.halt_symbol("position_mismatch", symbol, f"{symbol}: {detail}, twice in a row")

    def turnover_usd(self) -> Decimal:
        """Notional of our fills in the last 24 hours."""
        return self._fills.turnover_usd(self._state.now.resumed_ms)

    def review(self, equity_usd: float) -> None:
        """Looks at every fill that was booked since the last time, and at the day's cost."""
        state = self._state.now
        for symbol, found in self._fills.review(state, equity_usd):
            self.acted(found, symbol)

    # Once a cycle

    def look(self, account: VenueAccount, marks: Mapping[str, float]) -> None:
        """The account as the cycle sees it: it can be seen, its modes, its distance from ruin."""
        self._state.settle()
        self.show_latch()
        self.saw_switch()
        self.seen()
        self._check_modes(account)
        for (symbol, side), price in account.liquidation_price.items():
            mark = marks.get(symbol)
            if (symbol, side) not in account.base_quantity or not mark:
                continue
            distance = abs(price / mark - 1)
            if distance < self.limits.min_liquidation_distance:
                text = f"{symbol}: liquidation {distance:.1%} from the mark price"
                self.alert("liquidation_near", symbol, text, clears=True)
            else:
                self.clear(f"liquidation_near:{symbol}")
        self.review(account.state.equity_usd)
        self.tick()
        self._keep_place()

    def _keep_place(self) -> None:
        """Stores how far fills were looked at, once a cycle; after a crash again."""
        state = self._state.now
        if state.reviewed_fill != self._kept_fill:
            self._state.keep()
            self._kept_fill = state.reviewed_fill

    def _check_modes(self, account: VenueAccount) -> None:
        state = self._state.now
        changed = changed_modes(state.modes, account)
        for symbol, reason in changed.items():
            self.halt_symbol("account_mode", symbol, reason, lifts=True)
        for symbol, halt in list(state.symbols.items()):
            if halt.lifts and symbol not in changed:
                del state.symbols[symbol]
                self._state.change("symbol_resumed", {"symbol": symbol, "by": "as it was again"})
                self.clear(f"{halt.control}:{symbol}")
        expected = with_new(state.modes, account)
        if expected != state.modes:
            state.modes = expected
            self._state.keep()

    def books_checked_ms(self) -> int | None:
        """When they last were, also by an earlier run; None: never."""
        found = self._journal.meta(_CHECKED + self._account)
        return None if found is None else int(found)

    def check_books(
        self, rows: Sequence[Income], since_ms: int, read_ms: int, *, funding_from_ms: int = 0
    ) -> None:
        """Alerts of what the exchange lists since then and our books do not hold.

        Args:
            read_ms: when it was asked.
            funding_from_ms: of funding before it no fault is found: in a symbol that we traded
                only since it is not ours to book.
        """
        journal, account = self._journal, self._account
        booked_ms = journal.watermark(account, FUNDING_WATERMARK) or 0
        booked = Booked.of(
            journal.funding_receipts(account, since_ms),
            [own for _, own, _, _ in journal.fills_with_orders(account, since_ms=max(1, since_ms))],
            journal.symbols_traded(account),
            booked_ms - FUNDING_OVERLAP_MS,
            funding_from_ms,
        )
        for (control, about), found in unsettled(rows, booked).items():
            self.alert(control, about, found.reason)
        with journal.durable_with_next():  # lost in a power cut, the same is read again
            journal.set_meta(_CHECKED + account, str(read_ms))

    def open_ids(self) -> dict[str, str]:
        """Symbols of our orders that may be open, by client id; from memory if need be."""
        found = dict(self.under_way)
        with contextlib.suppress(JournalError):
            for client_id in self.under_way:  # what was found out later ended without its sender
                known = self._journal.order(client_id)
                if known is not None and known.state.final:
                    del found[client_id]
            self.under_way = {one: found[one] for one in self.under_way if one in found}
            for row in self._journal.unresolved_orders(self._account):
                if not row.state.final:
                    found[row.client_id] = row.symbol
        return found
