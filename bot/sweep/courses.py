"""A choice judged beside several random bots, as one may suit a single course by luck. Pure."""

import json
import math
from collections.abc import Callable, Collection, Sequence
from statistics import fmean, stdev

from bot.sweep.runs import NO_FIGURES, Row

SPREAD = "courses_std"
"""Standard deviation of the objective between the courses of one choice."""


def averaged(rows: Sequence[Row], tried: Collection[str], objective: str) -> list[Row]:
    """A row for each choice in each window, in the order of their first rows.

    Its figures are the means over the courses; None where any course lacks the figure, and
    ``error`` is the first there was: a choice that fails beside one bot is none to choose. It has
    no ``bot_seed``, and the key of its first course. Of one course it is that course's row.

    Args:
        rows: of single replays.
        tried: names of the settings that make a choice.
        objective: the figure whose standard deviation is told as well.
    """
    groups: dict[str, list[Row]] = {}
    for row in rows:
        choice = [row["window"], row["part"], *(row[name] for name in tried)]
        groups.setdefault(json.dumps(choice), []).append(row)
    return [_mean(group, tried, objective) for group in groups.values()]


def _mean(rows: Sequence[Row], tried: Collection[str], objective: str) -> Row:
    if len(rows) == 1:
        return rows[0]
    figures = {name for row in rows for name in row} - NO_FIGURES - set(tried)
    means = {name: _over(rows, name, fmean) for name in sorted(figures)}
    return {
        **{name: value for name, value in rows[0].items() if name not in figures},
        **means,
        "bot_seed": None,
        "error": next((row["error"] for row in rows if row["error"] is not None), None),
        SPREAD: _over(rows, objective, stdev),
    }


def _over(
    rows: Sequence[Row], name: str, measure: Callable[[Sequence[float]], float]
) -> float | None:
    values = [row.get(name) for row in rows]
    known = [float(value) for value in values if isinstance(value, int | float)]
    if len(known) < len(values) or not all(map(math.isfinite, known)):
        return None
    return measure(known)
