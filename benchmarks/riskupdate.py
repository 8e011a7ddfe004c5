"""One more bar through everything that the risk view needs of it, against pandas and numpy."""

import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from statistics import median

from benchmarks.measure import Effort, Line, alternate, require_close, timed
from benchmarks.riskupdate_market import Market, Measured, figures_of
from benchmarks.riskupdate_plain import plain_figures
from risk.correlation.clusters import cluster
from risk.correlation.regime import correlation_change
from risk.correlation.volume_weighted import volume_weighted_correlation
from risk.exposure.torsion import torsion
from risk.returns import BARS_PER_DAY

SIZES = (18, 50, 200)
GOAL_MS = {18: 1.0, 50: 2.0, 200: 10.0}
_MONTH = 30 * BARS_PER_DAY
_CHANGE = 37 * BARS_PER_DAY
_TOLERANCE = 1e-8
_PEER = "pandas and numpy over the whole history"


def run(effort: Effort) -> Iterator[Line]:
    """18, 50 and 200 tokens, all of them held."""
    days = effort.rounds(400, 90)
    for n in SIZES[:1] if effort.quick else SIZES:
        yield _line(n, days, effort.rounds(24, 3) if n < max(SIZES) else 12)


def _line(n: int, days: int, rounds: int) -> Line:
    market, worst = Market(n, days * BARS_PER_DAY, 2 * rounds + 1), [0.0]

    def agree(ours: Measured, theirs: Mapping[str, float]) -> None:
        figures = figures_of(ours)
        for name, value in theirs.items():
            difference = abs(figures[name] - value) / max(abs(value), 1e-9)
            require_close(f"riskupdate, {n} tokens: {name}", difference, _TOLERANCE)
            worst[0] = max(worst[0], difference)

    pairs = alternate(
        market.update,
        partial(plain_figures, market),
        rounds,
        before=market.step,
        agree=agree,
    )
    row, busy = [], []
    for _ in range(rounds):
        market.step()
        start = time.thread_time()
        row.append(timed(market.update)[0])
        busy.append(time.thread_time() - start)
    facts = {
        "goal": f"under {GOAL_MS[n]:g} ms",
        # The peer's megabytes push ours out of the cache, so turns with it are the harder case.
        "in turns with the peer": _spread(pairs.ours_s),
        "one after another": _spread(row),
        # Without what others take of a busy machine.
        "one after another, processor alone": _spread(busy),
        **{f"of it {part}": _shown(seconds) for part, seconds in market.parts().items()},
        **{f"once a bar, {what}": _shown(seconds) for what, seconds in _refreshed(market)},
    }
    return pairs.line(
        "riskupdate",
        f"{n} tokens, one bar",
        _PEER,
        f"volatility, contributions, VaR, ES, crowding within {worst[0]:.0e}",
        facts,
    )


def _refreshed(market: Market) -> Iterator[tuple[str, float]]:
    """Seconds of what changes slowly and is computed anew once a bar, each the best of two."""
    returns, symbols, estimate = market.so_far, market.symbols, market.estimate
    for what, work in (
        ("minimum torsion", lambda: torsion(estimate.covariance_daily)),
        (
            "volume-weighted correlation",
            lambda: volume_weighted_correlation(
                returns[-_MONTH:], market.volume_usd[-_MONTH:], symbols
            ),
        ),
        ("regime bootstrap", lambda: correlation_change(returns[-_CHANGE:], symbols, seed=7)),
        ("clustering", lambda: cluster(estimate.correlation, symbols)),
    ):
        yield what, min(timed(work)[0] for _ in range(2))


def _shown(seconds: float) -> str:
    return f"{1e3 * seconds:.3g} ms"


def _spread(seconds: Sequence[float]) -> str:
    return f"{_shown(median(seconds))}, least {_shown(min(seconds))}"
