"""Named stresses of one book: what it would lose, or how volatile it would be."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from risk.book import FloatArray, require_notional
from risk.covariance.estimate import CovarianceEstimate
from risk.errors import DataError, EstimationError
from risk.returns import BARS_PER_DAY, utc
from risk.tail.history import PriceHistory


@dataclass(frozen=True, slots=True)
class StressResult:
    """One stress.

    Attributes:
        name: short and stable, ``worst day``.
        loss_usd: PnL with the sign turned: a loss is positive, a gain negative. None where the
            stress changes how risky the book is and moves no price.
        volatility_usd: standard deviation of one day's PnL of the book as the stress leaves it.
        detail: one plain sentence: what was assumed, when it was, what had to be filled in.
    """

    name: str
    loss_usd: float | None
    volatility_usd: float
    detail: str


def correlation_to_one(
    x_usd: FloatArray, estimate: CovarianceEstimate, weight: float = 0.5
) -> StressResult:
    """Volatility of the book with R ← (1 - a) R + a 11ᵀ:  √((1 - a) vᵀRv + a (Σv)²), v = x σ.

    For a book of longs that is a crash in which everything falls together. A hedged book may look
    better for it, as its hedges then fit: the opposite, R ← (1 - a) R + a I, is told beside it.

    Args:
        x_usd: (N,) signed notionals in the order of ``estimate.symbols``.
        weight: a, between 0 and 1.

    Raises:
        DataError: the shape does not fit or a notional is not finite.
        EstimationError: the weight is out of range.
    """
    x = require_notional(x_usd, estimate.symbols)
    _require_share("weight of the stressed correlation", weight)
    v = x * estimate.volatility_daily
    now = _variance(v, estimate.correlation)
    stressed = math.sqrt((1 - weight) * now + weight * float(v.sum()) ** 2)
    apart = math.sqrt((1 - weight) * now + weight * float(v @ v))
    detail = (
        f"Correlations move {weight:.0%} of the way to one: volatility goes from "
        f"{math.sqrt(now):,.0f} to {stressed:,.0f} USD a day; as far towards zero instead, to "
        f"{apart:,.0f}."
    )
    return StressResult("correlation to one", None, stressed, detail)


def sector_gap(
    x_usd: FloatArray,
    estimate: CovarianceEstimate,
    in_sector: NDArray[np.bool_],
    *,
    gap: float = 0.3,
    benchmark_gap: float = 0.1,
) -> StressResult:
    """Loss when every token of the sector falls by g and everything else (BTC, ETH) by h at once.

        loss = g Σ_sector x + h Σ_others x

    Negative gaps are jumps upwards, which hurt a book that is net short.

    Args:
        x_usd: (N,) signed notionals in the order of ``estimate.symbols``.
        in_sector: (N,) True for tokens of the sector.
        gap, benchmark_gap: g and h, simple returns with the sign turned, finite, at most 1.

    Raises:
        DataError: a shape does not fit or a notional is not finite.
        EstimationError: a gap is out of range.
    """
    x = require_notional(x_usd, estimate.symbols)
    if np.shape(in_sector) != x.shape:
        raise DataError(f"in_sector has shape {np.shape(in_sector)}, must be {x.shape}")
    for value in (gap, benchmark_gap):
        if not (math.isfinite(value) and value <= 1):
            raise EstimationError(f"gap is {value}, must be a fraction of at most 1")
    move = np.where(in_sector, -gap, -benchmark_gap)
    left = math.sqrt(_variance(x * (1 + move) * estimate.volatility_daily, estimate.correlation))
    detail = (
        f"Every token of the sector moves by {-gap:+.0%} and the others by {-benchmark_gap:+.0%} "
        "before anything can be traded."
    )
    return StressResult("sector gap", _loss(float(x @ move)), left, detail)


def worst_window(
    x_usd: FloatArray,
    history: PriceHistory,
    estimate: CovarianceEstimate,
    window_bars: int,
    rank: int = 1,
) -> StressResult:
    """The window of the history that would have cost today's book x most.

        loss = max_t  -Σ_i x_i (P_{i,t+w} / P_{i,t} - 1)

    over every t, hour by hour, with today's notionals held through the window unchanged. A book
    that no window has cost anything has a loss of 0 or below.

    Args:
        x_usd: (N,) signed notionals in the order of ``estimate.symbols``.
        history: has every symbol that is held.
        window_bars: w, 24 for a day and 168 for a week.
        rank: 2 for the worst that shares no hour with the worst, and so on.

    Raises:
        DataError: the shape does not fit or a notional is not finite.
        MissingDataError: a held symbol is not in the history.
        EstimationError: no (further) window of that length has every held token.
    """
    x = require_notional(x_usd, estimate.symbols)
    name = f"worst {_span(window_bars)}" + (f" {rank}" if rank > 1 else "")
    volatility = math.sqrt(_variance(x * estimate.volatility_daily, estimate.correlation))
    held = np.flatnonzero(x)
    if not len(held):
        return StressResult(name, 0.0, 0.0, "The book is flat.")
    columns = history.columns([estimate.symbols[i] for i in held.tolist()])
    log_price = history.log_price[:, columns]
    pnl = np.full(max(len(log_price) - window_bars, 0), np.nan)
    if window_bars >= 1 and len(pnl):
        pnl = np.expm1(log_price[window_bars:] - log_price[:-window_bars]) @ x[held]
    windows = int((~np.isnan(pnl)).sum())
    for _ in range(rank - 1):
        before = _worst(pnl, window_bars)
        pnl[max(before - window_bars + 1, 0) : before + window_bars] = np.nan
    at = _worst(pnl, window_bars)
    apart = " that share no hour with a worse one" if rank > 1 else ""
    detail = (
        f"From {utc(history.open_ms[at])}: the worst of {windows:,} windows{apart}"
        f"{_stand_ins(history, columns, at, window_bars)}."
    )
    return StressResult(name, _loss(float(pnl[at])), volatility, detail)


def auto_deleveraging(
    bot_usd: FloatArray,
    hedge_usd: FloatArray,
    history: PriceHistory,
    estimate: CovarianceEstimate,
    *,
    share: float = 0.5,
    window_bars: int = BARS_PER_DAY,
) -> StressResult:
    """The worst window when the venue closes a share α of the winning hedges at its worst moment.

    Venues close profitable positions against those they liquidate, so a hedge may be gone just when
    it is needed, and never one that is losing. With H_is the PnL of hedge i after s hours of the
    window and PnL_w that of the whole book over all w of them,

        loss = max_t  -( PnL_w - α max(0, max_s Σ_{i: H_is > 0} (H_iw - C_is)) )
        C_is = max(0, min(H_i,s-1, H_is))

    the moment is one for all hedges and, looking back, the one that costs most. Within its hour a
    hedge is closed at the least profit C it went through, since the price of a crash falls further
    after the hedges are gone than hourly closes show. α = 0 is the worst window of the whole book.

    Args:
        bot_usd, hedge_usd: (N,) signed notionals in the order of ``estimate.symbols``.
        history: has every symbol that is held.
        share: α, between 0 and 1.
        window_bars: w, at least 1.

    Raises:
        DataError: a shape does not fit or a notional is not finite.
        MissingDataError: a held symbol is not in the history.
        EstimationError: the share is out of range, or no window has every held token.
    """
    p = require_notional(bot_usd, estimate.symbols)
    h = require_notional(hedge_usd, estimate.symbols)
    _require_share("share closed by auto-deleveraging", share)
    left = math.sqrt(
        _variance((p + (1 - share) * h) * estimate.volatility_daily, estimate.correlation)
    )
    name = "auto-deleveraging"
    held = np.flatnonzero((p != 0) | (h != 0))
    if not len(held):
        return StressResult(name, 0.0, 0.0, "The book is flat.")
    columns = history.columns([estimate.symbols[i] for i in held.tolist()])
    log_price = history.log_price[:, columns]
    count = max(len(log_price) - window_bars, 0) if window_bars >= 1 else 0
    kept = np.expm1(log_price[len(log_price) - count :] - log_price[:count]) @ (p + h)[held]
    pnl = kept - share * _given_up(log_price, h[held], window_bars, count)
    at = _worst(pnl, window_bars)
    if not h.any():
        detail = f"There is no hedge to lose; the worst {_span(window_bars)} of the book itself."
        return StressResult(name, _loss(float(pnl[at])), left, detail)
    detail = (
        f"{share:.0%} of every winning hedge is closed at the worst moment of the "
        f"{_span(window_bars)} from {utc(history.open_ms[at])}"
        f"{_stand_ins(history, columns, at, window_bars)}; with the whole hedge kept it would lose "
        f"{_loss(float(kept[at])):,.0f} USD."
    )
    return StressResult(name, _loss(float(pnl[at])), left, detail)


def _given_up(
    log_price: FloatArray, hedge_usd: FloatArray, window_bars: int, count: int
) -> FloatArray:
    """What the least profit of winning hedges falls short of each window's end, (count,), ≥ 0."""
    held = np.flatnonzero(hedge_usd)
    hedge, price = hedge_usd[held], log_price[:, held]
    worst = np.zeros(count)
    before = np.zeros((count, len(held)))
    end = np.expm1(price[len(price) - count :] - price[:count]) * hedge
    for s in range(1, window_bars + 1 if count else 1):
        now = np.expm1(price[s : s + count] - price[:count]) * hedge
        closed_at = np.maximum(np.minimum(before, now), 0.0)
        worst = np.maximum(worst, np.where(now > 0, end - closed_at, 0.0).sum(axis=1))
        before = now
    return worst


