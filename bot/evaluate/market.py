"""Recorded data as the arrays that an evaluation runs over."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bot.errors import UsageError
from bot.feeds.array_tape import ArrayTape
from bot.feeds.recorded import recorded_tape
from bot.feeds.remarks import Tell, nobody
from bot.feeds.tape import DAY_MS
from bot.measuring.universe import base_of, build_universe
from config.aliases import load_aliases
from config.sectors import Sector
from config.settings import Settings
from risk.book import FloatArray
from risk.crowding.funding import FundingSeries
from risk.errors import MissingDataError
from risk.returns import HOUR_MS, BarPanel, log_returns, utc

BENCHMARKS = ("BTC", "ETH", "SOL")
"""What may be shorted beside the sector's tokens."""

HISTORY_DAYS = 30
BTC = "BTC/USDT:USDT"


@dataclass(frozen=True, slots=True)
class EvaluationMarket:
    """N symbols over T hourly bars; row t is known from the moment ``time_ms[t]`` on.

    Attributes:
        symbols: unified, sorted.
        time_ms: (T,) end of each bar, UTC milliseconds.
        close: (T, N) quote units; the last one there was where a bar is missing, NaN before the
            first.
        log_return: (T, N), NaN where either close is missing.
        volume_usd: (T, N), NaN where a bar is missing.
        there: (T, N) whether the bar is there.
        funding_rate: (T, N) what a long paid at ``time_ms[t]``, a fraction of notional.
        funding: settled payments by symbol.
        in_sector: (N,) False for benchmarks.
        lot_base, min_notional_usd: (N,).
        btc: column of BTC.
        start, end: rows of the first decision and of the end of the evaluation.
    """

    symbols: tuple[str, ...]
    time_ms: NDArray[np.int64]
    close: FloatArray
    log_return: FloatArray
    volume_usd: FloatArray
    there: NDArray[np.bool_]
    funding_rate: FloatArray
    funding: Mapping[str, FundingSeries]
    in_sector: NDArray[np.bool_]
    lot_base: FloatArray
    min_notional_usd: FloatArray
    btc: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Span:
    """When the first decision falls and when the last hour ends, UTC milliseconds."""

    start_ms: int
    end_ms: int


def evaluation_market(
    folder: Path,
    settings: Settings,
    sector: Sector,
    *,
    start_ms: int | None,
    end_ms: int | None,
    complete: bool,
    symbols: Sequence[str] | None,
    tell: Tell = nobody,
) -> EvaluationMarket:
    """Read the folder and keep what is evaluated.

    Args:
        folder: recorded data.
        settings: sector, exclusions and aliases.
        sector: its tokens.
        start_ms, end_ms: None for as early and as late as the data allow.
        complete: only tokens with every hour from 30 days before the start to the end.
        symbols: only these tokens, as bases or unified symbols; None for the whole sector.
        tell: told what the data lack.

    Raises:
        DataError: the data cannot be used.
        UsageError: the span is not in the data, or a symbol is not.
    """
    tape = recorded_tape(
        folder,
        aliases=load_aliases(settings.universe.aliases_file),
        exchange=settings.venue.exchange,
        tell=tell,
    )
    span = _span(tape, folder, start_ms, end_ms)
    chosen = _symbols(tape, settings, sector, symbols)
    bars = (span.end_ms - tape.start_ms) // HOUR_MS
    panel = tape.panel(chosen, tape.start_ms, tape.start_ms + bars * HOUR_MS, span.end_ms)
    if complete:
        panel = panel.subset(_complete(panel, span.start_ms, needed=symbols is not None))
    if BTC not in panel.symbols:
        raise MissingDataError(f"{folder}: no {BTC}, in which risk is counted")
    return _arrays(tape, panel, span)


