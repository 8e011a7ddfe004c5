"""Crowding and funding of ``perphedge risk`` on one real day, against plain pandas and loops."""

import math
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests import golden_day
from tests.golden_day import AT, MARKET, Array, payments
from tests.risk_scene import BTC, ETH, FET, NEAR, RENDER

pytestmark = pytest.mark.skipif(not MARKET.exists(), reason="../shared is not here")


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return golden_day.document()


def pinned(rows: pd.DataFrame) -> pd.Series:
    return (rows.rate - 0.0001 * rows.interval_hours / 8).abs() < 5.1e-9


def excess(rows: pd.DataFrame) -> pd.Series:
    """Yearly, over neutral; 0 where the rate is the fixed interest."""
    return (8760 * rows.rate / rows.interval_hours - 0.1095).where(~pinned(rows), 0.0)


def weights(rows: pd.DataFrame, half_life_hours: float) -> Array:
    """What is left at the last payment of each hour that a payment stands for, added up."""
    age = (rows.timestamp.iloc[-1] - rows.timestamp) / pd.Timedelta(hours=1)
    begin = 2.0 ** (-(age + rows.interval_hours) / half_life_hours)
    parts = (2.0 ** (-age / half_life_hours) - begin).to_numpy()
    return np.asarray(parts / parts.sum())


def scores(rows: pd.DataFrame) -> Array:
    """At each payment, from those until then."""
    over = excess(rows).to_numpy()
    return np.array([weights(rows.iloc[: k + 1], 24) @ over[: k + 1] for k in range(len(rows))])


@pytest.fixture(scope="module")
def told(document: dict[str, Any]) -> dict[str, pd.DataFrame]:
    """Payments of every token that has some."""
    found = {symbol: payments(symbol) for symbol in document["crowding"]}
    return {symbol: rows for symbol, rows in found.items() if len(rows)}


@pytest.fixture(scope="module")
def past(told: dict[str, pd.DataFrame]) -> dict[str, Array]:
    return {symbol: scores(rows) for symbol, rows in told.items()}


def test_who_is_known(document: dict[str, Any], told: dict[str, pd.DataFrame]) -> None:
    for symbol, row in document["crowding"].items():
        assert (row["unknown"] is None) == (symbol in told)
        if symbol in told:
            assert row["substitute"] == (told[symbol].venue == "hyperliquid").any()
        else:
            assert row["score"] is row["annual_rate"] is row["persistence"] is None


@pytest.mark.parametrize(
    ("symbol", "venue"), [(RENDER, "binance"), (NEAR, "binance"), (FET, "hyperliquid")]
)
def test_the_last_payment(symbol: str, venue: str, told: dict[str, pd.DataFrame]) -> None:
    assert told[symbol].venue.iloc[-1] == venue


def test_rates(document: dict[str, Any], told: dict[str, pd.DataFrame]) -> None:
    for symbol, rows in told.items():
        row, last = document["crowding"][symbol], rows.iloc[-1]
        annual = 8760 * last.rate / last.interval_hours
        assert row["annual_rate"] == pytest.approx(annual, abs=1e-8)
        assert row["interval_hours"] == last.interval_hours
        assert row["pinned"] == bool(pinned(rows).iloc[-1])
        assert abs(last.rate) < 0.002  # below what any venue caps
        assert row["capped"] is False
    intervals = {rows.interval_hours.iloc[-1] for rows in told.values()}
    assert intervals == {1.0, 4.0, 8.0}
    assert any(rows.interval_hours.nunique() > 1 for rows in told.values())


def test_scores(document: dict[str, Any], past: dict[str, Array]) -> None:
    now = {symbol: float(score[-1]) for symbol, score in past.items()}
    sector = np.array([now[s] for s in now if s not in (BTC, ETH)])
    centre = np.median(sector)
    spread = 1.4826 * np.median(np.abs(sector - centre))
    for symbol, score in past.items():
        row = document["crowding"][symbol]
        weight = weights(payments(symbol), 30 * 24)
        mean = weight @ score
        own = (score[-1] - mean) / math.sqrt(weight @ (score - mean) ** 2)
        across = (now[symbol] - centre) / spread
        assert row["score_annual"] == pytest.approx(now[symbol], abs=2e-8)
        assert row["z_own"] == pytest.approx(own, abs=2e-6)
        assert row["z_sector"] == pytest.approx(across, abs=2e-6)
        assert row["z_open_interest"] is None  # the venue's is not in the files
        clipped = min(max(0.5 * across + 0.5 * own, -4.0), 4.0)
        assert row["score"] == pytest.approx(clipped, abs=2e-6)


