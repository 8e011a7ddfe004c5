"""Value at risk and expected shortfall of today's book over filtered historical scenarios."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from risk.book import FloatArray, require_notional
from risk.errors import EstimationError, MissingDataError
from risk.returns import BARS_PER_DAY, MAX_ABS_LOG_RETURN
from risk.tail.ranks import edge_of, from_rank, mean_beyond, rank_of
from risk.tail.scenarios import Scenarios

MIN_INDEPENDENT = 30
"""Horizons that do not overlap: below a month of days, the tail is a guess."""

_LOWEST_LEVEL = 0.95
_SMALL_MOVE = 1.0
"""Beyond, a second-order guess of a loss is too coarse to spare anything."""

_AT_ONCE = 50_000  # of the numbers Z, so that what is made of them stays in the cache
_ROUNDING = 1e-13
"""Of the gross: far above the rounding of the products, far below a cent in a million."""

MIN_OWN_INDEPENDENT = 7
"""A token needs a week of its own scenarios before the missing ones are filled from them."""


@dataclass(frozen=True, slots=True)
class TailRisk:
    """Losses of one book over the horizon of the scenarios; USD, a loss is positive.

    Attributes:
        var95_usd, var99_usd: value at risk, the smallest loss that 95 % (99 %) of the scenarios do
            not exceed; negative where even those gain.
        es95_usd, es99_usd: expected shortfall, mean of the worst 5 % (1 %) of the scenarios.
        worst_usd: loss in the worst scenario.
        scenarios: how many were used; they overlap.
        independent: how many of them do not overlap, what the figures rest on.
        dropped: left out for want of a held token.
        filled: used although a held token was missing, with a stand-in.
        filled_by_symbol: in how many scenarios each held token was filled; those never filled
            are left out.
        stand_in: held tokens too young for scenarios of their own, which are made up.
        stand_in_share: of the gross that those are, 0 to 1.
    """

    var95_usd: float
    es95_usd: float
    var99_usd: float
    es99_usd: float
    worst_usd: float
    scenarios: int
    independent: float
    dropped: int
    filled: int
    filled_by_symbol: Mapping[str, int] = field(default_factory=dict)
    stand_in: tuple[str, ...] = ()
    stand_in_share: float = 0.0


def tail_risk(
    x_usd: FloatArray,
    scenarios: Scenarios,
    *,
    missing: Literal["fill", "drop"] = "fill",
    min_independent: float = MIN_INDEPENDENT,
) -> TailRisk:
    """VaR and ES 95 and 99 of the book x, held unchanged over one horizon.

        PnL_s = Σ_i x_i (exp(σ_i Z_is) - 1)

    exactly, since x is in USD and the scenarios are log returns; no scenario moves a token more
    than tenfold. VaR and ES are those of ``value_at_risk`` and ``expected_shortfall``.

    A scenario in which a held token has no return is, with ``drop``, left out. That shortens the
    history of the whole book to that of its youngest token, so by default (``fill``) a stand-in
    takes its place: b·m + e, where m is the mean of the other tokens' Z in that scenario, b its
    slope and e its remainder on days of its own, taken in turn from the newest back. So the token
    keeps its own volatility and tails and only its common part is borrowed; a hedge in its peers
    is not flattered. A scenario in which nothing else is known is dropped even then. A token with
    less than a week of its own is an error, unless ``with_stand_ins`` made up its scenarios.

    Args:
        x_usd: (N,) signed notionals in the order of ``scenarios.symbols``.
        min_independent: fewest scenarios, counted without overlap.

    A flat book has zeros throughout.

    Raises:
        DataError: the shape does not fit or a notional is not finite.
        EstimationError: a held token has no volatility today or too few scenarios of its own, or
            too few scenarios are left; the message names the token.
    """
    symbols = scenarios.symbols
    x = require_notional(x_usd, symbols)
    held = np.flatnonzero(x)
    days = scenarios.standardised
    overlap = min(scenarios.step_bars / scenarios.horizon_bars, 1.0)
    if not len(held):
        count = days.shape[1]
        return TailRisk(0.0, 0.0, 0.0, 0.0, 0.0, count, count * overlap, 0, 0)
    sigma = scenarios.volatility_daily[held]
    if np.isnan(sigma).any():
        unknown = symbols[held[int(np.argmax(np.isnan(sigma)))]]
        raise EstimationError(f"{unknown}: no volatility to scale its past returns with")
    z = days if len(held) == len(symbols) else days[held]
    loss = _losses(x[held], sigma, z)
    gone = np.isnan(loss)
    filled: dict[str, int] = {}
    filled_scenarios = 0
    if gone.any():
        if missing == "fill":
            z, filled = _filled(scenarios, held)
            loss = _losses(x[held], sigma, z)
            filled_scenarios = int((gone & ~np.isnan(loss)).sum())
        loss = loss[~np.isnan(loss)]
    independent = len(loss) * overlap
    if independent < min_independent:
        raise EstimationError(_too_few(scenarios, held, independent, min_independent))
    worst = from_rank(loss, rank_of(len(loss), _LOWEST_LEVEL))
    made_up = [i for i in held.tolist() if symbols[i] in scenarios.stand_in]
    return TailRisk(
        var95_usd=edge_of(worst, len(loss), 0.95),
        es95_usd=mean_beyond(worst, len(loss), 0.95),
        var99_usd=edge_of(worst, len(loss), 0.99),
        es99_usd=mean_beyond(worst, len(loss), 0.99),
        worst_usd=float(worst[-1]),
        scenarios=len(loss),
        independent=independent,
        dropped=days.shape[1] - len(loss),
        filled=filled_scenarios,
        filled_by_symbol=filled,
        stand_in=tuple(symbols[i] for i in made_up),
        stand_in_share=float(np.abs(x[made_up]).sum() / np.abs(x).sum()) if made_up else 0.0,
    )


def day_returns(scenarios: Scenarios, symbols: Sequence[str]) -> FloatArray:
    """Simple returns exp(σ Z) − 1 of chosen symbols in every scenario that has them all, (S, N).

    Gaps are filled as ``tail_risk`` fills them; S may be 0.

    Raises:
        EstimationError: a symbol has no volatility today or too few scenarios of its own.
        MissingDataError: a symbol that the scenarios do not have.
    """
    unknown = [symbol for symbol in symbols if symbol not in scenarios.symbols]
    if unknown:
        raise MissingDataError(f"no scenarios of {', '.join(unknown)}")
    columns = np.array([scenarios.symbols.index(symbol) for symbol in symbols], dtype=np.intp)
    sigma = scenarios.volatility_daily[columns]
    if np.isnan(sigma).any():
        flat = symbols[int(np.argmax(np.isnan(sigma)))]
        raise EstimationError(f"{flat}: no volatility to scale its past returns with")
    z, _ = _filled(scenarios, columns)
    moves = np.clip(z * sigma[:, None], -MAX_ABS_LOG_RETURN, MAX_ABS_LOG_RETURN)
    whole = ~np.isnan(moves).any(axis=0)
    returns: FloatArray = np.ascontiguousarray(np.expm1(moves[:, whole]).T)
    return returns


def _losses(x: FloatArray, sigma: FloatArray, z: FloatArray) -> FloatArray:
    """(S,) losses with every one of the worst exact; NaN where a token is missing.

    The book's loss is nearly -Σ x_i (y_i + y_i²/2) with y = σ Z, two matrix products, and off by
    no more than Σ |x_i| |y_i|³ e^|y| / 6 (Taylor with Lagrange's remainder). That is close enough
    to know which scenarios cannot be among the worst 5 %; for those it stands as it is, as only
    their being below matters. The others are computed in full.
    """
    count = z.shape[1]
    near, error = np.empty(count), np.empty(count)
    step = max(_AT_ONCE // len(x), 1)
    for start in range(0, count, step):
        part = slice(start, start + step)
        if not _near(x, sigma, z[:, part], near[part], error[part]):
            return _exact_losses(x, sigma, z)
    rank = rank_of(count, _LOWEST_LEVEL)
    # At least count - rank losses reach this, so VaR does too, and no smaller loss matters.
    least = np.partition(near - error, rank)[rank] if count else 0.0
    candidates = np.flatnonzero(near + error >= least)
    near[candidates] = _exact_losses(x, sigma, z[:, candidates])
    return near


def _near(
    x: FloatArray, sigma: FloatArray, z: FloatArray, near: FloatArray, error: FloatArray
) -> bool:
    """Fill in the second-order losses (S,) and how far off they may be.

    False where that is of no use: a move is too large, or missing.
    """
    moves = sigma * np.maximum(z.max(axis=1), -z.min(axis=1))
    largest = float(moves.max())
    if not largest <= _SMALL_MOVE:  # NaN too
        return False
    square, weight = z * z, sigma * sigma
    np.matmul(x * weight / -2, square, out=near)
    near -= (x * sigma) @ z
    # |y|³ is at most y² times the largest |y| of the token.
    gross = np.abs(x)
    np.matmul(gross * weight * moves * (math.exp(largest) / 6), square, out=error)
    error += _ROUNDING * float(gross.sum())
    return True


def _exact_losses(x: FloatArray, sigma: FloatArray, z: FloatArray) -> FloatArray:
    """(S,) of the held tokens' x (H,), σ (H,) and Z (H, S); NaN where a token is missing."""
    y = z * sigma[:, None]
    np.clip(y, -MAX_ABS_LOG_RETURN, MAX_ABS_LOG_RETURN, out=y)
    np.exp(y, out=y)
    loss: FloatArray = x.sum() - x @ y
    return loss


def _filled(scenarios: Scenarios, held: NDArray[np.intp]) -> tuple[FloatArray, dict[str, int]]:
    """Z of the held tokens with stand-ins, (H, S), and how many each token needed."""
    days = scenarios.standardised
    there = ~np.isnan(days)
    known = np.where(there, days, 0.0)
    total, count = known.sum(axis=0), there.sum(axis=0)
    z = days[held].copy()
    filled: dict[str, int] = {}
    for row, i in enumerate(held.tolist()):
        if there[i].all():
            continue
        others = count - there[i]
        mean = np.where(others > 0, (total - known[i]) / np.maximum(others, 1), np.nan)
        own = there[i] & (others > 0)
        _require_own(scenarios, i, int(own.sum()))
        m = mean[own]
        spread = float(((m - m.mean()) ** 2).sum())
        slope = float(((m - m.mean()) * days[i, own]).sum()) / spread if spread > 0 else 0.0
        rest = (days[i, own] - slope * m)[::-1]
        gaps = np.flatnonzero(~there[i] & (others > 0))[::-1]
        z[row, gaps] = slope * mean[gaps] + np.resize(rest, len(gaps))
        filled[scenarios.symbols[i]] = len(gaps)
    return z, {symbol: n for symbol, n in filled.items() if n}


def own_scenarios_needed(scenarios: Scenarios) -> float:
    """Fewest scenarios that a token must have of its own before gaps are filled from them."""
    return MIN_OWN_INDEPENDENT * scenarios.horizon_bars / scenarios.step_bars


def _require_own(scenarios: Scenarios, i: int, own: int) -> None:
    needs = own_scenarios_needed(scenarios)
    if own < needs:
        raise EstimationError(
            f"{scenarios.symbols[i]}: only {own} scenarios of its own, needs {needs:.0f}"
        )


def _too_few(
    scenarios: Scenarios, held: NDArray[np.intp], independent: float, min_independent: float
) -> str:
    days = scenarios.horizon_bars / BARS_PER_DAY
    message = (
        f"only {independent:.1f} independent scenarios of {days:g} days, needs {min_independent:g}"
    )
    known = (~np.isnan(scenarios.standardised[held])).sum(axis=1)
    return f"{message}; {scenarios.symbols[held[int(np.argmin(known))]]} has the fewest"
