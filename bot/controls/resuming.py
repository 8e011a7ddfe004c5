"""What an operator asks for: acknowledge, resume, flatten; and what waits for them at a start."""

import contextlib
from collections.abc import Set
from types import MappingProxyType

from bot import requests
from bot.alerts import alert_id
from bot.controls.halting import Halting
from bot.controls.raised import Limits, raised
from bot.controls.settled_orders import Words, take_words
from bot.controls.shown import file_id, halt_id
from bot.controls.state import Halt
from bot.controls.table import number_of
from risk.errors import DataError

_STANDING = ("kill_switch", "unacknowledged")
"""Looked at all the time: that they hold is no news. The file is told apart by its content."""


class Resuming(Halting):
    """The operator's side of an account's guard, its third layer."""

    _in_force: Limits = MappingProxyType({})
    _answered: Words = MappingProxyType({})

    def start(self, in_force: Limits) -> None:
        """Compares the limits with those of the last run; raised ones wait for a resume.

        So does a halt of the last run, which is recorded again.
        """
        self._in_force = in_force
        state = self._state.now
        if self._switch is not None:
            with contextlib.suppress(OSError):
                self._switch.recover()
        if state.everything is not None:
            reason = f"since the last run: {state.everything.reason}"
            document = {"control": "still_halted", "number": number_of("still_halted")}
            self._journal.record_event("still_halted", {**document, "reason": reason})
            self.show_latch()
        self.saw_switch()
        more = raised(state.limits, in_force)
        if more:
            self.halt_all("limits_raised", f"limits were raised: {'; '.join(more)}")
        elif state.limits != in_force:
            state.limits = dict(in_force)
            self._state.keep()

    def take_requests(self) -> None:
        """Carries out what an operator has asked for beside the running engine, the halt last."""
        if (asked := self._waiting(requests.ACKNOWLEDGE_NAME)) is not None:
            self.acknowledge(asked)
            self._taken(requests.ACKNOWLEDGE_NAME)
        self._take_acknowledgements()
        self._settle_orders()
        # Looked at first: a halt that comes later withdraws the request, or has another content.
        seen = None if self._switch is None else self._switch.content
        if (wanted := self._resumption()) is not None:
            self._resume(wanted, seen)
            self._taken(requests.RESUME_NAME)
        self.saw_switch()

    def halt_all(self, control: str, reason: str) -> None:
        """See the layer below; one that trips while a resume of another waits outlasts it."""
        before = self._state.now.everything
        if (
            before is not None
            and control not in (*_STANDING, before.control)
            and self._resumption() is not None
        ):
            self._state.now.everything = None
        super().halt_all(control, reason)

    def _take_acknowledgements(self) -> None:
        """Of single alerts; one that has ended meanwhile is acknowledged all the same."""
        if self._switch is None:
            return
        for ident, asked in requests.waiting_acknowledgements(self._switch.folder).items():
            if asked is not None:
                self.acknowledge(asked, ident)
            self._taken(requests.ACKNOWLEDGE_PREFIX + ident)

    def _settle_orders(self) -> None:
        """Takes somebody's word on orders of which only people can find out what they did."""
        if self._switch is not None:
            self._answered = take_words(self._journal, self._switch.folder, self._answered)

    @property
    def flattens(self) -> bool:
        """An operator wants every hedge closed."""
        return self._waiting(requests.FLATTEN_NAME) is not None

    def flattened(self) -> None:
        """Nothing of ours is held any more.

        Raises:
            JournalError: it cannot be recorded.
        """
        asked = self._waiting(requests.FLATTEN_NAME)
        if asked is not None:
            document = {"by": asked.by, "reason": asked.reason}
            self._journal.record_event("flattened", document)
            self._taken(requests.FLATTEN_NAME)

    def _waiting(self, name: str) -> requests.Asked | None:
        return None if self._switch is None else requests.waiting(self._switch.folder, name)

    def _taken(self, name: str) -> None:
        if self._switch is not None:
            requests.taken(self._switch.folder, name)

    def acknowledge(self, asked: requests.Asked, ident: str | None = None) -> None:
        """Somebody knows of the alert with this id, or of every open one."""
        known = self._state.now.alerts
        keys = [key for key, one in known.items() if ident in (None, alert_id(one))]
        if ident is not None and not keys:
            return
        for key in keys:
            del known[key]
        document = {"by": asked.by, "reason": asked.reason, "alerts": keys}
        self._state.change("acknowledged", document)

    def resume(self, asked: requests.Asked, halts: Set[str] | None = None) -> None:
        """Lifts every halt that was shown; what led to them no longer counts.

        Args:
            halts: the ids of those (``bot.controls.shown``); None: all.

        Raises:
            DataError: it names nobody or no reason.
        """
        wanted = requests.Resumption(asked, None if halts is None else frozenset(halts))
        self._resume(wanted, None if self._switch is None else self._switch.content)

    def _resume(self, wanted: requests.Resumption, seen: bytes | None) -> None:
        """With another content than was seen when the resume was looked for the file stays."""
        asked = wanted.asked
        if not (asked.by.strip() and asked.reason.strip()):
            raise DataError("resume: needs who asks and why")
        state = self._state.now
        kept = {s: h for s, h in state.symbols.items() if not wanted.lifts(self._id(s, h))}
        latched = state.everything
        if latched is not None and wanted.lifts(self._id("", latched)):
            latched = None
        was = None if state.everything is latched else state.everything
        stays = {f"{halt.control}:{symbol}": halt for symbol, halt in kept.items()}
        stays |= {} if latched is None else {f"{latched.control}:": latched}
        document = {
            "by": asked.by,
            "reason": asked.reason,
            "was": None if was is None else was.document(),
            "symbols": sorted(state.symbols.keys() - kept.keys()),
            "alerts": [key for key in state.alerts if key not in stays],
        }
        self._forget({halt.control for halt in stays.values()})
        state.everything, state.symbols = latched, kept
        state.alerts = {key: one for key, one in state.alerts.items() if key in stays}
        self._state.change("resumed", document)
        self._lift_switch(wanted, seen)

    def _forget(self, stay: Set[str]) -> None:
        """What was before no longer counts, but for what still halts."""
        state = self._state.now
        state.mismatches.clear()
        if "account_mode" not in stay:
            state.modes = {}
        state.resumed_ms = self._clock.now_ms()
        # What was booked by now is judged no more.
        state.reviewed_fill = self._journal.newest_fill()
        state.seen_event = self._journal.newest_event()
        if "limits_raised" not in stay:
            state.limits = dict(self._in_force)  # none: the next start takes its own as they are

    def _lift_switch(self, wanted: requests.Resumption, seen: bytes | None) -> None:
        if self._switch is None:
            return
        by_file = self._switch.on_disk
        if by_file is None or wanted.lifts(file_id(by_file)):
            with contextlib.suppress(OSError):  # then the switch stays on, and says why
                if self._state.now.everything is None and self._switch.content == seen:
                    # Whoever wants trading to go on wants no later halt to close every hedge.
                    self._taken(requests.FLATTEN_NAME)
                self._switch.clear_seen(seen)
        self.show_latch()

    def _id(self, symbol: str, halt: Halt) -> str:
        return halt_id(self._account, symbol, halt)

    def _resumption(self) -> requests.Resumption | None:
        return None if self._switch is None else requests.waiting_resume(self._switch.folder)
