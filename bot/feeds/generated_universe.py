"""The tokens of the generated market: how they move, trade and are traded."""

from dataclasses import dataclass
from decimal import Decimal

from risk.instrument import Instrument

VENUE = "binanceusdm"
MAKER_FEE = 0.0002
TAKER_FEE = 0.0005

AGENTS, COMPUTE, DATA, INFRA = "agents", "compute", "data", "infrastructure"


@dataclass(frozen=True, slots=True)
class TokenSpec:
    """One token of the generated market.

    Attributes:
        base: its currency code.
        subsector: key of its sub-sector, empty for the benchmarks.
        price_usd: long-run level of its price.
        daily_volume_usd: what it trades on a usual day, USD.
        beta_btc, beta_eth, beta_sector, beta_subsector: loadings on the factors; the ETH factor is
            what ETH does beyond BTC.
        own_volatility: hourly standard deviation of its own part, as a log return.
        tick, lot, min_notional_usd: filters of its contract.
        interval_hours: between funding payments.
        lists_after_days: when it lists, in days from the start of trading (negative: before);
            None for a token that is as old as the tape.
    """

    base: str
    subsector: str
    price_usd: float
    daily_volume_usd: float
    beta_btc: float
    beta_eth: float
    beta_sector: float
    beta_subsector: float
    own_volatility: float
    tick: str
    lot: str
    min_notional_usd: int
    interval_hours: int
    lists_after_days: int | None = None

    @property
    def symbol(self) -> str:
        """Unified symbol."""
        return f"{self.base}/USDT:USDT"

    def instrument(self, listed_at_ms: int) -> Instrument:
        """Its contract."""
        return Instrument(
            symbol=self.symbol,
            base=self.base,
            quote="USDT",
            venue=VENUE,
            contract_size=Decimal(1),
            tick=Decimal(self.tick),
            lot=Decimal(self.lot),
            min_quantity=Decimal(self.lot),
            min_notional_usd=Decimal(self.min_notional_usd),
            maker_fee=MAKER_FEE,
            taker_fee=TAKER_FEE,
            funding_interval_hours=float(self.interval_hours),
            listed_at_ms=listed_at_ms,
        )


# One row a token: base, sub-sector, price, volume a day, betas (BTC, ETH, sector, sub-sector),
# own volatility an hour, tick, lot, least notional, funding hours, listing day.
UNIVERSE: tuple[TokenSpec, ...] = (
    TokenSpec("BTC", "", 64000.0, 1.2e10, 1.00, 0.0, 0.00, 0.0, 0.0004, "0.1", "0.001", 50, 8),
    TokenSpec("ETH", "", 2600.0, 9.0e9, 1.15, 1.0, 0.00, 0.0, 0.0008, "0.01", "0.001", 20, 8),
    TokenSpec("SOL", "", 150.0, 3.0e9, 1.30, 0.5, 0.15, 0.0, 0.0040, "0.01", "0.01", 5, 8),
    TokenSpec("FET", AGENTS, 1.25, 6.0e7, 1.40, 0.6, 1.15, 1.0, 0.0050, "0.0001", "1", 5, 8),
    TokenSpec("TAO", COMPUTE, 420.0, 8.0e7, 1.35, 0.5, 1.10, 1.0, 0.0056, "0.01", "0.001", 5, 4),
    TokenSpec("RENDER", COMPUTE, 5.2, 4.0e7, 1.35, 0.6, 1.05, 1.1, 0.0048, "0.001", "0.1", 5, 4),
    TokenSpec("NEAR", INFRA, 4.6, 1.3e8, 1.35, 0.7, 0.80, 0.9, 0.0044, "0.001", "1", 5, 8),
    TokenSpec("WLD", DATA, 2.1, 1.5e8, 1.45, 0.7, 1.00, 0.7, 0.0060, "0.0001", "1", 5, 8),
    TokenSpec("GRT", DATA, 0.17, 1.2e7, 1.30, 0.7, 0.85, 1.0, 0.0047, "0.00001", "1", 5, 8),
    TokenSpec("INJ", INFRA, 20.0, 5.0e7, 1.35, 0.6, 0.85, 1.0, 0.0052, "0.001", "0.1", 5, 8),
    TokenSpec("ICP", INFRA, 8.5, 2.5e7, 1.25, 0.6, 0.80, 1.0, 0.0048, "0.001", "1", 5, 8),
    TokenSpec("THETA", COMPUTE, 1.3, 1.0e7, 1.20, 0.6, 0.85, 0.9, 0.0050, "0.0001", "0.1", 5, 8),
    TokenSpec("AKT", COMPUTE, 2.6, 7.0e5, 1.05, 0.4, 0.80, 0.9, 0.0090, "0.0001", "0.1", 5, 4),
    TokenSpec("ARKM", DATA, 1.4, 2.0e7, 1.35, 0.6, 1.05, 1.0, 0.0060, "0.0001", "1", 5, 4),
    TokenSpec("IO", COMPUTE, 2.2, 1.2e7, 1.35, 0.6, 1.05, 1.1, 0.0060, "0.001", "1", 5, 4),
    TokenSpec("LPT", COMPUTE, 13.0, 9.0e6, 1.25, 0.6, 0.85, 1.0, 0.0064, "0.001", "0.1", 5, 4),
    TokenSpec("NMR", DATA, 15.0, 5.0e6, 1.15, 0.5, 0.75, 0.9, 0.0066, "0.01", "0.1", 5, 4),
    TokenSpec("PHB", AGENTS, 1.5, 4.5e5, 1.00, 0.4, 0.75, 0.8, 0.0105, "0.0001", "1", 5, 4),
    TokenSpec("ROSE", INFRA, 0.075, 6.0e6, 1.30, 0.6, 0.85, 1.0, 0.0052, "0.00001", "1", 5, 4),
    TokenSpec("VIRTUAL", AGENTS, 1.6, 6.0e7, 1.50, 0.6, 1.30, 1.1, 0.0078, "0.0001", "0.1", 5, 4),
    TokenSpec("KAITO", AGENTS, 1.2, 5.0e7, 1.4, 0.5, 1.20, 1.0, 0.0080, "0.0001", "0.1", 5, 1, -20),
    TokenSpec("GRASS", DATA, 1.1, 2.0e7, 1.4, 0.5, 1.15, 1.0, 0.0075, "0.0001", "0.1", 5, 1, 20),
)  # fmt: skip
