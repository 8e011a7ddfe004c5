"""The same figures as one would write them down: pandas and numpy over the whole history."""

import math

import numpy as np
import pandas as pd

from benchmarks.riskupdate_market import INTERVAL_HOURS, Market
from risk.book import FloatArray

_HALF_LIVES_BARS = (96, 360, 1440)


def plain_figures(market: Market) -> dict[str, float]:
    """Volatility, contributions, VaR, ES and crowding of the market's book at its newest bar."""
    returns, x = market.so_far, market.x_usd
    covariance = _covariance(returns)
    sigma = np.sqrt(np.diag(covariance))
    correlation = covariance / np.outer(sigma, sigma)
    volatility = float(np.sqrt(x @ covariance @ x))
    component = x * (covariance @ x) / volatility
    losses = np.sort(_losses(returns, x))
    value, around = _crowding(market, correlation)
    figures = {
        "volatility": volatility,
        "cae": volatility / float(sigma[0]),
        "beta net": float(covariance[0] / covariance[0, 0] @ x),
    }
    for level in (95, 99):
        edge = losses[math.ceil(len(losses) * level / 100 - 1e-9) - 1]
        beyond = np.maximum(losses - edge, 0.0).sum()
        figures[f"VaR {level}"] = float(edge)
        figures[f"ES {level}"] = float(edge + beyond / (len(losses) * (1 - level / 100)))
    for i, symbol in enumerate(market.symbols):
        figures[f"component of {symbol}"] = float(component[i])
        figures[f"C of {symbol}"] = float(value[i])
        figures[f"around of {symbol}"] = float(around[i])
    return figures


def _covariance(returns: FloatArray) -> FloatArray:
    """Mean of three weighted covariances, the correlation a fifth of the way to its mean."""
    ages = np.arange(len(returns))[::-1]
    weights = np.zeros(len(returns))
    for half_life in _HALF_LIVES_BARS:
        one = 0.5 ** (ages / half_life)
        weights += one / one.sum() / len(_HALF_LIVES_BARS)
    covariance = 24 * (returns.T * weights) @ returns
    sigma = np.sqrt(np.diag(covariance))
    correlation = covariance / np.outer(sigma, sigma)
    n = len(sigma)
    mean = (correlation.sum() - n) / (n * (n - 1))
    shrunk = 0.8 * correlation + 0.2 * mean
    np.fill_diagonal(shrunk, 1.0)
    result: FloatArray = shrunk * np.outer(sigma, sigma)
    return result


def _losses(returns: FloatArray, x: FloatArray) -> FloatArray:
    """Losses of x in the overlapping days of the last year, brought to today's volatility."""
    squares = pd.DataFrame(returns) ** 2
    variances = [squares.ewm(halflife=life).mean() for life in _HALF_LIVES_BARS]
    variance = variances[0] + variances[1] + variances[2]
    sigma: pd.DataFrame = (24 * variance / len(variances)) ** 0.5
    before = sigma.shift(1)
    before.iloc[: 7 * 24] = np.nan
    days = (pd.DataFrame(returns) / before).rolling(24).sum().iloc[::-4].dropna().iloc[: 365 * 6]
    moves = np.exp(days.to_numpy() * sigma.iloc[-1].to_numpy()) - 1
    losses: FloatArray = -(moves @ x)
    return losses


def _crowding(market: Market, correlation: FloatArray) -> tuple[FloatArray, FloatArray]:
    """C of each token and of what moves with it."""
    rates = pd.DataFrame({s: series.rate for s, series in market.funding.items()})
    excess = (rates * 8760 / INTERVAL_HOURS - 0.1095).mask((rates - 1e-4).abs() <= 5e-9, 0.0)
    scores = excess.ewm(halflife=24 / INTERVAL_HOURS).mean()
    score = scores.iloc[-1]
    z_sector = _robust(score, market.in_sector)
    ages = np.arange(len(rates))[::-1]
    weights = 0.5 ** (ages * INTERVAL_HOURS / (30 * 24))
    weights /= weights.sum()
    mean = weights @ scores.to_numpy()
    spread = np.sqrt(weights @ (scores.to_numpy() - mean) ** 2)
    interest, volume = pd.Series(market.open_interest_usd), pd.Series(market.adv_usd)
    boost = 1 + 0.5 * np.maximum(_robust(interest / volume, market.in_sector), 0.0)
    value = np.clip(0.5 * z_sector + 0.5 * (score.to_numpy() - mean) / spread, -4, 4) * boost
    share = np.maximum(correlation, 0.0) * interest.to_numpy() * market.in_sector
    np.fill_diagonal(share, interest.to_numpy())
    around: FloatArray = share @ value / share.sum(axis=1)
    return value, around


def _robust(values: pd.Series, among: np.ndarray) -> FloatArray:
    centre = values[among].median()
    spread = 1.4826 * (values[among] - centre).abs().median()
    z: FloatArray = ((values - centre) / spread).to_numpy()
    return z
