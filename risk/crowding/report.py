"""Crowding read from funding rates: who is leaning which way, and how hard."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from risk.book import FloatArray
from risk.covariance.estimate import CovarianceEstimate
from risk.crowding.funding import (
    MAX_AGE_HOURS,
    NEUTRAL_ANNUAL,
    FundingDaily,
    FundingSeries,
    annual_rate,
    at_interest,
    funding_daily,
    is_pinned,
    staleness,
    time_weights,
)
from risk.crowding.funding_extras import behind_the_pin
from risk.errors import DataError
from risk.returns import HOUR_MS

__all__ = [
    "CrowdingReport",
    "FundingDaily",
    "FundingSeries",
    "TokenCrowding",
    "crowding",
    "funding_daily",
    "robust_z",
]

SCORE_HALF_LIFE_HOURS = 24.0
OWN_HALF_LIFE_HOURS = 30 * 24.0
OWN_HISTORY_HOURS = 7 * 24.0
"""Below a week of payments a token's own history says nothing about what is usual for it."""

PERSISTENCE_HOURS = 7 * 24.0
SCORE_CLIP = 4.0
_LONGEST_HISTORY_MS = 180 * 24 * HOUR_MS  # six half-lives; also keeps 2^(hours / 24) from underflow
DISPERSION_FLOOR_ANNUAL = 0.01
"""Scores closer together than this are counted as if they were this far apart: a difference of a
tenth of a percent a year pays for no position, however equal all the other rates are."""
_NO_DISPERSION = 1e-9
_NO_PEERS = "no token of the sector has funding to compare with"


@dataclass(frozen=True, slots=True)
class TokenCrowding:
    """Crowding of one token; None where it is not known, which is never the same as 0.

    Attributes:
        symbol: unified symbol.
        unknown: why nothing is known, as one clause; None where it is.
        funding_annual: last settled rate as a simple yearly rate.
        score_annual: EWMA (24 h half-life) of the yearly excess over 10.95 %.
        z_sector: the score against the sector's, robust.
        z_own: the score against the token's own past.
        z_open_interest: open interest over daily volume against the sector's; None where open
            interest or volume is not known, and then it is left out of the crowding.
        crowding: C; positive: crowded longs, negative: crowded shorts, the squeeze risk of shorts.
        cluster_crowding: C̄, the crowding of what moves with the token; known for a token without
            funding too, when its correlated peers have some.
        pinned: the last payment was exactly the fixed interest and says nothing.
        persistence: share of the 7 days to the last payment spent on the score's side of neutral.
        source: what the last payment's excess rests on: ``rate``; ``premium``, where the rate is
            pinned and the premium of mark over index is known; ``none``, where it is pinned and
            the premium is not known, so that it counts as neutral.
        substitute: the funding is another venue's or the base rate.
    """

    symbol: str
    unknown: str | None = None
    funding_annual: float | None = None
    score_annual: float | None = None
    z_sector: float | None = None
    z_own: float | None = None
    z_open_interest: float | None = None
    crowding: float | None = None
    cluster_crowding: float | None = None
    pinned: bool | None = None
    persistence: float | None = None
    source: str | None = None
    substitute: bool = False


@dataclass(frozen=True, slots=True)
class CrowdingReport:
    """Crowding of N tokens at one moment.

    Attributes:
        timestamp_ms: UTC milliseconds.
        tokens: one entry for each symbol, in their order.
        breadth: share of the sector's known tokens whose score is above neutral; None without any.
        by_premium: scores are on the scale of the premium, see ``crowding``.
    """

    timestamp_ms: int
    tokens: tuple[TokenCrowding, ...]
    breadth: float | None
    by_premium: bool = False

    def of(self, symbol: str) -> TokenCrowding | None:
        """The entry of one symbol; None where it was not asked for."""
        return next((token for token in self.tokens if token.symbol == symbol), None)

    def cluster_crowding(self, symbols: Sequence[str]) -> FloatArray:
        """C̄ of each of ``symbols``, shape (N,), NaN where it is not known."""
        known = {token.symbol: token.cluster_crowding for token in self.tokens}
        values = [known.get(symbol) for symbol in symbols]
        return np.array([math.nan if value is None else value for value in values])