def _variance(v: FloatArray, correlation: FloatArray) -> float:
    return max(float(v @ correlation @ v), 0.0)


def _loss(pnl_usd: float) -> float:
    return 0.0 - pnl_usd  # not -pnl, which would print a flat book's loss as -0


def _worst(pnl: FloatArray, window_bars: int) -> int:
    if not (~np.isnan(pnl)).any():
        raise EstimationError(
            f"no window of {window_bars} hours in the history has every token that is held"
        )
    return int(np.nanargmin(pnl))


def _span(window_bars: int) -> str:
    names = {BARS_PER_DAY: "day", 7 * BARS_PER_DAY: "week"}
    return names.get(window_bars, f"{window_bars} hours")


def _stand_ins(history: PriceHistory, columns: NDArray[np.intp], at: int, window_bars: int) -> str:
    """Which held tokens had no price of their own in the window, as a clause."""
    inside = history.filled[at : at + window_bars + 1, columns].any(axis=0)
    names = [history.symbols[i] for i in columns[inside].tolist()]
    return (
        f", with the peers of {', '.join(names)} standing in for prices it lacks" if names else ""
    )


def _require_share(what: str, value: float) -> None:
    if not 0 <= value <= 1:
        raise EstimationError(f"{what} is {value}, must be between 0 and 1")
