"""Everything that a replay is made of, before its first hour."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bot.clock import SimulatedClock
from bot.errors import UsageError
from bot.feeds.array_tape import ArrayTape
from bot.feeds.recorded import recorded_tape
from bot.feeds.remarks import Tell, nobody
from bot.feeds.tape import DAY_MS
from bot.measuring.universe import build_universe
from bot.replay.bot_files import read_holdings
from bot.replay.holdings import (
    Holdings,
    RandomBot,
    bet_at_random,
    bought_and_held,
)
from bot.replay.identity import VERSION, contents, data_files, named_files
from bot.replay.priced import held_while_priced
from bot.replay.troubles import CALM, Trouble
from bot.sources.book import notionals
from config.aliases import load_aliases
from config.errors import ConfigError
from config.sectors import load_sectors
from config.settings import Settings
from risk.book import FloatArray
from risk.returns import HOUR_MS, utc

LEAST_HISTORY_DAYS = 30
BOT_MIN_DAILY_VOLUME_USD = 5_000_000.0


@dataclass(frozen=True, slots=True)
class ReplayOptions:
    """What was asked for.

    Attributes:
        data: folder of recorded data.
        start_ms, end_ms: first and last hour, UTC; None: as far as the data reach. Where these end
            within the day before ``end_ms``, the replay ends with them.
        out: folder for journal and log.
        book: signed notionals that are bought at the first hour and kept.
        positions: what the bot held over time, from a file.
        random: bets of a random bot, where neither is given.
        signals: signals of the market are looked for, for log and report; they decide nothing.
        trouble: what is made up beside the recorded market.
        struck_ms: when that strikes, UTC milliseconds.
    """

    data: Path
    start_ms: int | None
    end_ms: int | None
    out: Path
    book: Path | None = None
    positions: Path | None = None
    random: RandomBot = field(default_factory=RandomBot)
    signals: bool = True
    trouble: Trouble = CALM
    struck_ms: int = 0


@dataclass(frozen=True, slots=True)
class ReplayStage:
    """A market, a bot, a clock.

    Attributes:
        close: (T + 1, N) prices at the hours of the holdings, NaN where there is none.
        signals, trouble, struck_ms: as in the options.
    """

    settings: Settings
    tape: ArrayTape
    clock: SimulatedClock
    holdings: Holdings
    close: FloatArray
    signals: bool = True
    trouble: Trouble = CALM
    struck_ms: int = 0

    @property
    def hours_ms(self) -> NDArray[np.int64]:
        """Every hour with a cycle, and the end."""
        return self.holdings.time_ms


def set_up(settings: Settings, options: ReplayOptions, tell: Tell = nobody) -> ReplayStage:
    """Read the data and find out what the bot holds when; ``tell`` is told what is missing.

    ``staged`` does the same with data that are read already.

    Raises:
        DataError, UsageError, ConfigError: something cannot be used; one line.
    """
    aliases = load_aliases(settings.universe.aliases_file)
    recorded = recorded_tape(
        options.data, aliases=aliases, exchange=settings.venue.exchange, tell=tell
    )
    return staged(settings, options, recorded, tell)


def staged(
    settings: Settings, options: ReplayOptions, recorded: ArrayTape, tell: Tell = nobody
) -> ReplayStage:
    """As ``set_up``, over this market.

    Raises:
        DataError, UsageError, ConfigError: something cannot be used; one line.
    """
    _require_files(settings)
    start_ms, end_ms = _span(recorded, options)
    tape = options.trouble.tape(recorded, options.struck_ms)
    time_ms = np.arange(start_ms, end_ms + 1, HOUR_MS, dtype=np.int64)
    holdings, close = _holdings(settings, tape, options, time_ms, tell)
    fitted = settings.model_copy(
        update={
            "mode": "paper",
            "autonomy": "auto",
            "state_dir": options.out,
            "data": settings.data.model_copy(
                update={"backfill_days": _history_days(settings, tape, start_ms)}
            ),
        }
    )
    clock = SimulatedClock(start_ms)
    return ReplayStage(
        fitted,
        tape,
        clock,
        holdings,
        close,
        signals=options.signals,
        trouble=options.trouble,
        struck_ms=options.struck_ms,
    )


def name_of(stage: ReplayStage, options: ReplayOptions) -> dict[str, Any]:
    """What makes a replay the same one: settings, hours, holdings, and all that is in the files
    of data and settings, as digests.

    Raises:
        DataError: a file cannot be read.
    """
    settings = stage.settings.model_dump_json(exclude={"state_dir"}).encode()
    holdings = stage.holdings
    held = hashlib.sha256(repr(holdings.symbols).encode())
    held.update(holdings.time_ms.tobytes() + holdings.quantity_base.tobytes())
    held.update(stage.close.tobytes())
    trouble = stage.trouble.sentence
    beside: dict[str, Any] = {} if stage.signals else {"signals": False}
    beside |= {"trouble": trouble, "struck_ms": stage.struck_ms} if trouble else {}
    data = contents(data_files(options.data))
    # The same data in another folder are the same.
    known = {name if name == VERSION else Path(name).name: told for name, told in data.items()}
    return (
        beside
        | known
        | contents(named_files(stage.settings))
        | {
            "from_ms": int(stage.hours_ms[0]),
            "to_ms": int(stage.hours_ms[-1]),
            "settings": hashlib.sha256(settings).hexdigest(),
            "bot": held.hexdigest(),
        }
    )


def _require_files(settings: Settings) -> None:
    """A series of today's web is none of the hours that are replayed."""
    for series in settings.macro:
        if series.kind == "json":
            raise ConfigError(
                f"macro: {series.name} is read over HTTP, and tells of today; a replay takes "
                "series of kind csv alone: name a file, or leave it out"
            )


