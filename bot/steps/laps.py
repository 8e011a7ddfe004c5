"""How long each phase of a cycle took."""

from bot.ports import Clock


class Laps:
    """Times the phases of one cycle, one after the other, by the engine's clock."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._began_ms = self._last_ms = clock.now_ms()
        self._spent_ms: dict[str, int] = {}

    def done(self, phase: str) -> None:
        """What went by since the phase before belongs to this one."""
        now_ms = self._clock.now_ms()
        # A clock that was set back must not make time that was spent negative.
        self._spent_ms[phase] = self._spent_ms.get(phase, 0) + max(0, now_ms - self._last_ms)
        self._last_ms = now_ms

    def told(self) -> dict[str, int]:
        """Milliseconds by phase, and ``total``; what no phase claimed is in the total alone."""
        whole_ms = max(0, self._clock.now_ms() - self._began_ms)
        return {**self._spent_ms, "total": max(whole_ms, sum(self._spent_ms.values()))}
