"""``perphedge risk`` on one real day, against plain numpy and pandas from the files."""

import math
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests import golden_day
from tests.golden_day import BOOK, MARKET, Array, bars, grouped, mean_weights, vector
from tests.risk_scene import BTC, ETH

pytestmark = pytest.mark.skipif(not MARKET.exists(), reason="../shared is not here")


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return golden_day.document()


@pytest.fixture(scope="module")
def prices() -> pd.DataFrame:
    return golden_day.prices()


@pytest.fixture(scope="module")
def covariance() -> pd.DataFrame:
    return golden_day.covariance()


def test_sums(document: dict[str, Any]) -> None:
    exposure = document["exposure"]
    assert exposure["gross_usd"] == pytest.approx(45_000, abs=0.01)
    assert exposure["net_usd"] == pytest.approx(35_000, abs=0.01)
    assert exposure["positions"] == pytest.approx(BOOK, abs=0.01)


def test_volatility_and_what_it_is_in_bitcoin(
    document: dict[str, Any], covariance: pd.DataFrame
) -> None:
    exposure, x, sigma = document["exposure"], vector(), covariance.to_numpy()
    volatility = math.sqrt(x @ sigma @ x)
    btc = math.sqrt(covariance.loc[BTC, BTC])
    assert exposure["volatility_daily_usd"] == pytest.approx(volatility, rel=1e-6)
    assert exposure["cae_usd"] == pytest.approx(volatility / btc, rel=1e-6)
    parts = dict(zip(covariance.index, x * (sigma @ x) / volatility, strict=True))
    assert exposure["contributions"] == pytest.approx({s: parts[s] for s in BOOK}, rel=1e-5)
    ratio = np.abs(x) @ np.sqrt(np.diag(sigma)) / volatility
    assert exposure["diversification_ratio"] == pytest.approx(ratio, rel=1e-5)
    slope = dict(zip(covariance.index, sigma @ x / volatility, strict=True))
    assert exposure["marginal"] == pytest.approx({s: slope[s] for s in BOOK}, rel=1e-5)
    assert exposure["volatility_unhedged_daily_usd"] == exposure["volatility_daily_usd"]
    assert exposure["volatility_btc_daily"] == pytest.approx(btc, rel=1e-5)
    with_btc = abs(x @ covariance[BTC]) / btc
    assert exposure["systematic_daily_usd"] == pytest.approx(with_btc, rel=1e-6)
    without = math.sqrt(volatility**2 - with_btc**2)
    assert exposure["specific_daily_usd"] == pytest.approx(without, rel=1e-6)
    assert exposure["sector"] == {"gross_usd": 45_000, "net_usd": 35_000}
    assert (exposure["hedges"], exposure["unmeasured"]) == ({}, {})


def test_errors_for_want_of_data(
    document: dict[str, Any], covariance: pd.DataFrame, prices: pd.DataFrame
) -> None:
    """Every token has 60 days, so one number of bars tells of all."""
    exposure, x, sigma = document["exposure"], vector(), covariance.to_numpy()
    bars_known = 1 / (mean_weights(60 * 24 - 1) ** 2).sum()
    returns = prices[covariance.index].diff().iloc[-720:]
    kurtosis = float(((returns**4).mean() / (returns**2).mean() ** 2).median())
    assert exposure["kurtosis_hourly"] == pytest.approx(kurtosis, rel=1e-5)
    tails = kurtosis / 3 - 1

    def error(gradient: Array) -> float:
        moved = gradient @ sigma
        spread = 2 * (1 + tails) * np.trace(moved @ moved) + tails * np.trace(moved) ** 2
        return math.sqrt(spread / bars_known)

    volatility = math.sqrt(x @ sigma @ x)
    b = list(covariance.index).index(BTC)
    btc, unit = math.sqrt(sigma[b, b]), np.eye(len(x))
    whole = np.outer(x, x) / (2 * volatility)
    assert exposure["volatility_daily_se_usd"] == pytest.approx(error(whole), rel=1e-5)
    of_btc = volatility / (2 * btc**3) * np.outer(unit[b], unit[b])
    assert exposure["cae_se_usd"] == pytest.approx(error(whole / btc - of_btc), rel=1e-5)
    for symbol, usd in BOOK.items():
        i = list(covariance.index).index(symbol)
        part = usd * (sigma[i] @ x) / volatility
        cross = np.outer(unit[i], x) + np.outer(x, unit[i])
        gradient = usd * cross / (2 * volatility) - part * np.outer(x, x) / (2 * volatility**2)
        assert exposure["contributions_se"][symbol] == pytest.approx(error(gradient), rel=1e-4)
        own = math.sqrt(sigma[i, i])
        known = exposure["history"][symbol]
        assert (known["observed_bars"], known["short_history"]) == (1439, False)
        assert known["effective_bars"] == pytest.approx(bars_known, abs=0.05)
        assert known["volatility_daily"] == pytest.approx(own, rel=1e-5)
        wide = own * math.sqrt((kurtosis - 1) / (4 * bars_known))
        assert known["volatility_daily_se"] == pytest.approx(wide, rel=1e-4)


