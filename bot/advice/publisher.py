"""Puts the book of each good look where bots' questions are answered from."""

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
        self._failing = False

    def publish(self, look: Look) -> None:
        """The look's book in place of the last; without it the last one grows old and says so."""
        try:
            write_book(self._folder, entry_book(look))
        except (OSError, PerphedgeError) as error:
            if not self._failing:
                self._log.warning("entry_book_not_written", reason=str(error))
            self._failing = True
            return
        if self._failing:
            self._log.info("entry_book_written_again")
        self._failing = False
