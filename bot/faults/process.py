"""One life of the engine's process: the boundaries that it crosses, and how it may end there."""

from collections import Counter
from collections.abc import Callable

from bot.faults.errors import ProcessEndedError
from bot.faults.faultset import FaultSet
from bot.faults.kinds import CRASH_POINTS
from bot.faults.world import World

_MARKET_MOVES_S = 0.5  # in which prices do not stand still
_OF_NETWORK = frozenset(name for name in CRASH_POINTS if name.startswith("network."))
CrossingHook = Callable[[str], None]


class Process:
    """Alive until it is killed; everything of it that touches the world asks here first.

    Attributes:
        kill_at: name of the boundary to die at, and how many of them to live through first.
        crossed: how often each boundary was crossed, by all processes of the schedule.
        killed_at: how often a process died at each.
        on_death: told once, at the moment of death.
        on_network: told of each crossing of the network, while alive.
    """

    def __init__(
        self, world: World, faults: FaultSet, crossed: Counter[str], killed_at: Counter[str]
    ) -> None:
        self.alive = True
        self.kill_at: tuple[str, int] | None = None
        self.on_death: Callable[[str], None] = lambda _why: None
        self.on_network: CrossingHook = lambda _name: None
        self._world = world
        self._faults = faults
        self._crossed = crossed
        self._killed_at = killed_at

    def cross(self, name: str) -> None:
        """Come to a boundary.

        Raises:
            ProcessEndedError: the process is gone, or goes here.
        """
        if not self.alive:
            raise ProcessEndedError
        self._crossed[name] += 1
        if self.kill_at is not None and self.kill_at[0] == name:
            self._come_closer(name, self.kill_at[1])
        if name in _OF_NETWORK:
            self.on_network(name)

    def _come_closer(self, name: str, still: int) -> None:
        """To the one at which the process is killed."""
        if still <= 0:
            self._killed_at[name] += 1
            self.die(f"killed at {name}")
            raise ProcessEndedError
        self.kill_at = name, still - 1

    def die(self, why: str) -> None:
        """End at once."""
        if self.alive:
            self.alive = False
            self.on_death(why)


class EngineClock:
    """The engine's own idea of the time; sleeping lets the world go on."""

    def __init__(self, world: World, process: Process) -> None:
        self.offset_ms = 0
        self._world = world
        self._process = process

    def now_ms(self) -> int:
        """What the machine's clock says."""
        return self._world.now_ms + self.offset_ms

    async def sleep(self, seconds: float) -> None:
        """Let that much time pass."""
        if not self._process.alive:
            raise ProcessEndedError
        self._world.advance(round(seconds * 1000))
        if seconds >= _MARKET_MOVES_S:
            self._world.tick()

    def wait_ms(self, milliseconds: int) -> int:
        """Let time pass without yielding; the true time afterwards."""
        if milliseconds:
            self._world.advance(milliseconds)
        return self._world.now_ms
