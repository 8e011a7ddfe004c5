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


@runtime_checkable
class DeadManSwitch(Protocol):
    """A venue that can cancel orders by itself when it hears nothing any more."""

    @property
    def has_dead_man(self) -> bool:
        """This venue can."""
        ...

    async def arm_dead_man(self, symbol: str, after_ms: int) -> bool:
        """Ends all of the account's orders, at least in the symbol, that long after now; 0: never.

        True where it is surely armed so. Never raises for the venue or the network.
        """
        ...
