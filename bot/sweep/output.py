"""What a sweep leaves: every row in one Parquet file, and a picture."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from bot.sweep.runs import Row
from bot.sweep.search import Objective

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PARQUET_NAME = "sweep.parquet"
PLOT_NAME = "sweep.png"
COST = "cost_bps_per_day"
OTHERS_COLOUR, BEST_COLOUR, TEST_COLOUR = "#8a94a0", "#b35900", "#1f4e79"
_DPI = 130
_MILLISECONDS = pa.timestamp("ms", tz="UTC")


def write_rows(rows: Sequence[Row], folder: Path) -> Path:
    """All rows, a column for each setting and figure; null where a run has none.

    Raises:
        OSError: it cannot be written.
    """
    names = list(dict.fromkeys(name for row in rows for name in row))
    columns = {name: _column([row.get(name) for row in rows]) for name in names}
    for name in ("start_ms", "end_ms"):
        columns[name] = columns[name].cast(_MILLISECONDS)
    path = folder / PARQUET_NAME
    pq.write_table(pa.table(columns), path)
    return path


def _column(values: Sequence[Any]) -> Any:
    """Of one type: text where a setting is a number in one run and a word in another."""
    known = [one for one in values if one is not None]
    if any(isinstance(one, str) for one in known):
        return pa.array([None if one is None else str(one) for one in values], pa.string())
    if any(isinstance(one, float) for one in known):
        return pa.array([None if one is None else float(one) for one in values], pa.float64())
    return pa.array(values) if known else pa.array(values, pa.float64())


def write_plot(
    rows: Sequence[Row], found: Mapping[str, Any], objective: Objective, folder: Path
) -> Path:
    """Each run's objective against what its hedges cost; of a walk, training and test in turn.

    Raises:
        OSError: it cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.4, 5.0), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    if "windows" in found:
        _walk(axes, rows, found, objective)
    else:
        _cloud(axes, rows, found, objective)
    axes.set_ylabel(f"{objective.field} ({'more' if objective.sign > 0 else 'less'} is better)")
    axes.grid(visible=True, alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=_DPI)
    path = folder / PLOT_NAME
    path.write_bytes(picture.getvalue())
    return path


def _cloud(
    axes: "Axes", rows: Sequence[Row], found: Mapping[str, Any], objective: Objective
) -> None:
    points = [(row.get(COST), objective.of(row)) for row in rows]
    known = [(float(x), y) for x, y in points if x is not None and y is not None]
    axes.scatter([x for x, _ in known], [y for _, y in known], color=OTHERS_COLOUR, s=26)
    best = found.get("best")
    if best is not None and best.get(COST) is not None:
        at = float(best[COST]), float(best[objective.field])
        axes.scatter([at[0]], [at[1]], color=BEST_COLOUR, s=70, zorder=3)
        axes.annotate("best", at, xytext=(8, 6), textcoords="offset points")
    axes.margins(0.12)
    axes.set_xlabel("cost, bp of the bot's gross a day")


def _walk(
    axes: "Axes", rows: Sequence[Row], found: Mapping[str, Any], objective: Objective
) -> None:
    windows = found["windows"]
    for row in rows:
        if row["part"] == "train" and (value := objective.of(row)) is not None:
            axes.scatter([row["window"]], [value], color=OTHERS_COLOUR, s=16, alpha=0.6)
    for name, colour, shift in (("train", BEST_COLOUR, 0.0), ("test", TEST_COLOUR, 0.2)):
        told = [(one["window"] + shift, one[name]) for one in windows if one[name] is not None]
        axes.plot(
            [x for x, _ in told], [y for _, y in told], "o-", color=colour, label=f"chosen, {name}"
        )
    axes.set_xticks([one["window"] for one in windows])
    axes.set_xlabel("window")
    axes.legend(frameon=False)
