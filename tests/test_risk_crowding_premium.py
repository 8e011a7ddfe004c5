"""Crowding behind pinned funding rates: by the premium of mark over index, for all tokens alike."""

from dataclasses import replace

import numpy as np
import pytest

from risk.book import FloatArray
from risk.covariance.estimate import estimate_from
from risk.crowding.funding import FundingSeries
from risk.crowding.report import CrowdingMemory, CrowdingReport, TokenCrowding, crowding
from risk.errors import DataError
from risk.returns import HOUR_MS

NOW_MS = 1_750_000_000_000 // (24 * HOUR_MS) * (24 * HOUR_MS)
SYMBOLS = ("CALM", "LEAN", "LONGS", "SHORTS")
INTEREST, DAYS = 0.0001, 40


def settled(premium: FloatArray, hours: float) -> FloatArray:
    """P + clip(I - P, ±0.05 %), cut to the interval, told to eight decimals."""
    return np.round((premium + np.clip(INTEREST - premium, -5e-4, 5e-4)) * hours / 8, 8)


def series(symbol: str, level: float, hours: float, seed: int) -> FundingSeries:
    """Premiums around a level, and what the venue makes of them."""
    count = round(DAYS * 24 / hours)
    premium = level + 2e-5 * np.random.default_rng(seed).standard_normal(count)
    ages = np.arange(count)[::-1] * round(hours * HOUR_MS)
    return FundingSeries(
        symbol,
        NOW_MS - ages.astype(np.int64),
        settled(premium, hours),
        np.full(count, hours),
        premium=premium,
    )


def market() -> dict[str, FundingSeries]:
    """CALM and LEAN are both pinned; the others are beyond the pin."""
    levels = {
        "CALM": (1e-4, 8.0),
        "LEAN": (-3e-4, 4.0),
        "LONGS": (9e-4, 8.0),
        "SHORTS": (-9e-4, 1.0),
    }
    return {s: series(s, *one, seed=k) for k, (s, one) in enumerate(levels.items())}


def report(
    funding: dict[str, FundingSeries], memory: CrowdingMemory | None = None
) -> CrowdingReport:
    n = len(SYMBOLS)
    estimate = estimate_from(
        SYMBOLS,
        np.full(n, 0.05),
        np.full((n, n), 0.6) + 0.4 * np.eye(n),
        observed_bars=np.full(n, 2000.0),
    )
    sector = np.ones(n, dtype=np.bool_)
    return crowding(funding, estimate, in_sector=sector, now_ms=NOW_MS, memory=memory)


def bare(funding: dict[str, FundingSeries]) -> dict[str, FundingSeries]:
    return {symbol: replace(one, premium=None) for symbol, one in funding.items()}


def tokens(found: CrowdingReport) -> dict[str, TokenCrowding]:
    return {token.symbol: token for token in found.tokens}


def plain_score(one: FundingSeries, premium: FloatArray) -> float:
    """EWMA over time of the yearly excess of the premium, 24-hour half-life, by a plain loop."""
    total = weight = 0.0
    for time_ms, hours, value in zip(one.time_ms, one.interval_hours, premium, strict=True):
        w = 2 ** (-(NOW_MS - time_ms) / HOUR_MS / 24) * (1 - 2 ** (-hours / 24))
        total, weight = total + w * (value - INTEREST) * 1095, weight + w
    return float(total / weight)


def test_scores_are_of_the_premium_pinned_or_not_whatever_the_interval() -> None:
    funding = market()
    found = report(funding)
    assert found.by_premium
    for symbol, token in tokens(found).items():
        premium = funding[symbol].premium
        assert premium is not None
        # The rate is told to eight decimals for its own interval.
        assert token.score_annual == pytest.approx(plain_score(funding[symbol], premium), abs=2e-4)


def test_pinned_tokens_are_told_apart_and_say_what_they_rest_on() -> None:
    funding = market()
    with_premium, without = tokens(report(funding)), tokens(report(bare(funding)))
    assert [without[s].source for s in SYMBOLS] == ["none", "none", "rate", "rate"]
    assert [with_premium[s].source for s in SYMBOLS] == ["premium", "premium", "rate", "rate"]
    assert [t.pinned for t in with_premium.values()] == [t.pinned for t in without.values()]
    assert with_premium["LEAN"].pinned
    assert without["LEAN"].score_annual == without["CALM"].score_annual == 0.0
    calm, lean = with_premium["CALM"].score_annual, with_premium["LEAN"].score_annual
    assert calm is not None
    assert lean is not None
    assert lean < calm - 0.3
    assert with_premium["LEAN"].persistence == 1.0
    # What is paid is the same: only the reading of it differs.
    for symbol in SYMBOLS:
        assert with_premium[symbol].funding_annual == without[symbol].funding_annual


def test_one_known_premium_puts_all_on_its_scale() -> None:
    funding = market()
    some = bare(funding) | {"LEAN": funding["LEAN"]}
    mixed, whole = tokens(report(some)), tokens(report(funding))
    for symbol in ("LEAN", "LONGS", "SHORTS"):
        assert mixed[symbol].score_annual == pytest.approx(whole[symbol].score_annual, abs=1e-12)
    assert (mixed["CALM"].score_annual, mixed["CALM"].source) == (0.0, "none")
    values = np.array([whole[s].score_annual for s in SYMBOLS], dtype=float)
    centre = np.median(values)
    expected = (values - centre) / (1.4826 * np.median(np.abs(values - centre)))
    assert [whole[s].z_sector for s in SYMBOLS] == pytest.approx(expected.tolist())


def test_a_memory_does_not_mix_scales() -> None:
    funding, memory = market(), CrowdingMemory()
    kept = {s: funding[s] for s in ("LONGS", "SHORTS")}
    one = bare({s: funding[s] for s in ("CALM", "LEAN")}) | kept
    one = {s: replace(f, premium=None) for s, f in one.items()}
    other = {**one, "CALM": funding["CALM"]}
    for chosen in (one, other, one, other):
        assert report(chosen, memory) == report(chosen)


def test_parts_keep_their_premiums_and_wrong_ones_are_refused() -> None:
    one = market()["CALM"]
    assert one.premium is not None
    cut = one.since(int(one.time_ms[10])).until(int(one.time_ms[20]))
    assert cut.premium is not None
    assert cut.premium.tolist() == one.premium[10:21].tolist()
    assert replace(one, premium=None).since(0).premium is None
    with pytest.raises(DataError, match="differ in length"):
        replace(one, premium=one.premium[1:])
    with pytest.raises(DataError, match=r"CALM: premium at 20.* is infinite"):
        replace(one, premium=np.where(np.arange(len(one.premium)) == 3, np.inf, one.premium))
