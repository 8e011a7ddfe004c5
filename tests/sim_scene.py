"""A market of a few symbols with prices set by hand, and short ways to trade on it."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest

from bot.clock import SimulatedClock
from bot.ports import Quote
from bot.trading.orders import Side
from bot.venues.sim.account import SimAccount
from bot.venues.sim.errors import VenueReject
from bot.venues.sim.exchange import SimulatedExchange
from bot.venues.sim.records import NewOrder, OrderType, PositionSide, SimOrder, TimeInForce
from bot.venues.sim.settings import DEFAULT_SETTINGS, ExchangeSettings
from risk.instrument import Instrument

HOUR_MS = 3_600_000
START_MS = 1_704_067_200_000  # 2024-01-01 00:00 UTC
FET, BTC, TAO = "FET/USDT:USDT", "BTC/USDT:USDT", "TAO/USDT:USDT"


def instrument(symbol: str, tick: str, lot: str, hours: float) -> Instrument:
    """A contract with fees of 2 and 5 basis points and a minimum of 5 USD."""
    base, quote = symbol.removesuffix(":USDT").split("/")
    return Instrument(
        symbol=symbol,
        base=base,
        quote=quote,
        venue="binanceusdm",
        contract_size=Decimal(1),
        tick=Decimal(tick),
        lot=Decimal(lot),
        min_quantity=Decimal(lot),
        min_notional_usd=Decimal(5),
        maker_fee=0.0002,
        taker_fee=0.0005,
        funding_interval_hours=hours,
    )


INSTRUMENTS = (
    instrument(FET, "0.0001", "1", 4.0),
    instrument(BTC, "0.1", "0.001", 8.0),
    instrument(TAO, "0.01", "0.01", 1.0),
)
PRICES = {FET: 1.0, BTC: 50_000.0, TAO: 400.0}
VOLUMES = {FET: 2.5e7, BTC: 1e10, TAO: 2.5e8}


class Scene:
    """An exchange whose prices are set by hand; half-spread 1 basis point, sigma 5 %."""

    def __init__(self, settings: ExchangeSettings = DEFAULT_SETTINGS, seed: int = 0) -> None:
        self.clock = SimulatedClock(START_MS)
        self.exchange = SimulatedExchange(INSTRUMENTS, self.clock, seed, settings)
        self.prices = dict(PRICES)
        self.rate = 0.0
        self.update()

    def quote(self, symbol: str, **changes: Any) -> Quote:
        """The quote of now at the scene's price."""
        price = self.prices[symbol]
        hours = self.exchange.instruments[symbol].funding_interval_hours
        interval_ms = round(hours * HOUR_MS)
        values: dict[str, Any] = {
            "symbol": symbol,
            "timestamp_ms": self.clock.now_ms(),
            "mark": price,
            "index": price,
            "last": price,
            "bid": price * 0.9999,
            "ask": price * 1.0001,
            "daily_volume_usd": VOLUMES[symbol],
            "funding_rate": self.rate,
            "funding_interval_hours": hours,
            "next_funding_ms": (self.clock.now_ms() // interval_ms + 1) * interval_ms,
            "volatility_daily": 0.05,
        }
        return Quote(**{**values, **changes})

    def update(self, prices: Mapping[str, float] | None = None, **changes: Any) -> None:
        """New prices now; symbols not named keep theirs."""
        self.prices |= prices or {}
        self.exchange.update_market({s: self.quote(s, **changes) for s in self.prices})

    def after(self, milliseconds: int, prices: Mapping[str, float] | None = None) -> None:
        """Let time pass, then update."""
        self.clock.advance_to(self.clock.now_ms() + milliseconds)
        self.update(prices)

    def account(self, name: str = "bot", wallet: str = "100000") -> SimAccount:
        """A new account."""
        return self.exchange.open_account(name, f"{name}-key", f"{name}-secret", Decimal(wallet))

    def limit(  # noqa: PLR0917 - reads as an order ticket
        self,
        account: SimAccount,
        symbol: str,
        side: Side,
        quantity: str,
        price: str,
        tif: TimeInForce = TimeInForce.GTC,
        **more: Any,
    ) -> SimOrder:
        """Place a limit order."""
        return self.exchange.place(account, order(symbol, side, quantity, price, tif, **more))

    def market(
        self, account: SimAccount, symbol: str, side: Side, quantity: str, **more: Any
    ) -> SimOrder:
        """Place a market order."""
        return self.exchange.place(account, order(symbol, side, quantity, None, **more))


def order(
    symbol: str,
    side: Side,
    quantity: str,
    price: str | None,
    tif: TimeInForce = TimeInForce.GTC,
    **more: Any,
) -> NewOrder:
    """A limit order, or a market order when there is no price."""
    kind = OrderType.MARKET if price is None else OrderType.LIMIT
    limit = None if price is None else Decimal(price)
    side_of_position = PositionSide(more.pop("position_side", "BOTH"))
    return NewOrder(
        symbol=symbol,
        side=side,
        type=kind,
        quantity=Decimal(quantity),
        price=limit,
        time_in_force=tif,
        position_side=side_of_position,
        **more,
    )


def refused(code: int) -> pytest.RaisesExc[VenueReject]:
    """Expect a refusal with this code."""
    return pytest.raises(VenueReject, check=lambda refusal: refusal.code == code)
