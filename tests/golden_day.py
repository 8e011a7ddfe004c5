"""One real day for ``perphedge risk``: its document, and the files as plain pandas."""

import json
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from config.load import profile_path
from tests.e2e_scene import SHARED, called
from tests.risk_scene import FET, NEAR, RENDER

MARKET = SHARED / "market"
AT = pd.Timestamp("2025-06-01T12:00:00Z")
GRT = "GRT/USDT:USDT"
BOOK = {FET: 20_000.0, NEAR: 12_000.0, RENDER: -5_000.0, GRT: 8_000.0}
Array = np.ndarray[Any, Any]


def plain_profile() -> dict[str, Any]:
    """The caps that hold without a config, with a strategy that hedges by the default estimator."""
    profile: dict[str, Any] = yaml.safe_load(profile_path("paper").read_text(encoding="utf-8"))
    return {**profile, "hedge": {**(profile.get("hedge") or {}), "strategy": "none"}}


@cache
def document() -> dict[str, Any]:
    """What the command prints."""
    with tempfile.TemporaryDirectory() as folder:
        book = Path(folder) / "book.json"
        rows = [{"symbol": s, "notional_usd": usd} for s, usd in BOOK.items()]
        book.write_text(json.dumps(rows), encoding="utf-8")
        config = Path(folder) / "perphedge.yaml"
        # The plain mean of EWMA: a strategy may bring an estimator of its own, and risk uses it.
        config.write_text(yaml.safe_dump(plain_profile()), encoding="utf-8")
        at = AT.strftime("%Y-%m-%dT%H:%M:%SZ")
        where = ("-c", str(config), "--data", str(MARKET), "--at", at, "--book", str(book))
        seen = called("risk", *where, "--json")
    assert (seen.code, seen.err) == (0, "")
    return seen.document


@cache
def bars(column: str) -> pd.DataFrame:
    """Known at the time, hours down and symbols across; a bar is known at its end."""
    rows = pd.read_parquet(MARKET / "hourly.parquet")
    rows = rows[rows.timestamp < AT]
    return rows.pivot_table(index="timestamp", columns="symbol", values=column)


@cache
def prices() -> pd.DataFrame:
    """Log closes."""
    return np.log(bars("close"))


def weighted_covariance(returns: Array) -> Array:
    """A day's, as the mean over half-lives of 4, 15 and 60 days, without shrinking."""
    weights = mean_weights(len(returns))
    return np.asarray(24 * (returns * weights[:, None]).T @ returns)


def mean_weights(count: int) -> Array:
    """Of each hour, oldest first, over the three half-lives; they sum to 1."""
    ages = np.arange(count)[::-1]
    parts = [0.5 ** (ages / (24 * days)) for days in (4, 15, 60)]
    return np.asarray(np.mean([part / part.sum() for part in parts], axis=0))


@cache
def covariance() -> pd.DataFrame:
    """Over 60 days, correlations shrunk by a fifth towards their mean."""
    symbols = sorted(document()["correlation"]["30d"]["symbols"])
    returns = prices()[symbols].iloc[-60 * 24 :].diff().iloc[1:].to_numpy()
    assert not np.isnan(returns).any()
    raw = weighted_covariance(returns)
    sigma = np.sqrt(np.diag(raw))
    rho = raw / np.outer(sigma, sigma)
    off = ~np.eye(len(rho), dtype=bool)
    rho[off] = 0.8 * rho[off] + 0.2 * rho[off].mean()
    return pd.DataFrame(rho * np.outer(sigma, sigma), symbols, symbols)


def correlation() -> pd.DataFrame:
    """Of the same."""
    sigma = np.sqrt(np.diag(covariance()))
    return covariance() / np.outer(sigma, sigma)


def vector() -> Array:
    """The book in the order of the covariance."""
    return np.array([BOOK.get(s, 0.0) for s in covariance().index])


def grouped(rho: pd.DataFrame, threshold: float = 0.6) -> set[frozenset[str]]:
    """Average linkage by hand: the two groups of the highest mean correlation join, and so on."""
    groups = [frozenset([s]) for s in rho.index]
    while len(groups) > 1:
        means = {
            (a, b): float(rho.loc[list(a), list(b)].to_numpy().mean())
            for i, a in enumerate(groups)
            for b in groups[i + 1 :]
        }
        (a, b), best = max(means.items(), key=lambda item: item[1])
        if best < threshold:
            break
        groups = [one for one in groups if one not in (a, b)] + [a | b]
    return set(groups)


@cache
def payments(symbol: str) -> pd.DataFrame:
    """Of 45 days: Binance's own, Hyperliquid's before; empty where neither tells of the token."""
    rows = pd.read_parquet(MARKET / "funding.parquet")
    rows["timestamp"] = rows.timestamp.dt.round("1h")
    rows = rows[rows.symbol.str.partition("/")[0] == symbol.partition("/")[0]]
    rows = rows.sort_values("timestamp")
    own = rows[rows.venue == "binance"]
    other = rows[rows.venue == "hyperliquid"]
    if len(own):
        first = own.iloc[0]
        begins = first.timestamp - pd.Timedelta(hours=float(first.interval_hours))
        other = other[other.timestamp <= begins]
    both = pd.concat([other, own])
    return both[(both.timestamp <= AT) & (both.timestamp >= AT - pd.Timedelta(days=45))]