class CrowdingMemory:
    """What each token's payments told last time, for ``crowding`` to use again.

    Between two payments nothing changes in what a token's own funding tells, which is nearly all
    of the work. What is remembered holds for the same series object, and from its last payment
    that counted to its next, so the answer is the same with a memory and without.
    """

    def __init__(self) -> None:
        """Start empty."""
        self._told: dict[str, tuple[FundingSeries, range, FundingSeries, TokenCrowding]] = {}
        self._by_premium = False

    def measure(self, *, by_premium: bool) -> None:
        """Forget what was told on another scale."""
        if by_premium != self._by_premium:
            self._told.clear()
        self._by_premium = by_premium

    def recall(
        self, symbol: str, series: FundingSeries, now_ms: int
    ) -> tuple[FundingSeries, TokenCrowding] | None:
        """The payments that count now and what they told; None where they are others."""
        told = self._told.get(symbol)
        if told is None or told[0] is not series or now_ms not in told[1]:
            return None
        return told[2], told[3]

    def keep(
        self,
        symbol: str,
        series: FundingSeries,
        cut: FundingSeries,
        token: TokenCrowding,
    ) -> None:
        """Remember what ``cut``, the payments of the series that count now, told of the token."""
        times = series.time_ms
        start = int(times.searchsorted(cut.time_ms[0]))
        stop = start + len(cut.time_ms)
        newest, oldest = int(times[stop - 1]), int(times[start]) + _LONGEST_HISTORY_MS
        if start > 0:
            newest = max(newest, int(times[start - 1]) + _LONGEST_HISTORY_MS + 1)
        next_ms = int(times[stop]) if stop < len(times) else oldest + 1
        valid = range(newest, min(next_ms, oldest + 1))
        self._told[symbol] = (series, valid, cut, token)


def crowding(
    funding: Mapping[str, FundingSeries],
    estimate: CovarianceEstimate,
    *,
    in_sector: NDArray[np.bool_],
    now_ms: int,
    open_interest_usd: Mapping[str, float] | None = None,
    adv_usd: Mapping[str, float] | None = None,
    max_age_hours: float = MAX_AGE_HOURS,
    memory: CrowdingMemory | None = None,
) -> CrowdingReport:
    """Score how crowded each token is, alone and with what moves with it.

    From the yearly excess f = 8760 r/Δ - 10.95 % (0 where pinned), s its EWMA over time (half-life
    24 h); where the premium of any of the tokens is known, f is the excess of the premium over
    the interest instead, of all tokens alike (``premium_excess_annual``):

        z_sector = (s - median) / (1.4826 MAD)     over the sector's tokens that have an s
        z_own    = (s - m) / d                     m, d of its own past, half-life 30 days
        C  = clip(½ z_sector + ½ z_own, ±4) · (1 + ½ max(z_OI, 0))
        C̄_i = Σ_j ρ⁺_ij ω_j C_j / Σ_j ρ⁺_ij ω_j    over the sector's tokens and i itself

    with z_OI the robust z of open interest over daily volume (0 where unknown) and ω open interest
    (the median of the known ones where unknown; equal weights without any). 1.4826 MAD and d are
    at least 1 % a year, so that trivial differences between calm rates do not count as crowding;
    no dispersion at all gives a z of 0. Only payments settled by ``now_ms`` are read.

    A token has no C when its series is missing, older than ``max_age_hours``, shorter than a week,
    or nothing but a substituted base rate; ``unknown`` says which.

    Args:
        funding: settled payments by symbol; a symbol may be missing.
        estimate: gives the N symbols and their correlations.
        in_sector: (N,) True for tokens of the sector, False for benchmarks.
        open_interest_usd, adv_usd: by symbol, both above 0; a symbol may be missing.
        memory: of the calls before; keeps what this one finds. The answer does not depend on it.

    Raises:
        DataError: ``in_sector`` has another shape, or open interest or volume is negative or not
            finite.
    """
    symbols = estimate.symbols
    if np.shape(in_sector) != (len(symbols),):
        raise DataError(f"in_sector has shape {np.shape(in_sector)}, must be ({len(symbols)},)")
    by_premium = any(s in funding and funding[s].premium is not None for s in symbols)
    memory = memory or CrowdingMemory()
    memory.measure(by_premium=by_premium)
    tokens = _own_crowding(symbols, funding, now_ms, max_age_hours, memory, by_premium=by_premium)
    score = _values([token.score_annual for token in tokens])
    z_sector = robust_z(score, in_sector & ~np.isnan(score), floor=DISPERSION_FLOOR_ANNUAL)
    interest = _aligned("open interest", open_interest_usd, symbols)
    volume = _aligned("daily volume", adv_usd, symbols)
    ratio = interest / np.where(volume > 0, volume, np.nan)
    z_interest = robust_z(ratio, in_sector & ~np.isnan(ratio))
    z_own = _values([token.z_own for token in tokens])
    boost = 1 + 0.5 * np.where(z_interest > 0, z_interest, 0.0)  # 0 where unknown
    value = np.clip(0.5 * z_sector + 0.5 * z_own, -SCORE_CLIP, SCORE_CLIP) * boost
    around = _cluster_crowding(value, estimate.correlation, interest, in_sector)
    known = in_sector & ~np.isnan(score)
    return CrowdingReport(
        timestamp_ms=now_ms,
        tokens=tuple(
            TokenCrowding(
                symbol=token.symbol,
                unknown=token.unknown or (_NO_PEERS if own is None else None),
                funding_annual=token.funding_annual,
                score_annual=token.score_annual,
                z_sector=against_sector,
                z_own=token.z_own,
                z_open_interest=against_interest,
                crowding=own,
                cluster_crowding=near,
                pinned=token.pinned,
                persistence=token.persistence,
                source=token.source,
                substitute=token.substitute,
            )
            for token, against_sector, against_interest, own, near in zip(
                tokens, *map(_or_none, (z_sector, z_interest, value, around)), strict=True
            )
        ),
        breadth=float((score[known] > 0).mean()) if known.any() else None,
        by_premium=by_premium,
    )


