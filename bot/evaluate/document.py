"""The answer of an evaluation as one JSON document."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from bot.evaluate.plan import HINDSIGHT, Plan
from bot.evaluate.scores import Score
from risk.evaluation.comparison import LEAST_PERIODS, diebold_mariano
from risk.returns import utc

COMPARED = (
    "effectiveness_daily",
    "effectiveness_hourly",
    "es95_cut",
    "turnover_per_day",
    "cost_bps_per_day",
    "bias",
    "systematic_removed",
    "specific_added",
    "funding_bps_per_day",
    "effectiveness_daily_net",
)


def evaluation_document(plan: Plan, scores: Mapping[str, Score]) -> dict[str, Any]:
    """Figures by strategy, each with its standard error over the books drawn; None for NaN.

    ``diebold_mariano`` of a strategy compares the mean over books of its squared daily PnL, in
    bp² of the bot's gross, with that of each other one: a statistic below 0 is less variance.
    """
    market, rows = plan.decisions.market, plan.decisions.rows
    compared = {name: one for name, one in scores.items() if name != HINDSIGHT}
    document = {
        "from": utc(market.time_ms[rows[0]]),
        "to": utc(market.time_ms[market.end]),
        "symbols": list(market.symbols),
        "books": plan.books,
        "seed": plan.seed,
        "tokens": plan.tokens,
        "weights": "fixed" if plan.fixed_weights else "drifting",
        "decide_every_hours": plan.decisions.hours,
        "cost_bps": plan.cost_bps,
        "strategies": {
            name: _figures(one) | {"diebold_mariano": _against(name, compared)}
            for name, one in compared.items()
        },
    }
    if HINDSIGHT in scores:
        document["hindsight"] = _figures(scores[HINDSIGHT])
    return document


def _figures(one: Score) -> dict[str, Any]:
    figures: dict[str, Any] = {name: _number(one.figures[name]) for name in COMPARED}
    figures["standard_error"] = {name: _number(one.errors[name]) for name in COMPARED}
    figures["held_decisions"] = one.held
    return figures


def _against(name: str, scores: Mapping[str, Score]) -> dict[str, Any]:
    loss = scores[name].loss
    if len(loss) < LEAST_PERIODS:
        return {}
    found = {}
    for other, one in scores.items():
        if other != name:
            test = diebold_mariano(loss, one.loss)
            found[other] = {
                "mean_difference_bps2": _number(test.mean_difference),
                "statistic": _number(test.statistic),
                "p_value": _number(test.p_value),
                "lags": test.lags,
            }
    return found


def _number(value: float) -> float | None:
    return None if math.isnan(value) or not np.isfinite(value) else float(value)
