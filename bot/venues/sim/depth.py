"""The market's own liquidity: a book that thins with size, remembers takers and recovers.

Square-root law: within the relative distance d beyond the best price lie ADV * (d / (Y * sigma))^2
USD on each side, so that taking V moves the price by Y * sigma * sqrt(V / ADV). Levels stand at
distances s * k^2 (k = 0, 1, ...) and hold what lies between s * (k - 1/2)^2 and s * (k + 1/2)^2.
"""

import math
from collections.abc import Iterator
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal

from bot.ports import Quote
from bot.trading.orders import Side
from bot.venues.sim.settings import ExchangeSettings
from risk.instrument import Instrument

_MAX_DISTANCE = 0.5
_FORGOTTEN_LOTS = 1e-6
Level = tuple[Decimal, Decimal]


def to_step(value: float | Decimal, step: Decimal, rounding: str) -> Decimal:
    """``value`` as a whole number of ``step``; a float is read by its shortest decimal form."""
    exact = value if isinstance(value, Decimal) else Decimal(repr(value))
    return (exact / step).to_integral_value(rounding=rounding) * step


class StreetBook:
    """Liquidity of one symbol outside the exchange's accounts.

    What takers took is kept for each side in lots and halves with the recovery half-life.
    ``Side.SELL`` is the side of the asks, which a buyer takes.
    """

    def __init__(self, instrument: Instrument, settings: ExchangeSettings) -> None:
        self._tick = instrument.tick
        self._lot = instrument.lot
        self._settings = settings
        self._quote: Quote | None = None
        self._best: dict[Side, Decimal] = {}  # of this quote
        self._lots_at_unit_distance = 0.0
        self._taken_lots = {Side.BUY: 0.0, Side.SELL: 0.0}
        self._taken_at_ms = 0

    def renew(self, quote: Quote, now_ms: int, liquidity: float) -> None:
        """New best prices and depth; ``liquidity`` multiplies the depth of the law."""
        self._recover(now_ms)
        sigma = quote.volatility_daily or self._settings.default_volatility_daily
        mid = (quote.bid + quote.ask) / 2
        usd = liquidity * quote.daily_volume_usd / (self._settings.impact * sigma) ** 2
        self._lots_at_unit_distance = usd / (mid * float(self._lot))
        self._quote = quote
        self._best.clear()

    def best(self, side: Side) -> Decimal:
        """The quoted price of a side on the tick, whether or not it was taken."""
        found = self._best.get(side)
        if found is None:
            found = self._best[side] = self._on_tick(side)
        return found

    def _on_tick(self, side: Side) -> Decimal:
        assert self._quote is not None, "quoted before it is asked for"
        if side is Side.SELL:
            return to_step(self._quote.ask, self._tick, ROUND_CEILING)
        return max(to_step(self._quote.bid, self._tick, ROUND_FLOOR), self._tick)

    def levels(self, side: Side, now_ms: int) -> Iterator[Level]:
        """(price, base quantity) of what is left, best first; none empty, none negative."""
        self._recover(now_ms)
        best = self.best(side)
        direction = 1 if side is Side.SELL else -1
        step = max(self._settings.level_step, float(self._tick / best))
        step_price = best * Decimal(repr(step))
        # Whole lots, so that nothing is lost where lots outnumber a float's digits.
        taken, passed = math.ceil(self._taken_lots[side]), 0
        for k in range(math.isqrt(int(_MAX_DISTANCE / step)) + 1):
            law_lots = math.floor(self._lots_at_unit_distance * (step * (k + 0.5) ** 2) ** 2)
            left = max(0, law_lots - taken)
            if left > passed:
                away = to_step(step_price * k * k, self._tick, ROUND_HALF_UP)
                price = best + direction * away
                if price <= 0:
                    return
                yield price, (left - passed) * self._lot
                passed = left

    def take(self, side: Side, quantity: Decimal, now_ms: int) -> None:
        """Remember that ``quantity`` base units, best first, are gone from this side."""
        self._recover(now_ms)
        self._taken_lots[side] += float(quantity / self._lot)

    def _recover(self, now_ms: int) -> None:
        elapsed_s = (now_ms - self._taken_at_ms) / 1000
        self._taken_at_ms = now_ms
        if elapsed_s <= 0:
            return
        left = 0.5 ** (elapsed_s / self._settings.recovery_half_life_seconds)
        for side, lots in self._taken_lots.items():
            self._taken_lots[side] = lots * left if lots * left > _FORGOTTEN_LOTS else 0.0
