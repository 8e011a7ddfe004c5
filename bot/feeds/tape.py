"""A tape: the market that the simulated exchange plays, and that a replay reads."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from bot.ports import Quote
from risk.crowding.report import FundingSeries
from risk.instrument import Instrument
from risk.returns import HOUR_MS, BarPanel

DAY_MS = 24 * HOUR_MS
BASE_RATE_8H = 0.0001  # the interest part, at which a calm perpetual's funding is pinned


@dataclass(frozen=True, slots=True)
class Kline:
    """One bar of any interval; prices in quote units, ``closed`` False while it is forming."""

    open_ms: int
    open: float
    high: float
    low: float
    close: float
    volume_base: float
    volume_usd: float
    closed: bool


@dataclass(frozen=True, slots=True)
class FundingPayment:
    """One settled payment: ``rate`` of notional for the interval that ended, positive: longs pay.

    ``substitute`` says that the rate is another venue's, or the pinned base rate.
    """

    symbol: str
    time_ms: int
    rate: float
    interval_hours: float
    mark_price: float
    substitute: bool


class Tape(Protocol):
    """A market over time. The same question always has the same answer, to the bit."""

    @property
    def instruments(self) -> Mapping[str, Instrument]:
        """By unified symbol, those that list later included."""
        ...

    @property
    def start_ms(self) -> int:
        """Open of the first bar, UTC milliseconds."""
        ...

    @property
    def end_ms(self) -> int | None:
        """End of the last bar; None where the tape never ends."""
        ...

    def quote(self, symbol: str, now_ms: int) -> Quote | None:
        """Prices then; None while not listed, before its first closed bar, or without data."""
        ...

    def quotes(self, now_ms: int) -> dict[str, Quote]:
        """All that have one, in the order of ``instruments``."""
        ...

    def klines(
        self, symbol: str, interval_ms: int, start_ms: int, end_ms: int, now_ms: int
    ) -> list[Kline]:
        """Bars with start_ms <= open < end_ms and open <= now; the last may be forming.

        ``interval_ms`` divides an hour, or is a whole number of hours that divides a day.
        """
        ...

    def panel(self, symbols: Sequence[str], start_ms: int, end_ms: int, now_ms: int) -> BarPanel:
        """Hourly bars with start_ms <= open < end_ms that are closed by now, NaN where missing."""
        ...

    def funding(self, symbol: str, start_ms: int, end_ms: int) -> list[FundingPayment]:
        """Settled payments with start_ms <= time < end_ms, oldest first; the caller knows now."""
        ...

    def funding_series(self, symbol: str, start_ms: int, end_ms: int) -> FundingSeries | None:
        """The same as arrays; None where there is no payment."""
        ...

    def premium(self, symbol: str, at_ms: int, now_ms: int) -> float | None:
        """Mean premium of mark over index in the funding interval that holds ``at_ms``, on the
        8-hour basis; None where it is not known or the interval is not settled by now."""
        ...

    def open_interest(self, symbol: str, now_ms: int) -> float | None:
        """Latest open interest in base units; None where unknown or older than a day."""
        ...
