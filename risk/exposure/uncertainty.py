"""How well the figures of a book are known, when some of its tokens have little history."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from risk.book import FloatArray, require_notional
from risk.covariance.estimate import CovarianceEstimate
from risk.errors import EstimationError

NORMAL_KURTOSIS = 3.0


@dataclass(frozen=True, slots=True)
class Uncertainty:
    """Standard errors of one book's figures of risk; USD.

    Attributes:
        volatility_daily_usd: of σ_x; 0 in a flat book.
        cae_usd: of σ_x / σ_BTC.
        component_daily_usd: (N,) of x_i (Σx)_i / σ_x; 0 where nothing is held.
    """

    volatility_daily_usd: float
    cae_usd: float
    component_daily_usd: FloatArray


def uncertainty(
    x_usd: FloatArray,
    estimate: CovarianceEstimate,
    benchmark: str,
    kurtosis: float = NORMAL_KURTOSIS,
) -> Uncertainty:
    """How far volatility, CAE and contributions may be off for want of data, by the delta method.

    A figure g(Σ) with the gradient A (symmetric, g changes by tr(A dΣ)) has, with Σ estimated from
    n bars of elliptical returns, κ = kurtosis / 3 - 1,

        Var g = (2 (1 + κ) tr(AΣAΣ) + κ tr(AΣ)²) / n

    (Muirhead 1982, section 1.5). A pair of tokens is known from the fewer bars of the two, and two
    pairs share the fewer bars of theirs, so with the numbers of effective bars n_1 > n_2 > … and
    A_l the part of the gradient that rests on n_l bars or fewer,

        Var g = Σ_l (1/n_l - 1/n_{l-1}) (2 (1 + κ) tr(A_l Σ A_l Σ) + κ tr(A_l Σ)²),   1/n_0 = 0.

    A_l has the entries of A of those pairs. Of a young and an old token only the correlation comes
    from shared bars, σ_j of the old one from all of its own, so that what A_l says of the old one's
    variance over the shared bars is taken out: its diagonal is less by Σ_i A_ij Σ_ij / Σ_jj, over
    the young i.

    A small position in a new token thus adds little, and a large one nearly all. It is the error
    of sampling alone: shrinkage, and volatility that is about to change, are not in it.

    Args:
        x_usd: (N,) signed notionals in the order of ``estimate.symbols``.
        benchmark: what CAE is expressed in.
        kurtosis: of hourly returns, 3 for normal ones; ``pooled_kurtosis`` of real ones.

    Raises:
        DataError: the shape does not fit or a notional is not finite.
        MissingDataError: the benchmark is not in the estimate.
        EstimationError: the kurtosis is below 1, which none is, or not finite.
    """
    x = require_notional(x_usd, estimate.symbols)
    b = estimate.column(benchmark)
    if not (np.isfinite(kurtosis) and kurtosis >= 1):
        raise EstimationError(f"kurtosis is {kurtosis}, must be at least 1")
    none = np.zeros(len(x))
    sigma = float(np.sqrt(max(float(x @ estimate.covariance_daily @ x), 0.0)))
    if sigma == 0:
        return Uncertainty(0.0, 0.0, none)
    needed = np.flatnonzero((x != 0) | (np.arange(len(x)) == b))
    known = _Known(estimate.subset([estimate.symbols[i] for i in needed.tolist()]), kurtosis)
    held, base = x[needed], float(estimate.volatility_daily[b])
    unit = np.eye(len(held))
    column = int(np.flatnonzero(needed == b)[0])
    both, of_volatility = np.stack([held, unit[column]]), 1 / (2 * sigma)
    forms = [
        np.diag([of_volatility, 0.0]),
        np.diag([of_volatility / base, -sigma / (2 * base**3)]),
    ]
    volatility, cae = known.error(np.stack([both, both]), np.stack(forms)).tolist()
    component = none.copy()
    component[needed] = known.component_errors(held, sigma)
    return Uncertainty(volatility, cae, component)


def volatility_error_daily(
    estimate: CovarianceEstimate, kurtosis: float = NORMAL_KURTOSIS
) -> FloatArray:
    """Standard error of each token's daily volatility, σ √((kurtosis - 1) / 4n), shape (N,)."""
    bars = np.maximum(estimate.effective_bars, 1.0)
    error: FloatArray = estimate.volatility_daily * np.sqrt((kurtosis - 1) / (4 * bars))
    return error


def pooled_kurtosis(log_returns: FloatArray, min_bars: int = 168) -> float:
    """Median over tokens of the kurtosis of their returns around zero; 3 where none is known.

    One token's fourth moment is nearly all its worst hour; the median of many is steady enough.

    Args:
        log_returns: (T, N), NaN where missing.
        min_bars: tokens with fewer returns have no say.
    """
    there = ~np.isnan(log_returns)
    squares = np.where(there, log_returns, 0.0) ** 2
    count = there.sum(axis=0)
    moved = (count >= min_bars) & (squares.sum(axis=0) > 0)
    if not moved.any():
        return NORMAL_KURTOSIS
    squares, count = squares[:, moved], count[moved]
    return float(np.median(count * (squares**2).sum(axis=0) / squares.sum(axis=0) ** 2))