def test_cluster_scores(document: dict[str, Any]) -> None:
    """Of the tokens of the sector that have a score, and the token's own; equal open interest."""
    rho = golden_day.correlation()
    known = {s: row["score"] for s, row in document["crowding"].items() if row["score"] is not None}
    for symbol, row in document["crowding"].items():
        peers = {
            s: max(float(rho.loc[symbol, s]), 0.0) for s in known if s not in (BTC, ETH, symbol)
        }
        if symbol in known:
            peers[symbol] = 1.0
        around = sum(known[s] * weight for s, weight in peers.items()) / sum(peers.values())
        assert row["cluster_score"] == pytest.approx(around, abs=3e-6)


def test_persistence(
    document: dict[str, Any], told: dict[str, pd.DataFrame], past: dict[str, Array]
) -> None:
    for symbol, rows in told.items():
        lately = rows[rows.timestamp > rows.timestamp.iloc[-1] - pd.Timedelta(days=7)]
        same = np.sign(excess(lately)) == np.sign(past[symbol][-1])
        share = lately.interval_hours[same].sum() / lately.interval_hours.sum()
        assert document["crowding"][symbol]["persistence"] == pytest.approx(share, abs=1e-6)


def test_half_lives(document: dict[str, Any], told: dict[str, pd.DataFrame]) -> None:
    """AR(1) by least squares with numpy on a grid of the longest interval."""
    for symbol, rows in told.items():
        hours = float(rows.interval_hours.max())
        over = excess(rows).set_axis(pd.DatetimeIndex(rows.timestamp))
        span = (over.index[-1] - over.index[0]) // pd.Timedelta(hours=hours)
        grid = [over.index[-1] - pd.Timedelta(hours=hours * k) for k in range(span, -1, -1)]
        x = over.reindex(pd.DatetimeIndex(grid), method="ffill").to_numpy()
        slope = float(np.polyfit(x[:-1], x[1:], 1)[0])
        phi = slope + (1 + 3 * slope) / (len(x) - 1)
        back = hours * math.log(0.5) / math.log(phi) if phi > 0 else 0.0
        assert document["crowding"][symbol]["half_life_hours"] == pytest.approx(back, abs=0.006)


def test_breadth(document: dict[str, Any], past: dict[str, Array]) -> None:
    now = np.array([score[-1] for s, score in past.items() if s not in (BTC, ETH)])
    found = document["funding"]["breadth"]
    assert found["tokens"] == len(now)
    assert found["long_share"] == pytest.approx((now > 0.01).mean(), abs=1e-6)
    assert found["short_share"] == pytest.approx((now < -0.01).mean(), abs=1e-6)
    assert found["neutral_share"] == pytest.approx((np.abs(now) <= 0.01).mean(), abs=1e-6)


def test_differentials(document: dict[str, Any], told: dict[str, pd.DataFrame]) -> None:
    rho, carry = golden_day.correlation(), {}
    for symbol, rows in told.items():
        assert AT - rows.timestamp.iloc[-1] < pd.Timedelta(hours=24)
        daily, weight = (rows.rate * 24 / rows.interval_hours).to_numpy(), weights(rows, 48)
        mean = weight @ daily
        carry[symbol] = (365 * mean, 365 * math.sqrt(weight @ (daily - mean) ** 2))
    expected = {}
    for one, other in combinations(told, 2):
        if rho.loc[one, other] < 0.7:
            continue
        dear, cheap = sorted((one, other), key=lambda s: -carry[s][0])
        expected[cheap, dear] = [
            float(rho.loc[one, other]),
            carry[dear][0] - carry[cheap][0],
            math.hypot(carry[one][1], carry[other][1]),
        ]
    found = {
        (row["long_symbol"], row["short_symbol"]): [
            row["correlation"],
            row["annual"],
            row["standard_error"],
        ]
        for row in document["funding"]["differentials"]
    }
    assert found.keys() == expected.keys()
    for pair, values in expected.items():
        assert found[pair] == pytest.approx(values, abs=3e-6)
    annual = [row["annual"] for row in document["funding"]["differentials"]]
    assert annual == sorted(annual, reverse=True)
