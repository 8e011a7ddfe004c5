"""The hedge problem of one decision in exact numbers, before any solver: bounds, risk, costs, caps.

    J(h) = (λτ/2E)·(max_k xᵀΣ_k x + ρ(σᵀ|x|)²) + ν·ES(x) + costs(h, z),   x = p + h,  z = h − h₀

There is one Σ, and others beside it only for the worst of several windows; ν is 0 unless a price of
the tail is chosen. λτ/2E turns variance into USD (half of λ times variance per USD of equity E,
over τ days).
"""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack

from risk.book import FloatArray
from risk.errors import OptimizationError
from strategies.cap_rows import cap_table
from strategies.caps import CapTable
from strategies.costs import CostModel, cost_model
from strategies.cushion import cushioned
from strategies.inputs import HedgeChoices, HedgeFacts
from strategies.tail import TailModel, tail_model

WHOLE = 1e-6
"""Nearer than this part of a lot to a whole number of lots is whole."""

_TRADE_WORTH = 1e-6
"""What a trade must be worth to be made at all, of E. On recorded books of a dozen hedges this
leaves out those below one or two hundredths of them all, for which nobody would keep a position,
and adds a few ten-thousandths to the volatility."""

_LEG_REACH = 2.0
"""No leg grows beyond this many times what alone would carry the whole risk of the bot."""


@dataclass(frozen=True)
class HedgeModel:
    """One decision; arrays (N,) in USD unless said.

    Attributes:
        bot, current: p and h₀.
        lower, upper: bounds of h. They hold both h₀ and 0 (only h₀ where hands are off), and never
            both signs once h₀ has one: a trade closes a hedge at most, it never turns it round.
        covariance: (N, N), daily.
        root: (N, N), ‖root x‖ is the correlation-adjusted exposure in USD of BTC.
        volatility: daily.
        volatility_btc: daily.
        risk_per_usd: λτ/2E.
        uncertainty: ρ.
        costs, caps: as their modules say.
        lot_usd, min_trade_usd: from the facts.
        trade_worth_usd: what each trade must lower J by, beyond its cost, to be made.
        unit_usd: the power of ten in which the solver counts money.
        other_roots: (K, N, N) L_kᵀ of other windows, of which, and of ``covariance``, the worst
            counts as risk.
        tail: price of the tail; None for none.
        most_legs: most hedges that may be open; None for any number.
        aim: (C,) USD that trades aim at: the caps, or a little less, see ``cushion``.
    """

    bot: FloatArray
    current: FloatArray
    lower: FloatArray
    upper: FloatArray
    covariance: FloatArray
    root: FloatArray
    volatility: FloatArray
    volatility_btc: float
    risk_per_usd: float
    uncertainty: float
    costs: CostModel
    caps: CapTable
    lot_usd: FloatArray
    min_trade_usd: FloatArray
    trade_worth_usd: float
    unit_usd: float
    other_roots: FloatArray
    tail: TailModel | None
    most_legs: int | None
    aim: FloatArray

    def objective_usd(self, hedge_usd: FloatArray) -> FloatArray:
        """J at hedges (..., N), USD over the horizon: (...)."""
        held = self.bot + hedge_usd
        variance: FloatArray = np.vecdot(held @ self.covariance, held)
        for root in self.other_roots:
            variance = np.maximum(variance, np.sum((held @ root.T) ** 2, axis=-1))
        if self.uncertainty > 0:
            variance = variance + self.uncertainty * (np.abs(held) @ self.volatility) ** 2
        risk = self.risk_per_usd * variance
        if self.tail is not None:
            risk = risk + self.tail.cost_usd(held)
        total: FloatArray = risk + self.costs.objective_usd(hedge_usd, hedge_usd - self.current)
        return total

    def risk_slope(self, hedge_usd: FloatArray) -> FloatArray:
        """(N,) slope of the risk terms of J at hedges (N,); one of several where there is a kink.

        2(λτ/2E)·(Σx + ρ(σᵀ|x|)σ∘sign(x)), of the worst window, and the slope of the tail.
        """
        held = self.bot + hedge_usd
        moved = self.covariance @ held
        for root in self.other_roots:
            moved = max(moved, root.T @ (root @ held), key=lambda m: float(m @ held))
        if self.uncertainty > 0:
            spread = float(self.volatility @ np.abs(held))
            moved = moved + self.uncertainty * spread * (self.volatility * np.sign(held))
        slope: FloatArray = 2.0 * self.risk_per_usd * moved
        return slope if self.tail is None else slope + self.tail.slope(held)

    @cached_property
    def objective_now_usd(self) -> float:
        """J without a trade."""
        return float(self.objective_usd(self.current))

    @cached_property
    def smallest_trade_usd(self) -> FloatArray:
        """(N,) see ``smallest_trade_usd``."""
        return smallest_trade_usd(self)

    @cached_property
    def movable(self) -> NDArray[np.intp]:
        """Which symbols may trade."""
        return np.flatnonzero(self.upper > self.lower)


