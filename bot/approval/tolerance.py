"""Whether what would be done now is still what was approved. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from bot.approval.proposal import PendingProposal

CENT_USD = 0.01
"""Less than this is the noise of float arithmetic."""


@dataclass(frozen=True, slots=True)
class Tolerance:
    """By how much it may have grown since, as shares of what was shown.

    Attributes:
        leg_growth: of each trade.
        cost_growth: of the cost of all; and funding a day by this share of that cost, or of the
            funding that was shown where that is more.
        volatility_growth: of the daily volatility of bot and hedges after the trades.
    """

    leg_growth: float
    cost_growth: float
    volatility_growth: float


def exceeds(approved: PendingProposal, now: PendingProposal, tolerance: Tolerance) -> str | None:
    """Why ``now`` is not covered by what was approved, one line; None where it is.

    Less is always covered: a trade that is smaller or gone, a cost that is lower. A trade is
    compared in USD, in all and in the part that makes the hedge larger. What is no number is
    covered by nothing.
    """
    known = {leg.symbol: leg for leg in approved.legs}
    for leg in now.legs:
        was = known.get(leg.symbol)
        if was is None:
            return f"it would now trade {leg.symbol} as well ({leg.trade_usd:+,.0f} USD)"
        if leg.trade_usd * was.trade_usd < 0:
            return (
                f"{leg.symbol}: it would now trade {leg.trade_usd:+,.0f} USD, "
                f"shown were {was.trade_usd:+,.0f} USD"
            )
        if _more(abs(leg.trade_usd), abs(was.trade_usd), tolerance.leg_growth):
            return _grown(f"{leg.symbol}: the trade", leg.trade_usd, was.trade_usd)
        if _more(leg.opens_usd, was.opens_usd, tolerance.leg_growth):
            return _grown(f"{leg.symbol}: what it opens", leg.opens_usd, was.opens_usd)
    if _more(now.trade_cost_usd, approved.trade_cost_usd, tolerance.cost_growth):
        return _grown("its cost", now.trade_cost_usd, approved.trade_cost_usd)
    return _dearer_to_hold(approved, now, tolerance.cost_growth) or _riskier(
        approved, now, tolerance.volatility_growth
    )


def _dearer_to_hold(approved: PendingProposal, now: PendingProposal, growth: float) -> str | None:
    """Funding is near 0 as a rule, so it is held against what trading costs as well."""
    was, carry = approved.carry_usd_per_day, now.carry_usd_per_day
    if carry - was <= growth * max(abs(was), approved.trade_cost_usd) + CENT_USD:
        return None
    return f"funding would now be {carry:,.2f} USD a day, shown were {was:,.2f} USD (paid positive)"


def _riskier(approved: PendingProposal, now: PendingProposal, growth: float) -> str | None:
    was, after = approved.volatility_after_daily_usd, now.volatility_after_daily_usd
    if not _more(after, was, growth):
        return None
    return _grown("the daily volatility after it", after, was)


def is_rest_of(
    now: PendingProposal, under_way_usd: Mapping[str, float], tolerance: Tolerance
) -> bool:
    """It is only what is left of trades that go out in slices, USD signed by symbol."""
    return bool(now.legs) and all(
        leg.trade_usd * (left := under_way_usd.get(leg.symbol, 0.0)) > 0
        and not _more(abs(leg.trade_usd), abs(left), tolerance.leg_growth)
        for leg in now.legs
    )


def only_reduces(proposal: PendingProposal) -> bool:
    """It makes hedges smaller, and is worth having: less risk in all, or a cap that holds again."""
    smaller = all(leg.opens_usd < CENT_USD for leg in proposal.legs)
    calmer = proposal.volatility_after_daily_usd <= proposal.volatility_before_daily_usd + CENT_USD
    return smaller and (calmer or bool(proposal.cures))


def _more(now_usd: float, was_usd: float, growth: float) -> bool:
    """Also where either is not a number, which covers nothing."""
    return not now_usd <= was_usd * (1 + growth) + CENT_USD


def _grown(what: str, now_usd: float, was_usd: float) -> str:
    return f"{what} would now be {abs(now_usd):,.2f} USD, shown were {abs(was_usd):,.2f} USD"
