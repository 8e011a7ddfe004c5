"""Crowding read from funding rates: who is leaning which way, and how hard."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from risk.book import FloatArray
from risk.covariance.estimate import CovarianceEstimate
from risk.crowding.funding import MAX_AGE_HOURS, FundingDaily, FundingSeries, funding_daily
from risk.crowding.own import CrowdingMemory, own_crowding
from risk.crowding.robust import median, robust_z
from risk.crowding.tokens import CrowdingReport, ScoredReport, Scores, TokenCrowding
from risk.errors import DataError

__all__ = [
    "CrowdingMemory",
    "CrowdingReport",
    "FundingDaily",
    "FundingSeries",
    "TokenCrowding",
    "crowding",
    "funding_daily",
    "robust_z",
]

SCORE_CLIP = 4.0


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
    own = own_crowding(symbols, funding, now_ms, max_age_hours, memory, by_premium=by_premium)
    beside = memory.compared(own, np.asarray(in_sector))
    interest = _aligned("open interest", open_interest_usd, symbols)
    volume = _aligned("daily volume", adv_usd, symbols)
    ratio = interest / np.where(volume > 0, volume, np.nan)
    z_interest = robust_z(ratio, in_sector & ~np.isnan(ratio))
    boost = 1 + 0.5 * np.where(z_interest > 0, z_interest, 0.0)  # 0 where unknown
    both = 0.5 * beside.z_sector + 0.5 * beside.z_own
    value = np.minimum(np.maximum(both, -SCORE_CLIP), SCORE_CLIP) * boost
    around = _cluster_crowding(value, estimate.correlation, interest, in_sector)
    scores = Scores(own, beside.z_sector, z_interest, value, around)
    return ScoredReport(now_ms, scores, beside.breadth, by_premium=by_premium)


def _cluster_crowding(
    value: FloatArray, correlation: FloatArray, interest: FloatArray, in_sector: NDArray[np.bool_]
) -> FloatArray:
    """C̄, (N,), NaN where neither the token nor any peer that moves with it has a C."""
    # A benchmark's open interest would drown the sector, so it counts for itself only.
    unknown = np.isnan(interest)
    usual = 1.0 if unknown.all() else median(interest[~unknown])
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
