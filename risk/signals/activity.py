"""Signals of activity: volume and funding out of the usual, tokens that come and go."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet

import numpy as np
from numpy.typing import NDArray

from risk.book import FloatArray
from risk.crowding.report import CrowdingReport
from risk.errors import DataError
from risk.returns import BARS_PER_DAY
from risk.signals.episodes import Severity, Signal, SignalKind, SignalRule, SignalState

VOLUME_RULE = SignalRule(enter=5.0, leave=2.5, enter_bars=1, leave_bars=3)
"""Of a token's hours one in two hundred is above 5 (measured)."""

FUNDING_RULE = SignalRule(enter=2.5, leave=1.5, enter_bars=3, leave_bars=3)
"""On |z| of a token's funding against its own past."""

FUNDING_CORRELATION = 0.6
VOLUME_DAYS = 30
MIN_DAYS = 14
_LEAST_SPREAD = 0.1
"""Of log volume: a token whose hours were all alike would else spike at a breath."""


def volume_z(quote_volume_usd: FloatArray, days: int = VOLUME_DAYS) -> FloatArray:
    """Robust z of the last bar's volume against the same hour of the days before, shape (N,).

        z = (ln(1 + V) - median) / max(1.4826 MAD, 0.1)

    over ln(1 + V) of the same hour of the last ``days`` days: crypto volume has a strong pattern
    over the day, and in logarithms it is nearly symmetric. NaN where the last bar or all but a few
    (14) of those hours are missing.

    Args:
        quote_volume_usd: (T, N) hourly, oldest first, the last row the bar in question; USD, NaN
            where missing.

    Raises:
        DataError: not two-dimensional, or a volume is negative or infinite.
    """
    volume = np.asarray(quote_volume_usd, dtype=np.float64)
    if volume.ndim != 2:
        raise DataError(f"volumes have shape {volume.shape}, must be (bars, tokens)")
    if np.any(volume < 0) or np.isinf(volume).any():
        raise DataError("a volume is negative or infinite")
    if not len(volume):
        return np.full(volume.shape[1], np.nan)
    logs = np.log1p(volume[::-BARS_PER_DAY][: days + 1])
    now, past = logs[0], logs[1:]
    z = np.full(volume.shape[1], np.nan)
    usable = (~np.isnan(past)).sum(axis=0) >= MIN_DAYS
    if usable.any():
        chosen = past[:, usable]
        median = np.nanmedian if np.isnan(chosen).any() else np.median  # ten times as quick
        centre = median(chosen, axis=0)
        spread = 1.4826 * median(np.abs(chosen - centre), axis=0)
        z[usable] = (now[usable] - centre) / np.maximum(spread, _LEAST_SPREAD)
    return z


def volume_signals(state: SignalState, symbols: Sequence[str]) -> tuple[Signal, ...]:
    """Tokens whose volume is out of the usual, of a state that watched ``volume_z``; most first.

    Raises:
        DataError: the state watches another number of tokens.
    """
    _require_state(state, symbols)
    active = np.flatnonzero(state.active)
    found = []
    for i in active[np.argsort(-state.value[active], kind="stable")].tolist():
        z = float(state.value[i])
        sentence = (
            f"{symbols[i]} trades far more than usual for this hour: {z:.1f} robust standard "
            "deviations above its last 30 days."
        )
        since_ms = int(state.since_ms[i])
        found.append(
            Signal(
                SignalKind.VOLUME_SPIKE, (symbols[i],), z, VOLUME_RULE.enter, since_ms,
                Severity.NOTE, sentence,
            )
        )  # fmt: skip
    return tuple(found)


def funding_values(report: CrowdingReport) -> FloatArray:
    """What FUNDING_RULE watches: |z| of each token's score against its own past, NaN unknown."""
    values = [np.nan if token.z_own is None else abs(token.z_own) for token in report.tokens]
    return np.array(values, dtype=np.float64)


