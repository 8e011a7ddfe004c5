"""A market of plain arrays behind the market data port, and books over it."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

import numpy as np

from bot.measuring.monitor import Observation
from bot.ports import Quote, VenueAccount
from bot.trading.orders import Side
from risk.book import AccountState, Book, FloatArray, Owner, Position
from risk.crowding.report import FundingSeries
from risk.instrument import Instrument
from risk.returns import HOUR_MS, BarPanel

START_MS = 1_750_000_000_000 - 1_750_000_000_000 % HOUR_MS
SYMBOLS = tuple(f"{base}/USDT:USDT" for base in ("BTC", "ETH", "FET", "NEAR", "TAO", "WLD"))
BTC, ETH, FET, NEAR, TAO, WLD = SYMBOLS


def closes(hours: int, symbols: int = len(SYMBOLS), seed: int = 1) -> FloatArray:
    """(hours, N) prices on one common factor; the first symbol is the calmest."""
    rng = np.random.default_rng(seed)
    factor = rng.standard_normal((hours, 1))
    own = rng.standard_normal((hours, symbols))
    scale = 0.004 + 0.004 * (np.arange(symbols) > 0)
    return np.asarray(100.0 * np.exp(np.cumsum(scale * (0.8 * factor + 0.6 * own), axis=0)))


class PanelMarket:
    """Bars and funding from arrays; counts what it is asked."""

    def __init__(
        self,
        close: FloatArray,
        symbols: Sequence[str] = SYMBOLS,
        volume_usd: Mapping[str, float] | None = None,
    ) -> None:
        """Close (T, N) from START_MS; 50 million USD a day, or ``volume_usd`` by symbol."""
        self.symbols = tuple(symbols)
        self.closes = close
        daily = [(volume_usd or {}).get(s, 50e6) for s in symbols]
        self.volume = np.where(np.isnan(close), np.nan, np.array(daily) / 24.0)
        self.payments: dict[str, FundingSeries] = {}
        self.asked_bars: list[tuple[int, int]] = []

    async def instruments(self) -> Mapping[str, Instrument]:
        """One for each symbol."""
        return {symbol: instrument(symbol) for symbol in self.symbols}

    async def bars(self, symbols: Sequence[str], start_ms: int, end_ms: int) -> BarPanel:
        """The rows in between."""
        self.asked_bars.append((start_ms, end_ms))
        opens = START_MS + HOUR_MS * np.arange(len(self.closes), dtype=np.int64)
        rows = (opens >= start_ms) & (opens < end_ms)
        columns = [self.symbols.index(s) for s in symbols]
        return BarPanel(
            tuple(symbols),
            opens[rows],
            self.closes[rows][:, columns],
            self.volume[rows][:, columns],
        )

    async def quotes(self, symbols: Sequence[str]) -> Mapping[str, Quote]:
        """At the last close."""
        return {s: quote(s, float(self.closes[-1, self.symbols.index(s)])) for s in symbols}

    async def depth_usd(self, symbol: str, within: float) -> Mapping[Side, float]:
        """None known."""
        del symbol, within
        return {}

    async def funding(
        self, symbols: Sequence[str], start_ms: int, end_ms: int
    ) -> Mapping[str, FundingSeries]:
        """Those settled in between."""
        cut = {s: f.since(start_ms).until(end_ms - 1) for s, f in self.payments.items()}
        return {s: f for s, f in cut.items() if s in symbols and len(f.time_ms)}

    async def close(self) -> None:
        """There are none."""


def instrument(symbol: str) -> Instrument:
    """A contract of ordinary size."""
    return Instrument(
        symbol=symbol,
        base=symbol.partition("/")[0],
        quote="USDT",
        venue="binanceusdm",
        contract_size=Decimal(1),
        tick=Decimal("0.01"),
        lot=Decimal("0.1"),
        min_quantity=Decimal("0.1"),
        min_notional_usd=Decimal(5),
        maker_fee=0.0002,
        taker_fee=0.0005,
        funding_interval_hours=8.0,
    )


def quote(symbol: str, price: float, spread: float = 2e-4) -> Quote:
    """Bid and ask around a price, half a ``spread`` away on either side."""
    return Quote(
        symbol=symbol,
        timestamp_ms=START_MS,
        mark=price,
        index=price,
        last=price,
        bid=price * (1 - spread / 2),
        ask=price * (1 + spread / 2),
        daily_volume_usd=50e6,
        funding_rate=1e-4,
        funding_interval_hours=8.0,
        next_funding_ms=START_MS,
    )


def payments(symbol: str, rate: float, hours: int, every: int = 8) -> FundingSeries:
    """The same rate for as long as the bars run."""
    times = START_MS + HOUR_MS * np.arange(every, hours + 1, every, dtype=np.int64)
    k = len(times)
    return FundingSeries(symbol, times, np.full(k, rate), np.full(k, float(every)))


def observation(
    market: PanelMarket,
    bot_usd: Mapping[str, float],
    hedge_usd: Mapping[str, float] | None = None,
    *,
    listed: frozenset[str] = frozenset(),
    unpriced: Sequence[str] = (),
    margin_rate: Mapping[str, float] | None = None,
    shared_account: bool = False,
    available_usd: float = 60_000.0,
) -> Observation:
    """Positions of these notionals at the last close."""
    now_ms = START_MS + HOUR_MS * len(market.closes)
    held = [(s, usd, Owner.BOT) for s, usd in bot_usd.items()]
    held += [(s, usd, Owner.HEDGE) for s, usd in (hedge_usd or {}).items()]
    price = dict(zip(market.symbols, market.closes[-1].tolist(), strict=True))
    positions = tuple(
        Position(s, owner, "test", usd / price[s], price[s], now_ms) for s, usd, owner in held
    )
    state = AccountState("hedge", 60_000.0, available_usd, 0.0, 0.0, now_ms)
    account = VenueAccount(
        state=state,
        base_quantity={},
        margin_rate=margin_rate or {},
        liquidation_price={},
        open_order_client_ids=frozenset(),
    )
    return Observation(
        book=Book(now_ms, positions, state),
        quotes={s: quote(s, price[s]) for s in market.symbols if s not in unpriced},
        instruments={s: instrument(s) for s in market.symbols},
        account=account,
        own={},
        bot_listed=listed,
        shared_account=shared_account,
    )
