"""What a strategy answers: a proposal, or the reason for none. Failure is a value."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from risk.limits.caps import LimitBreach
from risk.quick_init import quick_init


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


@quick_init
@dataclass(frozen=True, slots=True)
class RiskState:
    """Risk of bot and hedges together at one allocation.

    Attributes:
        volatility_daily_usd: standard deviation of one day's PnL, USD.
        cae_usd: correlation-adjusted exposure, USD of BTC.
        hedge_gross_usd: sum of absolute hedges, USD.
        cap_use: value divided by limit for each cap, by name (largest over its scopes).
        breaches: caps exceeded.
        es95_usd: expected shortfall 95 of one day, a loss is positive; None without scenarios.
    """

    volatility_daily_usd: float
    cae_usd: float
    hedge_gross_usd: float
    cap_use: Mapping[str, float]
    breaches: tuple[LimitBreach, ...]
    es95_usd: float | None = None


@dataclass(frozen=True, slots=True)
class VarianceSplit:
    """Where the variance of one day's PnL comes from, USD².

    The market's part is what BTC, the other benchmarks and the sector as a whole explain; the rest
    is specific. Parts add up: the bot alone has ``systematic_bot + specific_bot``, with the hedges
    there is ``systematic_after + specific_bot + specific_added``.

    Attributes:
        systematic_bot_usd2, systematic_after_usd2: of the bot alone, and with the hedges.
        specific_bot_usd2: the bot's own bet, which hedges in other tokens leave alone.
        specific_added_usd2: what the hedges add to it; below 0 where they offset some.
    """

    systematic_bot_usd2: float
    systematic_after_usd2: float
    specific_bot_usd2: float
    specific_added_usd2: float

    @property
    def systematic_removed(self) -> float | None:
        """Share of the bot's systematic variance that is gone; None where it has none."""
        if self.systematic_bot_usd2 <= 0:
            return None
        return 1.0 - self.systematic_after_usd2 / self.systematic_bot_usd2


@dataclass(frozen=True, slots=True)
class Alternative:
    """Something else that could be done, and why it is not.

    Attributes:
        name: ``no trade``, ``BTC alone``.
        objective_usd: J, USD over the horizon.
        volatility_daily_usd: of the book with it.
        trade_cost_usd: what trading costs once.
        reason: why it lost, in words.
    """

    name: str
    objective_usd: float
    volatility_daily_usd: float
    trade_cost_usd: float
    reason: str


@dataclass(frozen=True, slots=True)
class StressLine:
    """One stress of the account that holds the hedges: loss and margin it takes, USD."""

    name: str
    taken_before_usd: float
    taken_after_usd: float


@dataclass(frozen=True, slots=True)
class Deleveraging:
    """The venue closes a share of every hedge at the worst moment; told, not capped.

    Attributes:
        share: of each hedge that is gone.
        volatility_daily_usd: of what is left.
        stress: in which stress that costs most; empty where none is known.
        loss_usd: of bot and what is left of the hedges in it; None where none is known.
    """

    share: float
    volatility_daily_usd: float
    stress: str
    loss_usd: float | None


@dataclass(frozen=True, slots=True)
class CapInConflict:
    """One cap of a set that cannot all hold; ``scope`` as in LimitBreach."""

    cap: str
    scope: str


@dataclass(frozen=True, slots=True)
class Conflict:
    """Why the caps cannot all be met.

    Attributes:
        caps: a minimal set that no allowed hedge meets: without any one of them the others could
            be. Empty where it could not be found.
        bot_alone: caps that the bot's positions exceed without any hedge.
    """

    caps: tuple[CapInConflict, ...]
    bot_alone: tuple[str, ...]


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
        alternatives: the three best of what else was weighed, the best first.
        variance: systematic and specific; None where there is nothing to hedge.
        stresses: what each stress takes of the account, before and after.
        deleveraging: when part of the hedges is gone.
        conflict: why slacks were needed; None where they were not.
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
    alternatives: tuple[Alternative, ...] = ()
    variance: VarianceSplit | None = None
    stresses: tuple[StressLine, ...] = ()
    deleveraging: Deleveraging | None = None
    conflict: Conflict | None = None

    @property
    def trades(self) -> tuple[HedgeLeg, ...]:
        """The legs that trade."""
        return tuple(leg for leg in self.legs if leg.trade_usd != 0)


class NoHedgeReason(StrEnum):
    """Why nothing is proposed."""

    FLAT = "flat"  # the bot holds nothing and neither do we
    NOT_WORTH_IT = "not_worth_it"  # to the strategy, which may not trade for the sake of caps
    NOTHING_ALLOWED = "nothing_allowed"  # no symbol is left to hedge with
    INFEASIBLE = "infeasible"  # no allowed hedge meets or improves the caps
    SOLVER_FAILED = "solver_failed"  # held: a solver's failure is never acted on


@dataclass(frozen=True, slots=True)
class NoHedge:
    """No trade, and why.

    ``state`` is the risk as it stands (None where it was not computed); ``conflict`` tells which
    caps exclude each other where they do.
    """

    strategy: str
    timestamp_ms: int
    reason: NoHedgeReason
    detail: str
    state: RiskState | None
    conflict: Conflict | None = None
