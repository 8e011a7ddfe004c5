"""The bot of a replay, as the engine reads it."""

from decimal import Decimal

from bot.ports import Clock, ReportedPosition, SourceSnapshot
from bot.replay.holdings import Holdings

SOURCE = "replayed-bot"


class HoldingsSource:
    """PositionSource over holdings known hour by hour."""

    def __init__(self, holdings: Holdings, clock: Clock) -> None:
        self._holdings = holdings
        self._clock = clock

    @property
    def name(self) -> str:
        """Of the source."""
        return SOURCE

    @property
    def max_age_ms(self) -> int:
        """It is never old."""
        return 1

    async def read(self) -> SourceSnapshot:
        """What is held now."""
        now_ms = self._clock.now_ms()
        held = self._holdings.at(now_ms)
        positions = tuple(
            ReportedPosition(symbol, Decimal(repr(base))) for symbol, base in held.items()
        )
        return SourceSnapshot(self.name, now_ms, positions)

    async def close(self) -> None:
        """Nothing is held open."""
