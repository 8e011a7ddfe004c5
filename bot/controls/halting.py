"""What is halted: symbols, or everything. Kept in the journal, and shown by the file HALT.

The file alone halts as well, whoever made it. Once it was seen the halt is in the journal too:
from then on removing the file lifts nothing, and somebody has to resume by name and with a reason.
"""

from collections.abc import Mapping, Sequence

from bot.alerts import AlertChannel
from bot.controls.alerting import Alerting
from bot.controls.facts import Denied, PretradeLimits
from bot.controls.shown import latch_text
from bot.controls.state import Halt
from bot.controls.table import BY_NAME, Effect, number_of
from bot.halt import HaltSwitch
from bot.journal.journal import Journal
from bot.ports import Clock


class Halting(Alerting):
    """The halts of one account; the second layer of its guard."""

    def __init__(
        self,
        journal: Journal,
        clock: Clock,
        account: str,
        limits: PretradeLimits,
        *,
        channels: Sequence[AlertChannel],
        switch: HaltSwitch | None,
    ) -> None:
        super().__init__(journal, clock, account, limits, channels=channels)
        self._switch = switch

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
        self._state.owe("symbol_halted", {"symbol": symbol, **halt.document()})
        self.alert(control, symbol, reason, clears=lifts)
        self._state.settle()

    def halt_all(self, control: str, reason: str) -> None:
        """Nothing more is sent until somebody resumes; the file works where the journal does not.

        Raises:
            JournalError: the journal cannot keep it; the file has it all the same.
        """
        if self._state.now.everything is not None:
            return
        halt = Halt(number_of(control), control, reason, self._clock.now_ms())
        self._state.now.everything = halt
        self.show_latch()
        self._state.owe("halted", halt.document())
        self.alert(control, "", reason)
        self._state.settle()

    def show_latch(self) -> None:
        """A latched halt is seen by everybody who looks at the file."""
        latched = self._state.now.everything
        if latched is not None and self._switch is not None:
            self._switch.trip(latch_text(latched))

    def saw_switch(self) -> None:
        """Latches a halt by the file.

        Raises:
            JournalError: the journal cannot keep it; this process does all the same.
        """
        by_file = None if self._switch is None else self._switch.reason
        if by_file is not None:
            self.halt_all("kill_switch", by_file)

    def tick(self) -> None:
        """What the passing of time alone brings about."""
        super().tick()
        now_ms, most_ms = self._clock.now_ms(), self.limits.unacknowledged_ms
        if most_ms is None:
            return
        for alert in self.alerts:
            if not alert.clears and now_ms - alert.raised_ms >= most_ms:
                reason = f"nobody acknowledged in {most_ms / 60_000:g} minutes: {alert.text}"
                self.halt_all("unacknowledged", reason)