def test_effective_bets_by_the_papers_iteration(
    document: dict[str, Any], covariance: pd.DataFrame
) -> None:
    """Meucci, Santangelo, Deguest: with inverses, as they print it."""
    sigma = covariance.loc[list(BOOK), list(BOOK)].to_numpy()
    scale = np.sqrt(np.diag(sigma))
    correlation = sigma / np.outer(scale, scale)

    def root(matrix: Array, power: float) -> Array:
        values, vectors = np.linalg.eigh(matrix)
        return np.asarray((vectors * values**power) @ vectors.T)

    c, stretch = root(correlation, 0.5), np.eye(len(sigma))
    for _ in range(200):
        turn = root(stretch @ correlation @ stretch, -0.5) @ stretch @ c
        stretch = np.diag(np.diag(turn @ c))
    torsion = np.diag(scale) @ stretch @ turn @ np.linalg.inv(c) @ np.diag(1 / scale)
    held = np.array(list(BOOK.values()))
    shares = np.linalg.solve(torsion.T, held) * (torsion @ sigma @ held) / (held @ sigma @ held)
    assert shares.sum() == pytest.approx(1)
    bets = math.exp(-(shares * np.log(shares)).sum())
    assert document["exposure"]["effective_bets"] == pytest.approx(bets, rel=1e-5)


def test_clusters_of_the_book(document: dict[str, Any], covariance: pd.DataFrame) -> None:
    found = document["exposure"]["clusters"]
    groups = {one for one in grouped(golden_day.correlation()) if one & BOOK.keys()}
    assert {frozenset(one["symbols"]) for one in found} == groups
    book, sigma = pd.Series(vector(), covariance.index), covariance.to_numpy()
    whole = float(book @ covariance @ book)
    for one in found:
        own = book.where(book.index.isin(one["symbols"]), 0.0)
        assert one["gross_usd"] == pytest.approx(own.abs().sum(), abs=0.01)
        assert one["net_usd"] == pytest.approx(own.sum(), abs=0.01)
        alone = math.sqrt(own @ sigma @ own / covariance.loc[BTC, BTC])
        assert one["cae_usd"] == pytest.approx(alone, rel=1e-6)
        assert one["variance_share"] == pytest.approx(own @ sigma @ book / whole, abs=1e-5)
    assert sum(one["variance_share"] for one in found) == pytest.approx(1, abs=1e-5)


