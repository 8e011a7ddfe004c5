"""Puts the book of each good look where bots' questions are answered from."""

import traceback
from contextlib import suppress
from pathlib import Path

from bot.advice.book import entry_book
from bot.advice.store import write_book
from bot.errors import JournalError
from bot.journal.journal import Journal
from bot.logs import Logger
from bot.records.ending import Look
from risk.errors import PerphedgeError


class BookPublisher:
    """Writes a book after every look; a failure is told once and holds nothing."""

    def __init__(self, folder: Path, log: Logger, journal: Journal) -> None:
        self._folder = folder
        self._log = log
        self._journal = journal
        self._failing = ""

    def publish(self, look: Look) -> None:
        """The look's book in place of the last; without it the last one grows old and says so."""
        try:
            write_book(self._folder, entry_book(look))
        except (OSError, PerphedgeError) as error:
            self._failed("entry_book_not_written", str(error))
        except Exception as error:  # noqa: BLE001 - an advice that fails must not hold the hedging
            self._defective(error)
        else:
            if self._failing:
                self._log.info("entry_book_written_again")
            self._failing = ""

    def _failed(self, event: str, reason: str) -> None:
        if event != self._failing:
            self._log.warning(event, reason=reason)
        self._failing = event

    def _defective(self, error: Exception) -> None:
        frames = traceback.extract_tb(error.__traceback__)
        places = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
        # The message stays out: it may quote what must not be written down.
        reason = f"a defect of perphedge: {type(error).__name__} at {places[-1]}; no entry book"
        if self._failing != "defect":
            document = {"reason": reason, "trading": False, "places": places}
            self._log.error("defect", **document)
            with suppress(JournalError):  # the cycle that follows meets it too, and says so
                self._journal.record_event("defect", document)
        self._failing = "defect"