def robust_z(values: FloatArray, among: NDArray[np.bool_], *, floor: float = 0.0) -> FloatArray:
    """(x - median) / max(1.4826 MAD, floor), (N,), median and MAD over the entries ``among``.

    1.4826 makes the median absolute deviation a standard deviation under normality. Where the
    entries have no dispersion every known z is 0. NaN in, NaN out; without any entry, all NaN.

    Args:
        floor: least dispersion that is worth telling, in the unit of the values, at least 0.
    """
    if not among.any():
        return np.full(len(values), np.nan)
    centre = _median(values[among])
    spread = 1.4826 * _median(np.abs(values[among] - centre))
    if spread <= _NO_DISPERSION * max(1.0, abs(centre)):
        return np.where(np.isnan(values), np.nan, 0.0)
    return (values - centre) / max(spread, floor)


def _own_crowding(
    symbols: Sequence[str],
    funding: Mapping[str, FundingSeries],
    now_ms: int,
    max_age_hours: float,
    memory: CrowdingMemory,
    *,
    by_premium: bool,
) -> list[TokenCrowding]:
    """What each token's own payments tell, without its peers, in the order of the symbols."""
    found: dict[str, TokenCrowding] = {}
    # Most tokens are paid at the same times; they share their weights and are computed at once.
    together: dict[tuple[bytes, bytes], dict[str, FundingSeries]] = {}
    for symbol in symbols:
        series = funding.get(symbol)
        if series is None:
            found[symbol] = TokenCrowding(symbol, unknown="no funding series")
            continue
        told = memory.recall(symbol, series, now_ms)
        cut = told[0] if told else series.until(now_ms).since(now_ms - _LONGEST_HISTORY_MS)
        reason = staleness(cut, now_ms, max_age_hours)
        if reason is None and told is not None:
            found[symbol] = told[1]
            continue
        reason = reason or _useless(cut)
        if reason is not None:
            found[symbol] = TokenCrowding(symbol, unknown=reason, substitute=series.substitute)
            continue
        times = (cut.time_ms.tobytes(), cut.interval_hours.tobytes())
        together.setdefault(times, {})[symbol] = cut
    for group in together.values():
        for symbol, token in _with_equal_times(group, by_premium=by_premium).items():
            found[symbol] = token
            memory.keep(symbol, funding[symbol], group[symbol], token)
    return [found[symbol] for symbol in symbols]


