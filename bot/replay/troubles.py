"""Trouble that is made up: what an exchange has done, or may do, in the hours of an episode."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Final

from bot.doors import Doors
from bot.errors import UnreachableError
from bot.feeds.array_tape import ArrayTape
from bot.ports import Clock
from bot.session.stand_ins import offers, stand_in
from bot.venues.paper import PaperVenue
from risk.returns import HOUR_MS

ADL_SHARE: Final = Decimal("0.5")
DOWN_MARGIN_MS: Final = 5 * 60_000
"""Before and after the hour that it lasts, so that it covers the cycles at both of its ends."""
FUNDING_FACTOR: Final = 10.0


def same_tape(tape: ArrayTape, _struck_ms: int) -> ArrayTape:
    """Prices and funding as recorded."""
    return tape


def same_doors(doors: Doors, _clock: Clock, _struck_ms: int) -> Doors:
    """Everything answers."""
    return doors


def no_blow(_venue: PaperVenue, _hour_ms: int, _struck_ms: int) -> None:
    """The exchange leaves the account alone."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """One kind of it; by default there is none.

    Attributes:
        sentence: what happens, its beginning a capital, without a full stop.
        tape: what becomes of the recorded market from the moment that it strikes.
        doors: what becomes of what the engine asks.
        blow: what the exchange does to the account after an hour's cycle, at that hour's prices.
        lasting: goes on to the end, so that it may strike before the worst hour.
    """

    sentence: str = ""
    tape: Callable[[ArrayTape, int], ArrayTape] = same_tape
    doors: Callable[[Doors, Clock, int], Doors] = same_doors
    blow: Callable[[PaperVenue, int, int], None] = no_blow
    lasting: bool = False


def _deleverage(venue: PaperVenue, hour_ms: int, struck_ms: int) -> None:
    """Half of every hedge is closed, once, as for somebody else's liquidation."""
    if hour_ms == struck_ms:
        venue.deleverage(ADL_SHARE)


def _dear_funding(tape: ArrayTape, struck_ms: int) -> ArrayTape:
    return tape.with_funding(
        lambda track: replace(
            track,
            rate=track.rate * (1.0 + (FUNDING_FACTOR - 1.0) * (track.time_ms >= struck_ms)),
        )
    )


class _Down:
    """Answers of a door, but none while the exchange is down: over the hour that is struck."""

    def __init__(self, door: Any, clock: Clock, struck_ms: int) -> None:
        self._door = door
        self._clock = clock
        self._struck_ms = struck_ms

    async def asked(self, door: str, method: str, args: tuple[Any, ...]) -> Any:
        """See Answers."""
        into_ms = self._clock.now_ms() - self._struck_ms
        if -DOWN_MARGIN_MS <= into_ms <= HOUR_MS + DOWN_MARGIN_MS:
            raise UnreachableError(f"{door}: {method}: the exchange is down")
        return await getattr(self._door, method)(*args)

    def called(self, door: str, method: str, args: tuple[Any, ...]) -> Any:
        """See Answers; what needs no exchange."""
        del door
        found = getattr(self._door, method)
        return found(*args) if callable(found) else found


def _down(doors: Doors, clock: Clock, struck_ms: int) -> Doors:
    def cut(name: str, door: Any) -> Any:
        if name.startswith("source "):
            return door
        return stand_in(name, offers(door), _Down(door, clock, struck_ms), door.close)

    return doors.through(cut)


TROUBLES: Final[Mapping[str, Trouble]] = {
    "adl-half": Trouble(
        "The exchange closes half of every hedge by auto-deleveraging as the worst hour begins",
        blow=_deleverage,
    ),
    "exchange-down": Trouble(
        "The exchange does not answer from five minutes before the worst hour until five after it",
        doors=_down,
    ),
    "funding-x10": Trouble(
        "Funding is ten times as high from the first hour on", tape=_dear_funding, lasting=True
    ),
}
CALM: Final = Trouble()
