"""How much of the risk is the market's, and how much is a bet on single tokens."""

import numpy as np

from risk.book import FloatArray
from strategies.inputs import HedgeFacts
from strategies.proposal import VarianceSplit


def variance_split(facts: HedgeFacts, hedge_usd: FloatArray) -> VarianceSplit:
    """Systematic and specific variance of the bot alone, and with hedges of ``hedge_usd`` (N,).

    Factors are portfolios of the symbols, f = W r: each benchmark, and the sector as the equally
    weighted mean of its tokens. Least squares on second moments give

        Ω = W Σ Wᵀ      B = Σ Wᵀ Ω⁻¹      E = Σ − B Ω Bᵀ

    so that a book x has the variance xᵀBΩBᵀx + xᵀEx, systematic and specific, of the same Σ that
    caps and hedges use. (The factor form of Fama, French 1993, on a covariance that is given.)
    """
    weights = _factors(facts)
    moments = facts.covariance_daily @ weights.T
    omega = weights @ moments
    bot, both = facts.bot_usd, facts.bot_usd + hedge_usd
    # xᵀBΩBᵀx = (WΣx)ᵀ Ω⁻¹ (WΣx), so B itself is not needed.
    seen = np.stack([bot @ moments, both @ moments])
    systematic = np.sum(np.linalg.solve(omega, seen.T).T * seen, axis=1)
    total = [float(x @ facts.covariance_daily @ x) for x in (bot, both)]
    systematic = np.minimum(np.maximum(systematic, 0.0), total)
    specific = np.asarray(total) - systematic
    return VarianceSplit(
        systematic_bot_usd2=float(systematic[0]),
        systematic_after_usd2=float(systematic[1]),
        specific_bot_usd2=float(specific[0]),
        specific_added_usd2=float(specific[1] - specific[0]),
    )


def _factors(facts: HedgeFacts) -> FloatArray:
    """W, (K, N)."""
    benchmarks = np.eye(len(facts.symbols))[~facts.in_sector]
    tokens = int(np.count_nonzero(facts.in_sector))
    if tokens == 0:
        return benchmarks
    sector: FloatArray = facts.in_sector / tokens
    return np.vstack([benchmarks, sector])
