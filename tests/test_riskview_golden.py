"""``perphedge risk`` on one real day, against plain numpy and pandas from the files."""

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.e2e_scene import SHARED, called
from tests.risk_scene import BTC, ETH, FET, NEAR, RENDER

MARKET = SHARED / "market"
AT = pd.Timestamp("2025-06-01T12:00:00Z")
GRT = "GRT/USDT:USDT"
BOOK = {FET: 20_000.0, NEAR: 12_000.0, RENDER: -5_000.0, GRT: 8_000.0}

pytestmark = pytest.mark.skipif(not MARKET.exists(), reason="../shared is not here")


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    book = tmp_path_factory.mktemp("golden") / "book.json"
    rows = [f'{{"symbol": "{s}", "notional_usd": {usd}}}' for s, usd in BOOK.items()]
    book.write_text(f"[{', '.join(rows)}]", encoding="utf-8")
    at = AT.strftime("%Y-%m-%dT%H:%M:%SZ")
    seen = called("risk", "--data", str(MARKET), "--at", at, "--book", str(book), "--json")
    assert (seen.code, seen.err) == (0, "")
    found: dict[str, Any] = seen.document
    return found


@pytest.fixture(scope="module")
def prices() -> pd.DataFrame:
    """Log closes known at the time, hours down and symbols across; a bar is known at its end."""
    bars = pd.read_parquet(MARKET / "hourly.parquet")
    bars = bars[bars.timestamp < AT]
    return np.log(bars.pivot_table(index="timestamp", columns="symbol", values="close"))


