"""Why a signal rule has no word: quiet because nothing is known is not quiet because all is calm.

Pure.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bot.measuring.universe import base_of
from bot.outlook.signal_values import (
    ABSORPTION_BARS,
    MIN_PAIR_BARS,
    PAIR_BARS,
    REGIME_BARS,
    SHIFT_KNOWN_DAYS,
    SHIFT_LONG_DAYS,
    Bars,
)
from risk.returns import BARS_PER_DAY
from risk.signals.activity import MIN_DAYS, VOLUME_DAYS
from risk.signals.breadth import MEAN_BARS, MIN_SHARE, MIN_TOKENS
from risk.signals.concentration import MIN_WINDOWS, WINDOW_BARS


@dataclass(frozen=True, slots=True)
class Need:
    """What one rule needs before it can speak.

    Attributes:
        bars: closes within the last ``within`` bars.
        tokens: so many tokens must have them.
        sector: tokens of the sector, otherwise any.
    """

    bars: int
    within: int
    tokens: int
    sector: bool


NEEDS: Mapping[str, Need] = {
    "pairs": Need(MIN_PAIR_BARS + 1, PAIR_BARS + 1, 2, sector=False),
    "regime": Need(REGIME_BARS + 1, REGIME_BARS + 1, 2, sector=False),
    "spike": Need(
        MIN_WINDOWS * BARS_PER_DAY + WINDOW_BARS + 1,
        MIN_WINDOWS * BARS_PER_DAY + WINDOW_BARS + 1,
        2,
        sector=True,
    ),
    "absorption": Need(
        ABSORPTION_BARS // 2 + SHIFT_KNOWN_DAYS * BARS_PER_DAY,
        ABSORPTION_BARS + SHIFT_LONG_DAYS * BARS_PER_DAY,
        2,
        sector=True,
    ),
    "breadth": Need(int(np.ceil(MIN_SHARE * MEAN_BARS)), MEAN_BARS, MIN_TOKENS, sector=True),
    "volume": Need(MIN_DAYS * BARS_PER_DAY + 1, VOLUME_DAYS * BARS_PER_DAY + 1, 1, sector=False),
}
MOST_NAMED = 5


def silences(known: Mapping[str, Mapping[str, bool]], bars: Bars) -> dict[str, str]:
    """The rules that cannot speak, or not of every token, each with the reason.

    Args:
        known: by rule and by symbol whether it has a value at the last bar; of a rule about the
            whole sector under an empty name.
        bars: that the rules were given.
    """
    found = {}
    for rule, things in known.items():
        mute = [name for name, is_known in things.items() if not is_known]
        if things and not mute:
            continue
        if rule == "funding":
            found[rule] = _of_funding(mute, len(things))
        elif len(mute) == len(things):
            found[rule] = _of_all(NEEDS[rule], bars)
            if rule == "spike" and bars.benchmark is None:
                found[rule] = "needs the first benchmark, which cannot be measured"
        else:
            found[rule] = _of_some(NEEDS[rule], mute, bars)
    return found


def known_tokens(pairs: NDArray[np.bool_], count: int) -> list[bool]:
    """Of which of N tokens at least one of its N (N - 1) / 2 pairs is known."""
    one, other = np.triu_indices(count, 1)
    known = np.zeros(count, dtype=np.bool_)
    known[one[pairs]] = known[other[pairs]] = True
    return known.tolist()


def _of_all(need: Need, bars: Bars) -> str:
    columns = list(bars.sector_columns) if need.sector else list(range(len(bars.panel.symbols)))
    if len(columns) < need.tokens:
        where = "of the sector " if need.sector else ""
        return f"needs {need.tokens} tokens {where}that can be measured, there are {len(columns)}"
    counts = np.sort(_counts(need, bars)[columns])[::-1]
    has = int(counts[need.tokens - 1])
    if has < need.bars:
        return f"not enough history: has {has:,} of {need.bars:,} bars"
    return f"too much is missing or stands still in the last {need.within:,} bars"


def _of_some(need: Need, mute: Sequence[str], bars: Bars) -> str:
    counts = dict(zip(bars.panel.symbols, _counts(need, bars).tolist(), strict=True))
    named = []
    for symbol in mute[:MOST_NAMED]:
        has = int(counts[symbol])
        why = (
            f"has {has:,} of {need.bars:,} bars" if has < need.bars else "last bars missing or flat"
        )
        named.append(f"{base_of(symbol)} {why}")
    rest = f" and {len(mute) - MOST_NAMED} more" if len(mute) > MOST_NAMED else ""
    return f"not enough history of some: {', '.join(named)}{rest}"


def _of_funding(mute: Sequence[str], count: int) -> str:
    if len(mute) == count:
        return "no token has funding that can be judged"
    named = ", ".join(base_of(symbol) for symbol in mute[:MOST_NAMED])
    rest = f" and {len(mute) - MOST_NAMED} more" if len(mute) > MOST_NAMED else ""
    return f"{named}{rest} have no funding that can be judged"


def _counts(need: Need, bars: Bars) -> NDArray[np.int64]:
    counts: NDArray[np.int64] = (~np.isnan(bars.panel.close[-need.within :])).sum(axis=0)
    return counts
