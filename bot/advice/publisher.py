"""Puts the book of each good look where bots' questions are answered from."""

import traceback
from pathlib import Path

from bot.advice.book import entry_book
from bot.advice.store import write_book
from bot.logs import Logger
from bot.records.ending import Look
from risk.errors import PerphedgeError


class BookPublisher:
    """Writes a book after every look; a failure is told once and holds nothing."""

    def __init__(self, folder: Path, log: Logger) -> None:
        self._folder = folder
        self._log = log
        self._failing = ""

    def publish(self, look: Look) -> None:
        """The look's book in place of the last; without it the last one grows old and says so."""
        try:
            write_book(self._folder, entry_book(look))
        except (OSError, PerphedgeError) as error:
            self._failed("entry_book_not_written", str(error))
        except Exception as error:  # noqa: BLE001 - an advice that fails must not hold the hedging
            frame = traceback.extract_tb(error.__traceback__)[-1]
            # The message stays out: it may quote what must not be written down.
            place = f"{frame.filename}:{frame.lineno} {frame.name}"
            self._failed("defect", f"entry book: {type(error).__name__} at {place}")
        else:
            if self._failing:
                self._log.info("entry_book_written_again")
            self._failing = ""

    def _failed(self, event: str, reason: str) -> None:
        if event == "defect" != self._failing:
            self._log.error(event, reason=reason)
        elif event != self._failing:
            self._log.warning(event, reason=reason)
        self._failing = event
