"""What is known at each decision, the same for every book: who may be traded, prices, carry."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bot.evaluate.market import HISTORY_DAYS, EvaluationMarket
from bot.measuring.assessment import LEAST_VOLUME_USD, UNKNOWN_FUNDING
from bot.measuring.estimation import DAY_MS, FUNDING_DAYS
from risk.book import FloatArray
from risk.covariance.usable import MIN_BARS
from risk.crowding.funding import funding_daily
from risk.returns import BARS_PER_DAY

ADV_DAYS = 30
STALE_BARS = 24
"""A token without any bar for so long has stopped trading."""


@dataclass(frozen=True, slots=True)
class Decisions:
    """D decisions, ``hours`` apart.

    Attributes:
        market: what they are made in.
        hours: from one to the next.
        history_days: bars that a token must have.
        rows: (D,) rows of the market; a decision knows its own row and those before.
        eligible: (D, N) traded lately, with enough history, and moved in the last 30 days.
        adv_usd: (D, N) average daily volume over 30 days.
        funding_daily, funding_daily_se: (D, N) as expected from settled payments.
    """

    market: EvaluationMarket
    hours: int
    history_days: int
    rows: NDArray[np.int64]
    eligible: NDArray[np.bool_]
    adv_usd: FloatArray
    funding_daily: FloatArray
    funding_daily_se: FloatArray


def decisions_of(market: EvaluationMarket, hours: int) -> Decisions:
    """The decisions of an evaluation, from nothing but rows up to each."""
    rows = np.arange(market.start, market.end, hours, dtype=np.int64)
    seen = np.cumsum(~np.isnan(market.log_return), axis=0)
    lately = _over_last(market.there.astype(np.float64), STALE_BARS) > 0
    enough = seen >= HISTORY_DAYS * BARS_PER_DAY - 1  # so many bars have one return less
    moves = (np.nan_to_num(market.log_return) != 0).astype(np.float64)
    moved = _over_last(moves, HISTORY_DAYS * BARS_PER_DAY) >= MIN_BARS
    traded = _over_last(np.nan_to_num(market.volume_usd), ADV_DAYS * BARS_PER_DAY)
    bars = _over_last((~np.isnan(market.volume_usd)).astype(np.float64), ADV_DAYS * BARS_PER_DAY)
    adv_usd = BARS_PER_DAY * traded / np.maximum(bars, 1.0)
    rate, error = _carry(market, rows)
    return Decisions(
        market=market,
        hours=hours,
        history_days=HISTORY_DAYS,
        rows=rows,
        eligible=(enough & lately & moved)[rows],
        adv_usd=np.maximum(adv_usd, LEAST_VOLUME_USD)[rows],
        funding_daily=rate,
        funding_daily_se=error,
    )


def _over_last(values: FloatArray, bars: int) -> FloatArray:
    """Sum over the last ``bars`` rows up to each, (T, N)."""
    total = np.cumsum(values, axis=0)
    total[bars:] -= total[:-bars].copy()
    return total


def _carry(market: EvaluationMarket, rows: NDArray[np.int64]) -> tuple[FloatArray, FloatArray]:
    shape = (len(rows), len(market.symbols))
    rate, error = np.zeros(shape), np.zeros(shape)
    for column, symbol in enumerate(market.symbols):
        series = market.funding.get(symbol)
        for k, row in enumerate(rows.tolist()):
            now_ms = int(market.time_ms[row])
            recent = None if series is None else series.since(now_ms - FUNDING_DAYS * DAY_MS)
            known = funding_daily(recent, now_ms) or UNKNOWN_FUNDING
            rate[k, column], error[k, column] = known.rate_daily, known.standard_error
    return rate, error
