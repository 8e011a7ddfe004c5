"""From paths to figures: of each book, then their mean and how far another draw would differ."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bot.evaluate.books import BookPath
from bot.evaluate.decisions import Decisions
from bot.evaluate.paths import HedgePath
from risk.book import FloatArray
from risk.covariance.factors import FactorModel
from risk.evaluation.effectiveness import bias, effectiveness, shortfall_cut
from risk.evaluation.split import removed_and_added, split
from risk.returns import BARS_PER_DAY

_BPS = 1e4
_MEASURES = (
    "effectiveness_daily",
    "effectiveness_hourly",
    "es95_cut",
    "turnover_per_day",
    "cost_bps_per_day",
    "bias",
    "systematic_removed",
    "specific_added",
    "funding_bps_per_day",
    "effectiveness_daily_net",
)


@dataclass(frozen=True, slots=True)
class BookScore:
    """One strategy on one book.

    Attributes:
        figures: by name of measure, before costs unless it says ``net``.
        loss: (days,) squared PnL of a day before costs, in bp² of the book's gross.
        held: decisions held because a solver failed.
    """

    figures: dict[str, float]
    loss: FloatArray
    held: int


@dataclass(frozen=True, slots=True)
class Score:
    """One strategy over all books; errors are standard errors over the books drawn."""

    figures: dict[str, float]
    errors: dict[str, float]
    loss: FloatArray
    held: int


def book_score(
    decisions: Decisions,
    book: BookPath,
    path: HedgePath,
    factors: Sequence[FactorModel],
    cost_bps: float,
) -> BookScore:
    """The figures of one path.

    PnL is that of quantities held from decision to decision, in USD. Turnover, cost and funding
    are shares of the bot's gross at each decision. The split is judged by the covariance of the
    30 days that followed each decision, which is the same for all strategies.
    """
    market, rows, hours = decisions.market, decisions.rows, decisions.hours
    first, last = int(rows[0]), market.end
    steps = np.diff(market.close[first : last + 1], axis=0)
    of = np.arange(last - first) // hours
    unhedged = _pnl(book.base[of], steps)
    hedge = _pnl(path.base[of], steps)
    hedged = unhedged + hedge
    paid_rate = market.funding_rate[first + 1 : last + 1] * market.close[first + 1 : last + 1]
    funding = _pnl(path.base[of], paid_rate)
    gross = np.nansum(book.base * market.close[rows], axis=1)
    cost = path.traded_usd * cost_bps / _BPS
    net = hedged - funding
    net[::hours] -= cost
    days = (last - first) / BARS_PER_DAY
    removed, added = _split(decisions, book, path, factors)
    whole = (last - first) // BARS_PER_DAY * BARS_PER_DAY
    daily, before = _daily(hedged[:whole]), _daily(unhedged[:whole])
    turnover = float(np.sum(path.traded_usd / gross)) / days
    figures = dict(
        zip(
            _MEASURES,
            (
                effectiveness(daily, before),
                effectiveness(hedged, unhedged),
                shortfall_cut(daily, before),
                turnover,
                turnover * cost_bps,
                bias(hedged, path.predicted_usd[of] / math.sqrt(BARS_PER_DAY)),
                removed,
                added,
                float(np.sum(funding / gross[of])) / days * _BPS,
                effectiveness(_daily(net[:whole]), before),
            ),
            strict=True,
        )
    )
    day_gross = gross[of][:whole].reshape(-1, BARS_PER_DAY)[:, 0]
    return BookScore(figures, (daily / day_gross * _BPS) ** 2, path.held)


def score(books: Sequence[BookScore]) -> Score:
    """Means over the books; the loss of a day is the mean over the books too."""
    figures, errors = {}, {}
    for name in _MEASURES:
        values = np.array([book.figures[name] for book in books])
        figures[name] = float(np.mean(values))
        errors[name] = (
            float(np.std(values, ddof=1)) / math.sqrt(len(values)) if len(values) > 1 else math.nan
        )
    loss = np.mean([book.loss for book in books], axis=0)
    return Score(figures, errors, loss, sum(book.held for book in books))


def _pnl(base: FloatArray, steps: FloatArray) -> FloatArray:
    """Σ quantity · step in every hour; where nothing is held an unknown price is no matter."""
    pnl: FloatArray = np.sum(np.where(base != 0, base * steps, 0.0), axis=1)
    return pnl


def _daily(pnl: FloatArray) -> FloatArray:
    total: FloatArray = pnl.reshape(-1, BARS_PER_DAY).sum(axis=1)
    return total


def _split(
    decisions: Decisions, book: BookPath, path: HedgePath, factors: Sequence[FactorModel]
) -> tuple[float, float]:
    parts = []
    for k, row in enumerate(decisions.rows.tolist()):
        here = decisions.eligible[k]
        price = decisions.market.close[row, here]
        parts.append(split(book.base[k, here] * price, path.base[k, here] * price, factors[k]))
    return removed_and_added(parts)
