"""How the correlation of the pairs that matter came to be: the bot's positions and their hedges."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import combinations, product
from typing import Any

from bot.records.windows import WINDOWS_DAYS, window_pair
from bot.report import words
from bot.report.canvas import Chart, inert, series_colour
from bot.report.history import Document
from bot.report.timelines import time_ground

MOST_PAIRS = 6
MOST_OF_ONE = 2
"""So many of the pairs may share a symbol: six times the largest position would tell little."""
MOST_POINTS = 1_500

Pair = tuple[str, str]


@dataclass(slots=True)
class PairHistory:
    """Correlations of some pairs over time, one row for each cycle that recorded them.

    Attributes:
        pairs: as ``pairs_to_follow`` names them.
        times_ms: UTC.
        values: by window, for each pair as many values as times; None where not known.
    """

    pairs: Sequence[Pair] = ()
    times_ms: list[int] = field(default_factory=list)
    values: dict[str, list[list[float | None]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.values:
            self.values = {window: [[] for _ in self.pairs] for window in WINDOWS_DAYS}

    def add(self, document: Document) -> None:
        """Take up a cycle, if it recorded correlations."""
        correlation = document.get("correlation")
        if not self.pairs or not correlation or not correlation.get("windows"):
            return
        self.times_ms.append(int(document["timestamp_ms"]))
        for window, rows in self.values.items():
            for row, (one, other) in zip(rows, self.pairs, strict=True):
                row.append(window_pair(correlation, window, one, other))

    def thinned(self) -> "PairHistory":
        """The same with not many more points than can be drawn, the newest among them."""
        step = -(-len(self.times_ms) // MOST_POINTS)
        if step <= 1:
            return self
        picked = slice((len(self.times_ms) - 1) % step, None, step)
        values = {w: [row[picked] for row in rows] for w, rows in self.values.items()}
        return PairHistory(self.pairs, self.times_ms[picked], values)


def pairs_to_follow(legs: Iterable[Mapping[str, Any]]) -> list[Pair]:
    """Pairs of a position of the bot and a hedge, those with the most money in both first.

    Without hedges pairs of the bot's own positions.
    """
    sizes = [
        (str(leg["symbol"]), abs(float(leg["bot_usd"])), abs(float(leg["hedge_after_usd"])))
        for leg in legs
    ]
    bots = {symbol: usd for symbol, usd, _ in sizes if usd}
    hedges = {symbol: usd for symbol, _, usd in sizes if usd and symbol not in bots}
    weighed = {(a, b): bots[a] * hedges[b] for a, b in product(bots, hedges)} or {
        (a, b): bots[a] * bots[b] for a, b in combinations(sorted(bots), 2)
    }
    chosen: list[Pair] = []
    for pair in sorted(weighed, key=lambda one: (-weighed[one], one)):
        if all(sum(s in other for other in chosen) < MOST_OF_ONE for s in pair):
            chosen.append(pair)
        if len(chosen) == MOST_PAIRS:
            break
    return chosen


def pair_charts(history: PairHistory) -> list[Chart]:
    """One chart for each window; none with fewer than two moments."""
    if len(history.times_ms) < 2:
        return []
    return [_chart(history, window, days) for window, days in WINDOWS_DAYS.items()]


def _chart(history: PairHistory, window: str, days: int) -> Chart:
    times = [
        datetime.fromtimestamp(at_ms / 1000, tz=UTC).strftime("%Y-%m-%d %H:%M:%S")
        for at_ms in history.times_ms
    ]
    traces = [
        {
            "type": "scatter",
            "mode": "lines",
            "name": f"{inert(words.base(one))} – {inert(words.base(other))}",
            "x": times,
            "y": row,
            "connectgaps": False,
            "line": series_colour(place),
            "hovertemplate": "%{fullData.name}: %{y:.2f}",
        }
        for place, ((one, other), row) in enumerate(
            zip(history.pairs, history.values[window], strict=True)
        )
    ]
    ground = time_ground("correlation")
    ground["yaxis"] |= {"tickformat": ".1f", "rangemode": "normal"}
    ground["yaxis"]["autorangeoptions"] = {"include": [0, 1]}
    note = (
        "Hourly returns. The bot's largest positions and the hedges against them: the nearer to 1, "
        "the better the hedge; a line that falls is a hedge that is coming apart."
    )
    title = f"Pairs over {days} days"
    return Chart(f"pairs-{window}", title, note, {"data": traces, "layout": ground})
