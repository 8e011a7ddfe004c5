"""Named episodes of recorded data, and the ones that are made up in the worst of them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bot.errors import UsageError
from bot.feeds.array_tape import ArrayTape
from bot.feeds.tape import DAY_MS
from bot.records.cycle import iso_utc
from bot.replay.troubles import TROUBLES
from risk.book import FloatArray
from risk.returns import HOUR_MS, BarPanel, log_returns, utc, without_faults
from risk.tail.shocks import (
    Shock,
    ShockKind,
    correlation_spikes,
    funding_squeezes,
    gaps,
    sector_crashes,
    sector_returns,
)

OF_EACH = 3
BEFORE_MS, AFTER_MS = DAY_MS, DAY_MS
LIQUID_DAILY_USD = 5_000_000.0


@dataclass(frozen=True, slots=True)
class Episode:
    """Some hours worth playing.

    Attributes:
        name: short, of kind, day and token: ``sector-crash-2025-10-10``.
        kind: of the shock, or ``made-up``.
        start_ms, end_ms: what is played, a day before and after included; UTC milliseconds.
        struck_ms: the first hour of the shock itself; of what is made up, when that begins.
        symbol: of the token that it happened to; None: the sector.
        size: as Shock's.
        sentence: what happened, in plain words.
        trouble: what is made up, by its name; None: nothing is.
        within: the same hours without it; None: nothing is made up.
    """

    name: str
    kind: str
    start_ms: int
    end_ms: int
    struck_ms: int
    symbol: str | None
    size: float
    sentence: str
    trouble: str | None = None
    within: "Episode | None" = None

    def document(self) -> dict[str, Any]:
        """As plain JSON types."""
        return {
            "episode": self.name,
            "kind": self.kind,
            "from": iso_utc(self.start_ms),
            "to": iso_utc(self.end_ms),
            "struck": iso_utc(self.struck_ms),
            "symbol": self.symbol,
            "size": self.size,
            "sentence": self.sentence,
            "made_up": self.trouble is not None,
            "within": None if self.within is None else self.within.name,
        }


def episodes_of(
    tape: ArrayTape, symbols: Sequence[str], start_ms: int, end_ms: int, count: int = OF_EACH
) -> list[Episode]:
    """The worst of each kind, worst first, then what is made up in the worst fall of the sector.

    What is made up strikes as the worst hour of that fall begins, or at its first hour if it lasts.

    Args:
        symbols: the sector.
        start_ms, end_ms: full hours that may be played.
        count: of each kind.

    Raises:
        UsageError: the hours are too few.
    """
    first_ms, last_ms = start_ms + BEFORE_MS, end_ms - AFTER_MS
    if last_ms - first_ms < DAY_MS:
        raise UsageError(
            f"{utc(start_ms)} to {utc(end_ms)}: too short; an episode needs a day before and after"
        )
    panel, _ = without_faults(tape.panel(symbols, first_ms - HOUR_MS, last_ms, last_ms))
    moved = log_returns(panel)
    paid = _paid(tape, panel.symbols, first_ms, len(moved))
    found = [
        *sector_crashes(moved, count),
        *correlation_spikes(moved, count),
        *funding_squeezes(paid, count),
        *gaps(moved, _liquid(panel), count),
    ]
    named = [_whose(tape, _named(one, panel.symbols, first_ms)) for one in found]
    crash = next((one for one in found if one.kind is ShockKind.SECTOR_CRASH), None)
    if crash is None:
        return named
    hours = sector_returns(moved)[crash.first : crash.last + 1]
    worst_ms = first_ms + (crash.first + int(np.argmin(hours))) * HOUR_MS
    return [*named, *_made_up(_named(crash, panel.symbols, first_ms), worst_ms)]


def _made_up(crash: Episode, worst_ms: int) -> list[Episode]:
    """Args: worst_ms: open of the bar in which the sector lost most."""
    return [
        replace(
            crash,
            name=name,
            kind="made-up",
            struck_ms=crash.struck_ms if made.lasting else worst_ms,
            sentence=f"{made.sentence}, within {crash.name}; worst hour: {iso_utc(worst_ms)[:16]}.",
            trouble=name,
            within=crash,
        )
        for name, made in TROUBLES.items()
    ]


def _named(shock: Shock, symbols: Sequence[str], first_ms: int) -> Episode:
    """Row k of what was looked at is the hour that ends at ``first_ms + (k + 1) h``."""
    struck_ms, over_ms = first_ms + shock.first * HOUR_MS, first_ms + (shock.last + 1) * HOUR_MS
    symbol = None if shock.column is None else symbols[shock.column]
    token = "" if symbol is None else f"-{_base(symbol)}"
    day = iso_utc(struck_ms)[:10]
    return Episode(
        name=f"{shock.kind.value}-{day}{token}",
        kind=shock.kind.value,
        start_ms=struck_ms - BEFORE_MS,
        end_ms=over_ms + AFTER_MS,
        struck_ms=struck_ms,
        symbol=symbol,
        size=shock.size,
        sentence=_sentence(shock, symbol, struck_ms),
    )


def _whose(tape: ArrayTape, episode: Episode) -> Episode:
    """The same; of funding at rates that are not the exchange's own, the sentence says so."""
    if episode.kind != ShockKind.FUNDING_SQUEEZE or episode.symbol is None:
        return episode
    over_ms = episode.end_ms - AFTER_MS
    series = tape.funding_series(episode.symbol, episode.struck_ms + 1, over_ms + 1)
    if series is None or not series.substitute:
        return episode
    sentence = episode.sentence.removesuffix(".")
    return replace(episode, sentence=f"{sentence}, at rates that are not the exchange's own.")


