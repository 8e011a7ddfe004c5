"""A market of one factor with volumes, as the rolling measures read it."""

import numpy as np

from risk.book import FloatArray

NAN = float("nan")
BTC, ETH = "BTC/USDT:USDT", "ETH/USDT:USDT"


def names(n: int) -> tuple[str, ...]:
    return (BTC, ETH, *(f"T{i}/USDT:USDT" for i in range(n)))[:n]


def market(seed: int, bars: int, n: int, missing: float = 0.0) -> tuple[FloatArray, FloatArray]:
    """Returns and volumes; busy hours are volatile ones."""
    rng = np.random.default_rng(seed)
    busy = np.exp(rng.standard_normal((bars, 1)))
    shocks = 0.8 * rng.standard_normal((bars, 1)) + rng.standard_normal((bars, n))
    returns = shocks * 0.01 * np.sqrt(busy)
    volumes = 1e6 * busy * np.exp(0.5 * rng.standard_normal((bars, n)))
    returns[rng.random((bars, n)) < missing] = NAN
    volumes[rng.random((bars, n)) < missing] = NAN
    return returns, volumes


def error_by_moments(pair: FloatArray, weight: FloatArray) -> float:
    """Standard error of a correlation by the delta method: how it bends with each of the five
    weighted means it is made of, times how those scatter."""
    x, y = pair / pair.std(axis=1, keepdims=True)
    w = weight / weight.sum()
    terms = np.array([x, y, x * x, y * y, x * y])
    means = terms @ w

    def correlation(m: FloatArray) -> float:
        return float((m[4] - m[0] * m[1]) / np.sqrt((m[2] - m[0] ** 2) * (m[3] - m[1] ** 2)))

    h = 1e-6
    slope = [(correlation(means + h * e) - correlation(means - h * e)) / (2 * h) for e in np.eye(5)]
    apart = (terms - means[:, None]) * w
    return float(np.sqrt(np.array(slope) @ (apart @ apart.T) @ np.array(slope)))
