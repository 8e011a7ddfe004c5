"""One symbol of the simulated exchange: its quote, brackets, depth and resting orders."""

import hashlib
import math
from collections.abc import Iterator, Mapping
from decimal import ROUND_HALF_EVEN, Decimal

from bot.ports import Quote
from bot.trading.orders import Side
from bot.venues.sim.brackets import brackets_by_volume
from bot.venues.sim.depth import StreetBook, to_step
from bot.venues.sim.errors import Code, reject
from bot.venues.sim.filters import decimals, symbol_filters
from bot.venues.sim.records import ZERO, Bracket, SimOrder
from bot.venues.sim.settings import ExchangeSettings
from risk.errors import DataError
from risk.instrument import Instrument

HOUR_MS = 3_600_000


class SymbolMarket:
    """State of one symbol; ``quote`` is None until it is first quoted.

    Attributes:
        trading: quoted in the last update.
        mark: mark price in Decimal, kept from the last quote.
        brackets: fixed by the daily volume of the first quote; before it, those of the thinnest.
        funding_due_ms: next payment; None before the first quote.
        resting: open orders of all accounts by order id.
    """

    def __init__(self, instrument: Instrument, settings: ExchangeSettings, seed: int) -> None:
        self.instrument = instrument
        self.filters = symbol_filters(instrument, settings)
        self.maker_fee = Decimal(repr(instrument.maker_fee))
        self.taker_fee = Decimal(repr(instrument.taker_fee))
        self.street = StreetBook(instrument, settings)
        self.quote: Quote | None = None
        self.trading = False
        self.mark = ZERO
        self.brackets: tuple[Bracket, ...] = brackets_by_volume(0.0)
        self.funding_due_ms: int | None = None
        self.resting: dict[int, SimOrder] = {}
        self._seed = seed
        self._jitter = settings.depth_jitter
        self._mark_step = Decimal(1).scaleb(-max(8, decimals(instrument.tick) + 2))

    @property
    def symbol(self) -> str:
        """Unified symbol."""
        return self.instrument.symbol

    def renew(self, quote: Quote, now_ms: int) -> None:
        """Take a new quote that was checked."""
        if self.quote is None:
            self.brackets = brackets_by_volume(quote.daily_volume_usd)
        self.quote = quote
        self.trading = True
        self.mark = to_step(quote.mark, self._mark_step, ROUND_HALF_EVEN)
        self.street.renew(quote, now_ms, self._liquidity(now_ms))

    def require_trading(self) -> Quote:
        """The quote of a symbol that trades now.

        Raises:
            VenueReject: never quoted, or not in the last update.
        """
        if self.quote is None or not self.trading:
            raise reject(Code.SYMBOL_CLOSED)
        return self.quote

    def queue(self, side: Side) -> list[SimOrder]:
        """Resting orders of one side, first in line first."""
        sign = -side.sign  # buyers with the highest price come first
        orders = (o for o in self.resting.values() if o.side is side)
        return sorted(orders, key=lambda o: (sign * o.price, o.priority))

    def levels(self, side: Side, now_ms: int) -> Iterator[tuple[Decimal, Decimal]]:
        """(price, quantity) of the market's liquidity and resting orders together, best first."""
        resting: dict[Decimal, Decimal] = {}
        for order in self.queue(side):
            resting[order.price] = resting.get(order.price, ZERO) + order.remaining
        waiting = iter(resting.items())
        own = next(waiting, None)
        for price, quantity in self.street.levels(side, now_ms):
            total = quantity
            while own is not None and side.sign * (own[0] - price) >= 0:
                if own[0] == price:
                    total += own[1]
                else:
                    yield own
                own = next(waiting, None)
            yield price, total
        if own is not None:
            yield own
            yield from waiting

    def _liquidity(self, now_ms: int) -> float:
        """Multiple of the depth law in this hour, from the seed."""
        if not self._jitter:
            return 1.0
        key = f"{self._seed}:{self.symbol}:{now_ms // HOUR_MS}".encode()
        share = int.from_bytes(hashlib.sha256(key).digest()[:6], "big") / 2**48
        return 1.0 + self._jitter * (2 * share - 1)


MOST_PRICE_USD = 1e12
"""No contract costs as much; beyond it amounts of money have too many digits to be exact."""


def check_quote(quote: Quote) -> None:
    """Refuse what no exchange can run on.

    Raises:
        DataError: a price is not positive or larger than any, or volume or funding is not known.
    """
    prices = quote.mark, quote.index, quote.last, quote.bid, quote.ask
    for name, price in zip(("mark", "index", "last", "bid", "ask"), prices, strict=True):
        if not 0 < price <= MOST_PRICE_USD:
            raise DataError(
                f"{quote.symbol}: {name} price {price}, must be above 0 and at most "
                f"{MOST_PRICE_USD:g}"
            )
    if not (math.isfinite(quote.daily_volume_usd) and quote.daily_volume_usd >= 0):
        raise DataError(f"{quote.symbol}: daily volume {quote.daily_volume_usd} USD")
    if not math.isfinite(quote.funding_rate):
        raise DataError(f"{quote.symbol}: funding rate {quote.funding_rate}")
    if not (math.isfinite(quote.funding_interval_hours) and quote.funding_interval_hours > 0):
        raise DataError(f"{quote.symbol}: funding every {quote.funding_interval_hours} hours")
    volatility = quote.volatility_daily
    if volatility is not None and not (math.isfinite(volatility) and volatility >= 0):
        raise DataError(f"{quote.symbol}: daily volatility {volatility}")


class Markets:
    """All symbols by unified symbol, in the order of their names."""

    def __init__(self, markets: Mapping[str, SymbolMarket]) -> None:
        self._markets = dict(sorted(markets.items()))

    def __getitem__(self, symbol: str) -> SymbolMarket:
        """The symbol's market.

        Raises:
            VenueReject: the exchange has no such symbol.
        """
        market = self._markets.get(symbol)
        if market is None:
            raise reject(Code.BAD_SYMBOL)
        return market

    def __iter__(self) -> Iterator[SymbolMarket]:
        return iter(self._markets.values())
