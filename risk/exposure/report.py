"""What a book really adds up to once correlation is counted."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from risk.book import FloatArray
from risk.correlation.clusters import Beta, Clustering
from risk.covariance.estimate import CovarianceEstimate
from risk.errors import DataError
from risk.exposure.uncertainty import beta_net_error


@dataclass(frozen=True, slots=True)
class ClusterExposure:
    """One cluster's part of the book.

    Attributes:
        name, symbols: as the clustering has them.
        gross_usd, net_usd: Σ|x|, Σx over its tokens, USD.
        cae_usd: √(v_kᵀ R_kk v_k) / σ_BTC, USD of BTC: the cluster alone, without what the rest
            of the book offsets.
        variance_share: part of the book's variance, Σ_{i∈k} x_i (Σx)_i / σ_x²; the shares of all
            clusters sum to 1 and a hedging cluster's is negative. 0 in a flat book.
    """

    name: str
    symbols: tuple[str, ...]
    gross_usd: float
    net_usd: float
    cae_usd: float
    variance_share: float


@dataclass(frozen=True, slots=True)
class ExposureReport:
    """Exposure of one book of N tokens; USD, long positive.

    Attributes:
        symbols: N symbols, as in the estimate.
        position_usd: (N,) x.
        gross_usd: Σ|x|.
        net_usd: Σx.
        sector_net_usd: Σx over the tokens of the sector.
        volatility_daily_usd: σ_x = √(xᵀΣx), standard deviation of one day's PnL.
        cae_usd: correlation-adjusted exposure, σ_x / σ_BTC: the position in BTC that is as
            volatile as the book.
        beta_net_usd: Σ β_i x_i, USD of BTC.
        beta_net_se_usd: its standard error.
        diversification_ratio: Σ|v| / σ_x with v_i = x_i σ_i; 1 for one token, larger where
            positions offset each other; None in a flat book.
        marginal_daily_usd: (N,) (Σx)_i / σ_x, USD of σ_x for one more USD of token i.
        component_daily_usd: (N,) x_i (Σx)_i / σ_x; they sum to σ_x.
        systematic_daily_usd: |Σ β_i x_i| σ_BTC, the part of σ_x that moves with BTC.
        specific_daily_usd: √(σ_x² - systematic²), the part that does not.
        clusters: one entry for each cluster, as the clustering numbers them.
    """

    symbols: tuple[str, ...]
    position_usd: FloatArray
    gross_usd: float
    net_usd: float
    sector_net_usd: float
    volatility_daily_usd: float
    cae_usd: float
    beta_net_usd: float
    beta_net_se_usd: float
    diversification_ratio: float | None
    marginal_daily_usd: FloatArray
    component_daily_usd: FloatArray
    systematic_daily_usd: float
    specific_daily_usd: float
    clusters: tuple[ClusterExposure, ...]


def exposure(
    x_usd: FloatArray,
    estimate: CovarianceEstimate,
    beta: Beta,
    clusters: Clustering,
    in_sector: NDArray[np.bool_],
) -> ExposureReport:
    """Measure the book x with the covariance that caps and hedge use too.

    σ_x = √(xᵀΣx) and CAE = σ_x / σ_BTC; contributions are Euler's for σ_x, which is homogeneous
    of degree 1, so they sum to it; the diversification ratio is Choueifaty and Coignard's (2008).
    The error of the book's beta is that of ``beta_net_error``: it knows that the tokens' own errors
    are correlated, and which of them have little history. A flat book has zeros throughout.

    Args:
        x_usd: (N,) signed notionals in the order of ``estimate.symbols``.
        beta: to BTC, from the same estimate; its benchmark is what exposure is expressed in.
        clusters: of the same N symbols.
        in_sector: (N,) True for tokens of the sector, False for benchmarks.

    Raises:
        DataError: a shape does not fit or a notional is not finite; NaN is never taken for flat.
        MissingDataError: the benchmark is not in the estimate.
    """
    n = len(estimate.symbols)
    shapes = [np.shape(a) for a in (x_usd, in_sector, beta.value, clusters.labels)]
    if any(shape != (n,) for shape in shapes):
        raise DataError(
            f"positions, sector, beta and clusters have shapes {shapes}, must be ({n},)"
        )
    if not np.all(np.isfinite(x_usd)):
        unknown = estimate.symbols[int(np.argmax(~np.isfinite(x_usd)))]
        raise DataError(f"{unknown}: notional is not finite")
    x = np.array(x_usd, dtype=np.float64)
    b = estimate.column(beta.benchmark)
    sigma_btc = float(estimate.volatility_daily[b])
    sigma_x = _volatility(x, estimate.covariance_daily)
    marginal = estimate.covariance_daily @ x / sigma_x if sigma_x > 0 else np.zeros(n)
    beta_net = float(beta.value @ x)
    systematic = min(abs(beta_net) * sigma_btc, sigma_x)
    specific = math.sqrt(max(sigma_x**2 - systematic**2, 0.0))
    stand_alone = float(np.abs(x) @ estimate.volatility_daily)
    return ExposureReport(
        symbols=estimate.symbols,
        position_usd=x,
        gross_usd=float(np.abs(x).sum()),
        net_usd=float(x.sum()),
        sector_net_usd=float(x[in_sector].sum()),
        volatility_daily_usd=sigma_x,
        cae_usd=sigma_x / sigma_btc,
        beta_net_usd=beta_net,
        beta_net_se_usd=beta_net_error(x, estimate, b),
        diversification_ratio=stand_alone / sigma_x if sigma_x > 0 else None,
        marginal_daily_usd=marginal,
        component_daily_usd=x * marginal,
        systematic_daily_usd=systematic,
        specific_daily_usd=specific,
        clusters=_by_cluster(x, marginal, estimate, clusters, sigma_x=sigma_x, sigma_btc=sigma_btc),
    )


def _volatility(x: FloatArray, covariance: FloatArray) -> float:
    """√(xᵀΣx); rounding below 0 is taken as 0."""
    return math.sqrt(max(float(x @ covariance @ x), 0.0))


def _by_cluster(
    x: FloatArray,
    marginal: FloatArray,
    estimate: CovarianceEstimate,
    clusters: Clustering,
    *,
    sigma_x: float,
    sigma_btc: float,
) -> tuple[ClusterExposure, ...]:
    members: list[list[str]] = [[] for _ in clusters.names]
    for symbol, label in zip(estimate.symbols, clusters.labels.tolist(), strict=True):
        members[label].append(symbol)
    # One row for each cluster, which holds its own positions and nothing of the others.
    own = np.where(clusters.labels == np.arange(len(members))[:, None], x, 0.0)
    variance = ((own @ estimate.covariance_daily) * own).sum(axis=1)
    columns = (
        np.abs(own).sum(axis=1),
        own.sum(axis=1),
        np.sqrt(np.maximum(variance, 0.0)) / sigma_btc,
        own @ marginal / sigma_x if sigma_x > 0 else np.zeros(len(members)),
    )
    rows = zip(clusters.names, members, *(column.tolist() for column in columns), strict=True)
    return tuple(
        ClusterExposure(name, tuple(symbols), gross, net, cae, share)
        for name, symbols, gross, net, cae, share in rows
    )
