"""What a hedge does to the risk that all share, and to what is each token's own."""

from dataclasses import dataclass

import numpy as np

from risk.book import FloatArray
from risk.covariance.factors import FactorModel


@dataclass(frozen=True, slots=True)
class Split:
    """Variances of one book, USD² a day.

    Attributes:
        systematic_before, systematic_after: of the common factors, without and with hedges.
        specific_bot: of the bot's own tokens, which the hedges leave alone.
        specific_hedges: of the hedges' own tokens.
    """

    systematic_before: float
    systematic_after: float
    specific_bot: float
    specific_hedges: float


def split(bot_usd: FloatArray, hedge_usd: FloatArray, model: FactorModel) -> Split:
    """pᵀBΩBᵀp, xᵀBΩBᵀx, Σ d²p² and Σ d²(x² − p²), with x = p + h.

    Args:
        bot_usd, hedge_usd: (N,) signed, in the order of the model's symbols.
        model: Σ = BΩBᵀ + diag(d²).

    Returns:
        The last is below 0 where a hedge lies in a symbol that the bot holds and shrinks it.
    """
    held = bot_usd + hedge_usd
    omega, own = model.factor_covariance_daily, model.specific_volatility_daily**2
    before, after = bot_usd @ model.loadings, held @ model.loadings
    return Split(
        systematic_before=float(before @ omega @ before),
        systematic_after=float(after @ omega @ after),
        specific_bot=float(own @ bot_usd**2),
        specific_hedges=float(own @ (held**2 - bot_usd**2)),
    )


def removed_and_added(parts: list[Split]) -> tuple[float, float]:
    """Share of the systematic variance removed, and specific variance added, over many books.

    The first is 1 − Σ after/Σ before of the systematic variance; the second Σ of the hedges'
    specific variance as a share of the whole variance without hedges. NaN where there is none.
    """
    before = float(np.sum([part.systematic_before for part in parts]))
    after = float(np.sum([part.systematic_after for part in parts]))
    own = float(np.sum([part.specific_bot for part in parts]))
    added = float(np.sum([part.specific_hedges for part in parts]))
    removed = 1.0 - after / before if before > 0 else float("nan")
    return removed, added / (before + own) if before + own > 0 else float("nan")
