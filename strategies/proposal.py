"""What a strategy answers: a proposal, or the reason for none. Failure is a value."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from risk.limits.caps import LimitBreach


@dataclass(frozen=True, slots=True)
class HedgeLeg:
    """One instrument of a proposal, USD signed; ``trade_usd`` is a whole number of lots."""

    symbol: str
    current_usd: float
    target_usd: float
    trade_usd: float
    price_usd: float


@dataclass(frozen=True, slots=True)
class CostEstimate:
    """Expected cost of a proposal: the trade once, carry per day (negative: received), USD."""

    fee_usd: float
    spread_usd: float
    impact_usd: float
    carry_usd_per_day: float

    @property
    def trade_usd(self) -> float:
        """What trading costs once: fee, half-spread and impact."""
        return self.fee_usd + self.spread_usd + self.impact_usd


@dataclass(frozen=True, slots=True)
class RiskState:
    """Risk of bot and hedges together at one allocation.

    Attributes:
        volatility_daily_usd: standard deviation of one day's PnL, USD.
        cae_usd: correlation-adjusted exposure, USD of BTC.
        hedge_gross_usd: sum of absolute hedges, USD.
        cap_use: value divided by limit for each cap, by name (largest over its scopes).
        breaches: caps exceeded.
    """

    volatility_daily_usd: float
    cae_usd: float
    hedge_gross_usd: float
    cap_use: Mapping[str, float]
    breaches: tuple[LimitBreach, ...]


@dataclass(frozen=True, slots=True)
class HedgeProposal:
    """A set of trades and what they are expected to do.

    Attributes:
        strategy: name of the strategy.
        timestamp_ms: decision time, UTC milliseconds.
        legs: every symbol with a hedge now or after; a leg that stays has ``trade_usd`` 0.
        before, after: risk without and with the trades.
        cost: expected cost.
        shadow_prices: USD of objective per USD of cap, by cap name; caps that do not bind are 0.
        slacks_usd: caps that had to be relaxed, and by how much; empty when all can be met.
        objective_relaxed, objective_lots: objective before and after rounding, USD.
        solver_status: what the solver said.
        sentence: the decision in one plain sentence.
    """

    strategy: str
    timestamp_ms: int
    legs: tuple[HedgeLeg, ...]
    before: RiskState
    after: RiskState
    cost: CostEstimate
    shadow_prices: Mapping[str, float]
    slacks_usd: Mapping[str, float]
    objective_relaxed: float
    objective_lots: float
    solver_status: str
    sentence: str

    @property
    def trades(self) -> tuple[HedgeLeg, ...]:
        """The legs that trade."""
        return tuple(leg for leg in self.legs if leg.trade_usd != 0)


class NoHedgeReason(StrEnum):
    """Why nothing is proposed."""

    FLAT = "flat"  # the bot holds nothing and neither do we
    NOT_WORTH_IT = "not_worth_it"  # every cap holds and no trade pays for itself
    NOTHING_ALLOWED = "nothing_allowed"  # no symbol is left to hedge with
    INFEASIBLE = "infeasible"  # no allowed hedge meets or improves the caps
    SOLVER_FAILED = "solver_failed"  # held: a solver's failure is never acted on


@dataclass(frozen=True, slots=True)
class NoHedge:
    """No trade, and why; ``state`` is the risk as it stands (None where it was not computed)."""

    strategy: str
    timestamp_ms: int
    reason: NoHedgeReason
    detail: str
    state: RiskState | None
