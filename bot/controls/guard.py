"""Watches over trading: what may not be sent, what is halted, who is told, and for how long.

The checks themselves are pure functions beside this file. Here their answers take effect, by the
table of controls, and whatever outlives a moment is kept in the journal.
"""

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from bot import requests
from bot.alerts import Alert, AlertChannel, deliver
from bot.controls.facts import Denied, PretradeLimits, SentOrder
from bot.controls.fills import FillReview
from bot.controls.gate import LastGate, MessageRate
from bot.controls.modes import changed_modes, with_new
from bot.controls.order_checks import EVERYTHING
from bot.controls.raised import Limits, raised
from bot.controls.recent import rest_of, sent_lately
from bot.controls.state import ControlState, Halt
from bot.controls.table import BY_NAME, Effect, number_of
from bot.errors import JournalError
from bot.halt import HaltSwitch
from bot.journal.journal import Journal
from bot.ports import Clock, VenueAccount
from bot.trading.orders import OrderRequest
from bot.trading.planner import Plan
from risk.errors import DataError

_TWICE = 2


class Guard:
    """The state of the controls of one account."""

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
        self.limits = limits or PretradeLimits()
        self._journal = journal
        self._clock = clock
        self._account = account
        self._switch = switch
        self._channels = channels
        self._state = ControlState(journal, account)
        self._kept_fill = self._state.now.reviewed_fill
        self._gate = LastGate()
        self._rate = MessageRate(self.limits, venue_per_second)
        self._fills = FillReview(journal, clock, account, lambda: self.limits)
        self._slices: dict[str, int] = {}
        self._planned: dict[str, Decimal] = {}
        self._untold: list[Alert] = []
        self._held_since_ms: int | None = None
        self._held_why = ""
        self._seen_switch: str | None = None
        self._in_force: Limits = {}
        self.clock_offset_ms: int | None = None
        self.under_way: dict[str, str] = {}
        """Symbols of orders that may be open, by client id; known without the journal."""

    # What is halted

    @property
    def halted(self) -> str | None:
        """Why nothing may be sent, one line; None when trading is allowed."""
        by_file = None if self._switch is None else self._switch.reason
        if by_file is not None:
            return by_file
        latched = self._state.now.everything
        return None if latched is None else latched.reason

    @property
    def halted_symbols(self) -> Mapping[str, str]:
        """Why by symbol; "*" stands for all."""
        found = self._state.now.symbols
        return {s: f"halted by control {h.number}: {h.reason}" for s, h in found.items()}

    @property
    def alerts(self) -> tuple[Alert, ...]:
        """Those that are open."""
        return tuple(self._state.now.alerts.values())

    def acted(self, denied: Denied, symbol: str = "") -> None:
        """Lets the effect of a control take place; a denial alone has none beyond itself.

        Raises:
            JournalError: it cannot be recorded.
        """
        _, effect = BY_NAME.get(denied.control, (None, Effect.DENY))
        if effect is Effect.HALT_ALL:
            self.halt_all(denied.control, denied.reason)
        elif effect is Effect.HALT_SYMBOL:
            self.halt_symbol(denied.control, symbol, denied.reason)
        elif effect is Effect.ALERT:
            self.alert(denied.control, symbol, denied.reason)

    def halt_symbol(self, control: str, symbol: str, reason: str, *, lifts: bool = False) -> None:
        """Nothing more is sent in the symbol until somebody resumes, or the cause is gone."""
        symbols = self._state.now.symbols
        if symbol in symbols:
            return
        halt = Halt(number_of(control), control, reason, self._clock.now_ms(), lifts)
        symbols[symbol] = halt
        self._state.change("symbol_halted", {"symbol": symbol, **halt.document()})
        self.alert(control, symbol, reason, clears=lifts)

    def halt_all(self, control: str, reason: str) -> None:
        """Nothing more is sent until somebody resumes; the file works where the journal does not.

        Raises:
            JournalError: the journal cannot keep it; the file has it all the same.
        """
        if self._state.now.everything is not None:
            return
        halt = Halt(number_of(control), control, reason, self._clock.now_ms())
        self._state.now.everything = halt
        self._show_latch()
        self._state.change("halted", halt.document())
        self.alert(control, "", reason)

    def _show_latch(self) -> None:
        """A latched halt is seen by everybody who looks at the file."""
        latched = self._state.now.everything
        if latched is not None and self._switch is not None:
            number = f"control {latched.number}: " if latched.number else ""
            self._switch.trip(f"{number}{latched.reason}")

    # Who is told

    def alert(self, control: str, symbol: str, text: str, *, clears: bool = False) -> None:
        """Raises an alert, once for each trouble."""
        key, alerts = f"{control}:{symbol}", self._state.now.alerts
        if key in alerts:
            return
        number = number_of(control)
        alert = Alert(key, number, control, symbol, text, self._clock.now_ms(), clears)
        alerts[key] = alert
        self._untold.append(alert)
        self._state.change("alert", alert.document())

    def _clear(self, key: str) -> None:
        alert = self._state.now.alerts.pop(key, None)
        if alert is not None:
            self._untold = [one for one in self._untold if one.key != key]
            self._state.change("alert_cleared", {"key": key, "control": alert.control})

    async def tell(self) -> None:
        """Delivers what is new; what no channel takes is tried again the next time."""
        untold, self._untold = self._untold, []
        for alert in untold:
            found = await deliver(alert, self._channels, self.limits.alert_timeout_s)
            document = {
                "key": alert.key,
                "channel": found.channel,
                "failures": dict(found.failures),
                "after_ms": self._clock.now_ms() - alert.raised_ms,
            }
            told = found.channel is not None or not self._channels
            self._journal.record_event("alert_told" if told else "alert_undelivered", document)
            if not told:
                self._untold.append(alert)

    def tick(self) -> None:
        """What the passing of time alone brings about."""
        now_ms, limits = self._clock.now_ms(), self.limits
        since_ms = self._held_since_ms
        if since_ms is not None and now_ms - since_ms >= limits.hold_alert_ms:
            seconds = (now_ms - since_ms) / 1000
            self.alert("hold", "", f"on hold for {seconds:.0f} s: {self._held_why}", clears=True)
        if limits.unacknowledged_ms is None:
            return
        for alert in self.alerts:
            if not alert.clears and now_ms - alert.raised_ms >= limits.unacknowledged_ms:
                minutes = limits.unacknowledged_ms / 60_000
                reason = f"nobody acknowledged in {minutes:g} minutes: {alert.text}"
                self.halt_all("unacknowledged", reason)

    def held(self, why: str) -> None:
        """The cycle is on hold; an alert follows if that lasts."""
        if self._held_since_ms is None:
            self._held_since_ms = self._clock.now_ms()
        self._held_why = why
        self.tick()

    # Around one order

    def begin(self, plan: Plan) -> None:
        """A new plan is carried out."""
        self._planned = {one.intent_id: one.trade_quantity for one in plan.intents}
        self._slices = dict.fromkeys(self._planned, 0)
        for order in plan.orders:
            intent_id = order.request.intent_id
            self._slices[intent_id] = self._slices.get(intent_id, 0) + 1
        self._gate.begin(self._planned)

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
        self._show_latch()
        self.saw_switch()
        self._held_since_ms = None
        self._clear("hold:")
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
                self._clear(f"liquidation_near:{symbol}")
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
                self._clear(f"{halt.control}:{symbol}")
        expected = with_new(state.modes, account)
        if expected != state.modes:
            state.modes = expected
            self._state.keep()

    def closed_by_others(self, symbols: Iterable[str]) -> None:
        """Hedges that shrank without us: auto-deleveraging, a liquidation, somebody's hand."""
        for symbol in symbols:
            self.alert("closed_by_others", symbol, f"{symbol}: others closed a part of our hedge")

    # Starting and resuming

    def start(self, in_force: Limits) -> None:
        """Compares the limits with those of the last run; raised ones wait for a resume."""
        self._in_force = in_force
        state = self._state.now
        more = raised(state.limits, in_force)
        if more:
            self.halt_all("limits_raised", f"limits were raised: {'; '.join(more)}")
        elif state.limits != in_force:
            state.limits = dict(in_force)
            self._state.keep()

    def take_requests(self) -> None:
        """Carries out what an operator has asked for beside the running engine."""
        if self._switch is None:
            return
        folder = self._switch.folder
        if (asked := requests.waiting(folder, requests.ACKNOWLEDGE_NAME)) is not None:
            self.acknowledge(asked)
            requests.taken(folder, requests.ACKNOWLEDGE_NAME)
        if (asked := requests.waiting(folder, requests.RESUME_NAME)) is not None:
            self.resume(asked)
            requests.taken(folder, requests.RESUME_NAME)

    def saw_switch(self) -> None:
        """Records once that the file, not a control, is what halts."""
        latched = self._state.now.everything is not None
        by_file = None if self._switch is None or latched else self._switch.reason
        if by_file is not None and by_file != self._seen_switch:
            document = {"control": "kill_switch", "number": number_of("kill_switch")}
            self._journal.record_event("halted", {**document, "reason": by_file})
        self._seen_switch = by_file

    @property
    def flattens(self) -> bool:
        """An operator wants every hedge closed."""
        if self._switch is None:
            return False
        return requests.waiting(self._switch.folder, requests.FLATTEN_NAME) is not None

    def flattened(self) -> None:
        """Nothing of ours is held any more.

        Raises:
            JournalError: it cannot be recorded.
        """
        if self._switch is None:
            return
        asked = requests.waiting(self._switch.folder, requests.FLATTEN_NAME)
        if asked is not None:
            document = {"by": asked.by, "reason": asked.reason}
            self._journal.record_event("flattened", document)
            requests.taken(self._switch.folder, requests.FLATTEN_NAME)

    def acknowledge(self, asked: requests.Asked) -> None:
        """Somebody knows of every open alert."""
        keys = list(self._state.now.alerts)
        self._state.now.alerts.clear()
        document = {"by": asked.by, "reason": asked.reason, "alerts": keys}
        self._state.change("acknowledged", document)

    def resume(self, asked: requests.Asked) -> None:
        """Lifts every halt; what led to them no longer counts.

        Raises:
            DataError: it names nobody or no reason.
        """
        if not (asked.by.strip() and asked.reason.strip()):
            raise DataError("resume: needs who asks and why")
        state = self._state.now
        document = {
            "by": asked.by,
            "reason": asked.reason,
            "was": None if state.everything is None else state.everything.document(),
            "symbols": sorted(state.symbols),
            "alerts": list(state.alerts),
        }
        state.everything = None
        state.symbols.clear()
        state.alerts.clear()
        state.mismatches.clear()
        state.modes = {}
        state.resumed_ms = self._clock.now_ms()
        self._fills.forget(state)
        state.limits = dict(self._in_force)  # none: the next start takes its own as they are
        self._state.change("resumed", document)
        if self._switch is not None:
            self._switch.clear()

    def open_ids(self) -> dict[str, str]:
        """Symbols of our orders that may be open, by client id; from memory if need be."""
        found = dict(self.under_way)
        with contextlib.suppress(JournalError):
            for row in self._journal.unresolved_orders(self._account):
                if not row.state.final:
                    found[row.client_id] = row.symbol
        return found


__all__ = ["EVERYTHING", "Guard"]
