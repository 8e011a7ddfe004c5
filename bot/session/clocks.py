"""The engine's clock while it is recorded, and the one that tells a played engine the same times.

The engine asks for the time hundreds of times a cycle, and names and limits follow from it. So
every answer is part of a session. What works below the doors or beside the cycle (feeds, streams,
the kill switch's watch) asks the same clock and is not part of it.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from bot.ports import Clock

_HEARD: ContextVar[bool] = ContextVar("heard", default=False)


@contextmanager
def hearing(*, on: bool = True) -> Iterator[None]:
    """Within the block, and the tasks that begin in it, the time asked for is written down."""
    token = _HEARD.set(on)
    try:
        yield
    finally:
        _HEARD.reset(token)


class RecordedClock:
    """Another clock's time, kept where it is heard.

    Attributes:
        told: milliseconds, in order, since somebody took them away.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.told: list[int] = []

    def now_ms(self) -> int:
        """UTC milliseconds."""
        now_ms = self._clock.now_ms()
        if _HEARD.get():
            self.told.append(now_ms)
        return now_ms

    async def sleep(self, seconds: float) -> None:
        """Wait, on the other clock."""
        await self._clock.sleep(seconds)


class PlayedClock:
    """Tells recorded times one after another; sleeping takes none."""

    def __init__(self, now_ms: int) -> None:
        self._now_ms = now_ms
        self._left: Iterator[int] = iter(())

    def play(self, times_ms: list[int]) -> None:
        """What is told from here on; afterwards the last of them, or what came before."""
        self._left = iter(times_ms)

    def now_ms(self) -> int:
        """The next one."""
        self._now_ms = next(self._left, self._now_ms)
        return self._now_ms

    @property
    def last_ms(self) -> int:
        """What was told last; reading it takes nothing away."""
        return self._now_ms

    async def sleep(self, seconds: float) -> None:
        """Lets other tasks run: how long it took is in what is told next."""
        await asyncio.sleep(0 * seconds)


class QuietClock:
    """A played clock for those whose questions were not recorded, such as the log."""

    def __init__(self, clock: PlayedClock) -> None:
        self._clock = clock

    def now_ms(self) -> int:
        """UTC milliseconds."""
        return self._clock.last_ms

    async def sleep(self, seconds: float) -> None:
        """Lets other tasks run."""
        await self._clock.sleep(seconds)
