"""What each token's own payments tell of crowding, alone and beside the others'."""

import math
import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from risk.book import FloatArray
from risk.crowding.funding import (
    NEUTRAL_ANNUAL,
    FundingSeries,
    annual_rate,
    at_interest,
    is_pinned,
    staleness,
    time_weights,
)
from risk.crowding.funding_extras import behind_the_pin
from risk.crowding.robust import NO_DISPERSION, robust_z
from risk.crowding.tokens import TokenCrowding
from risk.returns import HOUR_MS

SCORE_HALF_LIFE_HOURS = 24.0
OWN_HALF_LIFE_HOURS = 30 * 24.0
OWN_HISTORY_HOURS = 7 * 24.0
"""Below a week of payments a token's own history says nothing about what is usual for it."""

PERSISTENCE_HOURS = 7 * 24.0
_LONGEST_HISTORY_MS = 180 * 24 * HOUR_MS  # six half-lives; also keeps 2^(hours / 24) from underflow
DISPERSION_FLOOR_ANNUAL = 0.01
"""Scores closer together than this are counted as if they were this far apart: a difference of a
tenth of a percent a year pays for no position, however equal all the other rates are."""


@dataclass(frozen=True, slots=True)
class _Told:
    """What payments ``cut`` of a series told of a token, from the last of them to the next."""

    series: FundingSeries
    valid_ms: range
    last_ms: int
    token: TokenCrowding


@dataclass(frozen=True, slots=True)
class Compared:
    """Tokens' own payments beside each other, arrays (N,) with NaN where it is not known.

    Attributes:
        own: what each token's own payments tell.
        z_sector, z_own: as TokenCrowding has them.
        breadth: as CrowdingReport has it.
    """

    own: tuple[TokenCrowding, ...]
    in_sector: NDArray[np.bool_]
    z_sector: FloatArray
    z_own: FloatArray
    breadth: float | None


class CrowdingMemory:
    """What each token's payments told last time, for ``crowding`` to use again.

    Between two payments nothing changes in what a token's own funding tells, which is nearly all
    of the work. What is remembered holds for the same series object, and from its last payment
    that counted to its next, so the answer is the same with a memory and without.
    """

    def __init__(self) -> None:
        """Start empty."""
        self._told: dict[str, _Told] = {}
        self._by_premium = False
        self._compared: Compared | None = None

    def measure(self, *, by_premium: bool) -> None:
        """Forget what was told on another scale."""
        if by_premium != self._by_premium:
            self._told.clear()
        self._by_premium = by_premium

    def recall(
        self, symbol: str, series: FundingSeries, now_ms: int, max_age_hours: float
    ) -> TokenCrowding | None:
        """What the payments that count now told; None where they are others or too old."""
        told = self._told.get(symbol)
        if told is None or told.series is not series or now_ms not in told.valid_ms:
            return None
        return told.token if now_ms - told.last_ms <= max_age_hours * HOUR_MS else None

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
        last, oldest = int(times[stop - 1]), int(times[start]) + _LONGEST_HISTORY_MS
        newest = last
        if start > 0:
            newest = max(newest, int(times[start - 1]) + _LONGEST_HISTORY_MS + 1)
        next_ms = int(times[stop]) if stop < len(times) else oldest + 1
        valid = range(newest, min(next_ms, oldest + 1))
        self._told[symbol] = _Told(series, valid, last, token)

    def compared(self, own: tuple[TokenCrowding, ...], in_sector: NDArray[np.bool_]) -> Compared:
        """``own`` beside each other, as the last time where they are the very same."""
        last = self._compared
        if (
            last is None
            or len(own) != len(last.own)
            or not all(map(operator.is_, own, last.own))
            or not np.array_equal(in_sector, last.in_sector)
        ):
            self._compared = last = _compared(own, in_sector.copy())
        return last


def _compared(own: tuple[TokenCrowding, ...], in_sector: NDArray[np.bool_]) -> Compared:
    score = _values([token.score_annual for token in own])
    known = in_sector & ~np.isnan(score)
    return Compared(
        own=own,
        in_sector=in_sector,
        z_sector=robust_z(score, known, floor=DISPERSION_FLOOR_ANNUAL),
        z_own=_values([token.z_own for token in own]),
        breadth=float((score[known] > 0).mean()) if known.any() else None,
    )


def own_crowding(
    symbols: Sequence[str],
    funding: Mapping[str, FundingSeries],
    now_ms: int,
    max_age_hours: float,
    memory: CrowdingMemory,
    *,
    by_premium: bool,
) -> tuple[TokenCrowding, ...]:
    """What each token's own payments tell, without its peers, in the order of the symbols."""
    found: dict[str, TokenCrowding] = {}
    # Most tokens are paid at the same times; they share their weights and are computed at once.
    together: dict[tuple[bytes, bytes], dict[str, FundingSeries]] = {}
    for symbol in symbols:
        series = funding.get(symbol)
        if series is None:
            found[symbol] = TokenCrowding(symbol, unknown="no funding series")
            continue
        told = memory.recall(symbol, series, now_ms, max_age_hours)
        if told is not None:
            found[symbol] = told
            continue
        cut = series.until(now_ms).since(now_ms - _LONGEST_HISTORY_MS)
        reason = staleness(cut, now_ms, max_age_hours) or _useless(cut)
        if reason is not None:
            found[symbol] = TokenCrowding(symbol, unknown=reason, substitute=series.substitute)
            continue
        times = (cut.time_ms.tobytes(), cut.interval_hours.tobytes())
        together.setdefault(times, {})[symbol] = cut
    for group in together.values():
        for symbol, token in _with_equal_times(group, by_premium=by_premium).items():
            found[symbol] = token
            memory.keep(symbol, funding[symbol], group[symbol], token)
    return tuple(found[symbol] for symbol in symbols)


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
    moved = spread > NO_DISPERSION
    z: FloatArray = np.where(moved, score[:, -1] - mean, 0.0)
    return z / np.maximum(spread, DISPERSION_FLOOR_ANNUAL)


def _values(items: Sequence[float | None]) -> FloatArray:
    return np.array([math.nan if item is None else item for item in items], dtype=np.float64)
