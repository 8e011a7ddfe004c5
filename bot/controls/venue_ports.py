"""What a venue may offer controls beside trading itself."""

from typing import Protocol, runtime_checkable


@runtime_checkable
class Canceller(Protocol):
    """A venue that can end one order of ours."""

    async def cancel(self, symbol: str, client_id: str) -> bool:
        """True where the order is surely over. Never raises for the venue or the network."""
        ...


@runtime_checkable
class ClockTeller(Protocol):
    """A venue that tells its time."""

    async def clock_offset_ms(self) -> int | None:
        """Its clock less ours, milliseconds; None where it does not tell.

        Raises:
            UnreachableError, VenueError, DataError: it cannot be read.
        """
        ...