def _with_equal_times(
    group: Mapping[str, FundingSeries], *, by_premium: bool
) -> dict[str, TokenCrowding]:
    """The same for G tokens that were paid at the same K times for the same intervals."""
    first = next(iter(group.values()))
    time_ms, interval_hours = first.time_ms, first.interval_hours
    rate = np.array([series.rate for series in group.values()])
    pinned = at_interest(rate, interval_hours)
    annual = annual_rate(rate, interval_hours)
    excess = np.where(pinned, 0.0, annual - NEUTRAL_ANNUAL)
    told = np.zeros(len(rate), dtype=np.bool_)
    if by_premium:
        unknown = np.full(len(time_ms), np.nan)
        premium = np.array([unknown if s.premium is None else s.premium for s in group.values()])
        excess = behind_the_pin(excess, pinned, premium)
        told = ~np.isnan(premium[:, -1])
    source = np.where(pinned[:, -1], np.where(told, "premium", "none"), "rate")
    # Weights that grow from payment to payment give every past score in one pass.
    weights = time_weights(first, SCORE_HALF_LIFE_HOURS)
    score = np.cumsum(weights * excess, axis=1) / np.cumsum(weights)
    since_ms = time_ms[-1] - PERSISTENCE_HOURS * HOUR_MS
    recent = slice(int(np.searchsorted(time_ms, since_ms, side="right")), None)
    hours, lately = interval_hours[recent], excess[:, recent]
    same_side = (np.sign(lately) == np.sign(score[:, -1:])) & (lately != 0)
    columns = (
        annual[:, -1],
        score[:, -1],
        _z_own(first, score),
        pinned[:, -1],
        same_side @ hours / hours.sum(),
        source,
    )
    rows = zip(group.items(), *(column.tolist() for column in columns), strict=True)
    return {
        symbol: TokenCrowding(
            symbol,
            funding_annual=last_annual,
            score_annual=last_score,
            z_own=z_own,
            pinned=last_pinned,
            persistence=persistence,
            source=last_source,
            substitute=series.substitute,
        )
        for (
            (symbol, series),
            last_annual,
            last_score,
            z_own,
            last_pinned,
            persistence,
            last_source,
        ) in rows
    }


def _useless(series: FundingSeries) -> str | None:
    span_hours = (int(series.time_ms[-1]) - int(series.time_ms[0])) / HOUR_MS
    span_hours += float(series.interval_hours[0])
    if span_hours < OWN_HISTORY_HOURS:
        return f"only {span_hours / 24:.1f} days of funding, needs {OWN_HISTORY_HOURS / 24:.0f}"
    if series.substitute and bool(is_pinned(series).all()):
        return "only the base rate stands in for its funding"
    return None


def _z_own(series: FundingSeries, score: FloatArray) -> FloatArray:
    """(G,) last scores of (G, K) against their own past; 0 for one that has no dispersion."""
    weights = time_weights(series, OWN_HALF_LIFE_HOURS)
    mean = score @ weights
    spread = np.sqrt((score - mean[:, None]) ** 2 @ weights)
    moved = spread > _NO_DISPERSION
    z: FloatArray = np.where(moved, score[:, -1] - mean, 0.0)
    return z / np.maximum(spread, DISPERSION_FLOOR_ANNUAL)


def _median(values: FloatArray) -> float:
    """Of one value or more; numpy's takes ten times as long for a few tokens."""
    ordered = np.sort(values).tolist()
    middle = len(ordered) // 2
    if math.isnan(ordered[-1]):  # sorted last
        return math.nan
    if len(ordered) % 2:
        return float(ordered[middle])
    return float((ordered[middle - 1] + ordered[middle]) / 2)


def _cluster_crowding(
    value: FloatArray, correlation: FloatArray, interest: FloatArray, in_sector: NDArray[np.bool_]
) -> FloatArray:
    """C̄, (N,), NaN where neither the token nor any peer that moves with it has a C."""
    # A benchmark's open interest would drown the sector, so it counts for itself only.
    unknown = np.isnan(interest)
    usual = 1.0 if unknown.all() else _median(interest[~unknown])
    told = ~np.isnan(value)
    size = np.where(unknown, usual, interest) * told
    of_peers, of_itself = size * in_sector, size * ~in_sector
    among = np.maximum(correlation, 0.0)
    crowded = np.where(told, value, 0.0)
    total = among @ of_peers + of_itself
    sums = among @ (of_peers * crowded) + of_itself * crowded
    around: FloatArray = np.divide(sums, total, out=np.full(len(value), np.nan), where=total > 0)
    return around


def _aligned(
    what: str, by_symbol: Mapping[str, float] | None, symbols: Sequence[str]
) -> FloatArray:
    if not by_symbol:
        return np.full(len(symbols), np.nan)
    values = np.array([by_symbol.get(symbol, math.nan) for symbol in symbols])
    wrong = (values < 0) | (values == np.inf)
    if wrong.any():
        i = int(np.argmax(wrong))
        raise DataError(f"{symbols[i]}: {what} is {values[i]} USD, must be at least 0")
    return values


def _values(items: Sequence[float | None]) -> FloatArray:
    return np.array([math.nan if item is None else item for item in items], dtype=np.float64)


def _or_none(values: FloatArray) -> list[float | None]:
    return [None if math.isnan(value) else value for value in values.tolist()]