def weighted_covariance(returns: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """A day's, as the mean over half-lives of 4, 15 and 60 days, without shrinking."""
    ages = np.arange(len(returns))[::-1]
    parts = []
    for days in (4, 15, 60):
        weights = 0.5 ** (ages / (24 * days))
        parts.append((returns * weights[:, None]).T @ returns / weights.sum())
    return np.asarray(24 * np.mean(parts, axis=0))


@pytest.fixture(scope="module")
def covariance(document: dict[str, Any], prices: pd.DataFrame) -> pd.DataFrame:
    """Over 60 days, correlations shrunk by a fifth towards their mean."""
    symbols = sorted(document["correlation"]["30d"]["symbols"])
    returns = prices[symbols].iloc[-60 * 24 :].diff().iloc[1:].to_numpy()
    assert not np.isnan(returns).any()
    raw = weighted_covariance(returns)
    sigma = np.sqrt(np.diag(raw))
    rho = raw / np.outer(sigma, sigma)
    off = ~np.eye(len(rho), dtype=bool)
    rho[off] = 0.8 * rho[off] + 0.2 * rho[off].mean()
    return pd.DataFrame(rho * np.outer(sigma, sigma), symbols, symbols)


def vector(covariance: pd.DataFrame) -> np.ndarray[Any, Any]:
    return np.array([BOOK.get(s, 0.0) for s in covariance.index])


def test_sums(document: dict[str, Any]) -> None:
    exposure = document["exposure"]
    assert exposure["gross_usd"] == pytest.approx(45_000, abs=0.01)
    assert exposure["net_usd"] == pytest.approx(35_000, abs=0.01)
    assert exposure["positions"] == pytest.approx(BOOK, abs=0.01)


def test_volatility_and_what_it_is_in_bitcoin(
    document: dict[str, Any], covariance: pd.DataFrame
) -> None:
    exposure, x, sigma = document["exposure"], vector(covariance), covariance.to_numpy()
    volatility = math.sqrt(x @ sigma @ x)
    btc = math.sqrt(covariance.loc[BTC, BTC])
    assert exposure["volatility_daily_usd"] == pytest.approx(volatility, rel=1e-6)
    assert exposure["cae_usd"] == pytest.approx(volatility / btc, rel=1e-6)
    parts = dict(zip(covariance.index, x * (sigma @ x) / volatility, strict=True))
    assert exposure["contributions"] == pytest.approx({s: parts[s] for s in BOOK}, rel=1e-5)
    ratio = np.abs(x) @ np.sqrt(np.diag(sigma)) / volatility
    assert exposure["diversification_ratio"] == pytest.approx(ratio, rel=1e-5)


def test_beta_net(document: dict[str, Any], covariance: pd.DataFrame) -> None:
    beta = covariance[BTC] / covariance.loc[BTC, BTC]
    net = sum(usd * beta[s] for s, usd in BOOK.items())
    assert document["exposure"]["beta_net_usd"] == pytest.approx(net, rel=1e-6)
    for symbol in BOOK:
        assert document["beta"][symbol]["hedge_btc"] == pytest.approx(beta[symbol], rel=1e-6)


@pytest.mark.parametrize(("key", "hours"), [("30d", 720), ("7d", 168)])
def test_hourly_correlation(
    key: str, hours: int, document: dict[str, Any], prices: pd.DataFrame
) -> None:
    found = document["correlation"][key]
    plain = prices[found["symbols"]].diff().iloc[-hours:].corr().to_numpy()
    assert np.array(found["matrix"]) == pytest.approx(plain, abs=1e-7)


def test_daily_correlation(document: dict[str, Any], prices: pd.DataFrame) -> None:
    found = document["correlation"]["daily_30d"]
    daily = prices[prices.index.hour == 23][found["symbols"]].diff().iloc[-30:]
    assert np.array(found["matrix"]) == pytest.approx(daily.corr().to_numpy(), abs=1e-7)


@pytest.mark.parametrize(("name", "benchmark"), [("btc", BTC), ("eth", ETH)])
def test_beta_by_regression(
    name: str, benchmark: str, document: dict[str, Any], prices: pd.DataFrame
) -> None:
    returns = prices.diff().iloc[-720:]
    x = np.column_stack([np.ones(720), returns[benchmark]])
    for symbol in BOOK:
        y = returns[symbol].to_numpy()
        solution, residual, *_ = np.linalg.lstsq(x, y, rcond=None)
        inverse = np.linalg.inv(x.T @ x)
        error = math.sqrt(residual[0] / 718 * inverse[1, 1])
        rest = (y - x @ solution)[:, None] * x
        robust = math.sqrt((720 / 718 * inverse @ rest.T @ rest @ inverse)[1, 1])
        row = document["beta"][symbol]
        assert row[name] == pytest.approx(solution[1], rel=1e-5)
        assert row[f"{name}_se_plain"] == pytest.approx(error, rel=1e-4)
        assert row[f"{name}_se"] == pytest.approx(robust, rel=1e-4)
        correlation = returns[symbol].corr(returns[benchmark])
        assert row[f"correlation_{name}"] == pytest.approx(correlation, abs=1e-7)


def test_tail(document: dict[str, Any], prices: pd.DataFrame) -> None:
    """Past days brought to today's volatility, hour by hour."""
    assert document["exposure"]["tail"]["filled_by_symbol"] == {}
    returns = prices[list(BOOK)].diff().iloc[1:]
    assert not returns.isna().any().any()
    squares, sigma = returns.to_numpy() ** 2, np.full(returns.shape, np.nan)
    sums, weights = np.zeros((3, 4)), np.zeros(3)
    decay = 0.5 ** (1 / (24 * np.array([4.0, 15.0, 60.0])))
    today = np.full(4, np.nan)
    for t, row in enumerate(squares):
        sigma[t] = today if t >= 168 else np.nan
        sums, weights = decay[:, None] * sums + row, decay * weights + 1
        today = np.sqrt(24 * (sums / weights[:, None]).mean(axis=0))
    hourly = returns.to_numpy() / sigma
    ends = np.arange(len(hourly), 168 + 23, -4)
    days = np.array([hourly[end - 24 : end].sum(axis=0) for end in ends])
    loss = np.sort(-(np.expm1(days * today) @ np.array(list(BOOK.values()))))
    exposure = document["exposure"]
    assert exposure["tail"]["scenarios"] == len(loss)
    for level in (95, 99):
        share = level / 100
        rank = math.ceil(len(loss) * share) - 1
        var = loss[rank]
        shortfall = var + np.maximum(loss - var, 0).sum() / (len(loss) * (1 - share))
        assert exposure[f"var{level}_usd"] == pytest.approx(var, rel=1e-6)
        assert exposure[f"es{level}_usd"] == pytest.approx(shortfall, rel=1e-6)


def test_crowding_rates(document: dict[str, Any]) -> None:
    payments = pd.read_parquet(MARKET / "funding.parquet")
    payments = payments[payments.timestamp <= AT]
    for symbol, venue in ((RENDER, "binance"), (NEAR, "binance"), (FET, "hyperliquid")):
        base = symbol.partition("/")[0]
        of_base = payments.symbol.str.startswith(f"{base}/")
        last = payments[of_base & (payments.venue == venue)].sort_values("timestamp").iloc[-1]
        row = document["crowding"][symbol]
        annual = 8760 * last.rate / last.interval_hours
        assert row["annual_rate"] == pytest.approx(annual, rel=1e-5)
        assert row["interval_hours"] == last.interval_hours
        assert row["pinned"] == (abs(annual - 0.1095) < 1e-5)
    assert document["crowding"][FET]["substitute"]
