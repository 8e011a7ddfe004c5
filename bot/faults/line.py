"""The line between the engine and the world: latency, boundaries, and faults of the network."""

from bot.faults.faultset import FaultSet
from bot.faults.process import Process
from bot.faults.wire import WIRE, WireFault, refuse_read
from bot.faults.world import World

READS = frozenset(name for name, fault in WIRE.items() if fault.reads)
_STRIKES_POST = 0.5
_STRIKES_READ = 0.1


class Line:
    """What every door shares."""

    def __init__(self, world: World, process: Process, faults: FaultSet) -> None:
        self.world = world
        self.process = process
        self.faults = faults

    def ask(self, name: str) -> None:
        """A request that changes nothing leaves and arrives; call ``answered`` afterwards.

        Raises:
            UnreachableError, VenueError: a fault of the network.
            ProcessEndedError: the process ends here.
        """
        self.process.cross(f"network.{name}.before")
        self.world.advance(self.faults.die.randint(2, 30))
        kind = self.faults.one_of(READS, _STRIKES_READ)
        if kind is not None:
            self.faults.count(kind)
            self.world.advance(WIRE[kind].wait_ms)
            refuse_read(name, WIRE[kind])

    def answered(self, name: str) -> None:
        """The answer is there."""
        self.process.cross(f"network.{name}.after")

    def post_fault(self) -> WireFault | None:
        """What goes wrong with a request that sends an order."""
        kind = self.faults.one_of(WIRE.keys(), _STRIKES_POST)
        if kind is None:
            return None
        self.faults.count(kind)
        return WIRE[kind]
