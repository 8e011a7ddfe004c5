"""What an operator asks for: acknowledge, resume, flatten; and what waits for them at a start."""

import contextlib
from types import MappingProxyType

from bot import requests
from bot.alerts import alert_id
from bot.controls.halting import Halting
from bot.controls.raised import Limits, raised
from bot.controls.settled_orders import Words, take_words
from bot.controls.table import number_of
from risk.errors import DataError


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
        if (asked := self._waiting(requests.RESUME_NAME)) is not None:
            self._resume(asked, seen)
            self._taken(requests.RESUME_NAME)
        self.saw_switch()

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

    def resume(self, asked: requests.Asked) -> None:
        """Lifts every halt; what led to them no longer counts.

        Raises:
            DataError: it names nobody or no reason.
        """
        self._resume(asked, None if self._switch is None else self._switch.content)

    def _resume(self, asked: requests.Asked, seen: bytes | None) -> None:
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
        # What was booked by now is judged no more.
        state.reviewed_fill = self._journal.newest_fill()
        state.seen_event = self._journal.newest_event()
        state.limits = dict(self._in_force)  # none: the next start takes its own as they are
        self._state.change("resumed", document)
        if self._switch is not None:
            with contextlib.suppress(OSError):  # then the switch stays on, and says why
                # Whoever wants trading to go on wants no later halt to close every hedge.
                self._taken(requests.FLATTEN_NAME)
                self._switch.clear_seen(seen)
