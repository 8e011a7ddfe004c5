"""``perphedge risk`` as it is without a config, on a market made by hand: all by plain numpy."""

import json
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

from risk.covariance.scatter_ewma import scatter_ewma_covariance
from risk.returns import BarPanel
from risk.tail.history import price_history
from risk.tail.stress import auto_deleveraging, worst_window
from tests.e2e_scene import called
from tests.risk_scene import AT, BTC, ETH, FET, NEAR, RENDER, TAO, WLD, hourly, write

BOOK = {FET: 20_000.0, NEAR: 12_000.0, RENDER: -5_000.0, WLD: 8_000.0}
SYMBOLS = sorted((BTC, ETH, FET, NEAR, RENDER, TAO, WLD))
Array = np.ndarray[Any, Any]


@pytest.fixture(scope="module")
def closes() -> pd.DataFrame:
    """Of 70 days, the last bar ends now."""
    return hourly().pivot_table(index="timestamp", columns="symbol", values="close")[SYMBOLS]


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("golden")
    data, book = write(folder / "data"), folder / "book.json"
    rows = [{"symbol": s, "notional_usd": usd} for s, usd in BOOK.items()]
    book.write_text(json.dumps(rows), encoding="utf-8")
    seen = called("risk", "--data", str(data), "--at", AT, "--book", str(book), "--json")
    assert (seen.code, seen.err) == (0, "")
    return seen.document


@pytest.fixture(scope="module")
def covariance(closes: pd.DataFrame) -> pd.DataFrame:
    """Bars counted less where tokens scatter, drawn by two fifths towards one common factor."""
    returns = np.log(closes).diff().iloc[-(60 * 24 - 1) :].to_numpy()
    bars, n = returns.shape
    ages = np.arange(bars)[::-1]
    decays = [0.5 ** (1 / (24 * days)) for days in (4, 15, 60)]
    weights, shared = np.full(bars, 1 / math.sqrt(2)), np.zeros(bars)
    for t in range(24, bars):
        past = np.arange(t)[::-1]
        means = [np.average(returns[:t] ** 2, axis=0, weights=b**past) for b in decays]
        u = returns[t] / np.sqrt(np.mean(means, axis=0))
        weights[t] = 1 / math.sqrt(1 + u.var() / 0.7**2)
        shared[t] = np.median(u) ** 2
    raw, own = np.zeros((n, n)), np.zeros(n)
    judged = np.arange(bars) >= 24
    for b in decays:
        left = b**ages
        common = np.average(shared, weights=left * judged)
        made_up_for = common / np.average(shared, weights=left * judged * weights)
        counted = left * weights / (left * weights).sum()
        raw += 24 / 3 * made_up_for * (returns.T * counted) @ returns
        own += 24 / 3 * np.average(returns**2, axis=0, weights=left)
    sigma = np.sqrt(np.maximum(np.diag(raw), own))
    rho = raw / np.outer(sigma, sigma)
    np.fill_diagonal(rho, 1.0)
    load = rho.sum(axis=0) / math.sqrt(rho.sum())
    off = ~np.eye(n, dtype=bool)
    factor = np.outer(load, load)
    factor *= min(rho[off].sum() / factor[off].sum(), 1.0)
    np.fill_diagonal(factor, 1.0)
    drawn = 0.6 * rho + 0.4 * factor
    return pd.DataFrame(drawn * np.outer(sigma, sigma), SYMBOLS, SYMBOLS)


def test_the_covariance_of_the_default_strategy(
    document: dict[str, Any], covariance: pd.DataFrame
) -> None:
    exposure, sigma = document["exposure"], covariance.to_numpy()
    x = np.array([BOOK.get(s, 0.0) for s in SYMBOLS])
    volatility = math.sqrt(x @ sigma @ x)
    btc = math.sqrt(covariance.loc[BTC, BTC])
    assert exposure["volatility_daily_usd"] == pytest.approx(volatility, rel=1e-6)
    assert exposure["cae_usd"] == pytest.approx(volatility / btc, rel=1e-6)
    assert exposure["volatility_btc_daily"] == pytest.approx(btc, rel=1e-5)
    parts = dict(zip(SYMBOLS, x * (sigma @ x) / volatility, strict=True))
    assert exposure["contributions"] == pytest.approx({s: parts[s] for s in BOOK}, rel=1e-5)
    beta = covariance[BTC] / covariance.loc[BTC, BTC]
    net = sum(usd * beta[s] for s, usd in BOOK.items())
    assert exposure["beta_net_usd"] == pytest.approx(net, rel=1e-6)
    for symbol in BOOK:
        assert document["beta"][symbol]["hedge_btc"] == pytest.approx(beta[symbol], rel=1e-6)


