"""What controls remember: halted symbols, the halt of everything, alerts. Durable in the journal.

All of it is one small document in the journal, written together with the event that changed it.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bot.alerts import Alert
from bot.journal.journal import Journal
from bot.journal.reader import JournalReader

_PREFIX = "controls:"


@dataclass(frozen=True, slots=True)
class Halt:
    """What is halted, by which control, and why.

    Attributes:
        lifts: it ends by itself when its cause does; all others wait for a named resume.
    """

    number: int
    control: str
    reason: str
    since_ms: int
    lifts: bool = False

    def document(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(slots=True)
class Remembered:
    """The document.

    Attributes:
        symbols: halted symbols; "*" stands for all.
        everything: the latched halt of everything.
        alerts: open ones by key, the oldest first.
        modes: position mode, and by symbol leverage and margin mode, as they were first seen.
        mismatches: wrong looks at a position in a row, by symbol.
        reviewed_fill, seen_event: numbers of the newest ones that were looked at.
        resumed_ms: when somebody last resumed; what was before no longer counts.
        limits: those in force when the engine last started or was resumed.
    """

    symbols: dict[str, Halt] = field(default_factory=dict)
    everything: Halt | None = None
    alerts: dict[str, Alert] = field(default_factory=dict)
    modes: dict[str, Any] = field(default_factory=dict)
    mismatches: dict[str, int] = field(default_factory=dict)
    reviewed_fill: int = 0
    seen_event: int = 0
    resumed_ms: int = 0
    limits: dict[str, float | None] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {
            "symbols": {symbol: halt.document() for symbol, halt in self.symbols.items()},
            "everything": None if self.everything is None else self.everything.document(),
            "alerts": [alert.document() for alert in self.alerts.values()],
            "modes": self.modes,
            "mismatches": self.mismatches,
            "reviewed_fill": self.reviewed_fill,
            "seen_event": self.seen_event,
            "resumed_ms": self.resumed_ms,
            "limits": self.limits,
        }


def recall(journal: JournalReader, account: str) -> Remembered:
    """What the journal holds for an account; empty where nothing was ever stored."""
    text = journal.meta(state_key(account))
    if text is None:
        return Remembered()
    found: Mapping[str, Any] = json.loads(text)
    everything = found["everything"]
    alerts = [Alert.of(one) for one in found["alerts"]]
    return Remembered(
        symbols={symbol: Halt(**halt) for symbol, halt in found["symbols"].items()},
        everything=None if everything is None else Halt(**everything),
        alerts={alert.key: alert for alert in alerts},
        modes=found["modes"],
        mismatches=found["mismatches"],
        reviewed_fill=found["reviewed_fill"],
        seen_event=found["seen_event"],
        resumed_ms=found["resumed_ms"],
        limits=found["limits"],
    )


def recall_all(journal: JournalReader) -> dict[str, Remembered]:
    """What the journal holds, by account."""
    accounts = (key.removeprefix(_PREFIX) for key in journal.meta_keys(_PREFIX))
    return {account: recall(journal, account) for account in accounts}


def state_key(account: str) -> str:
    """Under which the journal keeps it."""
    return f"{_PREFIX}{account}"


class ControlState:
    """The document in memory and in the journal; every change leaves an event."""

    def __init__(self, journal: Journal, account: str) -> None:
        self._journal = journal
        self._key = state_key(account)
        self._owed: list[tuple[str, Mapping[str, Any]]] = []
        self.now = recall(journal, account)

    def change(self, event: str, document: Mapping[str, Any]) -> None:
        """Stores the state as it stands, with the event that led to it.

        Raises:
            JournalError: it cannot be stored; it is owed then.
        """
        self.owe(event, document)
        self.settle()

    def owe(self, event: str, document: Mapping[str, Any]) -> None:
        """An event that is stored with the next one."""
        self._owed.append((event, document))

    def settle(self) -> None:
        """Stores what is owed since the journal failed.

        Raises:
            JournalError: it still does.
        """
        while self._owed:
            event, document = self._owed[0]
            self._journal.record_change(event, document, self._key, self.now.document())
            del self._owed[0]

    def keep(self) -> None:
        """Stores the state without an event, for what only counts on."""
        self._journal.set_meta(self._key, json.dumps(self.now.document()))
