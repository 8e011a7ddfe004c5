"""Returns made up from a seed, shrinkage as its authors' formulas have it, and a stream of bars."""

import numpy as np

from risk.book import FloatArray
from risk.covariance.estimate import CovarianceEstimate
from risk.covariance.mean_ewma import CovarianceEstimator

NAN = float("nan")


def names(n: int) -> tuple[str, ...]:
    bases = ["BTC", "ETH", *(f"T{i}" for i in range(n))]
    return tuple(f"{base}/USDT:USDT" for base in bases[:n])


def sample(seed: int, bars: int, n: int, missing: float = 0.0) -> FloatArray:
    """Returns of a one-factor market, loadings and volatilities differ, some returns missing."""
    rng = np.random.default_rng(seed)
    scale = 10 ** rng.uniform(-3, -1.5, n)
    loading = rng.uniform(0.0, 2.0, n)
    returns = (loading * rng.standard_t(4, (bars, 1)) + rng.standard_t(4, (bars, n))) * scale
    returns[rng.random((bars, n)) < missing] = NAN
    return returns


def stream(estimator: CovarianceEstimator, returns: FloatArray) -> CovarianceEstimate:
    for row in returns:
        estimator.update(row)
    return estimator.estimate()


def honey(x: FloatArray) -> tuple[FloatArray, float]:
    """Ledoit, Wolf 2004 (constant correlation), every sum written out."""
    t, n = x.shape
    s = np.array([[np.mean(x[:, i] * x[:, j]) for j in range(n)] for i in range(n)])
    r = [[s[i, j] / np.sqrt(s[i, i] * s[j, j]) for j in range(n)] for i in range(n)]
    r_bar = 2 / ((n - 1) * n) * sum(r[i][j] for i in range(n - 1) for j in range(i + 1, n))
    f = np.array(
        [
            [s[i, i] if i == j else r_bar * np.sqrt(s[i, i] * s[j, j]) for j in range(n)]
            for i in range(n)
        ]
    )

    def theta(k: int, i: int, j: int) -> float:
        return float(np.mean((x[:, k] ** 2 - s[k, k]) * (x[:, i] * x[:, j] - s[i, j])))

    pi = rho = gamma = 0.0
    for i in range(n):
        for j in range(n):
            pi_ij = float(np.mean((x[:, i] * x[:, j] - s[i, j]) ** 2))
            pi += pi_ij
            gamma += (f[i, j] - s[i, j]) ** 2
            if i == j:
                rho += pi_ij
            else:
                one = np.sqrt(s[j, j] / s[i, i]) * theta(i, i, j)
                other = np.sqrt(s[i, i] / s[j, j]) * theta(j, i, j)
                rho += r_bar / 2 * (one + other)
    delta = max(0.0, min((pi - rho) / gamma / t, 1.0))
    return delta * f + (1 - delta) * s, delta