def beta_net_error(x_usd: FloatArray, estimate: CovarianceEstimate, benchmark: int) -> float:
    """Standard error of Σ β_i x_i, USD of the benchmark.

    β_i = ρ_ib σ_i / σ_b with ρ_ib and σ_i known from n_i bars, those that the token shares with the
    benchmark b, and σ_b from n_b, has by the delta method

        se² Σ_bb = Σ_ij x_i x_j (Σ_ij - ½ Σ_ib Σ_jb / Σ_bb) / (max(n_i, n_j) - 1)
                   - ½ β² Σ_bb / (n_b - 1)

    with β = Σ x_i β_i, which for equal histories is the error of regressing the book itself on the
    benchmark. It takes all hours as equally volatile: ``risk.exposure.beta_error`` does not, and
    needs the returns for it.
    """
    held = np.flatnonzero(x_usd)
    if not len(held):
        return 0.0
    sigma = estimate.covariance_daily
    variance, along = float(sigma[benchmark, benchmark]), sigma[benchmark, held]
    x, beta = x_usd[held], float(sigma[benchmark] @ x_usd) / variance
    freedom = np.maximum(estimate.effective_bars - 1.0, 1.0)
    own, whole = np.minimum(freedom[held], freedom[benchmark]), float(freedom[benchmark])
    if own.min() == own.max():  # spares the matrix of pairs, as nearly every book can
        pairs = (float(x_usd @ sigma @ x_usd) - beta**2 / 2 * variance) / float(own[0])
    else:
        joint = sigma[np.ix_(held, held)] - np.outer(along, along) / (2 * variance)
        pairs = float(x @ (joint / np.maximum.outer(own, own)) @ x)
    return float(np.sqrt(max(pairs / variance - beta**2 / 2 / whole, 0.0)))


class _Known:
    """What is known of Σ: from how many bars each entry comes."""

    def __init__(self, estimate: CovarianceEstimate, kurtosis: float) -> None:
        self._covariance = estimate.covariance_daily
        self._bars = np.maximum(estimate.effective_bars, 1.0)
        self._excess = kurtosis / 3 - 1

    def error(self, vectors: FloatArray, form: FloatArray) -> FloatArray:
        """(G,) of figures with the gradients Σ_kl D_kl u_k u_lᵀ.

        Args:
            vectors: u, (G, K, N).
            form: D, (G, K, K), symmetric.
        """
        sigma, own = self._covariance, np.diag(self._covariance)
        count = form.shape[-1]
        signed = np.zeros((len(form), 2 * count, 2 * count))
        signed[:, :count, :count], signed[:, count:, count:] = form, -form
        along = vectors @ sigma
        variance = np.zeros(len(form))
        for weight, old in self._layers():
            # Pairs of two old tokens are taken out: A_l = u D uᵀ - o D oᵀ.
            held = vectors * old
            near = held @ sigma
            both, moved = np.concatenate([vectors, held], 1), np.concatenate([along, near], 1)
            product = signed @ (both @ moved.swapaxes(1, 2))
            whole = np.trace(product, axis1=1, axis2=2)
            square = np.trace(product @ product, axis1=1, axis2=2)
            # Old tokens' variances over the bars shared with young ones: A_l - diag(d).
            shared = old / own * (vectors * (form @ (along - near))).sum(axis=1)
            curve = (moved * (signed @ moved)).sum(axis=1)
            whole = whole - shared @ own
            square = square + (shared * (shared @ sigma**2 - 2 * curve)).sum(axis=1)
            variance += weight * (2 * (1 + self._excess) * square + self._excess * whole**2)
        return np.asarray(np.sqrt(np.maximum(variance, 0.0)))

    def component_errors(self, x: FloatArray, sigma: float) -> FloatArray:
        """(N,) of C_i = x_i (Σx)_i / σ, with the gradients
        x_i (e_i xᵀ + x e_iᵀ) / 2σ - C_i x xᵀ / 2σ²."""
        n = len(x)
        vectors = np.stack([np.eye(n), np.broadcast_to(x, (n, n))], axis=1)
        form = np.zeros((n, 2, 2))
        form[:, 0, 1] = form[:, 1, 0] = x / (2 * sigma)
        form[:, 1, 1] = -x * (self._covariance @ x) / (2 * sigma**3)
        return self.error(vectors, form)

    def _layers(self) -> Iterator[tuple[float, FloatArray]]:
        """1/n_l - 1/n_{l-1} and 1 for the tokens known from more than n_l bars, else 0."""
        before = 0.0
        for bars in np.unique(self._bars)[::-1].tolist():
            yield 1 / bars - before, (self._bars > bars).astype(np.float64)
            before = 1 / bars
