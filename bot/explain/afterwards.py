"""What came of a decision, realised against expected, as sentences. Pure."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from bot.explain.outcome import FEWEST_MOVES, Outcome
from bot.report import words

Document = Mapping[str, Any]


def came_of_it(cycle: Document, outcome: Outcome | None) -> list[str]:
    """Prices since then, with and without the hedges; how well the forecast did."""
    if outcome is None:
        return ["Nobody knows yet: no later cycle has measured the book."]
    return [
        _span(cycle, outcome),
        _gains(outcome),
        *_unmeasured(outcome),
        *_volatility(outcome),
        *_effectiveness(outcome),
    ]


def _span(cycle: Document, outcome: Outcome) -> str:
    until = datetime.fromtimestamp(outcome.until_ms / 1000, tz=UTC).strftime("%Y-%m-%d %H:%M")
    what = "with these hedges" if cycle.get("fills") else "with the hedges that stood"
    end = "when hedges were traded again" if outcome.traded_again else "the newest cycle"
    return f"The book went on {what} for {_hours(outcome.hours)}, until {until} UTC, {end}."


def _gains(outcome: Outcome) -> str:
    text = (
        f"In that time prices gave the bot {_gain(outcome.bot_usd)}"
        f"{_usual(outcome.expected_bot_usd)} and the hedges {_gain(outcome.hedge_usd)}: together "
        f"{_gain(outcome.together_usd)}{_usual(outcome.expected_together_usd)}"
    )
    if outcome.funding_usd:
        verb = "received" if outcome.funding_usd > 0 else "paid"
        text += f"; the hedges {verb} {words.money(abs(outcome.funding_usd))} of funding"
    return f"{text}."


def _gain(usd: float) -> str:
    return f"{words.signed(round(usd, 2))} USD"


def _usual(usd: float | None) -> str:
    return "" if usd is None else f" (a usual swing is {words.usd(usd)})"


def _unmeasured(outcome: Outcome) -> list[str]:
    if outcome.unmeasured_hours < 1 / 3600:
        return []
    return [f"{_hours(outcome.unmeasured_hours)} of it are in no sum: a price is missing."]


def _volatility(outcome: Outcome) -> list[str]:
    alone, together = outcome.realised_bot_daily_usd, outcome.realised_together_daily_usd
    if alone is None or together is None:
        return [
            f"Too short to judge the forecast: {_steps(outcome.moves)} between cycles, "
            f"{FEWEST_MOVES} are needed."
        ]
    return [
        f"Realised swing a day {words.usd(together)} with the hedges, {words.usd(alone)} without, "
        f"over {_steps(outcome.moves)}."
    ]


def _steps(number: int) -> str:
    return "1 step" if number == 1 else f"{number} steps"


def _effectiveness(outcome: Outcome) -> list[str]:
    hoped, found = outcome.expected_effectiveness, outcome.realised_effectiveness
    if hoped is None or found is None:
        return []
    return [
        f"The hedges took away {words.percent(found)} of the variance; "
        f"{words.percent(hoped)} were expected."
    ]


def _hours(hours: float) -> str:
    if hours < 1:
        return f"{hours * 60:.0f} minutes"
    return f"{hours:.1f} hours" if hours < 48 else f"{hours / 24:.1f} days"
