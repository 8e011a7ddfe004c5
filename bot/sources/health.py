"""Whether each source of positions answers: last good read, last error, since when it fails.

A source that begins to fail is told once, and once more when it is well again; what it holds is
not known meanwhile, and no cycle acts on it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from bot.journal.journal import Journal
from bot.logs import Logger
from bot.ports import Clock, PositionSource
from bot.records.cycle import iso_utc
from risk.quick_init import quick_replace

FAILING: Final = "source_failing"
WELL_AGAIN: Final = "source_well_again"
_LONGEST_ERROR: Final = 300


@dataclass(frozen=True, slots=True)
class SourceHealth:
    """Of one source; times are UTC milliseconds, None where there was none.

    Attributes:
        good_ms: when it was last read as it must be.
        as_of_ms: when what it said then was true, by its own word.
        failing_since_ms: first of its failures in a row; None: it is well, or was never read.
        error, error_ms: its last failure in one line, and when; kept when it is well again.
    """

    name: str
    max_age_ms: int
    good_ms: int | None = None
    as_of_ms: int | None = None
    failing_since_ms: int | None = None
    error: str = ""
    error_ms: int | None = None

    def document(self, now_ms: int) -> dict[str, Any]:
        """As plain JSON types."""
        return {
            "name": self.name,
            "failing": self.failing_since_ms is not None,
            "failing_since": _iso(self.failing_since_ms),
            "last_good": _iso(self.good_ms),
            "as_of": _iso(self.as_of_ms),
            "age_seconds": None if self.as_of_ms is None else (now_ms - self.as_of_ms) / 1000,
            "max_age_seconds": self.max_age_ms / 1000,
            "last_error": self.error,
            "last_error_time": _iso(self.error_ms),
        }


class SourcesHealth:
    """Of all sources of one engine."""

    def __init__(
        self,
        sources: Iterable[PositionSource],
        journal: Journal,
        clock: Clock,
        log: Logger | None = None,
    ) -> None:
        """Nothing is known yet of any of them.

        Args:
            log: told of what the journal is told; None: nobody is.
        """
        self._known = {one.name: SourceHealth(one.name, one.max_age_ms) for one in sources}
        self._journal = journal
        self._clock = clock
        self._log = log

    def good(self, source: str, as_of_ms: int) -> None:
        """It was read as it must be.

        Raises:
            JournalError: the journal failed.
        """
        now_ms, before = self._clock.now_ms(), self._known[source]
        self._known[source] = quick_replace(
            before, good_ms=now_ms, as_of_ms=as_of_ms, failing_since_ms=None
        )
        since_ms = before.failing_since_ms
        if since_ms is not None:
            seconds = max(0, now_ms - since_ms) / 1000
            self._tell(WELL_AGAIN, {"source": source, "seconds": seconds, "last": before.error})

    def failed(self, source: str, error: Exception) -> None:
        """It could not be read, or what it told could not be used.

        Raises:
            JournalError: the journal failed.
        """
        now_ms, before = self._clock.now_ms(), self._known[source]
        line = " ".join(str(error).split())[:_LONGEST_ERROR]
        first = before.failing_since_ms is None
        self._known[source] = replace(
            before,
            failing_since_ms=now_ms if first else before.failing_since_ms,
            error=line,
            error_ms=now_ms,
        )
        if first:
            last_good = _iso(before.good_ms)
            self._tell(FAILING, {"source": source, "reason": line, "last_good": last_good})

    def recall(self, documents: Iterable[Mapping[str, Any]]) -> None:
        """What the last cycle of an earlier run knew, so that nothing is told twice."""
        for told in documents:
            known = self._known.get(told["name"])
            if known is not None and known.good_ms is None and known.error_ms is None:
                self._known[known.name] = replace(
                    known,
                    good_ms=_ms(told["last_good"]),
                    as_of_ms=_ms(told["as_of"]),
                    failing_since_ms=_ms(told["failing_since"]),
                    error=told["last_error"],
                    error_ms=_ms(told["last_error_time"]),
                )

    def documents(self) -> tuple[dict[str, Any], ...]:
        """Of every source, in the order of the config, as plain JSON types."""
        now_ms = self._clock.now_ms()
        return tuple(one.document(now_ms) for one in self._known.values())

    def _tell(self, event: str, document: dict[str, Any]) -> None:
        self._journal.record_event(event, document)
        if self._log is not None:
            say = self._log.warning if event == FAILING else self._log.info
            say(event, **document)


def _iso(time_ms: int | None) -> str | None:
    return None if time_ms is None else iso_utc(time_ms)


def _ms(text: str | None) -> int | None:
    return None if text is None else round(datetime.fromisoformat(text).timestamp() * 1000)