def test_correlation_and_tail_without_a_config(
    document: dict[str, Any], closes: pd.DataFrame
) -> None:
    returns = np.log(closes).diff().iloc[1:]
    for key, hours in (("30d", 720), ("7d", 168)):
        found = document["correlation"][key]
        plain = returns[found["symbols"]].iloc[-hours:].corr().to_numpy()
        assert np.array(found["matrix"]) == pytest.approx(plain, abs=1e-7)
    book = returns[list(BOOK)].to_numpy()
    decay = 0.5 ** (1 / (24 * np.array([4.0, 15.0, 60.0])))
    sums, weights, today = np.zeros((3, 4)), np.zeros(3), np.full(4, np.nan)
    scaled = np.full(book.shape, np.nan)
    for t, row in enumerate(book):
        if t >= 168:
            scaled[t] = row / today
        sums, weights = decay[:, None] * sums + row**2, decay * weights + 1
        today = np.sqrt(24 * (sums / weights[:, None]).mean(axis=0))
    ends = np.arange(len(book), 168 + 23, -4)
    days = np.array([scaled[end - 24 : end].sum(axis=0) for end in ends])
    loss = np.sort(-(np.expm1(days * today) @ np.array(list(BOOK.values()))))
    var = loss[math.ceil(0.95 * len(loss)) - 1]
    beyond = np.maximum(loss - var, 0).sum() / (0.05 * len(loss))
    assert document["exposure"]["var95_usd"] == pytest.approx(var, rel=1e-6)
    assert document["exposure"]["es95_usd"] == pytest.approx(var + beyond, rel=1e-6)
    assert document["exposure"]["tail"]["stand_in"] == []


def test_auto_deleveraging_takes_winning_hedges_hour_by_hour(closes: pd.DataFrame) -> None:
    """A book whose shorts in peers win when it loses, by loops over every window and moment."""
    prices = closes.to_numpy()
    open_ms = np.arange(len(prices)) * 3_600_000
    panel = BarPanel(tuple(SYMBOLS), open_ms, prices, np.full(prices.shape, 1e7))
    estimate = scatter_ewma_covariance(np.diff(np.log(prices), axis=0), SYMBOLS)
    column = {s: i for i, s in enumerate(SYMBOLS)}
    bot, hedge = np.zeros(7), np.zeros(7)
    for symbol, usd in BOOK.items():
        bot[column[symbol]] = usd
    for symbol, usd in {TAO: -9_000.0, ETH: -15_000.0, RENDER: -3_000.0}.items():
        hedge[column[symbol]] = usd
    share, window, worst = 0.5, 24, -math.inf
    for start in range(len(prices) - window):
        moves = prices[start : start + window + 1] / prices[start] - 1
        won = moves * hedge
        taken = 0.0
        for s in range(1, window + 1):
            least = np.maximum(np.minimum(won[s - 1], won[s]), 0.0)
            taken = max(taken, float(((won[-1] - least) * (won[s] > 0)).sum()))
        worst = max(worst, share * taken - float(moves[-1] @ (bot + hedge)))
    past = price_history(panel, estimate)
    found = auto_deleveraging(bot, hedge, past, estimate, share=share, window_bars=window)
    assert found.loss_usd == pytest.approx(worst, rel=1e-9)
    whole = worst_window(bot + hedge, past, estimate, window).loss_usd
    assert whole is not None
    assert worst > 1.02 * whole
    x = bot + (1 - share) * hedge
    left = math.sqrt(x @ estimate.covariance_daily @ x)
    assert found.volatility_usd == pytest.approx(left, rel=1e-9)