def _sentence(shock: Shock, symbol: str | None, struck_ms: int) -> str:
    when, size = iso_utc(struck_ms)[:16], shock.size
    if shock.kind is ShockKind.SECTOR_CRASH:
        return f"From {when} the sector moved {np.expm1(size):+.1%} on average within 24 hours."
    if shock.kind is ShockKind.CORRELATION_SPIKE:
        return f"From {when} the mean correlation of 48 hours was {size:.2f} above its month's."
    assert symbol is not None
    if shock.kind is ShockKind.FUNDING_SQUEEZE:
        side = "longs" if size > 0 else "shorts"
        return f"From {when} {side} of {_base(symbol)} paid {abs(size):.2%} in funding in 72 hours."
    return (
        f"After {when} {_base(symbol)} moved {np.expm1(size):+.1%} beside its sector in one hour."
    )


def _base(symbol: str) -> str:
    return symbol.partition("/")[0]


def _paid(tape: ArrayTape, symbols: Sequence[str], first_ms: int, hours: int) -> FloatArray:
    """(T, N) funding that fell due in each hour, whoever's rates a replay takes; NaN for a token
    without any, and before its first payment."""
    paid = np.full((hours, len(symbols)), np.nan)
    for k, symbol in enumerate(symbols):
        series = tape.funding_series(symbol, first_ms + 1, first_ms + hours * HOUR_MS + 1)
        if series is None:
            continue
        rows = (np.asarray(series.time_ms) - first_ms - 1) // HOUR_MS
        paid[rows[0] :, k] = np.bincount(rows, weights=series.rate, minlength=hours)[rows[0] :]
    return paid


def _liquid(panel: BarPanel) -> NDArray[np.bool_]:
    """(T - 1, N) whether enough was traded in the 24 hours up to each bar."""
    volume = np.nan_to_num(panel.quote_volume_usd)
    total = np.cumsum(np.vstack((np.zeros((24, volume.shape[1])), volume)), axis=0)
    enough: NDArray[np.bool_] = total[24:] - total[:-24] >= LIQUID_DAILY_USD
    return enough[1:]
