"""Equity with and without hedges, hour by hour: a Parquet file, and a picture."""

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from risk.book import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CURVES_NAME = "equity.parquet"
PICTURE_NAME = "equity.png"
ALONE_COLOUR, HEDGED_COLOUR = "#8a94a0", "#b35900"
_DPI = 130
_TIME = pa.timestamp("ms", tz="UTC")


def write_curves(
    hours_ms: NDArray[np.int64], alone_usd: FloatArray, hedges_usd: FloatArray, folder: Path
) -> dict[str, str]:
    """Both into the folder; their paths by what they are.

    Args:
        hours_ms: (T + 1,) UTC milliseconds: every hour with a cycle, and the end.
        alone_usd, hedges_usd: (T,) what the bot's positions and the hedge account gained in each
            hour.

    Raises:
        OSError: they cannot be written.
    """
    alone, hedges = (_summed(one) for one in (alone_usd, hedges_usd))
    columns = {"unhedged_usd": alone, "hedged_usd": alone + hedges, "hedges_usd": hedges}
    table, picture = folder / CURVES_NAME, folder / PICTURE_NAME
    times = pa.array(hours_ms).cast(_TIME)
    pq.write_table(pa.table({"timestamp": times, **_arrays(columns)}), table)
    picture.write_bytes(_drawn(hours_ms, columns["unhedged_usd"], columns["hedged_usd"]))
    return {"curves": str(table), "picture": str(picture)}


def drawdown_usd(equity_usd: FloatArray) -> FloatArray:
    """(T,) how far equity is below its highest so far, USD, at most 0."""
    below: FloatArray = equity_usd - np.maximum.accumulate(equity_usd)
    return below


def _summed(gains_usd: FloatArray) -> FloatArray:
    """(T + 1,) since the first hour, where it is 0."""
    return np.concatenate(([0.0], np.cumsum(gains_usd)))


def _arrays(columns: dict[str, FloatArray]) -> dict[str, Any]:
    return {name: pa.array(values) for name, values in columns.items()}


def _drawn(hours_ms: NDArray[np.int64], alone_usd: FloatArray, hedged_usd: FloatArray) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.0, 6.0), layout="constrained")
    FigureCanvasAgg(figure)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(2, 1))
    times = hours_ms.astype("datetime64[ms]")
    _lines(above, times, alone_usd, hedged_usd)
    above.set_ylabel("gain since the start, USD")
    above.legend(frameon=False)
    _lines(below, times, drawdown_usd(alone_usd), drawdown_usd(hedged_usd))
    below.set_ylabel("drawdown, USD")
    figure.autofmt_xdate()
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=_DPI)
    return picture.getvalue()


def _lines(axes: "Axes", times: Any, alone: FloatArray, hedged: FloatArray) -> None:
    axes.plot(times, alone, color=ALONE_COLOUR, linewidth=1.2, label="without hedges")
    axes.plot(times, hedged, color=HEDGED_COLOUR, linewidth=1.2, label="with hedges")
    axes.axhline(0.0, color="#c4c9cf", linewidth=0.8, zorder=0)
    axes.grid(visible=True, alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
