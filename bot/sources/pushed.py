"""Positions that a bot pushes to our API: kept as one file for each source.

The server writes, the engine reads; the file outlives both. A document is taken only whole, and
never one that is older than what is there.
"""

import os
from pathlib import Path

from bot.errors import UnreachableError
from bot.ports import SourceSnapshot
from bot.sources.file import FileSource, parse_positions
from risk.errors import DataError

FOLDER = "pushed"


def pushed_file(state_dir: Path, source: str) -> Path:
    """Where a source's positions are kept."""
    return state_dir / FOLDER / f"{source}.json"


class PushedSource(FileSource):
    """Reads what a bot pushed last."""

    def __init__(
        self, name: str, state_dir: Path, max_age_ms: int, exchange: str | None = None
    ) -> None:
        """``exchange``: ccxt's id of the bot's; None: that of the hedges."""
        super().__init__(name, pushed_file(state_dir, name), max_age_ms, exchange)
        self._file = pushed_file(state_dir, name)

    async def read(self) -> SourceSnapshot:
        """The last positions that were pushed.

        Raises:
            UnreachableError: none were ever pushed, or the file cannot be read.
            DataError: the file was damaged.
        """
        if not self._file.exists():
            raise UnreachableError(f"source {self.name}: no positions were pushed yet")
        return await super().read()


class PushedFiles:
    """What bots pushed last, for the sources that the config names."""

    def __init__(self, state_dir: Path, sources: frozenset[str]) -> None:
        self._state_dir = state_dir
        self._sources = sources
        self._last: dict[str, int | None] = {}

    @property
    def sources(self) -> tuple[str, ...]:
        """Their names, sorted."""
        return tuple(sorted(self._sources))

    def last_ms(self, source: str) -> int | None:
        """Time of the last positions of a source, UTC milliseconds; None where there are none."""
        if source not in self._last:
            self._last[source] = self._read(source)
        return self._last[source]

    def keep(self, source: str, text: str, timestamp_ms: int) -> None:
        """Write a document that may be taken in place of the last one; one at a time.

        Raises:
            OSError: it cannot be written.
        """
        file = pushed_file(self._state_dir, source)
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        beside = file.with_name(f".{file.name}.{os.getpid()}")
        with beside.open("w", encoding="utf-8") as fresh:
            fresh.write(text)
            fresh.flush()
            os.fsync(fresh.fileno())  # a power cut leaves the old document or this one
        beside.replace(file)
        self._last[source] = timestamp_ms

    def _read(self, source: str) -> int | None:
        try:
            text = pushed_file(self._state_dir, source).read_text(encoding="utf-8")
            return parse_positions(text, "the file", source).timestamp_ms
        except (OSError, UnicodeDecodeError, DataError):
            return None  # what is damaged is no reason to take nothing any more
