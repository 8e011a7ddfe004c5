"""The report that holds all rolling measures: equal to pandas, every gap with its reason."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from risk.book import FloatArray
from risk.correlation.report import CorrelationReport, correlation_report
from risk.errors import DataError
from risk.returns import HOUR_MS, BarPanel
from tests.rolling_scene import BTC, ETH, NAN, market, names

SHARED = Path(__file__).resolve().parents[2] / "shared"


def panel_of(returns: FloatArray, volumes: FloatArray, symbols: tuple[str, ...] = ()) -> BarPanel:
    """Bars whose returns are these, with one bar before them; no gaps."""
    steps = np.vstack([np.zeros((1, returns.shape[1])), returns])
    close = 10 * np.exp(np.cumsum(steps, axis=0))
    first = np.vstack([volumes[:1], volumes])
    return BarPanel(
        symbols or names(returns.shape[1]), HOUR_MS * np.arange(len(close)), close, first
    )


def report(seed: int = 12, bars: int = 24 * 40, n: int = 6) -> CorrelationReport:
    return correlation_report(panel_of(*market(seed, bars, n)))


def test_the_report_equals_pandas() -> None:
    returns, volumes = market(12, 24 * 40, 6)
    found = correlation_report(panel_of(returns, volumes))
    frame = pd.DataFrame(returns)
    np.testing.assert_allclose(found.hourly_30d.matrix, frame.tail(720).corr(), atol=1e-9)
    np.testing.assert_allclose(found.hourly_7d.matrix, frame.tail(168).corr(), atol=1e-9)
    assert (found.hourly_7d.observations == 168).all()
    closes = pd.DataFrame(np.log(panel_of(returns, volumes).close))
    days = closes.iloc[23::24].diff().iloc[1:].tail(30)
    np.testing.assert_allclose(found.daily_30d.matrix, days.corr(), atol=1e-9)
    assert (found.daily_30d.observations == 30).all()
    assert found.symbols == found.volume_weighted.symbols == names(6)
    assert found.time_ms == (24 * 40 + 1) * HOUR_MS
    assert found.excluded == ()
    beta = found.betas[BTC, 30]
    slope = frame.tail(720).cov().to_numpy()[0] / frame.tail(720)[0].var()
    np.testing.assert_allclose(beta.beta, slope, rtol=1e-9)
    assert set(found.betas) == {(b, d) for b in (BTC, ETH) for d in (30, 7)}
    members = found.cluster_members()
    assert sorted(s for group in members for s in group) == sorted(names(6))


def test_everybody_left_out_has_a_reason() -> None:
    returns, volumes = market(13, 24 * 40, 8)
    panel = panel_of(returns, volumes)
    close, volume = panel.close.copy(), panel.quote_volume_usd.copy()
    volume[:, 1] /= 1e3  # a thin benchmark stays
    volume[:, 2] /= 1e3
    close[-100:, 3] *= 1000
    close[:-50, 4] = NAN
    close[100:, 5] = close[100, 5]
    volume[-7, 6] = -1.0
    found = correlation_report(BarPanel(panel.symbols, panel.open_ms, close, volume))
    reasons = {item.symbol: item.reason for item in found.excluded}
    assert found.symbols == (BTC, ETH, names(8)[7])
    assert list(reasons) == list(names(8)[2:7])
    thin, renamed, young, still, broken = reasons.values()
    assert "below the floor of 1,000,000" in thin
    assert "another denomination?" in renamed
    assert young == "only 49 hourly returns in the last 30 days, needs 336"
    assert still == "price did not move in the last 30 days"
    assert "volume is -1 USD at 1970-02-" in broken


def test_a_token_that_halted_this_week_is_unknown_over_the_week_only() -> None:
    returns, volumes = market(14, 24 * 40, 4)
    panel = panel_of(returns, volumes)
    close = panel.close.copy()
    close[-150:, 3] = NAN
    found = correlation_report(BarPanel(panel.symbols, panel.open_ms, close, volumes_of(panel)))
    assert found.excluded == ()
    assert np.isnan(found.hourly_7d.matrix[3]).all()
    assert not np.isnan(found.hourly_30d.matrix).any()
    assert found.hourly_7d.observations[3, 3] == 18
    assert np.isnan(found.betas[BTC, 7].beta[3])


def volumes_of(panel: BarPanel) -> FloatArray:
    return np.array(panel.quote_volume_usd)


def test_nothing_left_is_an_empty_report_with_reasons() -> None:
    symbols = ("A", "B")
    panel = BarPanel(symbols, HOUR_MS * np.arange(3), np.ones((3, 2)), np.full((3, 2), 1e6))
    found = correlation_report(panel)
    assert found.symbols == ()
    assert found.hourly_30d.matrix.shape == (0, 0)
    assert found.clusters.names == ()
    assert found.cluster_members() == ()
    assert [item.symbol for item in found.excluded] == ["A", "B", BTC, ETH]
    assert found.excluded[-1].reason == "benchmark without bars"
    for bars in (1, 2):
        short = BarPanel(symbols, HOUR_MS * np.arange(bars), np.ones((bars, 2)), np.ones((bars, 2)))
        assert correlation_report(short).symbols == ()
    nobody = BarPanel((), HOUR_MS * np.arange(3), np.ones((3, 0)), np.ones((3, 0)))
    assert correlation_report(nobody).symbols == ()
    with pytest.raises(DataError, match="no bars"):
        correlation_report(BarPanel(symbols, np.arange(0), np.ones((0, 2)), np.ones((0, 2))))


def test_disagreements_are_listed_with_the_most_different_first() -> None:
    rng = np.random.default_rng(15)
    bars = 24 * 40
    leader = rng.standard_normal(bars) * 0.01
    busy = rng.random(bars) < 0.4
    noise = rng.standard_normal((bars, 2)) * 0.01
    follower = np.where(busy, noise[:, 0], leader)
    half = np.where(busy, 0.5 * leader + noise[:, 1], leader)
    returns = np.column_stack([leader, follower, half])
    volumes = np.where(busy, 5e7, 1e6)[:, None] * np.ones((1, 3))
    found = correlation_report(panel_of(returns, volumes)).disagreements
    assert {found[0].one, found[0].other} & {names(3)[1]}
    gaps = [abs(item.weighted - item.plain) for item in found]
    assert gaps == sorted(gaps, reverse=True)
    assert all(item.standard_error > 0 for item in found)
    assert len(found) >= 2


@pytest.mark.skipif(not SHARED.exists(), reason="../shared is not here")
def test_a_real_day() -> None:
    columns = ["timestamp", "symbol", "close", "volume"]
    bars = pd.read_parquet(SHARED / "market" / "hourly.parquet", columns=columns)
    wide = bars.pivot_table(index="timestamp", columns="symbol", values=["close", "volume"])
    wide = wide.asfreq("1h")
    wide = wide[wide.index < pd.Timestamp("2025-03-01 12:00", tz="UTC")]
    close = wide["close"]
    assert isinstance(close, pd.DataFrame)
    open_ms = close.index.astype("datetime64[ms, UTC]").astype("int64").to_numpy()
    quote = (wide["volume"] * close).to_numpy()
    panel = BarPanel(tuple(close.columns), open_ms, close.to_numpy(), quote)
    found = correlation_report(panel)
    returns = close[list(found.symbols)].transform(np.log).diff()
    np.testing.assert_allclose(found.hourly_30d.matrix, returns.tail(720).corr(), atol=1e-9)
    np.testing.assert_allclose(found.hourly_7d.matrix, returns.tail(168).corr(), atol=1e-9)
    reasons = {item.symbol: item.reason for item in found.excluded}
    assert "needs 336" in reasons["KAITO/USDT:USDT"]  # listed nine days before
    fet = found.symbols.index("FET/USDT:USDT")
    beta = found.betas[BTC, 30]
    assert 1.0 < beta.beta[fet] < 2.5
    assert 0.5 < beta.correlation[fet] < 0.95
    assert beta.beta_robust_error[fet] > beta.beta_standard_error[fet] > 0
    assert len(found.cluster_members()) < len(found.symbols)
