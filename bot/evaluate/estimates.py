"""Covariances at every decision, one stream for each estimator, shared by all books."""

import numpy as np

from bot.evaluate.decisions import Decisions
from risk.covariance.estimate import CovarianceEstimate
from risk.covariance.estimators import new_estimator
from risk.covariance.sample import rolling_covariance
from risk.covariance.usable import MIN_BARS
from risk.errors import EstimationError
from risk.returns import BARS_PER_DAY, utc

HINDSIGHT_DAYS = 30

_BACK_BARS = (0, 2 * MIN_BARS, HINDSIGHT_DAYS * BARS_PER_DAY)
"""How much earlier the window of hindsight begins, in turn, until every token has returns in it."""


def estimates(
    decisions: Decisions, estimator: str, shrinkage: float | None
) -> list[CovarianceEstimate]:
    """(D) estimates of the eligible symbols from the bars closed by each decision.

    Raises:
        EstimationError: an eligible symbol cannot be estimated.
    """
    market = decisions.market
    stream = new_estimator(estimator, market.symbols, shrinkage=shrinkage)
    found, known = [], 0
    for k, row in enumerate(decisions.rows.tolist()):
        for returns in market.log_return[known : row + 1]:
            stream.update(returns)
        known = row + 1
        found.append(_whole(stream.estimate(_eligible(decisions, k)), decisions, k))
    return found


def coming_estimates(decisions: Decisions) -> list[CovarianceEstimate]:
    """(D) sample covariances of the 30 days after each decision, which nobody could know.

    Near the end they are those of the last 30 days. Where a token stops trading too soon to have
    one, the 30 days begin two days before the decision, or end with it.
    """
    return [_coming(decisions, k) for k in range(len(decisions.rows))]


def _coming(decisions: Decisions, k: int) -> CovarianceEstimate:
    market, bars = decisions.market, HINDSIGHT_DAYS * BARS_PER_DAY
    after, last = int(decisions.rows[k]) + 1, market.end + 1 - bars
    symbols, columns = _eligible(decisions, k), np.flatnonzero(decisions.eligible[k])
    for back in _BACK_BARS:
        start = max(min(after - back, last), 0)
        rows = market.log_return[start : start + bars, columns]
        found = rolling_covariance(rows, symbols, HINDSIGHT_DAYS)
        if found.symbols == symbols:
            break
    return _whole(found, decisions, k)


def _whole(found: CovarianceEstimate, decisions: Decisions, k: int) -> CovarianceEstimate:
    missing = [symbol for symbol in _eligible(decisions, k) if symbol not in found.symbols]
    if missing:
        when = utc(decisions.market.time_ms[decisions.rows[k]])
        raise EstimationError(f"{missing[0]}: no covariance at {when}, though it is traded")
    return found


def _eligible(decisions: Decisions, k: int) -> tuple[str, ...]:
    symbols = decisions.market.symbols
    return tuple(symbols[i] for i in np.flatnonzero(decisions.eligible[k]).tolist())
