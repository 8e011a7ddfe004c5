"""Tells what is new once: signals that begin and end, and what others do in the hedge account."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, cast

from bot.journal.journal import Journal
from bot.logs import Logger
from bot.measuring.conflict import Conflicts, conflicts_of
from bot.measuring.monitor import Held, Observation
from bot.outlook.tightening import Outside
from bot.records.cycle import CycleRecord
from bot.records.ending import MOST_NOTES, Look, quantities, signal_record
from risk.signals.episodes import Severity, Signal

Key = tuple[str, tuple[str, ...]]
REMEMBERED_CYCLES = 50
"""How far back the last cycle that could look is searched for after a restart."""


class News:
    """What was told last, and from it what is new."""

    def __init__(self, journal: Journal, log: Logger) -> None:
        """What the last cycle of the journal knew is not told again."""
        self._journal = journal
        self._log = log
        self._signals: dict[Key, Signal | dict[str, Any]] = {}
        self._factor = 1.0
        self._troubles: dict[str, str] = {}
        self._recalled = False
        self._cut: frozenset[str] = frozenset()
        self._external: Held = {}
        self._conflicts = Conflicts()
        self._unmapped: frozenset[tuple[str, str, str]] | None = None

    def others(self, observation: Observation) -> None:
        """What others did in the hedge account, once for each change; the journal knows it."""
        for closed in observation.closed_externally:
            change = closed.change
            self._log.warning(
                "hedge_closed_externally",
                by=closed.kind.value,
                symbol=change.symbol,
                position_side=change.position_side,
                own_quantity=str(change.own_quantity),
                venue_quantity=str(change.venue_quantity),
            )
        if observation.external != self._external:
            self._log.info("positions_of_others", held=quantities(observation.external))
            self._external = observation.external

    def conflicts(self, record: CycleRecord, look: Look) -> None:
        """Hedges that came to stand in a bot's symbol, and whether any is left, once each.

        Raises:
            JournalError: the journal failed.
        """
        now = conflicts_of(look.observation, look.assessment.universe.symbols)
        before, self._conflicts = self._conflicts, now
        for symbol in [s for s in now.hedges if s not in before.hedges]:
            document = {"symbol": symbol, "reason": f"{now.hedges[symbol]}; it may only shrink"}
            self._one("hedge_hands_off", document, record, alarm=True)
        for symbol in [s for s in before.hedges if s not in now.hedges]:
            self._one("hedge_hands_off_over", {"symbol": symbol}, record, alarm=False)
        if now.nothing_left and not before.nothing_left:
            reason = "bots hold or list every symbol that might carry a hedge"
            self._one("nothing_left_to_hedge_with", {"reason": reason}, record, alarm=True)
        if before.nothing_left and not now.nothing_left:
            self._one("hedgeable_again", {}, record, alarm=False)

    def unmapped(self, record: CycleRecord) -> None:
        """Positions of bots that are in no figure, once when that begins and once when it ends.

        Raises:
            JournalError: the journal failed.
        """
        before = self._unmapped
        if before is None:
            before = frozenset(
                key
                for document in self._journal.cycles(limit=1)
                for key in _left_out(document.get("unmapped", ()))
            )
        now = _left_out(record.unmapped)
        for change, keys in (("begun", now - before), ("ended", before - now)):
            for source, symbol, reason in sorted(keys):
                document = {"source": source, "symbol": symbol, "reason": reason, "change": change}
                self._one("unmapped", document, record, alarm=change == "begun")
        self._unmapped = now

    def signals(self, record: CycleRecord, look: Look, problems: Mapping[str, str]) -> None:
        """Tell what changed since the last time; the journal has it before the log.

        Raises:
            JournalError: the journal failed.
        """
        if not self._recalled:
            self._recall()
        # Hundreds last from cycle to cycle; only what is told is put into words.
        now = {(one.kind.value, one.symbols): one for one in look.signals}
        for key in [k for k in self._signals if k not in now]:
            told = {**_plain(self._signals[key]), "change": "cleared"}
            self._one("signal", told, record, alarm=False)
        for key in [k for k in now if k not in self._signals]:
            alarm = now[key].severity is not Severity.NOTE
            if not alarm and key[0] in self._cut:
                continue
            told = {**_plain(now[key]), "change": "raised"}
            self._one("signal", told, record, alarm=alarm)
        self._signals, self._cut = dict(now), frozenset()
        if record.caps_factor != self._factor:
            document = {
                "caps_factor": record.caps_factor,
                "before": self._factor,
                "reasons": list(record.caps_reasons),
            }
            alarm = record.caps_factor < self._factor
            self._one("caps_factor", document, record, alarm=alarm)
            self._factor = record.caps_factor
        self._tell_troubles(look.outside, problems, record)

    def _tell_troubles(
        self, outside: Outside, problems: Mapping[str, str], record: CycleRecord
    ) -> None:
        """Once when it begins to matter, and once when it is over."""
        now = {
            f"{one.name}{', so the caps are tight' if one.tightens else ''}": one.reason
            for one in outside.troubles
        }
        now |= {f"signals of {rule}": reason for rule, reason in problems.items()}
        for name in [n for n in now if n not in self._troubles]:
            document = {"what": name, "reason": now[name]}
            self._one("outside_data_missing", document, record, alarm=True)
        for name in [n for n in self._troubles if n not in now]:
            self._one("outside_data_back", {"what": name}, record, alarm=False)
        self._troubles = now

    def _one(
        self, event: str, document: dict[str, Any], record: CycleRecord, *, alarm: bool
    ) -> None:
        self._journal.record_event(event, document, cycle_id=record.cycle_id)
        quiet = document.get("severity") == Severity.NOTE.value  # dozens, when an engine starts
        say = self._log.warning if alarm else self._log.debug if quiet else self._log.info
        say(event, **document)

    def _recall(self) -> None:
        self._recalled = True
        for document in reversed(self._journal.cycles(limit=REMEMBERED_CYCLES)):
            # A cycle that was held before it could look knew nothing of signals.
            if document.get("exposure") is not None:
                told = cast("list[dict[str, Any]]", document.get("signals", []))
                self._signals = {(s["kind"], tuple(s["symbols"])): s for s in told}
                # Weaker notes were told but are not in the record; they are not told again.
                notes = Counter(s["kind"] for s in told if s["severity"] == Severity.NOTE.value)
                self._cut = frozenset(k for k, n in notes.items() if n >= MOST_NOTES)
                self._factor = float(document.get("caps_factor", 1.0))
                return


def _left_out(rows: Iterable[Mapping[str, Any]]) -> frozenset[tuple[str, str, str]]:
    return frozenset((one["source"], one["symbol"], one["reason"]) for one in rows)


def _plain(signal: Signal | dict[str, Any]) -> dict[str, Any]:
    """What was told of it, or will be."""
    if isinstance(signal, dict):
        return signal
    one = signal_record(signal)
    return {
        "kind": one.kind,
        "symbols": list(one.symbols),
        "value": one.value,
        "threshold": one.threshold,
        "since": one.since,
        "severity": one.severity,
        "sentence": one.sentence,
    }