def test_stresses(document: dict[str, Any], covariance: pd.DataFrame) -> None:
    stress = {one["name"]: one for one in document["exposure"]["stress"]}
    assert document["exposure"]["stress_unknown"] == {}
    x, sigma = vector(), covariance.to_numpy()
    volatility = math.sqrt(x @ sigma @ x)
    v = x * np.sqrt(np.diag(sigma))
    half = 0.5 * golden_day.correlation().to_numpy() + 0.5
    one = stress["correlation to one"]
    assert one["loss_usd"] is None
    assert one["volatility_daily_usd"] == pytest.approx(math.sqrt(v @ half @ v), rel=1e-6)
    gap = stress["sector gap"]
    assert gap["loss_usd"] == pytest.approx(0.3 * 35_000)
    assert gap["volatility_daily_usd"] == pytest.approx(0.7 * volatility, rel=1e-6)
    close, usd = bars("close")[list(BOOK)], np.array(list(BOOK.values()))
    moves = close.pct_change(168, fill_method=None).dropna() @ usd
    for name in ("worst week", "worst week 2", "worst week 3"):
        assert stress[name]["loss_usd"] == pytest.approx(-moves.min(), rel=1e-6)
        moves = moves[abs(moves.index - moves.idxmin()) >= pd.Timedelta(days=7)]
    for name, hours in (("worst day", 24), ("worst week", 168)):
        moves = close.pct_change(hours, fill_method=None).dropna() @ usd
        assert stress[name]["loss_usd"] == pytest.approx(-moves.min(), rel=1e-6)
        start = (moves.idxmin() - pd.Timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%MZ")
        assert start in stress[name]["detail"]
        assert f"{len(moves):,} windows" in stress[name]["detail"]
        assert stress[name]["volatility_daily_usd"] == pytest.approx(volatility, rel=1e-6)
    # There is no hedge to be taken away.
    taken = stress["auto-deleveraging"]
    assert taken["loss_usd"] == stress["worst day"]["loss_usd"]
    assert taken["volatility_daily_usd"] == pytest.approx(volatility, rel=1e-6)


def test_caps_and_cures(document: dict[str, Any], covariance: pd.DataFrame) -> None:
    exposure, limits = document["exposure"], document["limits"]
    beta = covariance[BTC] / covariance.loc[BTC, BTC]
    parts = {
        "net_usd": BOOK,
        "sector_net_usd": BOOK,
        "beta_net_usd": {s: usd * beta[s] for s, usd in BOOK.items()},
        "cae_usd": {
            s: part / exposure["volatility_btc_daily"]
            for s, part in exposure["contributions"].items()
        },
    }
    use = {name: sum(by.values()) / limits[name] for name, by in parts.items()}
    use |= {"hedge_gross_usd": 0.0, "margin_use": 0.0}
    assert document["cap_use"].items() >= {"hedge_gross_usd": 0.0, "margin_use": 0.0}.items()
    for name, share in use.items():
        assert document["cap_use"][name] == pytest.approx(share, rel=1e-4, abs=1e-6)
    breaches = {one["cap"]: one for one in document["breaches"]}
    assert breaches.keys() == {name for name, share in use.items() if share > 1}
    for name, one in breaches.items():
        assert (one["limit"], one["bot_alone"]) == (limits[name], True)
        assert one["value"] == pytest.approx(sum(parts[name].values()), rel=1e-4)
        found = {row["symbol"]: row["contribution"] for row in one["positions"]}
        assert found == pytest.approx(parts[name], rel=1e-3, abs=0.5)
        smallest = self_cure(name, limits[name], parts[name], covariance)
        if smallest is None:
            assert one["cure"] is None
        else:
            assert one["cure"]["symbol"] == smallest[0]
            assert one["cure"]["reduce_usd"] == pytest.approx(smallest[1], rel=1e-4)


def self_cure(
    name: str, limit: float, parts: dict[str, float], covariance: pd.DataFrame
) -> tuple[str, float] | None:
    """The position of which the least must go, by trying a fine grid of each."""
    found = []
    for symbol, usd in BOOK.items():
        if name == "cae_usd":
            x = vector()
            i = list(covariance.index).index(symbol)
            steps = np.linspace(0, 1, 200_001)
            books = np.repeat(x[:, None], 2, axis=1)
            books[i] = [0.0, 1.0]
            rest, unit = books[:, 0], np.eye(len(x))[i]
            s = covariance.to_numpy()
            size = usd * (1 - steps)
            square = rest @ s @ rest + 2 * size * (rest @ s @ unit) + size**2 * s[i, i]
            value = np.sqrt(square / covariance.loc[BTC, BTC])
        else:
            steps = np.linspace(0, 1, 200_001)
            value = np.abs(sum(parts.values()) - steps * parts[symbol])
        cured = np.flatnonzero(value <= limit * (1 + 1e-12))
        if len(cured):
            found.append((symbol, abs(usd) * float(steps[cured[0]])))
    return min(found, key=lambda one: one[1]) if found else None


def test_beta_net(document: dict[str, Any], covariance: pd.DataFrame, prices: pd.DataFrame) -> None:
    beta = covariance[BTC] / covariance.loc[BTC, BTC]
    net = sum(usd * beta[s] for s, usd in BOOK.items())
    assert document["exposure"]["beta_net_usd"] == pytest.approx(net, rel=1e-6)
    # White's errors with weights, about the betas in use, which are shrunk.
    weights = mean_weights(60 * 24 - 1)
    bars_known = 1 / (weights**2).sum()
    returns = prices[covariance.index].diff().iloc[-(60 * 24 - 1) :]
    base = returns[BTC].to_numpy()

    def error(moves: Array, slope: float) -> float:
        pull = base * (moves - slope * base)
        pull = weights * (pull - weights @ pull) / (weights @ base**2)
        return math.sqrt(bars_known / (bars_known - 1) * (pull @ pull))

    for symbol in BOOK:
        row = document["beta"][symbol]
        assert row["hedge_btc"] == pytest.approx(beta[symbol], rel=1e-6)
        wide = error(returns[symbol].to_numpy(), beta[symbol])
        assert row["hedge_btc_se"] == pytest.approx(wide, rel=1e-5)
    book = returns[list(BOOK)].to_numpy() @ np.array(list(BOOK.values()))
    assert document["exposure"]["beta_net_se_usd"] == pytest.approx(error(book, net), rel=1e-5)


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


def influence(x: Array, y: Array, weight: Array) -> tuple[float, Array]:
    """Weighted correlation, and how far each bar moves it."""
    pair = np.stack([x, y])
    apart = pair - (pair @ weight)[:, None]
    u, v = apart / np.sqrt((apart**2 @ weight)[:, None])
    rho = float(weight @ (u * v))
    return rho, u * v - rho * (u**2 + v**2) / 2


def test_volume_weighted_correlation(document: dict[str, Any], prices: pd.DataFrame) -> None:
    symbols = sorted(document["correlation"]["30d"]["symbols"])
    returns = prices[symbols].diff().iloc[-720:]
    typical = (bars("high") + bars("low") + bars("close")) / 3
    volume = (bars("volume") * typical)[symbols].iloc[-720:]
    share = volume / volume.mean()
    expected = {}
    for one, other in combinations(symbols, 2):
        weight = np.minimum(share[one], share[other]).to_numpy()
        weight = weight / weight.sum()
        x, y = returns[one].to_numpy(), returns[other].to_numpy()
        rho, moved = influence(x, y, weight)
        plain = float(np.corrcoef(x, y)[0, 1])
        n = 1 / (weight**2).sum()
        error = math.sqrt(n / (n - 3) * ((weight * moved) ** 2).sum())
        if abs(math.atanh(rho) - math.atanh(plain)) > error / (1 - rho**2):
            expected[one, other] = {"plain": plain, "weighted": rho, "standard_error": error}
    found = document["correlation"]["volume_weighted"]
    assert {tuple(row["symbols"]) for row in found} == expected.keys()
    for row in found:
        for key, value in expected[tuple(row["symbols"])].items():
            assert row[key] == pytest.approx(value, abs=2e-6)
    apart = [abs(row["weighted"] - row["plain"]) for row in found]
    assert np.all(np.diff(apart) <= 2e-6)


def test_clusters(document: dict[str, Any]) -> None:
    month = document["correlation"]["30d"]
    rho = pd.DataFrame(month["matrix"], month["symbols"], month["symbols"])
    found = document["clusters"]
    assert {frozenset(one) for one in found} == grouped(rho)
    assert [s for one in found for s in one] == month["symbols"]


def test_signals_of_pairs_tell_the_plain_correlation(
    document: dict[str, Any], prices: pd.DataFrame
) -> None:
    plain = prices.diff().iloc[-720:].corr()
    rows = [
        s for s in document["signals"] if s["kind"] in {"duplicate_exposure", "high_correlation"}
    ]
    for row in rows:
        assert row["value"] == pytest.approx(plain.loc[tuple(row["symbols"])], abs=1e-6)
    duplicates = {tuple(s["symbols"]) for s in rows if s["kind"] == "duplicate_exposure"}
    longs = sorted(s for s, usd in BOOK.items() if usd > 0)
    above = {pair for pair in combinations(longs, 2) if plain.loc[pair] > 0.8}
    assert {tuple(sorted(pair)) for pair in duplicates} == above


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
        fisher = (1 - correlation**2) / math.sqrt(717)
        assert row[f"correlation_{name}_se_plain"] == pytest.approx(fisher, rel=1e-4)
        _, moved = influence(returns[benchmark].to_numpy(), y, np.full(720, 1 / 720))
        wide = math.sqrt((moved**2).sum() / 720 / 717)
        assert row[f"correlation_{name}_se"] == pytest.approx(wide, rel=1e-4)


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
    assert exposure["tail"]["independent"] == pytest.approx(len(loss) / 6, abs=0.05)
    assert exposure["tail"]["worst_usd"] == pytest.approx(loss[-1], rel=1e-6)
    assert exposure["tail"]["dropped"] == 0
    assert exposure["tail"]["history_days"] == pytest.approx(len(prices) / 24, abs=0.05)
    for level in (95, 99):
        share = level / 100
        rank = math.ceil(len(loss) * share) - 1
        var = loss[rank]
        shortfall = var + np.maximum(loss - var, 0).sum() / (len(loss) * (1 - share))
        assert exposure[f"var{level}_usd"] == pytest.approx(var, rel=1e-6)
        assert exposure[f"es{level}_usd"] == pytest.approx(shortfall, rel=1e-6)
