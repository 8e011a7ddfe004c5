"""What prices gave the bot's positions, symbol by symbol, from cycle to cycle. Pure."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from bot.attribution.course import Moment


@dataclass(frozen=True, slots=True)
class BotResult:
    """The bot's positions in one symbol.

    Attributes:
        price_usd: what prices gave what was held at each cycle until the next, USD. What the bot
            gained or lost by its own trades between two cycles is not in it: nobody tells it.
        unmeasured_ms: time in which it held the symbol and no later price is known; in no sum.
    """

    symbol: str
    price_usd: float
    unmeasured_ms: int


def bot_results(moments: Sequence[Moment]) -> list[BotResult]:
    """By symbol, sorted."""
    gains: dict[str, float] = defaultdict(float)
    lost: dict[str, int] = defaultdict(int)
    for before, after in pairwise(moments):
        for symbol, usd in before.bot_usd.items():
            if usd == 0:
                continue
            mark = after.marks.get(symbol)
            if mark is None:
                lost[symbol] += after.timestamp_ms - before.timestamp_ms
            else:
                gains[symbol] += usd * (mark / before.marks[symbol] - 1)
    return [BotResult(one, gains[one], lost[one]) for one in sorted({*gains, *lost})]
