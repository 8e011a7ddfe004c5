"""One cost model, read by the hedge problem, by lot rounding and by the account of a proposal.

Sources: the square-root law of impact (Almgren, Thum, Hauptmann, Li 2005; Tóth et al. 2011), by
which trading a share q of a day's volume moves the price by Y·σ·√q, so that trading z USD costs
Y·σ·|z|^{3/2}/√ADV; perpetual funding, by which longs pay shorts φ a day.
"""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from risk.book import FloatArray
from strategies.inputs import HedgeChoices, HedgeFacts
from strategies.proposal import CostEstimate


@dataclass(frozen=True)
class CostModel:
    """What hedges cost; arrays of shape (N,), fractions of notional unless said.

    Attributes:
        fee: of a crossing trade.
        half_spread: of a crossing trade.
        impact_per_root_usd: b = Y·σ/√ADV, so that impact costs b·|z|^{3/2} USD.
        funding_daily: φ, what longs pay a day.
        funding_risk_daily: κ_f·s_φ, charged a day on either side.
        squeeze: c, charged once over the horizon on shorts.
        opening: charged over the horizon on what is added to a hedge; 0 unless λ is.
        side: −1, 0 or 1: the side of the hedge held now.
        horizon_days: τ.
        holding_days: T_hold; a trade's cost counts by τ/T_hold.
        counted_daily: f, the part of φ that the objective counts, nearer to 0 or equal.
        received: g, how much of that it counts where a hedge receives it, 0 to 1.
    """

    fee: FloatArray
    half_spread: FloatArray
    impact_per_root_usd: FloatArray
    funding_daily: FloatArray
    funding_risk_daily: FloatArray
    squeeze: FloatArray
    opening: FloatArray
    side: FloatArray
    horizon_days: float
    holding_days: float
    counted_daily: FloatArray
    received: float = 1.0

    @property
    def trade_weight(self) -> float:
        """τ/T_hold: the part of a trade's cost that the horizon bears."""
        return self.horizon_days / self.holding_days

    def linear_trade(self) -> FloatArray:
        """Coefficient of |z| in the objective: fee, half-spread and the charge on opening, (N,).

        What a trade adds to a hedge on side s is (|z| + s·z)/2, and |z| where there is none yet.
        """
        crossing = self.trade_weight * (self.fee + self.half_spread)
        if not self.charges_opening:
            return crossing
        return crossing + self.opening * np.where(self.side == 0, 1.0, 0.5)

    def signed_trade(self) -> FloatArray:
        """Coefficient of z in the objective: the other half of the charge on opening, (N,)."""
        return 0.5 * self.side * self.opening

    def impact_trade(self) -> FloatArray:
        """Impact as the objective weighs it, per USD^{3/2} of |z|^{3/2}, shape (N,)."""
        return self.trade_weight * self.impact_per_root_usd

    def linear_hedge(self) -> FloatArray:
        """Coefficient of h in the objective: τf, and half of the squeeze charge's −h, (N,).

        With g below 1 it is τf(1 + g)/2: fh is paid where positive and received where negative,
        and (fh)₊ − g·(−fh)₊ = fh(1 + g)/2 + |f||h|(1 − g)/2.
        """
        paid_and_received = 0.5 * (1.0 + self.received) * self.counted_daily
        return self.horizon_days * paid_and_received - 0.5 * self.squeeze

    def absolute_hedge(self) -> FloatArray:
        """Coefficient of |h|: τκ_f·s_φ, the other half of the charge, (−h)₊ = (|h|−h)/2, and what
        of received funding does not count, (N,)."""
        uncounted = 0.5 * (1.0 - self.received) * np.abs(self.counted_daily)
        return self.horizon_days * (self.funding_risk_daily + uncounted) + 0.5 * self.squeeze

    def objective_usd(self, hedge_usd: FloatArray, trade_usd: FloatArray) -> FloatArray:
        """Cost terms of the objective, USD over the horizon.

        τfᵀh + τκ_f s_φᵀ|h| + cᵀ(−h)₊ + (τ/T_hold)·(aᵀ|z| + bᵀ|z|^{3/2}), less what of received
        funding does not count, and the charge on opening.

        Args:
            hedge_usd: hedges held after the trade, signed, (..., N).
            trade_usd: signed, (..., N).

        Returns:
            (...); NaN where an argument has one.
        """
        size = np.abs(trade_usd)
        hedge, absolute, traded, signed, impact = self.weights
        cost: FloatArray = hedge_usd @ hedge + np.abs(hedge_usd) @ absolute + size @ traded
        if self.charges_opening:
            cost = cost + trade_usd @ signed
        return cost if impact is None else cost + (size * np.sqrt(size)) @ impact

    @cached_property
    def charges_opening(self) -> bool:
        """Whether the charge on opening is any."""
        return bool(self.opening.any())

    @cached_property
    def weights(
        self,
    ) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray | None]:
        """Coefficients of h, |h|, |z|, z and |z|^{3/2}, put together once for many hedges."""
        impact = self.impact_trade()
        return (
            self.linear_hedge(),
            self.absolute_hedge(),
            self.linear_trade(),
            self.signed_trade(),
            impact if impact.any() else None,
        )

    def estimate(self, hedge_usd: FloatArray, trade_usd: FloatArray) -> CostEstimate:
        """What is expected to be paid: the trade once in full, and carry of the hedges per day.

        Args:
            hedge_usd, trade_usd: as in ``objective_usd``, shape (N,).
        """
        size = np.abs(trade_usd)
        return CostEstimate(
            fee_usd=float(self.fee @ size),
            spread_usd=float(self.half_spread @ size),
            impact_usd=float(self.impact_per_root_usd @ size**1.5),
            carry_usd_per_day=float(self.funding_daily @ hedge_usd),
        )