def _span(tape: ArrayTape, folder: Path, start_ms: int | None, end_ms: int | None) -> Span:
    assert tape.end_ms is not None
    earliest = tape.start_ms + HISTORY_DAYS * DAY_MS
    start = earliest if start_ms is None else start_ms
    end = tape.end_ms if end_ms is None else end_ms
    if start < earliest:
        raise UsageError(
            f"--from {utc(start)}: {folder} begins at {utc(tape.start_ms)}, and decisions need "
            f"{HISTORY_DAYS} days before them: at least {utc(earliest)}"
        )
    if end > tape.end_ms:
        raise UsageError(f"--to {utc(end)}: {folder} ends at {utc(tape.end_ms)}")
    if end - start < DAY_MS * 2:
        raise UsageError(f"--from {utc(start)} --to {utc(end)}: must be at least two days apart")
    return Span(start, end)


def _symbols(
    tape: ArrayTape, settings: Settings, sector: Sector, only: Sequence[str] | None
) -> tuple[str, ...]:
    universe = settings.universe
    benchmarks = tuple(f"{base}/USDT:USDT" for base in BENCHMARKS)
    listed = build_universe(
        sector.subsector_of, benchmarks, tape.instruments, exclude=universe.exclude
    )
    if only is None:
        return listed.symbols
    tokens = {name: name for name in listed.sector} | {base_of(s): s for s in listed.sector}
    unknown = [name for name in only if name not in tokens]
    if unknown:
        raise UsageError(
            f"--symbols {unknown[0]}: must be of {', '.join(base_of(s) for s in listed.sector)}"
        )
    return tuple(sorted({*(tokens[name] for name in only), *listed.benchmarks}))


def _complete(panel: BarPanel, start_ms: int, *, needed: bool) -> list[str]:
    judged = panel.open_ms >= start_ms - HISTORY_DAYS * DAY_MS
    holes = np.flatnonzero(np.isnan(panel.close[judged]).any(axis=0))
    gaps = [panel.symbols[i] for i in holes.tolist()]
    if needed and gaps:
        raise UsageError(f"--universe complete: {gaps[0]} has hours without a bar; leave it out")
    return [s for s in panel.symbols if s not in gaps]


def _arrays(tape: ArrayTape, panel: BarPanel, span: Span) -> EvaluationMarket:
    time_ms = panel.open_ms + HOUR_MS
    instruments = [tape.instruments[s] for s in panel.symbols]
    found = (tape.funding_series(s, tape.start_ms, span.end_ms + 1) for s in panel.symbols)
    funding = {one.symbol: one for one in found if one is not None}
    first = np.full((1, len(panel.symbols)), np.nan)
    return EvaluationMarket(
        symbols=panel.symbols,
        time_ms=time_ms,
        close=_carried_forward(panel.close),
        log_return=np.vstack([first, log_returns(panel)]),
        volume_usd=panel.quote_volume_usd,
        there=~np.isnan(panel.close),
        funding_rate=_paid(panel.symbols, time_ms, funding),
        funding=funding,
        in_sector=np.array([base_of(s) not in BENCHMARKS for s in panel.symbols]),
        lot_base=np.array([float(one.lot) for one in instruments]),
        min_notional_usd=np.array([float(one.min_notional_usd) for one in instruments]),
        btc=panel.symbols.index(BTC),
        start=int(np.searchsorted(time_ms, span.start_ms)),
        end=len(time_ms) - 1,
    )


def _carried_forward(close: FloatArray) -> FloatArray:
    """The last close there was, (T, N); NaN before the first."""
    rows = np.where(np.isnan(close), -1, np.arange(len(close))[:, None])
    last = np.maximum.accumulate(rows, axis=0)
    return np.where(last >= 0, np.take_along_axis(close, np.maximum(last, 0), axis=0), np.nan)


def _paid(
    symbols: Sequence[str], time_ms: NDArray[np.int64], funding: Mapping[str, FundingSeries]
) -> FloatArray:
    """(T, N) payments put on the hour that they fall due, or the next one."""
    paid = np.zeros((len(time_ms), len(symbols)))
    for column, symbol in enumerate(symbols):
        if symbol in funding:
            due_ms = funding[symbol].time_ms
            rows = np.searchsorted(time_ms, due_ms)
            inside = (rows < len(time_ms)) & (due_ms > time_ms[0] - HOUR_MS)
            np.add.at(paid[:, column], rows[inside], funding[symbol].rate[inside])
    return paid
