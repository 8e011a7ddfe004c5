"""The clustered correlations of one moment: 30 days beside 7 days, or what decisions used."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from bot.records.windows import WINDOWS_DAYS, window_matrix
from bot.report import words
from bot.report.canvas import Chart, Figure, axis, inert, layout
from bot.report.history import Document, latest
from bot.report.roles import SIGNS, marked

Matrix = Sequence[Sequence[float | None]]
_SCALE = [[i / 4, f"var(--corr-{i})"] for i in range(5)]
_SIDE = 430.0
"""About how wide the cells of a chart are together, where two stand side by side, pixels."""


def correlation_charts(documents: Sequence[Document]) -> list[Chart]:
    """Of the last cycle that has correlations, in the order of the clustering.

    Two windows; of a record without them the one matrix that it has.
    """
    document = latest(documents, "correlation")
    if document is None:
        return []
    correlation = document["correlation"]
    symbols = [str(symbol) for symbol in correlation.get("symbols") or ()]
    windows = {w: window_matrix(correlation, w) for w in WINDOWS_DAYS}
    if symbols and any(windows.values()):
        return [
            _heat(document, symbols, matrix, f"-{window}", f"Correlation, {days} days")
            for (window, matrix), days in zip(windows.items(), WINDOWS_DAYS.values(), strict=True)
            if matrix is not None
        ]
    matrix = [[words.number(value) for value in row] for row in correlation.get("matrix") or ()]
    if not symbols or len(matrix) != len(symbols) or any(len(r) != len(symbols) for r in matrix):
        return []
    return [_heat(document, symbols, matrix, "", "Correlation")]


def _heat(
    document: Document, symbols: Sequence[str], matrix: Matrix, key: str, title: str
) -> Chart:
    size = len(symbols)
    names = [inert(words.base(symbol)) for symbol in symbols]
    heat = {
        "type": "heatmap",
        "z": matrix,
        "zmin": -1,
        "zmax": 1,
        "colorscale": _SCALE,
        "xgap": 1 if size <= 40 else 0,
        "ygap": 1 if size <= 40 else 0,
        "hoverongaps": False,
        "hoverinfo": "text",  # the page writes it out of the names, cell by cell
        "meta": names,
        "texttemplate": "%{z:.2f}" if size <= 12 else "",
        "textfont": {"size": 10},
        "colorbar": {
            "orientation": "h",
            "y": 1.01,
            "yanchor": "bottom",
            "thickness": 10,
            "tickvals": [-1, -0.5, 0, 0.5, 1],
            "outlinewidth": 0,
        },
    }
    font = min(11.0, max(6.0, round(_SIDE / size * 0.92, 1)))
    ticks = {"tickvals": list(range(size)), "tickfont": {"size": font}, **axis(grid=False)}
    down = ticks | {"ticktext": marked(symbols, document), "autorange": "reversed"}
    ground = layout(600) | {
        "xaxis": ticks | {"ticktext": names, "tickangle": -90, "constrain": "domain"},
        "yaxis": down | {"scaleanchor": "x", "constrain": "domain", "constraintoward": "top"},
        "shapes": _frames(symbols, document["correlation"].get("clusters") or ()),
        "hovermode": "closest",
        "margin": {"l": 8, "r": 8, "t": 40, "b": 8},
    }
    note = (
        f"{words.clock_text(document)} UTC, hourly returns; neighbours move together, frames are "
        f"clusters. {SIGNS} Without colour: not known."
    )
    figure = {"data": [heat], "layout": ground}
    return Chart(f"correlation{key}", title, note, figure)


def _frames(symbols: Sequence[str], clusters: Sequence[Sequence[Any]]) -> list[Figure]:
    place = {symbol: i for i, symbol in enumerate(symbols)}
    frames = []
    for cluster in clusters:
        found = sorted(place[str(symbol)] for symbol in cluster if str(symbol) in place)
        if len(found) < 2 or any(b - a != 1 for a, b in pairwise(found)):
            continue  # one symbol needs no frame; one that is not side by side cannot have one
        low, high = found[0] - 0.5, found[-1] + 0.5
        frame = {"type": "rect", "x0": low, "x1": high, "y0": low, "y1": high}
        frames.append(frame | {"line": {"color": "var(--ink)", "width": 2}})
    return frames
