"""One more bar in the streaming covariance, against computing everything again."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from benchmarks.measure import Effort, Line, Pairs, alternate, require_close
from risk.book import FloatArray
from risk.covariance.mean_ewma import CovarianceEstimate, MeanEwmaCovariance, mean_ewma_covariance
from risk.returns import BARS_PER_DAY

BARS = 60 * BARS_PER_DAY
HALF_LIFE_DAYS = 15.0
_LARGEST_FOR_PANDAS = 50
"""Beyond, pandas takes ten seconds and more: fewer bars and rounds then (it hardly notices)."""


class _Stream:
    """A market of ``n`` tokens on three factors, and an estimate that follows it bar by bar."""

    def __init__(self, n: int, bars: int, more: int) -> None:
        rng = np.random.default_rng([0xC0, n])
        loadings = rng.normal(0.004, 0.003, (3, n))
        common = rng.standard_t(4, (bars + more, 3)) @ loadings
        self.returns: FloatArray = common + rng.normal(0.0, 0.006, (bars + more, n))
        self.symbols = [f"T{i}/USDT:USDT" for i in range(n)]
        self.covariance = MeanEwmaCovariance(self.symbols)
        for row in self.returns[:bars]:
            self.covariance.update(row)
        self.known = bars

    def step(self) -> None:
        self.known += 1

    @property
    def so_far(self) -> FloatArray:
        return self.returns[: self.known]

    def streamed(self) -> CovarianceEstimate:
        self.covariance.update(self.returns[self.known - 1])
        return self.covariance.estimate()

    def batch(self) -> CovarianceEstimate:
        return mean_ewma_covariance(self.so_far, self.symbols)

    def pandas(self) -> FloatArray:
        frame = pd.DataFrame(self.so_far)
        everything = frame.ewm(halflife=HALF_LIFE_DAYS * BARS_PER_DAY).cov(bias=True)
        return everything.iloc[-len(self.symbols) :].to_numpy()


def run(effort: Effort) -> Iterator[Line]:
    """20, 50 and 200 tokens, 60 days of hourly bars."""
    for n in (20, 50, 200):
        yield _against_batch(n, effort)
        if n == 20:
            yield _against_pandas(n, BARS, effort.rounds(5, 1))
        elif n <= _LARGEST_FOR_PANDAS and not effort.quick:
            yield _against_pandas(n, BARS, 5)
        elif not effort.quick:
            yield _against_pandas(n, 10 * BARS_PER_DAY, 2)


def _against_batch(n: int, effort: Effort) -> Line:
    rounds = effort.rounds(15, 3)
    stream, worst = _Stream(n, BARS, rounds + 1), [0.0]

    def agree(ours: CovarianceEstimate, theirs: CovarianceEstimate) -> None:
        difference = _difference(ours.covariance_daily, theirs.covariance_daily)
        require_close(f"covariance of {n} tokens, streaming and batch", difference, 1e-9)
        worst[0] = max(worst[0], difference)

    pairs = alternate(stream.streamed, stream.batch, rounds, before=stream.step, agree=agree)
    return _line(pairs, n, f"our batch, {BARS} bars, three half-lives", worst[0])


def _against_pandas(n: int, bars: int, rounds: int) -> Line:
    warm_ups = 1 if n <= _LARGEST_FOR_PANDAS else 0
    stream, worst = _Stream(n, bars, rounds + warm_ups), [0.0]

    def agree(_: CovarianceEstimate, theirs: FloatArray) -> None:
        # pandas takes the mean away and has one half-life: both are undone to compare.
        mean = pd.DataFrame(stream.so_far).ewm(halflife=HALF_LIFE_DAYS * BARS_PER_DAY).mean()
        last = mean.iloc[-1].to_numpy()
        raw = BARS_PER_DAY * (theirs + np.outer(last, last))
        ours = mean_ewma_covariance(stream.so_far, stream.symbols, (HALF_LIFE_DAYS,), 0.0)
        difference = _difference(ours.covariance_daily, raw)
        require_close(f"covariance of {n} tokens, one half-life and pandas", difference, 1e-9)
        worst[0] = max(worst[0], difference)

    pairs = alternate(
        stream.streamed,
        stream.pandas,
        rounds,
        before=stream.step,
        agree=agree,
        warm_ups=warm_ups,
    )
    return _line(pairs, n, f"pandas ewm().cov(), {bars} bars, one half-life", worst[0])


def _line(pairs: Pairs, n: int, peer: str, worst: float) -> Line:
    return pairs.line(
        "covariance", f"{n} tokens, one bar", peer, f"largest relative difference {worst:.0e}"
    )


def _difference(ours: FloatArray, theirs: FloatArray) -> float:
    return float(np.abs(ours - theirs).max() / np.abs(theirs).max())
