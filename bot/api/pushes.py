"""Pushed positions on their way to the disk, beside the loop that answers everybody."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

from bot.ports import SourceSnapshot
from bot.sources.file import parse_positions
from bot.sources.pushed import PushedFiles
from risk.errors import StaleDataError

T = TypeVar("T")
_SHORT = 8_192
_MOST_AHEAD_MS = 60_000


@dataclass(frozen=True, slots=True)
class _Document:
    number: int
    text: str
    timestamp_ms: int


@dataclass(slots=True)
class _Line:
    """What waits to be written for one source.

    Attributes:
        newest: of what is not written yet.
        came: number of the last document that came.
        kept: number of the newest that is on the disk.
    """

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    newest: _Document | None = None
    came: int = 0
    kept: int = 0


class PushDesk:
    """Takes one document after the other of each source.

    Who is answered can count on it: the document, or one that took its place, is on the disk.
    Documents that come while another is written wait together, and only the newest of them is
    written, for all.
    """

    def __init__(self, files: PushedFiles) -> None:
        self._files = files
        self._lines = {name: _Line() for name in files.sources}
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="pushes")

    @property
    def files(self) -> PushedFiles:
        """What was kept."""
        return self._files

    async def put(self, source: str, text: str, now_ms: int) -> SourceSnapshot:
        """Keep a document in place of the last one.

        Raises:
            KeyError: no such source.
            DataError: it is not what a positions document must be.
            StaleDataError: it is older than what is there, or lies in the future.
            OSError: it cannot be written.
        """
        line = self._lines[source]
        if len(text) > _SHORT:
            snapshot = await self._beside(lambda: parse_positions(text, "body", source))
        else:  # read before a thread would have begun
            snapshot = parse_positions(text, "body", source)
        self._refuse_untimely(source, snapshot.timestamp_ms, now_ms)
        line.came += 1
        line.newest = ours = _Document(line.came, text, snapshot.timestamp_ms)
        async with line.lock:
            if line.kept < ours.number:
                # None: the newest could not be written. Perhaps ours can.
                await self._keep(source, line, line.newest or ours)
        return snapshot

    async def _keep(self, source: str, line: _Line, one: _Document) -> None:
        try:
            await self._beside(lambda: self._files.keep(source, one.text, one.timestamp_ms))
        finally:
            # Where it could not be written, it must not make what comes later look old.
            if line.newest is one:
                line.newest = None
        line.kept = one.number

    def _refuse_untimely(self, source: str, timestamp_ms: int, now_ms: int) -> None:
        waiting = self._lines[source].newest
        last_ms = self._files.last_ms(source) if waiting is None else waiting.timestamp_ms
        if last_ms is not None and last_ms > now_ms + _MOST_AHEAD_MS:
            # Today it would not have been taken: our clock was set back. By that stamp every
            # document would be old until the clock is there again, so the next one counts.
            last_ms = None
        if last_ms is not None and timestamp_ms < last_ms:
            raise StaleDataError(
                f"body: timestamp: {last_ms - timestamp_ms} ms older than the positions "
                "that were taken last"
            )
        if timestamp_ms > now_ms + _MOST_AHEAD_MS:
            ahead = (timestamp_ms - now_ms) / 1000
            raise StaleDataError(f"body: timestamp: {ahead:.0f} s in the future")

    async def _beside(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)
