"""What people optimise portfolios with, on the same returns: a long-only book of least variance.

They are asked for less than a decision is: no costs, no caps, no hedge beside positions, no lots.
Covariances are Ledoit and Wolf's, estimated from the same window of hourly returns each time, for
none of them follows a market bar by bar.
"""

import importlib.util
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd

from risk.book import FloatArray

_PEERS = {
    "pypfopt": "PyPortfolioOpt min_volatility, Ledoit-Wolf",
    "skfolio": "skfolio MeanRisk, Ledoit-Wolf",
    "riskfolio": "Riskfolio-Lib MinRisk, Ledoit-Wolf",
}


def peers(returns: FloatArray) -> Iterator[tuple[str, Callable[[], FloatArray]]]:
    """Name and work of each peer that is installed; weights (N,) of ``returns`` (T, N)."""
    frame = pd.DataFrame(returns, columns=[f"T{i}" for i in range(returns.shape[1])])
    for package, work in (("pypfopt", _pypfopt), ("skfolio", _skfolio), ("riskfolio", _riskfolio)):
        if importlib.util.find_spec(package) is not None:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                yield _PEERS[package], _quietly(work(frame))


def missing_peers() -> list[str]:
    """What is not installed, by what it would have been called."""
    return [name for package, name in _PEERS.items() if importlib.util.find_spec(package) is None]


def _quietly(work: Callable[[], Any]) -> Callable[[], FloatArray]:
    def quiet() -> FloatArray:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return np.asarray(work(), dtype=np.float64).ravel()

    return quiet


def _pypfopt(frame: pd.DataFrame) -> Callable[[], Any]:
    from pypfopt import EfficientFrontier, risk_models

    def work() -> Any:
        shrunk = risk_models.CovarianceShrinkage(frame, returns_data=True, frequency=24)
        chosen = EfficientFrontier(None, shrunk.ledoit_wolf()).min_volatility()
        return list(chosen.values())

    return work


def _skfolio(frame: pd.DataFrame) -> Callable[[], Any]:
    from skfolio.moments import LedoitWolf
    from skfolio.optimization import MeanRisk
    from skfolio.prior import EmpiricalPrior

    def work() -> Any:
        prior = EmpiricalPrior(covariance_estimator=LedoitWolf())
        return MeanRisk(prior_estimator=prior).fit(frame).weights_

    return work


def _riskfolio(frame: pd.DataFrame) -> Callable[[], Any]:
    import riskfolio

    def work() -> Any:
        portfolio = riskfolio.Portfolio(returns=frame)
        portfolio.assets_stats(method_mu="hist", method_cov="ledoit")
        return portfolio.optimization(model="Classic", rm="MV", obj="MinRisk", rf=0, l=0, hist=True)

    return work