def hedge_model(facts: HedgeFacts, choices: HedgeChoices) -> HedgeModel:
    """The model of checked facts and choices, with something held by the bot or by us.

    Where E is 0, because the bot is flat, the size of the hedges stands in for it.

    Raises:
        OptimizationError: the covariance is not positive definite.
    """
    covariance, cholesky = _factored("covariance_daily", facts.covariance_daily)
    root = cholesky.T / facts.volatility_btc_daily
    volatility = np.sqrt(covariance.diagonal())
    equity = facts.risk_equity_usd or float(np.abs(facts.hedge_usd).sum())
    lower, upper = _bounds(facts, volatility, choices)
    caps = cap_table(facts, choices, root, lower, upper)
    return HedgeModel(
        bot=facts.bot_usd,
        current=facts.hedge_usd,
        lower=lower,
        upper=upper,
        covariance=covariance,
        root=root,
        volatility=volatility,
        volatility_btc=facts.volatility_btc_daily,
        risk_per_usd=choices.risk_aversion * choices.horizon_days / (2.0 * equity),
        uncertainty=choices.estimation_uncertainty,
        costs=cost_model(facts, choices),
        caps=caps,
        lot_usd=facts.lot_usd,
        min_trade_usd=facts.min_trade_usd,
        trade_worth_usd=_TRADE_WORTH * equity,
        unit_usd=_unit_usd(facts),
        other_roots=_other_roots(facts, choices),
        tail=_tail(facts, choices),
        most_legs=choices.most_legs,
        aim=cushioned(caps, caps.now, choices.cushion),
    )


def smallest_trade_usd(at: HedgeModel | HedgeFacts) -> FloatArray:
    """(N,) the smallest trade that is not a close: whole lots that reach the venue's minimum."""
    return np.maximum(np.ceil(at.min_trade_usd / at.lot_usd - WHOLE), 1.0) * at.lot_usd


def _bounds(
    facts: HedgeFacts, volatility: FloatArray, choices: HedgeChoices
) -> tuple[FloatArray, FloatArray]:
    """Bounds of h: shrink only where it may not hedge, short elsewhere, long where that is chosen.

    What is left of a hedge in a symbol of the bot's was closed as far as it may be beforehand.
    """
    current = facts.hedge_usd
    reach = _LEG_REACH * float(volatility @ np.abs(facts.bot_usd)) / volatility
    reach = np.ceil(reach / facts.lot_usd) * facts.lot_usd
    if choices.largest_hedge_usd is not None:
        bound = np.floor(choices.largest_hedge_usd / facts.lot_usd) * facts.lot_usd
        reach = np.minimum(reach, bound)
    reach = np.maximum(reach, np.abs(current))
    short = np.where(facts.may_hedge & (current <= 0), -reach, np.minimum(current, 0.0))
    long = np.maximum(current, 0.0)
    if not choices.shorts_only:
        long = np.where(facts.may_hedge & (current >= 0), reach, long)
    if not facts.hands_off:
        return short, long
    off = np.array([symbol in facts.hands_off for symbol in facts.symbols])
    return np.where(off, current, short), np.where(off, current, long)


def _factored(name: str, covariance: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Exactly symmetric, and its lower Cholesky factor."""
    symmetric = 0.5 * (covariance + covariance.T)
    cholesky, failed = lapack.dpotrf(symmetric, lower=1)
    if failed:
        smallest = float(np.linalg.eigvalsh(symmetric)[0])
        raise OptimizationError(
            f"{name}: not positive definite, smallest eigenvalue {smallest:.3g}"
        )
    return symmetric, cholesky


def _other_roots(facts: HedgeFacts, choices: HedgeChoices) -> FloatArray:
    """Those of the other windows; none where the worst of them is not asked for.

    Raises:
        OptimizationError: it is asked for and there are none, or one is not positive definite.
    """
    n, windows = len(facts.symbols), facts.covariance_windows_daily
    if not choices.worst_window:
        return np.empty((0, n, n))
    if windows is None or not len(windows):
        raise OptimizationError(
            "covariance_windows_daily: there are none, and worst_window needs them"
        )
    roots = [_factored(f"covariance_windows_daily[{k}]", s)[1].T for k, s in enumerate(windows)]
    return np.array(roots).reshape(len(windows), n, n)


def _tail(facts: HedgeFacts, choices: HedgeChoices) -> TailModel | None:
    """None where the tail has no price.

    Raises:
        OptimizationError: it has one and there are no scenarios, which must not pass for no risk.
    """
    if choices.tail_aversion == 0:
        return None
    if facts.tail_returns is None or not len(facts.tail_returns):
        raise OptimizationError("tail_returns: there are none, and tail_aversion needs them")
    return tail_model(facts.tail_returns, choices.tail_confidence, choices.tail_aversion)


def _unit_usd(facts: HedgeFacts) -> float:
    """1,000 for a book of about 100,000 USD, and in the same proportion for others.

    Conic solvers lose digits when money runs to millions beside returns of a few percent; counted
    so that a book is some hundreds they keep them, whatever the size of the account.
    """
    size = float(np.abs(facts.bot_usd).sum() + np.abs(facts.hedge_usd).sum())
    return float(10.0 ** (round(math.log10(max(size, 1e-6))) - 2))
