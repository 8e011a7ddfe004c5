"""Two clocks: the system's, and one that moves only when told."""

import asyncio
import time


class SystemClock:
    """Wall time."""

    def now_ms(self) -> int:
        """UTC milliseconds."""
        return time.time_ns() // 1_000_000

    async def sleep(self, seconds: float) -> None:
        """Wait in wall time."""
        await asyncio.sleep(seconds)


class SimulatedClock:
    """Time that stands still until it is advanced; sleeping advances it."""

    def __init__(self, now_ms: int) -> None:
        self._now_ms = now_ms

    def now_ms(self) -> int:
        """UTC milliseconds of the simulation."""
        return self._now_ms

    def advance_to(self, now_ms: int) -> None:
        """Move on; time never goes back.

        Raises:
            ValueError: ``now_ms`` lies in the past.
        """
        if now_ms < self._now_ms:
            raise ValueError(f"clock at {self._now_ms} cannot go back to {now_ms}")
        self._now_ms = now_ms

    async def sleep(self, seconds: float) -> None:
        """Advance by ``seconds`` and let other tasks run."""
        self._now_ms += round(seconds * 1000)
        await asyncio.sleep(0)
