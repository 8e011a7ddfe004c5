"""Covariances at every decision, one stream for each estimator, shared by all books."""

import numpy as np

from bot.evaluate.decisions import Decisions
from risk.covariance.estimate import CovarianceEstimate
from risk.covariance.estimators import new_estimator
from risk.covariance.factors import FactorModel, factor_model
from risk.covariance.sample import rolling_covariance
from risk.returns import BARS_PER_DAY

HINDSIGHT_DAYS = 30


def estimates(
    decisions: Decisions, estimator: str, shrinkage: float | None
) -> list[CovarianceEstimate]:
    """(D) estimates of the eligible symbols from the bars closed by each decision."""
    market = decisions.market
    stream = new_estimator(estimator, market.symbols, shrinkage=shrinkage)
    found, known = [], 0
    for k, row in enumerate(decisions.rows.tolist()):
        for returns in market.log_return[known : row + 1]:
            stream.update(returns)
        known = row + 1
        found.append(stream.estimate(_eligible(decisions, k)))
    return found


def coming_estimates(decisions: Decisions) -> list[CovarianceEstimate]:
    """(D) sample covariances of the 30 days after each decision, which nobody could know.

    Near the end they are those of the last 30 days.
    """
    market, bars = decisions.market, HINDSIGHT_DAYS * BARS_PER_DAY
    found = []
    for k, row in enumerate(decisions.rows.tolist()):
        start = min(row + 1, max(market.end + 1 - bars, 0))
        symbols = _eligible(decisions, k)
        columns = np.flatnonzero(decisions.eligible[k])
        rows = market.log_return[start : start + bars, columns]
        found.append(rolling_covariance(rows, symbols, HINDSIGHT_DAYS))
    return found


def factors(estimate: CovarianceEstimate) -> FactorModel:
    """BTC, ETH, the sector and two components."""
    return factor_model(estimate)


def _eligible(decisions: Decisions, k: int) -> tuple[str, ...]:
    symbols = decisions.market.symbols
    return tuple(symbols[i] for i in np.flatnonzero(decisions.eligible[k]).tolist())
