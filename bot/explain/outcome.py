"""What came of a cycle's decision: prices until its hedges were changed again. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bot.attribution.course import (
    DAY_MS,
    Move,
    moment_of,
    moments_of,
    moves_of,
    realised_volatility_daily_usd,
)
from bot.attribution.period import effectiveness
from bot.report.words import number

FEWEST_MOVES = 8
"""With fewer steps a realised volatility is chance: nine steps give it to a fourth or so."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """From the cycle to the next trade, or to the newest cycle.

    Attributes:
        until_ms: UTC; ``traded_again`` tells whether a trade ended it.
        hours: how long.
        moves: steps from cycle to cycle whose prices are all known; ``unmeasured_hours`` is the
            time of the others, which are in no sum.
        bot_usd, hedge_usd, together_usd: gains by price, USD.
        funding_usd: of the hedges, received positive.
        expected_bot_usd, expected_together_usd: one standard deviation over that time as the cycle
            saw it.
        realised_bot_daily_usd, realised_together_daily_usd: volatility a day; None of few steps.
        expected_effectiveness, realised_effectiveness: 1 less the ratio of variances with and
            without hedges; None where one is not known.
    """

    until_ms: int
    traded_again: bool
    hours: float
    moves: int
    unmeasured_hours: float
    bot_usd: float
    hedge_usd: float
    together_usd: float
    funding_usd: float
    expected_bot_usd: float | None
    expected_together_usd: float | None
    realised_bot_daily_usd: float | None
    realised_together_daily_usd: float | None
    expected_effectiveness: float | None
    realised_effectiveness: float | None

    def document(self) -> dict[str, Any]:
        """As plain JSON types."""
        return asdict(self)


def outcome_of(
    document: Mapping[str, Any],
    later: Iterable[Mapping[str, Any]],
    funding: Iterable[tuple[int, float]] = (),
) -> Outcome | None:
    """What came of the cycle; None while no later cycle has measured the book.

    Args:
        document: of the cycle.
        later: of the cycles after it, oldest first.
        funding: time in UTC milliseconds and USD received, of the hedge account.
    """
    start = moment_of(document)
    if start is None:
        return None
    moments = [start]
    for moment in moments_of(later):
        moments.append(moment)
        if moment.traded:
            break
    if len(moments) < 2:
        return None
    until_ms = moments[-1].timestamp_ms
    paid = [usd for at_ms, usd in funding if start.timestamp_ms < at_ms <= until_ms]
    return _told(document, moves_of(moments), sum(paid), traded_again=moments[-1].traded)


def _told(
    document: Mapping[str, Any], moves: Sequence[Move], funding_usd: float, *, traded_again: bool
) -> Outcome:
    known = [(m.end_ms - m.start_ms, m.bot_usd, m.hedge_usd) for m in moves]
    bot = [(ms, b) for ms, b, h in known if b is not None and h is not None]
    both = [(ms, b + h) for ms, b, h in known if b is not None and h is not None]
    days = sum(ms for ms, _ in bot) / DAY_MS
    enough = len(bot) >= FEWEST_MOVES
    alone, together = (
        number(document.get(f"volatility_{key}_daily_usd")) for key in ("unhedged", "after")
    )
    bot_daily, both_daily = (
        realised_volatility_daily_usd(one) if enough else None for one in (bot, both)
    )
    bot_usd, both_usd = sum(usd for _, usd in bot), sum(usd for _, usd in both)
    whole_ms = moves[-1].end_ms - moves[0].start_ms
    return Outcome(
        until_ms=moves[-1].end_ms,
        traded_again=traded_again,
        hours=whole_ms / 3_600_000,
        moves=len(bot),
        unmeasured_hours=(whole_ms / DAY_MS - days) * 24,
        bot_usd=bot_usd,
        hedge_usd=both_usd - bot_usd,
        together_usd=both_usd,
        funding_usd=funding_usd,
        expected_bot_usd=None if alone is None else alone * days**0.5,
        expected_together_usd=None if together is None else together * days**0.5,
        realised_bot_daily_usd=bot_daily,
        realised_together_daily_usd=both_daily,
        expected_effectiveness=effectiveness(alone, together),
        realised_effectiveness=effectiveness(bot_daily, both_daily),
    )
