"""Tells open pages that something is new: server-sent events, from one look a second for all."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from bot.approval.asking import words
from bot.halt import HaltSwitch
from bot.journal.reader import JOURNAL_NAME, JournalReader
from bot.lock import lock_holder
from risk.errors import PerphedgeError

LOOK_EVERY_S = 1.0
STREAM_S = 240.0
"""So long a stream is open; a browser then asks anew by itself."""
MOST_STREAMS = 64
_BREATH_LOOKS = 15


def mark_of(state_dir: Path) -> str:
    """A text that is another one as soon as any page would show something else."""
    try:
        with JournalReader.open_reader(state_dir / JOURNAL_NAME, busy_timeout_ms=500) as journal:
            kept = f"{journal.cycle_count()}.{journal.newest_event()}"
    except (PerphedgeError, OSError):
        kept = "none"
    try:
        asked = len(words(state_dir))
    except (PerphedgeError, OSError):
        asked = -1
    halted = HaltSwitch(state_dir).reason is not None
    return f"{kept}.{asked}.{int(halted)}.{int(lock_holder(state_dir) is not None)}"


class Watch:
    """Looks once a second for as long as anybody listens."""

    def __init__(self, state_dir: Path) -> None:
        self._state_dir = state_dir
        self._mark = ""
        self._listeners = 0
        self._looking: asyncio.Task[None] | None = None

    @property
    def full(self) -> bool:
        """As many listen as may."""
        return self._listeners >= MOST_STREAMS

    async def stream(self, still_allowed: Callable[[], bool]) -> AsyncIterator[bytes]:
        """``changed`` whenever something is new; ends after a while, or with the login."""
        self._listeners += 1
        if self._looking is None:
            self._looking = asyncio.create_task(self._look())
        told, silent, end_s = "", 0, asyncio.get_running_loop().time() + STREAM_S
        try:
            yield b"retry: 2000\n\n"
            while still_allowed() and asyncio.get_running_loop().time() < end_s:
                if self._mark and self._mark != told:
                    told, silent = self._mark, 0
                    yield f"event: mark\ndata: {told}\n\n".encode()
                elif silent >= _BREATH_LOOKS:
                    silent = 0
                    yield b": still here\n\n"
                silent += 1
                await asyncio.sleep(LOOK_EVERY_S)
        finally:
            self._listeners -= 1
            if not self._listeners and self._looking is not None:
                self._looking.cancel()
                self._looking = None

    async def _look(self) -> None:
        while True:
            with contextlib.suppress(PerphedgeError, OSError):
                self._mark = await asyncio.to_thread(mark_of, self._state_dir)
            await asyncio.sleep(LOOK_EVERY_S)