def _span(tape: ArrayTape, options: ReplayOptions) -> tuple[int, int]:
    last_ms = tape.end_ms
    assert last_ms is not None, "recorded data end"
    first_ms = tape.start_ms + LEAST_HISTORY_DAYS * DAY_MS
    start_ms = first_ms if options.start_ms is None else options.start_ms
    end_ms = last_ms if options.end_ms is None else min(options.end_ms, last_ms)
    if options.end_ms is not None and options.end_ms - last_ms > DAY_MS:
        raise UsageError(f"--to {utc(options.end_ms)}: {options.data} ends {utc(last_ms)}")
    if start_ms < first_ms:
        raise UsageError(
            f"--from {utc(start_ms)}: {options.data} begins {utc(tape.start_ms)}; "
            f"{LEAST_HISTORY_DAYS} days of history come first"
        )
    if end_ms <= start_ms:
        raise UsageError(f"--to {utc(end_ms)}: must lie after {utc(start_ms)}, within the data")
    return start_ms, end_ms


def _history_days(settings: Settings, tape: ArrayTape, start_ms: int) -> int:
    """The config's, or what the data have before the first hour."""
    return min(settings.data.backfill_days, (start_ms - tape.start_ms) // DAY_MS)


def _holdings(
    settings: Settings,
    tape: ArrayTape,
    options: ReplayOptions,
    time_ms: NDArray[np.int64],
    tell: Tell,
) -> tuple[Holdings, FloatArray]:
    if options.positions is not None:
        holdings = read_holdings(options.positions, tape.instruments, time_ms, tell)
        close = prices_at(tape, holdings.symbols, time_ms)
        later = _priced_later(tape, holdings.symbols, time_ms)
        where = f"--positions {options.positions}"
        return held_while_priced(where, holdings, close, later, tell), close
    if options.book is not None:
        targets = notionals(options.book)
        _require_known(options.book, targets, tape)
        symbols = tuple(targets)
        close = prices_at(tape, symbols, time_ms)
        wanted = np.array([float(usd) for usd in targets.values()])
        kept = bought_and_held(symbols, time_ms, close, wanted)
        later = _priced_later(tape, symbols, time_ms)
        return held_while_priced(f"--book {options.book}", kept, close, later, tell), close
    symbols = sector_of(settings, tape)
    close = prices_at(tape, symbols, time_ms)
    liquid = _liquid(tape, symbols, time_ms) & np.isfinite(close)
    return bet_at_random(symbols, time_ms, close, liquid, options.random), close


def _require_known(path: Path, targets: Mapping[str, object], tape: ArrayTape) -> None:
    for symbol in targets:
        if symbol not in tape.instruments:
            raise UsageError(f"--book {path}: {symbol}: not in the data")


def sector_of(settings: Settings, tape: ArrayTape) -> tuple[str, ...]:
    """The sector's symbols that the data hold, in order."""
    sector = load_sectors(settings.universe.sectors_file)[settings.universe.sector]
    universe = build_universe(
        sector.subsector_of,
        settings.universe.benchmarks,
        tape.instruments,
        exclude=settings.universe.exclude,
    )
    return tuple(sorted(universe.sector))


def prices_at(tape: ArrayTape, symbols: tuple[str, ...], time_ms: NDArray[np.int64]) -> FloatArray:
    """(T + 1, N) closes of the bars that end at these hours, NaN where there is no bar."""
    first_ms, last_ms = int(time_ms[0]), int(time_ms[-1])
    return tape.panel(symbols, first_ms - HOUR_MS, last_ms, last_ms).close


def _priced_later(
    tape: ArrayTape, symbols: tuple[str, ...], time_ms: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """(N,) whether the data have a price after the last of these hours."""
    last_ms, end_ms = int(time_ms[-1]), tape.end_ms
    assert end_ms is not None, "recorded data end"
    later = tape.panel(symbols, last_ms, end_ms, end_ms).close
    return np.asarray(np.any(later > 0, axis=0))


def _liquid(
    tape: ArrayTape, symbols: tuple[str, ...], time_ms: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """(T + 1, N) whether enough was traded in the 24 hours before; a missing bar counts as none."""
    first_ms, last_ms = int(time_ms[0]), int(time_ms[-1])
    volume = tape.panel(symbols, first_ms - DAY_MS, last_ms, last_ms).quote_volume_usd
    total = np.cumsum(np.vstack((np.zeros(len(symbols)), np.nan_to_num(volume))), axis=0)
    return np.asarray(total[24:] - total[:-24] >= BOT_MIN_DAILY_VOLUME_USD)
