"""Settings and counters of the simulated exchange."""

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class ExchangeSettings:
    """How the exchange behaves where Binance differs by symbol, tier or time.

    Attributes:
        impact: Y of the square-root law: taking V moves the price by Y * sigma * sqrt(V / ADV).
        default_volatility_daily: sigma where the quote does not tell.
        depth_jitter: depth of each symbol varies by up to this fraction from hour to hour.
        recovery_half_life_seconds: half of the liquidity taken is back after this time.
        level_step: distance of the second book level from the first, as a fraction of the price.
        default_leverage: of a symbol that the account never set.
        percent_price: limit prices may lie this far beyond mark, a fraction.
        market_take_bound: market orders take no price farther than this from mark, a fraction.
        max_open_orders: per account and symbol.
        liquidation_fee: of the notional closed by a liquidation, a fraction.
    """

    impact: float = 1.0
    default_volatility_daily: float = 0.05
    depth_jitter: float = 0.0
    recovery_half_life_seconds: float = 60.0
    level_step: float = 2e-5
    default_leverage: int = 20
    percent_price: Decimal = Decimal("0.15")
    market_take_bound: Decimal = Decimal("0.15")
    max_open_orders: int = 200
    liquidation_fee: Decimal = Decimal("0.0125")


DEFAULT_SETTINGS = ExchangeSettings()


@dataclass(slots=True)
class ExchangeCounters:
    """What the exchange itself counted.

    Attributes:
        orders_received: calls to place, refused ones included; liquidations are not orders of
            a client and not counted.
        fills: executions of clients' orders, one for each order that took part.
        rejected: orders refused with an error code.
        public_requests, private_requests: counted by the HTTP face.
    """

    orders_received: int = 0
    fills: int = 0
    rejected: int = 0
    public_requests: int = 0
    private_requests: int = 0