def funding_signals(
    state: SignalState,
    report: CrowdingReport,
    correlation: FloatArray,
    x_usd: FloatArray,
    min_correlation: float = FUNDING_CORRELATION,
) -> tuple[Signal, ...]:
    """Funding spikes on correlated positions: one signal for each group, the largest first.

    A group is two or more held tokens whose funding is up against the book (longs pay and the
    book is long, or shorts pay and it is short) and that hang together by pairs of at least
    ``min_correlation``: one crowded position, told as one thing. A token alone is none.

    Args:
        state: watched ``funding_values`` of the same N tokens.
        report: the crowding now.
        correlation: (N, N) in the order of the report's tokens, NaN where unknown.
        x_usd: (N,) signed notionals.

    Raises:
        DataError: a shape does not fit or a notional is not finite.
    """
    symbols = [token.symbol for token in report.tokens]
    _require_state(state, symbols)
    n = len(symbols)
    x = np.asarray(x_usd, dtype=np.float64)
    if x.shape != (n,) or np.shape(correlation) != (n, n) or not np.all(np.isfinite(x)):
        raise DataError(f"positions and correlation must be finite and of {n} tokens")
    signed = np.array([np.nan if t.z_own is None else t.z_own for t in report.tokens])
    against = state.active & ~np.isnan(signed) & (np.nan_to_num(signed) * x > 0)
    linked = np.asarray(correlation, dtype=np.float64) >= min_correlation
    found = []
    for members in _groups(np.flatnonzero(against), linked):
        if len(members) < 2:
            continue
        names = tuple(symbols[i] for i in members)
        # A group may hold longs and shorts; the side is that of its greater part.
        side = "longs" if float(x[members].sum()) > 0 else "shorts"
        z = float(np.mean(np.abs(signed[members])))
        gross = float(np.abs(x[members]).sum())
        sentence = (
            f"Funding spikes on correlated positions: {', '.join(names)} are crowded {side}, "
            f"{z:.1f} standard deviations from their own past, and the book holds {gross:,.0f} USD "
            "with the crowd."
        )
        since_ms = int(state.since_ms[members].max())
        found.append(
            (
                gross,
                Signal(
                    SignalKind.FUNDING_SPIKE, names, z, FUNDING_RULE.enter, since_ms,
                    Severity.WARNING, sentence,
                ),
            )
        )  # fmt: skip
    return tuple(signal for _, signal in sorted(found, key=lambda item: -item[0]))


def listing_signals(
    before: AbstractSet[str],
    now: AbstractSet[str],
    now_ms: int,
    held: AbstractSet[str] = frozenset(),
) -> tuple[Signal, ...]:
    """Symbols of the sector that the venue lists now and did not before, and the other way round.

    A delisting of a held symbol is an alarm: the venue will close it at a price of its own.
    Nothing known before (an empty set) means no news, and an empty answer of a venue that listed
    something before is a failure of the venue and not the delisting of everything.

    Args:
        before, now: unified symbols, only those of the sector.

    Raises:
        DataError: ``now`` is empty while ``before`` is not.
    """
    if not before:
        return ()
    if not now:
        raise DataError(f"the venue lists none of the {len(before)} symbols that it listed before")
    found = []
    for symbol in sorted(now - before):
        sentence = f"{symbol} is newly listed; it has no history to hedge with yet."
        found.append(_listing(SignalKind.NEW_LISTING, symbol, now_ms, Severity.NOTE, sentence))
    for symbol in sorted(before - now):
        is_held = symbol in held
        severity = Severity.ALARM if is_held else Severity.WARNING
        sentence = f"{symbol} is no longer listed{' and the book holds it' if is_held else ''}."
        found.append(_listing(SignalKind.DELISTING, symbol, now_ms, severity, sentence))
    return tuple(found)


def _listing(
    kind: SignalKind, symbol: str, now_ms: int, severity: Severity, sentence: str
) -> Signal:
    return Signal(kind, (symbol,), 1.0, 1.0, now_ms, severity, sentence)


def _groups(chosen: NDArray[np.intp], linked: NDArray[np.bool_]) -> list[list[int]]:
    """Connected parts of the chosen tokens."""
    left = chosen.tolist()
    groups: list[list[int]] = []
    while left:
        group, queue = [], [left.pop(0)]
        while queue:
            i = queue.pop()
            group.append(i)
            near = [j for j in left if linked[i, j] or linked[j, i]]
            left = [j for j in left if j not in near]
            queue.extend(near)
        groups.append(sorted(group))
    return groups


def _require_state(state: SignalState, symbols: Sequence[str]) -> None:
    if state.active.shape != (len(symbols),):
        raise DataError(f"signal state has shape {state.active.shape}, must be ({len(symbols)},)")
