"""What the terminal shows of a sweep."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bot.cli.tables import plain_table
from bot.sweep.courses import SPREAD

if TYPE_CHECKING:
    from rich.table import Table

    from bot.sweep.runs import Row
    from bot.sweep.search import Sweep

_FIGURES = (
    ("effect", "effectiveness_daily", "{:.1%}"),
    ("worst days, USD", "hedged.es95_daily_usd", "{:,.0f}"),
    ("cost, bp/day", "cost_bps_per_day", "{:.2f}"),
    ("hours left over caps", "breach_hours.left", "{:,.0f}"),
)


def best_table(plan: "Sweep", rows: Sequence["Row"], most: int) -> "Table":
    """The best choices, best first."""
    objective, names = plan.objective, list(plan.choices[0])
    known = [row for row in rows if objective.of(row) is not None]
    known.sort(key=lambda row: -objective.sign * (objective.of(row) or 0.0))
    table = plain_table()
    for name in names:
        table.add_column(name, overflow="fold")
    shown = [one for one in _FIGURES if one[1] != objective.field]
    between = ["± between courses"] if plan.courses > 1 else []
    for title in (objective.field, *between, *(one[0] for one in shown)):
        table.add_column(title, justify="right", overflow="fold")
    for row in known[:most]:
        figures = [_told(row.get(field), form) for _, field, form in shown]
        told = [_value(row[name]) for name in names]
        spread = [_told(row.get(SPREAD), "{:,.4g}")] if between else []
        table.add_row(*told, _told(objective.of(row), "{:,.4g}"), *spread, *figures)
    return table


def walk_table(found: Mapping[str, Any]) -> "Table":
    """What each training chose, and what it was worth on the days after."""
    table = plain_table()
    table.add_column("window")
    table.add_column("chosen")
    for title in (f"{found['objective']}, training", "test"):
        table.add_column(title, justify="right")
    for one in found["windows"]:
        chosen = one["chosen"]
        words = (
            "nothing"
            if chosen is None
            else ", ".join(f"{name}={_value(value)}" for name, value in chosen.items())
        )
        told = [_told(one[name], "{:,.4g}") for name in ("train", "test")]
        table.add_row(str(one["window"]), words, *told)
    table.add_row("mean", "", "", _told(found["mean_test"], "{:,.4g}"))
    return table


def _value(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _told(value: float | None, form: str) -> str:
    return "unknown" if value is None else form.format(value)
