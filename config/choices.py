"""What the strategy is told of the owner's choices, as the plain object that it knows."""

from config.settings import Settings
from strategies.inputs import HedgeChoices


def choices(settings: Settings, equity_usd: float) -> HedgeChoices:
    """Caps in USD for a hedge account of this equity, and the tuning of the strategy.

    Raises:
        DataError: ``equity_usd`` is not finite or not above 0.
    """
    hedge = settings.hedge
    return HedgeChoices(
        limits=settings.caps.limits(equity_usd),
        risk_aversion=hedge.risk_aversion,
        horizon_days=hedge.horizon_days,
        holding_days=hedge.holding_days,
        impact=hedge.impact,
        estimation_uncertainty=hedge.estimation_uncertainty,
        carry_risk=hedge.carry_risk,
        carry_doubt=hedge.carry_doubt,
        carry_received=hedge.carry_received,
        crowding_charge=hedge.crowding_charge,
        shorts_only=hedge.shorts_only,
        beta_uncertainty=hedge.beta_uncertainty,
        cushion=hedge.cushion,
        tail_aversion=hedge.tail_aversion,
        tail_confidence=hedge.tail_confidence,
        worst_window=bool(hedge.worst_windows_days),
        most_legs=hedge.most_legs,
        # Below the pre-trade limit, so that a price that moves before the order does not deny it.
        largest_hedge_usd=0.95 * settings.controls.symbol_hedge_equity_fraction * equity_usd,
    )
