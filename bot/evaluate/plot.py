"""Effectiveness against cost as a PNG file, one point for each strategy."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

OURS_COLOUR, OTHER_COLOUR, BOUND_COLOUR = "#b35900", "#1f4e79", "#6b6b6b"
_OURS = "minimum_risk"
_UNHEDGED = "none"  # the corner where nothing is taken away and nothing paid
_DPI = 130


def write_plot(document: Mapping[str, Any], path: Path) -> None:
    """Draw an evaluation document, without the strategy that never hedges.

    Whiskers are standard errors over the books drawn. The broken line is the hindsight bound.

    Raises:
        OSError: the file cannot be written.
    """
    picture = io.BytesIO()
    _drawn(document).savefig(picture, format="png", dpi=_DPI)
    path.write_bytes(picture.getvalue())


def _drawn(document: Mapping[str, Any]) -> "Figure":
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.4, 5.4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    points = {
        name: figures
        for name, figures in document["strategies"].items()
        if name != _UNHEDGED and figures["effectiveness_daily"] is not None
    }
    by_cost = sorted(points, key=lambda name: points[name]["cost_bps_per_day"])
    most = max((points[name]["cost_bps_per_day"] for name in points), default=0.0)
    for place, name in enumerate(by_cost):
        _point(axes, name, points[name], above=place % 2 == 0, most=most)
    bound = document.get("hindsight", {}).get("effectiveness_daily")
    if bound is not None:
        axes.axhline(bound, color=BOUND_COLOUR, linestyle="--", linewidth=1)
        axes.annotate(
            "hindsight",
            (1, bound),
            xycoords=("axes fraction", "data"),
            xytext=(-4, 3),
            textcoords="offset points",
            ha="right",
            color=BOUND_COLOUR,
        )
    axes.set_xlabel(
        f"cost, bp of the bot's gross a day ({document['cost_bps']:g} bp a trade)\n"
        "whiskers: standard errors over the books drawn"
    )
    axes.set_ylabel("share of daily variance taken away")
    axes.set_title(
        f"Hedges of random books ({document['books']}), {document['from'][:10]} to "
        f"{document['to'][:10]}",
        fontsize=11,
    )
    axes.grid(color="#e3e3e3", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.margins(x=0.05, y=0.12)
    axes.set_xlim(left=0.0)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    return figure


def _point(
    axes: "Axes", name: str, figures: Mapping[str, Any], *, above: bool, most: float
) -> None:
    error = figures["standard_error"]
    colour = OURS_COLOUR if name == _OURS else OTHER_COLOUR
    x, y = figures["cost_bps_per_day"], figures["effectiveness_daily"]
    axes.errorbar(
        [x],
        [y],
        xerr=None if error["cost_bps_per_day"] is None else [error["cost_bps_per_day"]],
        yerr=None if error["effectiveness_daily"] is None else [error["effectiveness_daily"]],
        marker="o",
        markersize=7,
        color=colour,
        elinewidth=0.8,
        alpha=0.9,
    )
    left = x > 0.75 * most
    axes.annotate(
        name,
        (x, y),
        xytext=(-7 if left else 7, 6 if above else -14),
        textcoords="offset points",
        ha="right" if left else "left",
        color=colour,
        fontweight="bold" if name == _OURS else "normal",
        bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 0.5},
    )
