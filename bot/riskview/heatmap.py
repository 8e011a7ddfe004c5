"""The clustered correlation heatmap, 30 days beside 7 days in the same order, as a PNG file."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bot.report.words import base, clock_text
from risk.book import FloatArray
from risk.errors import DataError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = "RdBu_r"  # blue and red stay apart for every kind of colour blindness
UNKNOWN_COLOUR = "#d9d9d9"
BOOK_COLOUR = "#b35900"
MOST_WITH_VALUES = 25
_CELL_INCHES, _LEAST_INCHES, _MOST_INCHES = 0.42, 4.2, 16.0
_DPI = 110


def write_heatmap(document: Mapping[str, Any], path: Path) -> None:
    """Draw the ``correlation`` of a risk document.

    Values are written into the cells of up to 25 symbols; grey cells are not known. Frames are
    the clusters of more than one token; symbols of the book are marked and set in colour.

    Raises:
        DataError: there is no correlation to draw.
        OSError: the file cannot be written.
    """
    symbols = document["correlation"]["30d"]["symbols"]
    if len(symbols) < 2:
        raise DataError("no heatmap: fewer than two symbols have a correlation")
    picture = io.BytesIO()
    _drawn(document, symbols).savefig(picture, format="png", dpi=_DPI)
    path.write_bytes(picture.getvalue())


def _drawn(document: Mapping[str, Any], symbols: Sequence[str]) -> "Figure":
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    side = min(max(_CELL_INCHES * len(symbols), _LEAST_INCHES), _MOST_INCHES)
    figure = Figure(figsize=(2 * side + 3.2, side + 2.0), layout="constrained")
    FigureCanvasAgg(figure)
    left, right, bar = figure.subplots(1, 3, width_ratios=[side, side, 0.22])
    font = min(9.5, 72 * side / len(symbols) * 0.62)
    positions = document["exposure"]["positions"]
    for axes, key, title in ((left, "30d", "30 days"), (right, "7d", "7 days")):
        part = document["correlation"][key]
        if part["symbols"] != list(symbols):
            raise DataError("no heatmap: the windows are of different symbols")
        matrix = np.array(
            [[np.nan if value is None else value for value in row] for row in part["matrix"]]
        )
        _panel(axes, matrix, symbols, positions, font=font, bar=bar if axes is left else None)
        _frames(axes, document["clusters"], symbols)
        axes.set_title(f"{title}, hourly returns", fontsize=12, pad=8)
    figure.suptitle(f"Correlation at {clock_text(document)} UTC", fontsize=15, fontweight="bold")
    held = [s for s in symbols if s in positions]
    note = "Frames: clusters by average linkage over 30 days, order the same on both sides."
    if held:
        note += "  In colour with ▲ or ▼: held long or short."
    if any(None in row for key in ("30d", "7d") for row in document["correlation"][key]["matrix"]):
        note += "  Grey: not known."
    figure.supxlabel(note, fontsize=9.5, color="#444444")
    return figure


def _panel(
    axes: "Axes",
    matrix: FloatArray,
    symbols: Sequence[str],
    positions: Mapping[str, float],
    *,
    font: float,
    bar: "Axes | None",
) -> None:
    import seaborn

    few = len(symbols) <= MOST_WITH_VALUES
    values = np.array([[_cell(value) for value in row] for row in matrix.tolist()])
    axes.set_facecolor(UNKNOWN_COLOUR)
    seaborn.heatmap(
        matrix,
        ax=axes,
        mask=np.isnan(matrix),
        cmap=COLOURS,
        vmin=-1.0,
        vmax=1.0,
        annot=values if few else False,
        fmt="",
        annot_kws={"fontsize": font * 0.92},
        square=True,
        linewidths=0.5 if few else 0.0,
        linecolor="white",
        xticklabels=[base(symbol) for symbol in symbols],
        yticklabels=[_name(symbol, positions) for symbol in symbols],
        cbar=bar is not None,
        cbar_ax=bar,
    )
    axes.tick_params(axis="x", rotation=90, labelsize=font, length=0)
    axes.tick_params(axis="y", rotation=0, labelsize=font, length=0)
    for labels in (axes.get_xticklabels(), axes.get_yticklabels()):
        for label, symbol in zip(labels, symbols, strict=True):
            if symbol in positions:
                label.set_color(BOOK_COLOUR)
                label.set_fontweight("bold")


def _name(symbol: str, positions: Mapping[str, float]) -> str:
    if symbol not in positions:
        return base(symbol)
    return f"{'▲' if positions[symbol] > 0 else '▼'} {base(symbol)}"


def _cell(value: float) -> str:
    """``.73`` for 0.73, short enough for a small cell."""
    if np.isnan(value):
        return ""
    if abs(value) >= 0.995:
        return f"{value:.0f}"
    text = f"{abs(value):.2f}"[1:]
    return f"−{text}" if value < 0 and text != ".00" else text


def _frames(axes: "Axes", clusters: Sequence[Sequence[str]], symbols: Sequence[str]) -> None:
    from matplotlib.patches import Rectangle

    at = {symbol: i for i, symbol in enumerate(symbols)}
    for members in clusters:
        rows = sorted(at[symbol] for symbol in members)
        if len(rows) > 1:
            # The order keeps every cluster in one run.
            corner, size = (rows[0], rows[0]), len(rows)
            frame = Rectangle(
                corner, size, size, fill=False, edgecolor="black", linewidth=2.2, clip_on=False
            )
            axes.add_patch(frame)
