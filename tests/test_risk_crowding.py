"""Crowding: the score against its formula, staleness, and never a zero for the unknown."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from risk.book import FloatArray
from risk.crowding.funding import FundingSeries
from risk.crowding.report import CrowdingMemory, CrowdingReport, crowding, robust_z
from risk.errors import DataError
from risk.returns import HOUR_MS, utc
from tests.funding_scene import BASE_8H, NOW_MS, estimate, excess, known, number, series

SHARED = Path(__file__).resolve().parents[2] / "shared"


def test_robust_z_by_hand() -> None:
    values = np.array([1.0, 2.0, 3.0, 4.0, 100.0])
    z = robust_z(values, np.ones(5, dtype=bool))
    assert z == pytest.approx((values - 3) / 1.4826)
    assert robust_z(np.array([1.0, 1.0, np.nan]), np.array([True, True, False]))[:2].tolist() == [
        0,
        0,
    ]
    assert np.isnan(robust_z(np.array([1.0, np.nan]), np.array([True, False]))[1])
    assert np.isnan(robust_z(np.array([1.0]), np.array([False]))).all()


def report_of(
    daily: dict[str, FloatArray], benchmarks: tuple[str, ...] = (), **more: dict[str, float]
) -> CrowdingReport:
    """Crowding from yearly excess paid day by day, three payments each."""
    symbols = list(daily)
    funding = {s: series([excess(x) for x in np.repeat(d, 3)], symbol=s) for s, d in daily.items()}
    flags = np.array([s not in benchmarks for s in symbols])
    return crowding(
        funding, estimate(symbols), in_sector=flags, now_ms=NOW_MS,
        open_interest_usd=more.get("open_interest_usd"), adv_usd=more.get("adv_usd"),
    )  # fmt: skip


def test_the_score_against_the_formula() -> None:
    rng = np.random.default_rng(1)
    daily = {s: rng.normal(0, 1e-3, 60) for s in "ABCDE"}
    report = report_of(daily)
    final, own = {}, {}
    for s, d in daily.items():
        f = pd.Series(365 * np.repeat(d, 3))
        score = f.ewm(halflife=3).mean()
        final[s] = score.iloc[-1]
        past = score.ewm(halflife=90)
        own[s] = (score.iloc[-1] - past.mean().iloc[-1]) / past.std(bias=True).iloc[-1]
    values = np.array(list(final.values()))
    middle = np.median(values)
    spread = 1.4826 * np.median(np.abs(values - middle))
    for s in daily:
        token = known(report, s)
        sector = (final[s] - middle) / spread
        assert token.score_annual == pytest.approx(final[s], rel=1e-9)
        assert token.z_own == pytest.approx(own[s], rel=1e-9)
        assert token.z_sector == pytest.approx(sector, rel=1e-9)
        assert token.crowding == pytest.approx(np.clip((sector + own[s]) / 2, -4, 4), rel=1e-9)
        assert token.z_open_interest is None
        assert token.unknown is None
    assert report.breadth == pytest.approx((values > 0).mean())


def test_no_dispersion_gives_zero_and_not_infinity() -> None:
    report = report_of({s: np.full(30, 0.001) for s in "ABC"})
    for token in report.tokens:
        assert (token.z_sector, token.z_own, token.crowding) == (0.0, 0.0, 0.0)
    pinned = report_of({s: np.zeros(30) for s in "ABC"})
    assert all(token.pinned and token.score_annual == 0 for token in pinned.tokens)
    assert pinned.breadth == 0.0


def test_trivial_differences_between_calm_rates_are_no_crowding() -> None:
    values = np.array([0.0, 1e-6, 2e-6, 3e-6, 0.002])
    among = np.ones(5, dtype=bool)
    assert robust_z(values, among)[-1] > 1000
    assert robust_z(values, among, floor=0.01)[-1] == pytest.approx((0.002 - 2e-6) / 0.01)
    assert not robust_z(np.ones(5), among, floor=0.01).any()
    # 0.2 % a year for the last day, where the others pay a hundredth of it.
    still = np.linspace(-1, 1, 60) * 1e-4 / 365
    odd = still.copy()
    odd[-1] += 0.002 / 365
    report = report_of({"ODD": odd, "X": still, "Y": -still, "Z": 2 * still})
    token = known(report, "ODD")
    score = number(token.score_annual)
    assert 0.0008 < score < 0.002
    middle = np.median([number(one.score_annual) for one in report.tokens])
    assert token.z_sector == pytest.approx((score - middle) / 0.01)
    assert 0 < number(token.z_own) < 0.2
    assert 0 < number(token.crowding) < 0.2


def test_crowded_longs_are_positive_and_crowded_shorts_negative() -> None:
    calm = np.random.default_rng(2).normal(0, 1e-4, 30)
    hot, cold = calm.copy(), calm.copy()
    hot[-3:] += 0.003
    cold[-3:] -= 0.003
    report = report_of({"HOT": hot, "COLD": cold, "X": calm, "Y": calm + 1e-5, "Z": calm - 1e-5})
    assert number(known(report, "HOT").crowding) > 2
    assert number(known(report, "COLD").crowding) < -2
    assert -2 < number(known(report, "X").crowding) < 2


def test_crowding_is_clipped_before_open_interest_counts() -> None:
    calm = np.random.default_rng(3).normal(0, 1e-4, 60)
    hot = calm.copy()
    hot[-1] += 0.05
    daily = {"HOT": hot, "B": calm, "C": calm + 1e-5, "D": calm - 1e-5, "E": calm + 2e-5}
    plain = known(report_of(daily), "HOT")
    assert plain.crowding == 4.0
    volumes = dict.fromkeys(daily, 1e6)
    interest = {"HOT": 5e6, "B": 1e6, "C": 2e6, "D": 3e6, "E": 4e6}
    loaded = known(report_of(daily, open_interest_usd=interest, adv_usd=volumes), "HOT")
    assert loaded.z_open_interest == pytest.approx(2 / 1.4826)
    assert loaded.crowding == pytest.approx(4 * (1 + 1 / 1.4826))
    low = {"HOT": 1e6, "B": 5e6, "C": 2e6, "D": 3e6, "E": 4e6}
    assert known(report_of(daily, open_interest_usd=low, adv_usd=volumes), "HOT").crowding == 4.0


def test_cluster_crowding_weighs_by_positive_correlation_and_open_interest() -> None:
    rng = np.random.default_rng(4)
    daily = {s: rng.normal(0, 1e-3, 60) for s in ("A", "B", "C", "BTC")}
    symbols = list(daily)
    correlation = np.array(
        [[1, 0.8, -0.3, 0.5], [0.8, 1, 0.1, 0.5], [-0.3, 0.1, 1, 0.2], [0.5, 0.5, 0.2, 1]]
    )
    funding = {s: series([excess(x) for x in np.repeat(d, 3)]) for s, d in daily.items()}
    report = crowding(
        funding,
        estimate(symbols, correlation),
        in_sector=np.array([True, True, True, False]),
        now_ms=NOW_MS,
        open_interest_usd={"A": 1e6, "B": 3e6, "BTC": 1e9},  # C unknown: the median, 3e6
    )
    c = {s: number(known(report, s).crowding) for s in symbols}
    assert known(report, "A").cluster_crowding == pytest.approx(
        (c["A"] * 1 + 0.8 * c["B"] * 3) / (1 + 0.8 * 3)
    )
    assert known(report, "C").cluster_crowding == pytest.approx(
        (c["C"] * 3 + 0.1 * c["B"] * 3) / (3 + 0.1 * 3)
    )
    both = report.cluster_crowding(["B", "NONE"])
    assert both[0] == pytest.approx(
        (0.8 * c["A"] + 3 * c["B"] + 0.1 * 3 * c["C"]) / (0.8 + 3 + 0.1 * 3)
    )
    assert np.isnan(both[1])


def test_the_unknown_is_named_and_takes_its_peers_cluster() -> None:
    rng = np.random.default_rng(5)
    good = {s: series(rng.normal(1e-4, 1e-4, 90), symbol=s) for s in "ABC"}
    funding = good | {
        "OLD": series([0.0003] * 90, end_ms=NOW_MS - 30 * HOUR_MS),
        "NEW": series([0.0003] * 9),
        "PIN": series([BASE_8H] * 90, substitute=True),
    }
    symbols = [*funding, "NONE"]
    everything = np.ones(len(symbols), dtype=bool)
    report = crowding(funding, estimate(symbols), in_sector=everything, now_ms=NOW_MS)
    reasons = {t.symbol: t.unknown for t in report.tokens if t.unknown}
    assert reasons == {
        "OLD": f"last funding payment {utc(NOW_MS - 30 * HOUR_MS)} is 30 hours old",
        "NEW": "only 3.0 days of funding, needs 7",
        "PIN": "only the base rate stands in for its funding",
        "NONE": "no funding series",
    }
    for symbol in reasons:
        token = known(report, symbol)
        assert (token.crowding, token.score_annual, token.z_own, token.pinned) == (None,) * 4
        assert token.cluster_crowding is not None
    alone = crowding(
        good, estimate(["A", "B", "C"]), in_sector=np.ones(3, dtype=bool), now_ms=NOW_MS
    )
    for symbol in "ABC":  # the unknown do not disturb what is known
        assert known(report, symbol).crowding == pytest.approx(known(alone, symbol).crowding)


def test_without_any_funding_nothing_is_known() -> None:
    report = crowding({}, estimate(["A"]), in_sector=np.array([True]), now_ms=NOW_MS)
    assert report.breadth is None
    assert report.tokens[0].cluster_crowding is None
    assert report.of("B") is None


def test_a_benchmark_alone_has_nothing_to_compare_with() -> None:
    paid = series(np.random.default_rng(6).normal(1e-4, 1e-4, 90))
    report = crowding({"BTC": paid}, estimate(["BTC"]), in_sector=np.array([False]), now_ms=NOW_MS)
    assert report.tokens[0].crowding is None
    assert "no token of the sector" in str(report.tokens[0].unknown)


def test_persistence_is_a_share_of_time() -> None:
    # Of the last 7 days: 4 days above neutral in 8-hour payments, then 3 days below by the hour,
    # hard enough that the score is below.
    rates = [excess(0.001)] * 30 + [excess(0.001)] * 12 + [excess(-0.01, 1.0)] * 72
    hours = [8.0] * 42 + [1.0] * 72
    funding = {"A": series(rates, hours)}
    report = crowding(funding, estimate(["A"]), in_sector=np.array([True]), now_ms=NOW_MS)
    assert number(report.tokens[0].score_annual) < 0
    assert report.tokens[0].persistence == pytest.approx(3 / 7)


@pytest.mark.parametrize("bad", [-1.0, float("inf")])
def test_unusable_open_interest_is_refused(bad: float) -> None:
    with pytest.raises(DataError, match="A: open interest"):
        report_of({"A": np.zeros(30)}, open_interest_usd={"A": bad})


def test_the_sector_mask_must_fit() -> None:
    with pytest.raises(DataError, match="in_sector"):
        crowding({}, estimate(["A"]), in_sector=np.ones(2, dtype=bool), now_ms=NOW_MS)


@pytest.mark.skipif(not SHARED.exists(), reason="../shared is not here")
def test_real_funding_of_two_venues() -> None:
    paid = pd.read_parquet(SHARED / "market" / "funding.parquet")
    paid = paid[paid.venue == "hyperliquid"].sort_values("timestamp")
    funding = {
        str(symbol): FundingSeries(
            str(symbol),
            np.asarray(
                rows.timestamp.astype("datetime64[ms, UTC]").astype("int64"), dtype=np.int64
            ),
            rows.rate.to_numpy(np.float64),
            rows.interval_hours.to_numpy(np.float64),
        )
        for symbol, rows in paid.groupby("symbol")
    }
    now_ms = int(pd.Timestamp("2025-05-12", tz="UTC").timestamp() * 1000)
    symbols = sorted(funding)
    flags = np.array([not s.startswith(("BTC", "ETH", "SOL")) for s in symbols])
    report = crowding(funding, estimate(symbols), in_sector=flags, now_ms=now_ms)
    assert [t.unknown for t in report.tokens] == [None] * len(symbols)
    assert all(abs(number(t.crowding)) <= 4 for t in report.tokens)
    assert any(t.pinned for t in report.tokens)
    late = crowding(
        funding,
        estimate(symbols),
        in_sector=flags,
        now_ms=int(pd.Timestamp("2025-08-20", tz="UTC").timestamp() * 1000),
    )
    assert "hours old" in str(known(late, "FET/USDC:USDC").unknown)
    assert known(late, "BTC/USDC:USDC").score_annual is not None


def test_memory_changes_nothing_but_the_time() -> None:
    rng = np.random.default_rng(3)
    symbols = [f"T{i}/USDT:USDT" for i in range(5)]
    start_ms, hours = 1_700_000_000_000 // HOUR_MS * HOUR_MS, [8, 8, 4, 1, 8]
    whole = {}
    for i, symbol in enumerate(symbols[:4]):
        count = 200 * 24 // hours[i]
        time_ms = start_ms + hours[i] * HOUR_MS * np.arange(count, dtype=np.int64)
        rate = rng.normal(1e-4, 1e-4, count)
        whole[symbol] = FundingSeries(symbol, time_ms, rate, np.full(count, float(hours[i])))
    memory, known, in_sector = CrowdingMemory(), dict(whole), np.ones(5, dtype=bool)
    for step in range(60):
        now_ms = start_ms + (150 * 24 + 37 * step) * HOUR_MS // 2
        if step % 7 == 3:  # another series of the same length in its place
            old = known[symbols[1]]
            known[symbols[1]] = FundingSeries(
                old.symbol, old.time_ms, old.rate[::-1], old.interval_hours
            )
        remembered = crowding(
            known, estimate(symbols), in_sector=in_sector, now_ms=now_ms, memory=memory
        )
        assert remembered == crowding(known, estimate(symbols), in_sector=in_sector, now_ms=now_ms)