def cost_model(facts: HedgeFacts, choices: HedgeChoices) -> CostModel:
    """The cost model of these facts and choices.

    b_i = Y·σ_i/√ADV_i; c_i = κ·σ_i·√τ·max(−C̄_i, 0), the squeeze risk of shorts where the
    crowd is short already.

    With λ = 0 nothing weighs against funding received, and −τφᵀh alone would open hedges up to
    the caps for its sake. Then opening is charged what the best-paid hedge would receive, so that
    funding still tells the cheaper hedge from the dearer one but never pays for opening any.
    """
    volatility = np.sqrt(facts.covariance_daily.diagonal())
    squeeze = choices.crowding_charge * math.sqrt(choices.horizon_days) * volatility
    return CostModel(
        fee=facts.taker_fee,
        half_spread=facts.half_spread,
        impact_per_root_usd=choices.impact * volatility / np.sqrt(facts.adv_usd),
        funding_daily=facts.funding_daily,
        funding_risk_daily=choices.carry_risk * facts.funding_daily_se,
        squeeze=squeeze * np.maximum(-facts.crowding, 0.0),
        opening=np.full(len(facts.symbols), _opening(facts, choices)),
        side=np.sign(facts.hedge_usd),
        horizon_days=choices.horizon_days,
        holding_days=choices.holding_days,
        counted_daily=_counted(facts, choices),
        received=choices.carry_received,
    )


def _counted(facts: HedgeFacts, choices: HedgeChoices) -> FloatArray:
    """φ drawn towards 0 by its doubt: sign(φ)·(|φ| − κ·s_φ)₊, (N,)."""
    certain = np.abs(facts.funding_daily) - choices.carry_doubt * facts.funding_daily_se
    counted: FloatArray = np.sign(facts.funding_daily) * np.maximum(certain, 0.0)
    return counted


def _opening(facts: HedgeFacts, choices: HedgeChoices) -> float:
    """The most that counts as received over the horizon by a dollar of allowed hedge; 0 where λ
    is above 0."""
    if choices.risk_aversion > 0:
        return 0.0
    counted = _counted(facts, choices)
    received = counted if choices.shorts_only else np.abs(counted)
    most = float(np.max(received, where=facts.may_hedge, initial=0.0))
    return choices.horizon_days * choices.carry_received * most
