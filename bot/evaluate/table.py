"""The answer of an evaluation as a table for the terminal."""

from collections.abc import Mapping
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table

_COLUMNS = (
    ("HE\nday", "effectiveness_daily", 3),
    ("HE\nhour", "effectiveness_hourly", 3),
    ("ES95\ncut", "es95_cut", 3),
    ("trades\na day", "turnover_per_day", 3),
    ("cost\nbp/day", "cost_bps_per_day", 2),
    ("fund.\nbp/day", "funding_bps_per_day", 2),
    ("\nbias", "bias", 2),
    ("syst.\nless", "systematic_removed", 3),
    ("spec.\nmore", "specific_added", 3),
)
_ABOVE = "minimum_risk"


def evaluation_table(document: Mapping[str, Any]) -> RenderableType:
    """One row for each strategy, the standard error of each figure in small type beneath it."""
    table = Table(
        title=f"random books: {document['books']}, {document['from'][:10]} to "
        f"{document['to'][:16]}, {document['cost_bps']:g} bp a trade",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        show_edge=False,
    )
    table.add_column("\nhedge", no_wrap=True)
    for title, _, _ in _COLUMNS:
        table.add_column(title, justify="right", no_wrap=True)
    for name, figures in document["strategies"].items():
        table.add_row(name, *_cells(figures))
    if "hindsight" in document:
        table.add_section()
        table.add_row("hindsight", *_cells(document["hindsight"]), style="dim")
    return Group(table, *_notes(document))


def _cells(figures: Mapping[str, Any]) -> list[str]:
    cells = []
    for _, name, places in _COLUMNS:
        value, error = figures[name], figures["standard_error"][name]
        text = "–" if value is None else f"{value:.{places}f}"
        cells.append(text if error is None else f"{text}\n±{error:.{places}f}".replace("±0", "±"))
    return cells


def _notes(document: Mapping[str, Any]) -> list[str]:
    notes = [
        "HE: share of variance taken away, before costs. Trades, cost and funding (above 0: paid) "
        "are of the bot's gross. syst., spec.: systematic variance taken away, the hedges' own "
        "added. ±: standard error over the books drawn. hindsight knows the next 30 days."
    ]
    ours = document["strategies"].get(_ABOVE, {}).get("diebold_mariano", {})
    tests = [
        f"{other} {test['statistic']:+.1f} (p {test['p_value']:.3f})"
        for other, test in ours.items()
        if test["statistic"] is not None
    ]
    if tests:
        notes.append(f"Diebold-Mariano of {_ABOVE}, below 0 is less variance: {', '.join(tests)}.")
    held = {n: f["held_decisions"] for n, f in document["strategies"].items()}
    notes += [
        f"{name}: {count} decisions held, the solver failed."
        for name, count in held.items()
        if count
    ]
    return notes
